"""Sweeps: disk and catalogue compared, on real files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.watcher.conftest import NOBODY, Photos, as_nobody
from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.media import printable
from twinlens.roots import MARKER_NAME, add_root
from twinlens_watcher.clock import FakeClock
from twinlens_watcher.follow import Follower
from twinlens_watcher.sweep import Sweep, Swept

RunSweep = Callable[..., Swept]


def test_a_sweep_finds_photos_wherever_they_are(photos: Photos, sweep: RunSweep) -> None:
    """Folders of all depths, names that sort awkwardly, no files but photos."""
    names = ["a.jpg", "a/b.jpg", "a/c/d.NEF", "a-b/e.heic", "a.d/f.png", "a0.jpg", "z é.webp"]
    for name in [*names, "notes.txt", ".hidden.jpg", "@eaDir/a.jpg", "a/.dtrash/x.jpg"]:
        photos.write(name)
    found = sweep()
    assert photos.live() == sorted(names, key=os.fsencode)
    assert found.recorded == len(names)
    assert photos.jobs() == photos.live()


def test_a_second_sweep_finds_nothing_to_do(photos: Photos, sweep: RunSweep) -> None:
    """With more files than are read from the catalogue at a time."""
    photos.write_many(2_100)
    assert sweep().recorded == 2_100
    photos.embed_all()
    assert sweep().changes == 0
    assert sweep().photos == 2_100


def test_a_changed_photo_keeps_its_row_and_gets_a_new_generation(
    photos: Photos, sweep: RunSweep
) -> None:
    """And a job."""
    photos.write("a.jpg", b"one")
    sweep()
    before = photos.row("a.jpg")
    photos.embed_all()
    photos.write("a.jpg", b"another")
    sweep()
    after = photos.row("a.jpg")
    assert after["id"] == before["id"]
    assert after["generation"] == 2
    assert photos.jobs() == ["a.jpg"]


def test_a_deleted_photo_is_a_tombstone_that_returns(photos: Photos, sweep: RunSweep) -> None:
    """Row and content are there when the photo comes back: no new work."""
    path = photos.write("a.jpg")
    sweep()
    photos.embed_all()
    before = photos.row("a.jpg")
    away = path.rename(photos.folder.parent / "a.jpg")
    assert sweep().deleted == 1
    assert photos.live() == []
    away.rename(path)
    sweep()
    after = photos.row("a.jpg")
    assert (after["id"], after["content_id"]) == (before["id"], before["content_id"])
    assert after["generation"] == 1
    assert photos.jobs() == []
    assert photos.events() == ["deleted", "returned"]


def test_moved_photos_and_folders_keep_row_and_content(photos: Photos, sweep: RunSweep) -> None:
    """A rename costs no new embedding."""
    photos.write("2024/a.jpg", b"a")
    photos.write("2024/b.jpg", b"bb")
    photos.write("c.jpg", b"ccc")
    sweep()
    photos.embed_all()
    before = {name: photos.row(name) for name in photos.live()}
    (photos.folder / "2024").rename(photos.folder / "1999")
    (photos.folder / "c.jpg").rename(photos.folder / "1999" / "z.jpg")
    found = sweep()
    assert (found.moved, found.recorded, found.deleted) == (3, 0, 0)
    assert photos.live() == ["1999/a.jpg", "1999/b.jpg", "1999/z.jpg"]
    for old, new in (("2024/a.jpg", "1999/a.jpg"), ("c.jpg", "1999/z.jpg")):
        assert photos.row(new)["id"] == before[old]["id"]
        assert photos.row(new)["content_id"] == before[old]["content_id"]
    assert photos.jobs() == []
    assert photos.events() == ["moved"] * 3


def test_a_file_in_the_place_of_another_is_no_move(photos: Photos, sweep: RunSweep) -> None:
    """A new file that was given the inode of a deleted one differs in size or mtime."""
    photos.write("a.jpg", b"first")
    sweep()
    (photos.folder / "a.jpg").unlink()
    photos.write("b.jpg", b"second, longer")
    found = sweep()
    assert (found.moved, found.recorded, found.deleted) == (0, 1, 1)


def test_a_hard_link_beside_the_old_name_is_a_second_photo(photos: Photos, sweep: RunSweep) -> None:
    """Fault 15: nothing vanished, so nothing moved."""
    path = photos.write("a.jpg")
    sweep()
    os.link(path, photos.folder / "b.jpg")
    assert sweep().recorded == 1
    assert photos.live() == ["a.jpg", "b.jpg"]


def test_a_disk_that_is_missing_takes_the_root_offline_and_forgets_nothing(
    photos: Photos, sweep: RunSweep
) -> None:
    """Fault 17: the empty mount point has no marker."""
    photos.write_many(60)
    sweep()
    photos.folder.rename(photos.folder.parent / "disk")
    photos.folder.mkdir()
    found = sweep()
    assert "marker" in str(found.offline)
    assert len(photos.live()) == 60
    assert not photos.root.online
    photos.folder.rmdir()
    assert "not there" in str(sweep().offline)
    (photos.folder.parent / "disk").rename(photos.folder)
    assert sweep().offline is None
    assert photos.root.online
    assert photos.events() == ["offline", "online"]


def test_a_disk_that_vanishes_during_the_walk_forgets_nothing(
    photos: Photos, sweep: RunSweep
) -> None:
    """Fault 17: the marker is looked for after the walk too."""
    photos.write_many(100)
    sweep()

    def vanish() -> None:
        if photos.folder.exists():
            photos.folder.rename(photos.folder.parent / "disk")

    found = sweep(pause=vanish)
    assert found.photos >= 1
    assert "not there" in str(found.offline)
    assert len(photos.live()) == 100


def test_losing_many_photos_at_once_takes_the_root_offline(photos: Photos, sweep: RunSweep) -> None:
    """More than 20 % and more than 50: nothing is forgotten, and the reason tells the cure."""
    photos.write_many(80)
    photos.write_many(100, "gone")
    sweep()
    shutil.rmtree(photos.folder / "gone")
    found = sweep()
    assert f"twinlens scan --accept-deletions {photos.folder}" in str(found.offline)
    assert photos.root.reason == found.offline
    assert len(photos.live()) == 180
    assert not ledger.has_work(photos.catalogue)  # nothing is handed out from a root that is away
    again = sweep()
    assert again.offline == found.offline


def test_accepted_deletions_are_taken_and_bring_the_root_online(
    photos: Photos, sweep: RunSweep
) -> None:
    """The cure works."""
    photos.write_many(80)
    sweep()
    shutil.rmtree(photos.folder / "many")
    photos.write("left.jpg")
    assert sweep().offline is not None
    assert sweep(accept=True).offline is None
    assert photos.live() == ["left.jpg"]
    assert photos.root.online


def test_a_folder_made_anew_is_taken_back_when_its_user_says_so(
    photos: Photos, sweep: RunSweep, follower: Follower
) -> None:
    """Fault 16: without a marker it could be an empty mount point; only the user knows."""
    photos.write("a.jpg")
    sweep()
    shutil.rmtree(photos.folder)
    photos.write("b.jpg")
    assert "marker" in str(sweep().offline)
    follower.accept_folder()
    assert sweep(accept=True).offline is None
    assert (photos.folder / MARKER_NAME).exists()
    assert photos.live() == ["b.jpg"]


def test_the_photos_of_a_disk_that_comes_back_are_not_lost(photos: Photos, sweep: RunSweep) -> None:
    """A folder that was away for a while, below the mass-loss limit."""
    photos.write_many(60)
    photos.write_many(5, "other")
    sweep()
    photos.embed_all()
    (photos.folder / "other").rename(photos.folder.parent / "other")
    assert sweep().deleted == 5
    (photos.folder.parent / "other").rename(photos.folder / "other")
    sweep()
    assert len(photos.live()) == 65
    assert photos.jobs() == []


def test_names_that_are_no_text_are_followed(photos: Photos, sweep: RunSweep) -> None:
    r"""Fault 45: ``\xff`` in the names of files and folders; printable for people."""
    folder = photos.folder / os.fsdecode(b"f\xff")
    folder.mkdir()
    (folder / os.fsdecode(b"\xfe\n.jpg")).write_bytes(b"x")
    sweep()
    [row] = photos.catalogue.rows("SELECT path FROM files")
    assert row[0] == b"f\xff/\xfe\n.jpg"
    assert printable(row[0]) == "f\\xff/\\xfe\\n.jpg"
    photos.embed_all()
    assert sweep().changes == 0
    folder.rename(photos.folder / os.fsdecode(b"g\xff"))
    assert sweep().moved == 1


def test_symbolic_links_are_not_followed(photos: Photos, sweep: RunSweep) -> None:
    """Fault 46: loops, links out of the root, links to photos, links to nowhere."""
    outside = photos.folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"x")
    photos.write("a/real.jpg")
    for link, target in (
        ("a/loop", photos.folder),
        ("a/self", "self"),
        ("escape", outside),
        ("etc", "/etc"),
        ("link.jpg", outside / "secret.jpg"),
        ("broken.jpg", "nowhere.jpg"),
    ):
        (photos.folder / link).symlink_to(target)
    sweep()
    assert photos.live() == ["a/real.jpg"]


def test_a_folder_replaced_by_a_link_to_it_is_gone(photos: Photos, sweep: RunSweep) -> None:
    """Fault 46: the path still opens, but through a link that no sweep follows."""
    photos.write("a/b/real.jpg")
    sweep()
    (photos.folder / "a").rename(photos.folder.parent / "elsewhere")
    (photos.folder / "a").symlink_to(photos.folder.parent / "elsewhere")
    assert sweep().deleted == 1


def test_a_photo_replaced_by_a_link_or_a_folder_is_gone(photos: Photos, sweep: RunSweep) -> None:
    """Only regular files are photos; a pipe would hang its reader."""
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        photos.write(name)
    sweep()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (photos.folder / name).unlink()
    (photos.folder / "a.jpg").symlink_to("d.jpg")
    (photos.folder / "b.jpg").mkdir()
    os.mkfifo(photos.folder / "c.jpg")
    sweep()
    assert photos.live() == ["d.jpg"]


@pytest.fixture
def open_photos(catalogue: Catalogue) -> Iterator[Photos]:
    """A root that other users can reach and write to (pytest's own folders are private)."""
    with tempfile.TemporaryDirectory(prefix="twinlens-test-") as made:
        folder = Path(made)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o755)
        yield Photos(catalogue, add_root(catalogue, folder, now=0))


