"""Child processes: the watcher and the worker, started and stopped by the command line.

The plugin imports neither. A child gets a pipe as standard input and stops in good order when the
pipe closes, which the kernel does even when this process is killed: nothing is left running.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

ALREADY_RUNNING = 75
"""Exit code of a process that finds its role taken (EX_TEMPFAIL)."""

TERM_SECONDS = 5.0
"""Time that a child gets after SIGTERM, before SIGKILL."""

LOUD = (" WARNING ", " ERROR ", " CRITICAL ")
"""Log lines that the user should see."""


class Child:
    """One running child process."""

    def __init__(self, command: Sequence[str], say: Callable[[str], None]) -> None:
        """Start ``command``; its warnings and errors go to ``say``, other log lines nowhere."""
        self._say = say
        self._last: deque[str] = deque(maxlen=20)
        # A session of its own: Ctrl-C reaches only us, and we stop it in good order.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def last_words(self) -> str:
        """Return the last line that an ended child wrote, or how it ended."""
        self._reader.join(timeout=2)
        code = self._process.returncode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return _text(self._last[-1]) if self._last else f"exit code {code}"

    def ask_to_stop(self) -> None:
        """Close its standard input, which tells it to stop; it may take a while."""
        if self._process.stdin and not self._process.stdin.closed:
            # It may be gone already.
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def stop(self, seconds: float) -> None:
        """Stop it in good order; after ``seconds`` by SIGTERM, then for good."""
        self.ask_to_stop()
        try:
            for wait, sign in ((seconds, signal.SIGTERM), (TERM_SECONDS, signal.SIGKILL)):
                if self._ended_within(wait):
                    break
                self._process.send_signal(sign)
        except BaseException:  # Ctrl-C once more: no more patience
            self._process.kill()
            raise
        finally:
            self._process.wait()
            self._reader.join(timeout=2)
            if self._process.stderr:
                self._process.stderr.close()

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _read(self) -> None:
        for line in self._lines():
            self._last.append(line)
            if any(word in line for word in LOUD):
                self._say(_text(line))

    def _lines(self) -> Iterator[str]:
        with contextlib.suppress(ValueError):  # closed while we read
            for line in self._process.stderr or ():
                if line.strip():
                    yield line.strip()


def _text(line: str) -> str:
    """Return a child's line without what stands before its text: time, level, names."""
    for word in LOUD:
        line = line.partition(word)[2].partition(": ")[2] or line
    return line.removeprefix("twinlens-worker: ").removeprefix("twinlens-watcher: ")


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours with this Python."""
    # -P: the folder we stand in may be a photo folder with an innocent numpy.py.
    return [sys.executable, "-P", "-m", module, *arguments]
