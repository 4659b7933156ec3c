"""Files moved, copied and replaced so that a crash at any moment loses no bytes.

Nothing here overwrites a file that it was not asked to replace. Paths are absolute and bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO

from twinlens.errors import ChangedError, UnreadableError, VanishedError
from twinlens_plugin.acting.dressing import Dress, dress
from twinlens_plugin.output import shown

CHUNK = 1 << 20

EMPTY_SHA256 = hashlib.sha256().hexdigest()

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
"""From Linux's include/uapi/linux/fcntl.h and fs.h; renameat2(2)."""

_NO_SUCH_CALL = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})
"""How kernels and file systems (NFS, FUSE) say that they do not know RENAME_NOREPLACE."""

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True)
class Reading:
    """One file, read from end to end."""

    size: int
    mtime_ns: int
    mode: int
    device: int
    inode: int
    links: int
    sha256: str
    """Lower-case hex."""


def read(path: bytes) -> Reading:
    """Read and hash a regular file.

    Raises VanishedError, UnreadableError (a symbolic link too: it is no photo), ChangedError where
    the file changed under the reading.
    """
    with _opened(path) as handle:
        before = os.fstat(handle.fileno())
        try:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(path, error) from error
        if _version(before) != _version(os.fstat(handle.fileno())):
            raise ChangedError(f"{shown(path)}: is being written. Try again when it is done.")
    return Reading(
        before.st_size,
        before.st_mtime_ns,
        before.st_mode,
        before.st_dev,
        before.st_ino,
        before.st_nlink,
        digest,
    )


def read_if_there(path: bytes) -> Reading | None:
    """Read a file; None where there is nothing. Raises as ``read`` does."""
    try:
        return read(path)
    except VanishedError:
        return None


