"""twinlens doctor: it says consistent when all is well, and finds each thing that is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import Built, Cli
from twinlens.roots import MARKER_NAME, set_online


@pytest.fixture
def sound(built: Built) -> Built:
    """A library that is consistent, with a snapshot and a tail after it."""
    built.photo("a.jpg")
    built.photo("sub/b.jpg", data=b"twice")
    built.photo("c.jpg", data=b"twice")
    built.publish()
    built.photo("later.jpg")
    return built


def test_a_sound_library_is_consistent(sound: Built, twinlens: Cli):
    """Exit code 0 and the one word."""
    assert twinlens("doctor").stdout == "consistent\n"
    assert twinlens.json("doctor") == [
        {"consistent": True, "problems": 0, "repaired": False, "notes": []}
    ]


def test_photos_that_wait_are_nothing_wrong(sound: Built, twinlens: Cli):
    """Work to be done is no inconsistency; nor is a photo that cannot be read."""
    sound.record(sound.write("new.jpg"))
    bad = sound.write("bad.jpg")
    sound.record(bad)
    sound.quarantine(bad, "damaged")
    twinlens("doctor")


def test_hidden_folders_and_other_files_are_not_photos(sound: Built, twinlens: Cli):
    """Doctor walks by the watcher's rules."""
    sound.write(".hidden/x.jpg")
    sound.write("@eaDir/x.jpg")
    sound.write("notes.txt")
    (sound.photos / "link.jpg").symlink_to(sound.photos / "a.jpg")
    twinlens("doctor")


def _sql(*statements: str) -> Callable[[Built], None]:
    def change(built: Built) -> None:
        built.catalogue._connection.execute("PRAGMA foreign_keys = OFF")
        with built.catalogue.write_tx() as tx:
            for statement in statements:
                tx.execute(statement)

    return change


