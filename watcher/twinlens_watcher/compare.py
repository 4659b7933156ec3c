"""Comparing what is known with what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from twinlens.ledger import FileStat
from twinlens_watcher.known import Known


class Difference(NamedTuple):
    """A path at which catalogue and disk disagree."""

    path: bytes
    known: Known | None
    there: FileStat | None
    """None: the file is gone."""


def differences(
    known: Iterable[Known], there: Iterable[tuple[bytes, FileStat]]
) -> Iterator[Difference]:
    """Yield what differs between two streams, both sorted by path."""
    rows = iter(known)
    row = next(rows, None)
    for path, stat in there:
        while row is not None and row.path < path:
            if row.live:
                yield Difference(row.path, row, None)
            row = next(rows, None)
        if row is None or row.path != path:
            yield Difference(path, None, stat)
            continue
        if differs(row, stat):
            yield Difference(path, row, stat)
        row = next(rows, None)
    while row is not None:
        if row.live:
            yield Difference(row.path, row, None)
        row = next(rows, None)


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


def match_moves(
    gone: Iterable[Known], there: Iterable[tuple[bytes, FileStat]]
) -> list[tuple[bytes, bytes, FileStat]]:
    """Return ``(old, new, reading of new)`` for each file that vanished and turned up elsewhere.

    An inode used again by another file is told apart by size and mtime (nanoseconds).
    """
    sources = {Identity.of(row.stat): row.path for row in gone}
    moves = []
    for path, stat in there:
        if (old := sources.pop(Identity.of(stat), None)) is not None:
            moves.append((old, path, stat))
    return moves
