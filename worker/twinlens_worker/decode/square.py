"""What a model sees of a photo: a square, its aspect given up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def squash(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """Return an RGB picture as u8 (side, side, 3)."""
    small = image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small)
