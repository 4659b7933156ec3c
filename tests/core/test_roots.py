"""Roots: registering photo folders, and telling a disk that is away from photos that are gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.conftest import Shelf, Start
from twinlens import events, ledger, roots
from twinlens.catalogue import Catalogue
from twinlens.errors import RootError
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.models import Model
from twinlens.roots import MARKER_NAME, Root, add_root, find_root, list_roots, why_offline


def make(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir(parents=True)
    return folder


# Adding


def test_added_root(catalogue: Catalogue, tmp_path: Path):
    """A root is registered under its folder's name, marked, and online."""
    folder = make(tmp_path / "Pictures")
    root = add_root(catalogue, folder, now=1.0)
    assert (root.name, root.folder, root.online) == ("Pictures", folder, True)
    assert (folder / MARKER_NAME).read_text() == f"{root.marker}\n"
    assert list_roots(catalogue) == [root]
    assert why_offline(root) is None


def test_added_twice(root: Root, catalogue: Catalogue, tmp_path: Path):
    """Adding a root again, also through a symbolic link, gives the one that is there."""
    (tmp_path / "link").symlink_to(root.folder)
    assert add_root(catalogue, root.folder, now=2.0) == root
    assert add_root(catalogue, tmp_path / "link", now=2.0) == root
    assert why_offline(root) is None


def test_same_names_are_told_apart(catalogue: Catalogue, tmp_path: Path):
    """Two folders of one name get two names."""
    names = [
        add_root(catalogue, make(tmp_path / disk / "DCIM"), now=1.0).name for disk in ("a", "b")
    ]
    assert names == ["DCIM", "DCIM-2"]


def test_folder_of_the_library(catalogue: Catalogue):
    """Thumbnails are not photos: neither the library nor a folder of them is a root."""
    library = catalogue.path.parent
    for folder in (library, make(library / "thumbnails" / "ab")):
        with pytest.raises(RootError, match="belongs to the library"):
            add_root(catalogue, folder, now=1.0)
    assert list_roots(catalogue) == []


def test_file_instead_of_a_folder(catalogue: Catalogue, tmp_path: Path):
    """It is there; only it is no folder."""
    (tmp_path / "a.jpg").touch()
    with pytest.raises(RootError, match=r"a\.jpg: is a file\. Name its folder\."):
        add_root(catalogue, tmp_path / "a.jpg", now=1.0)


def test_name_that_is_taken(root: Root, catalogue: Catalogue, tmp_path: Path):
    """A name that another root has is refused."""
    with pytest.raises(RootError, match="'photos' is taken"):
        add_root(catalogue, make(tmp_path / "other"), now=1.0, name="photos")
    assert add_root(catalogue, tmp_path / "other", now=1.0, name="scans").name == "scans"


def test_folder_that_is_not_there(catalogue: Catalogue, tmp_path: Path):
    """A path of nothing is refused and named in a printable way."""
    for name in (b"none", b"\xff\n"):
        with pytest.raises(RootError, match="no such folder") as caught:
            add_root(catalogue, tmp_path / os.fsdecode(name), now=1.0)
        assert str(caught.value).isprintable()


def test_overlap(root: Root, catalogue: Catalogue, tmp_path: Path):
    """A folder inside a root, or around one, is refused; one with a similar name is not."""
    inside = make(root.folder / "2024")
    with pytest.raises(RootError, match="lies inside"):
        add_root(catalogue, inside, now=1.0)
    with pytest.raises(RootError, match=r"holds .* remove-root"):
        add_root(catalogue, tmp_path, now=1.0)
    add_root(catalogue, make(tmp_path / "photos-2"), now=1.0)
    assert len(list_roots(catalogue)) == 2


def test_name_that_is_not_utf8(catalogue: Catalogue, tmp_path: Path):
    """#45: a folder whose name is not UTF-8 is a root like any other, with a printable name."""
    folder = make(tmp_path / os.fsdecode(b"caf\xe9"))
    root = add_root(catalogue, folder, now=1.0)
    assert root.name == "caf\\xe9"
    assert root.folder == folder
    with pytest.raises(RootError) as caught:
        add_root(catalogue, make(folder / "inner"), now=1.0)
    assert str(caught.value).isprintable()


ADD = """
import sys
from pathlib import Path
from twinlens.catalogue import Catalogue
from twinlens.roots import add_root
with Catalogue.open(Path(sys.argv[1])) as catalogue:
    print("ready", flush=True)
    sys.stdin.readline()
    print(add_root(catalogue, Path(sys.argv[2]), now=1.0).id)
"""


def test_added_by_two_processes_at_once(
    catalogue: Catalogue, library: Library, tmp_path: Path, start_python: Start
):
    """Two processes that add the same folder at once get the same root."""
    folder = make(tmp_path / "photos")
    children = [start_python(ADD, library.catalogue, folder) for _ in range(2)]
    for child in children:
        child.stdout.readline()
    answers = set()
    for child in children:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        out, err = child.communicate(timeout=30)
        assert child.returncode == 0, err.decode()
        answers.add(out)
    assert len(answers) == 1


