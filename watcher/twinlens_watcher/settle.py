"""When a file is taken.

1. A file is settled when two readings of its size, mtime and inode, at least ``settle_seconds``
   apart, agree.
2. A reading that differs from the last one starts the wait again. A file that grows for hours is
   waited for during hours: it is never taken early and never given up.
3. On a local file system, one reading whose mtime and ctime are both older than ``settle_seconds``
   counts as both: had anything touched the file since, its ctime (which no program can set) would
   say so. Not so on a network mount, whose server has its own clock and whose client keeps statuses
   for seconds.
4. A file that is gone is gone when it was so for ``settle_seconds``: programs save by renaming the
   old file away and writing a new one.
5. Taken too early all the same (a copy onto preallocated space that paused), a file is taken again
   when it changes again: each settled change is a new generation.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import NamedTuple

from twinlens.filestat import FileStat
from twinlens_watcher.clock import Clock
from twinlens_watcher.compare import Identity

_NANOSECONDS = 1_000_000_000


class Waiting(NamedTuple):
    """What was read of a path that waits."""

    stat: FileStat | None
    """None: the file is not there."""
    since: float
    """When a reading first gave this, by the monotonic clock."""
    lost: Identity | None
    """What the catalogue says was there, where the file is gone."""


class Settler:
    """The paths of one root that were seen to change and are not settled yet."""

    def __init__(self, clock: Clock, settle_seconds: float, *, local: bool) -> None:
        self._clock = clock
        self._seconds = settle_seconds
        self._local = local
        self._waiting: dict[bytes, Waiting] = {}  # sorted by ``since``: a new wait goes to the end
        self._gone: dict[Identity, bytes] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, path: bytes) -> bool:
        return path in self._waiting

    def see(self, path: bytes, stat: FileStat | None, lost: Identity | None = None) -> bool:
        """Take note of a reading; return whether the path is settled.

        A settled path waits on until ``forget``: it may be that the catalogue cannot take it now.
        """
        now = self._clock.monotonic()
        last = self._waiting.get(path)
        if last is None or not _agree(last.stat, stat):
            self.forget(path)
            last = Waiting(stat, now, lost)
            if lost is not None and lost.is_certain:
                self._gone[lost] = path
            self._waiting[path] = last
        return now - last.since >= self._seconds or self._is_old(stat)

    def forget(self, path: bytes) -> None:
        """Drop a path that was recorded, or that is as the catalogue knows it."""
        last = self._waiting.pop(path, None)
        if last is not None and last.lost is not None and self._gone.get(last.lost) == path:
            del self._gone[last.lost]

    def due(self) -> list[bytes]:
        """Return the paths to read again now."""
        limit = self._clock.monotonic() - self._seconds
        paths = []
        for path, waiting in self._waiting.items():
            if waiting.since > limit:
                break
            paths.append(path)
        return paths

    def next_due(self) -> float | None:
        """Return when the next path is due, by the monotonic clock."""
        first = next(iter(self._waiting.values()), None)
        return None if first is None else first.since + self._seconds

    def gone_as(self, stat: FileStat) -> bytes | None:
        """Return the waiting path that is gone and whose file this is now."""
        return self._gone.get(Identity.of(stat))

    def there_as(self, lost: Container[Identity]) -> Iterator[tuple[bytes, FileStat]]:
        """Yield the waiting files that are one of those lost elsewhere."""
        if len(self._gone) == len(self._waiting):
            return
        for path, waiting in self._waiting.items():
            if waiting.stat is None:
                continue
            identity = Identity.of(waiting.stat)
            if identity.is_certain and identity in lost:
                yield path, waiting.stat

    def paths(self) -> list[bytes]:
        """Return all waiting paths."""
        return list(self._waiting)

    def _is_old(self, stat: FileStat | None) -> bool:
        if stat is None or not self._local:
            return False
        newest = max(stat.mtime_ns, stat.ctime_ns) / _NANOSECONDS
        return newest < self._clock.wall() - self._seconds


def _agree(one: FileStat | None, other: FileStat | None) -> bool:
    return one is other or (one is not None and other is not None and one.same_bytes(other))
