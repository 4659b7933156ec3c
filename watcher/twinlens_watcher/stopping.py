"""Stopping in good order: on SIGTERM, on SIGINT, and when standard input ends."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
from types import FrameType


class Stopping(Exception):  # noqa: N818  not an error
    """The process was asked to stop."""


class Bell:
    """Wakes the main loop, from any thread and from signal handlers, and knows when to stop.

    ``SimpleQueue.put`` is the one call of the standard library that is documented as reentrant, so
    that a signal handler can use it while the main thread waits in it; ``Event.set`` is not and can
    deadlock there.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stop = False

    @property
    def stopped(self) -> bool:
        """Whether the process was asked to stop."""
        return self._stop

    def ring(self) -> None:
        """Wake the one who waits."""
        self._queue.put(None)

    def stop(self) -> None:
        """Ask the process to stop."""
        self._stop = True
        self.ring()

    def check(self) -> None:
        """Raise Stopping when the process was asked to stop."""
        if self._stop:
            raise Stopping

    def wait(self, seconds: float) -> None:
        """Sleep until the bell rings, at most ``seconds``. Raises Stopping."""
        self.check()
        try:
            self._queue.get(timeout=max(0.0, seconds))
            while True:
                self._queue.get_nowait()
        except queue.Empty:
            pass
        self.check()

    def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds``, whoever rings. Raises Stopping."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.wait(left)


def stop_on_signals(bell: Bell) -> None:
    """Let SIGTERM and SIGINT stop the process in good order."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        bell.stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def stop_on_eof(bell: Bell) -> None:
    """Let the end of standard input stop the process in good order."""

    def read() -> None:
        # Not sys.stdin: a thread that waits in its lock makes the interpreter abort at exit.
        with contextlib.suppress(OSError):  # closed before we started: that is an end too
            while os.read(0, 4096):
                continue
        bell.stop()

    threading.Thread(target=read, name="stdin", daemon=True).start()
