"""The real watcher process on real files: events, their loss, and what follows."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.watcher.conftest import SETTLE, Photos, Watcher, wait_until
from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.models import Model
from twinlens.roots import MARKER_NAME, Root, add_root, remove_root

Start = Callable[..., Watcher]


def test_a_new_photo_is_recorded_as_soon_as_it_has_settled(photos: Photos, start: Start) -> None:
    """Within 100 ms, but for a machine that is busy; in folders old and new."""
    watcher = start()
    late = []
    for name in ("a.jpg", "new/b.jpg", "c.jpg"):
        photos.write(name)
        late.append(wait_until(lambda name=name: name in photos.live(), watcher) - SETTLE)
    assert min(late) < 0.1
    assert max(late) < 1.0
    assert watcher.stop() == 0
    assert watcher.process.stdout is not None
    assert watcher.process.stdout.read() == b""


def test_what_happens_to_known_photos_is_followed(photos: Photos, start: Start) -> None:
    """A change is a new generation, a deletion a tombstone, a rename keeps row and content."""
    for name in ("change.jpg", "delete.jpg", "move.jpg", "folder/in.jpg"):
        photos.write(name, name.encode())
    watcher = start()
    wait_until(lambda: len(photos.live()) == 4, watcher)
    photos.embed_all()
    before = {name: photos.row(name) for name in photos.live()}
    photos.write("change.jpg", b"something else")
    (photos.folder / "delete.jpg").unlink()
    (photos.folder / "move.jpg").rename(photos.folder / "moved.jpg")
    (photos.folder / "folder").rename(photos.folder / "renamed")
    expected = ["change.jpg", "moved.jpg", "renamed/in.jpg"]
    wait_until(lambda: photos.live() == expected and photos.jobs() == ["change.jpg"], watcher)
    for old, new in (("move.jpg", "moved.jpg"), ("folder/in.jpg", "renamed/in.jpg")):
        after = photos.row(new)
        assert (after["id"], after["content_id"]) == (before[old]["id"], before[old]["content_id"])
    assert photos.row("change.jpg")["generation"] == 2
    assert sorted(photos.events()) == ["deleted", "moved", "moved"]


def test_a_thousand_renames_are_a_thousand_moves(photos: Photos, start: Start) -> None:
    """A renaming program at work: nothing is embedded again."""
    photos.write_many(1000, "in")
    watcher = start()
    wait_until(lambda: len(photos.live()) == 1000, watcher)
    photos.embed_all()
    (photos.folder / "out").mkdir()
    for number in range(1000):
        name = f"{number:04}.jpg"
        (photos.folder / "in" / name).rename(photos.folder / "out" / f"IMG_{name}")
    wait_until(lambda: all(name.startswith("out/") for name in photos.live()), watcher)
    assert len(photos.live()) == 1000
    assert photos.jobs() == []
    assert photos.events() == ["moved"] * 1000


def test_a_growing_file_is_taken_when_it_stops_growing(photos: Photos, start: Start) -> None:
    """Fault 20: not before."""
    watcher = start(TWINLENS_SETTLE_SECONDS="1")
    with (photos.folder / "slow.jpg").open("wb", buffering=0) as file:
        for _ in range(15):
            file.write(b"x" * 1000)
            time.sleep(0.2)
            assert photos.live() == []
    wait_until(lambda: photos.live() == ["slow.jpg"], watcher)
    assert photos.row("slow.jpg")["size"] == 15_000
    assert photos.row("slow.jpg")["generation"] == 1


def test_events_that_were_lost_are_made_up_for(photos: Photos, start: Start) -> None:
    """Fault 12: a watcher that was stopped while 20,000 events came misses no photo."""
    (photos.folder / "many").mkdir()
    limit = Path("/proc/sys/fs/inotify/max_queued_events")
    queued = int(limit.read_text()) if limit.exists() else 16_384
    count = 3_000
    watcher = start()
    watcher.signal(signal.SIGSTOP)
    # Each file makes several events; the touches fill what is left of the queue.
    folder = photos.folder / "many"
    for number in range(count // 2):
        (folder / f"{number:05}.jpg").touch()
    first, second = folder / "00000.jpg", folder / "00001.jpg"
    for _ in range(queued // 2):
        os.utime(first)
        os.utime(second)
    for number in range(count // 2, count):
        (folder / f"{number:05}.jpg").touch()
    watcher.signal(signal.SIGCONT)
    wait_until(lambda: len(photos.live()) == count, watcher)
    photos.write("many/after.jpg")
    wait_until(lambda: "many/after.jpg" in photos.live(), watcher)


def test_a_deep_new_tree_is_found_whole(photos: Photos, start: Start, tmp_path: Path) -> None:
    """Fault 14: folders that appear faster than watches can be set."""
    watcher = start()
    expected = set()
    for number in range(80):
        deep = "/".join(f"{number}-{level}" for level in range(5))
        (photos.folder / deep).mkdir(parents=True)
        for level in range(1, 6):
            name = "/".join(deep.split("/")[:level]) + "/x.jpg"
            (photos.folder / name).touch()
            expected.add(name)
    wait_until(lambda: set(photos.live()) == expected, watcher)


def test_photos_moved_in_or_linked_are_found(photos: Photos, start: Start, tmp_path: Path) -> None:
    """Fault 15: ``mv`` and ``cp -al`` close no file."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("moved.jpg", "linked.jpg"):
        (outside / name).write_bytes(name.encode())
    (outside / "tree/deep").mkdir(parents=True)
    (outside / "tree/deep/x.jpg").write_bytes(b"x")
    watcher = start()
    shutil.copytree(outside / "tree", photos.folder / "links", copy_function=os.link)
    (outside / "moved.jpg").rename(photos.folder / "moved.jpg")
    os.link(outside / "linked.jpg", photos.folder / "linked.jpg")
    (outside / "tree").rename(photos.folder / "tree")
    expected = ["linked.jpg", "links/deep/x.jpg", "moved.jpg", "tree/deep/x.jpg"]
    wait_until(lambda: photos.live() == expected, watcher)


