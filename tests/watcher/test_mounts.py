"""Fault 17 with a real file system that is unmounted, in a mount namespace of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.watcher.conftest import Photos, Watcher, wait_until
from twinlens.roots import MARKER_NAME

UNSHARE = ["unshare", "--mount", "--propagation", "private"]


@pytest.fixture
def namespace(photos: Photos) -> list[str]:
    """Return the command that starts a shell with a tmpfs of photos in place of the folder.

    The shell mounts, starts the watcher, and unmounts and mounts again as files in ``control`` say.
    """
    tried = [*UNSHARE, "sh", "-c", f"mount -t tmpfs none '{photos.folder}'"]
    if not shutil.which("unshare") or subprocess.run(tried, check=False).returncode:
        pytest.skip("no mount namespaces here")
    control = photos.folder.parent
    script = f"""
        cd '{control}' && mkdir disk && mount -t tmpfs none disk
        cp photos/{MARKER_NAME} disk/ && mkdir disk/2024
        for i in $(seq 60); do : > disk/2024/$i.jpg; done
        mount --bind disk photos
        exec 3<&0; "$0" "$@" <&3 3<&- & watcher=$!; exec <&- 3<&-
        until [ -e unmount ]; do sleep 0.05; done; umount photos; touch unmounted
        until [ -e mount ]; do sleep 0.05; done; mount --bind disk photos
        : > disk/2024/new.jpg
        wait $watcher
    """
    return [*UNSHARE, "sh", "-c", script]


def test_a_mount_that_vanishes_and_comes_back_loses_nothing(
    photos: Photos, start: Callable[..., Watcher], namespace: list[str]
) -> None:
    """Offline within seconds of the umount, online within seconds of the mount."""
    control = photos.folder.parent
    watcher = start(prefix=namespace)
    wait_until(lambda: len(photos.live()) == 60, watcher)
    (photos.folder / MARKER_NAME).unlink()  # below the mount: an empty mount point has no marker
    (control / "unmount").touch()
    wait_until((control / "unmounted").exists, watcher)
    wait_until(lambda: not photos.root.online, watcher)
    assert len(photos.live()) == 60
    (control / "mount").touch()
    wait_until(lambda: photos.root.online, watcher)
    wait_until(lambda: "2024/new.jpg" in photos.live(), watcher)
    assert len(photos.live()) == 61
    assert photos.events() == ["offline", "online"]


def test_a_mount_point_without_its_disk_is_not_swept(
    photos: Photos, start: Callable[..., Watcher], tmp_path: Path
) -> None:
    """``--once`` fails, says why, and forgets nothing."""
    photos.write_many(3)
    assert start("--once", ready=False).process.wait(20) == 0
    (photos.folder / MARKER_NAME).unlink()
    shutil.rmtree(photos.folder / "many")
    once = start("--once", ready=False)
    assert once.process.wait(20) == 1
    assert "is the disk mounted?" in once.said()
    assert len(photos.live()) == 3