@pytest.fixture
def open_sweep(open_photos: Photos, hand_clock: FakeClock) -> RunSweep:
    """Sweep ``open_photos`` without root's rights."""
    follower = Follower(open_photos.catalogue, open_photos.root, hand_clock, 2.0, local=True)

    def run() -> Swept:
        with as_nobody():
            return Sweep(follower).all()

    return run


def test_an_unreadable_folder_hides_nothing_and_forgets_nothing(
    open_photos: Photos, open_sweep: RunSweep, caplog: pytest.LogCaptureFixture
) -> None:
    """Fault 47: the rest is swept, the folder named, and swept again when it can be read."""
    for name in ("a.jpg", "locked/b.jpg", "locked/deep/c.jpg", "z.jpg"):
        open_photos.write(name)
    open_sweep()
    locked = open_photos.folder / "locked"
    locked.chmod(0)
    open_photos.write("y.jpg")
    assert open_sweep().offline is None
    assert f"{locked}/: cannot be read. Correct the permissions." in caplog.messages
    assert open_photos.live() == ["a.jpg", "locked/b.jpg", "locked/deep/c.jpg", "y.jpg", "z.jpg"]
    locked.chmod(0o755)
    open_photos.write("locked/d.jpg")
    open_sweep()
    assert "locked/d.jpg" in open_photos.live()


