"""The library folder: where its parts lie, and whether SQLite may live there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from twinlens.errors import AlreadyRunningError, LibraryError

NETWORK_FILESYSTEMS = frozenset(
    "9p afs ceph cifs davfs fuse.davfs fuse.glusterfs fuse.rclone fuse.s3fs fuse.smbnetfs fuse.sshfs"
    " glusterfs lustre ncpfs nfs nfs3 nfs4 smb2 smb3 smbfs".split()
)
"""File system types that live on another host: no file events, and no safe locks for SQLite's WAL
(https://www.sqlite.org/wal.html, section 'Overview', item 'same host')."""


@dataclass(frozen=True, slots=True)
class Library:
    """Paths of one library."""

    folder: Path

    @property
    def catalogue(self) -> Path:
        """The SQLite file that is the truth."""
        return self.folder / "catalogue.sqlite3"

    @property
    def index(self) -> Path:
        """Folder of the index snapshots, which can be rebuilt from the catalogue."""
        return self.folder / "index"

    @property
    def thumbnails(self) -> Path:
        """Folder of small previews, which can be thrown away."""
        return self.folder / "thumbnails"

    @property
    def socket(self) -> Path:
        """Unix socket on which the running worker embeds unseen photos."""
        return self.folder / "worker.sock"

    def create(self, filesystem: Callable[[Path], str] | None = None) -> None:
        """Make the folder, private to its user.

        Raises LibraryError on a network mount, or where the folder cannot be made or written.
        """
        try:
            refuse_network_mount(self.folder, filesystem or filesystem_type)
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LibraryError(
                f"{self.folder}: cannot make the library folder: {error.strerror}."
                " Choose another with --library."
            ) from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise LibraryError(
                f"{self.folder}: the library folder is not writable."
                " Correct its permissions or choose another with --library."
            )

    def _open_lock(self, role: str) -> IO[str]:
        path = self.folder / f"{role}.lock"
        try:
            return path.open("a")
        except OSError as error:
            raise LibraryError(
                f"{path}: cannot be written: {error.strerror}."
                " Make space there, correct the permissions, or make the disk writable."
            ) from error

    @contextlib.contextmanager
    def lock(self, role: str) -> Iterator[None]:
        """Hold the exclusive lock of a role (``worker``, ``watcher``, ``indexer``).

        Raises AlreadyRunningError when another process holds it, LibraryError where nothing can be
        written. The kernel drops the lock with its process, so that a crash leaves nothing to clean
        up.
        """
        with self._open_lock(role) as handle:
            if not _try_lock(handle, tries=5):
                raise AlreadyRunningError(
                    f"{self.folder}: another {role} is running on this library."
                    " Use that one, or stop it first."
                )
            yield

    def locked(self, role: str) -> bool:
        """Tell whether a process holds the lock of ``role`` now."""
        try:
            with (self.folder / f"{role}.lock").open("rb") as handle:
                return not _try_lock(handle, tries=1)
        except OSError:
            return False


def _try_lock(handle: IO[Any], *, tries: int) -> bool:
    """Take the lock of an open file; again a moment later, since ``locked`` takes it to look."""
    for left in reversed(range(tries)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(0.02)
        else:
            return True
    return False


def filesystem_type(path: Path) -> str:
    """Return the type of the file system that holds ``path`` (or its nearest parent that exists).

    Empty where the platform does not tell.
    """
    import psutil

    while not path.exists() and path != path.parent:
        path = path.parent
    path = Path(os.path.realpath(path))
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    holders = [str(p) for p in (path, *path.parents) if str(p) in mounts]
    return mounts[holders[0]].lower() if holders else ""


def is_network(fstype: str) -> bool:
    """Tell whether a file system type lives on another host."""
    return fstype in NETWORK_FILESYSTEMS


def refuse_network_mount(folder: Path, filesystem: Callable[[Path], str]) -> None:
    """Raise LibraryError where ``folder`` is on a network mount."""
    fstype = filesystem(folder)
    if is_network(fstype):
        raise LibraryError(
            f"{folder}: the library is on a network mount ({fstype}), where SQLite loses data."
            " Choose a folder on a local disk with --library; the photos may stay where they are."
        )
