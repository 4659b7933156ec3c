"""Judging models on photos on disk, with real decoders and small descriptors."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.worker.conftest import write_photo
from tests.worker.fakes import GridDescriptor
from twinlens.errors import MessageError
from twinlens.library import Library
from twinlens.messages import decode_bytes
from twinlens.settings import Settings
from twinlens_worker.evaluation import Candidate, Labelled, evaluate, read_labelled
from twinlens_worker.evaluation.labelled import TooFewPhotosError


class ColourBlind(GridDescriptor):
    """Sees brightness alone, and nothing at all in photos that are nearly white."""

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Embed u8 images (N, 64, 64, 3) as f32 (N, 48)."""
        vectors = super().embed(np.repeat(images.mean(axis=3, keepdims=True), 3, axis=3))
        vectors[images.reshape(len(images), -1).mean(axis=1) > 250] = 0
        return vectors


@pytest.fixture
def settings(library: Library) -> Settings:
    """Settings with one decoder, to start quickly, and batches smaller than the collection."""
    return Settings(library=library.folder, decode_processes=1, batch_size=3)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Three folders of photos that are variants of one picture each."""
    for seed, folder in enumerate(("beach", "forest", "town")):
        for size in ((64, 48), (80, 60), (96, 72)):
            write_photo(tmp_path / folder / f"{size[0]}.jpg", seed, size)
    return tmp_path


def labelled(top: Path) -> list[Labelled]:
    """Every file below a folder, by its folder."""
    files = sorted(path for path in top.rglob("*") if path.is_file() and path.parent != top)
    return [Labelled(os.fsencode(path.parent.name), os.fsencode(path)) for path in files]


def judged(settings: Settings, top: Path, *models: GridDescriptor) -> list[dict[str, Any]]:
    """Return all that is said."""
    said: list[dict[str, Any]] = []
    candidates = [Candidate(model) for model in models or (GridDescriptor(),)]
    evaluate(settings, labelled(top), candidates, lambda one: said.append(dict(one)))
    return said


def results(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the verdicts."""
    return [one["result"] for one in said if "result" in one]


def left_out(said: list[dict[str, Any]], top: Path) -> dict[str, str]:
    """Return why photos were left out, by path below the top."""
    records = [one for one in said if "left_out" in one]
    return {
        os.path.relpath(os.fsdecode(decode_bytes(one["left_out"])), top): one["kind"]
        for one in records
    }


def test_photos_that_differ_in_size_alone_are_found(settings: Settings, top: Path):
    """A descriptor that sees what there is to see gets full marks, and says for what."""
    said = judged(settings, top)
    (result,) = results(said)
    assert (result["model"], result["weights"], result["dimension"]) == ("grid", None, 48)
    assert (result["photos"], result["folders"], result["asked"]) == (9, 3, 9)
    assert result["recall_at_1"] == result["map_at_r"] == result["ndcg_at_10"] == 1.0
    assert result["pairs"]["same_folder"] == 9
    assert result["pairs"]["other_folder"] == 27
    assert result["pairs"]["micro_average_precision"] == 1.0
    assert result["pairs"]["at_precision"][0]["recall"] == 1.0
    assert 0.5 < result["pairs"]["at_precision"][0]["threshold"] < 1
    assert {decode_bytes(one["folder"]) for one in result["by_folder"]} == {
        b"beach",
        b"forest",
        b"town",
    }


def test_progress_is_told(settings: Settings, top: Path):
    """From 0 to all, for each step; never backwards."""
    steps = [one for one in judged(settings, top) if "step" in one]
    embed = [one["done"] for one in steps if one["step"] == "embed"]
    assert embed == [0, 3, 6, 9]
    assert [one["done"] for one in steps if one["step"] == "compare"][-1] == 9
    assert {one["of"] for one in steps} == {9}


