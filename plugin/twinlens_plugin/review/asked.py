"""What a search asks for, as an address or a form says it."""

from __future__ import annotations

import math
import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from twinlens.media import is_photo_name
from twinlens_plugin.output import shown
from twinlens_plugin.review.problems import Refused, whole_number

MOST: Final = 500
"""Photos shown at once; more of them nobody looks through."""

USUAL: Final = 40

_ESCAPED: Final = re.compile(rb"\\x([0-9a-f]{2})|\\[nrt]|\\u[0-9a-f]{4}")
"""What ``twinlens.media.printable`` writes for a byte that is no text, or a character that is not to be seen."""

SMALLEST: Final = 0.01
"""Share of a photo's width and height that a box has at least: a smaller one shows nothing."""


class Box(NamedTuple):
    """A part of a photo, in shares of its upright width and height."""

    left: float
    top: float
    width: float
    height: float

    def text(self) -> str:
        """Return it as addresses have it."""
        return ",".join(f"{number:.4f}".rstrip("0").rstrip(".") for number in self)

    def words(self) -> str:
        """Return it for people."""
        left, top, width, height = (f"{number * 100:.0f} %" for number in self)
        return f"{width} wide and {height} high, {left} from the left and {top} from the top"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many photos are listed, and how alike they are at least."""

    k: int = USUAL
    min_score: float = 0.0


def limits(values: Mapping[str, str]) -> Limits:
    """Read ``k`` and ``min-score``. Raises Refused."""
    k = _number(values, "k", USUAL, 1, MOST)
    return Limits(int(k), _number(values, "min-score", 0.0, -1.0, 1.0))


def photo_number(text: str) -> int:
    """Read a photo's number. Raises Refused."""
    return whole_number(text, f"photo={text}: is no photo's number. Look for another.")


def box(text: str) -> Box | None:
    """Read ``left,top,width,height``; None where there is none. Raises Refused."""
    if not text:
        return None
    try:
        left, top, width, height = map(float, text.split(","))
    except ValueError:
        raise Refused(f"box={text}: must be four numbers, left,top,width,height.") from None
    if not all(map(math.isfinite, (left, top, width, height))):
        raise Refused(f"box={text}: must be four numbers from 0 to 1.")
    # What was drawn may reach over the edge by a rounding.
    right, bottom = min(1.0, left + width), min(1.0, top + height)
    left, top = max(0.0, left), max(0.0, top)
    if right - left < SMALLEST or bottom - top < SMALLEST:
        raise Refused("The box is too small, or beside the photo. Draw a larger one.")
    return Box(left, top, right - left, bottom - top)


def typed_path(text: str) -> bytes:
    r"""Return the photo that a person named, real or not. Raises Refused for what is none by its name.

    ``~`` and ``file://`` are understood: file managers give the latter. So are names as this page
    shows them, with ``\xff`` for a byte that is no text and ``\n`` for a newline.
    """
    text = text.strip()
    if "\0" in text:
        raise Refused("No path holds a NUL. Correct it.")
    if text.startswith("file://"):
        text = urllib.parse.unquote(text.removeprefix("file://"), errors="surrogateescape")
    path = _as_shown(os.path.expanduser(os.fsencode(text)))  # noqa: PTH111  bytes
    if not path.startswith(b"/"):
        raise Refused(f"{shown(path)}: name the whole path, from / on.")
    if not is_photo_name(path.rpartition(b"/")[2]):
        raise Refused(f"{shown(path)}: is not called like a photo. Name a photo.")
    return path


def _as_shown(path: bytes) -> bytes:
    r"""Return the file that is shown like this, where none is called so.

    ``\xa0`` stands for a byte that is no UTF-8, or for the character of that number.
    """
    if b"\\" in path and not os.path.lexists(path):
        for meant in (_byte, _character):
            found = _ESCAPED.sub(meant, path)
            if os.path.lexists(found):
                return found
    return path


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode()) if escape[1] else _character(escape)


def _character(escape: re.Match[bytes]) -> bytes:
    return escape[0].decode("unicode_escape").encode("utf-8", "surrogatepass")


def _number(values: Mapping[str, str], name: str, usual: float, least: float, most: float) -> float:
    text = values.get(name, "")
    try:
        number = float(text) if text else usual
    except ValueError:
        number = math.nan
    if not least <= number <= most:  # NaN is not
        raise Refused(f"{name}={text}: must be from {least:g} to {most:g}.")
    return number
