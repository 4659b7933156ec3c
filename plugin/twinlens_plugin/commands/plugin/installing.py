"""``twinlens plugin install`` and ``remove``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import platformdirs

from twinlens_plugin import output
from twinlens_plugin.dam import registry
from twinlens_plugin.dam.calling import call_for
from twinlens_plugin.dam.installing import LEFT, REMOVED, UPDATED, WROTE, Installer, Outcome
from twinlens_plugin.dam.integration import Call, Integration
from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.dam.record import Record
from twinlens_plugin.errors import IntegrationError
from twinlens_plugin.options import Command, Function, Session, common

_SHORT = {
    WROTE: "would write",
    UPDATED: "would update",
    REMOVED: "would remove",
}
"""A dry run's words, where they are others."""


def open_record() -> Record:
    """Read the record of what was written, in the user's data folder. Raises IntegrationError."""
    folder = platformdirs.user_data_path("twinlens", appauthor=False)
    return Record.load(folder / "plugins.json")


def _options(function: Function) -> Function:
    names = click.argument(
        "names", nargs=-1, type=click.Choice(list(registry.INTEGRATIONS)), metavar="[NAME...]"
    )
    force = click.option(
        "--force", is_flag=True, help="Also files of ours that were changed since."
    )
    dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done; do nothing.")
    wrapped: Any = common(function)
    for option in (dry_run, force, names):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


@click.command("install", cls=Command)
@click.option("--anyway", is_flag=True, help="Install for programs that are not found here too.")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    metavar="DIR",
    help="Write to DIR, for a program of another computer: lightroom.",
)
@_options
def install(
    names: tuple[str, ...],
    to: Path | None,
    session: Session,
    *,
    anyway: bool,
    force: bool,
    dry_run: bool,
) -> int:
    """Put twinlens into a photo manager or file manager: NAME is one of "twinlens plugin list".

    Without NAMEs: into all that are found on this computer. They will start this very twinlens, on
    the library that is asked now (--library, --config). Run it again after an upgrade. No file is
    overwritten that twinlens did not write, or that you changed.

    Exit code: 0 done, 1 something could not be written or was left.

    Example:
      twinlens plugin install
      twinlens plugin install geeqie --dry-run
      twinlens plugin install digikam --library ~/photos/library
      twinlens plugin install lightroom --to ~/Desktop
    """
    if to is not None and set(names) != {"lightroom"}:
        raise click.UsageError("--to is for lightroom alone: the others have one place each.")
    machine, record = Machine(dict(os.environ)), open_record()
    installer = Installer(machine, record, force=force, dry_run=dry_run)
    plain = call_for(session, machine.environ, sys.argv[0])
    # Where one was written elsewhere, that is where it is kept up to date.
    carried = {name: call.to for name, call in record.calls.items() if call.to}
    if to is not None:
        carried[names[0]] = to.absolute()
    chosen = _chosen(machine, names, anyway=anyway or (bool(names) and set(names) <= set(carried)))
    calls = {one.name: replace(plain, to=carried.get(one.name)) for one in chosen}
    return _each(
        session, chosen, lambda one: installer.install(one, calls[one.name]), dry_run=dry_run
    ) or _advise(session, machine, calls, dry_run=dry_run)


@click.command("remove", cls=Command)
@_options
def remove(names: tuple[str, ...], session: Session, *, force: bool, dry_run: bool) -> int:
    """Take twinlens out of a photo manager or file manager again.

    Without NAMEs: out of all. What was written is removed, unless it was changed since; so are
    folders that were made for it and are empty.

    Exit code: 0 done, 1 something was left.

    Example:
      twinlens plugin remove
      twinlens plugin remove geeqie
    """
    record = open_record()
    chosen = [registry.get(name) for name in dict.fromkeys(names)] or [
        one for one in registry.all_of_them() if record.of(one.name)
    ]
    if not chosen:
        output.remark("twinlens is in no other program: nothing to remove.")
    for one in chosen:
        if not record.of(one.name):
            output.remark(f"twinlens is not in {one.title}: nothing to remove.")
    installer = Installer(Machine(dict(os.environ)), record, force=force, dry_run=dry_run)
    return _each(session, chosen, installer.remove, dry_run=dry_run)


def _chosen(machine: Machine, names: Sequence[str], *, anyway: bool) -> list[Integration]:
    """Return those named, or all that are found. Raises IntegrationError."""
    if not names:
        found = [one for one in registry.all_of_them() if anyway or one.found(machine)]
        if not found:
            titles = ", ".join(one.title for one in registry.all_of_them())
            raise IntegrationError(
                f"none of these is found on this computer: {titles}."
                " Install one, or name it and add --anyway."
            )
        return found
    chosen = [registry.get(name) for name in dict.fromkeys(names)]
    for one in chosen:
        if not anyway and one.found(machine) is None:
            raise IntegrationError(
                f"{one.title} is not found on this computer. {one.cure}, or add --anyway."
            )
    return chosen


def _each(
    session: Session,
    chosen: Iterable[Integration],
    act: Callable[[Integration], list[Outcome]],
    *,
    dry_run: bool,
) -> int:
    """Do something for each integration and say what came of it; return the exit code."""
    code = 0
    for one in chosen:
        outcomes = act(one)
        if session.as_json:
            output.write_json(*(_as_json(one, outcome) for outcome in outcomes))
        else:
            output.write_lines(_as_text(one, outcomes, dry_run=dry_run))
        code |= any(outcome.did == LEFT for outcome in outcomes)
    return code


def _advise(session: Session, machine: Machine, calls: Mapping[str, Call], *, dry_run: bool) -> int:
    if not dry_run and not session.as_json:
        for one in map(registry.get, calls):
            for line in one.advice(machine, calls[one.name]):
                output.remark(f"{one.title}: {line}")
    return 0


def _as_json(one: Integration, outcome: Outcome) -> dict[str, Any]:
    path = output.json_path(os.fsencode(outcome.path))
    return {"plugin": one.name, **path, "did": outcome.did, "why": outcome.why or None}


def _as_text(one: Integration, outcomes: Sequence[Outcome], *, dry_run: bool) -> list[str]:
    words = _SHORT if dry_run else {}
    rows = [
        (
            words.get(outcome.did, outcome.did),
            output.shown(os.fsencode(outcome.path)) + (f"  ({outcome.why})" if outcome.why else ""),
        )
        for outcome in outcomes
    ]
    return [one.title, *output.columns(rows, indent=2)]
