"""A file becomes a hard link to its keeper, or shares its blocks."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from twinlens.errors import ChangedError, TwinlensError, VanishedError
from twinlens_plugin.acting import files
from twinlens_plugin.acting.dressing import Dress, dress
from twinlens_plugin.acting.records import Record, dress_as_json, dress_of, path_of
from twinlens_plugin.acting.step import changed
from twinlens_plugin.errors import ActingError
from twinlens_plugin.output import json_path, shown

FICLONE = 0x40049409
"""ioctl_ficlonerange(2): share the blocks of a whole file (btrfs, XFS, bcachefs)."""


_CANNOT_LINK = frozenset(
    {
        errno.EPERM,  # FAT; another's file, where fs.protected_hardlinks is set
        errno.EXDEV,
        errno.EMLINK,
        errno.EOPNOTSUPP,
        errno.ENOTTY,
        errno.EINVAL,
        errno.ENOSYS,
    }
)


@dataclass(frozen=True, slots=True)
class Link:
    """A file with the keeper's bytes becomes one with it: a hard link, or a reflink."""

    kind: ClassVar[str] = "link"
    path: bytes
    keeper: bytes
    sha256: str
    inode: int
    dressed: Dress
    token: str
    reflink: bool

    @property
    def temporary(self) -> bytes:
        """The name under which a link or a copy is made."""
        return files.beside(self.path, self.token)

    def do(self) -> Record:
        """Make the link under another name, then put it in the file's place in one step."""
        try:
            self._make()
            if files.read(self.temporary).sha256 != self.sha256:
                raise ChangedError(f"{shown(self.keeper)}: changed meanwhile. Make a new plan.")
            self._refuse_newer()  # to read the keeper takes its time, and what is replaced is gone
            os.rename(self.temporary, self.path)
        except BaseException:
            files.discard(self.temporary)
            raise
        files.sync_folder(os.path.dirname(self.path))
        return {}

    def _refuse_newer(self) -> None:
        found = os.lstat(self.path)
        if (found.st_ino, found.st_mtime_ns) != (self.inode, self.dressed.mtime_ns):
            raise ChangedError(f"{shown(self.path)}: is being changed. Try again when it is done.")

    def _make(self) -> None:
        try:
            if self.reflink:
                _clone(self.keeper, self.temporary, self.dressed)
            else:
                os.link(self.keeper, self.temporary, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _CANNOT_LINK:
                raise
            kind = "reflink" if self.reflink else "hard link"
            raise ActingError(
                f"{shown(self.path)}: its file system makes no {kind} of it ({error.strerror})."
                " Use another action."
            ) from error

    def undo(self, told: Mapping[str, Any], *, finished: bool) -> None:  # noqa: ARG002
        """Make it a file of its own again, with its former times, mode and attributes."""
        files.discard(self.temporary)
        now = files.read_if_there(self.path)
        if now is None:
            raise self._gone()
        if now.sha256 != self.sha256:
            raise changed(self.path)
        if now.inode == self.inode:
            return  # never linked, or undone already
        try:
            files.copy(self.path, self.temporary, self.sha256)
            dress(self.temporary, self.dressed)
            os.rename(self.temporary, self.path)
        except BaseException:
            files.discard(self.temporary)
            raise
        files.sync_folder(os.path.dirname(self.path))

    def _gone(self) -> TwinlensError:
        if os.path.isdir(os.path.dirname(self.path)):
            return ActingError(f"{shown(self.path)}: is gone; {shown(self.keeper)} has its bytes.")
        return VanishedError(f"{shown(self.path)}: is not there. Is its disk away? Bring it back.")

    def as_json(self) -> Record:
        """Return it for the journal."""
        return {
            "step": self.kind,
            **json_path(self.path),
            **json_path(self.keeper, "keeper"),
            "token": self.token,
            "sha256": self.sha256,
            "inode": self.inode,
            "dress": dress_as_json(self.dressed),
            "reflink": self.reflink,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Link:
        """Return what ``as_json`` wrote."""
        dressed = dress_of(record["dress"])
        assert dressed is not None
        return cls(
            path_of(record),
            path_of(record, "keeper"),
            record["sha256"],
            record["inode"],
            dressed,
            record["token"],
            record["reflink"],
        )


def _clone(keeper: bytes, target: bytes, dressed: Dress) -> None:
    with open(keeper, "rb") as source, open(target, "xb") as clone:
        fcntl.ioctl(clone.fileno(), FICLONE, source.fileno())
        dress(target, dressed)
        os.fsync(clone.fileno())
