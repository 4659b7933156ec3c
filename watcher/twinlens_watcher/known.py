"""What the catalogue knows of a root's files, as the watcher needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens_watcher.reading import SEPARATOR

CHUNK = 2_000
"""Rows read at a time. A walk over a slow disk takes minutes; a read transaction held open for that
long would keep SQLite from shortening its log."""

_COLUMNS = (
    "SELECT path, size, mtime_ns, ctime_ns, inode, missing_since IS NULL,"
    " content_id IS NOT NULL OR EXISTS (SELECT 1 FROM jobs WHERE file_id = files.id)"
    " FROM files WHERE root_id = ?"
)

# Straight through the table: by the index of paths, which SQLite would take, each row is looked up
# elsewhere, and 200,000 take 0.9 s instead of 0.2, each time that a folder is made.
_IN_ROOT = "FROM files NOT INDEXED WHERE root_id = ? AND missing_since IS NULL"


class Known(NamedTuple):
    """A row of the files table."""

    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    live: int
    """0: a tombstone."""
    served: int
    """1: it has a content, or a job that will give it one."""

    @property
    def stat(self) -> FileStat:
        """The reading that was recorded."""
        return FileStat(self.size, self.mtime_ns, self.ctime_ns, self.inode)


class KnownFiles:
    """The files of one root."""

    def __init__(self, catalogue: Catalogue, root_id: int) -> None:
        self._catalogue = catalogue
        self._root_id = root_id

    def below(self, folder: bytes = b"") -> Iterator[Known]:
        """Yield the files below ``folder`` (empty: all), sorted by the bytes of their path."""
        after = folder + SEPARATOR if folder else b""
        until = folder + bytes([SEPARATOR[0] + 1]) if folder else None
        while rows := self._chunk(after, until):
            yield from map(Known._make, rows)
            after = rows[-1][0]

    def at(self, path: bytes) -> Known | None:
        """Return the file at ``path``, tombstones included."""
        row = self._catalogue.row(_COLUMNS + " AND path = ?", (self._root_id, path))
        return None if row is None else Known._make(row)

    def inodes(self) -> set[int]:
        """Return the inodes of all live files."""
        sql = f"SELECT inode {_IN_ROOT}"
        return {row[0] for row in self._catalogue.iterate(sql, (self._root_id,))}

    def count(self) -> int:
        """Return how many live files there are."""
        sql = f"SELECT count(*) {_IN_ROOT}"
        return int(self._catalogue.value(sql, (self._root_id,)))

    def _chunk(self, after: bytes, until: bytes | None) -> list[Any]:
        where, bounds = (
            (" AND path > ?", (after,))
            if until is None
            else (" AND path > ? AND path < ?", (after, until))
        )
        sql = f"{_COLUMNS}{where} ORDER BY path LIMIT {CHUNK}"
        return self._catalogue.rows(sql, (self._root_id, *bounds))
