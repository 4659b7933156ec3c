"""A run: a plan is done, or it is said what would be, and what becomes of each photo is printed."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from twinlens.catalogue import Catalogue
from twinlens.roots import list_roots
from twinlens_plugin import decisions, output
from twinlens_plugin.acting import since, telling
from twinlens_plugin.acting.actions import Maker, Order
from twinlens_plugin.acting.applying import Apply, DryRun, Outcome, done_before
from twinlens_plugin.acting.guard import Guard
from twinlens_plugin.acting.journal import Writer, read_runs
from twinlens_plugin.acting.tagging import Former
from twinlens_plugin.acting.undoing import recover, roots_as_json
from twinlens_plugin.interrupts import Interrupt
from twinlens_plugin.options import Session
from twinlens_plugin.plans import Plan
from twinlens_plugin.xmp import Exiftool

FAILED = 1
"""Some of the plan was not done: said which, one line each on standard error."""


def dry_run(session: Session, catalogue: Catalogue, plan: Plan, order: Order) -> int:
    """Say what would be done; return the exit code. Raises ExiftoolError, JournalError."""
    runs = read_runs(session.library)
    for run in runs:
        if run.unfinished:
            output.remark(
                f"run {run.name} was cut short; apply --yes and undo clear that up first."
            )
    before = done_before(runs, plan, order.action)
    with _exiftool(order) as exiftool:
        maker = Maker(order, exiftool, "dry-run", Former(runs))
        work = DryRun(plan, order, _guard(plan, catalogue), maker, before)
        return _tell(session, work.run(), order, run=None)


def do(
    session: Session,
    catalogue: Catalogue,
    make_plan: Callable[[], Plan],
    order: Order,
    **head: object,
) -> int:
    """Do a plan, with a journal; return the exit code. ``head``: more for the head of the journal.

    The plan is made when what a crash cut short was taken back: what is seen before may be half done.
    Raises ExiftoolError, JournalError, AlreadyRunningError.
    """
    with (
        session.library.lock("apply"),
        Interrupt() as interrupt,
        _exiftool(order) as exiftool,
    ):
        _recover(session)
        plan = make_plan()
        runs = read_runs(session.library)
        before = done_before(runs, plan, order.action)
        with Writer.start(
            session.library,
            plan=plan.id,
            **head,
            catalogue=plan.library,
            action=order.action,
            roots=roots_as_json(list_roots(catalogue)),
        ) as writer:
            maker = Maker(order, exiftool, writer.file.stem, Former(runs))
            work = Apply(plan, order, _guard(plan, catalogue), maker, writer, catalogue, before)
            code = _tell(session, work.run(interrupt), order, run=writer.file.stem)
        if interrupt.number is not None:
            output.remark(
                "stopped between two photos. Go on: the same command. Back: twinlens undo"
            )
            return interrupt.exit_code
    return code


def _exiftool(order: Order) -> contextlib.AbstractContextManager[Exiftool | None]:
    return Exiftool() if order.needs_exiftool else contextlib.nullcontext()


def _guard(plan: Plan, catalogue: Catalogue) -> Guard:
    said = list(decisions.every(catalogue))
    return Guard(plan, list_roots(catalogue), said, since.apart(catalogue, plan.groups, said))


def _recover(session: Session) -> None:
    for undone in recover(session.library):
        output.remark(f"{output.shown(undone.entry.path)}: cut short by a crash, and taken back.")
        for problem in undone.problems:
            output.remark(problem)


def _tell(session: Session, outcomes: Iterator[Outcome], order: Order, run: str | None) -> int:
    """Print what becomes of each photo as it does, and the sum; return the exit code."""
    counts: Counter[str] = Counter()
    size = 0
    starred = 0
    for outcome in outcomes:
        counts[outcome.state] += 1
        starred += outcome.starred
        if outcome.state in {"done", "would"} and outcome.photo.remove:
            size += outcome.photo.size
        if outcome.state in {"skipped", "failed"} and outcome.reason:
            output.remark(outcome.reason)
        if session.as_json:
            output.write_json(telling.as_json(outcome, order))
        elif outcome.state in {"done", "would"}:
            output.write_lines(telling.as_text(outcome, order))
    if session.as_json:
        output.write_json(telling.sum_as_json(counts, size, run, starred))
    else:
        output.write_lines(telling.starred_as_text(starred))
        output.write_lines(telling.sum_as_text(counts, size, order, run))
    return FAILED if counts["skipped"] or counts["failed"] else 0