def test_a_root_that_is_deleted_and_comes_back_is_watched_again(
    photos: Photos, start: Start, tmp_path: Path
) -> None:
    """Fault 16: the folder is another one, its events are followed."""
    photos.write("a.jpg")
    watcher = start()
    wait_until(lambda: photos.live() == ["a.jpg"], watcher)
    backup = tmp_path / "backup"
    shutil.copytree(photos.folder, backup)
    shutil.rmtree(photos.folder)
    wait_until(lambda: not photos.root.online, watcher)
    assert photos.live() == ["a.jpg"]
    shutil.copytree(backup, photos.folder)
    wait_until(lambda: photos.root.online, watcher)
    photos.write("b.jpg")
    wait_until(lambda: photos.live() == ["a.jpg", "b.jpg"], watcher)


def test_a_root_replaced_in_an_instant_is_watched_again(
    photos: Photos, start: Start, tmp_path: Path
) -> None:
    """Fault 16: a renamed root gives no event at all."""
    photos.write("a.jpg")
    watcher = start()
    wait_until(lambda: photos.live() == ["a.jpg"], watcher)
    shutil.copytree(photos.folder, tmp_path / "copy")
    photos.folder.rename(tmp_path / "old")
    (tmp_path / "copy").rename(photos.folder)
    wait_until(lambda: "watching it again" in watcher.said(), watcher)
    photos.write("b.jpg")
    wait_until(lambda: photos.live() == ["a.jpg", "b.jpg"], watcher)
    (tmp_path / "old" / "ghost.jpg").touch()
    photos.write("c.jpg")
    wait_until(lambda: "c.jpg" in photos.live(), watcher)
    assert "ghost.jpg" not in photos.live()


def test_a_root_made_anew_waits_for_its_user(photos: Photos, start: Start) -> None:
    """Fault 16: ``rm -r; mkdir`` is offline, until ``--accept-deletions`` beside the watcher."""
    photos.write("a.jpg")
    watcher = start()
    wait_until(lambda: photos.live() == ["a.jpg"], watcher)
    shutil.rmtree(photos.folder)
    photos.write("b.jpg")
    wait_until(lambda: not photos.root.online, watcher)
    time.sleep(2 * SETTLE)
    assert photos.live() == ["a.jpg"]
    once = start("--once", "--accept-deletions", str(photos.folder), ready=False)
    assert once.process.wait(20) == 0
    assert photos.live() == ["b.jpg"]
    assert (photos.folder / MARKER_NAME).exists()
    # The running watcher follows: it sweeps, then sees the events of the new folder.
    wait_until(lambda: photos.root.online, watcher)
    for number in range(100):
        photos.write(f"c{number}.jpg")
        time.sleep(0.05)
        if len(photos.live()) > 1:
            break
    wait_until(lambda: "c0.jpg" in photos.live(), watcher)


