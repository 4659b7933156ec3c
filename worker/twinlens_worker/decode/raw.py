"""Camera RAW files: the camera's own preview where it is large enough, else a half-size develop."""

from __future__ import annotations

import io
import sys

import numpy as np
import rawpy
from PIL import Image

from twinlens.errors import DecodeError, TooLargeError
from twinlens_worker.decode.colour import to_rgb
from twinlens_worker.decode.exif import facts, facts_of_tiff
from twinlens_worker.decode.picture import (
    SIDEWAYS,
    Picture,
    read_picture,
    refuse_huge,
    scale_factor,
    shrunk,
    upright,
)
from twinlens_worker.decode.reasons import TRUNCATED, said
from twinlens_worker.decode.tiff import data_overruns
from twinlens_worker.decode.whole import refuse_half

_ORIENTATIONS = {0: 1, 3: 3, 5: 8, 6: 6}
"""LibRaw's ``flip`` as EXIF orientation (libraw_image_sizes_t)."""


_TRIMMED = 0.9
"""Share of the RAW's size that a preview of the whole picture has at least: cameras trim its edges."""


def read_raw(data: bytes, *, side: int, max_megapixels: int, least: int | None = None) -> Picture:
    """Decode a RAW file; ``width`` and ``height`` are those of the RAW, not of its preview.

    ``least``: pixels that the short side of the picture should have, for people to look at, where
    the RAW has as many; None: what serves a square of ``side``.

    Raises DecodeError, TooLargeError.
    """
    refuse_half(data)
    if data_overruns(data):  # the preview alone would decode
        raise DecodeError(TRUNCATED)
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            return _read(raw, data, side, max_megapixels, least)
    except (rawpy.LibRawUnsufficientMemoryError, rawpy.LibRawMemPoolOverflowError) as error:
        raise MemoryError from error
    except rawpy.LibRawTooBigError as error:
        raise TooLargeError("the RAW file is larger than LibRaw can read.") from error
    except rawpy.LibRawFileUnsupportedError:
        return read_picture(data, side=side, max_megapixels=max_megapixels)  # renamed JPEG or TIFF
    except rawpy.LibRawError as error:
        raise DecodeError(
            f"the RAW file is damaged (LibRaw: {said(error)}). Restore a backup."
        ) from error


def _read(
    raw: rawpy.RawPy, data: bytes, side: int, max_megapixels: int, least: int | None
) -> Picture:
    turn = _ORIENTATIONS.get(raw.sizes.flip, 1)
    width, height = raw.sizes.width, raw.sizes.height
    shown = (height, width) if turn >= SIDEWAYS else (width, height)
    image = _preview(raw, shown, turn, side)
    enough = min(side, *shown) if least is None else _TRIMMED * min(least, *shown)
    if image is None or min(image.size) < enough:
        half = least is None or 2 * least <= min(shown)
        refuse_huge((width, height), width * height / (4 if half else 1), max_megapixels)
        image = _developed(raw, side, half=half)
    return Picture(image, *shown, "RAW", facts_of_tiff(data))


def _preview(raw: rawpy.RawPy, shown: tuple[int, int], turn: int, side: int) -> Image.Image | None:
    """Return the embedded preview, scaled down and upright, or None where there is none of use."""
    try:
        preview = raw.extract_thumb()
        if preview.format == rawpy.ThumbFormat.BITMAP:
            return upright(Image.fromarray(np.asarray(preview.data)), turn)
        data = bytes(preview.data)
        image = Image.open(io.BytesIO(data), formats=("JPEG",))
        turn = facts(image).orientation
        if turn >= SIDEWAYS and _portrait(image.size) == _portrait(shown):
            turn = 1  # the camera turned its preview and left the tag as it was
        return upright(shrunk(image, data, side=side, max_megapixels=sys.maxsize), turn)
    except (rawpy.LibRawError, OSError, SyntaxError, ValueError):
        return None


def _portrait(size: tuple[int, int]) -> bool:
    return size[1] > size[0]


def _developed(raw: rawpy.RawPy, side: int, *, half: bool) -> Image.Image:
    """Return the RAW data developed, at half size or whole, which LibRaw turns upright."""
    image = Image.fromarray(raw.postprocess(half_size=half, use_camera_wb=True))
    return to_rgb(image, int(scale_factor(image.size, side)))
