"""The rules of ``--keep``: each says which of two photos is the better one, and why.

``DEFAULT`` is their order where nobody asks for another. ``keys`` gives a photo's keys by these
rules, the lowest of which is best; a rule has the words for the difference between two photos.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from twinlens.errors import ConfigError
from twinlens_plugin.shots import Photo, Shot

PATH_PREFIX = "path:"

_STEP = math.log(1.1)
"""Bytes a pixel and sharpness are compared in steps of a tenth: below that, chance decides."""

_EDITED_NAME = re.compile(
    rb"^IMG_E\d{4}|[-_ ](edit|edited|bearbeitet|modifi\xc3\xa9|editada|modificato)(\b|_|\d)",
    re.IGNORECASE,
)
"""How iOS (IMG_E1041), Google Photos (-edited, in the user's language) and Lightroom (-Edit) call
what they made of a photo."""

_FROM_CAMERA = ("HEIF", "JPEG")
_OF_UNKNOWN_ORIGIN = ("JPEG", "HEIF")
"""After RAW. A phone's HEIF is seldom made of a JPEG with its camera data kept, but without such
data a JPEG is the likelier original. What is neither comes last: a PNG made of a JPEG is larger,
not better."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    """As ``--keep`` has it."""
    words: Callable[[Shot, Shot], str]
    """Why the first is better than the second."""
    telling: bool = False
    """Whether it is worth saying where another rule decided."""
    original: bool = False
    """Whether it tells an original from what was made of it, or somebody's word stands behind it."""
    key: Callable[[Shot], Any] | None = None
    """Lower is better; None for those of which ``keys`` knows."""


def parse_keep(text: str) -> tuple[Rule, ...]:
    """Return the rules named in ``RULE,RULE...``. Raises ConfigError for what is none."""
    names = [name.strip() for name in text.split(",")]
    rules = [_named(name) for name in names if name]
    if not rules:
        raise ConfigError(f"--keep: '{text}' names no rule. Known: {', '.join(_known())}.")
    return tuple(rules)


def _named(name: str) -> Rule:
    if name.startswith(PATH_PREFIX) and len(name) > len(PATH_PREFIX):
        return _path_rule(name)
    for rule in DEFAULT:
        if rule.name == name:
            return rule
    raise ConfigError(f"--keep: unknown rule '{name}'. Known: {', '.join(_known())}.")


def _known() -> list[str]:
    return [*(rule.name for rule in DEFAULT), f"{PATH_PREFIX}GLOB"]


def keys(shot: Shot) -> tuple[Any, ...]:
    """Return a shot's keys by the rules of ``DEFAULT``, then ``LAST``, in that order.

    In one function, since it is asked for each of a hundred thousand photos.
    """
    photo = shot.photo
    raw = shot.raw
    pixels = photo.pixels
    rating, tagged = shot.rating, shot.tagged
    return (
        0 if raw else 1 if photo.format == "TIFF" else 2,  # TIFF is what RAW developers write
        -pixels,
        photo.derived or _has_edited_name(photo.path),
        photo.camera is None,
        (0 if raw else _format_rank(photo), -_steps(photo.size / (pixels or 1))),
        not photo.reference,
        (-(rating or 0), not tagged),
        -_steps(photo.sharpness) if photo.sharpness else 0,
        photo.taken_at or _file_time(photo.mtime_ns),
        -photo.size,
        photo.mtime_ns,
        len(photo.path),
        photo.path,
    )


def _raw_words(keeper: Shot, other: Shot) -> str:
    return f"{_format(keeper)} over {_format(other)}"


def _pixel_words(keeper: Shot, other: Shot) -> str:
    if not other.photo.pixels:
        return "most pixels"
    mine, theirs = (f"{shot.photo.pixels / 1e6:.2g} MP" for shot in (keeper, other))
    if mine == theirs:
        mine, theirs = (f"{s.photo.width}x{s.photo.height}" for s in (keeper, other))
    return f"{mine} against {theirs}"


def _has_edited_name(path: bytes) -> bool:
    return _EDITED_NAME.search(path.rpartition(b"/")[2]) is not None


def _format_rank(photo: Photo) -> int:
    """Formats are not compared by bytes: a PNG made of a JPEG is larger, not better."""
    order = _OF_UNKNOWN_ORIGIN if photo.camera is None else _FROM_CAMERA
    return 1 + (order.index(photo.format) if photo.format in order else len(order))


def _compression_words(keeper: Shot, other: Shot) -> str:
    if _format(keeper) != _format(other):
        return f"in a camera's format ({_format(keeper)} over {_format(other)})"
    mine, theirs = (shot.photo.size / 1e6 for shot in (keeper, other))
    return f"least compressed ({mine:.3g} MB against {theirs:.3g} MB)"


def _rating_words(keeper: Shot, other: Shot) -> str:
    if keeper.rating and keeper.rating > 0:
        return f"has rating {keeper.rating}"
    return "is tagged" if (other.rating or 0) == (keeper.rating or 0) else "the other is rejected"


def _sharpness_words(keeper: Shot, other: Shot) -> str:
    mine, theirs = keeper.photo.sharpness, other.photo.sharpness
    return "sharpest" if not theirs else f"sharper ({mine:.3g} against {theirs:.3g})"


def _file_time(mtime_ns: int) -> str:
    """Return a file's time as EXIF has times: local, ISO 8601, without a zone."""
    local = dt.datetime.fromtimestamp(mtime_ns // 10**9)  # noqa: DTZ006  EXIF times are local
    return local.isoformat()


def _path_rule(name: str) -> Rule:
    """Return the rule that prefers paths a pattern matches, as the shell has patterns.

    ``*`` matches folders too; a pattern of a folder matches what lies below it; one that starts
    neither at ``/`` nor at ``~`` may start at any folder.
    """
    pattern = os.fsencode(os.path.expanduser(name.removeprefix(PATH_PREFIX)))  # noqa: PTH111
    pattern = (pattern if pattern.startswith((b"/", b"*")) else b"*/" + pattern).rstrip(b"/")

    def key(shot: Shot) -> bool:
        path = shot.photo.path
        return not (fnmatchcase(path, pattern) or fnmatchcase(path, pattern + b"/*"))

    return Rule(name, _said(f"in {name}"), telling=True, key=key)


def _format(shot: Shot) -> str:
    return "RAW" if shot.raw else shot.photo.format or "unknown format"


def _steps(value: float) -> int:
    return math.floor(math.log(value) / _STEP) if value > 0 else -(10**6)


def _said(words: str) -> Callable[[Shot, Shot], str]:
    return lambda _keeper, _other: words


DEFAULT = (
    Rule("raw", _raw_words, telling=True, original=True),
    Rule("pixels", _pixel_words, telling=True, original=True),
    Rule("unedited", _said("unedited"), telling=True, original=True),
    Rule("camera", _said("has the camera's data"), telling=True, original=True),
    Rule("compression", _compression_words),
    Rule("reference", _said("in a reference folder"), telling=True, original=True),
    Rule("rated", _rating_words, telling=True, original=True),
    Rule("sharp", _sharpness_words),
    Rule("oldest", _said("taken first")),
)
"""What is worth most comes first: a RAW file, then pixels, then the camera's own file. What cannot
be made good again comes before what can: ratings can be carried over, pixels cannot."""

LAST = (
    Rule("size", _said("largest file")),
    Rule("file-time", _said("oldest file")),
    Rule("short-path", _said("shortest path")),
    Rule("name", _said("first by name")),
)
"""What makes the choice the same each time; not to be asked for."""
