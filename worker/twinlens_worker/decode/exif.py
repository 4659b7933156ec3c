"""The few facts that twinlens keeps of a photo's metadata."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

from twinlens_worker.decode.origin import Origin, origin

_LONGEST = 80
"""Characters of a camera's name that are kept; real ones have at most about 40."""

_MOMENT = re.compile(r"(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d|Z")

_COMPANY = re.compile(
    r"[ ,]+(?:(?:imaging|optical|electric|corporation|corp|company|co|ltd|inc|gmbh)[., ]*)+$",
    re.IGNORECASE,
)
"""What follows the name people know: ``NIKON CORPORATION``, ``OLYMPUS OPTICAL CO.,LTD``."""

_TIMES = (
    (
        ExifTags.Base.DateTimeOriginal,
        ExifTags.Base.SubsecTimeOriginal,
        ExifTags.Base.OffsetTimeOriginal,
    ),
    (
        ExifTags.Base.DateTimeDigitized,
        ExifTags.Base.SubsecTimeDigitized,
        ExifTags.Base.OffsetTimeDigitized,
    ),
)
"""Never plain DateTime: that is when a program last saved the file."""


_UNKNOWN = Origin()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the metadata says. ``orientation`` is EXIF's 1 to 8 (CIPA DC-008, tag 0x0112)."""

    orientation: int = 1
    taken_at: str | None = None
    camera: str | None = None
    origin: Origin = _UNKNOWN


def facts(image: Image.Image) -> Facts:
    """Return what an opened image's metadata says; broken metadata says nothing."""
    try:
        exif = image.getexif()
        return dataclasses.replace(_facts(exif), origin=origin(image, exif))
    except Exception:  # noqa: BLE001  metadata is an extra: whatever is wrong, the picture counts
        return Facts()


def facts_of_tiff(data: bytes) -> Facts:
    """Return what the directory of a TIFF-like file says: most RAW formats are such files."""
    try:
        exif = Image.Exif()
        exif.load(b"Exif\0\0" + data)
        return _facts(exif)
    except Exception:  # noqa: BLE001  as above; not every RAW format is like TIFF
        return Facts()


def _facts(exif: Image.Exif) -> Facts:
    if not exif:
        return Facts()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    return Facts(
        orientation=orientation if orientation in range(1, 9) else 1,
        taken_at=next((found for tags in _TIMES if (found := _time(details, *tags))), None),
        camera=camera_name(exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Model)),
    )


def _time(details: dict[int, Any], moment: int, fraction: int, offset: int) -> str | None:
    return iso_time(details.get(moment), details.get(fraction), details.get(offset))


def iso_time(moment: object, fraction: object = None, offset: object = None) -> str | None:
    """Return EXIF's ``YYYY:MM:DD HH:MM:SS`` with its companions as ISO 8601, or None.

    Cameras whose clock was never set write zeros or blanks: no time at all.
    """
    found = _MOMENT.match(_text(moment))
    if not found:
        return None
    try:
        iso = datetime(*map(int, found.groups())).isoformat()  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    digits = re.match(r"\d{1,6}", _text(fraction))
    zone = _OFFSET.match(_text(offset))
    return iso + (f".{digits[0]}" if digits else "") + (zone[0] if zone else "")


def camera_name(make: object, model: object) -> str | None:
    """Return make and model as one name, the make not twice: ``NIKON D70``, ``Apple iPhone 12``."""
    make, model = _COMPANY.sub("", _text(make)).strip(), _text(model)
    if model.casefold().split(" ")[0] in make.casefold().split(" "):
        make = ""
    return f"{make} {model}".strip()[:_LONGEST] or None


def _text(value: object) -> str:
    """Return what people would read: up to the first NUL, printable, single spaces."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    text = str(value or "").partition("\0")[0]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
