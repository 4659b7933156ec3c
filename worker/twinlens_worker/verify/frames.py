"""Frames in a picture: its own, and upright rectangles in it that may be another photo's frame.

A photo on a page, in a story or in a border is outlined by edges that are straight, upright and long,
which little else in photos is. Found here, its whole frame is compared at once; features often fail,
for a page's text has more corners than a photo that is small on it.
"""

from __future__ import annotations

import functools
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

SIDE: Final = 160
"""Longest side, in pixels, of the picture in which edges are sought."""
NARROWEST: Final = 20
"""Pixels of the shorter side below which none are sought."""
LEAST_SIDE: Final = 0.2
"""Share of the frame's side below which a rectangle says nothing."""
STEP: Final = 10
"""Levels, of 255, by which two pixels side by side differ where there is an edge."""
RUN: Final = 25
"""Pixels of edge in a row that make a line likely."""
LINES: Final = 10
"""Lines across, and as many down, whose crossings are tried as corners."""
FREE: Final = 0.6
"""What a side counts that lies on the picture's own, as a share of it that is edge."""
LEAST_EDGE: Final = 0.5
"""Share of an outline that is edge, from which it may be a frame."""
TRIED: Final = 60
"""Likeliest rectangles of a picture, of which those that are nearly one are sorted out."""
MOST: Final = 8
"""Rectangles kept of a picture: on pages of apps the photo was among the first 4 in 69 % of cases,
among the first 8 in 86 %."""
ALIKE: Final = 0.92
"""Share of two rectangles that both cover, from which they are one."""
TINY: Final = 32
"""Side of the squashed picture that tells which frames look alike."""


def tiny(parts: list[Pixels]) -> Floats:
    """Return pictures squashed, without their coarse light, each of length 1: (N, TINY * TINY)."""
    rest = np.zeros((len(parts), TINY, TINY), np.float32)
    for row, part in enumerate(parts):
        rest[row] = cv2.resize(part, (TINY, TINY), interpolation=cv2.INTER_AREA)
    rest -= _softening() @ rest @ _softening().T
    flat = rest.reshape(len(parts), TINY * TINY)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(length, 1e-3), np.float32)


@functools.cache
def _softening() -> Floats:
    """Return the matrix that blurs the columns of a squashed picture."""
    return np.asarray(cv2.GaussianBlur(np.eye(TINY, dtype=np.float32), (1, 0), 0, None, TINY / 4))


def inner_frames(grey: Pixels) -> tuple[Floats, Floats]:
    """Return rectangles of a grey picture that may be frames, and what is in them as ``tiny``.

    (N, 4) left, top, right and bottom in the unit square, likeliest first, and (N, TINY * TINY).
    """
    scale = SIDE / max(grey.shape)
    height, width = (round(side * scale) for side in grey.shape)
    if min(height, width) < NARROWEST:
        return np.zeros((0, 4), np.float32), tiny([])
    small = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    boxes = _boxes(_edges(small), _edges(np.ascontiguousarray(small.T)))
    parts = [small[top:bottom, left:right] for left, top, right, bottom in boxes]
    size = np.array([width, height, width, height], np.float32)
    return (boxes / size).astype(np.float32), tiny(parts)


def _edges(picture: Pixels) -> Pixels:
    """Return (H, W + 1) of 1 where it steps, more than beside, from the pixel on the left."""
    height, width = picture.shape
    steps = np.zeros((height, width + 3), np.uint8)
    steps[:, 2:-2] = cv2.absdiff(picture[:, 1:], picture[:, :-1])
    here = steps[:, 1:-1]
    return ((here > STEP) & (here >= steps[:, :-2]) & (here >= steps[:, 2:])).astype(np.uint8)


def _boxes(across: Pixels, down: Pixels) -> Numbers:
    """Return (N, 4) rectangles that edges outline, in pixels; ``down`` is turned on its side."""
    height, width = across.shape[0], down.shape[0]
    x, y = _lines(across), _lines(down)
    left, right = _between(x, LEAST_SIDE * width)
    top, bottom = _between(y, LEAST_SIDE * height)
    # Of each line once, and then of the 66 by 66 rectangles between them.
    uprights = _shares(across, x, y[top], y[bottom])
    levels = _shares(down, y, x[left], x[right]).T
    sides = [uprights[:, left], uprights[:, right], levels[top], levels[bottom]]
    mean = (sides[0] + sides[1] + sides[2] + sides[3]) / 4
    least = functools.reduce(np.minimum, sides)
    whole = (y[bottom] - y[top] == height)[:, None] & (x[right] - x[left] == width)
    likely = np.flatnonzero((mean >= LEAST_EDGE) & ~whole)
    score = mean.ravel()[likely] + least.ravel()[likely]
    best = likely[np.argsort(-score, kind="stable")[:TRIED]]
    rows, columns = np.divmod(best, len(left))
    corners = (x[left[columns]], y[top[rows]], x[right[columns]], y[bottom[rows]])
    return _apart(np.stack(corners, axis=1))


def _lines(edges: Pixels) -> Numbers:
    """Return the columns in which edges run longest, the first and the last always."""
    run = cv2.blur(edges.astype(np.float32), (1, RUN)).max(axis=0) + edges.mean(axis=0)
    best = np.argsort(-run[1:-1], kind="stable")[:LINES] + 1
    return np.concatenate([[0], np.sort(best), [len(run) - 1]])


def _between(lines: Numbers, least: float) -> tuple[Numbers, Numbers]:
    """Return the numbers of each two lines that are far enough apart."""
    first, second = _twos(len(lines))
    apart = lines[second] - lines[first] >= least
    return first[apart], second[apart]


@functools.cache
def _twos(count: int) -> tuple[Numbers, Numbers]:
    first, second = np.triu_indices(count, 1)
    return first, second


def _shares(edges: Pixels, columns: Numbers, first: Numbers, last: Numbers) -> Floats:
    """Return (rows, columns): the share of each column between each two rows that is edge."""
    lines = np.zeros((len(edges) + 1, len(columns)), np.float32)
    np.cumsum(edges[:, columns], axis=0, out=lines[1:])
    shares = (lines[last] - lines[first]) / (last - first)[:, None]
    shares[:, (columns == 0) | (columns == edges.shape[1] - 1)] = FREE
    return np.asarray(shares, np.float32)


def _apart(boxes: Numbers) -> Numbers:
    """Return the first rectangles of which none is nearly another."""
    left, top, right, bottom = boxes.T
    across, down = (
        np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
        for low, high in ((left, right), (top, bottom))
    )
    both = np.maximum(across, 0) * np.maximum(down, 0)
    area = (right - left) * (bottom - top)
    alike = both >= ALIKE * (area[:, None] + area - both)
    kept: list[int] = []
    left_over = np.ones(len(boxes), bool)
    while len(kept) < MOST and left_over.any():
        kept.append(int(left_over.argmax()))
        left_over &= ~alike[kept[-1]]
    return boxes[kept]
