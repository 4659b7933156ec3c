"""The thumbnail cache: named by content, whole or absent, never in the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from twinlens_worker.decode import DecodeRequest
from twinlens_worker.decode.decoder import Decoder
from twinlens_worker.decode.thumbnail import thumbnail_path

Corners = Callable[..., list[str]]


@pytest.fixture
def photo(tmp_path: Path, quarters: Image.Image) -> Path:
    """A photo that lies on its side in its file."""
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = quarters.resize((1600, 1200)).transpose(Image.Transpose.ROTATE_90)
    stored.save(path, quality=95, exif=exif)
    return path


def request_of(photo: Path, cache: Path | None) -> DecodeRequest:
    """Return the request to decode a photo and keep its thumbnail in ``cache``."""
    return DecodeRequest(os.fsencode(photo), 32, cache, None)


def test_a_thumbnail_is_small_and_upright(
    decoder: Decoder, photo: Path, tmp_path: Path, corners: Corners
):
    """320 pixels along the longer side, by the name of its content."""
    answer = decoder.decode(request_of(photo, tmp_path / "cache"))
    path = thumbnail_path(tmp_path / "cache", answer.sha256)
    assert path.parent.name == answer.sha256.hex()[:2]
    assert path.name == answer.sha256.hex() + ".jpg"
    with Image.open(path) as small:
        assert (small.format, small.size) == ("JPEG", (320, 240))
        assert "exif" not in small.info
        square = small.resize((32, 32))
    import numpy as np

    assert corners(np.asarray(square)) == ["red", "green", "blue", "white"]
    assert list(path.parent.iterdir()) == [path]


def test_a_small_photo_is_not_enlarged(decoder: Decoder, tmp_path: Path, quarters: Image.Image):
    """A thumbnail has at most the pixels of its photo."""
    quarters.save(tmp_path / "photo.png")
    answer = decoder.decode(request_of(tmp_path / "photo.png", tmp_path / "cache"))
    with Image.open(thumbnail_path(tmp_path / "cache", answer.sha256)) as small:
        assert small.size == (160, 120)


def test_pixels_do_not_depend_on_whether_a_thumbnail_is_kept(
    decoder: Decoder, photo: Path, tmp_path: Path
):
    """Or a setting would change the vectors."""
    with_one = decoder.decode(request_of(photo, tmp_path / "cache"))
    without = decoder.decode(request_of(photo, None))
    assert (with_one.pixels == without.pixels).all()


def test_a_thumbnail_that_is_there_is_left_alone(decoder: Decoder, photo: Path, tmp_path: Path):
    """The name is the content's, so that it cannot be out of date."""
    answer = decoder.decode(request_of(photo, tmp_path / "cache"))
    path = thumbnail_path(tmp_path / "cache", answer.sha256)
    path.write_bytes(b"kept")
    decoder.decode(request_of(photo, tmp_path / "cache"))
    assert path.read_bytes() == b"kept"


def test_a_cache_that_cannot_be_written_does_not_fail_the_photo(
    decoder: Decoder, photo: Path, tmp_path: Path
):
    """Here because a file stands where the folder should be."""
    (tmp_path / "cache").write_bytes(b"")
    assert decoder.decode(request_of(photo, tmp_path / "cache")).width == 1600
