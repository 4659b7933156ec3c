"""``twinlens undo``: reverse what an apply did."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.errors import TwinlensError
from twinlens.filestat import FileStat
from twinlens.roots import find_root
from twinlens_plugin import output
from twinlens_plugin.acting.journal import Entry, Run, latest, read_run, read_runs
from twinlens_plugin.acting.undoing import Undone, undo_run
from twinlens_plugin.completing import FILE, known_to_library, runs
from twinlens_plugin.errors import JournalError
from twinlens_plugin.interrupts import Interrupt
from twinlens_plugin.options import Command, Session, common
from twinlens_plugin.plans import read_plan


@click.command("undo", cls=Command)
@click.argument(
    "run",
    required=False,
    metavar="[RUN|PLAN]",
    shell_complete=known_to_library(runs, else_=[FILE]),
)
@click.option("--list", "as_list", is_flag=True, help="List what was applied; undo nothing.")
@common
def command(run: str | None, session: Session, *, as_list: bool) -> int:
    """Reverse the last apply, or a RUN that --list names, or all that was applied of a PLAN.

    Photos come back from the trash or the folder they were moved to, links become files of their own
    again, sidecars get their former bytes. What changed since is left as it is, and said. Works after
    a crash, and without the catalogue: all it needs is in the library's folder "journal".

    Example:
      twinlens undo
      twinlens undo plan.json
    """
    if not session.library.folder.exists():
        session.open_to_read()  # says that there is no library
    runs = read_runs(session.library)
    if as_list:
        return _list(session, runs)
    chosen = _choose(runs, run)
    if not chosen:
        output.remark("nothing to undo.")
        return 0
    with session.library.lock("apply"), Interrupt() as interrupt, _catalogue(session) as catalogue:
        stop = lambda: interrupt.number is not None  # noqa: E731
        undone = (item for run in chosen for item in undo_run(run, stop))
        code = _tell(session, undone, catalogue)
        if interrupt.number is not None:
            output.remark("stopped between two photos. The next undo goes on.")
            return interrupt.exit_code
    return code


def _choose(runs: Sequence[Run], given: str | None) -> list[Run]:
    """Return the runs to undo, the last first. Raises JournalError, PlanError."""
    if given is None:
        last = latest(runs)
        return [last] if last else []
    if found := [run for run in runs if run.name == given]:
        return found
    file = Path(given)
    if not file.exists():
        known = ", ".join(run.name for run in runs[-3:]) or "none"
        raise JournalError(
            f"{given}: no such run, and no plan. The last runs: {known}. See: twinlens undo --list"
        )
    if file.suffix == ".jsonl":  # a journal kept elsewhere
        return [read_run(file)]
    plan = read_plan(file).id
    return [run for run in reversed(runs) if run.plan == plan and not run.closed]


@contextlib.contextmanager
def _catalogue(session: Session) -> Iterator[Catalogue | None]:
    """Open the catalogue, to tell it what is back; undo does without one that is lost or broken."""
    try:
        catalogue = session.open_to_write() if session.library.catalogue.exists() else None
    except TwinlensError as error:
        output.remark(f"{error} The photos come back all the same.")
        catalogue = None
    try:
        yield catalogue
    finally:
        if catalogue is not None:
            catalogue.close()


def _tell(session: Session, undone: Iterator[Undone], catalogue: Catalogue | None) -> int:
    counts: Counter[bool] = Counter()
    for item in undone:
        back = not item.problems
        counts[back] += 1
        if back and catalogue is not None:
            _remember(catalogue, item.entry)
        for problem in item.problems:
            output.remark(problem)
        if session.as_json:
            output.write_json(_as_json(item))
        elif back:
            output.write_lines([f"undid {item.entry.action}  {output.shown(item.entry.path)}"])
    if session.as_json:
        output.write_json({"undone": counts[True], "problems": counts[False]})
    else:
        rest = f", {counts[False]:,} not" if counts[False] else ""
        output.write_lines([f"{output.plural(counts[True], 'action')} undone{rest}."])
    return 1 if counts[False] else 0


def _remember(catalogue: Catalogue, entry: Entry) -> None:
    """Tell the catalogue of a photo that is back; its bytes are known, so that it costs no work."""
    root = find_root(catalogue, Path(os.fsdecode(entry.path)))
    if root is None or not os.path.lexists(entry.path):
        return
    relative, stat = os.path.relpath(entry.path, root.path), FileStat.of(os.lstat(entry.path))
    if (sha256 := entry.sha256) is None:
        ledger.record(catalogue, root.id, [(relative, stat)], now=time.time())
    else:
        ledger.replaced(catalogue, root.id, relative, stat, sha256, now=time.time())


def _as_json(item: Undone) -> dict[str, object]:
    return {
        **output.json_path(item.entry.path),
        "action": item.entry.action,
        "outcome": "kept" if item.problems else "undone",
        "problems": [*item.problems],
    }


def _list(session: Session, runs: Sequence[Run]) -> int:
    if session.as_json:
        output.write_json(*map(_run_as_json, runs))
    else:
        rows = [_row(run) for run in runs]
        output.write_lines(output.columns(rows) if rows else ["Nothing was applied yet."])
    return 0


def _run_as_json(run: Run) -> dict[str, object]:
    return {
        "run": run.name,
        "at": run.head.get("at"),
        "action": run.action,
        "plan": run.plan,
        "actions": len(run.entries),
        "to_undo": sum(entry.open for entry in run.entries.values()),
        "closed": run.closed,
    }


def _row(run: Run) -> tuple[str, ...]:
    left = sum(entry.open for entry in run.entries.values())
    state = "undone" if run.closed else f"{left:,} to undo"
    cut = ", cut short" if run.unfinished else ""
    return run.name, run.action, output.plural(len(run.entries), "photo"), state + cut
