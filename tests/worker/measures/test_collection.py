"""A labelled collection against itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens_worker import measures
from twinlens_worker.measures import collection

ANGLES = (0, 10, 25, 100, 140, 265)
LABELS = np.array([0, 0, 1, 1, 2, 1])
"""Photo 2 lies nearest to 1, which has another label; 4 has nobody of its own."""


def on_circle(degrees: tuple[float, ...]) -> np.ndarray:
    """Return unit vectors (N, 2) whose similarity is the cosine of the angle between them."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_case_worked_by_hand():
    """Each photo with company is asked about, and never answers itself."""
    asked = {
        one.query: (one.ranks.tolist(), one.nearest)
        for one in measures.ask_all(on_circle(ANGLES), LABELS)
    }
    assert asked == {
        0: ([1], 1),
        1: ([1], 0),
        2: ([3, 5], 1),  # others at 15, 25, 75 (photo 3), 115 and 120 degrees (photo 5)
        3: ([2, 5], 4),  # 40, 75 (photo 2), 90, 100, 165 (photo 5)
        5: ([3, 5], 0),  # 95, 105, 120 (photo 2), 125, 165 (photo 3)
    }


def test_pairs_are_counted_once():
    """Fifteen pairs of six photos, four with one label."""
    pairs = measures.PairCounts()
    for _ in measures.ask_all(on_circle(ANGLES), LABELS, pairs):
        pass
    assert pairs.wanted == 4
    assert round(4 / pairs.precision[-1]) == 15
    assert pairs.recall[-1] == 1.0


def test_equal_photos_of_two_labels_are_mistaken():
    """A tie is decided for the wrong one, whichever comes first."""
    vectors = np.ones((3, 1), np.float32)
    asked = list(measures.ask_all(vectors, np.array([0, 0, 1])))
    assert [(one.query, one.ranks.tolist(), one.nearest) for one in asked] == [
        (0, [2], 2),
        (1, [2], 2),
    ]


def test_more_photos_than_are_compared_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """Chunks make no difference."""
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((50, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = rng.integers(0, 6, 50)

    def everything() -> tuple[list[tuple[int, list[int], int]], float]:
        pairs = measures.PairCounts()
        asked = list(measures.ask_all(vectors, labels, pairs))
        found = [(one.query, one.ranks.tolist(), one.nearest) for one in asked]
        return found, pairs.micro_average_precision()

    at_once = everything()
    monkeypatch.setattr(collection, "CHUNK", 7)
    assert everything() == at_once


def test_a_threshold_is_printed_as_it_counts():
    """0.9 is a little less in f32, and still belongs to the step of 0.9."""
    pairs = measures.PairCounts()
    right = np.array([0.9, 1.0, -1.0], np.float32)
    pairs.add(right, np.array([0.5], np.float32))
    assert pairs.scores.tolist() == pytest.approx([1.0, 0.9, 0.5, -1.0])
    assert measures.threshold_at_precision(pairs, 0.99) == pytest.approx(0.9)
    assert measures.recall_at_precision(pairs, 0.99) == pytest.approx(2 / 3)


@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=40),
    st.lists(st.integers(-20, 20), max_size=40),
)
def test_pairs_give_what_a_list_of_them_gives(right: list[int], wrong: list[int]):
    """The same µAP, recall and threshold, ties included, without keeping the list."""
    scores = np.array([*right, *wrong], np.float32) / 20
    correct = np.array([True] * len(right) + [False] * len(wrong))
    ranking = measures.pool(scores, correct, len(right))
    pairs = measures.PairCounts()
    pairs.add(scores[correct], scores[~correct])
    assert pairs.micro_average_precision() == pytest.approx(
        measures.micro_average_precision(ranking)
    )
    for precision in (0.3, 0.5, 0.9, 0.99):
        assert measures.recall_at_precision(pairs, precision) == pytest.approx(
            measures.recall_at_precision(ranking, precision)
        )
        threshold = measures.threshold_at_precision(ranking, precision)
        expected = threshold if threshold is None else pytest.approx(threshold, abs=1e-6)
        assert measures.threshold_at_precision(pairs, precision) == expected


def test_quality_averages_over_queries():
    """One query answered at once, one at the second place."""
    quality = measures.Quality.over([np.array([1]), np.array([2])])
    assert quality.recall_at_1 == 0.5
    assert quality.mean_average_precision == 0.75
    assert quality.map_at_r == 0.5
    assert quality.ndcg_at_10 == pytest.approx((1 + 0.63093) / 2, abs=1e-5)
