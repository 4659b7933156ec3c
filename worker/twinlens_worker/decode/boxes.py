"""A part of a picture: how large the picture must be decoded for it, and cutting it out."""

from __future__ import annotations

import math

from PIL import Image

from twinlens_worker.decode.request import Box

_LARGEST = 1_000_000
"""A side larger than that of any picture: decode all of it."""


def side_around(box: Box, side: int) -> int:
    """Return the side to decode a picture for, so that the box in it has room for ``side`` pixels."""
    smaller = min(box.width, box.height)
    return min(_LARGEST, math.ceil(side / smaller)) if smaller > 0 else _LARGEST


def cut_out(image: Image.Image, box: Box) -> Image.Image:
    """Return the part of an upright image, of at least one pixel."""
    left, right = _span(box.left, box.width, image.width)
    top, bottom = _span(box.top, box.height, image.height)
    return image.crop((left, top, right, bottom))


def _span(start: float, length: float, pixels: int) -> tuple[int, int]:
    first = min(pixels - 1, max(0, round(start * pixels)))
    return first, max(first + 1, min(pixels, round((start + length) * pixels)))
