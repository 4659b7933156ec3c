"""twinlens apply: what it does, and what it refuses to do."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.acting import contents, plan_of, planned_group, state
from tests.plugin.conftest import NOW, Built, Cli, Program
from twinlens import ledger, relations
from twinlens.errors import ChangedError
from twinlens.filestat import FileStat
from twinlens.relations import Detail, Relation
from twinlens.roots import MARKER_NAME, add_root
from twinlens_plugin.acting import files
from twinlens_plugin.acting.actions import Maker
from twinlens_plugin.acting.dressing import Dress
from twinlens_plugin.acting.linking import Link
from twinlens_plugin.plans import PROGRAM

needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool")


@pytest.fixture(autouse=True)
def home(own_home: Path) -> Path:
    """A home of the test's own: nothing may go to the real trash."""
    return own_home


@pytest.fixture
def shots(built: Built) -> dict[str, Path]:
    """A shot, a second file with its bytes, and a smaller copy."""
    return {
        "best": built.photo("2024/best.jpg", data=b"x" * 3000, pixels=(4000, 3000)),
        "twin": built.photo("backup/best (1).jpg", data=b"x" * 3000),
        "small": built.photo("web/small.jpg", data=b"y" * 500, pixels=(800, 600)),
    }


@pytest.fixture
def plan(built: Built, shots: dict[str, Path]) -> Path:
    """A plan to remove the twin and the small copy."""
    return plan_of(built, planned_group("g1", shots["best"], shots["twin"], shots["small"]))[0]


def test_without_yes_nothing_is_done(built: Built, plan: Path, twinlens: Cli):
    """It says what would be done, and how to do it."""
    before = state(built.photos.parent)
    text = twinlens("apply", plan).stdout
    assert state(built.photos.parent) == before
    assert text.splitlines()[-2:] == [
        "2 photos would go to the trash (0.00 MB).",
        "This was a dry run. To do it, add --yes.",
    ]
    assert text.startswith(f"would trash  {built.photos}/backup/best (1).jpg  (kept: ")


def test_trash_puts_photos_in_the_trash_and_undo_brings_them_back(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli, trash: Path
):
    """The keeper stays; after undo all is as it was, the trash empty."""
    before = state(built.photos)
    text = twinlens("apply", plan, "--yes").stdout
    assert shots["best"].exists()
    assert sorted(path.name for path in trash.iterdir()) == ["best (1).jpg", "small.jpg"]
    assert not shots["twin"].exists()
    assert "2 photos in the trash (0.00 MB)." in text
    assert "2 actions undone." in twinlens("undo").stdout
    assert state(built.photos) == before
    assert list(trash.iterdir()) == list((trash.parent / "info").iterdir()) == []


