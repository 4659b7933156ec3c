"""What a file has beside its bytes: owner, mode, times and extended attributes."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dress:
    """What a file has beside its bytes."""

    mode: int
    owner: int
    group: int
    atime_ns: int
    mtime_ns: int
    attributes: Mapping[str, bytes]
    """Extended attributes, access lists among them."""

    @classmethod
    def of(cls, path: bytes) -> Dress:
        """Read it from a file."""
        found = os.stat(path, follow_symlinks=False)
        return cls(
            stat.S_IMODE(found.st_mode),
            found.st_uid,
            found.st_gid,
            found.st_atime_ns,
            found.st_mtime_ns,
            dict(_attributes(path)),
        )


def dress(path: bytes, dressed: Dress, *, times: bool = True) -> None:
    """Give a file its owner, mode, attributes and times, as far as the system lets us."""
    with contextlib.suppress(OSError):  # only root gives files away; FAT has no owners
        os.chown(path, dressed.owner, dressed.group, follow_symlinks=False)
    for name, value in dressed.attributes.items():
        with contextlib.suppress(OSError):
            os.setxattr(path, name, value, follow_symlinks=False)
    with contextlib.suppress(PermissionError):
        os.chmod(path, dressed.mode)
    if times:
        os.utime(path, ns=(dressed.atime_ns, dressed.mtime_ns), follow_symlinks=False)


def _attributes(path: bytes) -> Iterator[tuple[str, bytes]]:
    if not hasattr(os, "listxattr"):
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(path, follow_symlinks=False):
            with contextlib.suppress(OSError):
                yield name, os.getxattr(path, name, follow_symlinks=False)
