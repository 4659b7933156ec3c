"""What a file's status says about its bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class FileStat:
    """What a reading of a file's status gave."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Self:
        """Take the fields that matter, folded into the 64 bits that SQLite has.

        ZFS and SMB give inodes above 2^63, and a camera with a mad clock gives a time after the
        year 2262, which is more than 2^63 ns.
        """
        return cls(
            stat.st_size, _fold(stat.st_mtime_ns), _fold(stat.st_ctime_ns), _fold(stat.st_ino)
        )

    def same_bytes(self, other: FileStat) -> bool:
        """Tell whether nothing suggests that the bytes differ: size, mtime and inode agree.

        ctime is left out: chmod and rename change it.
        """
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)


def _fold(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63
