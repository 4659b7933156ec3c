"""twinlens scan and watch with the real watcher and the real worker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.plugin.conftest import Cli, wait_until
from twinlens.catalogue import Catalogue
from twinlens.ledger import counts
from twinlens.library import Library

Start = Callable[..., "subprocess.Popen[bytes]"]


def draw(path: Path, seed: int, pixels: tuple[int, int] = (240, 160)) -> Path:
    """Write a JPEG of coloured patches, the same for the same seed."""
    numbers = np.random.default_rng(seed)
    patches = numbers.integers(0, 255, (14, 20, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(patches).resize(pixels, Image.Resampling.BICUBIC).save(path, quality=90)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight photos, a copy of one by name, a smaller one of another, and a damaged file."""
    photos = tmp_path / "photos"
    for seed in range(8):
        draw(photos / f"{seed}.jpg", seed)
    shutil.copy(photos / "0.jpg", photos / "copy of 0.jpg")
    draw(photos / "web" / "1.jpg", 1, (120, 80))
    (photos / "damaged.jpg").write_bytes(b"no photo at all")
    return photos


@pytest.fixture
def twinlens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line on a library that does not exist yet, with files that settle at once."""
    monkeypatch.setenv("TWINLENS_SETTLE_SECONDS", "0.1")
    monkeypatch.setenv("TWINLENS_DECODE_PROCESSES", "1")
    return Cli(tmp_path / "library")


@pytest.fixture
def start(twinlens: Cli) -> Iterator[Start]:
    """Start the real program; whatever still runs is killed at the end."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*words: object) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", "twinlens_plugin", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "TWINLENS_LIBRARY": str(twinlens.folder)},
        )
        running.append(child)
        return child

    yield begin
    for child in running:
        with child:
            child.kill()


def test_a_scan_finds_photos_and_duplicates_and_a_second_one_nothing_new(
    twinlens: Cli, folder: Path
):
    """The summary counts what there is; the second scan reads nothing and needs no worker."""
    (summary,) = twinlens.json("scan", folder)
    assert summary.pop("seconds") > 0
    assert summary.pop("bytes_to_win") > 0
    assert summary == {
        "roots": [{"path": str(folder)}],
        "photos": 11,
        "new": 11,
        "changed": 0,
        "failed": 1,
        "duplicates": 2,
        "groups": 2,
    }
    assert twinlens("doctor").stdout.endswith("consistent\n")
    (bad,) = twinlens.json("quarantine")
    assert bad["path"] == str(folder / "damaged.jpg")
    found = twinlens.json("similar", folder / "0.jpg", "-k", 1)
    assert [match["path"] for match in found] == [str(folder / "copy of 0.jpg")]

    text = twinlens("scan").stdout.splitlines()
    assert text[0].split()[:2] == ["Photos", "11"]
    assert text[1].split() == ["New", "0"]
    assert "twinlens quarantine" in text[3]
    assert text[-1].startswith("Next: twinlens duplicates")


def test_an_unseen_photo_is_embedded_when_asked_about(twinlens: Cli, folder: Path, tmp_path: Path):
    """No worker runs, so one child embeds all that the catalogue does not know."""
    twinlens("scan", folder)
    unseen = draw(tmp_path / "unseen.jpg", 3, (200, 130))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not much of a photo")
    result = twinlens("similar", "--json", "-k", 1, broken, unseen, code=1)
    answer = json.loads(result.stdout)
    assert answer["path"] == str(folder / "3.jpg")
    assert answer["score"] > 0.9
    assert result.stderr.startswith(f"twinlens: {broken}: ")
    assert result.stderr.count("\n") == 1
    (folder / "4.jpg").unlink()
    draw(folder / "4.jpg", 5)
    found = twinlens.json("similar", "-k", 1, folder / "4.jpg")
    assert found[0]["path"] == str(folder / "5.jpg"), "asked as it is now, not as it was"


def test_ctrl_c_stops_a_scan_in_good_order_and_the_next_goes_on(
    twinlens: Cli, folder: Path, start: Start
):
    """Exit code 130, a word that nothing is lost, no process left; then the rest is read."""
    scan = start("scan", folder)
    wait_until(lambda: Library(twinlens.folder).locked("worker"), "the worker runs")
    children = psutil.Process(scan.pid).children(recursive=True)
    assert children
    scan.send_signal(signal.SIGINT)
    out, err = scan.communicate(timeout=60)
    assert (scan.returncode, out) == (130, b"")
    assert err == b"twinlens: stopped. The next scan goes on where this one stopped.\n"
    assert [child for child in children if child.is_running()] == []
    (summary,) = twinlens.json("scan", folder)
    assert (summary["photos"], summary["failed"]) == (11, 1)


