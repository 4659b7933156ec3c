"""``twinlens watch``: follow folders, and say what happens in them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import click

from twinlens import events
from twinlens.catalogue import Catalogue
from twinlens.events import Event
from twinlens_plugin import output, shipped
from twinlens_plugin.folders import register
from twinlens_plugin.handover import Handover
from twinlens_plugin.interrupts import Interrupt
from twinlens_plugin.options import PATH, Command, Session, common
from twinlens_plugin.scanning import TICK_SECONDS, Problems, watcher, worker
from twinlens_plugin.supervise import Supervised


@click.command("watch", cls=Command)
@click.argument("folders", nargs=-1, type=PATH, metavar="[FOLDER...]")
@common
def command(folders: tuple[bytes, ...], session: Session) -> None:
    """Follow folders, and print a line for each photo that comes, changes, goes or is a duplicate.

    FOLDERs are added to the library; all of its folders are followed. It stays until Ctrl-C.
    What happened while nobody watched is caught up with first.

    Example:
      twinlens watch ~/Pictures
      twinlens watch --json | while read -r event; do echo "$event"; done
    """
    opened = session.open_to_write() if folders else session.open_existing()
    with opened as catalogue, Interrupt() as interrupt:
        register(catalogue, folders, now=time.time())
        children = [watcher(session, output.remark)]
        if not session.settings.broker:
            children.append(worker(session, output.remark))
        try:
            _follow(session, catalogue, children, interrupt)
        finally:
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.stop()


def _follow(
    session: Session, catalogue: Catalogue, children: Sequence[Supervised], interrupt: Interrupt
) -> None:
    problems = Problems(catalogue, output.remark)
    shipped.note(catalogue)
    handover = Handover(catalogue, session.settings, output.remark)
    seq = events.last_event(catalogue)
    while True:
        for event in events.events_after(catalogue, seq):
            seq = event.seq
            if session.as_json:
                output.write_json(_as_json(event))
            else:
                output.write_lines([_as_text(event)])
        for child in children:
            child.tick(seq)
        problems.tick()
        handover.tick()
        if interrupt.wait(TICK_SECONDS):
            return


def _paths(event: Event) -> list[bytes]:
    """Return ``path`` and ``other`` of an event as absolute paths, where it has them."""
    given = [path for path in (event.path, event.other) if path is not None]
    return [os.path.join(event.root_path or b"", path) for path in given]  # noqa: PTH118  bytes


def _as_json(event: Event) -> dict[str, object]:
    fields: dict[str, object] = {"seq": event.seq, "at": event.at, "event": event.kind}
    for key, path in zip(("path", "other"), _paths(event), strict=False):
        fields |= output.json_path(path, key)
    return fields | ({"detail": event.detail} if event.detail else {})


def _as_text(event: Event) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(event.at))
    path, other, *_ = [*map(output.shown, _paths(event)), "", ""]
    match event.kind:
        case "moved":
            what = f"{other} -> {path}"
        case "duplicate":
            what = f"{path}  {event.detail} of {other}"
        case _:
            what = f"{path}  {event.detail}" if event.detail else path
    return f"{clock}  {event.kind:<9}  {what}"
