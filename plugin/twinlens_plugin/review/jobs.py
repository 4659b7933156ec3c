"""Applies and undos that run beside the page: the real command line, in a session of its own.

What it prints goes to files, so that it goes on whatever becomes of the page and of its server, and
so that another server finds it again. There is one at a time: the command line holds a lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twinlens.errors import AlreadyRunningError
from twinlens_plugin.acting import files
from twinlens_plugin.acting.records import path_of
from twinlens_plugin.children import python_module
from twinlens_plugin.options import Session
from twinlens_plugin.output import shown
from twinlens_plugin.review.problems import Refused

_ID = re.compile(r"[0-9a-f]{16}")
_FILE = re.compile(r"job-([0-9a-f]{16})\.json")

KEPT_SECONDS = 30 * 86_400.0
"""For how long can be looked at what a job said; the journal stays."""


@dataclass(frozen=True, slots=True)
class Job:
    """One apply or undo that was started from the page."""

    id: str
    kind: str
    """``apply`` or ``undo``."""
    draft: str
    """The id of the draft that it carries out or takes back; empty where there is none."""
    plan: str
    """The id within the plan file."""
    action: str
    total: int
    """Photos that it is about."""
    words: list[str]
    """The command, for people."""
    pid: int
    born: float
    """When the process was made: numbers of processes are given again."""
    at: float
    """When it was started, seconds since 1970."""

    @property
    def folder(self) -> str:
        """Where to it moves photos; empty where it does not."""
        return self.words[self.words.index("--to") + 1] if "--to" in self.words else ""

    @property
    def merges(self) -> bool:
        """Whether it adds what is said of photos to the sidecars of those that stay."""
        return "--merge-metadata" in self.words


@dataclass(slots=True)
class Progress:
    """How far a job has come, read from what it printed."""

    counts: Counter[str] = field(default_factory=Counter)
    """By outcome: done, already, skipped, failed (apply), undone, kept (undo)."""
    won: int = 0
    """Bytes, once it has ended in good order."""
    current: bytes | None = None
    """The photo that was dealt with last."""
    run: str | None = None
    """Its name in the journal, once it has ended in good order."""
    ended: bool = False
    """Whether it printed its sum."""
    running: bool = False
    message: str | None = None
    """Its last words, where it did not come to its sum."""
    offset: int = 0
    """Up to where the output was read."""

    @property
    def seen(self) -> int:
        """Photos that were dealt with."""
        return sum(self.counts.values())

    def take(self, record: dict[str, Any]) -> None:
        """Take in one line of output."""
        if "outcome" in record:
            self.counts[record["outcome"]] += 1
            self.current = path_of(record)
        else:
            self.ended = True
            self.run = record.get("run")
            self.won = int(record.get("bytes") or 0)


class Jobs:
    """The jobs of a library."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.folder = session.library.folder / "plans"
        self._lock = threading.Lock()
        self._started: dict[str, Job] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._progress: dict[str, Progress] = {}

    def start(
        self,
        kind: str,
        arguments: Sequence[str],
        *,
        total: int,
        now: float,
        draft: str = "",
        plan: str = "",
        action: str = "",
    ) -> Job:
        """Start the command line. Raises AlreadyRunningError, Refused where it cannot be started."""
        with self._lock:
            self.refuse_another()
            name = secrets.token_hex(8)
            command = python_module(
                "twinlens_plugin", kind, *arguments, "--json", *self._session.child_arguments()
            )
            job = Job(
                name,
                kind,
                draft,
                plan,
                action,
                total,
                ["twinlens", kind, *arguments],
                0,
                0.0,
                now,
            )
            try:
                self.folder.mkdir(mode=0o700, exist_ok=True)
                self._write(job)  # where a full disk says so, nothing has begun
                child = self._spawn(name, command)
            except OSError as error:
                where = shown(os.fsencode(str(error.filename or self.folder)))
                raise Refused(
                    f"{where}: cannot be written: {error.strerror}. Make space, or correct the"
                    " permissions.",
                    507,
                ) from error
            self._children[name] = child
            job = dataclasses.replace(job, pid=child.pid, born=_born(child.pid))
            self._started[name] = job
            with contextlib.suppress(OSError):  # then another server does not know that it runs
                self._write(job)
        return job

    def refuse_another(self) -> None:
        """Raise AlreadyRunningError where an apply or an undo is running, from here or elsewhere."""
        if self.running() is not None:
            raise AlreadyRunningError("An apply or an undo is running. Wait for it, or stop it.")
        if self._session.library.locked("apply"):
            raise AlreadyRunningError(
                f"{self._session.library.folder}: another apply is running on this library."
                " Wait for it, or stop it first."
            )

    def _spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._out(name).open("xb") as out, self._err(name).open("xb") as err:
            # A session of its own: neither Ctrl-C nor a closed terminal reaches it with the server.
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )

    def _write(self, job: Job) -> None:
        path = os.fsencode(self.folder / f"job-{job.id}.json")
        text = json.dumps(dataclasses.asdict(job)).encode("ascii")
        files.replace(path, text, files.beside(path, job.id), None, times=False)

    def get(self, name: str) -> Job:
        """Return a job. Raises Refused (404)."""
        if not _ID.fullmatch(name):
            raise _unknown()
        if name in self._started:
            return self._started[name]
        try:
            record = json.loads((self.folder / f"job-{name}.json").read_bytes())
            return Job(**record)
        except (OSError, ValueError, TypeError) as error:
            raise _unknown() from error

    def all(self) -> list[Job]:
        """Return all jobs, the last first."""
        jobs = []
        for file in self.folder.glob("job-*.json"):
            if match := _FILE.fullmatch(file.name):
                with contextlib.suppress(Refused):
                    jobs.append(self.get(match[1]))
        return sorted(jobs, key=lambda job: job.at, reverse=True)

    def of_draft(self, draft: str) -> Job | None:
        """Return the last job of a draft."""
        return next((job for job in self.all() if job.draft == draft), None)

    def running(self) -> Job | None:
        """Return the job that is running."""
        return next((job for job in self.all() if self._is_running(job)), None)

    def stop(self, job: Job) -> bool:
        """Have a job stop between two photos; return whether it was running."""
        if not self._is_running(job):
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(job.pid, signal.SIGINT)
        return True

    def progress(self, job: Job) -> Progress:
        """Return how far a job has come; reads what is new in its output."""
        running = self._is_running(job)  # asked first: what it prints last is read below
        with self._lock:
            progress = self._progress.setdefault(job.id, Progress())
            with contextlib.suppress(OSError), self._out(job.id).open("rb") as handle:
                handle.seek(progress.offset)
                for line in handle:
                    if not line.endswith(b"\n"):
                        break  # half a line: the rest comes
                    progress.offset += len(line)
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        progress.take(json.loads(line))
            progress.running = running
            progress.message = None if running or progress.ended else self._last_words(job)
            return dataclasses.replace(progress, counts=Counter(progress.counts))

    def problems(self, job: Job, start: int = 0, most: int = 100) -> list[tuple[bytes, str]]:
        """Return photos that were not dealt with, each with why, from the ``start``-th on."""
        found = []
        for number, problem in enumerate(self._problems(job)):
            if number >= start:
                found.append(problem)
            if len(found) == most:
                break
        return found

    def remarks(self, job: Job) -> list[str]:
        """Return what it said that is about no single photo of the plan, at most twenty lines."""
        told = {reason for _, reason in self.problems(job, most=1000)}
        lines = self._lines_of_errors(job, 65_536)
        return [line for line in lines if line not in told][:20]

    def sweep(self, now: float) -> None:
        """Forget jobs of a month ago."""
        for job in self.all():
            if now - job.at > KEPT_SECONDS and not self._is_running(job):
                for file in self.folder.glob(f"job-{job.id}.*"):
                    file.unlink(missing_ok=True)

    def _problems(self, job: Job) -> Iterator[tuple[bytes, str]]:
        with contextlib.suppress(OSError), self._out(job.id).open("rb") as handle:
            for line in handle:
                try:
                    record = json.loads(line)
                    outcome = record.get("outcome")
                    if outcome in {"skipped", "failed"}:
                        yield path_of(record), record["reason"]
                    elif outcome == "kept":
                        yield path_of(record), " ".join(record["problems"])
                except (ValueError, KeyError, TypeError, AttributeError):
                    continue

    def _is_running(self, job: Job) -> bool:
        child = self._children.get(job.id)
        if child is not None:
            return child.poll() is None
        # The system's clock may have been set meanwhile, by which it reckons.
        return job.born > 0 and abs(_born(job.pid) - job.born) < 2

    def _last_words(self, job: Job) -> str:
        lines = self._lines_of_errors(job, 1 << 20)
        return lines[-1] if lines else "It was cut short. What it did is in the journal."

    def _lines_of_errors(self, job: Job, most: int) -> list[str]:
        try:
            with self._err(job.id).open("rb") as handle:
                handle.seek(max(0, os.fstat(handle.fileno()).st_size - most))
                text = handle.read().decode("utf-8", "replace")
        except OSError:
            return []
        return [line.removeprefix("twinlens: ") for line in text.splitlines() if line.strip()]

    def _out(self, name: str) -> Path:
        return self.folder / f"job-{name}.out"

    def _err(self, name: str) -> Path:
        return self.folder / f"job-{name}.err"


def _unknown() -> Refused:
    return Refused("There is no such run (any more). What was done is listed under Plan.", 404)


def _born(pid: int) -> float:
    """Return when a process was made, 0 where it has ended."""
    import psutil

    try:
        process = psutil.Process(pid)
        return 0.0 if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return 0.0
