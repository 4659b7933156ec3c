"""twinlens similar: photos of the same shot come first, and are named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.plugin.conftest import Built, Cli, Scanned, wait_until
from tests.worker.verify.conftest import draw_scene
from twinlens import relations
from twinlens.library import Library
from twinlens.relations import Detail, Relation
from twinlens_plugin.errors import ChildError

SCAN = {"TWINLENS_SETTLE_SECONDS": "0.1", "TWINLENS_DECODE_PROCESSES": "1", "OMP_NUM_THREADS": "1"}
PART = (300, 200, 620, 440)
"""What the crop shows of the scene: two fifths of each side."""


def relate(built: Built, a: Path, b: Path, kind: str, probability: float, detail: Detail) -> None:
    """Store what two photos are to each other, as the worker's verifier does."""
    low, high = sorted((built.content_id(a), built.content_id(b)))
    with built.catalogue.write_tx() as tx:
        relations.store(tx, Relation(low, high, kind, probability, detail, 1))


@pytest.fixture
def near(built: Built) -> dict[str, Path]:
    """A photo, and others at growing distances: a look-alike, a frame, a copy, its crop, a stranger."""
    photos = {
        "asked": built.photo("asked.jpg", data=b"a", vector=[1, 0]),
        "alike": built.photo("alike.jpg", vector=[0.9, 0.1]),
        "frame": built.photo("frame.jpg", vector=[0.9, 0.2]),
        "copy": built.photo("copy.jpg", vector=[0.9, 0.3]),
        "crop": built.photo("crop.jpg", vector=[0.2, 0.9]),
        "other": built.photo("other.jpg", vector=[0.3, 0.9]),
    }
    built.publish()
    relate(built, photos["asked"], photos["alike"], "similar", 0.01, Detail("looks alike"))
    relate(built, photos["asked"], photos["frame"], "burst", 0.1, Detail("another frame"))
    relate(built, photos["asked"], photos["copy"], "copy", 0.97, Detail("resized to 42 %"))
    cropped = Detail("crop to 42 %, grey", {"crop": 0.42, "cropped": "b", "greyed": "b"})
    relate(built, photos["asked"], photos["crop"], "edit", 0.99, cropped)
    return photos


def names(found: list[dict[str, Any]]) -> list[str]:
    """Return the names of photos that were listed."""
    return [Path(str(one["path"])).stem for one in found]


def test_duplicates_come_first_the_surest_before_the_others(near: dict[str, Path], twinlens: Cli):
    """Whatever they score; all others stay in the order of their scores."""
    found = twinlens.json("similar", near["asked"])
    assert names(found) == ["crop", "copy", "alike", "frame", "other"]
    assert [one["relation"] for one in found] == ["edit", "copy", "similar", "burst", None]
    assert [one["probability"] for one in found] == [0.99, 0.97, 0.01, 0.1, None]
    assert [one["words"] for one in found[:2]] == ["crop to 42 %, grey", "resized to 42 %"]
    assert [one["rank"] for one in found] == [1, 2, 3, 4, 5]
    assert found[0]["score"] == pytest.approx(0.217, abs=1e-3)


def test_words_are_said_of_the_photo_that_is_listed(near: dict[str, Path], twinlens: Cli):
    """Asked about the crop, the whole photo is what is not cropped."""
    (found,) = twinlens.json("similar", near["crop"], "-k", 1)
    assert (names([found]), found["words"]) == (["asked"], "not cropped, in colour")


def test_people_read_the_relation_in_words(near: dict[str, Path], twinlens: Cli):
    """That it looks alike the score says."""
    lines = [
        line.partition(".jpg")[2] for line in twinlens("similar", near["asked"]).stdout.splitlines()
    ]
    assert lines == [
        "  (edit: crop to 42 %, grey)",
        "  (copy: resized to 42 %)",
        "",
        "  (burst: another frame)",
        "",
    ]  # fmt: skip


def test_k_cuts_after_the_duplicates_were_put_first(near: dict[str, Path], twinlens: Cli):
    """Of six photos the crop is the farthest: with one place it has that."""
    assert names(twinlens.json("similar", near["asked"], "-k", 1)) == ["crop"]


def test_min_score_holds_for_duplicates_too(near: dict[str, Path], twinlens: Cli):
    """It was said that nothing below it is to be listed."""
    found = twinlens.json("similar", near["asked"], "--min-score", 0.5)
    assert names(found) == ["copy", "alike", "frame"]


def test_no_verify_leaves_all_to_the_score(near: dict[str, Path], twinlens: Cli):
    """And names nothing."""
    found = twinlens.json("similar", near["asked"], "--no-verify")
    assert names(found) == ["alike", "frame", "copy", "other", "crop"]
    assert {one["relation"] for one in found} == {None}


def test_same_bytes_are_named_and_come_first(built: Built, near: dict[str, Path], twinlens: Cli):
    """However sure an edit is."""
    built.photo("twin.jpg", data=b"a")
    found = twinlens.json("similar", near["asked"])
    assert names(found)[:2] == ["twin", "crop"]
    assert (found[0]["relation"], found[0]["probability"]) == ("identical", 1.0)


def test_what_a_person_decided_stands_above(near: dict[str, Path], twinlens: Cli):
    """No duplicates are named no more; what was said to be the same is a copy, for sure."""
    twinlens("decide", near["asked"], near["crop"], "--not-duplicates")
    twinlens("decide", near["asked"], near["other"], "--same")
    found = twinlens.json("similar", near["asked"])
    assert names(found) == ["other", "copy", "alike", "frame", "crop"]
    assert [one["relation"] for one in found] == ["copy", "copy", "similar", "burst", None]
    assert found[0]["probability"] == 1.0


