"""How well one query is answered, against hand-computed cases, scikit-learn and torchmetrics."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score
from torchmetrics.functional.retrieval import (
    retrieval_average_precision,
    retrieval_hit_rate,
    retrieval_normalized_dcg,
    retrieval_recall,
)

from twinlens_worker import measures

K = 10
SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.lists(st.integers(0, 6), min_size=1, max_size=15)
MEASURES = (
    lambda ranks: measures.hit_at_k(ranks, 1),
    lambda ranks: measures.recall_at_k(ranks, K),
    measures.average_precision,
    measures.average_precision_at_r,
    lambda ranks: measures.ndcg_at_k(ranks, K),
)


def array(values: list[int]) -> np.ndarray:
    """Scores as the functions take them."""
    return np.array(values, np.float32)


def invented(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (N,), no two equal, and which of them are right, at least one.

    Above 0: torchmetrics takes an answer without a score above 0 for none.
    """
    rng = np.random.default_rng(seed)
    scores = 1 + rng.permutation(int(rng.integers(2, 60))).astype(np.float32)
    right = rng.random(len(scores)) < rng.random()
    right[rng.integers(len(right))] = True
    return scores, right


def test_a_case_worked_by_hand():
    """Right answers first, third and sixth of seven."""
    ranks = measures.ranks_of_right(array([9, 7, 3]), array([8, 6, 5, 1]))
    assert ranks.tolist() == [1, 3, 6]
    assert measures.average_precision(ranks) == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    # Musgrave et al.: of the first R = 3 answers, the first and third are right.
    assert measures.average_precision_at_r(ranks) == pytest.approx((1 + 2 / 3) / 3)
    assert measures.hit_at_k(ranks, 1) == 1
    assert measures.recall_at_k(ranks, 3) == pytest.approx(2 / 3)
    # Discounts of places 1, 2, 3: 1, 0.6309, 0.5.
    assert measures.ndcg_at_k(ranks, 3) == pytest.approx(1.5 / (1 + 0.63093 + 0.5), abs=1e-5)


def test_a_graded_case_worked_by_hand():
    """Gains 1, 3, 2 in the order found; 3, 2, 1 would be best."""
    gains = np.array([1.0, 3.0, 2.0])
    found, best = 1 + 3 * 0.63093 + 2 * 0.5, 3 + 2 * 0.63093 + 1 * 0.5
    assert measures.graded_ndcg(array([3, 2, 1]), gains) == pytest.approx(found / best, abs=1e-5)
    assert measures.graded_ndcg(array([3, 2, 1]), gains, k=1) == pytest.approx(1 / 3)


def test_ties_never_help():
    """What calls everything equal has its right answers last."""
    ranks = measures.ranks_of_right(array([1, 1]), array([1, 1, 1]))
    assert ranks.tolist() == [4, 5]
    gains = np.array([2.0, 0.0, 1.0])
    worst = measures.graded_ndcg(array([1, 2, 3]), np.sort(gains)[::-1])
    assert measures.graded_ndcg(array([1, 1, 1]), gains) == pytest.approx(worst)


def test_nothing_to_be_found():
    """No right answer, or nothing to be gained: 0, not an error."""
    none = measures.ranks_of_right(array([]), array([1, 2]))
    assert [measure(none) for measure in MEASURES] == [0.0] * len(MEASURES)
    assert measures.graded_ndcg(array([1, 2]), np.zeros(2)) == 0.0


@given(SEEDS)
def test_the_figures_are_those_of_scikit_learn(seed: int):
    """Average precision and NDCG, in all and of the first ten."""
    scores, right = invented(seed)
    ranks = measures.ranks_of_right(scores[right], scores[~right])
    ours = measures.average_precision(ranks)
    assert ours == pytest.approx(average_precision_score(right, scores))
    for k in (K, len(scores)):
        theirs = ndcg_score(right[None].astype(float), scores[None], k=k)
        assert measures.ndcg_at_k(ranks, k) == pytest.approx(theirs)


@given(SEEDS)
def test_the_figures_are_those_of_torchmetrics(seed: int):
    """Average precision, NDCG, recall and hit rate."""
    scores, right = invented(seed)
    ranks = measures.ranks_of_right(scores[right], scores[~right])
    asked = torch.from_numpy(scores), torch.from_numpy(right)
    pairs = (
        (measures.average_precision(ranks), retrieval_average_precision(*asked)),
        (measures.ndcg_at_k(ranks, K), retrieval_normalized_dcg(*asked, top_k=K)),
        (measures.recall_at_k(ranks, K), retrieval_recall(*asked, top_k=K)),
        (measures.hit_at_k(ranks, 1), retrieval_hit_rate(*asked, top_k=1)),
    )
    for ours, theirs in pairs:
        assert ours == pytest.approx(float(theirs), abs=1e-6)


@given(SEEDS, st.integers(1, 20))
def test_graded_ndcg_is_scikit_learns(seed: int, k: int):
    """With gains from 0 to 5."""
    scores, _ = invented(seed)
    gains = np.random.default_rng(seed).integers(0, 6, len(scores)).astype(float)
    theirs = ndcg_score(gains[None], scores[None], k=k)
    assert measures.graded_ndcg(scores, gains, k) == pytest.approx(theirs)


@given(LEVELS, LEVELS)
def test_graded_ndcg_of_two_gains_is_the_binary_one(right: list[int], wrong: list[int]):
    """Ties included."""
    gains = np.array([1.0] * len(right) + [0.0] * len(wrong))
    graded = measures.graded_ndcg(array(right + wrong), gains, K)
    binary = measures.ndcg_at_k(measures.ranks_of_right(array(right), array(wrong)), K)
    assert graded == pytest.approx(binary)


@given(LEVELS, LEVELS, st.randoms())
def test_figures_have_bounds_and_no_order(right: list[int], wrong: list[int], random: Random):
    """From 0 to 1, however the answers are shuffled."""
    ranks = measures.ranks_of_right(array(right), array(wrong))
    random.shuffle(right)
    random.shuffle(wrong)
    again = measures.ranks_of_right(array(right), array(wrong))
    for measure in MEASURES:
        assert 0 <= measure(ranks) <= 1
        assert measure(ranks) == measure(again)


@given(LEVELS, LEVELS)
def test_right_above_wrong_is_perfect(right: list[int], wrong: list[int]):
    """Whatever the order among the right ones."""
    ranks = measures.ranks_of_right(array(right) + 10, array(wrong))
    for measure in (measure for measure in MEASURES if measure is not MEASURES[1]):
        assert measure(ranks) == pytest.approx(1.0)
    assert measures.recall_at_k(ranks, len(right)) == 1.0


@given(LEVELS, LEVELS, st.integers(-1, 7))
def test_one_more_wrong_answer_never_helps(right: list[int], wrong: list[int], score: int):
    """Wherever it comes; above all others it costs the first place."""
    before = measures.ranks_of_right(array(right), array(wrong))
    after = measures.ranks_of_right(array(right), array([*wrong, score]))
    for measure in MEASURES:
        assert measure(after) <= measure(before)
    if score == 7:
        assert measures.hit_at_k(after, 1) == 0
        assert measures.average_precision(after) < measures.average_precision(before)


@given(LEVELS, LEVELS)
def test_map_at_r_is_the_strictest(right: list[int], wrong: list[int]):
    """Musgrave et al.: it stops at R, so it cannot be above average precision."""
    ranks = measures.ranks_of_right(array(right), array(wrong))
    assert measures.average_precision_at_r(ranks) <= measures.average_precision(ranks) + 1e-12
