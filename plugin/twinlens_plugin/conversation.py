"""A child process that is asked in JSON lines and answers in JSON lines, in any order.

It is started when it is first asked, and again when it has died; it ends when its standard input
closes, which the kernel does even when this process is killed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import IO, Any, Final

from twinlens_plugin.errors import ChildError

Table = dict[str, Any]

TRIES: Final = 2
"""A child that dies with a question in hand may have been killed for another's sake: once more."""

END_SECONDS: Final = 5.0
"""How long a child may take to end by itself."""


class _GoneError(Exception):
    """The child died with the question in hand; its last words, if any."""


class Conversation:
    """Asks one child at a time. Safe to use from many threads."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``seconds``: how long an answer may take."""
        self._command = command
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()  # guards the two below
        self._child: _Child | None = None
        self._closed = False

    def ask(self, question: Table) -> Table:
        """Return the answer to a question. Raises ChildError where there is none."""
        said = ""
        for _ in range(TRIES):
            try:
                return self._ask_once(self._running(), question)
            except _GoneError as error:
                said = str(error)
        raise ChildError(
            f"the helper that reads photos ended: {said or 'it was killed'}. Try again."
        )

    @property
    def pid(self) -> int | None:
        """Number of the child's process, None while there is none."""
        with self._lock:
            return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child; what is asked from now on is refused."""
        with self._lock:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            child.close()

    def _running(self) -> _Child:
        with self._lock:
            if self._closed:
                raise ChildError("the helper that reads photos was stopped. Start again.")
            if self._child is None or self._child.gone():
                if self._child is not None:
                    self._child.close()
                self._child = _Child(self._command, self._clock)
            return self._child

    def _ask_once(self, child: _Child, question: Table) -> Table:
        answer = child.send(question)
        try:
            return answer.result(self._seconds)
        except TimeoutError:
            if child.silent_for() >= self._seconds:
                child.kill()  # it hangs; whoever comes next gets another
            raise ChildError(
                f"no answer within {self._seconds:.0f} s. Is the computer busy? Try again."
            ) from None


class _Child:
    """One process, its questions that wait, and a thread that reads its answers."""

    def __init__(self, command: Sequence[str], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard = clock()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()  # guards the two below, and writing
        self._waiting: dict[int, Future[Table]] = {}
        self._gone = False
        self._last_words: deque[str] = deque(maxlen=5)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches only us, and we end it in good order
        )
        self._threads = [
            threading.Thread(target=self._read_answers, name="assistant", daemon=True),
            threading.Thread(target=self._read_complaints, name="assistant-errors", daemon=True),
        ]
        for thread in reversed(self._threads):  # the first one joins the second, perhaps at once
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def gone(self) -> bool:
        with self._lock:
            return self._gone

    def silent_for(self) -> float:
        """Return for how many seconds it answered nothing."""
        return self._clock() - self._heard

    def send(self, question: Table) -> Future[Table]:
        """Ask; the future holds the answer, or _GoneError."""
        answer: Future[Table] = Future()
        with self._lock:
            if self._gone:
                raise _GoneError(self._words())
            number = next(self._numbers)
            self._waiting[number] = answer
            with contextlib.suppress(OSError):  # it died just now: the reader sees it as well
                assert self._process.stdin is not None
                line = json.dumps({"id": number, **question})
                self._process.stdin.write(line.encode("ascii") + b"\n")
                self._process.stdin.flush()
        return answer

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """End it: in good order if it will."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(END_SECONDS)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _read_answers(self) -> None:
        for line in _lines(self._process.stdout):
            self._heard = self._clock()
            with contextlib.suppress(ValueError, KeyError, TypeError):  # no answer of ours
                answer = json.loads(line)
                with self._lock:
                    waiting = self._waiting.pop(answer["id"], None)
                if waiting is not None:
                    waiting.set_result(answer)
        with self._lock:
            self._gone = True
            lost, self._waiting = list(self._waiting.values()), {}
        self._process.wait()
        self._threads[1].join(1.0)  # it has told why, if it did
        for waiting in lost:
            waiting.set_exception(_GoneError(self._words()))

    def _read_complaints(self) -> None:
        for line in _lines(self._process.stderr):
            if text := line.decode("utf-8", "backslashreplace").strip():
                self._last_words.append(text)

    def _words(self) -> str:
        return self._last_words[-1].removeprefix("twinlens-worker: ") if self._last_words else ""


def _lines(pipe: IO[bytes] | None) -> Sequence[bytes] | IO[bytes]:
    return () if pipe is None else pipe
