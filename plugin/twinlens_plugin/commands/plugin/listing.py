"""``twinlens plugin list``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import click

from twinlens_plugin import output
from twinlens_plugin.commands.plugin.installing import open_record
from twinlens_plugin.dam import registry
from twinlens_plugin.dam.installing import LEFT, UNCHANGED, Installer
from twinlens_plugin.dam.integration import Found, Integration
from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.options import Command, Session, common

ABSENT, CURRENT, OUTDATED, CHANGED, BROKEN = "absent", "current", "outdated", "changed", "broken"

_WORDS = {
    CURRENT: "installed, up to date",
    OUTDATED: "installed, out of date. Run: twinlens plugin install {name}",
    CHANGED: "installed, changed since. See: twinlens plugin install {name} --dry-run",
    BROKEN: "its twinlens is gone: {program}. Run: twinlens plugin install {name}",
}


class _Row(NamedTuple):
    """What is known of one integration."""

    one: Integration
    found: Found | None
    state: str
    program: str | None
    """Which twinlens it starts, where it is installed."""


@click.command("list", cls=Command)
@common
def list_plugins(session: Session) -> None:
    """List the programs that twinlens can be put into: what is here, and what is installed.

    Example:
      twinlens plugin list
    """
    installer = Installer(Machine(dict(os.environ)), open_record())
    rows = [_row(installer, one) for one in registry.all_of_them()]
    if session.as_json:
        output.write_json(*map(_as_json, rows))
    else:
        output.write_lines(output.columns([_as_text(row) for row in rows]))


def _row(installer: Installer, one: Integration) -> _Row:
    found = one.found(installer.machine)
    call = installer.record.calls.get(one.name)
    if call is None or not installer.record.of(one.name):
        return _Row(one, found, ABSENT, None)
    did = {outcome.did for outcome in installer.compare(one, call)}
    if not Path(call.program[0]).exists():
        state = BROKEN
    elif LEFT in did:
        state = CHANGED
    else:
        state = CURRENT if did <= {UNCHANGED} else OUTDATED
    return _Row(one, found, state, call.program[0])


def _as_json(row: _Row) -> dict[str, object]:
    return {
        "name": row.one.name,
        "title": row.one.title,
        "found": row.found is not None,
        "version": (row.found.version or None) if row.found else None,
        "state": row.state,
        "program": row.program,
    }


def _as_text(row: _Row) -> tuple[str, str, str]:
    there = " ".join(filter(None, (row.one.title, row.found.version if row.found else "")))
    if row.state != ABSENT:
        return row.one.name, there, _WORDS[row.state].format(name=row.one.name, program=row.program)
    if row.found is None:
        return row.one.name, there, "not found on this computer"
    return row.one.name, there, f"not installed. Run: twinlens plugin install {row.one.name}"
