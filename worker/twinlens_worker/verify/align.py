"""Alignment: ways in which one picture may lie over another, best guess first.

All transforms are 3 x 3 and take points of a to points of b, both in the unit square.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.matches import REACH, Both, Matches
from twinlens_worker.verify.sketch import Sketch
from twinlens_worker.verify.transform import CORNERS, MIRROR, Transform, apply, scaled

_QUARTER: Final = np.array([[0.0, -1, 1], [1, 0, 0], [0, 0, 1]])
"""A quarter turn clockwise: what is at the top left goes to the top right."""

LEAST_TINY: Final = 0.55
"""Correlation of the squashed pictures from which frames are laid over one another."""
CLEAR: Final = 0.9
"""The same of whole frames, from which no rectangle in one can be meant."""
_BACK: Final = [0, 3, 2, 1, 4, 5, 6, 7]
"""For each of eight turns the one that undoes it."""
MOST_TRIES: Final = 400
LEAST_INLIERS: Final = 8


@dataclass(frozen=True, slots=True)
class Alignment:
    """One way to lie over another, and on how many matches it rests (0: whole frames)."""

    transform: Transform
    inliers: int = 0


def whole_frames(a: Sketch, b: Sketch) -> Iterator[Alignment]:
    """Yield the turns, mirrored or not, in which frames look most alike, at most two.

    Of one picture it is the whole frame, of the other that or a rectangle in it: a photo on a page.
    """
    whole = a.turned[0] @ b.turned.T
    best = int(whole.argmax())
    if whole[best] >= LEAST_TINY:
        yield Alignment(_turning(best))
    if whole[best] < CLEAR:
        yield from _within(a, b, max(LEAST_TINY, float(whole[best])))


def _within(a: Sketch, b: Sketch, least: float) -> Iterator[Alignment]:
    """Yield how the whole frame of one is most like a rectangle in the other, from ``least`` on."""
    # Turning one picture compares as turning the other back; a mirrored turn is its own way back.
    in_b, in_a = a.turned[_BACK] @ b.inner[1].T, b.turned @ a.inner[1].T
    scores = np.concatenate([in_b, in_a], axis=1)
    if not scores.size or scores.max() < least:
        return
    turn, place = (int(n) for n in np.unravel_index(int(scores.argmax()), scores.shape))
    beyond = place - in_b.shape[1]
    if beyond < 0:
        yield Alignment(_to_box(b.inner[0][place]) @ _turning(turn))
    else:
        yield Alignment(_turning(turn) @ np.linalg.inv(_to_box(a.inner[0][beyond])))


def by_features(matches: Matches, both: Both) -> Alignment | None:
    """Return the alignment that most of the features that match agree on, if enough do."""
    if len(matches.pairs) < LEAST_INLIERS:
        return None
    # In pixels, so that a miss counts the same in both directions.
    here, there = (
        places * np.array(one.size)
        for places, one in zip(matches.places(), (both.a, both.b), strict=True)
    )
    found: Any = cv2.findHomography(
        here, there, cv2.USAC_PROSAC, REACH, maxIters=MOST_TRIES, confidence=0.995
    )
    matrix, mask = found  # each None where there is none
    inliers = 0 if mask is None else int(mask.sum())
    if matrix is None or inliers < LEAST_INLIERS:
        return None
    unit = np.linalg.inv(scaled(*both.b.size)) @ matrix @ scaled(*both.a.size)
    return Alignment(matches.after @ unit @ matches.before, inliers) if _is_sane(unit) else None


def _turning(turn: int) -> Transform:
    """Return the transform to a frame whose picture ``Sketch.turned`` turns back so."""
    turned = np.linalg.matrix_power(_QUARTER, turn % 4)
    return turned @ MIRROR if turn >= 4 else turned


def _to_box(box: NDArray[np.float32]) -> Transform:
    """Return the transform of the unit square to a rectangle in it."""
    left, top, right, bottom = box.astype(float)
    return np.array([[right - left, 0, left], [0, bottom - top, top], [0, 0, 1.0]])


def _is_sane(transform: Transform) -> bool:
    """Tell whether the frame's corners stay in front, in order, and neither shrink nor grow wildly."""
    depth = (CORNERS @ transform[2, :2] + transform[2, 2]) / (transform[2, 2] or 1.0)
    if not np.isfinite(transform).all() or (depth < 0.4).any() or (depth > 2.5).any():
        return False
    flat = apply(transform, CORNERS)
    sides = np.roll(flat, -1, axis=0) - flat
    following = np.roll(sides, -1, axis=0)
    crosses = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    area = 0.5 * float(crosses[[0, 2]].sum())
    return bool((crosses > 0).all()) and 1 / 64 < area < 64
