"""``twinlens doctor``: do catalogue, index and disk agree?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from twinlens.catalogue import Catalogue
from twinlens.models import Model, get_model
from twinlens.roots import list_roots
from twinlens_plugin import handover, output
from twinlens_plugin.checks.disk import check_folder, check_photos
from twinlens_plugin.checks.finding import Problem
from twinlens_plugin.checks.tables import (
    check_catalogue,
    check_jobs,
    check_models,
    check_orphans,
)
from twinlens_plugin.options import Command, Session, common

SHOWN = 20
"""Problems of one kind that are written out for people; --json has them all."""


@dataclass
class _Report:
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repaired: bool = False


@click.command("doctor", cls=Command)
@click.option("--repair", is_flag=True, help="Delete an index that is wrong; it is made anew.")
@common
def command(session: Session, *, repair: bool) -> int:
    """Compare catalogue, index and disk, and say "consistent" or what is wrong and its cure.

    Exit code 0 is consistent, 1 is not. Photos are never touched. A photo that just came or changed
    and waits for its turn is nothing wrong, once a scan or watch has seen it.

    Example:
      twinlens doctor
      twinlens doctor --repair && twinlens scan
    """
    with session.open_to_read() as catalogue:
        report = _examine(session, catalogue, repair=repair)
    if session.as_json:
        output.write_json(*map(_as_json, report.problems), _verdict(report))
    else:
        output.write_lines(_as_text(report))
    return 1 if report.problems else 0


def _examine(session: Session, catalogue: Catalogue, *, repair: bool) -> _Report:
    report = _Report()
    for check in (check_catalogue, check_jobs, check_models, check_orphans):
        report.problems.extend(check(catalogue))
    for root in list_roots(catalogue):
        away = list(check_folder(root))
        report.problems.extend(away)
        if root.online and not away:
            report.problems.extend(check_photos(catalogue, root))
        elif not root.online and not away:
            report.notes.append(f"{output.shown(root.path)} is away ({root.reason}): not compared")
    if going := handover.now(session, catalogue):
        report.notes.append(going)
    for model in _models(catalogue):
        _examine_index(session, catalogue, model, report, repair=repair)
    return report


def _models(catalogue: Catalogue) -> list[Model]:
    both = (get_model(catalogue, role) for role in ("serving", "target"))
    return list(dict.fromkeys(model for model in both if model))


def _examine_index(
    session: Session, catalogue: Catalogue, model: Model, report: _Report, *, repair: bool
) -> None:
    from twinlens_plugin.checks.index import check_index, delete_snapshots

    found = check_index(catalogue, session.library, model)
    report.notes.extend([found.note] if found.note else [])
    if found.problems and repair:
        delete_snapshots(session.library, model)
        report.repaired = True
        report.notes.append("the index was wrong and is deleted; make it anew: twinlens scan")
    else:
        report.problems.extend(found.problems)


def _as_json(problem: Problem) -> dict[str, object]:
    path = output.json_path(problem.path) if problem.path else {}
    return {"check": problem.check, "problem": problem.text, "cure": problem.cure, **path}


def _verdict(report: _Report) -> dict[str, object]:
    return {
        "consistent": not report.problems,
        "problems": len(report.problems),
        "repaired": report.repaired,
        "notes": report.notes,
    }


def _as_text(report: _Report) -> Iterator[str]:
    yield from (f"note: {note}" for note in report.notes)
    shown: dict[str, int] = {}
    for problem in report.problems:
        shown[problem.check] = shown.get(problem.check, 0) + 1
        if shown[problem.check] <= SHOWN:
            subject = f"{output.shown(problem.path)}: " if problem.path else ""
            yield f"{problem.check}: {subject}{problem.text.rstrip('.')}. Cure: {problem.cure}"
    for check, count in shown.items():
        if count > SHOWN:
            yield f"{check}: {count - SHOWN:,} more like these (all: twinlens doctor --json)"
    count = len(report.problems)
    yield "consistent" if not count else f"not consistent: {output.plural(count, 'problem')}"
