"""Motion that remains in an overlap: of the whole, which the alignment missed, and of parts."""

from __future__ import annotations

import functools
from typing import Any, Final

import cv2
import numpy as np

from twinlens_worker.verify.overlap import BLOCK, GRID, SIDE, STEP, Overlap
from twinlens_worker.verify.sketch import Floats, Pixels
from twinlens_worker.verify.transform import Transform

LEAST_TEXTURE: Final = 3.0
"""Standard deviation, of 255 levels, from which a block has structure."""
LEAST_BLOCKS: Final = 24
MOST_BLOCKS: Final = 200
"""Blocks that a rigid motion is fitted to."""

_PULL: Final = np.diag([0.1, 0.5, 0.5, 0.1, 0.5, 0.5, 2.0, 2.0]).astype(np.float32)
"""Pull of the unknowns towards none: blocks in one corner must not stretch all the rest."""


def motion(overlap: Overlap) -> tuple[Floats, Floats | None]:
    """Return the motion in an overlap, and by blocks the part of it that is a homography."""
    flow = local_motion(overlap)
    return flow, rigid_part(flow, overlap)


def local_motion(overlap: Overlap) -> Floats:
    """Return (H, W, 2), by how many pixels each place of a is off in b."""
    first, second = _levelled(overlap.a.luma), _levelled(overlap.b.luma)
    return np.asarray(_flow().calc(first, second, None), np.float32)


def _levelled(luma: Floats) -> Pixels:
    """Return luma with the light taken out, so that edits of tone are no motion."""
    mean = cv2.blur(luma, (25, 25))
    rest = luma - mean
    spread = np.sqrt(np.maximum(cv2.blur(rest * rest, (25, 25)), 0)) + 4.0
    return np.asarray(np.clip(128 + 50 * rest / spread, 0, 255), np.uint8)


@functools.cache
def _flow() -> Any:  # noqa: ANN401
    modules: Any = cv2  # whose stubs do not name it
    return modules.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)


def rigid_part(flow: Floats, overlap: Overlap) -> Floats | None:
    """Return by blocks the motion of the homography that most of the motion is.

    The motion of a plane is quadratic in x and y with eight unknowns (Longuet-Higgins, 1980); blocks
    that move otherwise lose their weight from round to round (Geman-McClure).
    """
    structured = np.minimum(overlap.a.spread, overlap.b.spread) > LEAST_TEXTURE
    good = (overlap.mask[GRID] > 0) & structured
    few = 1 + int(good.sum()) // MOST_BLOCKS
    chosen = np.flatnonzero(good)[::few]
    if len(chosen) < LEAST_BLOCKS:
        return None
    plane = _plane()
    basis = np.ascontiguousarray(plane[:, :, chosen]).reshape(8, -1)
    wanted = flow[GRID].reshape(-1, 2)[chosen].T.ravel()
    weighted = basis
    for tolerance in (3.0, 1.0, 0.4):
        unknown = np.linalg.solve(weighted @ basis.T + _PULL, weighted @ wanted)
        miss = ((wanted - unknown @ basis) ** 2).reshape(2, -1).sum(axis=0)
        weighted = basis * np.tile((tolerance**2 / (tolerance**2 + miss)) ** 2, 2)
    everywhere = unknown @ plane.reshape(8, -1)
    return np.ascontiguousarray(everywhere.reshape(2, *good.shape).transpose(1, 2, 0))


@functools.cache
def _plane() -> Floats:
    """Return (8, 2, blocks): what each unknown adds to the motion of each block."""
    count = len(range(SIDE)[GRID[0]])
    y, x = np.mgrid[-1 : 1 : count * 1j, -1 : 1 : count * 1j].reshape(2, -1)
    one, none = np.ones_like(x), np.zeros_like(x)
    across = [one, x, y, none, none, none, x * x, x * y]
    down = [none, none, none, one, x, y, x * y, y * y]
    return np.stack([np.stack(across), np.stack(down)], axis=1).astype(np.float32)


def as_homography(motion: Floats) -> Transform:
    """Return the homography that moves the corner blocks so."""
    rows, columns = motion.shape[0] - 1, motion.shape[1] - 1
    corners = [(0, 0), (0, columns), (rows, columns), (rows, 0)]
    here = np.array(
        [(c * STEP + BLOCK // 2, r * STEP + BLOCK // 2) for r, c in corners], np.float32
    )
    there = here + np.array([motion[corner] for corner in corners], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(here, there), np.float64)


def undone(picture: Floats, flow: Floats) -> Floats:
    """Undo the local motion."""
    x, y = cv2.split(flow + _places())
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=border), np.float32)


@functools.cache
def _places() -> Floats:
    """Return (SIDE, SIDE, 2), x and y of each pixel."""
    return np.dstack(np.meshgrid(*2 * [np.arange(SIDE, dtype=np.float32)]))
