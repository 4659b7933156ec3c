"""Photos come out upright, once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import ExifTags, Image

from twinlens_worker.decode import Decoded

Corners = Callable[..., list[str]]
Decode = Callable[..., Decoded]

# How to spoil an upright picture so that a viewer who obeys the tag sees it upright again.
SPOILED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exif_of(orientation: int) -> Image.Exif:
    """Return metadata that says no more than this."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", SPOILED)
def test_a_photo_is_turned_upright_once(
    decode: Decode, corners: Corners, quarters: Image.Image, kind: str, orientation: int
):
    """All eight values; HEIF and AVIF turn by their own boxes, which must not count twice."""
    method = SPOILED[orientation]
    stored = quarters if method is None else quarters.transpose(method)
    exif = exif_of(orientation)
    # pillow-heif writes the box that turns the picture only where EXIF comes as bytes.
    given = exif.tobytes() if kind == "HEIF" else exif
    answer = decode(stored, kind=kind, exif=given, quality=95)
    assert corners(answer.pixels) == ["red", "green", "blue", "white"]
    assert (answer.width, answer.height) == (160, 120)


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg"])
def test_a_compressed_tiff_is_turned_once_too(
    decode: Decode, corners: Corners, quarters: Image.Image, compression: str
):
    """Pillow reads these by another way, through libtiff."""
    stored = quarters.transpose(SPOILED[6])
    answer = decode(stored, kind="TIFF", exif=exif_of(6), compression=compression)
    assert corners(answer.pixels) == ["red", "green", "blue", "white"]
    assert (answer.width, answer.height) == (160, 120)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(
    decode: Decode, corners: Corners, quarters: Image.Image, orientation: int
):
    """Some programs write 0."""
    answer = decode(quarters, kind="JPEG", exif=exif_of(orientation), quality=95)
    assert corners(answer.pixels) == ["red", "green", "blue", "white"]


def test_broken_exif_does_not_cost_the_photo(
    decode: Decode, corners: Corners, quarters: Image.Image
):
    """The picture counts, the metadata is an extra."""
    answer = decode(quarters, kind="JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f", quality=95)
    assert corners(answer.pixels) == ["red", "green", "blue", "white"]
    assert answer.taken_at is None
