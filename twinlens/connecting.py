"""Opening the catalogue's file: ours and no other program's, up to date, with what SQLite needs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from twinlens.errors import CatalogueError, NewerCatalogueError
from twinlens.migrations import MIGRATIONS, VERSION

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x7714_1E45
"""Stored in the file's header, so that another program's database is not taken for ours."""

BUSY_MILLISECONDS = 30_000
"""How long a writer waits for another. Writes take milliseconds; a disk asleep takes seconds."""

FULL_BYTES = 65_536
"""Less space than this, and SQLite cannot work: its shared memory takes 32 KB, its log a few more."""


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


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a catalogue that is ours, configured and up to date."""
    return _opened(path, path, _prepare)


def is_frozen(path: Path) -> bool:
    """Tell whether nobody can write here, nor has it open elsewhere: a backup, a snapshot, a disc.

    In WAL mode SQLite opens no file beside which it may not make others, unless it is told that
    nothing ever changes (https://www.sqlite.org/wal.html, section 'Read-Only Databases'). Where both
    others are there, as they are while anybody has it open, it can do without.
    """
    if os.access(path.parent, os.W_OK):
        return False
    log, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    return not log.exists() or not (shared.exists() or log.stat().st_size)


def is_full(path: Path) -> bool:
    """Tell whether the disk has no room for what SQLite keeps beside the file."""
    return shutil.disk_usage(path.parent).free < FULL_BYTES


def has_log(path: Path) -> bool:
    """Tell whether commits wait beside the file to be taken in."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def version_of(path: Path) -> tuple[int, int, int]:
    """Return what changes when the file is written to: inode, size, mtime in ns."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def connect_frozen(path: Path) -> sqlite3.Connection:
    """Return a connection to a catalogue that never changes."""
    uri = f"{path.absolute().as_uri()}?immutable=1"
    return _opened(path, uri, _refuse_unready, uri=True)


def _opened(
    path: Path,
    name: Path | str,
    prepare: Callable[[sqlite3.Connection, Path], object],
    *,
    uri: bool = False,
) -> sqlite3.Connection:
    """Open and prepare, or close again. Raises CatalogueError."""
    try:
        connection = sqlite3.connect(name, uri=uri, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise _cannot_open(path, error) from error
    try:
        connection.row_factory = sqlite3.Row
        prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _cannot_open(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_unready(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    _refuse_foreign(path, connection, version)
    _refuse_newer(path, version)
    if version < VERSION:
        raise CatalogueError(
            f"{path}: written by an older twinlens, and read-only, so that it cannot be brought"
            " up to date. Copy the library to a disk that can be written."
        )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
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


def refuse_upgraded(connection: sqlite3.Connection, path: Path) -> None:
    """Raise NewerCatalogueError where the tables are newer by now than this process knows."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise NewerCatalogueError(
            f"{path}: a newer twinlens has taken this library over (tables {version}, known here"
            f" {VERSION}). Stop this old process and start it again: nothing is lost."
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
    if path.parent.exists() and is_full(path):
        return CatalogueError(
            f"{path}: cannot open the catalogue: its disk is full. Make space there, then do the same"
            " again."
        )
    if path.exists() and not os.access(path.parent, os.W_OK) and has_log(path):
        return CatalogueError(
            f"{path}: what was written last still lies beside it (by a crash, or another computer at"
            " work), and nothing can be written here to take it in. Make its disk writable once, or"
            " copy the library to one that is."
        )
    return CatalogueError(
        f"{path}: cannot open the catalogue: {error}. Check the disk and its permissions."
    )
