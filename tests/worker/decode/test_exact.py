"""Every pixel, hashed at full size."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twinlens.errors import TooLargeError
from twinlens_worker.decode import DecodeRequest
from twinlens_worker.decode.decoder import Decoder


@pytest.fixture
def photo() -> Image.Image:
    """A picture of noise, 90 x 60."""
    noise = np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def exact(decoder: Decoder, path: Path) -> bytes:
    """Return the hash of a file's pixels."""
    found = decoder.decode(DecodeRequest(os.fsencode(path), 32, None, None, exact=True)).exact
    assert found is not None
    return found


def test_metadata_and_container_do_not_count(decoder: Decoder, photo: Image.Image, tmp_path: Path):
    """PNG, TIFF and a commented PNG of one picture."""
    names = ("a.png", "b.tif", "c.png")
    for name in names:
        photo.save(tmp_path / name, compress_level=1 if name == "c.png" else 6)
    assert len({exact(decoder, tmp_path / name) for name in names}) == 1


def test_one_pixel_counts(decoder: Decoder, photo: Image.Image, tmp_path: Path):
    """One level of one channel of one pixel."""
    photo.save(tmp_path / "a.png")
    red, green, blue = photo.getpixel((7, 7))  # type: ignore[misc]
    photo.putpixel((7, 7), (red ^ 1, green, blue))
    photo.save(tmp_path / "b.png")
    assert exact(decoder, tmp_path / "a.png") != exact(decoder, tmp_path / "b.png")


def test_pictures_are_compared_upright(decoder: Decoder, photo: Image.Image, tmp_path: Path):
    """Turned in its pixels, or by its tag."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "a.png", exif=exif)
    photo.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "b.png")
    assert exact(decoder, tmp_path / "a.png") == exact(decoder, tmp_path / "b.png")


def test_huge_pictures_are_refused(photo: Image.Image, tmp_path: Path):
    """As everywhere: what does not fit is not decoded whole."""
    photo.resize((1200, 1000)).save(tmp_path / "a.png")
    with pytest.raises(TooLargeError):
        exact(Decoder(max_megapixels=1), tmp_path / "a.png")
