"""EXIF of one photo, for people; header reading alone, and never more than a hostile file may cost.

exifread follows offsets wherever they lead and counts as far as the file says. Here every read is
counted: a file that asks for more than headers have is left, and says nothing.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

MOST_BYTES: Final = 8_000_000
"""Headers with their thumbnail and maker notes take tens of kilobytes; a HEIC's tables hundreds."""
MOST_READS: Final = 100_000
"""A photo with long maker notes takes some thousand reads. 100,000 take a tenth of a second."""

Tags = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exif:
    """What a photo says of itself, each empty where it does not."""

    facts: Mapping[str, str]
    """By name, in the order in which people want to know."""
    unreadable: bool = False
    """Whether there is EXIF that cannot be read."""


def read(file: BinaryIO) -> Exif:
    """Return what the EXIF of an open photo says. Never raises on what is in the file."""
    import exifread  # not needed to list groups

    # It reports what it meets; a photo is not worth a line on the terminal.
    logging.getLogger("exifread").disabled = True
    try:
        # Without details: no maker notes, whose readers are the longest and least careful.
        bounded = cast("BinaryIO", _Bounded(file))
        tags = exifread.process_file(bounded, details=False, extract_thumbnail=False)
        return Exif({name: words for name, say in _FACTS.items() if (words := _said(say, tags))})
    except Exception:  # noqa: BLE001  struct, index, unicode, recursion: a hostile file chooses which
        return Exif({}, unreadable=True)


class _SpentError(Exception):
    """The file asked for more than headers need."""


class _Bounded(io.RawIOBase):
    """A file that gives so much and no more."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes = MOST_BYTES
        self._reads = MOST_READS

    def read(self, size: int = -1, /) -> bytes:
        self._reads -= 1
        found = self._file.read(min(size, self._bytes + 1) if size >= 0 else self._bytes + 1)
        self._bytes -= len(found)
        if self._bytes < 0 or self._reads < 0:
            raise _SpentError
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._reads -= 1
        if self._reads < 0:
            raise _SpentError
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _said(say: Callable[[Tags], str], tags: Tags) -> str:
    """Return a fact in words; one that is nonsense says nothing, and the others still count."""
    try:
        return " ".join("".join(c if c.isprintable() else " " for c in say(tags)).split())[:200]
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError):
        return ""


def _text(*names: str) -> Callable[[Tags], str]:
    def say(tags: Tags) -> str:
        return next((str(tags[name]) for name in names if name in tags), "")

    return say


def _number(tags: Tags, name: str) -> float:
    return float(tags[name].values[0]) if name in tags else 0.0


def _taken(tags: Tags) -> str:
    day, _, time = str(tags.get("EXIF DateTimeOriginal", "")).partition(" ")
    fraction = str(tags.get("EXIF SubSecTimeOriginal", "")).strip()
    zone = str(tags.get("EXIF OffsetTimeOriginal", "")).strip()
    if not time.strip("0: "):
        return ""
    return f"{day.replace(':', '-')} {time}{'.' + fraction if fraction else ''} {zone}"


def _camera(tags: Tags) -> str:
    make, model = (str(tags.get(name, "")).strip() for name in ("Image Make", "Image Model"))
    # "Canon" and "Canon EOS 5D", "NIKON CORPORATION" and "NIKON D90".
    repeated = make.split(" ")[0].lower() in model.lower()
    return model if repeated else f"{make} {model}"


def _exposure(tags: Tags) -> str:
    seconds, aperture = _number(tags, "EXIF ExposureTime"), _number(tags, "EXIF FNumber")
    bias = _number(tags, "EXIF ExposureBiasValue")
    parts = []
    if seconds > 0:
        parts.append(f"{seconds:.3g} s" if seconds >= 0.3 else f"1/{1 / seconds:.0f} s")
    if aperture > 0:
        parts.append(f"f/{aperture:.2g}")
    if bias:
        parts.append(f"{bias:+.2g} EV")
    return ", ".join(parts)


def _focal(tags: Tags) -> str:
    focal, small = _number(tags, "EXIF FocalLength"), _number(tags, "EXIF FocalLengthIn35mmFilm")
    if focal <= 0:
        return ""
    return f"{focal:.3g} mm" + (f" (as {small:.0f} mm)" if small > 0 else "")


def _place(tags: Tags) -> str:
    found = []
    for name, ends in (("Latitude", "NS"), ("Longitude", "EW")):
        degrees, minutes, seconds = (float(part) for part in tags[f"GPS GPS{name}"].values)
        end = str(tags.get(f"GPS GPS{name}Ref", ends[0])).strip().upper()[:1]
        found.append(
            f"{degrees + minutes / 60 + seconds / 3600:.5f}° {end if end in ends else '?'}"
        )
    return ", ".join(found)


def _colours(tags: Tags) -> str:
    number = int(_number(tags, "EXIF ColorSpace"))
    # Exif 3.0, 4.6.6: anything but sRGB is "uncalibrated"; DCF marks Adobe RGB by R03.
    index = str(tags.get("Interoperability InteroperabilityIndex", "")).strip()
    if number == 1:
        return "sRGB"
    return ("Adobe RGB" if index == "R03" else "uncalibrated") if number else ""


_FACTS: Final[Mapping[str, Callable[[Tags], str]]] = {
    "Taken": _taken,
    "Camera": _camera,
    "Lens": _text("EXIF LensModel", "Image LensModel"),
    "Exposure": _exposure,
    "ISO": _text("EXIF ISOSpeedRatings", "EXIF PhotographicSensitivity"),
    "Focal length": _focal,
    "Flash": _text("EXIF Flash"),
    "Place": lambda tags: _place(tags) if "GPS GPSLatitude" in tags else "",
    "Colour space": _colours,
    "Software": _text("Image Software"),
    "By": _text("Image Artist", "Image Copyright"),
}

NAMES: Final = tuple(_FACTS)
"""Of all facts that EXIF can say."""