def test_a_disk_that_vanishes_takes_the_root_offline_and_back(
    photos: Photos, start: Start, tmp_path: Path
) -> None:
    """Fault 17: within seconds, and with no photo forgotten."""
    photos.write_many(60)
    watcher = start()
    wait_until(lambda: len(photos.live()) == 60, watcher)
    photos.folder.rename(tmp_path / "disk")
    photos.folder.mkdir()
    wait_until(lambda: not photos.root.online, watcher)
    time.sleep(2 * SETTLE)
    assert len(photos.live()) == 60
    photos.folder.rmdir()
    (tmp_path / "disk").rename(photos.folder)
    wait_until(lambda: photos.root.online, watcher)
    assert len(photos.live()) == 60
    assert photos.events() == ["offline", "online"]


def test_a_recursive_delete_seen_as_events_trips_the_mass_loss_rule(
    photos: Photos, start: Start
) -> None:
    """What a sweep would not believe, events do not make true."""
    photos.write_many(200, "gone")
    photos.write_many(20, "kept")
    watcher = start()
    wait_until(lambda: len(photos.live()) == 220, watcher)
    shutil.rmtree(photos.folder / "gone")
    wait_until(lambda: not photos.root.online, watcher)
    assert "--accept-deletions" in str(photos.root.reason)
    assert len(photos.live()) > 0.8 * 220 - 1


def test_a_folder_moved_out_is_gone_and_its_ghosts_are_ignored(
    photos: Photos, start: Start, tmp_path: Path
) -> None:
    """Fault 18: watchdog goes on reporting it under its old name."""
    photos.write("out/a.jpg")
    photos.write("stay.jpg")
    watcher = start()
    wait_until(lambda: len(photos.live()) == 2, watcher)
    (photos.folder / "out").rename(tmp_path / "out")
    wait_until(lambda: photos.live() == ["stay.jpg"], watcher)
    (tmp_path / "out" / "ghost.jpg").write_bytes(b"boo")
    photos.write("last.jpg")
    wait_until(lambda: "last.jpg" in photos.live(), watcher)
    assert photos.live() == ["last.jpg", "stay.jpg"]


def test_the_ways_in_which_programs_save_are_one_change_each(
    photos: Photos, start: Start, tmp_path: Path
) -> None:
    """Fault 19: one new generation and one job, on the same row, and nothing else."""
    names = ["exiftool.jpg", "tmp_rename.jpg", "backup_rename.jpg", "in_place.jpg", "outside.jpg"]
    for name in names:
        photos.write(name, name.encode() + b" old")
    watcher = start(TWINLENS_SETTLE_SECONDS="1")
    wait_until(lambda: len(photos.live()) == len(names), watcher)
    photos.embed_all()
    before = {name: photos.row(name) for name in names}
    folder = photos.folder
    # exiftool: the new file beside it, the old one as backup, the new one in its place.
    photos.write("exiftool.jpg_exiftool_tmp", b"new")
    (folder / "exiftool.jpg").rename(folder / "exiftool.jpg_original")
    (folder / "exiftool.jpg_exiftool_tmp").rename(folder / "exiftool.jpg")
    # Write beside it, rename over it.
    photos.write(".tmp_rename.jpg.xyz", b"new and different")
    (folder / ".tmp_rename.jpg.xyz").rename(folder / "tmp_rename.jpg")
    # The old one out of the way, a moment with nothing there, the new one written in its place.
    (folder / "backup_rename.jpg").rename(folder / "backup_rename.jpg~")
    time.sleep(0.2)
    photos.write("backup_rename.jpg", b"new")
    (folder / "backup_rename.jpg~").unlink()
    # In place, in two steps.
    with (folder / "in_place.jpg").open("r+b", buffering=0) as file:
        file.truncate(3)
        time.sleep(0.2)
        file.write(b"new")
    # A temporary file on the same disk, but outside the root: there is no rename to be seen.
    (tmp_path / "elsewhere").write_bytes(b"new outside")
    (tmp_path / "elsewhere").rename(folder / "outside.jpg")
    wait_until(lambda: photos.jobs() == sorted(names), watcher)
    time.sleep(1.5)
    assert photos.live() == sorted(names)
    for name in names:
        assert photos.row(name)["id"] == before[name]["id"], name
        assert photos.row(name)["generation"] == 2, name
    assert photos.events() == []


