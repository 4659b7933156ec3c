"""Answers on standard output: bytes, since paths are bytes; JSON; columns for people.

Nothing but the answer goes there. Remarks go to standard error, through ``remark``.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from twinlens.media import printable
from twinlens_plugin.errors import OutputError


def write_lines(lines: Iterable[str]) -> None:
    """Print lines of text as UTF-8, whatever the locale."""
    _write("".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace"))


def write_paths(paths: Iterable[bytes], *, null: bool) -> None:
    """Print paths as they are, each followed by a newline or NUL."""
    end = b"\0" if null else b"\n"
    _write(b"".join(path + end for path in paths))


def write_json(*records: dict[str, Any]) -> None:
    """Print one JSON object a line."""
    _write("".join(json.dumps(record) + "\n" for record in records).encode("ascii"))


def json_path(path: bytes, key: str = "path") -> dict[str, str]:
    """Return a path as JSON fields.

    Undecodable bytes become lone surrogates (PEP 383); then the same bytes follow as
    ``<key>_base64``, for languages that have no such thing.
    """
    try:
        return {key: path.decode("utf-8")}
    except UnicodeDecodeError:
        encoded = base64.b64encode(path).decode("ascii")
        return {key: path.decode("utf-8", "surrogateescape"), f"{key}_base64": encoded}


def remark(text: str) -> None:
    """Say something beside the answer, on standard error."""
    sys.stdout.flush()
    line = f"twinlens: {text}\n".encode("utf-8", "backslashreplace").decode()
    sys.stderr.write(line)
    sys.stderr.flush()


def shown(path: bytes) -> str:
    """Return a path for people."""
    return printable(path)


def absolute(path: bytes) -> bytes:
    """Return the real, absolute form of a path, as the catalogue has it."""
    return os.path.realpath(path)


def megabytes(count: int) -> str:
    """Return a size in MB (10^6 bytes), one form for all sizes so that columns compare."""
    digits = 1 if count >= 10_000_000 else 2
    return f"{count / 1e6:,.{digits}f} MB"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return ``1 photo``, ``2 photos``, ``12,345 photos``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def columns(rows: Sequence[Sequence[str]], indent: int = 0) -> list[str]:
    """Lay out rows in plain columns, left-aligned, the last one ragged."""
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in list(zip(*rows, strict=True))[:-1]]
    return [
        " " * indent
        + "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def _write(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"the answer cannot be written: {error.strerror}. Make space, or send it elsewhere."
        ) from error
