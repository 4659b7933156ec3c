"""The thumbnail cache: small JPEGs named by content, which can be thrown away at any time."""

from __future__ import annotations

import contextlib
from pathlib import Path

from PIL import Image

from twinlens.thumbnails import thumbnail_path
from twinlens_worker.decode import jpegs

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
            small = jpegs.at_most(image, LONGEST_SIDE, Image.Resampling.BILINEAR, gap=2.0)
            jpegs.write(small, path, quality=QUALITY)
