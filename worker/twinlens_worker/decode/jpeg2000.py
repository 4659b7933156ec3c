"""Decoding JPEG 2000 at reduced scale: its wavelet levels are sizes, each half the one before."""

from __future__ import annotations

import math

from PIL import Image

_START = b"\xff\x4f\xff\x51"  # SOC and SIZ open a codestream (ITU-T T.800, annex A)
_COD = 0xFF52
_SOT = 0xFF90


def reduce(image: Image.Image, data: bytes, factor: float) -> None:
    """Ask for a decode at a power of two, at most ``factor`` and what the file has levels for."""
    # Pillow documents this attribute, but its type is shared with Image.reduce, the method.
    image.reduce = min(int(math.log2(factor)), levels(data))  # type: ignore[method-assign,assignment]


def reduction(image: Image.Image) -> int:
    """Return how many times fewer pixels the decode will have than ``image.size`` says."""
    power = image.reduce if image.format == "JPEG2000" else 0
    return 4**power if isinstance(power, int) else 1


def levels(data: bytes) -> int:
    """Return the number of decomposition levels in the main header; 0 where it is not found."""
    start = data.find(_START)
    at = start + 2
    while start >= 0 and at + 10 <= len(data):
        marker = int.from_bytes(data[at : at + 2])
        if marker == _COD:
            return min(data[at + 9], 32)
        if marker == _SOT or marker < 0xFF00:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0