def test_the_json_has_the_fields_that_are_promised(
    shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """One object for each photo, then the sum."""
    first, _, total = twinlens.json("apply", plan)
    assert first == {
        "path": str(shots["twin"]),
        "keeper": str(shots["best"]),
        "group": "g1",
        "action": "trash",
        "outcome": "would",
        "reason": None,
    }
    assert total == {
        "run": None,
        "bytes": 3500,
        "done": 0,
        "would": 2,
        "already": 0,
        "skipped": 0,
        "failed": 0,
    }


def test_move_keeps_paths_below_the_folder_and_overwrites_nothing(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli, tmp_path: Path
):
    """What is there already stays; the photo gets a number, and comes back from under it."""
    spare = tmp_path / "spare"
    (spare / "web").mkdir(parents=True)
    (spare / "web" / "small.jpg").write_bytes(b"another")
    before = state(built.photos)
    text = twinlens("apply", plan, "--action", "move", "--to", spare, "--yes").stdout
    assert f"to {spare}/backup/best (1).jpg" in text
    assert (spare / "web" / "small.jpg").read_bytes() == b"another"
    assert (spare / "web" / "small (2).jpg").read_bytes() == b"y" * 500
    twinlens("undo")
    assert state(built.photos) == before
    assert [path.name for path in spare.rglob("*")] == ["web", "small.jpg"]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_move_to_another_disk(built: Built, plan: Path, twinlens: Cli, tmp_path: Path):
    """Copied with times and mode, and back again."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("one file system only")
        before = state(built.photos)
        twinlens("apply", plan, "--action", "move", "--to", other, "--yes")
        moved = state(Path(other))
        assert moved["web/small.jpg"] == before["web/small.jpg"]
        assert "web/small.jpg" not in state(built.photos)
        twinlens("undo")
        assert state(built.photos) == before
        assert state(Path(other)) == {}


def test_hardlink_joins_identical_files_only(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """The twin is one file with the keeper; the copy has other bytes and is left; undo parts them."""
    shots["twin"].chmod(0o640)
    os.utime(shots["twin"], ns=(10**18, 10**18 + 5))
    before = state(built.photos)
    result = twinlens("apply", plan, "--action", "hardlink", "--yes", code=1)
    assert "web/small.jpg: no photo that stays has the same bytes" in result.stderr
    assert shots["twin"].samefile(shots["best"])
    again = twinlens.json("apply", plan, "--action", "hardlink", "--yes", code=1)
    assert [line["outcome"] for line in again[:2]] == ["already", "skipped"]
    twinlens("undo")  # the second one did nothing, so that this is the first
    assert not shots["twin"].samefile(shots["best"])
    assert state(built.photos) == before


def test_what_was_linked_and_what_is_back_is_listed_without_a_scan(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """A link and its undoing give a photo another inode; its bytes are known, so nothing waits."""

    def listed() -> set[str]:
        return {p["path"] for g in twinlens.json("duplicates") for p in g["photos"]}

    before = listed()
    assert str(shots["twin"]) in before
    twinlens("apply", plan, "--action", "hardlink", "--yes", code=1)
    assert listed() == before
    twinlens("undo")
    assert listed() == before
    assert built.catalogue.value("SELECT count(*) FROM jobs") == 0


def test_bytes_that_the_catalogue_does_not_have_are_read_anew(built: Built, twinlens: Cli):
    """A photo that changed and was linked since its last scan keeps no content that it has not."""
    photo = built.photo("a.jpg", data=b"x" * 100)
    photo.write_bytes(b"y" * 100)
    stat = FileStat.of(photo.stat())
    digest = hashlib.sha256(b"y" * 100).hexdigest()
    assert ledger.replaced(built.catalogue, built.root.id, b"a.jpg", stat, digest, now=NOW) == 1
    assert built.catalogue.value("SELECT count(*) FROM jobs") == 1


def test_reflink_says_so_where_the_file_system_has_none(
    built: Built, shots: dict[str, Path], twinlens: Cli
):
    """Nothing is lost where it is not possible; where it is, times and mode stay."""
    file, _ = plan_of(built, planned_group("g", shots["best"], shots["twin"]))
    before = state(built.photos)
    result = twinlens.json("apply", file, "--action", "reflink", "--yes", code=_reflinks(built))
    assert state(built.photos) == before
    assert result[0]["outcome"] == ("failed" if _reflinks(built) else "done")
    if _reflinks(built):
        assert "makes no reflink of it" in result[0]["reason"]


def _reflinks(built: Built) -> int:
    """Return 0 where the file system has reflinks, else 1."""
    a, b = built.photos.parent / "a", built.photos.parent / "b"
    a.write_bytes(b"a" * 4096)
    made = subprocess.run(["cp", "--reflink=always", a, b], capture_output=True, check=False)
    a.unlink()
    b.unlink(missing_ok=True)
    return int(made.returncode != 0)


def test_a_photo_that_changed_since_the_plan_is_left_alone(
    shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """Other bytes, even with the old size and time: skipped, said, and the exit code tells."""
    was = shots["small"].stat()
    shots["small"].write_bytes(b"z" * 500)
    os.utime(shots["small"], ns=(was.st_atime_ns, was.st_mtime_ns))
    result = twinlens("apply", plan, "--yes", code=1)
    assert f"{shots['small']}: changed since the plan was made" in result.stderr
    assert shots["small"].read_bytes() == b"z" * 500
    assert "1 photo in the trash (0.00 MB), 1 skipped." in result.stdout


def test_a_photo_that_was_only_touched_is_still_acted_on(
    shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """Another time and the same bytes is the same photo, in the dry run too."""
    os.utime(shots["small"])
    assert "2 photos would go" in twinlens("apply", plan).stdout
    assert "2 photos in the trash" in twinlens("apply", plan, "--yes").stdout


@pytest.mark.parametrize("harm", ["gone", "changed", "unreadable", "a link"])
def test_without_its_keeper_nothing_is_removed(
    harm: str, built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """The keeper must be there, readable, and what it was."""
    if harm == "gone":
        shots["best"].unlink()
    elif harm == "changed":
        shots["best"].write_bytes(b"other")
    elif harm == "unreadable":
        if os.geteuid() == 0:
            pytest.skip("root reads everything")
        shots["best"].chmod(0)
    else:
        shots["best"].rename(built.photos / "away.jpg")
        shots["best"].symlink_to(built.photos / "away.jpg")
    before = contents(built.photos)
    result = twinlens("apply", plan, "--yes", code=1)
    assert "0 photos in the trash, 2 skipped." in result.stdout
    assert contents(built.photos) == before


def test_no_photo_goes_when_its_disk_is_away(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """Without its marker a folder is not trusted to be the disk."""
    (built.photos / MARKER_NAME).unlink()
    result = twinlens("apply", plan, "--yes", code=1)
    assert "its disk is away (its marker" in result.stderr
    assert all(path.exists() for path in shots.values())


def test_nothing_is_moved_onto_a_disk_that_is_away(built: Built, plan: Path, twinlens: Cli):
    """A hidden folder below its mount point would be filled instead."""
    away = built.photos.parent / "other"
    away.mkdir()
    add_root(built.catalogue, away, now=0)
    (away / MARKER_NAME).unlink()
    result = twinlens("apply", plan, "--action", "move", "--to", away / ".spare", "--yes", code=1)
    assert "its disk is away" in result.stderr
    assert not (away / ".spare").exists()


def test_nothing_is_moved_where_it_would_be_found_again(built: Built, plan: Path, twinlens: Cli):
    """A folder that is watched is no place for spares; a hidden one in it is."""
    result = twinlens("apply", plan, "--action", "move", "--to", built.photos / "spare", code=1)
    assert "which is watched: what is moved there would be found again" in result.stderr
    twinlens("apply", plan, "--action", "move", "--to", built.photos / ".spare", "--yes")
    assert (built.photos / ".spare" / "web" / "small.jpg").exists()


def test_a_folder_that_became_a_link_is_not_followed(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli, tmp_path: Path
):
    """What lies behind it is not the library's."""
    shots["small"].parent.rename(tmp_path / "elsewhere")
    (built.photos / "web").symlink_to(tmp_path / "elsewhere")
    result = twinlens("apply", plan, "--yes", code=1)
    assert "is reached through a symbolic link now" in result.stderr
    assert (tmp_path / "elsewhere" / "small.jpg").exists()


def test_one_file_by_two_paths_is_never_removed(built: Built, twinlens: Cli):
    """Two watched roots that are one folder by a bind mount: the "other one" is the keeper."""
    keeper = built.photo("a.jpg")
    alias = built.photos.parent / "alias"
    alias.mkdir()
    if subprocess.run(["mount", "--bind", built.photos, alias], check=False).returncode:
        pytest.skip("may not mount")
    try:
        with built.catalogue.write_tx() as tx:
            tx.execute(
                "INSERT INTO roots (name, path, marker, online, added_at) SELECT 'alias', ?,"
                " marker, 1, 0 FROM roots",
                (os.fsencode(alias),),
            )
        file, _ = plan_of(built, planned_group("g", keeper, alias / "a.jpg"))
        for more in ((), ("--yes",)):
            result = twinlens("apply", file, *more, code=1)
            assert "by another path, which is to be kept" in result.stderr
        assert keeper.exists()
    finally:
        subprocess.run(["umount", alias], check=True)


def test_a_keeper_that_went_as_well_is_back_at_once(
    built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch, trash: Path
):
    """Whatever way there is to be one file that nobody thought of: the photo comes back."""
    monkeypatch.setattr("twinlens_plugin.acting.guard.Guard._refuse_aliases", lambda *_: None)
    monkeypatch.setattr("twinlens_plugin.acting.guard._refuse_links", lambda _: None)
    keeper = built.photo("real/a.jpg")
    (built.photos / "alias").symlink_to(keeper.parent)
    before = keeper.stat()
    file, _ = plan_of(built, planned_group("g", keeper, built.photos / "alias" / "a.jpg"))
    result = twinlens("apply", file, "--yes", code=1)
    assert f"{keeper}: it went as well, so both are back." in result.stderr
    assert (keeper.stat().st_ino, keeper.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(trash.iterdir()) == []


def test_hard_links_are_two_names_and_one_may_go(built: Built, twinlens: Cli, trash: Path):
    """To remove a second name leaves the first; undo brings back the very link."""
    keeper = built.photo("a.jpg")
    link = built.photos / "b.jpg"
    os.link(keeper, link)
    file, _ = plan_of(built, planned_group("g", keeper, link))
    twinlens("apply", file, "--yes")
    assert keeper.exists()
    assert not link.exists()
    twinlens("undo")
    assert link.samefile(keeper)


def test_reference_folders_are_checked_once_more(
    built: Built, shots: dict[str, Path], twinlens: Cli
):
    """A plan that was changed by hand to remove from one is refused whole."""
    group = planned_group("g", shots["best"], shots["twin"], kept=[shots["small"]])
    file, _ = plan_of(built, group, references=[built.photos / "web"])
    text = json.loads(file.read_text())
    text["groups"][0]["photos"][2]["proposal"] = "remove"
    file.write_text(json.dumps(text))
    result = twinlens("apply", file, "--yes", code=1)
    assert "lies in a reference folder" in result.stderr
    assert shots["twin"].exists()


@pytest.mark.parametrize("verdict", [("--not-duplicates",), ("--keep", "small")])
def test_what_was_decided_since_the_plan_counts(
    verdict: tuple[str, ...], shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """Somebody said meanwhile that this photo is wanted: it stays, the other one goes."""
    option, *keeper = verdict
    twinlens("decide", shots["best"], shots["small"], option, *(shots[name] for name in keeper))
    result = twinlens("apply", plan, "--yes", code=1)
    assert f"{shots['small']}: you decided since that it is to stay" in result.stderr
    assert shots["small"].exists()
    assert not shots["twin"].exists()


def found(built: Built, one: Path, other: Path, kind: str) -> None:
    """Store what a comparison finds of two photos."""
    a, b = sorted((built.content_id(one), built.content_id(other)))
    with built.catalogue.write_tx() as tx:
        relations.store(tx, Relation(a, b, kind, 0.1, Detail(""), verifier=9))


def test_what_was_found_out_since_the_plan_counts(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """After an upgrade the two were compared again, and are no duplicates: nothing goes for a guess."""
    found(built, shots["best"], shots["small"], "copy")
    assert "2 photos would go" in twinlens("apply", plan).stdout
    found(built, shots["best"], shots["small"], "burst")
    for options in ((), ("--yes",)):
        result = twinlens("apply", plan, *options, code=1)
        assert f"{shots['small']}: was compared again since" in result.stderr
        assert shots["small"].exists()
    assert not shots["twin"].exists(), "the same bytes are no guess"


def test_what_a_person_said_stands_whatever_is_found(
    built: Built, shots: dict[str, Path], plan: Path, twinlens: Cli
):
    """Two that are the same to somebody are the same."""
    found(built, shots["best"], shots["small"], "similar")
    twinlens("decide", shots["best"], shots["small"], "--same")
    assert "2 photos would go" in twinlens("apply", plan).stdout


def test_what_was_found_of_a_jpeg_counts_for_its_raw_file(built: Built, twinlens: Cli):
    """RAW + JPEG are one photo: both stay, or, where any two files are a copy, both may go."""
    kept = [built.photo(f"a/1.{form}", data=b"a" + form.encode()) for form in ("CR2", "JPG")]
    spare = [built.photo(f"b/1.{form}", data=b"b" + form.encode()) for form in ("CR2", "JPG")]
    file, _ = plan_of(built, planned_group("g", kept[0], *spare, kept=[kept[1]]))
    found(built, kept[1], spare[1], "burst")
    assert twinlens("apply", file, code=1).stderr.count("was compared again since") == 2
    found(built, kept[0], spare[0], "copy")
    assert "2 photos would go" in twinlens("apply", file).stdout


def test_a_plan_of_another_version_is_said(plan: Path, twinlens: Cli):
    """It is applied: its files are read again anyway. But this version may choose otherwise."""
    assert "was made by" not in twinlens("apply", plan).stderr
    text = plan.read_text()
    assert PROGRAM in text
    plan.write_text(text.replace(PROGRAM, "twinlens 0.0.9"))
    result = twinlens("apply", plan)
    assert f"{plan}: was made by twinlens 0.0.9, and this is {PROGRAM}" in result.stderr
    assert "2 photos would go" in result.stdout


def test_what_was_decided_of_a_jpeg_since_the_plan_counts_for_its_raw_file(
    built: Built, twinlens: Cli
):
    """RAW + JPEG are one photo: both files stay."""
    kept = [built.photo(f"a/1.{form}", data=b"a" + form.encode()) for form in ("CR2", "JPG")]
    spare = [built.photo(f"b/1.{form}", data=b"b" + form.encode()) for form in ("CR2", "JPG")]
    file, _ = plan_of(built, planned_group("g", kept[0], *spare, kept=[kept[1]]))
    twinlens("decide", kept[1], spare[1], "--not-duplicates")
    result = twinlens("apply", file, "--yes", code=1)
    assert result.stderr.count("you decided since that it is to stay") == 2
    assert all(path.exists() for path in spare)


def test_a_keeper_that_changes_while_the_photo_is_read_keeps_it(
    shots: dict[str, Path], plan: Path, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """Both were read; then exiftool, or a large file, took its time."""
    removal = Maker.removal

    def slowly(*args: Any) -> Any:
        shots["best"].write_bytes(b"cut short")
        return removal(*args)

    monkeypatch.setattr(Maker, "removal", slowly)
    result = twinlens("apply", plan, "--yes", code=1)
    assert f"{shots['best']}: is being changed" in result.stderr
    assert shots["twin"].exists()


def test_a_link_takes_the_place_of_no_newer_file(shots: dict[str, Path]):
    """Saved by an editor while its keeper was read once more: what is replaced would be gone."""
    path, keeper = (os.fsencode(shots[name]) for name in ("twin", "best"))
    known = files.read(path)
    link = Link(path, keeper, known.sha256, known.inode, Dress.of(path), "1", reflink=False)
    shots["twin"].write_bytes(b"edited")
    with pytest.raises(ChangedError, match="is being changed"):
        link.do()
    assert [entry.read_bytes() for entry in shots["twin"].parent.iterdir()] == [b"edited"]


def test_a_plan_of_another_library_is_refused(
    built: Built, plan: Path, twinlens: Cli, shots: dict[str, Path]
):
    """Its photos were judged by another catalogue."""
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE meta SET value = ? WHERE key = 'catalogue_id'", ("0" * 32,))
    assert "was made from another library" in twinlens("apply", plan, "--yes", code=1).stderr


def test_sidecars_travel_with_their_photo(
    built: Built, shots: dict[str, Path], twinlens: Cli, tmp_path: Path
):
    """Both names of sidecars; that of a stem stays while another photo has the stem."""
    raw = built.photo("web/small.cr2", data=b"raw")
    (built.photos / "web" / "small.xmp").write_text("of both")
    (built.photos / "web" / "small.jpg.xmp").write_text("of the JPEG")
    (built.photos / "web" / "small_01.jpg.xmp").write_text("second version")
    before = state(built.photos)
    spare = tmp_path / "spare"
    file, _ = plan_of(built, planned_group("g", shots["best"], shots["small"]))
    twinlens("apply", file, "--action", "move", "--to", spare, "--yes")
    assert sorted(path.name for path in (spare / "web").iterdir()) == [
        "small.jpg",
        "small.jpg.xmp",
        "small_01.jpg.xmp",
    ]
    file, _ = plan_of(built, planned_group("g", shots["best"], raw))
    twinlens("apply", file, "--action", "move", "--to", spare, "--yes")
    assert (spare / "web" / "small.xmp").read_text() == "of both"
    twinlens("undo")
    twinlens("undo")
    assert state(built.photos) == before
    assert not spare.exists()


def test_the_sidecar_of_a_raw_file_does_not_go_with_its_export(
    built: Built, shots: dict[str, Path], twinlens: Cli, tmp_path: Path
):
    """The edits of x.cr2 are in x.cr2.xmp: for its export x.cr2.jpg that is no sidecar of its stem."""
    built.photo("x.cr2", data=b"raw")
    export = built.photo("x.cr2.jpg", data=shots["small"].read_bytes())
    edits = built.photos / "x.cr2.xmp"
    edits.write_text("edits")
    file, _ = plan_of(built, planned_group("g", shots["best"], export))
    twinlens("apply", file, "--action", "move", "--to", tmp_path / "spare", "--yes")
    assert not export.exists()
    assert edits.read_text() == "edits"


@needs_exiftool
def test_a_sidecar_that_is_a_link_is_left_alone(
    shots: dict[str, Path], plan: Path, twinlens: Cli, tmp_path: Path
):
    """Sidecars kept elsewhere are no file of this folder's."""
    sidecar = shots["small"].with_name("small.jpg.xmp")
    sidecar.symlink_to(tmp_path / "elsewhere.xmp")
    result = twinlens("apply", plan, "--action", "tag", "--yes", code=1)
    assert f"{sidecar}: is a symbolic link" in result.stderr
    assert sidecar.is_symlink()
    assert not (tmp_path / "elsewhere.xmp").exists()


def test_a_scan_has_nothing_to_decide_after_many_were_removed(built: Built, twinlens: Cli):
    """Removed photos are known to be gone at once: half of a folder is not taken for a lost disk."""
    groups = []
    for number in range(60):
        keeper = built.photo(f"{number}.jpg", data=b"%d" % number)
        groups.append(
            planned_group(str(number), keeper, built.photo(f"b/{number}.jpg", data=b"%d" % number))
        )
    file, _ = plan_of(built, *groups)
    twinlens("apply", file, "--yes")
    live = "SELECT count(*) FROM files WHERE missing_since IS NULL"
    assert built.catalogue.value(live) == 60
    assert twinlens.json("duplicates") == []
    twinlens("undo")
    assert built.catalogue.value(live) == 120
    assert built.catalogue.value("SELECT count(*) FROM jobs") == 0
    assert len(twinlens.json("duplicates")) == 60


def test_paths_of_any_bytes_are_acted_on(built: Built, program: Program, trash: Path):
    """Newlines and bytes that are no UTF-8, there and back."""
    keeper = built.photo("k.jpg", data=b"same")
    odd = [
        built.photo(name, data=b"same") for name in (b"a\nb.jpg", b"\xff\xfe.jpg", b"-x %41.jpg")
    ]
    before = state(built.photos)
    file, _ = plan_of(built, planned_group("g", keeper, *odd))
    done = program("apply", file, "--yes")
    assert done.returncode == 0, done.stderr
    assert len(list(trash.iterdir())) == 3
    assert program("undo").returncode == 0
    assert state(built.photos) == before


def test_apply_again_has_nothing_left_to_do(plan: Path, twinlens: Cli):
    """What was done is done, and no failure."""
    twinlens("apply", plan, "--yes")
    assert "0 photos in the trash, 2 done already." in twinlens("apply", plan, "--yes").stdout
    assert "2 done already" in twinlens("apply", plan).stdout


@pytest.fixture
def locked(shots: dict[str, Path]) -> Iterator[Path]:
    """The twin's folder, in which nothing can be changed; by root neither."""
    folder = shots["twin"].parent
    if os.geteuid():
        folder.chmod(0o555)
    elif subprocess.run(["chattr", "+i", folder], capture_output=True, check=False).returncode:
        pytest.skip("needs a file system that locks folders")
    yield folder
    if os.geteuid():
        folder.chmod(0o755)
    else:
        subprocess.run(["chattr", "-i", folder], check=True)


@pytest.mark.parametrize("action", ["trash", "move", "hardlink"])
def test_a_folder_that_cannot_be_written_stops_nothing_else(
    action: str,
    built: Built,
    shots: dict[str, Path],
    locked: Path,
    twinlens: Cli,
    tmp_path: Path,
):
    """One line for the photo that is refused; the others go; the exit code says partial."""
    other = built.photo("b/best.jpg", data=b"x" * 3000)
    file, _ = plan_of(built, planned_group("g", shots["best"], shots["twin"], other))
    before = state(locked)
    to = ["--to", tmp_path / "spare"] if action == "move" else []
    result = twinlens("apply", file, "--action", action, *to, "--yes", code=1)
    assert len(result.stderr.splitlines()) == 1
    assert "best (1).jpg: " in result.stderr
    assert "permi" in result.stderr
    assert "1 failed" in result.stdout
    assert state(locked) == before
    assert not other.exists() or other.samefile(shots["best"])
    twinlens("undo")


def test_two_applies_do_not_meet(built: Built, plan: Path, twinlens: Cli):
    """The second one is refused, and an undo as well."""
    twinlens("apply", plan, "--yes")
    with built.library.lock("apply"):
        for command in (("apply", plan, "--yes"), ("undo",)):
            assert "another apply is running" in twinlens(*command, code=1).stderr
