"""Bringing the catalogue up to date with one root, path by path."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from twinlens import ledger, roots
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.media import printable
from twinlens.roots import Root
from twinlens_watcher.clock import Clock
from twinlens_watcher.compare import Identity, differs
from twinlens_watcher.known import Known, KnownFiles
from twinlens_watcher.losses import Losses
from twinlens_watcher.reading import SEPARATOR, Reader
from twinlens_watcher.settle import Settler

log = logging.getLogger(__name__)

TRANSACTION = 1_000
"""Files recorded in one transaction, so that a worker that wants to commit waits for milliseconds
(about 20 microseconds a row)."""

T = TypeVar("T")


class Follower:
    """Follows one root: waits until files settle, then records, moves or tombstones them.

    Whatever sqlite3 raises passes through; nothing that was seen is lost by it, as paths wait until
    they are recorded.
    """

    def __init__(
        self, catalogue: Catalogue, root: Root, clock: Clock, settle_seconds: float, *, local: bool
    ) -> None:
        self.catalogue = catalogue
        self.root = root
        self.clock = clock
        self.known = KnownFiles(catalogue, root.id)
        self.settler = Settler(clock, settle_seconds, local=local)
        self.own_folder = _library_below(root, catalogue)
        """The library, where it lies in the root: its thumbnails are not photos, and following them
        would make a thumbnail of each thumbnail for ever."""
        self._losses = Losses()

    def why_offline(self) -> str | None:
        """Return why the root is not to be trusted, also where it cannot even be looked at."""
        try:
            return roots.why_offline(self.root)
        except OSError as error:
            return f"the folder cannot be read: {error.strerror}"

    def accept_folder(self) -> None:
        """Take the folder that is there now for the root: its user says so."""
        if self.why_offline() is not None and self.root.folder.is_dir():
            self.root = roots.mark_again(self.catalogue, self.root)

    def look(self, paths: Iterable[bytes]) -> int:
        """Read paths that may have changed and record those that are settled; return how many."""
        reader = Reader(self.root.path)
        settled: list[tuple[bytes, FileStat]] = []
        gone: list[Known] = []
        for path in paths:
            if self.own_folder is not None and path.startswith(self.own_folder):
                continue
            try:
                stat = reader.read(path)
            except OSError as error:
                log.warning("%s: %s", self.name(path), error.strerror)
                self.settler.forget(path)  # the next sweep comes back to it
                continue
            known = self.known.at(path)
            if not differs(known, stat):
                self.settler.forget(path)
            elif stat is not None:
                if self.settler.see(path, stat):
                    settled.append((path, stat))
            elif known is not None and self.settler.see(path, None, Identity.of(known.stat)):
                gone.append(known)
        return self._record(settled, gone)

    def look_at_due(self) -> int:
        """Read again what has waited long enough; return how many were recorded."""
        return self.look(self.settler.due())

    def take(self, readings: Sequence[tuple[bytes, FileStat]]) -> int:
        """Record readings that are settled, let the others wait; return how many were recorded."""
        return self._record([it for it in readings if self.settler.see(*it)], [])

    def move(self, moves: Sequence[tuple[bytes, bytes, FileStat]]) -> int:
        """Follow renames ``(old, new, reading of new)``; return how many."""
        count = 0
        now = self.clock.wall()
        for part in in_parts(moves):
            count += ledger.move(self.catalogue, self.root.id, part, now=now)
            # Where another process was first, there was nothing to move but a file to record.
            there = [(new, stat) for _, new, stat in part]
            ledger.record(self.catalogue, self.root.id, there, now=now)
            self._forget(path for old, new, _ in part for path in (old, new))
        return count

    def lose(self, paths: Sequence[bytes], *, accept: bool = False) -> str | None:
        """Tombstone photos that are gone; return None, or why that was not believed.

        It is not: 1. when the root is not there (any more); 2. when so many are gone that the disk
        rather than the photographer is the likely cause (``accept`` overrules that). Then the root
        goes offline and all stays known.
        """
        now = self.clock.monotonic()
        reason = self.why_offline()
        if not (reason or accept) and self._losses.too_many(
            len(paths), live=self.known.count, now=now
        ):
            reason = self._mass_loss(len(paths))
        if reason is not None:
            self.go_offline(reason)
            self._forget(paths)
            return reason
        for part in in_parts(paths):
            lost = ledger.tombstone(self.catalogue, self.root.id, part, now=self.clock.wall())
            self._losses.note(lost, now=now)
            self._forget(part)
        return None

    def go_offline(self, reason: str) -> None:
        """Record that the root is away, and why."""
        if self.root.online or self.root.reason != reason:
            log.warning("%s: offline: %s", printable(self.root.path), reason)
        roots.set_online(self.catalogue, self.root, reason=reason, now=self.clock.wall())
        self._reread_root()

    def go_online(self) -> None:
        """Record that the root is there."""
        if self.root.online:
            return
        log.info("%s: online", printable(self.root.path))
        roots.set_online(self.catalogue, self.root, reason=None, now=self.clock.wall())
        self._reread_root()

    def name(self, path: bytes) -> str:
        """Return a path below the root for people."""
        return printable(os.path.join(self.root.path, path))  # noqa: PTH118  bytes

    def _record(self, settled: Sequence[tuple[bytes, FileStat]], gone: Sequence[Known]) -> int:
        moves = self._moves(settled, gone)
        moved = {path for old, new, _ in moves for path in (old, new)}
        count = self.move(moves)
        for part in in_parts([it for it in settled if it[0] not in moved]):
            count += ledger.record(self.catalogue, self.root.id, part, now=self.clock.wall())
            self._forget(path for path, _ in part)
        if lost := [row.path for row in gone if row.path not in moved]:
            self.lose(lost)
        return count

    def _moves(
        self, settled: Sequence[tuple[bytes, FileStat]], gone: Sequence[Known]
    ) -> list[tuple[bytes, bytes, FileStat]]:
        """Match what is settled at one end of a rename with what waits at the other."""
        found = {
            old: (old, path, stat)
            for path, stat in settled
            if (old := self.settler.gone_as(stat)) is not None
        }
        lost = {Identity.of(row.stat): row.path for row in gone if row.path not in found}
        for path, stat in self.settler.there_as(lost) if lost else ():
            old = lost[Identity.of(stat)]
            found.setdefault(old, (old, path, stat))
        return list(found.values())

    def _forget(self, paths: Iterable[bytes]) -> None:
        for path in paths:
            self.settler.forget(path)

    def _mass_loss(self, count: int) -> str:
        folder = printable(self.root.path)
        return (
            f"{count} of its photos are gone at once: is a disk missing? If they were deleted on"
            f" purpose: twinlens scan --accept-deletions {folder}"
        )

    def _reread_root(self) -> None:
        for root in roots.list_roots(self.catalogue):
            if root.id == self.root.id:
                self.root = root


def _library_below(root: Root, catalogue: Catalogue) -> bytes | None:
    folder = os.fsencode(os.path.realpath(catalogue.path.parent)) + SEPARATOR
    top = root.path.rstrip(SEPARATOR) + SEPARATOR
    return folder.removeprefix(top) if folder.startswith(top) else None


def in_parts(items: Iterable[T], size: int = TRANSACTION) -> Iterator[list[T]]:
    """Cut ``items`` into lists of at most ``size``."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
