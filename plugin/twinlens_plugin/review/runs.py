"""What was applied before, from the journal, in short."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from twinlens.library import Library
from twinlens_plugin.acting.journal import Run, journal_files, read_run


@dataclass(frozen=True, slots=True)
class RunInShort:
    """One apply, whoever started it."""

    name: str
    at: str
    """Local time, ISO 8601; empty where a crash left no head."""
    action: str
    plan: str
    """The id of its plan."""
    actions: int
    """Photos that it acted on."""
    to_undo: int
    """Of these, how many can still be brought back."""
    closed: bool
    """Whether it was undone, as far as that was possible."""
    cut_short: bool
    """Whether a crash left an action half done; the next apply or undo clears that up."""


class Runs:
    """Reads the journals of a library; those that did not grow, only once."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._held: dict[Path, tuple[tuple[int, int], RunInShort]] = {}

    def all(self) -> list[RunInShort]:
        """Return all runs that did something, the last first. Raises JournalError."""
        with self._lock:
            runs = [self._short(file) for file in journal_files(self._library)]
        return [run for run in reversed(runs) if run.actions]

    def of_plan(self, plan: str) -> list[RunInShort]:
        """Return the runs of a plan that can be undone, the last first. Raises JournalError."""
        return [run for run in self.all() if run.plan == plan and not run.closed]

    def _short(self, file: Path) -> RunInShort:
        try:
            found = file.stat()
            state = (found.st_size, found.st_mtime_ns)
        except OSError:
            state = (-1, -1)
        held = self._held.get(file)
        if held is None or held[0] != state:
            held = self._held[file] = (state, _in_short(read_run(file)))
        return held[1]


def _in_short(run: Run) -> RunInShort:
    return RunInShort(
        run.name,
        str(run.head.get("at", "")),
        run.action,
        run.plan,
        sum(entry.state != "failed" for entry in run.entries.values()),
        sum(entry.open for entry in run.entries.values()),
        run.closed,
        bool(run.unfinished),
    )
