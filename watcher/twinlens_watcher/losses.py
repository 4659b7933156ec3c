"""The rule that tells deleted photos from a disk that went away.

immich#30817: 68,811 photos were forgotten in 6.6 seconds because a drive was not mounted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

SHARE = 0.20
COUNT = 50
WINDOW_SECONDS = 60.0
"""What was lost within this time was lost at once: ``rm -r`` shows its work piece by piece."""


class Losses:
    """Counts what one root lost lately."""

    def __init__(self) -> None:
        self._lately: deque[tuple[float, int]] = deque()

    def too_many(self, count: int, *, live: Callable[[], int], now: float) -> bool:
        """Tell whether losing ``count`` of ``live()`` photos now is more than people delete.

        It is when, with what was lost lately, both more than ``COUNT`` photos and more than
        ``SHARE`` of all are lost.
        """
        while self._lately and self._lately[0][0] < now - WINDOW_SECONDS:
            self._lately.popleft()
        before = sum(lost for _, lost in self._lately)
        lost = before + count
        return lost > COUNT and lost > SHARE * (live() + before)

    def note(self, count: int, *, now: float) -> None:
        """Count photos that were taken for deleted."""
        if count:
            self._lately.append((now, count))
