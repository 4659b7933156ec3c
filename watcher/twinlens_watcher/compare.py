"""Comparing what is known with what is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from twinlens.filestat import NO_INODE, FileStat
from twinlens_watcher.known import Known


class Difference(NamedTuple):
    """A path at which catalogue and disk disagree."""

    path: bytes
    known: Known | None
    there: FileStat | None
    """None: the file is gone."""


def differences(
    known: Iterable[Known], there: Iterable[tuple[bytes, os.stat_result]]
) -> Iterator[Difference]:
    """Yield what differs between two streams, both sorted by path."""
    rows = iter(known)
    row = next(rows, None)
    for path, status in there:
        while row is not None and row.path < path:
            if row.live:
                yield Difference(row.path, row, None)
            row = next(rows, None)
        if row is None or row.path != path:
            yield Difference(path, None, FileStat.of(status))
            continue
        if not _plainly_same(row, status) and differs(row, stat := FileStat.of(status)):
            yield Difference(path, row, stat)
        row = next(rows, None)
    while row is not None:
        if row.live:
            yield Difference(row.path, row, None)
        row = next(rows, None)


def _plainly_same(known: Known, status: os.stat_result) -> bool:
    """Tell, of nearly all files of a sweep and without making objects, that nothing is to be done.

    It saves a quarter of a sweep's time (benchmarks/sweep.py).
    """
    return bool(
        known.mtime_ns == status.st_mtime_ns
        and known.ctime_ns == status.st_ctime_ns
        and known.size == status.st_size
        and known.inode == status.st_ino
        and known.live
        and known.served
    )


def differs(known: Known | None, there: FileStat | None) -> bool:
    """Tell whether one file needs a look.

    It does when: 1. it is there and not known, or known as deleted; 2. it is known and gone;
    3. size, mtime, ctime or inode moved; 4. it has neither a content nor a job (its work was lost).
    """
    if known is None or not known.live:
        return there is not None
    return known.stat != there or not known.served


class Identity(NamedTuple):
    """What a file keeps when it is renamed."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, stat: FileStat) -> Identity:
        """Return the identity behind a reading."""
        return cls(stat.inode, stat.size, stat.mtime_ns)

    @property
    def is_certain(self) -> bool:
        """Whether it is one file's alone: without an inode, frames of a burst may share it."""
        return self.inode != NO_INODE


def match_moves(
    gone: Iterable[Known], there: Iterable[tuple[bytes, FileStat]]
) -> list[tuple[bytes, bytes, FileStat]]:
    """Return ``(old, new, reading of new)`` for each file that vanished and turned up elsewhere.

    An inode used again by another file is told apart by size and mtime (nanoseconds).
    """
    sources = {Identity.of(row.stat): row.path for row in gone}
    moves = []
    for path, stat in there:
        identity = Identity.of(stat)
        if identity.is_certain and (old := sources.pop(identity, None)) is not None:
            moves.append((old, path, stat))
    return moves
