"""The picture within a picture: a photo on a page, in a frame, between bars, on its own blur.

People save photos as they meet them: in a screenshot, with a border, in an upright story. Described
whole, such a picture resembles other pages more than the photo that it shows; described by the photo
alone, it is a copy like any other. A rectangle counts as a picture of its own when: 1. straight edges
run along its sides, as far as these are not the frame's own; 2. just outside of them nothing changes
along the edge, as it does where an object's edge happens to be straight; 3. what is around it is
mostly one colour, or calm while the inside is not.

The limits were chosen on held-out training photos, plain and edited (docs/decisions/0025).
"""

from __future__ import annotations

import functools
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SCALE: Final = 144
"""Root of the number of pixels that are looked at: a photo of a third of a page's width has lines of
50 pixels then, and looking takes a fraction of what describing takes."""
STEP: Final = 12
"""Levels, of 255, over two pixels from which something changes across an edge."""
ALONG: Final = 9
"""Levels over one pixel from which something changes along it."""
BUSY: Final = 18
"""Levels over two pixels, both ways together, from which a pixel is no calm ground."""
RIM: Final = 4
"""Pixels at the frame's sides, of which the first tells nothing."""
MOST_BUSY: Final = 0.5
"""Share of the rim that may be busy: a page is calm there, and a quick look spares most photos more."""
PLAIN: Final = 14
"""Levels within which two colours are one."""
LINES: Final = 7
"""Most lines looked at in each direction, the longest first."""
RUN: Final = 0.7
"""Share of some fifth of the frame that a line must run through."""
LEAST_RUN: Final = 0.3
"""Least sum of half that share and the share of the whole frame that it runs through."""
SIDES: Final = 0.15
"""Least width and height of a picture of its own, as a share of the frame's."""
LEAST_AREA: Final = 0.1
MOST_AREA: Final = 0.8
"""Shares of the frame's area."""
LEAST: Final = 0.6
"""Share of a side along which an edge runs, at least."""
SUPPORT: Final = 0.7
"""The same, on average over the sides that are not the frame's own: between bars."""
SURE: Final = 0.65
"""The same of each side, on a page, or where only two sides are seen on a blur."""
PAGE_SUPPORT, BLUR_SUPPORT = 0.88, 0.75
"""The averages there: what stands on a page has edges of its own, a blur has few."""
CROSSED: Final = 0.2
"""Share of the strip outside an edge that may change along it."""
BARS: Final = 0.95
PAGE: Final = 0.45
"""Share of one colour around a picture: of plain bars and borders, and of a page with text and buttons."""
CALM: Final = 0.3
"""Share of pixels around a picture that may be busy where nothing is plain: on its own blur."""
OFF_CENTRE: Final = 0.04
"""By how much, of the frame's side, what is on either side of a picture on a blur may differ. Doors and
windows in front of a calm wall are seldom in the middle."""
GAIN: Final = 0.1
"""By how much the inside's share of all that changes exceeds its share of the area, on a blur."""
LIVELIER: Final = 3.0
"""Times as many pixels are busy inside as around, where only two sides are seen."""
TIMES: Final = 3
"""Pictures within pictures within pictures: a photo between bars on a page."""
LEAST_PIXELS: Final = 24
"""Sides of what remains, in pixels of the decoded picture."""

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Shares = NDArray[np.float32]


