"""Why a photo cannot be decoded, in words that a photographer understands."""

from __future__ import annotations

import re

from PIL import UnidentifiedImageError

from twinlens.errors import DecodeError, PhotoError, TooLargeError

_LONGEST = 80
"""Characters kept of what a decoder says."""

_UNPRINTABLE = re.compile(r"<[^<>]*object at 0x[0-9a-f]+>|[^ -~]+")
_CUT_SHORT = ("truncated", "unexpected end", "end of file", "eof", "not enough image data")
_OUT_OF_MEMORY = ("out of memory", "cannot allocate", "failed to allocate", "memory allocation")
_NOT_FOR_US = ("unsupported", "not supported", "unknown compression", "cannot handle")

TRUNCATED = (
    "the image data ends early (truncated): the copy is not complete."
    " Copy it again from the camera or a backup."
)
NO_MEMORY = (
    "decoding needs more memory than decode_megabytes allows. Raise that setting to take it."
)


def explained(error: Exception) -> PhotoError:
    """Return any error of a decoder as a PhotoError with a short reason."""
    if isinstance(error, PhotoError):
        return error
    said_lower = str(error).lower()
    if isinstance(error, MemoryError) or any(words in said_lower for words in _OUT_OF_MEMORY):
        return TooLargeError(NO_MEMORY)
    if isinstance(error, UnidentifiedImageError):
        return DecodeError(
            "not an image in a format that twinlens reads, or its beginning is damaged."
        )
    if isinstance(error, EOFError) or any(words in said_lower for words in _CUT_SHORT):
        return DecodeError(TRUNCATED)
    if any(words in said_lower for words in _NOT_FOR_US):
        return DecodeError(
            f"a rare kind of image file ({said(error)}). Save it anew in another program."
        )
    return DecodeError(f"the image data is damaged ({said(error)}). Restore it from a backup.")


def said(error: Exception) -> str:
    """Return an error's own words, printable and short, without object addresses."""
    words = error.args[0] if error.args else ""
    if isinstance(words, bytes):
        words = words.decode("ascii", errors="replace")
    text = " ".join(_UNPRINTABLE.sub(" ", str(words)).split()).strip(" .:")
    return text[:_LONGEST] or type(error).__name__