def test_exiftool_itself_makes_one_change(photos: Photos, start: Start) -> None:
    """Fault 19, with the real program where it is installed."""
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed")
    photos.write("a.jpg", JPEG)
    watcher = start()
    wait_until(lambda: photos.live() == ["a.jpg"], watcher)
    photos.embed_all()
    command = ["exiftool", "-q", "-xmp:Rating=3", str(photos.folder / "a.jpg")]
    subprocess.run(command, check=True)
    wait_until(lambda: photos.jobs() == ["a.jpg"], watcher)
    assert photos.live() == ["a.jpg"]
    assert photos.row("a.jpg")["generation"] == 2
    assert photos.events() == []


def test_a_copy_that_pauses_on_preallocated_space_is_corrected(
    photos: Photos, start: Start
) -> None:
    """Fault 21: taken with zeros at its end, taken again when it is whole."""
    watcher = start()
    with (photos.folder / "a.jpg").open("wb", buffering=0) as file:
        file.truncate(10_000)
        file.write(b"x" * 100)
        wait_until(lambda: photos.live() == ["a.jpg"], watcher)
        photos.embed_all()
        file.write(b"x" * 9_900)
    wait_until(lambda: photos.jobs() == ["a.jpg"], watcher)
    assert photos.row("a.jpg")["generation"] == 2


def test_a_storm_of_events_for_one_photo_is_at_most_two_jobs(photos: Photos, start: Start) -> None:
    """Fault 24: a hundred writes, renames and touches."""
    watcher = start()
    path = photos.folder / "a.jpg"
    for number in range(100):
        path.write_bytes(b"x" * (number + 1))
        path.rename(photos.folder / "b.jpg")
        (photos.folder / "b.jpg").rename(path)
        os.utime(path)
    wait_until(lambda: photos.live() == ["a.jpg"], watcher)
    time.sleep(2 * SETTLE)
    assert photos.row("a.jpg")["generation"] <= 2
    assert photos.row("a.jpg")["size"] == 100


def test_reading_a_photo_is_no_event(photos: Photos, start: Start) -> None:
    """The worker's own reading must not look like a change."""
    path = photos.write("a.jpg")
    watcher = start()
    wait_until(lambda: photos.live() == ["a.jpg"], watcher)
    before = photos.row("a.jpg")
    for _ in range(10):
        path.read_bytes()
    photos.write("b.jpg")
    wait_until(lambda: "b.jpg" in photos.live(), watcher)
    assert photos.row("a.jpg") == before


def test_a_photo_with_corrected_permissions_is_tried_again(photos: Photos, start: Start) -> None:
    """Fault 47: at once, by the event that chmod makes."""
    path = photos.write("a.jpg")
    watcher = start()
    wait_until(lambda: photos.live() == ["a.jpg"], watcher)
    with photos.catalogue.write_tx() as tx:
        file_id = tx.execute("SELECT file_id FROM jobs").fetchone()[0]
        ledger.fail(
            tx, file_id, kind="unreadable", reason="no", permanent=True, max_attempts=3, now=0
        )
    assert photos.jobs() == []
    path.chmod(0o600)
    wait_until(lambda: photos.jobs() == ["a.jpg"], watcher)


def test_new_and_removed_roots_are_noticed(
    photos: Photos, start: Start, catalogue: Catalogue, tmp_path: Path
) -> None:
    """Within seconds, while photos arrive in them."""
    watcher = start()
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.jpg").touch()
    added: Root = add_root(catalogue, other, now=0)
    of_other = "SELECT count(*) FROM files WHERE root_id = ?"
    wait_until(lambda: catalogue.value(of_other, (added.id,)) == 1, watcher)
    for number in range(50):
        (other / f"{number}.jpg").touch()
    remove_root(catalogue, added)
    wait_until(lambda: "watched no longer" in watcher.said(), watcher)
    photos.write("b.jpg")
    wait_until(lambda: photos.live() == ["b.jpg"], watcher)
    assert catalogue.value(of_other, (added.id,)) == 0


