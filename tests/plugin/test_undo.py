"""twinlens undo: everything comes back, whatever happened in between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.acting import plan_of, planned_group, state
from tests.plugin.conftest import Built, Cli, wait_until
from twinlens.roots import MARKER_NAME
from twinlens_plugin.acting.journal import read_run, read_runs

KILLING = Path(__file__).with_name("killing.py")


@pytest.fixture(autouse=True)
def home(own_home: Path) -> Path:
    """A home of the test's own: nothing may go to the real trash."""
    return own_home


@pytest.fixture
def shots(built: Built) -> dict[str, Path]:
    """A shot and two smaller copies."""
    return {
        "best": built.photo("best.jpg", data=b"x" * 3000),
        "small": built.photo("web/small.jpg", data=b"y" * 500),
        "tiny": built.photo("web/tiny.jpg", data=b"z" * 50),
    }


@pytest.fixture
def plan(built: Built, shots: dict[str, Path]) -> Path:
    """A plan to remove the copies."""
    return plan_of(built, planned_group("g", shots["best"], shots["small"], shots["tiny"]))[0]


@pytest.mark.parametrize("unset", ["", "relative"])
def test_the_trash_is_in_the_home_where_its_folder_is_no_path(
    plan: Path, shots: dict[str, Path], twinlens: Cli, home: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unset: str,
):  # fmt: skip
    """By the XDG base directory specification an empty or relative one counts as unset."""
    monkeypatch.setenv("XDG_DATA_HOME", unset)
    monkeypatch.chdir(tmp_path)
    assert twinlens("apply", plan, "--yes").exit_code == 0
    assert (home / ".local/share/Trash/files/small.jpg").exists()
    assert twinlens("undo").exit_code == 0
    assert shots["small"].read_bytes() == b"y" * 500


