"""Ctrl-C and SIGTERM, taken where the program can stop in good order."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self

from twinlens.signals import set_from_handler

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Notes the first signal and lets the loop end; the second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.number: int | None = None
        """The signal that came, if any."""
        self._came = threading.Event()
        self._before: list[object] = []

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells have it."""
        return 128 + (self.number or 0)

    def wait(self, seconds: float) -> bool:
        """Wait, at most until a signal comes; return whether one did."""
        return self._came.wait(seconds)

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._take) for number in _SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number
        set_from_handler(self._came)