def test_finding_the_root_of_a_path(root: Root, catalogue: Catalogue, tmp_path: Path):
    """A path belongs to the root above it, or that it is, through links too; others to none."""
    (tmp_path / "link").symlink_to(root.folder)
    assert find_root(catalogue, root.folder / "2024" / "a.jpg") == root
    assert find_root(catalogue, root.folder) == root
    assert find_root(catalogue, tmp_path / "link" / "a.jpg") == root
    assert find_root(catalogue, tmp_path / "photos-2") is None
    assert find_root(catalogue, Path("/")) is None


# Being there


def test_empty_mount_point(root: Root):
    """#17: a folder without our marker is the empty mount point of a disk that is away."""
    (root.folder / MARKER_NAME).unlink()
    assert "marker .twinlens-root is missing" in str(why_offline(root))


def test_folder_gone(root: Root):
    """#16: a root whose folder is gone is away."""
    (root.folder / MARKER_NAME).unlink()
    root.folder.rmdir()
    assert why_offline(root) == "the folder is not there"


def test_file_in_its_place(root: Root):
    """A file where the root was is no root."""
    (root.folder / MARKER_NAME).unlink()
    root.folder.rmdir()
    root.folder.write_text("")
    assert why_offline(root) == "the folder is not there"


@pytest.mark.parametrize("text", [b"0123456789abcdef\n", b"\xff\xfe"])
def test_other_disk_in_its_place(root: Root, text: bytes):
    """A disk with another marker is not taken for ours."""
    (root.folder / MARKER_NAME).write_bytes(text)
    assert why_offline(root) == "another folder is mounted in its place"


def test_disk_that_answers_with_errors(root: Root, monkeypatch: pytest.MonkeyPatch):
    """#17: a dead network mount, which answers every call with an error, is away, not a crash."""

    def dead(path: object) -> object:
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr(os, "scandir", dead)
    assert why_offline(root) == "the folder cannot be read: Transport endpoint is not connected"


READ_ONLY = """
import sys
from pathlib import Path
from twinlens import roots
from twinlens.catalogue import Catalogue
folder = Path(sys.argv[1])
with Catalogue.open(folder.parent / "other.sqlite3") as catalogue:
    root = roots.add_root(catalogue, folder, now=1.0)
    print(root.marker, roots.why_offline(root))
    roots.remove_root(catalogue, root)
"""


