"""What a file's status says, on file systems that keep inode numbers and on those that do not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from twinlens import filestat
from twinlens.filestat import NO_INODE, FileStat


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Let the disk of ``tmp_path`` pass for a file system of another type: ``on("exfat")``."""

    def mount(kind: str) -> None:
        device = tmp_path.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        table = tmp_path / "mountinfo"
        table.write_text(
            "21 1 0:99 / / rw shared:1 - ext4 /dev/sda1 rw\n"
            f"36 21 {number} / /media/my\\040disk rw,relatime shared:2 - {kind} /dev/sdb1 rw\n"
        )
        monkeypatch.setattr(filestat, "MOUNTS", table)
        filestat._keeps_inodes.cache_clear()

    yield mount
    filestat._keeps_inodes.cache_clear()


def renumbered(path: Path) -> FileStat:
    """Give a file another inode, with all else as it was, as a remount of exFAT does."""
    copy = path.with_suffix(".copy")
    shutil.copy2(path, copy)
    copy.replace(path)
    return FileStat.of(path.stat())


@pytest.mark.parametrize("kind", ["exfat", "vfat"])
def test_remount_of_a_disk_without_inodes(tmp_path: Path, on: Callable[[str], None], kind: str):
    """After a remount of an exFAT disk its files are the same; a change still shows."""
    on(kind)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"photo")
    before = FileStat.of(path.stat())
    assert before.inode == NO_INODE
    assert before.same_bytes(renumbered(path))
    path.write_bytes(b"photo, edited")
    assert not before.same_bytes(FileStat.of(path.stat()))


def test_file_replaced_where_there_are_inodes(tmp_path: Path, on: Callable[[str], None]):
    """On other disks another inode is another file, whatever its size and time."""
    on("ext4")
    path = tmp_path / "a.jpg"
    path.write_bytes(b"photo")
    before = FileStat.of(path.stat())
    assert before.inode == path.stat().st_ino
    assert not before.same_bytes(renumbered(path))


def test_without_a_table_of_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the system does not tell, inodes count."""
    monkeypatch.setattr(filestat, "MOUNTS", tmp_path / "none")
    filestat._keeps_inodes.cache_clear()
    assert FileStat.of(tmp_path.stat()).inode == tmp_path.stat().st_ino
    filestat._keeps_inodes.cache_clear()
