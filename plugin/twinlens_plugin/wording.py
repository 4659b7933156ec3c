"""Errors in one line: what it is about, the cause, the cure."""

from __future__ import annotations

import os
import sqlite3

import click

from twinlens.errors import TwinlensError


def one_line(error: Exception) -> str:
    """Return an error as the line that a person is shown."""
    match error:
        case click.UsageError(ctx=context):
            path = context.command_path if context else "twinlens"
            text = f"{error.format_message()} See: {path} --help"
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
