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

from twinlens_worker.verify.sketch import Features, Sketch
from twinlens_worker.verify.transform import CORNERS, MIRROR, Transform, apply, scaled

_QUARTER: Final = np.array([[0.0, -1, 1], [1, 0, 0], [0, 0, 1]])
"""A quarter turn clockwise: what is at the top left goes to the top right."""

LEAST_TINY: Final = 0.55
"""Correlation of the squashed pictures from which whole frames are laid over one another."""
FARTHEST: Final = 70
"""Bits, of 256, by which two ORB descriptors may differ to be a match."""
LEAST_INLIERS: Final = 8
REACH: Final = 4.0
"""Pixels, of SIDE, by which a match may miss its place: ORB's coarsest level has cells of 3.6."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """One way to lie over another, and on how many matches it rests (0: whole frames)."""

    transform: Transform
    inliers: int = 0


def whole_frames(a: Sketch, b: Sketch) -> Iterator[Alignment]:
    """Yield the turn, mirrored or not, in which the two whole frames look most alike, if any."""
    turned = [_turned(b.tiny, turns, mirrored=m) for m in (False, True) for turns in range(4)]
    scores = np.array([float((a.tiny * one).sum()) for one in turned])
    best = int(scores.argmax())
    if scores[best] >= LEAST_TINY:
        yield Alignment(_turning(best % 4, mirrored=best >= 4))


def by_features(a: Sketch, b: Sketch, *, mirrored: bool = False) -> Iterator[Alignment]:
    """Yield the alignment that most local features agree on, if enough do."""
    found = _homography(a.features, b.mirrored if mirrored else b.features, a, b)
    if found is not None:
        transform = MIRROR @ found.transform if mirrored else found.transform
        yield Alignment(transform, found.inliers)


def _turned(tiny: NDArray[np.float32], turns: int, *, mirrored: bool) -> NDArray[np.float32]:
    """Undo on b's picture what ``_turning`` does to points of a."""
    upright = np.rot90(tiny, turns)  # counter-clockwise
    return upright[:, ::-1] if mirrored else upright


def _turning(turns: int, *, mirrored: bool) -> Transform:
    """Return the transform to a frame that was mirrored, then turned clockwise so many times."""
    turned = np.linalg.matrix_power(_QUARTER, turns)
    return turned @ MIRROR if mirrored else turned


def _homography(a: Features, b: Features, first: Sketch, second: Sketch) -> Alignment | None:
    pairs = _matches(a, b)
    if len(pairs) < LEAST_INLIERS:
        return None
    # In pixels, so that a miss counts the same in both directions.
    here = a.points[pairs[:, 0]] * np.array(first.size)
    there = b.points[pairs[:, 1]] * np.array(second.size)
    found: Any = cv2.findHomography(
        here, there, cv2.USAC_PROSAC, REACH, maxIters=1000, confidence=0.995
    )
    matrix, mask = found  # each None where there is none
    inliers = 0 if mask is None else int(mask.sum())
    if matrix is None or inliers < LEAST_INLIERS:
        return None
    unit = np.linalg.inv(scaled(*second.size)) @ matrix @ scaled(*first.size)
    return Alignment(unit, inliers) if _is_sane(unit) else None


def _matches(a: Features, b: Features) -> NDArray[np.int64]:
    """Return (N, 2) numbers of features that are each other's nearest, surest first."""
    if not len(a.points) or not len(b.points):
        return np.zeros((0, 2), np.int64)
    likeness = a.signs @ b.signs.T
    forth, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.arange(len(forth))
    best = likeness[rows, forth]
    mutual = np.flatnonzero((back[forth] == rows) & (best > 256 - 2 * FARTHEST))
    surest = mutual[np.argsort(-best[mutual], kind="stable")]
    return np.stack([surest, forth[surest]], axis=1)


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
