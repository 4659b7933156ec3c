"""Errors in one line: what it is about, the cause, the cure."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import click

from twinlens.errors import CatalogueError, TwinlensError


def one_line(error: Exception) -> str:
    """Return an error as the line that a person is shown."""
    match error:
        case click.UsageError(ctx=context):
            path = context.command_path if context else "twinlens"
            text = f"{_sentence(error.format_message())} See: {path} --help"
        case click.ClickException():
            text = error.format_message()
        case TwinlensError():
            text = str(error)
        case sqlite3.Error():
            text = f"the catalogue cannot be used: {error}. Free disk space? Run: twinlens doctor"
        case OSError(filename=name, strerror=why) if isinstance(name, str | bytes):
            text = f"{os.fsdecode(name)}: {why}. Check the path and its permissions."
        case _:
            kind = type(error).__name__
            text = f"this should not happen: {kind}: {error}. Add --debug for a report to send us."
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode()


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


_CURES = {
    sqlite3.SQLITE_FULL: "Make space on its disk, then do the same again.",
    sqlite3.SQLITE_BUSY: "Another program holds it: wait for that, then do the same again.",
    sqlite3.SQLITE_READONLY: "Correct the permissions of its folder, or copy the library elsewhere.",
    sqlite3.SQLITE_CORRUPT: "Restore it from a backup, or move it away and run: twinlens scan FOLDER",
    sqlite3.SQLITE_NOTADB: "Restore it from a backup, or move it away and run: twinlens scan FOLDER",
}
"""What helps, by SQLite's primary result code (https://www.sqlite.org/rescode.html)."""


def unusable(catalogue: Path, error: sqlite3.Error) -> CatalogueError:
    """Return an error of SQLite as one that names the file, the cause and the cure."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    cure = _CURES.get(code & 0xFF, "Check its disk, then run: twinlens doctor")
    return CatalogueError(f"{catalogue}: the catalogue cannot be used: {error}. {cure}")
