"""Reversing what the journal tells: a whole run, or the one action that a crash cut short."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twinlens.errors import TwinlensError
from twinlens.library import Library
from twinlens.roots import Root, why_offline
from twinlens_plugin.acting.journal import Entry, Run, Writer, read_runs
from twinlens_plugin.acting.records import path_of
from twinlens_plugin.current import below
from twinlens_plugin.errors import ActingError, SkippedError
from twinlens_plugin.output import json_path, shown


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of one action that was to be reversed."""

    entry: Entry
    problems: tuple[str, ...]
    """Why it could not be, or not all of it; empty: all is as it was."""


def undo_run(run: Run, stop: Callable[[], bool] = lambda: False) -> Iterator[Undone]:
    """Reverse all actions of a run, the last first, and yield each; ``stop()`` ends it in between.

    The run is closed when nothing is left that could still be reversed. Raises JournalError.
    """
    with Writer.resume(run) as writer:
        for entry in reversed(run.entries.values()):
            if stop():
                return
            if entry.open:
                yield _undo(run, entry, writer)
        if not any(entry.state in {"begun", "done"} for entry in run.entries.values()):
            writer.close_run()


def recover(library: Library) -> Iterator[Undone]:
    """Take back, in every run, the action that a crash cut short; yield each."""
    for run in read_runs(library):
        if run.unfinished:
            with Writer.resume(run) as writer:
                for entry in reversed(run.unfinished):
                    yield _undo(run, entry, writer)


def take_back(entry: Entry) -> list[str]:
    """Reverse the steps of an action that were done; return what could not be, and why.

    Steps are reversed one by one, the last first: a sidecar that changed since keeps no photo away.
    """
    return [text for text, _ in _reverse(entry)]


def roots_as_json(roots: Sequence[Root]) -> list[dict[str, Any]]:
    """Return the roots for the journal's head: by them it is known later whether a disk is away."""
    return [{**json_path(root.path), "marker": root.marker} for root in roots]


def _undo(run: Run, entry: Entry, writer: Writer) -> Undone:
    try:
        _refuse_away(run, entry)
    except SkippedError as error:
        return Undone(entry, (str(error),))
    problems = _reverse(entry)
    reasons = tuple(text for text, _ in problems)
    if not problems:
        writer.end(entry, "undone")
    elif all(for_good for _, for_good in problems):
        writer.end(entry, "kept", "; ".join(reasons))
    return Undone(entry, reasons)


def _reverse(entry: Entry) -> list[tuple[str, bool]]:
    """Reverse all steps; return what could not be, and whether trying again is of no use."""
    problems = []
    for number, step in reversed([*enumerate(entry.steps)]):
        told = entry.told[number] if number < len(entry.told) else {}
        try:
            step.undo(told, finished=entry.finished)
        except TwinlensError as error:
            problems.append((str(error), isinstance(error, ActingError)))
        except OSError as error:
            problems.append((failure(entry.path, error), False))
    return problems


def _refuse_away(run: Run, entry: Entry) -> None:
    """Refuse to bring photos back to a disk that is not there: they would land in its mount point."""
    for record in run.head.get("roots", ()):
        root = _root_of(record)
        if below(entry.path, root.path) and (reason := why_offline(root)) is not None:
            raise SkippedError(f"{shown(entry.path)}: its disk is away ({reason}). Bring it back.")


def _root_of(record: Mapping[str, Any]) -> Root:
    return Root(0, "", path_of(record), record["marker"], online=True, reason=None)


def failure(path: bytes, error: OSError) -> str:
    """Return an error of the system in one line, with the file, the cause and the cure."""
    name = error.filename2 or error.filename or path
    shown_name = shown(name if isinstance(name, bytes) else os.fsencode(str(name)))
    why = error.strerror or str(error)
    return f"{shown_name}: {why}.{_CURES.get(error.errno or 0, '')}"


_CURES = {
    errno.ENOSPC: " Make space.",
    errno.EDQUOT: " Make space.",
    errno.EFBIG: " Make space.",
    errno.EACCES: " Correct its permissions.",
    errno.EPERM: " Correct its permissions.",
    errno.EROFS: " Its disk is read-only.",
}