def test_a_folder_that_can_be_listed_but_not_entered_forgets_nothing(
    open_photos: Photos, open_sweep: RunSweep
) -> None:
    """Fault 47: names without statuses."""
    open_photos.write("a.jpg")
    open_photos.write("locked/b.jpg")
    open_sweep()
    (open_photos.folder / "locked").chmod(0o444)
    open_sweep()
    assert open_photos.live() == ["a.jpg", "locked/b.jpg"]


def test_a_root_that_cannot_be_read_goes_offline(open_photos: Photos, open_sweep: RunSweep) -> None:
    """Fault 47: and comes back when it can."""
    open_photos.write("a.jpg")
    open_sweep()
    open_photos.folder.chmod(0)
    assert open_sweep().offline is not None
    assert open_photos.live() == ["a.jpg"]
    open_photos.folder.chmod(0o755)
    assert open_sweep().offline is None


def test_an_unreadable_or_empty_photo_is_tried_again_when_it_is_corrected(
    photos: Photos, sweep: RunSweep
) -> None:
    """Fault 47: after chmod or a write, the quarantine ends; an untouched one stays."""
    for name in ("chmod.jpg", "empty.jpg", "hopeless.jpg"):
        photos.write(name, b"")
    sweep()
    with photos.catalogue.write_tx() as tx:
        for (file_id,) in tx.execute("SELECT file_id FROM jobs").fetchall():
            ledger.fail(
                *(tx, file_id),
                kind="unreadable",
                reason="no",
                permanent=True,
                max_attempts=3,
                now=0,
            )
    assert sweep().recorded == 0
    assert photos.jobs() == []
    (photos.folder / "chmod.jpg").chmod(0o600)
    photos.write("empty.jpg", b"now full")
    sweep()
    assert photos.jobs() == ["chmod.jpg", "empty.jpg"]


