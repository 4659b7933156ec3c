"""Photos by their numbers: requests never name a path.

A photo is given out when: 1. the catalogue has it, and what was read last is what it holds; 2. its
folder is there; 3. each part of its path below that folder is a real folder, and it is a regular
file: no symbolic link leads anywhere else; 4. the file that was opened, not the one that was there
when it was looked for, is the one that was recorded.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens_plugin.output import shown
from twinlens_plugin.review.problems import Refused

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PHOTO = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK a pipe in a photo's place would hang."""


@dataclass(frozen=True, slots=True)
class File:
    """A photo of the library, as the catalogue has it."""

    id: int
    root: bytes
    """The folder that is watched."""
    relative: bytes
    """Path below it."""
    content_id: int
    sha256: bytes
    recorded: FileStat
    width: int | None
    height: int | None
    format: str | None
    """As the catalogue has it: ``JPEG``, ``HEIF``, ``RAW``."""
    taken_at: str | None
    camera: str | None
    online: bool
    """Whether the folder is there now."""

    @property
    def path(self) -> bytes:
        """Absolute."""
        return self.root + b"/" + self.relative

    def open(self) -> BinaryIO:
        """Open it for reading, and be certain that it is it. Raises Refused."""
        if not self.online:
            raise Refused(f"{shown(self.path)}: its disk is away. Connect it.", 409)
        try:
            descriptor = _open_below(self.root, self.relative)
        except FileNotFoundError:
            raise Refused(f"{shown(self.path)}: is gone. Run: twinlens scan", 410) from None
        except OSError as error:
            raise Refused(
                f"{shown(self.path)}: cannot be opened: {error.strerror}. Check its permissions, and"
                " that it is no symbolic link.",
                404,
            ) from error
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not self.recorded.same_bytes(FileStat.of(found)):
            os.close(descriptor)
            raise Refused(f"{shown(self.path)}: changed since it was read. Run: twinlens scan", 409)
        return os.fdopen(descriptor, "rb")


def find(catalogue: Catalogue, file_id: int) -> File:
    """Return a photo, wherever its disk is. Raises Refused for one that is not in the library now."""
    row = catalogue.row(
        "SELECT r.path AS root, f.path, content_id, sha256, size, mtime_ns, ctime_ns, inode,"
        " width, height, format, taken_at, camera, online, missing_since,"
        " coalesce(priority, 1) AS priority"
        " FROM files f JOIN roots r ON r.id = root_id JOIN contents c ON c.id = content_id"
        " LEFT JOIN jobs ON file_id = f.id WHERE f.id = ?",
        (min(file_id, 2**63 - 1),),  # SQLite has no larger number, and no such photo
    )
    if row is None:
        raise Refused("There is no such photo in the library.", 404)
    path = shown(row["root"] + b"/" + row["path"])
    if row["missing_since"] is not None:
        raise Refused(f"{path}: is gone. Run: twinlens scan", 410)
    if row["priority"] == 0:
        raise Refused(f"{path}: changed, and waits to be read. Run: twinlens scan", 409)
    return File(
        id=file_id,
        root=row["root"],
        relative=row["path"],
        content_id=row["content_id"],
        sha256=row["sha256"],
        recorded=FileStat(row["size"], row["mtime_ns"], row["ctime_ns"], row["inode"]),
        width=row["width"],
        height=row["height"],
        format=row["format"],
        taken_at=row["taken_at"],
        camera=row["camera"],
        online=bool(row["online"]),
    )


def _open_below(root: bytes, relative: bytes) -> int:
    """Open a file below a folder, through real folders alone. Raises OSError.

    By steps, each from the folder opened before: a link put in the place of a folder meanwhile is
    not followed.
    """
    *folders, name = relative.split(b"/")
    with contextlib.ExitStack() as opened:
        at = opened.enter_context(_folder(root, None))
        for folder in folders:
            at = opened.enter_context(_folder(folder, at))
        return os.open(name, _PHOTO, dir_fd=at)


@contextlib.contextmanager
def _folder(name: bytes, at: int | None) -> Iterator[int]:
    # The root itself may be a link on this computer: it is what the user named.
    flags = _FOLDER if at is None else _FOLDER | os.O_NOFOLLOW
    descriptor = os.open(name, flags, dir_fd=at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
