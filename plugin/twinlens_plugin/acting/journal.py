"""The journal: what an apply is about to do, written down and synced before it does it.

One file for each run, ``<library>/journal/<run>.jsonl``, one JSON object a line, only ever appended
to: a head; for each action a line ``begin`` with its steps and, later, a line that says what became
of it (``done``, ``failed``: taken back at once, ``undone``). A line that a crash cut short was not
synced, so that what it says had not begun.

It is no table of the catalogue: it must be there when the catalogue is lost, and a person should be
able to read it (docs/decisions/0012-the-journal-is-a-file.md).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Self

from twinlens.library import Library
from twinlens_plugin.acting import files
from twinlens_plugin.acting.linking import Link
from twinlens_plugin.acting.records import Record, path_of
from twinlens_plugin.acting.step import Step
from twinlens_plugin.acting.steps import Move, Trash, step_from_json
from twinlens_plugin.errors import JournalError
from twinlens_plugin.output import json_path

VERSION = 1
SUFFIX = ".jsonl"


@dataclass(slots=True)
class Entry:
    """One action on one photo, as the journal has it."""

    number: int
    path: bytes
    """The photo that it is about."""
    action: str
    steps: tuple[Step, ...]
    told: list[Record] = field(default_factory=list)
    """What doing the steps told, as far as they were done."""
    state: str = "begun"
    """``begun``, ``done``, ``failed`` (taken back at once), ``undone``, or ``kept``: it could not be
    undone, since somebody changed things."""

    @property
    def finished(self) -> bool:
        """Whether all of its steps were done and it was said so."""
        return self.state in {"done", "kept"}

    @property
    def sha256(self) -> str | None:
        """The bytes of the photo, where it was moved or linked; None where sidecars alone changed."""
        last = self.steps[-1] if self.steps else None
        return last.sha256 if isinstance(last, Move | Trash | Link) else None

    @property
    def open(self) -> bool:
        """Whether there is something to undo, or may be."""
        return self.state in {"begun", "done", "kept"}


@dataclass(slots=True)
class Run:
    """One apply, read back from its journal."""

    file: Path
    head: Record
    entries: dict[int, Entry] = field(default_factory=dict)
    """By number, in the order in which they were begun."""
    closed: bool = False
    """Whether it was undone, as far as that was possible."""

    @property
    def name(self) -> str:
        """Its name: a number, which tells the order whatever the clock says, and the time."""
        return self.file.stem

    @property
    def plan(self) -> str:
        """The id of its plan."""
        return str(self.head.get("plan", ""))

    @property
    def action(self) -> str:
        """What it did: ``tag``, ``move``, ..."""
        return str(self.head.get("action", ""))

    @property
    def unfinished(self) -> list[Entry]:
        """Actions that a crash cut short."""
        return [entry for entry in self.entries.values() if entry.state == "begun"]


class Writer:
    """Appends to one run's journal."""

    def __init__(self, file: Path, handle: FileIO) -> None:
        self.file = file
        self._handle = handle

    @classmethod
    @contextlib.contextmanager
    def start(cls, library: Library, **head: object) -> Iterator[Self]:
        """Begin the journal of a new run. Raises JournalError where it cannot be written."""
        folder = library.folder / "journal"
        now = dt.datetime.now().astimezone()
        name = f"{_next_number(folder):04}-{now:%Y%m%d-%H%M%S}"
        line = {"twinlens_journal": VERSION, "run": name, "at": now.isoformat(), **head}
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            with (folder / (name + SUFFIX)).open("xb", buffering=0) as handle:
                writer = cls(folder / (name + SUFFIX), handle)
                try:
                    writer.write(line)
                except JournalError:
                    writer.file.unlink()  # a run that did not begin is no run
                    raise
                files.sync_folder(os.fsencode(folder))
                files.sync_folder(os.fsencode(library.folder))
                yield writer
        except OSError as error:
            if error.filename not in {str(folder), str(folder / (name + SUFFIX))}:
                raise
            raise _unwritable(folder, error) from error

    @classmethod
    @contextlib.contextmanager
    def resume(cls, run: Run) -> Iterator[Self]:
        """Go on with a run's journal; what a crash cut short at its end is cut off."""
        try:
            with run.file.open("r+b", buffering=0) as handle:
                data = handle.read()
                handle.truncate(data.rfind(b"\n") + 1)
                handle.seek(0, os.SEEK_END)
                yield cls(run.file, handle)
        except OSError as error:
            if error.filename != str(run.file):
                raise
            raise _unwritable(run.file, error) from error

    def begin(self, entry: Entry) -> None:
        """Write down what is about to be done; on disk when this returns."""
        self.write(
            {
                "begin": entry.number,
                "action": entry.action,
                **json_path(entry.path),
                "steps": [step.as_json() for step in entry.steps],
            }
        )

    def told(self, entry: Entry) -> None:
        """Write down what the last step told, where it told something."""
        if entry.told[-1]:
            self.write({"step": entry.number, "told": entry.told})

    def end(self, entry: Entry, state: str, reason: str | None = None) -> None:
        """Write down what became of an action."""
        entry.state = state
        self.write(
            {state: entry.number, "told": entry.told, **({"reason": reason} if reason else {})}
        )

    def close_run(self) -> None:
        """Write down that the run was undone as far as that is possible."""
        self.write({"closed": True})

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one line and sync it. Raises JournalError; then there is nothing of it in the file."""
        before = self._handle.seek(0, os.SEEK_END)
        try:
            # No buffer: what a full disk refused must not be written when the file is closed.
            line = json.dumps(record).encode("ascii") + b"\n"
            while line:
                line = line[self._handle.write(line) :]
            os.fsync(self._handle.fileno())
        except OSError as error:
            # Half a line, and another one after it once there is space, would be a damaged journal.
            with contextlib.suppress(OSError):
                self._handle.truncate(before)
            raise _unwritable(self.file, error) from error


def read_runs(library: Library) -> list[Run]:
    """Return all runs, oldest first. Raises JournalError."""
    return [read_run(file) for file in journal_files(library)]


def journal_files(library: Library) -> list[Path]:
    """Return the journals of all runs, oldest first."""
    return _journals(library.folder / "journal")


def read_run(file: Path) -> Run:
    """Read one journal. Raises JournalError where it is damaged, which a crash does not do."""
    try:
        lines = file.read_bytes().split(b"\n")[:-1]  # what follows the last newline was cut short
    except OSError as error:
        raise JournalError(f"{file}: cannot be read: {error.strerror}.") from error
    run = Run(file, {})
    for number, line in enumerate(lines, start=1):
        try:
            _take(run, json.loads(line))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise JournalError(
                f"{file}: line {number} is damaged ({error!r})."
                " Remove that line to undo the others, or see it for where the files are."
            ) from error
    return run


def _take(run: Run, record: Mapping[str, Any]) -> None:
    match record:
        case {"twinlens_journal": int(version)}:
            if version > VERSION:
                raise ValueError("written by a newer twinlens")
            run.head = dict(record)
        case {"begin": int(number), "action": str(action), "steps": list(steps)}:
            known = tuple(step_from_json(step) for step in steps)
            run.entries[number] = Entry(number, path_of(record), action, known)
        case {"closed": True}:
            run.closed = True
        case _:
            _take_outcome(run, record)


def _take_outcome(run: Run, record: Mapping[str, Any]) -> None:
    state, number = next(iter(record.items()))
    entry = run.entries[number]
    entry.told = list(record.get("told", entry.told))
    if state in {"done", "failed", "undone", "kept"}:
        entry.state = state
    elif state != "step":
        raise ValueError(state)


def _journals(folder: Path) -> list[Path]:
    numbered = [file for file in folder.glob("*" + SUFFIX) if _number(file)]
    return sorted(numbered, key=_number)


def _number(file: Path) -> int:
    first = file.name.partition("-")[0]
    return int(first) if first.isdecimal() else 0


def _next_number(folder: Path) -> int:
    return max(map(_number, _journals(folder)), default=0) + 1


def latest(runs: Sequence[Run]) -> Run | None:
    """Return the last run that is not undone."""
    return next((run for run in reversed(runs) if not run.closed and run.entries), None)


def _unwritable(file: Path, error: OSError) -> JournalError:
    return JournalError(
        f"{file}: the journal cannot be written: {error.strerror}. Nothing more is done without it;"
        " make space, or correct the permissions."
    )
