"""Long straight edges of a picture, and the rectangles that they make.

Everything is counted in u8 by OpenCV: the same in numpy's integers takes twice the time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

STEP: Final = 12
"""Levels, of 255, over two pixels from which something changes across an edge."""
ALONG: Final = 9
"""Levels over one pixel from which something changes along it."""
LINES: Final = 7
"""Most lines looked at in each direction, the longest first."""
RUN: Final = 0.7
"""Share of some fifth of the frame that a line must run through."""
LEAST_RUN: Final = 0.3
"""Least sum of half that share and the share of the whole frame that it runs through."""
SIDES: Final = 0.15
"""Least width and height of a rectangle, as a share of the frame's."""
LEAST: Final = 0.6
"""Share of a side along which an edge runs, at least."""
CROSSED: Final = 0.2
"""Share of the strip outside an edge that may change along it."""

Pixels = NDArray[np.uint8]
Flags = Pixels
"""0 and 1."""
Numbers = NDArray[np.int64]
Shares = NDArray[np.float32]


class Sums:
    """Sums over rectangles of an array, by a table of sums."""

    def __init__(self, values: Pixels) -> None:
        self._table: NDArray[np.int32] = cv2.integral(values)  # type: ignore[assignment]

    @property
    def all(self) -> float:
        """The sum of everything."""
        return float(self._table[-1, -1])

    def within(self, boxes: Numbers) -> Shares:
        """Return the sums over boxes (K, 4): left, top, right and bottom."""
        return self._sum(*boxes.T)

    def share(self, left: Numbers, top: Numbers, right: Numbers, bottom: Numbers) -> Shares:
        """Return the means over rectangles; 0 where there is nothing."""
        size = np.maximum((right - left) * (bottom - top), 1)
        return np.asarray(self._sum(left, top, right, bottom) / size, np.float32)

    def _sum(self, left: Numbers, top: Numbers, right: Numbers, bottom: Numbers) -> Shares:
        # By the place in the whole table: half the time of indexing by two numbers.
        flat, width = self._table.ravel(), self._table.shape[1]
        above, below = top * width, bottom * width
        outer = flat.take(below + right) + flat.take(above + left)
        return np.asarray(outer - flat.take(above + right) - flat.take(below + left), np.float32)


class Edges:
    """Lines of one direction across a picture; lines are numbered by the pixel after them."""

    def __init__(self, across: Pixels, along: Pixels) -> None:
        """Take the change across lines (L - 2, W) over two pixels, and along them (L, W - 1)."""
        self._length = len(along)
        near = pixels(cv2.dilate(_thin(across), _column(3)))  # a line may miss its place by a pixel
        changing = _above(along, ALONG)
        self._near, self._changing = Sums(near), Sums(changing)
        self.at = np.array([0, *self._longest(near, changing), self._length], np.int64)
        """The lines, between the frame's own sides, in order."""

    def spans(self) -> Numbers:
        """Return the numbers of each two lines that are far enough apart, (N, 2)."""
        both = _each_two(len(self.at))
        first, second = self.at.take(both)
        return np.asarray(both.T[second - first >= SIDES * self._length])

    def support(self, starts: Numbers, ends: Numbers) -> tuple[Shares, Shares]:
        """Return the share of each span (M,) in which an edge runs along each line (L,): (L, M).

        First for lines that begin a rectangle, then for those that end one. NaN for the frame's own
        sides; -1 where it is little, or where something changes along the edge, just outside of it.
        """
        lines = self.at[:, None]
        at = np.minimum(np.maximum(lines, 1), self._length - 2) - 1
        found = self._near.share(starts, at, ends, at + 1)
        found[found < LEAST] = -1
        found[[0, -1]] = np.nan
        before, after = (
            np.where(self._crossed(starts, ends, line), np.float32(-1), found)
            for line in (lines - 4, lines + 2)
        )
        before[[0, -1]] = after[[0, -1]] = np.nan
        return before, after

    def _crossed(self, starts: Numbers, ends: Numbers, line: Numbers) -> NDArray[np.bool_]:
        """Tell where much changes along two lines, from ``line`` on."""
        top = np.minimum(np.maximum(line, 0), self._length)
        bottom = np.minimum(np.maximum(line + 2, 0), self._length)
        return self._changing.share(starts, top, ends - 1, bottom) > CROSSED

    def _longest(self, near: Flags, changing: Flags) -> list[int]:
        """Return the lines that run farthest beside calm ground, in order."""
        calm = 1 - changing
        before, after = near.copy(), near.copy()  # calm 3 pixels before, and after
        before[2:, :-1] &= calm[: len(near) - 2]
        after[: len(calm) - 4, :-1] &= calm[4:]
        scores = _runs(np.concatenate([before, after])).reshape(2, -1).max(axis=0)
        lines: list[int] = []
        while len(lines) < LINES:
            best = int(scores.argmax())
            if scores[best] <= LEAST_RUN:
                break
            lines.append(best + 1)
            scores[max(0, best - 2) : best + 3] = 0  # the same edge once more
        return sorted(lines)


