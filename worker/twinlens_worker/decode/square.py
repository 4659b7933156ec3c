"""What a model sees of a photo: a square, its aspect given up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinlens_worker.decode.inner import innermost


def squash(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """Return an RGB picture as u8 (side, side, 3)."""
    small = image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small)


def described(image: Image.Image, side: int, *, inner: bool) -> NDArray[np.uint8]:
    """Return what a model sees of an RGB picture, u8 (side, side, 3).

    ``inner``: of the picture within it, where it holds one (``DescriptorInfo.inner``).
    """
    return squash(innermost(image) if inner else image, side)
