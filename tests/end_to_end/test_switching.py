"""Changing the model of a library, with workers killed in the middle: the old one answers throughout."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from tests.end_to_end.conftest import Programs, age, make_photo, process_of, wait_until
from tests.end_to_end.scenario import check_consistent

PHOTOS = 16


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder of made photos, each of them twice: the second smaller."""
    folder = tmp_path / "photos"
    for number in range(PHOTOS // 2):
        make_photo(folder / f"{number:02}.jpg", number)
        make_photo(folder / f"{number:02}-small.jpg", number, size=(320, 240))
    age(folder)
    return folder


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """Weights of a small classifier that nobody trained, but which is sure of what it says."""
    torch.manual_seed(5)
    state = torchvision.models.shufflenet_v2_x0_5(weights=None).state_dict()
    state["fc.bias"][559] = 10.0  # folding_chair, with 0.95 for whatever it sees
    path = tmp_path / "untrained.safetensors"
    save_file(state, path)
    return path


@pytest.mark.timeout(400)
def test_killed_in_the_middle_of_a_change(programs: Programs, made: Path, untrained: Path):
    """Killed twice (SIGKILL) while another model embeds: the old one answers, then the new one, with labels."""
    switch(programs, made, "torchvision:shufflenet_v2_x0_5", untrained)
    named = programs.json("labels", made / "00.jpg")[0]["labels"]
    assert [label["label"] for label in named] == ["folding_chair"]
    assert named[0]["probability"] > 0.9
    found = {a["path"]: a["labels"] for a in programs.json("similar", made / "01.jpg", "-k", "99")}
    assert found[str(made / "00.jpg")] == named
    check_consistent(programs)


@pytest.mark.data
@pytest.mark.timeout(600)
def test_a_change_to_a_real_classifier(programs: Programs, data: Path, tmp_path: Path):
    """The same with ImageNet's MobileNetV2 and photos: it names what is in them."""
    weights = data / "teacher" / "mobilenet_v2_imagenet.safetensors"
    folder = tmp_path / "photos"
    folder.mkdir()
    for kind in ("chair", "laptop", "flamingo", "grand_piano", "soccer_ball"):
        for path in sorted((data / "copies" / "originals").glob(f"{kind}_image_*"))[:6]:
            shutil.copyfile(path, folder / path.name)  # writable, and not as old as the data
    age(folder)
    switch(programs, folder, "torchvision:mobilenet_v2", weights)
    for kind in ("laptop", "flamingo", "grand_piano", "soccer_ball"):
        answers = programs.json("labels", "--find", kind)
        hits = [answer["path"] for answer in answers if kind in answer["path"]]
        assert len(hits) >= 4, (kind, answers)
        assert len(hits) >= 0.7 * len(answers), (kind, answers)


def switch(programs: Programs, folder: Path, name: str, weights: Path) -> None:
    """Go over from the bundled model to another, be killed on the way, go back and over again."""
    photos = sorted(folder.glob("*.jpg"))
    programs.twinlens("scan", folder)
    before = answers(programs, folder)
    assert before["similar"]
    [chosen] = programs.json("model", "use", name, "--weights", weights)
    assert (chosen["photos_to_embed"], chosen["labels"]) == (len(photos), True)
    with slow_disk(programs):
        for share in (0.25, 0.6):
            done = killed_when(programs, folder, chosen["digest"], int(share * len(photos)), before)
            assert done < len(photos), "the change was over before it could be killed"
    programs.twinlens("scan", folder)
    assert model(programs)["serving"]["digest"] == chosen["digest"]
    assert vectors(programs, chosen["digest"]) == len(photos)
    assert answers(programs, folder)["similar"] != before["similar"]
    # Back, and over again: nothing is read anew.
    assert programs.json("model", "use", "pocket")[0]["photos_to_embed"] == 0
    assert answers(programs, folder) == before
    again = programs.json("model", "use", name, "--weights", weights)
    assert again[0]["photos_to_embed"] == 0
    assert model(programs)["serving"]["digest"] == chosen["digest"]


def killed_when(
    programs: Programs, folder: Path, digest: str, count: int, before: dict[str, Any]
) -> int:
    """Scan until ``count`` photos have vectors of the new model; kill all; return how many have."""
    scan = programs.start(
        "twinlens_plugin", "scan", folder, TWINLENS_BATCH_SIZE="2", TWINLENS_DECODE_PROCESSES="1"
    )
    wait_until(lambda: vectors(programs, digest) >= count, f"{count} photos embedded")
    worker = process_of(scan.pid, "twinlens_worker")
    worker.suspend()  # so that it cannot finish while we ask
    try:
        assert answers(programs, folder) == before
    finally:
        worker.kill()
    os.kill(scan.pid, signal.SIGKILL)
    scan.wait()
    done = vectors(programs, digest)
    assert done >= count
    assert model(programs)["serving"]["name"] == "pocket"
    assert model(programs)["target"]["digest"] == digest
    assert answers(programs, folder) == before
    return done


@contextmanager
def slow_disk(programs: Programs) -> Iterator[None]:
    """Let each new vector take as long to store as counting to half a million: time to kill.

    A small network is else through with all photos before another process gets its turn to look.
    """
    with reading(programs) as connection:
        connection.executescript(
            "CREATE TRIGGER slow_disk AFTER INSERT ON vectors BEGIN"
            " SELECT (WITH RECURSIVE counted(n) AS"
            " (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 500000)"
            " SELECT max(n) FROM counted); END"
        )
        yield
        connection.executescript("DROP TRIGGER slow_disk")


def answers(programs: Programs, folder: Path) -> dict[str, Any]:
    """Return what the library answers: the likes of one photo, and all duplicates."""
    groups = [
        {photo["path"]: photo["relation"] for photo in group["photos"]}
        for group in programs.json("duplicates")
    ]
    return {
        "similar": programs.json("similar", min(folder.glob("*.jpg")), "-k", "5"),
        "duplicates": sorted(groups, key=sorted),
    }


def model(programs: Programs) -> dict[str, Any]:
    """Return what the library says of its models."""
    [facts] = programs.json("status")
    found: dict[str, Any] = facts["model"]
    return found


def vectors(programs: Programs, digest: str) -> int:
    """Return how many contents have a vector of a model; each has one entry in the log."""
    with reading(programs) as connection:
        stored, logged = connection.execute(
            "SELECT (SELECT count(*) FROM vectors WHERE model_id = models.id),"
            " (SELECT count(*) FROM log WHERE model_id = models.id) FROM models WHERE digest = ?",
            (digest,),
        ).fetchone()
    assert stored == logged
    return int(stored)


@contextmanager
def reading(programs: Programs) -> Iterator[sqlite3.Connection]:
    """Open the catalogue beside the programs."""
    connection = sqlite3.connect(programs.library / "catalogue.sqlite3", timeout=30)
    try:
        yield connection
    finally:
        connection.close()