def rectangles(
    rows: Edges, columns: Edges, down: Numbers, across: Numbers
) -> tuple[Shares, Numbers]:
    """Return the rectangles of which each side is an edge, or the frame's own.

    That is (4, K): the share of the top, bottom, left and right side along which an edge runs, NaN
    for the frame's own; and (K, 2): which span of rows (N, 2) and of columns (M, 2).
    """
    tops, bottoms = rows.support(*columns.at[across].T)
    lefts, rights = columns.support(*rows.at[down].T)
    top, bottom = tops[down[:, 0]], bottoms[down[:, 1]]  # (N, M)
    left, right = lefts[across[:, 0]].T, rights[across[:, 1]].T
    every = np.stack([top, bottom, left, right])
    # NaN is neither.
    chosen = np.argwhere(~(every < 0).any(axis=0) & (every >= 0).any(axis=0))
    row, column = chosen.T
    return every[:, row, column], chosen


def change(planes: Sequence[Pixels], step: int) -> Pixels:
    """Return how much each pixel differs from that ``step`` below, in its most different channel."""
    red, green, blue = (cv2.absdiff(one[step:], one[:-step]) for one in planes)
    return pixels(cv2.max(cv2.max(red, green), blue))


@functools.cache
def _each_two(count: int) -> Numbers:
    """Return each two numbers below ``count``, the smaller ones and the larger ones, (2, N)."""
    return np.stack(np.triu_indices(count, 1))


def _runs(flags: Flags) -> Shares:
    """Return how far a line runs in each row; 0 where it runs through no fifth of the frame."""
    width = flags.shape[1]
    window = max(8, width // 5)
    counts = flags.sum(axis=1, dtype=np.int32)
    scores = np.zeros(len(flags), np.float32)
    some = np.flatnonzero(counts >= RUN * window)  # of the others no fifth can hold as much
    if not len(some):
        return scores
    # What sticks out of the frame counts nothing, and so is never the most.
    sums = cv2.boxFilter(
        flags[some], -1, (window, 1), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    run = sums.max(axis=1) / np.float32(window)  # cv2.reduce takes forty times as long
    scores[some] = np.where(run < RUN, 0, 0.5 * run + counts[some] / np.float32(width))
    return scores


def _thin(across: Pixels) -> Flags:
    """Keep changes that are the largest of the five around them, across the line: edges, no texture."""
    return pixels(_above(across, STEP) & (across == cv2.dilate(across, _column(5))))


def _above(values: Pixels, limit: int) -> Flags:
    return pixels(cv2.threshold(values, limit, 1, cv2.THRESH_BINARY)[1])


def pixels(values: NDArray[Any]) -> Pixels:
    """Return what OpenCV gave, which its stubs call an array of any numbers."""
    return np.asarray(values, np.uint8)


@functools.cache
def _column(height: int) -> Pixels:
    return np.ones((height, 1), np.uint8)
