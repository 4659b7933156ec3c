"""The system's trash: putting files there (Send2Trash) and finding them again.

Send2Trash does not say where a file went, and a crash may come before it could: so a file is found
by what does not change when it is renamed, in every trash it can have gone to
(https://specifications.freedesktop.org/trash-spec/latest/): the home trash, and on other mounts
``.Trash/UID`` and ``.Trash-UID`` at their top.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from twinlens_plugin.acting.records import Record, paths_as_json, paths_of
from twinlens_plugin.errors import ActingError
from twinlens_plugin.output import shown

INFO = b".trashinfo"


@dataclass(frozen=True, slots=True)
class Mark:
    """By what a file is known in the trash, taken down before it goes there."""

    size: int
    mtime_ns: int
    inode: int
    at: str
    """When, local time in ISO 8601 to the second, as ``.trashinfo`` has it."""
    folders: tuple[bytes, ...]
    """Where it may go to."""

    @classmethod
    def of(cls, path: bytes) -> Mark:
        """Take it down."""
        found = os.lstat(path)
        at = dt.datetime.now().isoformat(timespec="seconds")  # noqa: DTZ005  local, as the trash's
        return cls(found.st_size, found.st_mtime_ns, found.st_ino, at, tuple(_trashes(path)))

    def as_json(self) -> Record:
        """Return it for the journal."""
        return {
            "size": self.size,
            "mtime_ns": self.mtime_ns,
            "inode": self.inode,
            "at": self.at,
            "trashes": paths_as_json([*self.folders]),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Mark:
        """Return what ``as_json`` wrote."""
        folders = tuple(paths_of(record["trashes"]))
        return cls(record["size"], record["mtime_ns"], record["inode"], record["at"], folders)


def put(path: bytes) -> None:
    """Move a file to the trash. Raises OSError, ActingError where there is none for it."""
    # When imported, Send2Trash takes an empty or relative XDG_DATA_HOME as it is: the trash would be
    # in the folder that we happen to be in.
    os.environb[b"XDG_DATA_HOME"] = _data_home()
    import send2trash

    try:
        send2trash.send2trash(path)
    except send2trash.TrashPermissionError as error:
        raise ActingError(
            f"{shown(path)}: its disk has no trash that can be written."
            " Correct the permissions, or use --action move."
        ) from error
    except OSError as error:
        # Send2Trash puts words where the number's meaning should be, the path among them.
        number = error.errno or errno.EIO
        raise OSError(number, os.strerror(number), path) from error


def find(path: bytes, mark: Mark) -> bytes | None:
    """Return where in the trash the file lies that was at ``path``, or None.

    It has the size, the time and, in its ``.trashinfo``, the path; and: 1. the inode, as it was renamed
    within its file system; else 2. it was trashed since (copied there from another one). A file of
    the same inode alone may be another hard link, trashed from elsewhere.
    """
    later: list[tuple[str, bytes]] = []
    for folder in mark.folders:
        for name in _names(folder, os.path.basename(path)):
            location = os.path.join(folder, b"files", name)
            found = _status(location)
            if found is None or (found.st_size, found.st_mtime_ns) != (mark.size, mark.mtime_ns):
                continue
            former, at = _read_info(location)
            if found.st_ino == mark.inode and former in (path, None):
                return location
            if former == path and at >= mark.at:
                later.append((at, location))
    return max(later)[1] if later else None


def forget(location: bytes) -> None:
    """Remove the ``.trashinfo`` of a file that was taken out of the trash."""
    if not os.path.lexists(location):
        with contextlib.suppress(OSError):
            os.unlink(_info(location))


def forget_unused(path: bytes, mark: Mark) -> None:
    """Remove what a crash left: a ``.trashinfo`` of ``path`` to which there is no file."""
    for folder in mark.folders:
        for name in _names(folder, os.path.basename(path), b"info", INFO):
            location = os.path.join(folder, b"files", name)
            if not os.path.lexists(location) and _read_info(location)[0] == path:
                forget(location)


def _status(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _names(
    trash: bytes, name: bytes, part: bytes = b"files", suffix: bytes = b""
) -> Iterator[bytes]:
    """Yield names that a file called ``name`` may have in the trash, the likeliest first.

    ``a.jpg`` becomes ``a 1.jpg`` (Send2Trash) or ``a.2.jpg`` (GIO) where it is taken. A full trash is
    listed only when the first names are not it.
    """
    yield name
    stem, dot = os.path.splitext(name)
    for number in range(1, 100):
        likely = b"%s %d%s" % (stem, number, dot)
        if not os.path.lexists(os.path.join(trash, part, likely + suffix)):
            break
        yield likely
    with contextlib.suppress(OSError):
        for found in os.listdir(os.path.join(trash, part)):
            if found.startswith(stem) and found.endswith(suffix):
                yield found.removesuffix(suffix)


def _read_info(location: bytes) -> tuple[bytes | None, str]:
    """Return the path that a file in the trash had, and when it went there, from its ``.trashinfo``."""
    try:
        with open(_info(location), "rb") as handle:
            lines = handle.read(65_536).split(b"\n")
    except OSError:
        return None, ""
    values = dict(line.split(b"=", 1) for line in lines if b"=" in line)
    path = values.get(b"Path")
    former = None if path is None else os.path.join(_top(location), unquote_to_bytes(path))
    return former, values.get(b"DeletionDate", b"").decode("ascii", "replace")


def _top(location: bytes) -> bytes:
    """Return the folder to which a relative path in ``.trashinfo`` is relative: the trash's mount."""
    trash = os.path.dirname(os.path.dirname(location))
    above = os.path.dirname(trash)
    return os.path.dirname(above) if os.path.basename(above) == b".Trash" else above


def _info(location: bytes) -> bytes:
    trash = os.path.dirname(os.path.dirname(location))
    return os.path.join(trash, b"info", os.path.basename(location) + INFO)


def _trashes(path: bytes) -> Iterator[bytes]:
    yield os.path.join(_data_home(), b"Trash")
    top = _mount_point(os.path.realpath(os.path.dirname(path)))
    user = str(os.getuid()).encode()
    yield os.path.join(top, b".Trash", user)
    yield os.path.join(top, b".Trash-" + user)


def _data_home() -> bytes:
    """Return the folder that has the home trash; a path that is not absolute counts as unset."""
    named = os.environb.get(b"XDG_DATA_HOME", b"")
    return named if os.path.isabs(named) else os.path.expanduser(b"~/.local/share")


def _mount_point(folder: bytes) -> bytes:
    while not os.path.ismount(folder):
        folder = os.path.dirname(folder)
    return folder
