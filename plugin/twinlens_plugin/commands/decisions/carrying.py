"""``twinlens decisions export`` and ``import``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from twinlens_plugin import output
from twinlens_plugin.decision_file import dump, load, merge
from twinlens_plugin.decisions import every
from twinlens_plugin.errors import DecisionError
from twinlens_plugin.options import Command, Session, common

_FILE = click.Path(path_type=Path, readable=False, allow_dash=True)
_STANDARD = Path("-")


@click.command("export", cls=Command)
@click.argument("file", type=_FILE, default=_STANDARD, metavar="[FILE]")
@common
def export(file: Path, session: Session) -> None:
    """Write all decisions to FILE as JSON, or to standard output.

    An older FILE is replaced when the new one is whole. The same decisions give the same file.

    Example:
      twinlens decisions export ~/backup/decisions.json
    """
    with session.open_to_read() as catalogue, catalogue.read_tx():
        stored = list(every(catalogue))
    text = dump(stored)
    if file == _STANDARD:
        output.write_lines([text.rstrip("\n")])
        return
    _write(file, text)
    if session.as_json:
        output.write_json({"exported": len(stored)})
    else:
        output.write_lines([f"Exported {output.plural(len(stored), 'decision')}."])


@click.command("import", cls=Command)
@click.argument("file", type=_FILE)
@common
def import_decisions(file: Path, session: Session) -> None:
    """Add the decisions of a FILE that "export" wrote; - is standard input.

    They are taken all or, where one is wrong, none. Of two on the same photos the later one counts.
    The photos need not be in the library yet.

    Example:
      twinlens decisions import ~/backup/decisions.json
    """
    read = load(_read(file), str(file))
    with session.open_to_write() as catalogue:
        new = merge(catalogue, read)
    if session.as_json:
        output.write_json({"read": len(read), "new": new})
    else:
        output.write_lines(
            [f"Imported {output.plural(len(read), 'decision')}, {new:,} of them new."]
        )


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == _STANDARD else file.read_bytes()
    except OSError as error:
        raise DecisionError(f"{file}: cannot be read: {error.strerror}. Check the path.") from error


def _write(file: Path, text: str) -> None:
    """Write a file in one step: a crash leaves the old one."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with unfinished.open("x", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DecisionError(
            f"{file}: cannot be written: {error.strerror}. Choose another place."
        ) from error
