"""How sharp a picture is, as a number to compare frames of one motif by.

The variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy",
2000), measured at one size for all pictures and divided by the variance of the picture: else a copy
with more contrast would pass for a sharper one. At this size only blur is seen that is wider than
about 1/300 of the picture; that is what spoils a frame of a burst.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from twinlens_worker.decode.thumbnail import LONGEST_SIDE

_NOISE = 4.0
"""Variance, in levels of 255 squared, of what may be noise: plain sky is neither sharp nor not."""


def sharpness(image: Image.Image) -> float:
    """Return the sharpness of a picture of any mode and size: of photos, about 0.3 to 20.

    A picture that is smaller than this is enlarged: it has no more detail than it has.
    """
    scale = LONGEST_SIDE / max(image.size)
    width, height = (max(3, round(side * scale)) for side in image.size)
    grey = image.convert("L").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    levels = np.asarray(grey, np.float32)
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    laplacian = around - 4 * levels[1:-1, 1:-1]
    return float(100 * laplacian.var() / (levels.var() + _NOISE))