def read_only(tmp_path: Path, *, file: bool) -> str:
    """Add and remove a root on a read-only mount; return its marker and why it is offline."""
    import sys

    folder = make(tmp_path / "disk")
    script = 'mount -t tmpfs none "$1"'
    if file:
        script += ' && touch "$1/a.jpg"'
    script += ' && mount -o remount,ro "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(folder)]
    if subprocess.run([*command, "true", ""], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    done = subprocess.run(
        [*command, sys.executable, READ_ONLY], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_read_only_root(tmp_path: Path):
    """A read-only folder with photos needs no marker to be watched, and can be removed."""
    assert read_only(tmp_path, file=True) == "None None"


def test_read_only_root_that_is_empty(tmp_path: Path):
    """A read-only folder without a marker is away when it is empty."""
    assert read_only(tmp_path, file=False) == "None the folder is empty"


def test_offline_and_online_are_said_once(root: Root, catalogue: Catalogue):
    """A root that goes away and comes back is said so once each, with the reason."""
    for reason in ("gone", "gone", None, None):
        roots.set_online(catalogue, root, reason=reason, now=5.0)
    found = [(event.kind, event.path, event.detail) for event in events.events_after(catalogue, 0)]
    assert found == [("offline", root.path, "gone"), ("online", root.path, None)]
    assert list_roots(catalogue) == [root]


def test_mounts_of_other_computers():
    """A photo is looked for below this computer's mount of the root, else where the owner has it."""
    mounts = {"photos": Path("/mnt/nas")}
    assert roots.resolve(mounts, "photos", b"/home/p", b"a/\xff.jpg") == b"/mnt/nas/a/\xff.jpg"
    assert roots.resolve(mounts, "scans", b"/home/s", b"a.jpg") == b"/home/s/a.jpg"


# Removing


def test_removed_root_is_forgotten(shelf: Shelf, model: Model, catalogue: Catalogue):
    """Removing a root forgets its photos, jobs, events, vectors and pairs, and tells the index."""
    (shelf.root.folder / "a.jpg").write_bytes(b"photo")
    a = shelf.embed("a.jpg", model)
    b = shelf.embed("b.jpg", model)
    shelf.see("new.jpg")
    shelf.lose("b.jpg")
    with catalogue.write_tx() as tx:
        tx.execute("INSERT INTO pairs VALUES (?, ?, ?, 0.9)", (model.id, a, b))
    logged = catalogue.value("SELECT max(seq) FROM log")
    assert roots.remove_root(catalogue, shelf.root) == 2
    for table in ("roots", "files", "jobs", "contents", "vectors", "pairs", "events"):
        assert catalogue.value(f"SELECT count(*) FROM {table}") == 0, table
    told = catalogue.rows("SELECT content_id FROM log WHERE seq > ? ORDER BY 1", (logged,))
    assert [row["content_id"] for row in told] == [a, b]
    assert catalogue.rows("PRAGMA foreign_key_check") == []
    assert [path.name for path in shelf.root.folder.iterdir()] == ["a.jpg"]
    assert (shelf.root.folder / "a.jpg").read_bytes() == b"photo"


def test_content_that_another_root_holds_stays(
    shelf: Shelf, model: Model, catalogue: Catalogue, tmp_path: Path
):
    """What another root holds too keeps its vector when one root is removed."""
    other = type(shelf)(catalogue, add_root(catalogue, make(tmp_path / "other"), now=1.0))
    kept = shelf.embed("a.jpg", model, content="same")
    other.embed("b.jpg", model, content="same")
    shelf.embed("c.jpg", model)
    roots.remove_root(catalogue, shelf.root)
    assert [row["id"] for row in catalogue.rows("SELECT id FROM contents")] == [kept]
    assert catalogue.value("SELECT count(*) FROM vectors") == 1


def test_removing_a_root_that_is_away(root: Root, catalogue: Catalogue):
    """A root whose disk is away can be removed."""
    (root.folder / MARKER_NAME).unlink()
    root.folder.rmdir()
    assert roots.remove_root(catalogue, root) == 0
    assert list_roots(catalogue) == []


def test_two_libraries_on_one_folder(root: Root, catalogue: Catalogue, tmp_path: Path):
    """Two libraries can watch one folder; when one leaves, the other still finds its marker."""
    second = Library(tmp_path / "second")
    second.create()
    with Catalogue.open(second.catalogue) as other:
        twin = add_root(other, root.folder, now=1.0)
        assert why_offline(root) is None
        assert why_offline(twin) is None
        roots.remove_root(catalogue, root)
        assert why_offline(twin) is None
        assert why_offline(root) == "another folder is mounted in its place"
        roots.remove_root(other, twin)
    assert list(root.folder.iterdir()) == []


def test_marker_of_another_is_left(root: Root, catalogue: Catalogue):
    """Removing a root leaves a marker that is not ours."""
    (root.folder / MARKER_NAME).write_text("theirs\n")
    roots.remove_root(catalogue, root)
    assert (root.folder / MARKER_NAME).read_text() == "theirs\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc for a second way to a folder")
def test_folder_that_is_mounted_twice(catalogue: Catalogue, root: Root):
    """Under its second name it would show each photo as a duplicate of itself."""
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE roots SET path = ?", (b"/proc/self/root" + root.path,))
    with pytest.raises(RootError, match="mounted twice"):
        roots.add_root(catalogue, root.folder, now=1.0)


def test_root_is_removed_in_parts(
    catalogue: Catalogue, root: Root, monkeypatch: pytest.MonkeyPatch
):
    """No transaction is long, and one that was cut off is finished by the next try."""
    monkeypatch.setattr(roots, "PART", 3)
    seen = [(b"%d.jpg" % n, FileStat(1, n, n, n)) for n in range(10)]
    ledger.record(catalogue, root.id, seen, now=0.0)
    roots._forget_some_files(catalogue, root)
    assert catalogue.value("SELECT count(*) FROM files") == 7
    assert roots.remove_root(catalogue, root) == 7
    for table in ("files", "jobs", "roots", "contents"):
        assert catalogue.value(f"SELECT count(*) FROM {table}") == 0, table


def test_renamed_folder_is_the_same_root(catalogue: Catalogue, root: Root, tmp_path: Path):
    """A folder that bears the marker of a root that is away takes its place, photos and all."""
    ledger.record(catalogue, root.id, [(b"a.jpg", FileStat(1, 1, 1, 1))], now=0.0)
    renamed = root.folder.rename(tmp_path / "renamed")
    again = add_root(catalogue, renamed, now=1.0)
    assert (again.id, again.name, again.folder, again.online) == (root.id, root.name, renamed, True)
    assert catalogue.value("SELECT count(*) FROM files") == 1
    assert why_offline(again) is None


def test_copied_folder_is_another_root(catalogue: Catalogue, root: Root, tmp_path: Path):
    """A copy with its marker, beside the folder that is still there, is a root of its own."""
    copy = tmp_path / "copy"
    shutil.copytree(root.folder, copy)
    other = add_root(catalogue, copy, now=1.0)
    assert other.id != root.id
    assert other.marker != root.marker
    assert find_root(catalogue, root.folder) == root
