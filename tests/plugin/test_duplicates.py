"""twinlens duplicates: what it lists, and what it must not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import Built, Cli, Program
from twinlens import pairs, relations
from twinlens.relations import Detail, Relation
from twinlens.roots import add_root, set_online
from twinlens.settings import Settings


@pytest.fixture
def shots(built: Built) -> dict[str, Path]:
    """A shot, a second file with its bytes, a smaller copy of it, and another photo."""
    photos = {
        "best": built.photo("2024/best.jpg", data=b"x" * 3000, pixels=(4000, 3000)),
        "twin": built.photo("backup/best (1).jpg", data=b"x" * 3000),
        "small": built.photo("web/small.jpg", data=b"y" * 500, pixels=(800, 600)),
        "other": built.photo("other.jpg", data=b"z" * 700),
    }
    built.pair(photos["best"], photos["small"], 0.97)
    built.pair(photos["best"], photos["other"], 0.5)
    return photos


def test_a_group_has_the_fields_that_are_promised(shots: dict[str, Path], twinlens: Cli):
    """group, kind, keeper and photos; of each photo path, relation, score, bytes and size."""
    (group,) = twinlens.json("duplicates")
    assert {"group", "kind", "keeper", "reason", "bytes_to_win", "photos", "cursor"} == set(group)
    assert group["kind"] == "copy"
    assert group["keeper"] == str(shots["best"])
    assert group["bytes_to_win"] == 3500
    assert [p["relation"] for p in group["photos"]] == ["keeper", "identical", "copy"]
    assert [p["score"] for p in group["photos"]] == [1.0, 1.0, 0.97]
    assert group["photos"][2] == {
        "path": str(shots["small"]),
        "relation": "copy",
        "probability": None,
        "score": 0.97,
        "verified": False,
        "decided": False,
        "words": "",
        "proposal": "remove",
        "kept": None,
        "bytes": 500,
        "width": 800,
        "height": 600,
        "online": True,
        "companions": [],
    }


def test_identical_files_alone_are_of_kind_identical(built: Built, twinlens: Cli):
    """A group without copies says so."""
    built.photo("a.jpg", data=b"same")
    built.photo("b.jpg", data=b"same")
    assert [group["kind"] for group in twinlens.json("duplicates")] == ["identical"]


def test_people_see_what_each_photo_is_and_what_is_won(shots: dict[str, Path], twinlens: Cli):
    """Keeper first, columns, and the sum at the end."""
    lines = twinlens("duplicates").stdout.splitlines()
    assert "  3 photos, 0.00 MB to win back, kept: " in lines[0]
    assert lines[1].split()[:2] == ["keeper", "4000x3000"]
    assert "identical" in lines[2]
    assert lines[3].split()[:3] == ["copy", "0.97", "800x600"]
    assert lines[3].endswith("small.jpg  (not verified)")
    assert lines[-1] == "1 group, 2 photos to spare, 0.00 MB to win back."


def test_frames_of_a_burst_win_nothing(built: Built, twinlens: Cli):
    """All of them stay: the first is only the best, and no bytes are spoken of."""
    low, high = (
        built.content_id(built.photo(name, data=name.encode() * 99)) for name in ("a.jpg", "b.jpg")
    )
    with built.catalogue.write_tx() as tx:
        relations.store(tx, Relation(low, high, "burst", 0.99, Detail("burst"), 1))
    text = twinlens("duplicates", "--kind", "burst").stdout
    first, *_, last = text.splitlines()
    assert "  2 photos, nothing to spare, first: " in first
    assert last.startswith("1 group, nothing to spare: all of these photos stay, unless you choose")
    assert " to win" not in text
    assert twinlens("duplicates", "--kind", "burst", "--paths").stdout == ""
    group = json.loads(twinlens("duplicates", "--kind", "burst", "--json").stdout)
    assert [photo["proposal"] for photo in group["photos"]] == ["keep", "keep"]
    assert group["bytes_to_win"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc for a second way to a folder")
def test_one_file_under_two_mounts_is_no_duplicate(built: Built, twinlens: Cli):
    """A folder that is mounted twice holds each photo once: nobody may delete "the other one"."""
    built.photo("a.jpg")
    with built.catalogue.write_tx() as tx:
        alias = tx.execute(
            "INSERT INTO roots (name, path, online, added_at) VALUES ('alias', ?, 1, 0)",
            (b"/proc/self/root" + built.root.path,),
        ).lastrowid
        tx.execute(
            "INSERT INTO files (root_id, path, size, mtime_ns, ctime_ns, inode, generation,"
            " content_id) SELECT ?, path, size, mtime_ns, ctime_ns, inode, 1, content_id FROM files",
            (alias,),
        )
    assert twinlens.json("duplicates") == []


def test_no_duplicates_is_an_answer(built: Built, twinlens: Cli):
    """Nothing found is said to people, and is an empty list to machines."""
    built.photo("a.jpg")
    assert twinlens("duplicates").stdout == "No duplicates.\n"
    assert twinlens.json("duplicates") == []


def test_paths_are_those_to_spare(shots: dict[str, Path], twinlens: Cli):
    """The keeper is never among the paths printed."""
    listed = twinlens("duplicates", "--paths").stdout.splitlines()
    assert listed == [str(shots["twin"]), str(shots["small"])]


def test_nul_separated_paths_survive_any_name(built: Built, program: Program):
    """Newlines and bytes that are no UTF-8 go through -0 unharmed."""
    names = [b"a\nb.jpg", b"\xff.jpg", b"plain-and-longest.jpg"]
    photos = [built.photo(name, data=b"same") for name in names]
    os.utime(photos[2], ns=(1, 1))
    for path in photos:
        built.record(path)
        built.commit(path)
    done = program("duplicates", "-0")
    assert sorted(done.stdout.rstrip(b"\0").split(b"\0")) == [
        os.fsencode(photos[1].parent) + b"/" + name for name in sorted(names[:2])
    ]


def test_a_folder_limits_the_groups(shots: dict[str, Path], built: Built, twinlens: Cli):
    """Groups with a photo below the folder are listed whole."""
    built.photo("apart/1.jpg", data=b"same")
    built.photo("apart/2.jpg", data=b"same")
    (group,) = twinlens.json("duplicates", built.photos / "web")
    assert str(shots["best"]) in {photo["path"] for photo in group["photos"]}
    assert len(twinlens.json("duplicates", built.photos)) == 2
    assert len(twinlens.json("duplicates", built.photos.parent)) == 2


def test_the_threshold_can_be_set(
    shots: dict[str, Path], twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """A library may call copies what the model does not."""
    monkeypatch.setenv("TWINLENS_COPY_THRESHOLD", "0.4")
    (group,) = twinlens.json("duplicates")
    assert len(group["photos"]) == 3  # small and other are not related to each other
    monkeypatch.setenv("TWINLENS_COPY_THRESHOLD", "0.99")
    (group,) = twinlens.json("duplicates")
    assert group["kind"] == "identical"


def test_a_photo_that_changed_since_is_left_out(shots: dict[str, Path], twinlens: Cli):
    """People delete what is listed: what is no longer the same is not listed, and that is said."""
    shots["twin"].write_bytes(b"edited meanwhile")
    result = twinlens("duplicates", "--paths")
    assert str(shots["twin"]) not in result.stdout
    assert "1 photo has changed or gone since the last scan" in result.stderr


def test_a_photo_that_waits_to_be_read_again_is_left_out(
    built: Built, shots: dict[str, Path], twinlens: Cli
):
    """A change that the watcher has seen counts, even before the worker has."""
    shots["small"].write_bytes(b"edited meanwhile")
    built.record(shots["small"])
    assert str(shots["small"]) not in twinlens("duplicates").stdout


def test_a_deleted_photo_is_left_out(built: Built, shots: dict[str, Path], twinlens: Cli):
    """A photo gone from disk is no duplicate, noticed or not."""
    shots["twin"].unlink()
    assert str(shots["twin"]) not in twinlens("duplicates").stdout


def test_photos_of_a_disk_that_is_away_are_marked_and_nothing_is_offered(
    built: Built, shots: dict[str, Path], twinlens: Cli
):
    """Where the keeper cannot be reached, its copies may be all there is."""
    set_online(built.catalogue, built.root, reason="unplugged", now=0)
    built.photos.rename(built.photos.with_name("hidden"))
    (group,) = twinlens.json("duplicates")
    assert {photo["online"] for photo in group["photos"]} == {False}
    assert twinlens("duplicates").stdout.count("disk is away)") == 3
    result = twinlens("duplicates", "--paths")
    assert result.stdout == ""
    assert "1 group left out" in result.stderr


def test_the_copy_here_of_a_keeper_that_is_away_is_not_offered(
    built: Built, twinlens: Cli, tmp_path: Path
):
    """It may be the only one that can be reached."""
    built.photo("keeper.jpg", data=b"same")
    away = built.root
    built.photos = tmp_path / "second"
    built.photos.mkdir()
    built.root = add_root(built.catalogue, built.photos, now=0)
    copy = built.photo("a copy with a longer name.jpg", data=b"same")
    assert twinlens("duplicates", "--paths").stdout == f"{copy}\n"
    set_online(built.catalogue, away, reason="unplugged", now=0)
    result = twinlens("duplicates", "--paths")
    assert result.stdout == ""
    assert "the disk of the keeper is away" in result.stderr


@pytest.mark.parametrize("suffix", ["cr2", "HEIC"])
def test_raw_and_jpeg_of_one_shot_are_no_duplicates(built: Built, twinlens: Cli, suffix: str):
    """They are one photo; the same copy in another folder is a duplicate."""
    raw = built.photo(f"IMG_1.{suffix}", pixels=(4000, 3000))
    jpeg = built.photo("IMG_1.JPG")
    built.pair(raw, jpeg, 0.99)
    assert twinlens.json("duplicates") == []
    elsewhere = built.photo("web/IMG_1.JPG")
    built.pair(raw, elsewhere, 0.99)
    assert len(twinlens.json("duplicates")) == 1


def test_a_folder_that_is_not_watched_is_an_error(built: Built, twinlens: Cli, tmp_path: Path):
    """It is named, with the cure."""
    result = twinlens("duplicates", tmp_path / "library", code=1)
    folder = tmp_path / "library"
    assert result.stderr == f"twinlens: {folder}: not watched. Run: twinlens scan {folder}\n"


def test_threshold_below_what_was_sought_is_said(
    built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """With a threshold far lower than when photos were read, the answer lacks pairs and says so."""
    settings = Settings(library=built.library.folder)
    pairs.lower_threshold(built.catalogue, settings, built.model)
    assert "been looked for" not in twinlens("duplicates").stderr
    monkeypatch.setenv("TWINLENS_COPY_THRESHOLD", "0.3")
    assert "not all copies below 0.90 have been looked for. Run: twinlens scan" in (
        twinlens("duplicates").stderr
    )
