"""The catalogue: one SQLite file that is the truth, and the one way to write to it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from twinlens.connecting import (
    connect,
    connect_frozen,
    has_log,
    is_frozen,
    is_full,
    refuse_upgraded,
    version_of,
)
from twinlens.errors import CatalogueError

_AT_ONCE = 1000
"""Rows that are read before it is looked whether they still hold."""


class Catalogue:
    """One connection to the catalogue. Use one for each thread or process.

    Reads go through ``rows``, ``row`` and ``value``; writes only through ``write_tx``.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for reading and writing; create or migrate first where needed.

        Raises NewerCatalogueError, CatalogueError.
        """
        return cls(path, connect(path))

    @classmethod
    def open_to_read(cls, path: Path) -> Catalogue:
        """Open an existing catalogue for reading alone.

        Raises CatalogueError where there is none, NewerCatalogueError where ours is too old.
        """
        if not path.exists():
            raise CatalogueError(
                f"{path.parent}: no library here yet. Make one: twinlens scan FOLDER"
            )
        # Not mode=ro: a reader that comes first after a crash must be able to recover the WAL.
        if is_frozen(path):
            return _Frozen(path)
        try:
            connection = connect(path)
        except CatalogueError:
            # On a full disk one wants to be told of duplicates. SQLite has no place for its shared
            # memory there, which means that nobody else has the catalogue open either.
            if not is_full(path) or has_log(path):
                raise
            return _Frozen(path)
        connection.execute("PRAGMA query_only = ON")
        return cls(path, connection)

    def version(self) -> int:
        """Return the number of migrations applied."""
        return int(self.value("PRAGMA user_version"))

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return all rows of a query, as ``sqlite3.Row``."""
        return self._connection.execute(sql, parameters).fetchall()

    def iterate(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        """Yield the rows of a query one by one; it holds a read transaction open meanwhile."""
        return self._connection.execute(sql, parameters)

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Any:  # noqa: ANN401
        """Return the first row of a query, or None."""
        return self._connection.execute(sql, parameters).fetchone()

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:  # noqa: ANN401
        """Return the first column of the first row, or None."""
        row = self.row(sql, parameters)
        return row[0] if row else None

    @contextlib.contextmanager
    def write_tx(self) -> Iterator[sqlite3.Connection]:
        """Open the only kind of write transaction there is: BEGIN IMMEDIATE, all or nothing.

        IMMEDIATE, because a deferred transaction that reads before it writes fails with
        SQLITE_BUSY_SNAPSHOT at once, whatever the busy timeout (faults.md).

        Raises NewerCatalogueError where a newer twinlens has changed the tables since this process
        opened them: code that knows nothing of a new table leaves rows in it that point to nothing.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            refuse_upgraded(connection, self.path)
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # A full disk can end the transaction by itself; then there is nothing to roll back.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def read_tx(self) -> Iterator[None]:
        """Hold one consistent view of the catalogue over several reads."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def meta(self, key: str) -> str | None:
        """Return a small fact stored about the library, or None."""
        value = self.value("SELECT value FROM meta WHERE key = ?", (key,))
        return None if value is None else str(value)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Frozen(Catalogue):
    """A catalogue where nobody can write here, read as if nothing in it ever changed.

    A folder that is read-only here can be written to from elsewhere: by another user, by the computer
    that lends it to a container. Then SQLite, which looks for no change, would read pages of two times.
    """

    def __init__(self, path: Path) -> None:
        self._seen = version_of(path)
        super().__init__(path, connect_frozen(path))

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        with self._unchanged():
            return super().rows(sql, parameters)

    def iterate(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        cursor = self._connection.execute(sql, parameters)
        while True:
            with self._unchanged():
                some = cursor.fetchmany(_AT_ONCE)
            if not some:
                return
            yield from some

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Any:  # noqa: ANN401
        with self._unchanged():
            return super().row(sql, parameters)

    @contextlib.contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Refuse what was read while somebody wrote. Raises CatalogueError."""
        try:
            yield
        finally:  # an error, too, may come of pages of two times
            if version_of(self.path) != self._seen:
                raise CatalogueError(f"{self.path}: is being written to elsewhere. Ask again.")


def set_meta(tx: sqlite3.Connection, key: str, value: str) -> None:
    """Store a small fact about the library, within a write transaction."""
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
