"""The picture within a picture: a photo on a page, in a frame, between bars, on its own blur.

People save photos as they meet them: in a screenshot, with a border, in an upright story. Described
whole, such a picture resembles other pages more than the photo that it shows; described by the photo
alone, it is a copy like any other. A rectangle counts as a picture of its own when: 1. straight edges
run along its sides, as far as these are not the frame's own; 2. just outside of them nothing changes
along the edge, as it does where an object's edge happens to be straight; 3. what is around it is
mostly one colour, or calm while the inside is not.

The limits were chosen on held-out training photos, plain and edited (docs/decisions/0025, 0026).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from PIL import Image

from twinlens_worker.decode.edges import (
    Edges,
    Flags,
    Numbers,
    Pixels,
    Shares,
    Sums,
    change,
    pixels,
    rectangles,
)

SCALE: Final = 144
"""Root of the number of pixels that are looked at: a photo of a third of a page's width has lines of
50 pixels then, and looking takes a fraction of what describing takes."""
BUSY: Final = 18
"""Levels over two pixels, both ways together, from which a pixel is no calm ground."""
RIM: Final = 4
"""Pixels at the frame's sides, of which the first tells nothing."""
MOST_BUSY: Final = 0.5
"""Share of the rim that may be busy: a page is calm there, and a quick look spares most photos more."""
PLAIN: Final = 14
"""Levels within which two colours are one."""
LEAST_AREA: Final = 0.1
MOST_AREA: Final = 0.8
"""Shares of the frame's area."""
SUPPORT: Final = 0.7
"""Share of the sides along which an edge runs, on average over those that are not the frame's own:
between bars."""
SURE: Final = 0.65
"""The same of each side, on a page, or where only two sides are seen on a blur."""
PAGE_SUPPORT, BLUR_SUPPORT = 0.88, 0.75
"""The averages there: what stands on a page has edges of its own, a blur has few."""
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
    small = _small(image)
    if small is None:
        return None
    found = _Page(small).find()
    if found is None:
        return None
    across, down = image.width / small.shape[1], image.height / small.shape[0]
    return Rectangle(
        round(found.left * across),
        round(found.top * down),
        round(found.right * across),
        round(found.bottom * down),
    )


def _small(image: Image.Image) -> Pixels | None:
    """Return the picture as it is looked at, (H, W, 3); None where that is too narrow to see a thing."""
    factor = SCALE / (image.width * image.height) ** 0.5
    width, height = (max(8, round(side * factor)) for side in image.size)
    if min(width, height) < LEAST_PIXELS:
        return None
    if (whole := int(1 / factor / 2)) > 1:
        image = image.reduce(whole)
    # Not averaged: fine lines stay sharp. Of 170 screenshots 116 were found, averaged 102 (stories
    # 112 and 113), and it takes 0.05 ms instead of 0.9.
    small = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_LINEAR)
    return pixels(small)


class _Page:
    """A small picture (H, W, 3), and all that is asked of its parts."""

    def __init__(self, small: Pixels) -> None:
        self._pixels = small
        self._height, self._width = small.shape[:2]
        self._planes = [pixels(one) for one in cv2.split(small)]
        self._turned = [pixels(cv2.transpose(one)) for one in self._planes]
        self._down, self._right = change(self._planes, 2), change(self._turned, 2)
        self._change = np.zeros((self._height, self._width), np.int16)
        """Down and to the right together."""
        self._change[1:-1] += self._down
        self._change[:, 1:-1] += self._right.T
        self._busy: Flags = (self._change > BUSY).view(np.uint8)

    def find(self) -> Rectangle | None:
        if self._is_busy_at_the_rim():
            return None
        rows = Edges(self._down, pixels(cv2.transpose(change(self._turned, 1))))
        columns = Edges(self._right, pixels(cv2.transpose(change(self._planes, 1))))
        if len(rows.at) + len(columns.at) == 4:  # none but the frame's own sides
            return None
        down, across = rows.spans(), columns.spans()
        edges, chosen = rectangles(rows, columns, down, across)
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
        busy = self._busy
        sides = busy[1:RIM], busy[-RIM:-1], busy[:, 1:RIM], busy[:, -RIM:-1]
        return sum(int(side.sum()) for side in sides) > MOST_BUSY * sum(side.size for side in sides)

    def _scores(self, boxes: Numbers, edges: Shares) -> Shares:
        """Return how much each box (K, 4) is a picture of its own, 0 where it is none.

        ``edges`` (4, K): see ``rectangles``.
        """
        height, width = self._height, self._width
        seen = 4 - np.isnan(edges).sum(axis=0)
        weakest, mean = np.nanmin(edges, axis=0), np.nanmean(edges, axis=0)
        area = _areas(boxes) / (height * width)
        strength = Sums(np.minimum(self._change, 60).astype(np.uint8))
        busy = Sums(self._busy)
        gain = strength.within(boxes) / max(strength.all, 1.0) - area
        around = boxes + (-2, -2, 2, 2)  # noqa: RUF005  edges are soft: their pixels are neither
        np.clip(around, 0, (width, height, width, height), out=around)
        rest = np.maximum(height * width - _areas(around), 1)
        plain = np.max([_around(Sums(one), around, rest) for one in self._grounds()], axis=0)
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
        red, green, blue = (one >> 5 for one in self._planes)
        bins = (red.astype(np.int16) << 6) + (green << 3) + blue
        counts = np.bincount(bins.ravel(), minlength=512)
        commonest = [one for one in np.argsort(counts)[:-3:-1] if counts[one]]
        return [
            self._near(cv2.mean(self._pixels, (bins == one).view(np.uint8))) for one in commonest
        ]

    def _near(self, colour: Sequence[float]) -> Flags:
        """Return where the picture has a colour."""
        middle = np.round(colour[:3])
        found = cv2.inRange(self._pixels, middle - (PLAIN - 1), middle + (PLAIN - 1))
        return pixels(pixels(found) & 1)


def _areas(boxes: Numbers) -> Numbers:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.int64)


def _around(sums: Sums, boxes: Numbers, rest: Numbers) -> Shares:
    """Return the share of what is around boxes."""
    return np.asarray((sums.all - sums.within(boxes)) / rest, np.float32)
