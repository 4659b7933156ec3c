"""What a file's status says about its bytes."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

NO_INODE = 0

INODELESS = frozenset("exfat fuse.exfat fuse.rclone fuse.sshfs msdos vfat".split())
"""File systems that keep no inode numbers: the driver makes one up when a file comes into its cache,
another one after the next mount (``iunique`` in Linux's fs/exfat/inode.c and fs/fat/inode.c). Whole
disks were read anew for it by others (restic#2058)."""

MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class FileStat:
    """What a reading of a file's status gave."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    """NO_INODE where the file system keeps none."""

    @classmethod
    def of(cls, stat: os.stat_result) -> Self:
        """Take the fields that matter, folded into the 64 bits that SQLite has.

        ZFS and SMB give inodes above 2^63, and a camera with a mad clock gives a time after the
        year 2262, which is more than 2^63 ns.
        """
        return cls(
            stat.st_size,
            _fold(stat.st_mtime_ns),
            _fold(stat.st_ctime_ns),
            _fold(stat.st_ino) if _keeps_inodes(stat.st_dev) else NO_INODE,
        )

    def same_bytes(self, other: FileStat) -> bool:
        """Tell whether nothing suggests that the bytes differ: size, mtime and inode agree.

        ctime is left out: chmod and rename change it. So is the inode where there is none.
        """
        return (self.size, self.mtime_ns) == (other.size, other.mtime_ns) and (
            self.inode == other.inode or NO_INODE in (self.inode, other.inode)
        )


def _fold(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


@functools.lru_cache(maxsize=64)
def _keeps_inodes(device: int) -> bool:
    """Tell whether inode numbers on a device last; True where the system does not say.

    Remembered: were the device's number given to another disk meanwhile, ``same_bytes`` would hold
    an inode against none.
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = MOUNTS.read_bytes().decode("utf-8", "backslashreplace").splitlines()
    except OSError:
        return True
    # proc(5): id parent major:minor root mount-point options [more...] - type source ...
    return not any(
        line.split(" ", 3)[2] == number and line.partition(" - ")[2].split(" ")[0] in INODELESS
        for line in lines
    )