def _flip_a_byte(built: Built) -> None:
    (snapshot,) = built.snapshots.glob("*.usearch")
    data = bytearray(snapshot.read_bytes())
    data[len(data) // 2] ^= 0xFF
    snapshot.write_bytes(data)


def _empty_folder(built: Built) -> None:
    built.photos.rename(built.photos.with_name("hidden"))


FAULTS: dict[str, tuple[Callable[[Built], object], str, str]] = {
    "a photo nobody saw": (lambda b: b.write("unseen.jpg"), "disk", "is not in the catalogue"),
    "a photo changed": (lambda b: b.write("a.jpg", b"edited"), "disk", "changed since"),
    "a photo deleted": (lambda b: (b.photos / "a.jpg").unlink(), "disk", "but not on disk"),
    "the disk is away": (_empty_folder, "folder", "is away"),
    "the marker is lost": (
        lambda b: (b.photos / MARKER_NAME).unlink(),
        "folder",
        "is away: its marker",
    ),
    "noted as away": (
        lambda b: set_online(b.catalogue, b.root, reason="gone", now=0),
        "folder",
        "noted as away (gone)",
    ),
    "a flipped byte": (_flip_a_byte, "index", "checksum is wrong"),
    "a cut snapshot": (
        lambda b: next(b.snapshots.glob("*.usearch")).write_bytes(b""),
        "index",
        "checksum is wrong",
    ),
    "a lost snapshot": (lambda b: next(b.snapshots.glob("*.usearch")).unlink(), "index", "missing"),
    "a broken manifest": (
        lambda b: (b.snapshots / "manifest.json").write_text("{"),
        "index",
        "damaged",
    ),
    "an entry too many": (
        _sql(
            "DELETE FROM vectors WHERE id = 1",
            "DELETE FROM contents WHERE id = 1",
            "DELETE FROM files WHERE content_id = 1",
        ),
        "index",
        "1 entry without a vector",
    ),
    "an entry too few": (
        _sql(
            "INSERT INTO contents (id, sha256, bytes) VALUES (90, x'00', 1)",
            "INSERT INTO vectors (content_id, model_id, vector)"
            " SELECT 90, model_id, vector FROM vectors WHERE id = 1",
        ),
        "index",
        "1 vector is not in the index",
    ),
    "an entry that differs": (
        _sql("UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE id = 2) WHERE id = 1"),
        "index",
        "1 entry differs",
    ),
    "a vector of the wrong length": (
        _sql("UPDATE vectors SET vector = x'0000' WHERE id = 3"),
        "vectors",
        "1 vector of the wrong length",
    ),
    "an inner vector of the wrong length": (
        _sql(
            "INSERT INTO inner_vectors (content_id, model_id, vector)"
            " SELECT content_id, model_id, x'0000' FROM vectors WHERE id = 3"
        ),
        "vectors",
        "1 vector of the wrong length",
    ),
    "a photo without a vector": (
        _sql("DELETE FROM vectors WHERE content_id = 1"),
        "vectors",
        "1 photo without a vector of the model 'pocket'",
    ),
    "a photo forgotten": (
        _sql("UPDATE files SET content_id = NULL WHERE id = 1"),
        "jobs",
        "1 photo neither read nor waiting",
    ),
    "a job without an owner": (
        _sql("INSERT INTO jobs (file_id, state) VALUES (1, 'leased')"),
        "jobs",
        "1 job in a state that cannot be",
    ),
    "a job in no known state": (
        _sql("INSERT INTO jobs (file_id, state) VALUES (1, 'lost')"),
        "jobs",
        "1 job in a state that cannot be",
    ),
    "a file of no root": (
        _sql("UPDATE files SET content_id = 999 WHERE id = 1"),
        "catalogue",
        "rows of 'files' lead nowhere",
    ),
    "a content of no file": (
        _sql("INSERT INTO contents (sha256, bytes) VALUES (x'00', 1)"),
        "catalogue",
        "1 content belongs to no photo",
    ),
    "a pair of nothing": (
        _sql("INSERT INTO pairs VALUES (1, 1, 999, 0.99)"),
        "catalogue",
        "1 pair belongs to no photo",
    ),
    "pairs from the future": (
        _sql("UPDATE meta SET value = '999' WHERE key LIKE 'pairs_seq:%'"),
        "catalogue",
        "the log ends at",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_has_a_cure(sound: Built, twinlens: Cli, fault: str):
    """The problem is named, with its kind and its cure; exit code 1."""
    change, check, text = FAULTS[fault]
    change(sound)
    *problems, verdict = twinlens.json("doctor", code=1)
    assert verdict["consistent"] is False
    assert verdict["problems"] == len(problems)
    assert any(p["check"] == check and text in p["problem"] for p in problems), problems
    assert all(p["cure"] for p in problems)
    assert "not consistent: " in twinlens("doctor", code=1).stdout.splitlines()[-1]


def test_a_folder_known_to_be_away_is_a_note(sound: Built, twinlens: Cli):
    """Nothing is wrong with a disk in the drawer."""
    set_online(sound.catalogue, sound.root, reason="unplugged", now=0)
    _empty_folder(sound)
    result = twinlens("doctor")
    assert "is away (unplugged): not compared" in result.stdout
    assert result.stdout.endswith("consistent\n")


def test_repair_deletes_a_bad_snapshot(sound: Built, twinlens: Cli):
    """The index can be made anew from the catalogue; answers go on without it meanwhile."""
    _flip_a_byte(sound)
    assert "the index was wrong and is deleted" in twinlens("doctor", "--repair").stdout
    assert not sound.snapshots.exists()
    assert "no index snapshot yet" in twinlens("doctor").stdout
    assert twinlens.json("similar", sound.photos / "a.jpg")


def test_a_problem_ends_in_one_full_stop(sound: Built, twinlens: Cli):
    """Reasons come as whole sentences from elsewhere."""
    _flip_a_byte(sound)
    text = twinlens("doctor", code=1).stdout
    assert "rebuilds it. Cure: run:" in text


def test_repair_leaves_a_good_snapshot_alone(sound: Built, twinlens: Cli):
    """Only what is wrong is deleted."""
    before = sorted(path.name for path in sound.snapshots.iterdir())
    twinlens("doctor", "--repair")
    assert sorted(path.name for path in sound.snapshots.iterdir()) == before


def test_many_problems_of_a_kind_are_cut_short_for_people(sound: Built, twinlens: Cli):
    """A screen, not a flood; machines get them all."""
    for number in range(30):
        sound.write(f"new/{number}.jpg")
    assert "10 more like these" in twinlens("doctor", code=1).stdout
    assert len(twinlens.json("doctor", code=1)) == 31


def test_paths_of_any_bytes_are_named(sound: Built, twinlens: Cli):
    """A problem's path can be handed on."""
    path: Path = sound.write(b"\xff.jpg")
    (problem, _) = twinlens.json("doctor", code=1)
    assert problem["path_base64"]
    assert str(path.parent) in problem["path"]


def test_a_folder_that_cannot_be_read_is_named_and_its_photos_are_not_called_gone(
    sound: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is known of them, so nothing is said of them."""
    locked = os.fsencode(sound.photos / "sub")
    scandir = os.scandir

    def refuse(path: bytes) -> object:
        if path == locked:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("twinlens_plugin.checks.disk.os.scandir", refuse)
    problem, _ = twinlens.json("doctor", code=1)
    assert (problem["path"], problem["problem"]) == (os.fsdecode(locked), "cannot be read")
