"""The picture of a file that browsers cannot show, as a JPEG that they can."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image

from twinlens.errors import UnreadableError
from twinlens_worker.decode import jpegs
from twinlens_worker.decode.picture import Picture, read_picture
from twinlens_worker.decode.request import Rendering

QUALITY: Final = 92
"""With full colour resolution: what is told apart at full size must not be the JPEG's own doing."""

_ALL: Final = 1 << 30
"""A side larger than any picture's: nothing is scaled down."""

_LONGEST_OF_JPEG: Final = 65_500
"""Pixels along a side that libjpeg writes."""


def render(data: bytes, wanted: Rendering, *, raw: bool, max_megapixels: int) -> Picture:
    """Write the picture in ``data``, upright sRGB; return it, with the size of the original.

    Raises what ``read_picture`` and ``read_raw`` raise, and UnreadableError where it cannot be written.
    """
    longest = wanted.longest_side or _ALL
    side = (longest + 1) // 2  # a short side of twice this: the long one is large enough
    if raw:
        from twinlens_worker.decode.raw import read_raw  # a library has many or none

        found = read_raw(data, side=side, max_megapixels=max_megapixels, least=longest)
    else:
        found = read_picture(data, side=side, max_megapixels=max_megapixels)
    most = min(longest, _LONGEST_OF_JPEG)
    image = jpegs.at_most(found.image, most, Image.Resampling.LANCZOS, gap=3.0)
    _write(image, wanted.to)
    return replace(found, image=image)


def _write(image: Image.Image, path: Path) -> None:
    try:
        jpegs.write(image, path, quality=QUALITY, subsampling=0)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise UnreadableError(
            f"its picture cannot be written to {path.parent}: {why}. Make space there."
        ) from error
