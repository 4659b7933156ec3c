"""Where a photo comes from, as its metadata says: which burst, and which document.

Apple numbers bursts in its maker note, Google in XMP; XMP's media management names documents. XMP is
searched as text, not parsed as XML: packets are often broken, and XML from strangers can be a bomb.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from PIL import ExifTags, Image

_APPLE: Final = b"Apple iOS\0"
_BURST_UUID: Final = 0x000B
"""ExifTool's name for Apple's tag 11; the directory begins 14 bytes after the note does."""
_MAKER_NOTE: Final = ExifTags.Base.MakerNote

_MOST_XMP: Final = 1_000_000
"""Bytes of XMP looked at: depth maps and edit histories can follow what is sought."""
_LONGEST: Final = 200

_VALUE: Final = rb"""\s*(?:=\s*["']([^"'<]{1,200})["']|>\s*([^<]{1,200}?)\s*</)"""
"""As an attribute, or as an element."""
_BURST: Final = re.compile(rb"GCamera:BurstID" + _VALUE)
_ORIGINAL: Final = re.compile(rb"xmpMM:OriginalDocumentID" + _VALUE)
_DOCUMENT: Final = re.compile(rb"xmpMM:DocumentID" + _VALUE)
_DERIVED: Final = re.compile(
    rb"<xmpMM:DerivedFrom\b(.{0,2000}?)(?:/>|</xmpMM:DerivedFrom>)", re.DOTALL
)
_PARENT: Final = re.compile(rb"stRef:(?:original)?[dD]ocumentID" + _VALUE)


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of where a photo comes from."""

    burst: str | None = None
    document: str | None = None
    """The first document that it was saved from, itself where it was saved once."""
    derived_from: str | None = None


def origin(image: Image.Image, exif: Image.Exif) -> Origin:
    """Return what an opened image's metadata says."""
    details = exif.get_ifd(ExifTags.IFD.Exif) if exif else {}
    note = details.get(_MAKER_NOTE)
    packet = _packet(image, exif)
    derived = _DERIVED.search(packet)
    return Origin(
        burst=_apple_burst(note) or _found(_BURST, packet),
        document=_found(_ORIGINAL, packet) or _found(_DOCUMENT, packet),
        derived_from=_found(_PARENT, derived[1]) if derived else None,
    )


def _packet(image: Image.Image, exif: Image.Exif) -> bytes:
    for name in ("xmp", "XML:com.adobe.xmp"):
        value = image.info.get(name)
        if value:
            return (value.encode() if isinstance(value, str) else bytes(value))[:_MOST_XMP]
    whole: Any = exif.get(ExifTags.Base.XMLPacket) if exif else None  # TIFF
    return bytes(whole)[:_MOST_XMP] if isinstance(whole, bytes | tuple) else b""


def _found(pattern: re.Pattern[bytes], packet: bytes) -> str | None:
    match = pattern.search(packet)
    return _clean(next(filter(None, match.groups()))) if match else None


def _apple_burst(note: object) -> str | None:
    """Return the BurstUUID of an Apple maker note: a big-endian directory after 14 bytes."""
    if not isinstance(note, bytes) or not note.startswith(_APPLE):
        return None
    count = int.from_bytes(note[14:16], "big")
    for place in range(16, min(16 + 12 * count, len(note) - 11), 12):
        if int.from_bytes(note[place : place + 2], "big") == _BURST_UUID:
            length = int.from_bytes(note[place + 4 : place + 8], "big")
            start = int.from_bytes(note[place + 8 : place + 12], "big")
            return _clean(note[start : start + min(length, _LONGEST)])
    return None


def _clean(value: bytes) -> str | None:
    text = value.partition(b"\0")[0].decode("latin-1")
    return "".join(c for c in text if c.isprintable()).strip() or None
