"""Re-ranking in the quality benchmark: what was compared and is of one shot comes first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import reranked
from benchmarks.quality.pictures import Picture
from tests.worker.verify.conftest import draw_scene

SCORES = np.array([[0.4, 0.6, 0.5, 0.1]], np.float32)
"""Of the crop with the scenes: its own is the third best, and last comes one below the floor."""


@pytest.fixture
def scenes(tmp_path: Path) -> list[Picture]:
    """Four scenes; the crop is of the first, and of the last there is a copy."""
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        draw_scene(number % 3).save(path)
    return [Picture(path) for path in paths]


@pytest.fixture
def crop(tmp_path: Path) -> Picture:
    """A crop of the first scene."""
    draw_scene(0).crop((100, 100, 520, 420)).save(tmp_path / "crop.png")
    return Picture(tmp_path / "crop.png")


def rerank(crop: Picture, scenes: list[Picture], candidates: int) -> reranked.Reranked:
    """Compare the crop with its best candidates."""
    return reranked.rerank(SCORES, [crop], scenes, threshold=0.9, candidates=candidates, seed=1)


def test_what_is_of_one_shot_comes_before_all_that_scores_higher(
    crop: Picture, scenes: list[Picture]
):
    """The others keep their scores; what scores below the floor is not compared, copy or not."""
    found = rerank(crop, scenes, 4)
    assert found.similarity[0, 0] > reranked.FIRST
    assert found.similarity[0, 1:].tolist() == SCORES[0, 1:].tolist()
    assert found.compared == 3
    assert found.seconds > 0


def test_only_the_best_are_compared(crop: Picture, scenes: list[Picture]):
    """With two candidates the crop's own scene is not among them."""
    found = rerank(crop, scenes, 2)
    assert found.similarity.tolist() == SCORES.tolist()
    assert found.compared == 2


def test_the_surest_comes_first_and_of_two_as_sure_the_closest():
    """Two digits of the probability count, then the score."""
    ordered = [(0.95, 0.1), (0.951, 0.2), (0.954, 0.9), (0.96, -1.0)]
    scores = [reranked._above(sure, score) for sure, score in ordered]
    assert scores == sorted(scores)
    assert np.float32(scores[0]) < np.float32(scores[1])
