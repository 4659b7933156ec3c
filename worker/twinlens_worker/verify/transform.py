"""Transforms: 3 x 3 matrices that take points of one picture to the same points of another."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.sketch import Sketch

Transform = NDArray[np.float64]
Points = NDArray[np.float64]

CORNERS: Final = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
"""Of the unit square: top left, then clockwise."""
MIRROR: Final = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
"""Left to right, in the unit square."""


def apply(transform: NDArray[Any], points: NDArray[Any]) -> Points:
    """Return where points, (N, 2), are taken to."""
    there = points @ transform[:, :2].T + transform[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(there[:, :2] / there[:, 2:], np.float64)


def scaled(width: float, height: float) -> Transform:
    """Return the transform that takes the unit square to so many pixels."""
    return np.diag([float(width), float(height), 1.0])


def in_pixels(a: Sketch, b: Sketch, transform: Transform) -> Transform:
    """Return a transform of the unit square as one of pixels, where angles are angles."""
    return scaled(*b.size) @ transform @ scaled(1 / a.size[0], 1 / a.size[1])
