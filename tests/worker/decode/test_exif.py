"""When and with what a photo was taken, as far as its metadata says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import ExifTags, Image

from twinlens.models import Model
from twinlens_worker.decode import Decoded
from twinlens_worker.decode.exif import camera_name, iso_time

Decode = Callable[..., Decoded]


@pytest.mark.parametrize(
    ("moment", "fraction", "offset", "expected"),
    [
        ("2019:07:04 12:33:21", None, None, "2019-07-04T12:33:21"),
        ("2019:07:04 12:33:21", "07", "+02:00", "2019-07-04T12:33:21.07+02:00"),
        ("2019:07:04 12:33:21\0", "5  ", "-09:30", "2019-07-04T12:33:21.5-09:30"),
        ("2019-07-04T12:33:21", "", "   :  ", "2019-07-04T12:33:21"),
        (b"2019:07:04 12:33:21", None, "Z", "2019-07-04T12:33:21Z"),
        ("0000:00:00 00:00:00", None, None, None),
        ("    :  :     :  :  ", None, None, None),
        ("2019:13:04 12:33:21", None, None, None),
        ("2019:07:04", None, None, None),
        (None, None, None, None),
        (1234, None, None, None),
    ],
)
def test_a_time_is_iso_8601_or_nothing(
    moment: object, fraction: object, offset: object, expected: str | None
):
    """A clock that was never set is no time; odd separators and NULs are common."""
    assert iso_time(moment, fraction, offset) == expected


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS 40D", "Canon EOS 40D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("SONY\0\0\0", "  DSC-D700 \0junk", "SONY DSC-D700"),
        ("EASTMAN KODAK COMPANY", "KODAK CX7530", "KODAK CX7530"),
        ("OLYMPUS IMAGING CORP.  ", "u1020,S1020  ", "OLYMPUS u1020,S1020"),
        ("OLYMPUS OPTICAL CO.,LTD", "C960Z,D460Z", "OLYMPUS C960Z,D460Z"),
        ("CASIO COMPUTER CO.,LTD.", "EX-Z750", "CASIO COMPUTER EX-Z750"),
        ("FUJIFILM", None, "FUJIFILM"),
        (None, "SM-G930F", "SM-G930F"),
        (None, None, None),
        ("", " \0", None),
        ("a\x1b[31m", "b\nc", "a [31m b c"),
        ("x" * 500, None, "x" * 80),
    ],
)
def test_a_camera_has_one_clean_name(make: object, model: Model, expected: str | None):
    """The make not twice, no padding, nothing that upsets a terminal."""
    assert camera_name(make, model) == expected


def test_the_facts_of_a_photo_are_kept(decode: Decode, quarters: Image.Image):
    """From the main directory and the Exif directory below it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "FUJIFILM"
    exif[ExifTags.Base.Model] = "X-T3"
    exif[ExifTags.Base.DateTime] = "2024:01:01 00:00:00"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:07:04 12:33:21"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.OffsetTimeOriginal] = "+09:00"
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"):
        answer = decode(quarters, kind=kind, exif=exif.tobytes())
        assert (answer.taken_at, answer.camera) == ("2019-07-04T12:33:21+09:00", "FUJIFILM X-T3")


def test_the_time_of_saving_is_not_the_time_of_the_shot(decode: Decode, quarters: Image.Image):
    """Plain DateTime changes with every edit."""
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = "2024:01:01 00:00:00"
    assert decode(quarters, kind="JPEG", exif=exif).taken_at is None
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeDigitized] = "2019:07:04 12:33:21"
    assert decode(quarters, kind="JPEG", exif=exif).taken_at == "2019-07-04T12:33:21"