def test_a_worker_that_is_killed_is_started_again(twinlens: Cli, folder: Path, start: Start):
    """Kill -9 of the worker costs seconds, no photo and no scan."""
    scan = start("scan", folder)
    wait_until(lambda: _worker_of(scan) is not None, "the worker runs")
    worker = _worker_of(scan)
    assert worker
    worker.kill()
    out, err = scan.communicate(timeout=100)
    assert scan.returncode == 0
    assert b"killed by SIGKILL" in err
    assert out.split()[:2] == [b"Photos", b"11"]
    assert twinlens("doctor").stdout.endswith("consistent\n")


def _worker_of(scan: subprocess.Popen[bytes]) -> psutil.Process | None:
    for child in psutil.Process(scan.pid).children():
        if "twinlens_worker" in child.cmdline():
            return child
    return None


def test_a_worker_that_cannot_run_is_an_error_with_its_reason(
    twinlens: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """One line says why; nothing is left running."""
    monkeypatch.setenv("TWINLENS_DEVICE", "nonsense")
    result = twinlens("scan", folder, code=1)
    last = result.stderr.splitlines()[-1]
    assert last.startswith("twinlens: the worker does not run")
    assert "nonsense" in last
    assert not Library(twinlens.folder).locked("worker")


def test_a_scan_makes_a_missing_index_anew(twinlens: Cli, folder: Path):
    """`doctor --repair`, then `scan`, leaves an index, though no photo is new."""
    twinlens("scan", folder)
    (snapshot,) = (twinlens.folder / "index").rglob("*.usearch")
    snapshot.write_bytes(b"bit rot" + snapshot.read_bytes()[7:])
    twinlens("doctor", code=1)
    twinlens("doctor", "--repair")
    assert not list((twinlens.folder / "index").rglob("*.usearch"))
    twinlens("scan", folder)
    assert list((twinlens.folder / "index").rglob("*.usearch"))
    assert twinlens("doctor").stdout == "consistent\n"


def test_a_folder_that_is_away_is_named(twinlens: Cli, folder: Path):
    """The scan of an empty mount point forgets nothing and exits with 1."""
    twinlens("scan", folder)
    folder.rename(folder.with_name("hidden"))
    folder.mkdir()
    result = twinlens("scan", code=1)
    assert f"{folder}: not scanned (its marker" in result.stderr
    with Catalogue.open_to_read(Library(twinlens.folder).catalogue) as catalogue:
        assert counts(catalogue).photos == 11


def test_a_great_loss_is_told_with_one_cure(twinlens: Cli, tmp_path: Path):
    """The reason that the catalogue keeps names the cure too; the scan says it once."""
    photos = tmp_path / "many"
    draw(photos / "kept.jpg", 1)
    for number in range(60):
        shutil.copy(photos / "kept.jpg", photos / f"{number}.jpg")
    twinlens("scan", photos)
    for number in range(60):
        (photos / f"{number}.jpg").unlink()
    text = twinlens("scan", code=1).stderr
    assert f"{photos}: not scanned (60 of its photos are gone at once: is a disk missing)." in text
    assert text.count("--accept-deletions") == 1


def test_a_subfolder_of_a_watched_folder_is_scanned_with_it(twinlens: Cli, folder: Path):
    """No second root is made of it, and that is said."""
    twinlens("scan", folder)
    result = twinlens("scan", "--json", folder / "web")
    assert json.loads(result.stdout)["roots"] == [{"path": str(folder)}]
    assert "which is watched: reading all of it" in result.stderr


def test_watch_follows_what_happens(twinlens: Cli, folder: Path, start: Start):
    """A line for each photo that comes, is a duplicate, moves and goes; SIGTERM ends it well."""
    watch = start("watch", "--json", folder)
    events = Events(watch)
    events.wait_for(lambda e: e["event"] == "added" and e["path"] == str(folder / "7.jpg"))
    events.wait_for(lambda e: e["event"] == "failed" and e["path"] == str(folder / "damaged.jpg"))
    new = draw(folder / "new.jpg", 2)
    events.wait_for(lambda e: e["event"] == "added" and e["path"] == str(new))
    found = events.wait_for(lambda e: e["event"] == "duplicate" and e["path"] == str(new))
    assert (found["other"], found["detail"]) == (str(folder / "2.jpg"), "identical")
    new.rename(folder / "moved.jpg")
    moved = events.wait_for(lambda e: e["event"] == "moved")
    assert (moved["path"], moved["other"]) == (str(folder / "moved.jpg"), str(new))
    (folder / "moved.jpg").unlink()
    events.wait_for(lambda e: e["event"] == "deleted")
    children = psutil.Process(watch.pid).children(recursive=True)
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(60) == 0
    assert [child for child in children if child.is_running()] == []


class Events:
    """The events that a watch prints, read beside it."""

    def __init__(self, watch: subprocess.Popen[bytes]) -> None:
        self._seen: list[dict[str, Any]] = []
        self._stdout = watch.stdout
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._stdout or ():
            self._seen.append(json.loads(line))

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for an event; return the first that fits."""
        wait_until(lambda: any(map(wanted, self._seen)), f"an event; seen: {self._seen}", 60)
        return next(event for event in self._seen if wanted(event))
