"""Our lines in a file of somebody else's: between two marks, everything around them untouched."""

from __future__ import annotations

from collections.abc import Sequence

from twinlens_plugin.errors import IntegrationError

_BEGIN = "twinlens: begin (twinlens plugin remove takes these lines away)"
_END = "twinlens: end"


def block(lines: Sequence[str], comment: str) -> bytes:
    """Return lines with a mark above and below, the last line ended."""
    begin, end = _marks(comment)
    return b"\n".join([begin, *(line.encode() for line in lines), end, b""])


def find(text: bytes, comment: str) -> bytes | None:
    """Return the marked lines of a text; None where there are none.

    Raises IntegrationError where a mark is without the other, or there are several.
    """
    place = _place(text, comment)
    return None if place is None else text[place]


def put(text: bytes, marked: bytes, comment: str) -> bytes:
    """Return a text with the marked lines: where they were, or at its end. Raises as ``find``."""
    place = _place(text, comment)
    if place is not None:
        return text[: place.start] + marked + text[place.stop :]
    gap = b"\n" if text and not text.endswith(b"\n") else b""
    return text + gap + marked


def cut(text: bytes, comment: str) -> bytes:
    """Return a text without the marked lines. Raises as ``find``."""
    place = _place(text, comment)
    return text if place is None else text[: place.start] + text[place.stop :]


def _marks(comment: str) -> tuple[bytes, bytes]:
    return f"{comment} {_BEGIN}".encode(), f"{comment} {_END}".encode()


def _place(text: bytes, comment: str) -> slice | None:
    begin, end = _marks(comment)
    lines = text.splitlines(keepends=True)
    bare = [line.rstrip() for line in lines]
    if begin not in bare and end not in bare:
        return None
    if bare.count(begin) != 1 or bare.count(end) != 1 or bare.index(begin) > bare.index(end):
        raise IntegrationError("the marks around the lines of twinlens are broken")
    first, last = bare.index(begin), bare.index(end)
    start = sum(map(len, lines[:first]))
    return slice(start, start + sum(map(len, lines[first : last + 1])))
