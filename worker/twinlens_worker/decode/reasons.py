"""Why a photo cannot be decoded, in words that a photographer understands."""

from __future__ import annotations

import re

from PIL import UnidentifiedImageError

from twinlens.errors import DecodeError, PhotoError, TooLargeError

_LONGEST = 80
"""Characters kept of what a decoder says."""

_UNPRINTABLE = re.compile(r"<[^<>]*object at 0x[0-9a-f]+>|[^ -~]+")

TRUNCATED = (
    "the image data ends early (truncated): the copy is not complete."
    " Copy it again from the camera or a backup."
)
UNKNOWN = "not an image in a format that twinlens reads, or its beginning is damaged."
RARE = "a rare kind of image file ({said}). Save it anew in another program."
DAMAGED = "the image data is damaged ({said}). Restore it from a backup."
NO_MEMORY = (
    "decoding needs more memory than decode_megabytes allows. Raise that setting to take it."
)

_MEANINGS: tuple[tuple[tuple[str, ...], type[PhotoError], str], ...] = (
    (
        ("out of memory", "cannot allocate", "failed to allocate", "memory allocation"),
        TooLargeError,
        NO_MEMORY,
    ),
    # libwebp says no more than this.
    (
        ("could not create decoder object",),
        DecodeError,
        f"the image data is damaged, or {NO_MEMORY}",
    ),
    (
        ("truncated", "unexpected end", "end of file", "eof", "not enough image data"),
        DecodeError,
        TRUNCATED,
    ),
    (("unsupported", "not supported", "unknown compression"), DecodeError, RARE),
)
"""What Pillow and the libraries below it say, in part and lower case, and what it means."""


def explained(error: Exception) -> PhotoError:
    """Return any error of a decoder as a PhotoError with a short reason."""
    match error:
        case PhotoError():
            return error
        case MemoryError():
            return TooLargeError(NO_MEMORY)
        case UnidentifiedImageError():
            return DecodeError(UNKNOWN)
        case EOFError():
            return DecodeError(TRUNCATED)
    words = str(error).lower()
    for parts, kind, reason in _MEANINGS:
        if any(part in words for part in parts):
            return kind(reason.format(said=said(error)))
    return DecodeError(DAMAGED.format(said=said(error)))


def said(error: Exception) -> str:
    """Return an error's own words, printable and short, without object addresses."""
    words = error.args[0] if error.args else ""
    if isinstance(words, bytes):
        words = words.decode("ascii", errors="replace")
    text = " ".join(_UNPRINTABLE.sub(" ", str(words)).split()).strip(" .:")
    return text[:_LONGEST] or type(error).__name__
