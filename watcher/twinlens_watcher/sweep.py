"""The sweep: disk and catalogue compared, so that nothing depends on events.

1. The root must be there, before and after the walk: a mount may vanish in between.
2. What is new or changed is recorded as soon as it is settled, while the walk goes on.
3. A path that vanished and a path that turned up with the same size, mtime and inode are a move.
4. What else vanished is tombstoned, but for paths of which the system does not say so itself
   (``ENOENT``), and whatever lies below a folder that could not be read.
5. A root comes online again when a sweep of all of it has passed the rule of ``losses``.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from twinlens import roots
from twinlens.filestat import NO_INODE, FileStat
from twinlens_watcher.compare import Difference, differences, match_moves
from twinlens_watcher.follow import Follower
from twinlens_watcher.known import Known
from twinlens_watcher.reading import SEPARATOR, Reader
from twinlens_watcher.walk import Walk

log = logging.getLogger(__name__)

BATCH = 500
"""Differences handled together. Small enough that workers can start while the walk goes on."""

SLICE_SECONDS = 0.02
"""How long a sweep works before it lets others have their turn."""


@dataclass(slots=True)
class Swept:
    """What a sweep found."""

    offline: str | None = None
    photos: int = 0
    folders: int = 0
    """Folders that were read."""
    recorded: int = 0
    waiting: int = 0
    """New and changed photos that had not settled yet."""
    moved: int = 0
    deleted: int = 0

    @property
    def changes(self) -> int:
        """How much was not as the catalogue had it."""
        return self.recorded + self.waiting + self.moved + self.deleted

    def summary(self) -> str:
        """Return one line for the log."""
        return (
            f"{self.photos} photos in {self.folders} folders;"
            f" {self.recorded} new or changed, {self.waiting} being written,"
            f" {self.moved} moved, {self.deleted} deleted"
        )


class Sweep:
    """One sweep of one root, or of some folders in it."""

    def __init__(
        self,
        follower: Follower,
        *,
        accept_deletions: bool = False,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._follower = follower
        self._accept = accept_deletions
        self._pause = pause
        self._walk = Walk(follower.root.path, without=follower.own_folder)
        self._inodes: set[int] | None = None
        self._gone: list[Known] = []
        self._fresh: list[tuple[bytes, FileStat]] = []
        self._held: list[tuple[bytes, FileStat]] = []  # may turn out to be moved
        self._next_pause = 0.0
        self.found = Swept()

    def all(self) -> Swept:
        """Sweep the whole root."""
        was_online = self._follower.root.online
        if self._is_offline():
            return self.found
        self._compare([b""])
        if not self._is_offline():
            self._conclude()
        if self.found.offline is None and was_online == self._follower.root.online:
            self._follower.go_online()
            roots.set_swept(self._follower.catalogue, self._follower.root, self._now())
        return self.found

    def folders(self, folders: Sequence[bytes]) -> Swept:
        """Sweep some folders of a root that is online; files moved between them are followed."""
        if self._is_offline():
            return self.found
        self._compare(folders)
        if not self._is_offline():
            self._conclude()
        return self.found

    def _now(self) -> float:
        return self._follower.clock.wall()

    def _is_offline(self) -> bool:
        reason = self._follower.why_offline()
        if reason is not None:
            self._follower.go_offline(reason)
            self.found.offline = reason
        return reason is not None

    def _compare(self, folders: Sequence[bytes]) -> None:
        for folder in folders:
            known = self._follower.known.below(folder)
            for difference in differences(known, self._seen(folder)):
                self._sort(difference)
        self._take_fresh()
        self.found.folders = self._walk.folders - len(self._walk.unreadable)
        if self._walk.unreadable:
            first = self._follower.name(self._walk.unreadable[0])
            more = len(self._walk.unreadable) - 1
            rest = f", and {more} paths more" if more else ""
            log.warning("%s: cannot be read%s. Correct the permissions.", first, rest)

    def _seen(self, folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
        for count, reading in enumerate(self._walk.photos(folder), self.found.photos + 1):
            self.found.photos = count
            if not count % 64 and time.monotonic() >= self._next_pause:
                self._pause()
                self._next_pause = time.monotonic() + SLICE_SECONDS
            yield reading

    def _sort(self, difference: Difference) -> None:
        path, known, there = difference
        if path in self._follower.settler:
            return  # in flux: the settler decides
        if there is None:
            if known is not None:
                self._gone.append(known)
        elif self._may_be_moved(difference, there):
            self._held.append((path, there))
        else:
            self._fresh.append((path, there))
            if len(self._fresh) >= BATCH:
                self._take_fresh()

    def _may_be_moved(self, difference: Difference, there: FileStat) -> bool:
        if difference.known is not None and difference.known.stat.inode == there.inode:
            return False
        if there.inode == NO_INODE:
            return False
        if self._inodes is None:
            self._inodes = self._follower.known.inodes()
        return there.inode in self._inodes

    def _take_fresh(self) -> None:
        taken = self._follower.take(self._fresh)
        self.found.recorded += taken
        self.found.waiting += len(self._fresh) - taken
        self._fresh.clear()

    def _conclude(self) -> None:
        """Decide on what vanished, and on what may have been moved."""
        gone = self._surely_gone()
        moves = match_moves(gone, self._held)
        self.found.moved = self._follower.move(moves)
        sources = {old for old, _, _ in moves}
        targets = {new for _, new, _ in moves}
        self._fresh = [reading for reading in self._held if reading[0] not in targets]
        self._take_fresh()
        if lost := [row.path for row in gone if row.path not in sources]:
            self.found.offline = self._follower.lose(lost, accept=self._accept)
            self.found.deleted = 0 if self.found.offline else len(lost)

    def _surely_gone(self) -> list[Known]:
        reader = Reader(self._follower.root.path)
        unreadable = tuple(path for path in self._walk.unreadable if path.endswith(SEPARATOR))
        if b"" in self._walk.unreadable:
            return []
        return [
            row
            for row in self._gone
            if not row.path.startswith(unreadable) and reader.is_gone(row.path)
        ]
