"""The terminal that the page was started from: another address for whoever presses Enter."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable


def on_enter(act: Callable[[], None]) -> None:
    """Call ``act``, in a thread, each time Enter is pressed. Nothing where no person sits there."""
    terminal = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    if terminal is None or os.tcgetpgrp(terminal) != os.getpgrp():
        return
    # Put in the background later, reading fails instead of stopping the server.
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    threading.Thread(target=_listen, args=(terminal, act), daemon=True).start()


def _listen(terminal: int, act: Callable[[], None]) -> None:
    # os.read, not sys.stdin: a thread that waits in a buffered file keeps Python from ending.
    with contextlib.suppress(OSError):
        while os.read(terminal, 1024):
            act()
