"""``twinlens apply``: do what a plan proposes."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from twinlens.catalogue import Catalogue
from twinlens.roots import list_roots
from twinlens_plugin import decisions, output
from twinlens_plugin.acting.actions import Action, Maker, Order
from twinlens_plugin.acting.applying import (
    Apply,
    DryRun,
    Outcome,
    done_before,
    folder_to_move_to,
)
from twinlens_plugin.acting.guard import Guard
from twinlens_plugin.acting.journal import Writer, read_runs
from twinlens_plugin.acting.undoing import recover, roots_as_json
from twinlens_plugin.errors import PlanError
from twinlens_plugin.interrupts import Interrupt
from twinlens_plugin.options import PATH, Command, Session, common
from twinlens_plugin.plans import Plan, read_plan
from twinlens_plugin.xmp import Exiftool

FAILED = 1
"""Some of the plan was not done: said which, one line each on standard error."""


@click.command("apply", cls=Command)
@click.argument("plan", type=click.Path(path_type=Path, readable=False))
@click.option("--yes", is_flag=True, help="Do it. Without this, say what would be done.")
@click.option(
    "--action",
    type=click.Choice([action.value for action in Action]),
    default=Action.TRASH.value,
    help="What to do with the photos to remove (trash).",
)
@click.option("--to", "folder", type=PATH, metavar="DIR", help="The folder for --action move.")
@click.option(
    "--merge-metadata",
    is_flag=True,
    help="First add keywords, rating, caption and album folders to the keeper's sidecar.",
)
@common
def command(
    plan: Path,
    action: str,
    folder: bytes | None,
    session: Session,
    *,
    yes: bool,
    merge_metadata: bool,
) -> int:
    """Do what a PLAN proposes. Without --yes nothing is done: it is said what would be.

    trash: to the system's trash. move: to a folder, keeping paths below it, overwriting nothing.
    hardlink, reflink: a file of the same bytes becomes one with its keeper. tag: say it in XMP
    sidecars. Sidecars travel with their photo. No photo is ever written to, and `twinlens undo`
    brings everything back.

    Both files are read again before each action; whatever changed since the plan is left alone and
    said. Ctrl-C stops between two actions.

    Example:
      twinlens duplicates --plan plan.json && twinlens apply plan.json
      twinlens apply plan.json --yes
      twinlens apply plan.json --action move --to ~/spare --yes
    """
    wanted = Action(action)
    if (wanted is Action.MOVE) != (folder is not None):
        raise click.UsageError("--action move needs --to DIR, and nothing else takes it.")
    if merge_metadata and wanted is Action.TAG:
        raise click.UsageError("--merge-metadata is for actions that remove photos.")
    read = read_plan(plan)
    with session.open_to_write() if yes else session.open_to_read() as catalogue:
        _refuse_other_library(read, catalogue, plan)
        roots = list_roots(catalogue)
        order = Order(
            wanted,
            folder_to_move_to(folder, roots) if folder is not None else None,
            merge=merge_metadata,
            keyword_root=session.settings.keyword_root,
            sidecar_style=session.settings.sidecar_style,
        )
        if yes:
            return _apply(session, catalogue, read, plan, order)
        return _dry_run(session, catalogue, read, order)


def _refuse_other_library(plan: Plan, catalogue: Catalogue, file: Path) -> None:
    if plan.library != catalogue.meta("catalogue_id"):
        raise PlanError(
            f"{output.shown(os.fsencode(file))}: was made from another library."
            " Make a plan from this one: twinlens duplicates --plan FILE"
        )


def _guard(plan: Plan, catalogue: Catalogue) -> Guard:
    return Guard(plan, list_roots(catalogue), decisions.every(catalogue))


def _dry_run(session: Session, catalogue: Catalogue, plan: Plan, order: Order) -> int:
    runs = read_runs(session.library)
    for run in runs:
        if run.unfinished:
            output.remark(
                f"run {run.name} was cut short; apply --yes and undo clear that up first."
            )
    before = done_before(runs, plan, order.action)
    dry_run = DryRun(plan, order, _guard(plan, catalogue), before)
    with Exiftool() if order.needs_exiftool else contextlib.nullcontext():
        return _tell(session, dry_run.run(), order, run=None)


def _apply(session: Session, catalogue: Catalogue, plan: Plan, file: Path, order: Order) -> int:
    roots = list_roots(catalogue)
    with (
        session.library.lock("apply"),
        Interrupt() as interrupt,
        Exiftool() if order.needs_exiftool else contextlib.nullcontext() as exiftool,
    ):
        for undone in recover(session.library):
            output.remark(
                f"{output.shown(undone.entry.path)}: cut short by a crash, and taken back."
            )
            for problem in undone.problems:
                output.remark(problem)
        before = done_before(read_runs(session.library), plan, order.action)
        with Writer.start(
            session.library,
            plan=plan.id,
            **output.json_path(os.fsencode(file.absolute()), "plan_file"),
            catalogue=plan.library,
            action=order.action,
            roots=roots_as_json(roots),
        ) as writer:
            maker = Maker(order, exiftool, writer.file.stem)
            work = Apply(plan, order, _guard(plan, catalogue), maker, writer, catalogue, before)
            code = _tell(session, work.run(interrupt), order, run=writer.file.stem)
        if interrupt.number is not None:
            output.remark(
                "stopped between two photos. Go on: the same command. Back: twinlens undo"
            )
            return interrupt.exit_code
    return code


def _tell(session: Session, outcomes: Iterator[Outcome], order: Order, run: str | None) -> int:
    """Print what becomes of each photo as it does, and the sum; return the exit code."""
    counts: Counter[str] = Counter()
    size = 0
    for outcome in outcomes:
        counts[outcome.state] += 1
        if outcome.state in {"done", "would"} and outcome.photo.remove:
            size += outcome.photo.size
        if outcome.state in {"skipped", "failed"} and outcome.reason:
            output.remark(outcome.reason)
        if session.as_json:
            output.write_json(_as_json(outcome, order))
        elif outcome.state in {"done", "would"}:
            output.write_lines(_as_text(outcome, order))
    if session.as_json:
        output.write_json(_sum_as_json(counts, size, run))
    else:
        output.write_lines(_sum(counts, size, order, run))
    return FAILED if counts["skipped"] or counts["failed"] else 0


def _as_json(outcome: Outcome, order: Order) -> dict[str, object]:
    return {
        **output.json_path(outcome.photo.path),
        **output.json_path(outcome.group.keeper.path, "keeper"),
        "group": outcome.group.name,
        "action": order.action,
        "outcome": outcome.state,
        "reason": outcome.reason,
        **(output.json_path(outcome.target, "target") if outcome.target else {}),
    }


def _as_text(outcome: Outcome, order: Order) -> Sequence[str]:
    would = "would " if outcome.state == "would" else ""
    line = f"{would}{order.action}  {output.shown(outcome.photo.path)}"
    if outcome.target is not None:
        line += f"  to {output.shown(outcome.target)}"
    if outcome.photo is outcome.group.keeper:
        return [f"{line}  (keeper)"]
    return [f"{line}  (kept: {output.shown(outcome.group.keeper.path)})"]


def _sum_as_json(counts: Counter[str], size: int, run: str | None) -> dict[str, object]:
    states = ("done", "would", "already", "skipped", "failed")
    return {"run": run, "bytes": size, **{state: counts[state] for state in states}}


def _sum(counts: Counter[str], size: int, order: Order, run: str | None) -> Iterator[str]:
    state = "done" if run else "would"
    said = [f"{output.plural(counts[state], 'photo')} {_FORMS[order.action][run is None]}"]
    said += [f"{counts[other]:,} {other}" for other in ("skipped", "failed") if counts[other]]
    said += [f"{counts['already']:,} done already"] if counts["already"] else []
    won = f" ({output.megabytes(size)})" if size and order.action is not Action.TAG else ""
    yield f"{said[0]}{won}{''.join(f', {more}' for more in said[1:])}."
    if run and counts["done"]:
        yield f"Back again: twinlens undo {run}"
    elif not run and counts["would"]:
        yield "This was a dry run. To do it, add --yes."


_FORMS = {
    Action.TAG: ("tagged", "would be tagged"),
    Action.MOVE: ("moved", "would be moved"),
    Action.TRASH: ("in the trash", "would go to the trash"),
    Action.HARDLINK: ("linked", "would be linked"),
    Action.REFLINK: ("linked", "would be linked"),
}
