"""Each format gives the colours that were put in, with the size of the original."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from twinlens.errors import DecodeError
from twinlens_worker.decode import Decoded
from twinlens_worker.decode.picture import read_picture

Corners = Callable[..., list[str]]
Decode = Callable[..., Decoded]
Encode = Callable[..., bytes]

CORNERS = ["red", "green", "blue", "white"]
FORMATS = {
    "JPEG": {"quality": 95},
    "PNG": {},
    "WEBP": {"quality": 95},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
    "HEIF": {"quality": 95},
    "AVIF": {"quality": 95},
    "JPEG2000": {},
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("scale", [1, 12])
def test_a_format_keeps_its_colours_and_size(
    decode: Decode, corners: Corners, quarters: Image.Image, kind: str, scale: int
):
    """Whether or not it is decoded at a reduced scale."""
    image = quarters.resize((160 * scale, 120 * scale), Image.Resampling.NEAREST)
    answer = decode(image, kind=kind, **FORMATS[kind])
    assert answer.pixels.shape == (32, 32, 3)
    assert corners(answer.pixels) == CORNERS
    assert (answer.width, answer.height) == (160 * scale, 120 * scale)
    assert answer.format == kind


def test_a_format_is_known_by_content_not_by_name(
    decode: Decode, corners: Corners, quarters: Image.Image
):
    """Photos get wrong suffixes when people rename them."""
    assert decode(quarters, "photo.jpg", kind="PNG").format == "PNG"
    assert decode(quarters, "photo.dng", kind="JPEG").format == "JPEG"


def test_a_gif_is_its_first_frame(decode: Decode, corners: Corners, quarters: Image.Image):
    """An animation is judged by what a file manager shows of it."""
    frames = [Image.new("RGB", quarters.size, "black")] * 2
    answer = decode(quarters, kind="GIF", save_all=True, append_images=frames)
    assert corners(answer.pixels) == CORNERS


def test_the_first_page_of_a_tiff_is_the_picture(
    decode: Decode, corners: Corners, quarters: Image.Image
):
    """Scanners write pages, cameras previews behind."""
    pages = [Image.new("RGB", (10, 10))]
    answer = decode(quarters, kind="TIFF", save_all=True, append_images=pages)
    assert corners(answer.pixels) == CORNERS


def test_the_first_of_several_jpegs_in_a_file_is_the_picture(
    decode: Decode, corners: Corners, quarters: Image.Image
):
    """MPO, the stereo and panorama variant, is a JPEG to people."""
    other = Image.new("RGB", quarters.size)
    answer = decode(quarters, kind="MPO", save_all=True, append_images=[other], quality=95)
    assert corners(answer.pixels) == CORNERS
    assert answer.format == "JPEG"


@pytest.mark.parametrize("levels", [1, 6])
def test_jpeg_2000_is_scaled_as_far_as_its_levels_go(
    decode: Decode, corners: Corners, quarters: Image.Image, levels: int
):
    """Asking for more levels than the file has is an error in OpenJPEG."""
    image = quarters.resize((1920, 1440), Image.Resampling.NEAREST)
    answer = decode(image, kind="JPEG2000", num_resolutions=levels)
    assert corners(answer.pixels) == CORNERS
    assert (answer.width, answer.height) == (1920, 1440)


def test_a_heif_is_decoded_by_its_preview_where_that_is_large_enough(
    encode: Encode, corners: Corners, quarters: Image.Image
):
    """The picture itself takes three hundred times as long, which import would show."""
    data = encode(quarters.resize((900, 675)), "HEIF", thumbnails=[320])
    by_preview = read_picture(data, side=128, max_megapixels=250)
    whole = read_picture(data, side=224, max_megapixels=250)
    assert by_preview.image.size == (320, 240)
    assert min(whole.image.size) >= 2 * 224
    for picture in (by_preview, whole):
        assert (picture.width, picture.height) == (900, 675)
        assert corners(np.asarray(picture.image.resize((32, 32)))) == CORNERS


@pytest.mark.parametrize("kind", ["EPS", "PPM", "ICO", "TGA", "PDF"])
def test_other_formats_are_refused_whatever_their_name(
    decode: Decode, quarters: Image.Image, kind: str
):
    """EPS would start Ghostscript on a stranger's program."""
    with pytest.raises(DecodeError, match="not an image in a format that twinlens reads"):
        decode(quarters, "photo.jpg", kind=kind)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_of_any_shape_becomes_a_square(decode: Decode, size: tuple[int, int], kind: str):
    """Strips and dots included."""
    answer = decode(Image.new("RGB", size, "blue"), kind=kind)
    assert answer.pixels.shape == (32, 32, 3)
    assert (answer.width, answer.height) == size
