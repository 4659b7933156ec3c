"""The thumbnail cache: small JPEGs named by content, which can be thrown away at any time."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from PIL import Image

from twinlens.thumbnails import thumbnail_path

LONGEST_SIDE = 320
QUALITY = 80


def keep_thumbnail(image: Image.Image, folder: Path, sha256: bytes) -> None:
    """Store a thumbnail of an RGB image, unless one is there.

    Other programs never see half of it. A cache that cannot be written never fails the photo.
    """
    path = thumbnail_path(folder, sha256)
    with contextlib.suppress(OSError):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(_small(image), path)


def _small(image: Image.Image) -> Image.Image:
    scale = LONGEST_SIDE / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _write(image: Image.Image, path: Path) -> None:
    # No fsync: after a power cut the cache is rebuilt from the photo.
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        image.save(unfinished, "JPEG", quality=QUALITY)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
