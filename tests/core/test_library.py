"""The library folder: where it may lie, and one process for each role."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.core.conftest import Start
from twinlens.catalogue import Catalogue
from twinlens.errors import AlreadyRunningError, LibraryError
from twinlens.library import Library, filesystem_type, is_network

HOLD = """
import sys
from pathlib import Path
from twinlens.library import Library
with Library(Path(sys.argv[1])).lock(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("fstype", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"])
def test_network_mount_is_refused(fstype: str, tmp_path: Path):
    """#41: a library on a network mount is refused, with the cure, and nothing is made there."""
    library = Library(tmp_path / "library")
    with pytest.raises(LibraryError, match=rf"network mount \({fstype}\).*--library"):
        library.create(filesystem=lambda _: fstype)
    assert not library.folder.exists()


@pytest.mark.parametrize("fstype", ["ext4", "btrfs", "apfs", "fuseblk", "overlay", ""])
def test_local_disk_is_accepted(fstype: str, tmp_path: Path):
    """A local disk, or one whose type is not told, is accepted."""
    library = Library(tmp_path / "deep" / "library")
    library.create(filesystem=lambda _: fstype)
    assert library.folder.is_dir()


def test_filesystem_of_a_folder_to_be_made(tmp_path: Path):
    """The file system of a path that does not exist yet is that of its nearest parent."""
    assert filesystem_type(tmp_path / "a" / "b") == filesystem_type(tmp_path)
    assert filesystem_type(Path("/proc/self")) == "proc"
    assert not is_network(filesystem_type(tmp_path))


def test_folder_is_private(tmp_path: Path):
    """Only its user can enter the library: the socket and thumbnails are inside."""
    library = Library(tmp_path / "library")
    library.create()
    assert library.folder.stat().st_mode & 0o777 == 0o700


def test_file_in_the_way_is_refused(tmp_path: Path):
    """A file where the library should be is an error that names it."""
    (tmp_path / "library").write_text("")
    with pytest.raises(LibraryError, match="cannot make the library folder"):
        Library(tmp_path / "library").create()
    with pytest.raises(LibraryError, match="cannot make the library folder"):
        Library(tmp_path / "library" / "below").create()


def test_second_holder_is_refused(library: Library, start_python: Start):
    """#7: a second indexer is refused while the first lives, and let in once it was killed."""
    child = start_python(HOLD, library.folder, "indexer")
    assert child.stdout.readline() == b"held\n"
    assert library.locked("indexer")
    with (
        pytest.raises(AlreadyRunningError, match="another indexer is running"),
        library.lock("indexer"),
    ):
        pass
    child.kill()
    child.wait()
    assert not library.locked("indexer")
    with library.lock("indexer"):
        assert library.locked("indexer")


def test_roles_do_not_bar_each_other(library: Library):
    """A watcher and a worker run side by side on one library."""
    with library.lock("watcher"), library.lock("worker"):
        assert library.locked("watcher")
        assert library.locked("worker")
        assert not library.locked("indexer")


def test_looking_keeps_nobody_out(library: Library, start_python: Start):
    """A process that only looks whether a role is taken does not make its next holder fail."""
    look = start_python(
        "import sys\nfrom pathlib import Path\nfrom twinlens.library import Library\n"
        "print('go', flush=True)\n"
        "while True: Library(Path(sys.argv[1])).locked('worker')",
        library.folder,
    )
    assert look.stdout.readline() == b"go\n"
    for _ in range(200):
        with library.lock("worker"):
            pass


def test_lock_that_is_held_for_a_moment(library: Library, monkeypatch: pytest.MonkeyPatch):
    """A lock that is let go a moment later, as by one who only looks, is taken all the same."""
    moment = library.lock("worker")
    moment.__enter__()
    monkeypatch.setattr(time, "sleep", lambda _: moment.__exit__(None, None, None))
    with library.lock("worker"):
        assert library.locked("worker")


def test_error_within_the_lock_passes(library: Library):
    """An error of the one who holds the lock is not mistaken for a lock that is taken."""
    with pytest.raises(BlockingIOError), library.lock("worker"):
        raise BlockingIOError
    assert not library.locked("worker")


def test_a_missing_library_is_not_locked(tmp_path: Path):
    """A library that does not exist has no holder, and looking makes nothing."""
    assert not Library(tmp_path / "none").locked("worker")
    assert not (tmp_path / "none").exists()


def test_parts_lie_in_the_folder(library: Library, catalogue: Catalogue):
    """All parts of a library are below its folder."""
    parts = (library.catalogue, library.index, library.thumbnails, library.socket)
    assert all(part.parent == library.folder for part in parts)
    assert catalogue.path == library.catalogue
