"""A sheet as HTML: a head with the totals, sections, a foot."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import jinja2

from twinlens import __version__
from twinlens_plugin.output import megabytes, plural

MOST_TO_MAIL = 25_000_000
"""Bytes of a mail that most servers take (Gmail's limit, with what is in it as base64)."""

_LARGEST = 10**12
"""More than any number in a head, so that the place kept for it is large enough."""

Facts = Sequence[tuple[str, str]]
"""What was asked for: names and values."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a sheet holds."""

    groups: int
    photos: int
    spare: int = 0
    won: int = 0
    """Bytes to win back."""
    more: bool = False
    """Whether there are more groups than it shows."""


class Sheet:
    """Writes one sheet into a file that can be sought in.

    Totals stand in the head and are known at the end: a place is kept for the head, and what it
    does not need is filled with spaces, which HTML does not show.
    """

    def __init__(self, stream: BinaryIO, template: str, title: str, facts: Facts) -> None:
        """``template``: ``duplicates`` or ``similar``, whose sections it has."""
        self._stream = stream
        self._section = _environment().get_template(f"{template}.html")
        self._fields = {
            "title": title,
            "facts": facts,
            "kind": template,
            "version": __version__,
            "at": dt.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        }
        self._kept = len(
            self._head(Totals(_LARGEST, _LARGEST, _LARGEST, _LARGEST, more=True), size=_LARGEST)
        )
        stream.write(b" " * self._kept)

    def section(self, **fields: object) -> None:
        """Write a group, or a photo with what looks like it."""
        self._write(self._section.render(**fields))

    def finish(self, totals: Totals) -> int:
        """Write the foot, then the head; return the size of the file in bytes."""
        foot = _environment().get_template("foot.html")
        self._write(foot.render(**self._fields, totals=totals))
        size = self._stream.tell()
        head = self._head(totals, size)
        self._stream.seek(0)
        self._stream.write(head.ljust(self._kept))
        return size

    def _head(self, totals: Totals, size: int) -> bytes:
        template = _environment().get_template("head.html")
        return template.render(**self._fields, totals=totals, size=size).encode()

    def _write(self, text: str) -> None:
        self._stream.write(text.encode())


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("twinlens_plugin.sheets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"megabytes": megabytes, "plural": plural}
    return made