class Rectangle(NamedTuple):
    """A part of a picture, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def innermost(image: Image.Image) -> Image.Image:
    """Return the picture within an RGB picture; the picture itself where it holds none."""
    for _ in range(TIMES):
        found = find(image)
        if found is None or min(found.right - found.left, found.bottom - found.top) < LEAST_PIXELS:
            break
        image = image.crop(found)
    return image


def find(image: Image.Image) -> Rectangle | None:
    """Return where a picture of its own lies in an RGB picture, None where none does."""
    factor = SCALE / (image.width * image.height) ** 0.5
    width, height = (max(8, round(side * factor)) for side in image.size)
    if min(width, height) < LEAST_PIXELS:
        return None
    # cv2: a third of the time of Pillow's.
    small = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA)
    found = _Page(np.stack(cv2.split(small)).astype(np.int16)).find()
    if found is None:
        return None
    across, down = image.width / width, image.height / height
    return Rectangle(
        round(found.left * across),
        round(found.top * down),
        round(found.right * across),
        round(found.bottom * down),
    )


class _Page:
    """A small picture, its planes (3, H, W), and all that is asked of its parts."""

    def __init__(self, planes: NDArray[np.int16]) -> None:
        self._planes = planes
        self._height, self._width = planes.shape[1:]
        self._turned = planes.transpose(0, 2, 1)
        self._down, self._right = _change(planes, 2), _change(self._turned, 2)
        self._change = np.zeros((self._height, self._width), np.int16)
        """Down and to the right together."""
        self._change[1:-1] += self._down
        self._change[:, 1:-1] += self._right.T

    def find(self) -> Rectangle | None:
        if self._is_busy_at_the_rim():
            return None
        rows = _Edges(self._down, _change(self._turned, 1).T)
        columns = _Edges(self._right, _change(self._planes, 1).T)
        if len(rows.at) + len(columns.at) == 4:  # none but the frame's own sides
            return None
        down, across = rows.spans(), columns.spans()
        edges, chosen = _sides(rows, columns, down, across)
        if not len(chosen):
            return None
        (top, bottom), (left, right) = (
            rows.at[down[chosen[:, 0]]].T,
            columns.at[across[chosen[:, 1]]].T,
        )
        boxes = np.stack([left, top, right, bottom], axis=1)
        area = _areas(boxes) / (self._height * self._width)
        fits = (area >= LEAST_AREA) & (area <= MOST_AREA) & (np.nanmean(edges, axis=0) >= SUPPORT)
        boxes, edges = boxes[fits], edges[:, fits]
        if not len(boxes):
            return None
        scores = self._scores(boxes, edges)
        best = int(scores.argmax())
        return Rectangle(*map(int, boxes[best])) if scores[best] > 0 else None

    def _is_busy_at_the_rim(self) -> bool:
        """Tell whether the picture reaches its frame all around, as most photos do."""
        busy = self._change > BUSY
        sides = busy[1:RIM], busy[-RIM:-1], busy[:, 1:RIM], busy[:, -RIM:-1]
        return sum(int(side.sum()) for side in sides) > MOST_BUSY * sum(side.size for side in sides)

    def _scores(self, boxes: Numbers, edges: Shares) -> Shares:
        """Return how much each box (K, 4) is a picture of its own, 0 where it is none.

        ``edges`` (4, K): see ``_sides``.
        """
        height, width = self._height, self._width
        seen = 4 - np.isnan(edges).sum(axis=0)
        weakest, mean = np.nanmin(edges, axis=0), np.nanmean(edges, axis=0)
        area = _areas(boxes) / (height * width)
        strength = _Sums(np.minimum(self._change, 60).astype(np.uint8))
        busy = _Sums(self._change > BUSY)
        gain = strength.within(boxes) / max(strength.all, 1.0) - area
        around = boxes + (-2, -2, 2, 2)  # noqa: RUF005  edges are soft: their pixels are neither
        np.clip(around, 0, (width, height, width, height), out=around)
        rest = np.maximum(height * width - _areas(around), 1)
        plain = np.max([_around(_Sums(one), around, rest) for one in self._grounds()], axis=0)
        restless = _around(busy, around, rest)
        livelier = busy.within(boxes) / _areas(boxes) >= LIVELIER * restless
        page = (seen >= 3) & (weakest >= SURE) & (mean >= PAGE_SUPPORT) & (plain >= PAGE)
        blur = (
            (seen >= 2)
            & self._centred(boxes)
            & ((seen >= 3) | ((weakest >= SURE) & livelier))
            & (mean >= BLUR_SUPPORT)
            & (restless <= CALM)
            & (gain >= np.minimum(GAIN, 0.5 * (1 - area)))
        )
        bars = (seen >= 2) & (plain >= BARS)
        enough = rest >= (1 - MOST_AREA) * height * width
        scores = mean + 0.5 * gain + 0.05 * seen
        return np.where(enough & (page | blur | bars), scores, 0).astype(np.float32)

    def _centred(self, boxes: Numbers) -> Flags:
        """Tell which boxes leave as much on the left as on the right, and above as below."""
        odd = np.abs(boxes[:, :2] + boxes[:, 2:] - (self._width, self._height))
        return np.asarray((odd <= np.multiply(OFF_CENTRE, (self._width, self._height))).all(axis=1))

    def _grounds(self) -> list[Flags]:
        """Return where the picture has its most frequent colours, the two commonest."""
        red, green, blue = self._planes >> 5
        bins = (red << 6) + (green << 3) + blue
        counts = np.bincount(bins.ravel(), minlength=512)
        commonest = [one for one in np.argsort(counts)[:-3:-1] if counts[one]]
        colours = [self._planes[:, bins == one].mean(axis=1, dtype=np.float32) for one in commonest]
        near = [one.round().astype(np.int16)[:, None, None] for one in colours]
        return [_largest(np.abs(self._planes - one)) < PLAIN for one in near]


class _Edges:
    """Lines of one direction across a picture; lines are numbered by the pixel after them."""

    def __init__(self, across: NDArray[np.int16], along: NDArray[np.int16]) -> None:
        """Take the change across lines (L - 2, W) over two pixels, and along them (L, W - 1)."""
        self._length = len(along)
        near, changing = _widened(_thin(across)), along > ALONG
        self._near, self._changing = _Sums(near), _Sums(changing)
        self.at = np.concatenate([[0], self._longest(near, changing), [self._length]])
        """The lines, between the frame's own sides, in order."""

    def spans(self) -> Numbers:
        """Return the numbers of each two lines that are far enough apart, (N, 2)."""
        first, second = _each_two(len(self.at))
        far = self.at[second] - self.at[first] >= SIDES * self._length
        return np.stack([first[far], second[far]], axis=1)

    def support(self, starts: Numbers, ends: Numbers, *, outside: int) -> Shares:
        """Return the share of each span (M,) in which an edge runs along each line (L,): (L, M).

        NaN for the frame's own sides; -1 where it is little, or where something changes along the
        edge, just outside of it (-1: before the line, 1: after).
        """
        lines = self.at[:, None]
        at = np.clip(lines - 1, 0, self._length - 3)
        found = self._near.share(starts, at, ends, at + 1)
        near, far = (lines - 4, lines - 2) if outside < 0 else (lines + 2, lines + 4)
        top, bottom = (np.clip(one, 0, self._length) for one in (near, far))
        crossed = self._changing.share(starts, top, ends - 1, bottom)
        found[(crossed > CROSSED) | (found < LEAST)] = -1
        found[[0, -1]] = np.nan
        return found

    def _longest(self, near: Flags, changing: Flags) -> Numbers:
        """Return the lines that run farthest beside calm ground, in order."""
        calm = ~changing
        before, after = near.copy(), near.copy()  # calm 3 pixels before, and after
        before[2:, :-1] &= calm[: len(near) - 2]
        after[: len(calm) - 4, :-1] &= calm[4:]
        scores = np.maximum(_runs(before), _runs(after))
        lines: list[int] = []
        while len(lines) < LINES:
            best = int(scores.argmax())
            if scores[best] <= LEAST_RUN:
                break
            lines.append(best + 1)
            scores[max(0, best - 2) : best + 3] = 0  # the same edge once more
        return np.array(sorted(lines), np.int64)