def test_a_renamed_root_is_followed_under_its_new_name(
    photos: Photos, start: Start, catalogue: Catalogue, tmp_path: Path
) -> None:
    """Once `twinlens scan` was told the new name, its events count again; no row is lost."""
    photos.write("a.jpg")
    watcher = start()
    wait_until(lambda: photos.live() == ["a.jpg"], watcher)
    renamed = photos.root.folder.rename(tmp_path / "renamed")
    wait_until(lambda: "offline" in watcher.said(), watcher)
    again = add_root(catalogue, renamed, now=0)
    assert again.id == photos.root.id
    (renamed / "b.jpg").touch()
    wait_until(lambda: photos.live() == ["a.jpg", "b.jpg"], watcher)
    assert catalogue.value("SELECT count(*) FROM files") == 2


def test_a_broker_that_is_down_does_not_stop_the_recording(
    photos: Photos, start: Start, model: Model
) -> None:
    """Fault 27: photos are recorded in time, the trouble is noted, the jobs wait."""
    watcher = start(TWINLENS_BROKER="redis://127.0.0.1:9/0")
    for number in range(3):
        photos.write(f"{number}.jpg")
        assert wait_until(lambda n=number: f"{n}.jpg" in photos.live(), watcher) < SETTLE + 2
    wait_until(lambda: photos.catalogue.meta("broker_problem"), watcher)
    wait_until(lambda: len(photos.jobs()) == 3, watcher)
    assert watcher.stop() == 0


def test_folders_without_events_are_swept_often(photos: Photos, start: Start) -> None:
    """Fault 13: with too few watches left, loudly, and every ``poll_seconds``."""
    unshare = ["unshare", "-U", "-r", "sh", "-c"]
    limited = "echo 5 > /proc/sys/user/max_inotify_watches"
    if not shutil.which("unshare") or subprocess.run([*unshare, limited], check=False).returncode:
        pytest.skip("no user namespaces to set a watch limit in")
    for number in range(10):
        photos.write(f"{number}/a.jpg")
    watcher = start(prefix=[*unshare, f'{limited}; exec "$0" "$@"'], TWINLENS_POLL_SECONDS="1")
    wait_until(lambda: len(photos.live()) == 10, watcher)
    assert "max_user_watches" in watcher.said()
    photos.write("9/b.jpg")
    wait_until(lambda: "9/b.jpg" in photos.live(), watcher)


def test_it_stops_in_good_order(photos: Photos, start: Start) -> None:
    """On SIGTERM, on SIGINT, and when standard input ends."""
    for stop in (signal.SIGTERM, signal.SIGINT):
        watcher = start()
        watcher.signal(stop)
        assert watcher.process.wait(10) == 0
        assert "Traceback" not in watcher.said()
    watcher = start()
    assert watcher.stop() == 0
    assert "Traceback" not in watcher.said()


def test_a_second_watcher_refuses_and_a_sweep_beside_it_does_not(
    photos: Photos, start: Start
) -> None:
    """One watcher a library; ``--once`` takes no lock."""
    start()
    second = start(ready=False)
    assert second.process.wait(20) == 75
    assert "another watcher is running" in second.said()
    photos.write("a.jpg")
    once = start("--once", ready=False)
    assert once.process.wait(20) == 0
    assert photos.live() == ["a.jpg"]


def test_once_waits_until_what_it_saw_has_settled(photos: Photos, start: Start) -> None:
    """So that ``scan`` right after a copy finds everything."""
    photos.write_many(20)
    once = start("--once", ready=False)
    assert once.process.wait(20) == 0
    assert len(photos.live()) == 20


def test_once_says_which_root_is_offline(photos: Photos, start: Start) -> None:
    """Exit code 1 and one line."""
    photos.folder.rename(photos.folder.parent / "away")
    once = start("--once", ready=False)
    assert once.process.wait(20) == 1
    assert f"{photos.folder}: offline: the folder is not there" in once.said()


def test_a_stranger_is_refused(photos: Photos, start: Start, tmp_path: Path) -> None:
    """A folder that is no root of the library."""
    once = start("--once", str(tmp_path), ready=False)
    assert once.process.wait(20) == 1
    assert "twinlens scan" in once.said()


JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "01" * 64 + "ffc0000b080001000101011100"
    "ffc4001400010000000000000000000000000000000affc40014100100000000000000000000000000000000"
    "ffda0008010100003f0054ffd9"
)
"""The smallest picture that exiftool writes to."""
