"""JPEGs that we make: scaled down, and written so that nobody sees half of one."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image


def at_most(
    image: Image.Image, longest: int, resampling: Image.Resampling, gap: float
) -> Image.Image:
    """Return an image whose longer side has at most so many pixels."""
    scale = longest / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), resampling, reducing_gap=gap)


def write(image: Image.Image, path: Path, **options: int) -> None:
    """Write under another name, then rename; ``options`` are Pillow's. Raises OSError.

    No fsync: after a power cut, what can be made again is.
    """
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        image.save(unfinished, "JPEG", **options)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
