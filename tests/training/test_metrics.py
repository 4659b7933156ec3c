"""The figures of the benchmark, against hand-computed cases and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from training import metrics

SIMILARITY = np.array([[0.9, 0.1, 0.2], [0.8, 0.7, 0.3], [0.2, 0.6, 0.5]], np.float32)
TRUTH = np.array([0, 1, -1])
"""Query 0 finds its match first, query 1 second, query 2 has none."""


def test_a_case_worked_by_hand():
    """Pooled: right .9, wrong .8, right .7, ...; AP = (1 + 2/3) / 2."""
    ranking = metrics.rank(SIMILARITY, TRUTH)
    assert metrics.micro_average_precision(ranking) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.recall_at_1(SIMILARITY, TRUTH) == 0.5
    assert metrics.recall_at_precision(ranking, 0.99) == 0.5
    assert metrics.at_threshold(ranking, 0.75) == (0.5, 0.5)
    assert metrics.at_threshold(ranking, 0.95) == (0.0, 1.0)


def test_ties_never_help():
    """A hash that calls everything equal finds nothing."""
    flat = np.ones((20, 5), np.float32)
    truth = np.zeros(20, np.int64)
    assert metrics.recall_at_1(flat, truth) == 0.0
    assert metrics.recall_at_precision(metrics.rank(flat, truth), 0.99) == 0.0


@given(st.integers(0, 2**32 - 1))
def test_the_average_precision_is_scikit_learns(seed: int):
    """With no more references than count as answers, both see the same list."""
    rng = np.random.default_rng(seed)
    similarity = rng.normal(size=(12, metrics.CANDIDATES)).astype(np.float32)
    truth = rng.integers(0, metrics.CANDIDATES, 12)
    own = np.arange(metrics.CANDIDATES) == truth[:, None]
    ours = metrics.micro_average_precision(metrics.rank(similarity, truth))
    assert ours == pytest.approx(average_precision_score(own.ravel(), similarity.ravel()))
