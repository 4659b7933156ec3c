"""The two clocks that the watcher goes by, so that tests can turn them."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def monotonic(self) -> float:
        """Return seconds that only ever go forward; for intervals."""
        ...

    def wall(self) -> float:
        """Return seconds since 1970, as file systems on this computer write them."""
        ...


class SystemClock:
    """The computer's own clocks."""

    def monotonic(self) -> float:
        """Return the kernel's monotonic clock."""
        return time.monotonic()

    def wall(self) -> float:
        """Return the kernel's wall clock."""
        return time.time()


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, wall: float = 0.0) -> None:
        self._monotonic = 1000.0
        self._wall = wall

    def monotonic(self) -> float:
        """Return the time that was advanced so far."""
        return self._monotonic

    def wall(self) -> float:
        """Return the wall time given at first plus what was advanced."""
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass on both clocks."""
        self._monotonic += seconds
        self._wall += seconds