@pytest.mark.timeout(900)
@pytest.mark.parametrize("action", ["move", "trash", "hardlink", "tag", "clear", "trash+merge"])
def test_nothing_is_lost_when_killed_at_any_step(action: str):
    """Kill -9 before each change of the disk; then undo, or apply again and undo. See killing.py."""
    if action in {"tag", "clear", "trash+merge"} and not shutil.which("exiftool"):
        pytest.skip("needs exiftool")
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        (Path(folder) / "home").mkdir()
        done = subprocess.run(
            [sys.executable, KILLING, action, folder], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed" in done.stdout


def test_a_line_cut_short_was_never_begun(built: Built, plan: Path, twinlens: Cli):
    """Wherever a crash cuts the last line of a journal, the rest is read, and undone."""
    before = state(built.photos)
    twinlens("apply", plan, "--yes")
    (run,) = read_runs(built.library)
    whole = run.file.read_bytes()
    lines = whole.splitlines(keepends=True)
    second = max(n for n, line in enumerate(lines) if line.startswith(b'{"begin"'))
    begun = len(b"".join(lines[:second]))
    for size in range(begun, begun + len(lines[second]), 37):
        run.file.write_bytes(whole[:size])
        assert [entry.state for entry in read_run(run.file).entries.values()] == ["done"]
    run.file.write_bytes(whole[: len(whole) - 5])
    assert [entry.state for entry in read_run(run.file).entries.values()] == ["done", "begun"]
    twinlens("undo")
    assert state(built.photos) == before
    assert read_run(run.file).closed


def test_a_damaged_journal_is_said(built: Built, plan: Path, twinlens: Cli):
    """The line is named; nothing is guessed."""
    twinlens("apply", plan, "--yes")
    (run,) = read_runs(built.library)
    lines = run.file.read_bytes().splitlines(keepends=True)
    run.file.write_bytes(lines[0] + b"garbage\n" + b"".join(lines[1:]))
    assert "line 2 is damaged" in twinlens("undo", code=1).stderr


def test_undo_needs_no_catalogue(built: Built, plan: Path, twinlens: Cli):
    """The journal lies beside it, and has all that is needed."""
    before = state(built.photos)
    twinlens("apply", plan, "--yes")
    built.catalogue.close()
    for file in built.library.folder.glob("catalogue.sqlite3*"):
        file.unlink()
    assert "2 actions undone." in twinlens("undo").stdout
    assert state(built.photos) == before


def test_undo_goes_back_one_apply_at_a_time(
    built: Built, shots: dict[str, Path], twinlens: Cli, tmp_path: Path
):
    """The last one first; then there is nothing left to undo."""
    first, _ = plan_of(built, planned_group("g", shots["best"], shots["small"]))
    second, _ = plan_of(built, planned_group("g", shots["best"], shots["tiny"]))
    twinlens("apply", first, "--action", "move", "--to", tmp_path / "spare", "--yes")
    twinlens("apply", second, "--yes")
    twinlens("undo")
    assert shots["tiny"].exists()
    assert not shots["small"].exists()
    twinlens("undo")
    assert shots["small"].exists()
    assert "nothing to undo" in twinlens("undo").stderr


def test_undo_of_a_plan_and_of_a_run_by_name(built: Built, shots: dict[str, Path], twinlens: Cli):
    """Not the last one but the one that is named, by its plan or as --list has it."""
    first, _ = plan_of(built, planned_group("g", shots["best"], shots["small"]))
    second, _ = plan_of(built, planned_group("g", shots["best"], shots["tiny"]))
    twinlens("apply", first, "--yes")
    twinlens("apply", second, "--yes")
    twinlens("undo", first)
    assert shots["small"].exists()
    assert not shots["tiny"].exists()
    listed = twinlens.json("undo", "--list")
    assert [(run["action"], run["actions"], run["to_undo"], run["closed"]) for run in listed] == [
        ("trash", 1, 0, True),
        ("trash", 1, 1, False),
    ]
    twinlens("undo", listed[1]["run"])
    assert shots["tiny"].exists()
    assert "undone" in twinlens("undo", "--list").stdout
    assert "no such run, and no plan" in twinlens("undo", "nonsense", code=1).stderr


def test_what_is_in_the_way_is_never_overwritten(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """Another file has the name by now: it stays, the photo stays where it is, the rest comes back."""
    twinlens("apply", plan, "--yes")
    shots["small"].write_bytes(b"new")
    result = twinlens("undo", code=1)
    assert "another file is there by now" in result.stderr
    assert "1 action undone, 1 not." in result.stdout
    assert shots["small"].read_bytes() == b"new"
    assert shots["tiny"].exists()
    shots["small"].unlink()
    (run,) = read_runs(built.library)
    twinlens("undo", run.name)  # named, it is tried once more
    assert shots["small"].read_bytes() == b"y" * 500


def test_a_trash_that_was_emptied_is_said(
    shots: dict[str, Path], plan: Path, twinlens: Cli, home: Path
):
    """What is gone cannot come back; the rest does, and the next undo is not held up."""
    twinlens("apply", plan, "--yes")
    (home / "data" / "Trash" / "files" / "tiny.jpg").unlink()
    result = twinlens("undo", code=1)
    assert f"{shots['tiny']}: is no longer in the trash. Was it emptied?" in result.stderr
    assert shots["small"].exists()
    assert "nothing to undo" in twinlens("undo").stderr


def test_a_name_that_the_trash_had_already_is_not_mixed_up(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli, home: Path
):
    """Three files of one name in the trash: each goes back where it came from."""
    files = home / "data" / "Trash" / "files"
    files.mkdir(parents=True)
    (files / "small.jpg").write_bytes(b"trashed long ago")
    other = built.photo("other/small.jpg", data=b"q" * 500)
    before = state(built.photos)
    again, _ = plan_of(built, planned_group("h", shots["best"], other))
    twinlens("apply", plan, "--yes")
    twinlens("apply", again, "--yes")
    assert len(list(files.iterdir())) == 4
    twinlens("undo", plan)
    twinlens("undo", again)
    assert state(built.photos) == before
    assert (files / "small.jpg").read_bytes() == b"trashed long ago"


def test_hard_links_in_the_trash_are_not_mixed_up(built: Built, twinlens: Cli, home: Path):
    """Two names of one file, of one name in two folders: the path in the trash tells them apart."""
    keeper = built.photo("k.jpg", data=b"same")
    one = built.photo("1/a.jpg", data=b"same")
    two = built.photos / "2" / "a.jpg"
    two.parent.mkdir()
    os.link(one, two)
    before = state(built.photos)
    first, _ = plan_of(built, planned_group("g", keeper, one))
    second, _ = plan_of(built, planned_group("g", keeper, two))
    twinlens("apply", first, "--yes")
    twinlens("apply", second, "--yes")
    twinlens("undo", first)
    assert one.exists()
    assert not two.exists()
    twinlens("undo", second)
    assert state(built.photos) == before


def test_another_mount_has_a_trash_of_its_own(built: Built, twinlens: Cli, home: Path):
    """.Trash-UID at its top: found again for undo."""
    disk = built.photos / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=False).returncode:
        pytest.skip("may not mount")
    try:
        keeper = built.photo("best.jpg", data=b"same")
        spare = built.photo("disk/2024/ü spare.jpg", data=b"same")
        before = state(built.photos)
        file, _ = plan_of(built, planned_group("g", keeper, spare))
        twinlens("apply", file, "--yes")
        trash = disk / f".Trash-{os.getuid()}"
        assert [path.name for path in (trash / "files").iterdir()] == ["ü spare.jpg"]
        twinlens("undo")
        shutil.rmtree(trash)
        assert state(built.photos) == before
    finally:
        subprocess.run(["umount", disk], check=True)


def test_photos_are_not_brought_back_into_an_empty_mount_point(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """The disk is away: said, nothing is made there, and the next undo brings them back."""
    before = state(built.photos)
    twinlens("apply", plan, "--yes")
    away = built.photos.with_name("away")
    built.photos.rename(away)
    built.photos.mkdir()
    result = twinlens("undo", code=1)
    assert "its disk is away" in result.stderr
    assert state(built.photos) == {}
    built.photos.rmdir()
    away.rename(built.photos)
    twinlens("undo")
    assert state(built.photos) == before


def test_the_folder_of_spares_may_be_away_for_a_while(
    built: Built, plan: Path, twinlens: Cli, tmp_path: Path
):
    """Its disk comes back, and so do the photos."""
    before = state(built.photos)
    spare = tmp_path / "disk" / "spare"
    spare.mkdir(parents=True)
    twinlens("apply", plan, "--action", "move", "--to", spare, "--yes")
    spare.parent.rename(tmp_path / "away")
    assert "Is its disk away? Bring it back." in twinlens("undo", code=1).stderr
    (tmp_path / "away").rename(spare.parent)
    twinlens("undo")
    assert state(built.photos) == before


def test_a_linked_file_that_was_edited_since_stays(
    built: Built, shots: dict[str, Path], twinlens: Cli
):
    """Nobody's work is undone with ours."""
    twin = built.photo("twin.jpg", data=b"x" * 3000)
    file, _ = plan_of(built, planned_group("g", shots["best"], twin))
    twinlens("apply", file, "--action", "hardlink", "--yes")
    twin.unlink()
    twin.write_bytes(b"edited")
    assert f"{twin}: changed since" in twinlens("undo", code=1).stderr
    assert twin.read_bytes() == b"edited"


def test_a_linked_file_that_is_gone_stands_in_the_way_of_no_other_undo(
    built: Built, shots: dict[str, Path], twinlens: Cli
):
    """It is said once; the next undo goes on to the apply before."""
    twin = built.photo("twin.jpg", data=b"x" * 3000)
    first, _ = plan_of(built, planned_group("g", shots["best"], shots["small"]))
    second, _ = plan_of(built, planned_group("g", shots["best"], twin))
    twinlens("apply", first, "--yes")
    twinlens("apply", second, "--action", "hardlink", "--yes")
    twin.unlink()
    assert f"{twin}: is gone; {shots['best']} has its bytes" in twinlens("undo", code=1).stderr
    twinlens("undo")
    assert shots["small"].exists()


def test_ctrl_c_stops_between_two_photos(built: Built, twinlens: Cli, home: Path):
    """The one in hand is finished, the rest is left; exit code 130; undo brings back what went."""
    keeper = built.photo("k.jpg", data=b"same")
    spare = [built.photo(f"{n}.jpg", data=b"same") for n in range(300)]
    before = state(built.photos)
    file, _ = plan_of(built, planned_group("g", keeper, *spare))
    process = subprocess.Popen(
        [sys.executable, "-m", "twinlens_plugin", "apply", file, "--yes"],
        env={**os.environ, "TWINLENS_LIBRARY": str(built.library.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    files = home / "data" / "Trash" / "files"
    wait_until(lambda: files.is_dir() and any(files.iterdir()), "the first photo in the trash")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped between two photos" in said
    (run,) = read_runs(built.library)
    assert not run.unfinished
    assert 0 < len(run.entries) < 300
    twinlens("undo")
    assert state(built.photos) == before


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk of 100 kB."""
    disk = tmp_path / "full"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", disk]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("may not mount")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_stops_a_copy_and_loses_nothing(built: Built, full: Path, twinlens: Cli):
    """What does not fit stays where it is, nothing half is left, and the smaller ones go."""
    keeper = built.photo("k.jpg")
    large = built.photo("large.jpg", data=os.urandom(300_000))
    small = built.photo("small.jpg", data=b"s" * 2000)
    before = state(built.photos)
    file, _ = plan_of(built, planned_group("g", keeper, large, small))
    result = twinlens("apply", file, "--action", "move", "--to", full / "x", "--yes", code=1)
    assert "No space left on device. Make space." in result.stderr
    assert large.exists()
    assert list(state(full)) == ["x", "x/small.jpg"]
    twinlens("undo")
    assert state(built.photos) == before
    assert state(full) == {}


def test_without_a_journal_nothing_is_done(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """A journal that cannot be written stops everything before it begins."""
    (built.library.folder / "journal").write_text("in the way")
    result = twinlens("apply", plan, "--yes", code=1)
    assert "the journal cannot be written" in result.stderr
    assert all(path.exists() for path in shots.values())


def test_the_marker_is_not_needed_where_there_was_none(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """A root without a marker is there when it is not empty, then as now."""
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE roots SET marker = NULL")
    (built.photos / MARKER_NAME).unlink()
    before = state(built.photos)
    twinlens("apply", plan, "--yes")
    twinlens("undo")
    assert state(built.photos) == before
