"""Every pixel of a photo, hashed: whether two files hold the same picture to the last bit."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image

from twinlens_worker.decode.colour import to_rgb
from twinlens_worker.decode.exif import facts
from twinlens_worker.decode.picture import FORMATS, UPRIGHT_BY_PILLOW, refuse_huge, upright
from twinlens_worker.decode.whole import refuse_half


def hash_pixels(data: bytes, *, max_megapixels: int) -> bytes:
    """Return the SHA-256 of a picture at full size: upright, sRGB, without its metadata.

    Takes as long as it takes to decode: about 10 ms a megapixel. Raises DecodeError, TooLargeError,
    and whatever Pillow raises for damaged data.
    """
    refuse_half(data)
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    refuse_huge(image.size, image.width * image.height, max_megapixels)
    turn = 1 if image.format in UPRIGHT_BY_PILLOW else facts(image).orientation
    image.load()
    return _hash(np.asarray(upright(to_rgb(image, 1), turn)))


def hash_sensor(data: bytes) -> bytes:
    """Return the SHA-256 of what a RAW file's sensor saw. Raises rawpy.LibRawError."""
    import rawpy

    with rawpy.imread(io.BytesIO(data)) as raw:
        return _hash(raw.raw_image)


def _hash(pixels: np.ndarray) -> bytes:
    shape = repr((pixels.shape, pixels.dtype.str)).encode()
    return hashlib.sha256(shape + np.ascontiguousarray(pixels).tobytes()).digest()