def test_a_duplicate_that_was_deleted_is_not_listed(
    built: Built, near: dict[str, Path], twinlens: Cli
):
    """Nor does it take a place."""
    from twinlens import ledger

    ledger.tombstone(built.catalogue, built.root.id, [built.relative(near["crop"])], now=0)
    assert names(twinlens.json("similar", near["asked"], "-k", 1)) == ["copy"]


@pytest.fixture(scope="module")
def cropped(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """A library of a scene, of what looks more like a crop of it than it does, and of others.

    The crop is beside it, unseen. Leave all as you find it.
    """
    folder = tmp_path_factory.mktemp("cropped")
    made = Scanned(folder / "library", folder / "photos")
    made.photos.mkdir()
    scene = draw_scene(1)
    crop = scene.crop(PART).resize((640, 480), Image.Resampling.BICUBIC)
    scene.save(made.photos / "scene.jpg", quality=92)
    # Coarse blocks of the crop's colours: to the descriptor its nearest, and nothing to align.
    mosaic = crop.resize((13, 10), Image.Resampling.BOX)
    mosaic.resize((640, 480), Image.Resampling.NEAREST).save(made.photos / "mosaic.png")
    for number in (2, 3):
        draw_scene(number).save(made.photos / f"{number}.jpg")
    crop.save(folder / "crop.jpg", quality=80)
    done = made("scan", made.photos, **SCAN)
    assert done.returncode == 0, done.stderr
    return made


def ask(library: Scanned, *words: object, **environ: str) -> list[dict[str, Any]]:
    """Ask about the crop."""
    done = library("similar", library.photos.parent / "crop.jpg", "--json", *words, **environ)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_crop(found: list[dict[str, Any]]) -> None:
    """The scene comes first and is named."""
    assert names(found)[:2] == ["scene", "mosaic"]
    first, second = found[:2]
    assert first["score"] < second["score"], "the score alone would have it the other way round"
    assert (first["relation"], first["words"]) == ("edit", "not cropped")
    assert first["probability"] > 0.9
    assert second["relation"] not in relations.DUPLICATES


def test_an_unseen_crop_finds_its_photo_before_what_looks_more_alike(cropped: Scanned):
    """No worker runs: a child embeds it, and compares it."""
    check_crop(ask(cropped))
    assert names(ask(cropped, "--no-verify", "-k", 1)) == ["mosaic"]


@pytest.fixture
def worker(cropped: Scanned) -> Iterator[None]:
    """A worker that runs on the library of the crop."""
    arguments = ["--library", str(cropped.library), "--stop-on-eof"]
    with subprocess.Popen(
        [sys.executable, "-m", "twinlens_worker", *arguments],
        stdin=subprocess.PIPE,
        env={**os.environ, **SCAN},
    ) as running:
        wait_until(Library(cropped.library).socket.exists, "the worker listens")
        yield
        running.communicate()


@pytest.mark.usefixtures("worker")
def test_a_running_worker_embeds_and_compares(cropped: Scanned, monkeypatch: pytest.MonkeyPatch):
    """No other process is started for it."""

    def refuse(*_: object) -> None:
        raise AssertionError("a child was asked")

    monkeypatch.setattr("twinlens_plugin.unseen.Conversation.ask", refuse)
    check_crop(Cli(cropped.library).json("similar", cropped.photos.parent / "crop.jpg"))


@pytest.fixture
def without_thumbnails(cropped: Scanned) -> Iterator[Path]:
    """The library's thumbnails are away for the time of the test."""
    folder = Library(cropped.library).thumbnails
    away = folder.with_name("away")
    folder.rename(away)
    yield away
    away.rename(folder)


@pytest.mark.usefixtures("without_thumbnails")
def test_a_photo_without_its_thumbnail_is_read_itself(cropped: Scanned):
    """And no thumbnail is made for it."""
    check_crop(ask(cropped))
    assert not Library(cropped.library).thumbnails.exists()


@pytest.mark.usefixtures("without_thumbnails")
def test_what_cannot_be_compared_is_listed_by_score(cropped: Scanned):
    """Neither the thumbnail nor the photo can be had: nothing is said of it, and nothing stops."""
    scene = cropped.photos / "scene.jpg"
    scene.rename(scene.with_suffix(".away"))
    try:
        found = ask(cropped)
    finally:
        scene.with_suffix(".away").rename(scene)
    assert names(found)[:2] == ["mosaic", "scene"]
    assert found[0]["relation"] not in relations.DUPLICATES
    assert (found[1]["relation"], found[1]["probability"]) == (None, None)


def test_where_nothing_can_compare_the_score_orders(
    cropped: Scanned, monkeypatch: pytest.MonkeyPatch
):
    """Why is said once, after the answers; the exit code is that of an answer."""

    def refuse(*_: object) -> None:
        raise ChildError("the helper that reads photos ended: killed.")

    monkeypatch.setattr("twinlens_plugin.unseen.Helper.relate", refuse)
    crop = cropped.photos.parent / "crop.jpg"
    result = Cli(cropped.library)("similar", "--paths", "-k", 1, crop)
    assert result.stdout == f"{cropped.photos}/mosaic.png\n"
    assert result.stderr == (
        "twinlens: the helper that reads photos ended: killed."
        " Photos that the library does not know are listed by score.\n"
    )