def test_a_photo_that_vanishes_while_its_job_waits_makes_no_storm(
    photos: Photos, sweep: RunSweep
) -> None:
    """Fault 23: a tombstone, and the job rests."""
    photos.write("a.jpg")
    sweep()
    (photos.folder / "a.jpg").unlink()
    sweep()
    assert not ledger.has_work(photos.catalogue)
    assert ledger.lease(photos.catalogue, "w", now=0, seconds=9, limit=9) == []
    photos.write("a.jpg", b"back")
    sweep()
    assert photos.jobs() == ["a.jpg"]


def test_a_photo_that_changes_while_a_worker_has_it_is_queued_again(
    photos: Photos, sweep: RunSweep
) -> None:
    """Fault 22: the job in hand has the old generation, so that its result will be dropped."""
    photos.write("a.jpg", b"one")
    sweep()
    [job] = ledger.lease(photos.catalogue, "w", now=0, seconds=1e9, limit=9)
    photos.write("a.jpg", b"changed")
    sweep()
    assert photos.row("a.jpg")["generation"] == job.generation + 1
    assert photos.jobs() == ["a.jpg"]


def test_a_library_within_the_root_is_left_out(tmp_path: Path, hand_clock: FakeClock) -> None:
    """Or each thumbnail would get a thumbnail, for ever."""
    library = Library(tmp_path / "library")
    library.create()
    with Catalogue.open(library.catalogue) as catalogue:
        photos = Photos(catalogue, add_root(catalogue, tmp_path, now=0))
        for name in ("a.jpg", "library/thumbnails/b.jpg", "library2/c.jpg"):
            photos.write(name)
        follower = Follower(catalogue, photos.root, hand_clock, 2.0, local=True)
        Sweep(follower).all()
        follower.look([b"library/thumbnails/b.jpg"])
        assert photos.live() == ["a.jpg", "library2/c.jpg"]


def test_work_that_was_lost_is_found_again(photos: Photos, sweep: RunSweep) -> None:
    """A file with neither content nor job gets a job."""
    photos.write("a.jpg")
    sweep()
    with photos.catalogue.write_tx() as tx:
        tx.execute("DELETE FROM jobs")
    assert sweep().recorded == 1
    assert photos.jobs() == ["a.jpg"]


def test_a_copy_onto_preallocated_space_is_corrected(
    photos: Photos, sweep: RunSweep, follower: Follower, hand_clock: FakeClock
) -> None:
    """Fault 21: a copy that pauses for long is taken with zeros at its end, then again when whole."""
    whole = b"\xff\xd8" + bytes(range(256)) * 40
    path = photos.write("a.jpg", whole[:100] + bytes(len(whole) - 100))
    sweep()
    photos.embed_all()
    with path.open("r+b") as file:
        file.write(whole)
    sweep()
    assert photos.row("a.jpg")["generation"] == 2
    assert photos.jobs() == ["a.jpg"]
