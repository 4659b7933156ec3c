"""The catalogue: one SQLite file that is the truth, and the one way to write to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from twinlens.errors import CatalogueError, NewerCatalogueError
from twinlens.migrations import MIGRATIONS, VERSION

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x7714_1E45
"""Stored in the file's header, so that another program's database is not taken for ours."""

BUSY_MILLISECONDS = 30_000
"""How long a writer waits for another. Writes take milliseconds; a disk asleep takes seconds."""

_AT_ONCE = 1000
"""Rows that are read before it is looked whether they still hold."""


FULL_BYTES = 65_536
"""Less space than this, and SQLite cannot work: its shared memory takes 32 KB, its log a few more."""


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
        return cls(path, _connect(path))

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
        if _is_frozen(path):
            return _Frozen(path)
        try:
            connection = _connect(path)
        except CatalogueError:
            # On a full disk one wants to be told of duplicates. SQLite has no place for its shared
            # memory there, which means that nobody else has the catalogue open either.
            if not _is_full(path) or _has_log(path):
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
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
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
        self._seen = _version(path)
        super().__init__(path, _connect_frozen(path))

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
            if _version(self.path) != self._seen:
                raise CatalogueError(f"{self.path}: is being written to elsewhere. Ask again.")


def set_meta(tx: sqlite3.Connection, key: str, value: str) -> None:
    """Store a small fact about the library, within a write transaction."""
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables up to date in one immediate transaction.

    Raises NewerCatalogueError, CatalogueError for a file that is not ours.
    """
    import sqlite_utils

    connection.execute("BEGIN IMMEDIATE")
    try:
        applied = connection.execute("PRAGMA user_version").fetchone()[0]
        _refuse_foreign(path, connection, applied)
        _refuse_newer(path, applied)
        database: Database = sqlite_utils.Database(connection)
        for step in MIGRATIONS[applied:]:
            step(database)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a catalogue that is ours, configured and up to date."""
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise _cannot_open(path, error) from error
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _cannot_open(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _is_frozen(path: Path) -> bool:
    """Tell whether nobody can write here, nor has it open elsewhere: a backup, a snapshot, a disc.

    In WAL mode SQLite opens no file beside which it may not make others, unless it is told that
    nothing ever changes (https://www.sqlite.org/wal.html, section 'Read-Only Databases'). Where both
    others are there, as they are while anybody has it open, it can do without.
    """
    if os.access(path.parent, os.W_OK):
        return False
    log, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    return not log.exists() or not (shared.exists() or log.stat().st_size)


def _is_full(path: Path) -> bool:
    return shutil.disk_usage(path.parent).free < FULL_BYTES


def _has_log(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _version(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _connect_frozen(path: Path) -> sqlite3.Connection:
    """Return a connection to a catalogue that never changes."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None
    )
    try:
        connection.row_factory = sqlite3.Row
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        _refuse_foreign(path, connection, version)
        _refuse_newer(path, version)
        if version < VERSION:
            raise CatalogueError(
                f"{path}: written by an older twinlens, and read-only, so that it cannot be brought"
                " up to date. Copy the library to a disk that can be written."
            )
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _cannot_open(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    # Before anything is written: another program's file keeps its journal mode.
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    _refuse_foreign(path, connection, version)
    _refuse_newer(path, version)
    _configure(connection, path)
    if version < VERSION:
        migrate(connection, path)


def _configure(connection: sqlite3.Connection, path: Path) -> None:
    if _switch_to_wal(connection) != "wal":
        raise CatalogueError(
            f"{path}: SQLite cannot keep its write-ahead log on this disk."
            " Choose a folder on another with --library."
        )
    # FULL: an acknowledged commit survives a power cut. Batches make it affordable (faults.md).
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # A log that grew behind a long reader is cut back at the next checkpoint.
    connection.execute("PRAGMA journal_size_limit = 67108864")


def _switch_to_wal(connection: sqlite3.Connection) -> str:
    """Return the journal mode after asking for WAL.

    The busy timeout does not cover this switch: of 4 processes that opened a new file at the same
    moment, one was told "database is locked" in 6 of 40 trials.
    """
    deadline = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _refuse_newer(path: Path, version: int) -> None:
    if version > VERSION:
        raise NewerCatalogueError(
            f"{path}: written by a newer twinlens (tables {version}, known here {VERSION})."
            " Upgrade twinlens on this computer."
        )


def _refuse_foreign(path: Path, connection: sqlite3.Connection, applied: int) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    stamp = connection.execute("PRAGMA application_id").fetchone()[0]
    if (tables or applied or stamp) and stamp != APPLICATION_ID:
        raise CatalogueError(
            f"{path}: this is another program's database. Choose another folder with --library."
        )


def _cannot_open(path: Path, error: sqlite3.DatabaseError) -> CatalogueError:
    if "not a database" in str(error) or "malformed" in str(error):
        return CatalogueError(
            f"{path}: the catalogue is damaged ({error})."
            " Restore it from a backup, or move it away and run twinlens scan again."
        )
    if path.parent.exists() and _is_full(path):
        return CatalogueError(
            f"{path}: cannot open the catalogue: its disk is full. Make space there, then do the same"
            " again."
        )
    if path.exists() and not os.access(path.parent, os.W_OK) and _has_log(path):
        return CatalogueError(
            f"{path}: what was written last still lies beside it (by a crash, or another computer at"
            " work), and nothing can be written here to take it in. Make its disk writable once, or"
            " copy the library to one that is."
        )
    return CatalogueError(
        f"{path}: cannot open the catalogue: {error}. Check the disk and its permissions."
    )
