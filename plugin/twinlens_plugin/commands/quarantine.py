"""``twinlens quarantine``: which photos cannot be read, and why?"""

from __future__ import annotations

import os
from typing import Any

import click

from twinlens.catalogue import Catalogue
from twinlens_plugin import output
from twinlens_plugin.options import Command, Session, common


@click.command("quarantine", cls=Command)
@click.option("--paths", is_flag=True, help="Print paths alone.")
@click.option("-0", "--null", is_flag=True, help="The same, with NUL after each path.")
@common
def command(session: Session, *, paths: bool, null: bool) -> None:
    """List the photos that cannot be read, each with the reason.

    A photo comes out of quarantine when its file changes, or with "twinlens scan --retry".

    Example:
      twinlens quarantine
      twinlens quarantine -0 | xargs -0 ls -l
    """
    if session.as_json and (paths or null):
        raise click.UsageError("--json and --paths exclude each other.")
    with session.open_to_read() as catalogue:
        rows = _quarantined(catalogue)
    if paths or null:
        output.write_paths((_path(row) for row in rows), null=null)
    elif session.as_json:
        output.write_json(*map(_as_json, rows))
    else:
        output.write_lines(f"{output.shown(_path(row))}: {_reason(row)}" for row in rows)


def _quarantined(catalogue: Catalogue) -> list[Any]:
    return catalogue.rows(
        "SELECT r.path AS root, f.path, kind, jobs.reason, attempts + lapses AS attempts"
        " FROM jobs JOIN files f ON f.id = file_id JOIN roots r ON r.id = root_id"
        " WHERE state = 'quarantined' AND missing_since IS NULL ORDER BY r.path, f.path"
    )


def _path(row: Any) -> bytes:  # noqa: ANN401  sqlite3.Row
    path: bytes = os.path.join(row["root"], row["path"])  # noqa: PTH118
    return path


def _reason(row: Any) -> str:  # noqa: ANN401  sqlite3.Row
    """Return the reason, which may begin with the path that is printed already."""
    text = str(row["reason"] or "no reason is known")
    return text.removeprefix(f"{output.shown(_path(row))}: ")


def _as_json(row: Any) -> dict[str, object]:  # noqa: ANN401  sqlite3.Row
    return {
        **output.json_path(_path(row)),
        "kind": row["kind"],
        "reason": _reason(row),
        "attempts": row["attempts"],
    }