def still_is(path: bytes, reading: Reading) -> bool:
    """Tell whether the file looks as it did when it was read; cheap."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) == (
        reading.device,
        reading.inode,
        reading.size,
        reading.mtime_ns,
    )


def beside(path: bytes, token: str) -> bytes:
    """Return the name of a temporary file in the folder of ``path``; hidden, so that no scan reads it.

    The journal has the token, so that what a crash left is found again.
    """
    return os.path.join(os.path.dirname(path), b".twinlens-" + token.encode("ascii"))


def move(source: bytes, target: bytes, sha256: str, token: str) -> None:
    """Move a file without overwriting, to another disk too.

    To another disk: copied, synced, read back and
    compared with ``sha256``; only then is the source removed. Raises FileExistsError, OSError,
    ChangedError.
    """
    try:
        rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_by_copying(source, target, sha256, beside(target, token))
    sync_folder(os.path.dirname(target))
    sync_folder(os.path.dirname(source))


def rename(source: bytes, target: bytes) -> None:
    """Rename within a file system; FileExistsError rather than overwrite, EXDEV where it cannot be.

    A file system that knows neither RENAME_NOREPLACE nor hard links (some of FUSE's) counts as
    another one: the file is copied.
    """
    try:
        _rename_to_new(source, target)
    except OSError as error:
        if error.errno not in _NO_SUCH_CALL:
            raise
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as refused:
            if refused.errno in _NO_HARD_LINKS:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), target) from refused
            raise
        os.unlink(source)


def copy(source: bytes, target: bytes, sha256: str) -> None:
    """Copy to a new file, with times, mode, owner and extended attributes; sync and read it back.

    What was written is removed where that fails. Raises OSError, ChangedError.
    """
    try:
        with _opened(source) as reader, _created(target) as writer:
            while block := reader.read(CHUNK):
                writer.write(block)
            writer.flush()
            dress(target, Dress.of(source))
            os.fsync(writer.fileno())
        if read(target).sha256 != sha256:
            raise ChangedError(f"{shown(source)}: changed while it was copied. Try again.")
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise


def replace(
    path: bytes, content: bytes, temporary: bytes, dressed: Dress | None, *, times: bool
) -> None:
    """Put ``content`` at ``path`` in one step: before it, all of the old; after it, all of the new.

    ``times``: whether the old times come back too; photo managers read a sidecar again by its time.
    """
    try:
        with _created(temporary) as writer:
            writer.write(content)
            writer.flush()
            if dressed is not None:
                dress(temporary, dressed, times=times)
            os.fsync(writer.fileno())
        os.rename(temporary, path)
    except BaseException:
        discard(temporary)
        raise
    sync_folder(os.path.dirname(path))


def create(path: bytes, content: bytes, temporary: bytes) -> None:
    """Write a new file in one step. Raises FileExistsError where there is one by now."""
    try:
        with _created(temporary) as writer:
            writer.write(content)
            writer.flush()
            os.fsync(writer.fileno())
        rename(temporary, path)
    except BaseException:
        discard(temporary)
        raise
    sync_folder(os.path.dirname(path))


def discard(path: bytes) -> None:
    """Remove a temporary file of ours, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def make_folders(folder: bytes) -> None:
    """Make a folder and those above it, synced, so that what is moved into it is there to stay."""
    missing = missing_folders(folder)
    os.makedirs(folder, exist_ok=True)
    for made in missing:
        sync_folder(os.path.dirname(made))


def missing_folders(folder: bytes) -> list[bytes]:
    """Return what has to be made for ``folder`` to be there, topmost first."""
    missing: list[bytes] = []
    while not os.path.lexists(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)
    return missing


def is_same_entry(one: bytes, other: bytes) -> bool:
    """Tell whether two paths are one name of one file: to remove either removes both.

    Two hard links are two names. One name has two paths through symbolic links, a folder mounted
    twice, or names that differ in case where the file system does not tell them apart.
    """
    try:
        a, b = os.lstat(one), os.lstat(other)
        if (a.st_dev, a.st_ino) != (b.st_dev, b.st_ino):
            return False
        if not os.path.samestat(os.stat(os.path.dirname(one)), os.stat(os.path.dirname(other))):
            return False
        names = {os.path.basename(one), os.path.basename(other)}
        return len(names & set(os.listdir(os.path.dirname(one)))) < 2
    except OSError:
        return False


def remove_empty(folders: list[bytes]) -> None:
    """Remove folders, the last first, as far as they are empty."""
    with contextlib.suppress(OSError):
        for folder in reversed(folders):
            os.rmdir(folder)


def sync_folder(folder: bytes) -> None:
    """Have what happened in a folder survive a power cut, where the file system can promise that."""
    with contextlib.suppress(OSError):  # EINVAL of FUSE and SMB mounts
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move_by_copying(source: bytes, target: bytes, sha256: str, temporary: bytes) -> None:
    before = os.lstat(source)
    copy(source, temporary, sha256)
    try:
        rename(temporary, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno == errno.EXDEV:
            # Neither kind of rename: the name itself is taken first, then the copy put there.
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.rename(temporary, target)
        else:
            discard(temporary)
            raise
    sync_folder(os.path.dirname(target))
    try:
        if _version(before) != _version(os.lstat(source)):
            raise ChangedError(f"{shown(source)}: changed while it was moved. Try again.")
        os.unlink(source)
    except Exception:  # a folder that cannot be written to, say: then there are two of it
        os.unlink(target)
        raise


def _rename_to_new(source: bytes, target: bytes) -> None:
    call = _renameat2()
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    # As os.rename does: for audit hooks, through which the tests pull the plug.
    sys.audit("os.rename", source, target, -1, -1)
    if call(_AT_FDCWD, source, _AT_FDCWD, target, _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), source, None, target)


@functools.cache
def _renameat2() -> ctypes._FuncPointer | None:  # pyright: ignore[reportPrivateUsage]
    """Return glibc's renameat2 (2.28 and later; musl has it too), or None elsewhere."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is not None:
        call.argtypes = [
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_uint,
        ]
    return call


def _version(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def _opened(path: bytes) -> Iterator[BufferedReader]:
    """Open a regular file to read; never a pipe, nor what a symbolic link points to."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableError(f"{shown(path)}: is no regular file. It is left alone.")
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VanishedError(f"{shown(path)}: no such file. Check the path.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    with open(descriptor, "rb") as handle:
        yield handle


def _created(path: bytes) -> IO[bytes]:
    return Path(os.fsdecode(path)).open("xb")


def _unreadable(path: bytes, error: OSError) -> UnreadableError:
    return UnreadableError(
        f"{shown(path)}: cannot be read: {error.strerror}. Correct its permissions, or its disk."
    )