@functools.cache
def _each_two(count: int) -> tuple[Numbers, Numbers]:
    """Return each two numbers below ``count``, the smaller ones and the larger ones."""
    return np.triu_indices(count, 1)


def _runs(flags: Flags) -> Shares:
    """Return how far a line runs in each row; 0 where it runs through no fifth of the frame."""
    width = flags.shape[1]
    window = max(8, width // 5)
    sums = cv2.integral(np.ascontiguousarray(flags).view(np.uint8))
    sums = sums[1:] - sums[:-1]
    run = (sums[:, window:] - sums[:, :-window]).max(axis=1) / window
    return np.where(run < RUN, 0, 0.5 * run + sums[:, -1] / width).astype(np.float32)


def _sides(rows: _Edges, columns: _Edges, down: Numbers, across: Numbers) -> tuple[Shares, Numbers]:
    """Return the rectangles of which each side is an edge, or the frame's own.

    That is (4, K): the share of the top, bottom, left and right side along which an edge runs, NaN
    for the frame's own; and (K, 2): which span of rows (N, 2) and of columns (M, 2).
    """
    top, bottom = (
        rows.support(*columns.at[across].T, outside=side)[down[:, end]]
        for end, side in enumerate((-1, 1))
    )  # (N, M)
    left, right = (
        columns.support(*rows.at[down].T, outside=side)[across[:, end]].T
        for end, side in enumerate((-1, 1))
    )
    possible = np.ones(top.shape, bool)
    for one in (top, bottom, left, right):
        possible &= ~(one < 0)
    possible &= ~np.isnan(top) | ~np.isnan(bottom) | ~np.isnan(left) | ~np.isnan(right)
    chosen = np.argwhere(possible)
    row, column = chosen.T
    return np.stack([one[row, column] for one in (top, bottom, left, right)]), chosen


class _Sums:
    """Sums over rectangles of an array, by a table of sums."""

    def __init__(self, values: Flags | NDArray[np.uint8]) -> None:
        self.table: NDArray[Any] = cv2.integral(np.ascontiguousarray(values).view(np.uint8))

    @property
    def all(self) -> float:
        """The sum of everything."""
        return float(self.table[-1, -1])

    def within(self, boxes: Numbers) -> Shares:
        """Return the sums over boxes (K, 4)."""
        return self._sum(*boxes.T)

    def share(self, left: Numbers, top: Numbers, right: Numbers, bottom: Numbers) -> Shares:
        """Return the means over rectangles; 0 where there is nothing."""
        size = np.maximum((right - left) * (bottom - top), 1)
        return (self._sum(left, top, right, bottom) / size).astype(np.float32)

    def _sum(self, left: Numbers, top: Numbers, right: Numbers, bottom: Numbers) -> Shares:
        table = self.table
        outer, inner = (
            table[bottom, right] + table[top, left],
            table[top, right] + table[bottom, left],
        )
        return np.asarray(outer - inner, np.float32)


def _change(planes: NDArray[np.int16], step: int) -> NDArray[np.int16]:
    """Return how much each pixel differs from that ``step`` below, in its most different channel."""
    return _largest(np.abs(planes[:, step:] - planes[:, :-step]))


def _largest(planes: NDArray[Any]) -> NDArray[Any]:
    """Return the largest of three planes; some ten times as fast as ``max`` over an axis of three."""
    return np.asarray(np.maximum(np.maximum(planes[0], planes[1]), planes[2]))


def _thin(change: NDArray[np.int16]) -> Flags:
    """Keep changes that are the largest of the five around them, across the line: edges, no texture."""
    kept = change > STEP
    for step in (1, 2):
        kept[step:] &= change[step:] >= change[:-step]
        kept[:-step] &= change[:-step] >= change[step:]
    return kept


def _widened(flags: Flags) -> Flags:
    """Let a line miss its place by a pixel."""
    wide = flags.copy()
    wide[1:] |= flags[:-1]
    wide[:-1] |= flags[1:]
    return wide


def _areas(boxes: Numbers) -> Numbers:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.int64)


def _around(sums: _Sums, boxes: Numbers, rest: Numbers) -> Shares:
    """Return the share of what is around boxes."""
    return np.asarray((sums.all - sums.within(boxes)) / rest, np.float32)
