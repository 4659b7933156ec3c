"""Flat pictures: black, white, plain sky, lens caps, astronomers' darks and flats.

They all look alike to any descriptor and are no copies of one another, so they are never paired by
content (czkawka#429). Files with the same bytes are found by their hash all the same.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 32
"""Blocks along a side. Averaging within a block takes sensor noise out."""

LEAST_STRUCTURE = 2.0
"""Levels, of 255. Root mean square of what remains of a picture's blocks when brightness, gradient
and vignetting (a quadratic surface) are taken out. A moon of 10 x 10 pixels in a black sky of 128 x
128 leaves 15; noise of 25 levels in a photo of 1600 x 1200 leaves 0.6."""


def is_flat(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether a picture of shape (S, S, 3), S at least 32, has no structure."""
    block = pixels.shape[0] // GRID
    side = block * GRID
    cells = pixels[:side, :side].reshape(GRID, block, GRID, block, 3).mean(axis=(1, 3))
    values = cells.reshape(-1, 3)
    surface, inverse = _quadratic()
    rest = values - surface @ (inverse @ values)
    return bool(np.sqrt(np.mean(rest**2)) < LEAST_STRUCTURE)


@functools.cache
def _quadratic() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the surfaces ``1 x y xx xy yy`` over the grid, (GRID^2, 6), and their pseudo-inverse."""
    y, x = (axis.ravel() / GRID - 0.5 for axis in np.mgrid[0:GRID, 0:GRID])
    surface = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    return surface, np.linalg.pinv(surface)
