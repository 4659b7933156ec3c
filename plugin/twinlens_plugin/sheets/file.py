"""The file of a sheet: under another name until it is whole, and in the place of no other file."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from twinlens_plugin.acting import files
from twinlens_plugin.errors import SheetError
from twinlens_plugin.output import shown

MARK = b'<meta name="generator" content="twinlens contact sheet'
"""By which a sheet is known; in its first kilobyte."""


@contextlib.contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """Open a file to write a sheet into; it takes its name when the block ends well.

    On an error or Ctrl-C nothing is left of it. Raises SheetError; an older sheet is replaced.
    """
    path = os.fsencode(file.absolute())
    _refuse_another(file)
    temporary = files.beside(path, f"sheet-{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as handle:  # noqa: PTH123  bytes
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        _name(temporary, path, file)
    except BaseException as error:
        files.discard(temporary)
        if isinstance(error, OSError) and error.filename in {None, temporary, path}:
            raise _unwritable(path, error) from error
        raise
    files.sync_folder(os.path.dirname(path))  # noqa: PTH120  bytes


def _name(temporary: bytes, path: bytes, file: Path) -> None:
    try:
        files.rename(temporary, path)
    except FileExistsError:
        _refuse_another(file)
        os.rename(temporary, path)  # noqa: PTH104  bytes


def _refuse_another(file: Path) -> None:
    """Raise SheetError where there is a file that is no sheet: it is not ours to replace."""
    path = os.fsencode(file.absolute())
    try:
        if not os.path.lexists(path):
            return
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as handle:
                if MARK in handle.read(1024):
                    return
    except OSError as error:
        raise _unwritable(path, error) from error
    raise SheetError(
        f"{shown(path)}: is there already, and is no contact sheet. Choose another name."
    )


def _unwritable(path: bytes, error: OSError) -> SheetError:
    return SheetError(
        f"{shown(path)}: the sheet cannot be written: {error.strerror}."
        " Make space, or choose another place."
    )
