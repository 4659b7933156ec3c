"""``twinlens scan``: read the photos of a folder, once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from twinlens import events, ledger
from twinlens.catalogue import Catalogue
from twinlens.contents import housekeep
from twinlens.roots import Root, list_roots
from twinlens_plugin import output
from twinlens_plugin.folders import register
from twinlens_plugin.interrupts import Interrupt
from twinlens_plugin.options import PATH, Command, Session, common
from twinlens_plugin.relations import find_groups
from twinlens_plugin.scanning import run_scan
from twinlens_plugin.wanted import Wanted


@dataclass(frozen=True, slots=True)
class _Start:
    """Where the catalogue stood before the scan."""

    clock: float
    last_file: int
    last_event: int


@dataclass(frozen=True, slots=True)
class _Summary:
    roots: Sequence[Root]
    photos: int
    new: int
    changed: int
    failed: int
    duplicates: int
    groups: int
    bytes_to_win: int
    seconds: float


@click.command("scan", cls=Command)
@click.argument("folders", nargs=-1, type=PATH, metavar="[FOLDER...]")
@click.option(
    "--accept-deletions",
    is_flag=True,
    help="Believe that photos were deleted, however many are gone at once.",
)
@click.option("--retry", is_flag=True, help="Try the photos in quarantine again.")
@common
def command(
    folders: tuple[bytes, ...], session: Session, *, accept_deletions: bool, retry: bool
) -> int:
    """Read the photos of FOLDERs once, and find duplicates among them.

    Only what is new or changed is read. Without a FOLDER, all watched ones are scanned. Ctrl-C
    loses nothing: the next scan goes on where this one stopped. Photos that cannot be read are put
    in quarantine and are no failure of the scan.

    Example:
      twinlens scan ~/Pictures
    """
    opened = session.open_to_write() if folders else session.open_existing()
    with opened as catalogue, Interrupt() as interrupt:
        roots = register(catalogue, folders, now=time.time())
        start = _stand(catalogue)
        if retry:
            for root in roots:
                ledger.retry_quarantined(catalogue, root.id)
        if not run_scan(session, catalogue, roots, interrupt, accept_deletions=accept_deletions):
            output.remark("stopped. The next scan goes on where this one stopped.")
            return interrupt.exit_code
        # Those who never watch need their tombstones and old events cleared as well.
        housekeep(catalogue, now=time.time(), tombstone_days=session.settings.tombstone_days)
        summary = _summarise(session, catalogue, roots, start)
    if session.as_json:
        output.write_json(_as_json(summary))
    else:
        output.write_lines(_as_text(summary))
    return _say_what_is_away(summary.roots)


def _stand(catalogue: Catalogue) -> _Start:
    last_file = catalogue.value("SELECT coalesce(max(id), 0) FROM files")
    return _Start(time.monotonic(), last_file, events.last_event(catalogue))


def _summarise(
    session: Session, catalogue: Catalogue, roots: Sequence[Root], start: _Start
) -> _Summary:
    ids = [root.id for root in roots]
    marks = ",".join("?" * len(ids))
    counts = [ledger.counts(catalogue, root_id) for root_id in ids]
    new = catalogue.value(
        f"SELECT count(*) FROM files WHERE id > ? AND missing_since IS NULL AND root_id IN ({marks})",  # noqa: S608
        [start.last_file, *ids],
    )
    changed = catalogue.value(
        f"SELECT count(*) FROM events WHERE kind = 'changed' AND seq > ? AND root_id IN ({marks})",  # noqa: S608
        [start.last_event, *ids],
    )
    wanted = Wanted(folders=tuple(root.path for root in roots))
    groups = find_groups(catalogue, session.settings, wanted)
    return _Summary(
        roots=[root for root in list_roots(catalogue) if root.id in ids],
        photos=sum(count.photos for count in counts),
        new=new,
        changed=changed,
        failed=sum(count.quarantined for count in counts),
        duplicates=sum(len(group.spare) for group in groups),
        groups=len(groups),
        bytes_to_win=sum(group.bytes_to_win for group in groups),
        seconds=time.monotonic() - start.clock,
    )


def _as_json(summary: _Summary) -> dict[str, object]:
    return {
        "roots": [output.json_path(root.path) for root in summary.roots],
        "photos": summary.photos,
        "new": summary.new,
        "changed": summary.changed,
        "failed": summary.failed,
        "duplicates": summary.duplicates,
        "groups": summary.groups,
        "bytes_to_win": summary.bytes_to_win,
        "seconds": round(summary.seconds, 3),
    }


def _as_text(summary: _Summary) -> Iterator[str]:
    failed = "  list them: twinlens quarantine" if summary.failed else ""
    found = "  none"
    if summary.groups:
        won = output.megabytes(summary.bytes_to_win)
        found = f"  in {output.plural(summary.groups, 'group')}, {won} to win back"
    rows = (
        ("Photos", summary.photos, f"  in {_time(summary.seconds)}"),
        ("New", summary.new, ""),
        ("Changed", summary.changed, ""),
        ("Unreadable", summary.failed, failed),
        ("Duplicates", summary.duplicates, found),
    )
    for name, count, more in rows:
        yield f"{name:<10}  {count:>9,}{more}"
    yield f"Next: {_next(summary)}"


def _next(summary: _Summary) -> str:
    if summary.groups:
        return "twinlens duplicates, or twinlens review to see them in the browser"
    return "twinlens similar PHOTO, or twinlens watch to follow the folder"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _say_what_is_away(roots: Sequence[Root]) -> int:
    """Name the folders that could not be read, and return the exit code."""
    away = [root for root in roots if not root.online]
    for root in away:
        path = output.shown(root.path)
        reason = (root.reason or "").partition(" If they were deleted")[0]  # said once is enough
        output.remark(
            f"{path}: not scanned ({reason.rstrip('?')}). Bring its disk back; if you deleted the"
            f" photos on purpose, run: twinlens scan --accept-deletions {path}"
        )
    return 1 if away else 0