def test_a_photo_in_the_wrong_folder_is_seen(settings: Settings, top: Path):
    """Its folder is the worst, and what it is taken for is named."""
    write_photo(top / "forest" / "stray.jpg", 2, (128, 96))  # a picture of the town
    (result,) = results(judged(settings, top))
    worst = result["by_folder"][0]
    assert decode_bytes(worst["folder"]) == b"forest"
    assert (worst["photos"], worst["times"]) == (4, 1)
    assert worst["recall_at_1"] == 0.75
    assert decode_bytes(worst["mistaken_for"]) == b"town"


def test_unreadable_photos_are_left_out_and_the_rest_goes_on(settings: Settings, top: Path):
    """Damaged, gone, black (no usable vector): each is named with its reason."""
    (top / "beach" / "broken.jpg").write_bytes(b"no picture")
    Image.new("RGB", (64, 48)).save(top / "town" / "black.jpg")
    (top / "town" / "link.jpg").symlink_to(top / "beach" / "64.jpg")
    said = judged(settings, top)
    assert left_out(said, top) == {
        "beach/broken.jpg": "unreadable",
        "town/black.jpg": "unreadable",
        "town/link.jpg": "unreadable",
    }
    (result,) = results(said)
    assert result["photos"] == 9
    assert result["recall_at_1"] == 1.0


def test_the_same_file_in_one_folder_counts_once(settings: Settings, top: Path):
    """Finding it would be no feat."""
    shutil.copy(top / "beach" / "64.jpg", top / "beach" / "64 (copy).jpg")
    said = judged(settings, top)
    assert list(left_out(said, top).values()) == ["twice"]
    assert results(said)[0]["photos"] == 9


def test_the_same_file_in_two_folders_is_left_out(settings: Settings, top: Path):
    """Both belong together and do not: it would be wrong whatever the answer."""
    shutil.copy(top / "beach" / "64.jpg", top / "town" / "holiday.jpg")
    said = judged(settings, top)
    assert left_out(said, top) == {"beach/64.jpg": "ambiguous", "town/holiday.jpg": "ambiguous"}
    assert results(said)[0]["photos"] == 8
    assert results(said)[0]["recall_at_1"] == 1.0


def test_models_are_judged_on_the_same_photos(settings: Settings, top: Path):
    """What one of them cannot embed counts for neither; each is judged by its own vectors."""
    Image.new("RGB", (64, 48), (255, 255, 254)).save(top / "town" / "white.jpg")
    for folder, colour in (("poppies", (150, 0, 0)), ("grass", (0, 150, 0))):
        (top / folder).mkdir()
        for side in (64, 80):
            Image.new("RGB", (side, side), colour).save(top / folder / f"{side}.png")
    said = judged(settings, top, GridDescriptor(), ColourBlind("cd" * 32))
    assert left_out(said, top) == {"town/white.jpg": "unreadable"}
    first, second = results(said)
    assert first["photos"] == second["photos"] == 13
    assert first["digest"] != second["digest"]
    assert first["recall_at_1"] == 1.0
    assert second["recall_at_1"] == pytest.approx(9 / 13)  # poppies are as bright as grass


def test_too_few_photos_that_can_be_read(settings: Settings, top: Path):
    """It was seen only by reading them; said in one line."""
    for folder in ("beach", "forest"):
        for path in list((top / folder).iterdir())[1:]:
            path.write_bytes(b"no picture")
    with pytest.raises(TooFewPhotosError, match="fewer than two folders have two photos"):
        judged(settings, top)


@pytest.mark.parametrize("data", [b"folder\0", b"folder\0path", b"a\0b\0c\0"])
def test_a_list_that_breaks_off_is_refused(data: bytes):
    """Half a path must not be read as another."""
    with pytest.raises(MessageError, match="breaks off"):
        read_labelled(data)


def test_paths_may_hold_any_bytes():
    """Newlines and what is no UTF-8 included."""
    assert read_labelled(b"\xff\0/a\nb\0") == [Labelled(b"\xff", b"/a\nb")]
    assert read_labelled(b"") == []
