"""Reading a file's bytes once, and knowing that they are whole and of one moment."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from twinlens.errors import ChangedError, DecodeError, PhotoError, UnreadableError, VanishedError

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW | os.O_NONBLOCK
"""NOFOLLOW: a link swapped in must not lead out of the folder. NONBLOCK: opening a FIFO that is
named like a photo would wait for a writer for ever."""

_GONE = {errno.ENOENT, errno.ENOTDIR}
_CURES = {
    errno.EACCES: "no permission to read the file. Give this user the right to read it.",
    errno.EPERM: "no permission to read the file. Give this user the right to read it.",
    errno.ELOOP: "a symbolic link, not a photo. Add the folder that it points to instead.",
    errno.EISDIR: "a folder, not a photo.",
    errno.ENXIO: "not a regular file.",
    errno.EIO: "the disk reports a read error. Check the disk, then copy the photo again.",
    errno.ESTALE: "the network folder went away. Mount it again.",
    errno.EMFILE: "too many open files. Raise the limit: ulimit -n.",
    errno.ENFILE: "too many open files on this computer. Close some programs.",
}


def read_photo(path: bytes, *, after_read: Callable[[], None] = lambda: None) -> bytes:
    """Return all bytes of a regular file that did not change meanwhile.

    ``after_read`` is called between the last byte read and the last look at the file; tests
    change the file there.

    Raises VanishedError, ChangedError, UnreadableError, and DecodeError for an empty file.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise _explained(error) from error
    try:
        return _read_stable(path, descriptor, after_read)
    except OSError as error:
        raise _explained(error) from error
    finally:
        os.close(descriptor)


def _read_stable(path: bytes, descriptor: int, after_read: Callable[[], None]) -> bytes:
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        raise UnreadableError("not a regular file. Only files can be photos.")
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        data = file.readall()
    after_read()
    after = os.fstat(descriptor)
    if after.st_nlink == 0 and not os.path.lexists(path):
        raise VanishedError("the file was deleted while it was read.")
    if after.st_nlink == 0 or _moment(before) != _moment(after) or len(data) != after.st_size:
        raise ChangedError("the file changed while it was read. It will be read again.")
    if not data:
        raise DecodeError("the file is empty. Copy it again from the camera or a backup.")
    return data


def _moment(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _explained(error: OSError) -> PhotoError:
    if error.errno in _GONE:
        return VanishedError("the file is no longer there.")
    number = error.errno or 0
    return UnreadableError(_CURES.get(number, f"cannot be read: {os.strerror(number)}."))
