"""The smaller commands: status, quarantine, remove-root."""

from __future__ import annotations

import os

from tests.plugin.conftest import Built, Cli, Program
from twinlens.catalogue import set_meta
from twinlens.roots import list_roots, set_online


def test_status_has_the_fields_that_are_promised(built: Built, twinlens: Cli):
    """Photos, folders, model, index, processes and problems."""
    built.photo("a.jpg")
    built.publish()
    built.photo("b.jpg")
    built.record(built.write("waiting.jpg"))
    (facts,) = twinlens.json("status")
    assert facts["library"] == str(built.library.folder)
    assert facts["photos"] == {
        "photos": 3,
        "embedded": 2,
        "pending": 1,
        "leased": 0,
        "quarantined": 0,
    }
    assert facts["model"]["serving"]["name"] == "pocket"
    assert facts["index"] == {"vectors": 2, "snapshot": 1, "behind": 1, "problem": None}
    assert facts["running"] == {"watcher": False, "worker": False}
    assert facts["problems"] == []
    (root,) = facts["roots"]
    assert root["path"] == str(built.photos)
    assert (root["photos"], root["pending"], root["online"]) == (3, 1, True)


def test_status_says_what_stands_in_the_way(built: Built, twinlens: Cli):
    """A broker that refuses, a disk that is away: both are shown."""
    with built.catalogue.write_tx() as tx:
        set_meta(tx, "broker_problem", "redis://nas: connection refused")
    set_online(built.catalogue, built.root, reason="unplugged", now=0)
    text = twinlens("status").stdout
    assert "connection refused" in text
    assert "OFFLINE: unplugged" in text


def test_status_shows_running_processes(built: Built, twinlens: Cli):
    """Whoever holds the lock of a role is running."""
    with built.library.lock("worker"):
        assert "Running     worker" in twinlens("status").stdout


def test_status_fits_a_terminal(built: Built, twinlens: Cli):
    """No line of an ordinary library is wider than 80 columns, its paths apart."""
    built.photo("a.jpg")
    built.publish()
    lines = twinlens("status").stdout.replace(str(built.photos.parent), "/home/ann").splitlines()
    assert max(map(len, lines)) <= 80


def test_quarantine_lists_photos_with_reasons(built: Built, twinlens: Cli):
    """The path, and why it cannot be read, once."""
    bad = built.write("bad.jpg")
    built.record(bad)
    built.quarantine(bad, f"{bad}: the file ends too early")
    assert twinlens("quarantine").stdout == f"{bad}: the file ends too early\n"
    assert twinlens.json("quarantine") == [
        {
            "path": str(bad),
            "kind": "damaged",
            "reason": "the file ends too early",
            "attempts": 1,
        }
    ]


def test_quarantine_prints_paths_of_any_bytes(built: Built, program: Program):
    """-0 hands them on unharmed."""
    bad = built.write(b"\xff\n.jpg")
    built.record(bad)
    built.quarantine(bad, "damaged")
    assert program("quarantine", "-0").stdout == os.fsencode(bad) + b"\0"
    assert program("quarantine").stdout.count(b"\n") == 1


def test_nothing_in_quarantine_is_no_output(built: Built, twinlens: Cli):
    """An empty answer is empty."""
    assert twinlens("quarantine").stdout == ""


def test_remove_root_forgets_and_touches_no_photo(built: Built, twinlens: Cli):
    """The photos stay; the catalogue is empty; the marker is gone."""
    path = built.photo("a.jpg")
    text = twinlens("remove-root", built.photos).stdout
    assert text == f"Forgot {built.photos} (1 photo). Its files are untouched.\n"
    assert path.exists()
    assert list_roots(built.catalogue) == []
    assert [p.name for p in built.photos.iterdir()] == ["a.jpg"]


def test_remove_root_takes_a_name_and_a_folder_that_is_gone(built: Built, twinlens: Cli):
    """A disk that never comes back can be forgotten."""
    built.photos.rename(built.photos.with_name("elsewhere"))
    assert twinlens.json("remove-root", built.root.name) == [
        {"path": str(built.photos), "photos": 0}
    ]


def test_remove_root_of_a_stranger_names_what_is_watched(built: Built, twinlens: Cli):
    """The cure is in the message."""
    result = twinlens("remove-root", "/nowhere", code=1)
    assert result.stderr == (
        f"twinlens: /nowhere: not a watched folder. Watched: {built.photos}.\n"
    )
