"""Paths given in a file, or piped in: photo managers select more than a command line holds."""

from __future__ import annotations

import sys
from pathlib import Path

import click


def read_list(source: str, *, null: bool) -> list[bytes]:
    """Return the paths listed in the file ``source``, or on standard input for ``-``.

    They are separated by newlines (Windows' too), or by NUL; empty ones are dropped.
    """
    if source == "-":
        data = sys.stdin.buffer.read()
    else:
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise click.FileError(source, f"{error.strerror}. Check the path.") from error
    if null:
        return [path for path in data.split(b"\0") if path]
    lines = (line.removesuffix(b"\r") for line in data.split(b"\n"))
    return [line for line in lines if line]
