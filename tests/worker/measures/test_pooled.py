"""What one threshold for all queries finds, against hand-computed cases and scikit-learn."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from twinlens_worker import measures

SIMILARITY = np.array([[0.9, 0.1, 0.2], [0.8, 0.7, 0.3], [0.2, 0.6, 0.5]], np.float32)
TRUTH = np.array([0, 1, -1])
"""Query 0 finds its match first, query 1 second, query 2 has none."""

LEVELS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40)
"""Answers as (score, whether right), with many ties."""


def pooled(answers: list[tuple[int, bool]], missed: int = 0) -> measures.Ranking:
    """Pool answers; ``missed`` right ones are not among them."""
    scores = np.array([score for score, _ in answers], np.float32)
    correct = np.array([right for _, right in answers])
    return measures.pool(scores, correct, int(correct.sum()) + missed)


def test_a_case_worked_by_hand():
    """Pooled: right .9, wrong .8, right .7, ...; AP = (1 + 2/3) / 2."""
    ranking = measures.rank(SIMILARITY, TRUTH)
    assert measures.micro_average_precision(ranking) == pytest.approx((1 + 2 / 3) / 2)
    assert measures.recall_at_1(SIMILARITY, TRUTH) == 0.5
    assert measures.recall_at_precision(ranking, 0.99) == 0.5
    assert measures.threshold_at_precision(ranking, 0.99) == np.float32(0.9)
    assert measures.at_threshold(ranking, 0.75) == (0.5, 0.5)
    assert measures.at_threshold(ranking, 0.95) == (0.0, 1.0)


def test_ties_never_help():
    """A hash that calls everything equal finds nothing."""
    flat = np.ones((20, 5), np.float32)
    truth = np.zeros(20, np.int64)
    assert measures.recall_at_1(flat, truth) == 0.0
    ranking = measures.rank(flat, truth)
    assert measures.recall_at_precision(ranking, 0.99) == 0.0
    assert measures.threshold_at_precision(ranking, 0.99) is None


def test_a_match_that_ties_with_the_last_candidate_is_not_taken():
    """Eleven answers as good as each other, ten places: the match is the one left out."""
    flat = np.ones((1, measures.CANDIDATES + 1), np.float32)
    assert not measures.rank(flat, np.array([3])).correct.any()
    flat[0, 4] = 0.5  # one fewer is as good as the match, which gets the last place
    assert measures.rank(flat, np.array([3])).correct.sum() == 1


def test_matches_that_are_not_in_the_list_count_as_missed():
    """Ten wrong answers above the match: it is never found, and lowers the µAP all the same."""
    falling = np.linspace(1, 0, 12, dtype=np.float32)
    similarity = np.stack([falling, falling / 2])
    ranking = measures.rank(similarity, np.array([0, 11]))
    assert ranking.wanted == 2
    assert measures.micro_average_precision(ranking) == 0.5


def test_a_threshold_takes_all_equal_scores():
    """The one that is given holds its promise when answers with the same score are wrong."""
    ranking = pooled([(9, True)] * 200 + [(8, True)] + [(8, False)] * 5)
    assert measures.threshold_at_precision(ranking, 0.99) == 9.0
    assert measures.recall_at_precision(ranking, 0.99) == pytest.approx(200 / 201)


def test_queries_without_a_match_have_no_recall():
    """No division by nothing."""
    nothing = np.array([-1, -1, -1])
    assert measures.recall_at_1(SIMILARITY, nothing) == 0.0
    assert measures.micro_average_precision(measures.rank(SIMILARITY, nothing)) == 0.0


@given(st.integers(0, 2**32 - 1))
def test_the_average_precision_is_scikit_learns(seed: int):
    """With no more references than count as answers, both see the same list."""
    rng = np.random.default_rng(seed)
    similarity = rng.normal(size=(12, measures.CANDIDATES)).astype(np.float32)
    truth = rng.integers(0, measures.CANDIDATES, 12)
    own = np.arange(measures.CANDIDATES) == truth[:, None]
    ours = measures.micro_average_precision(measures.rank(similarity, truth))
    assert ours == pytest.approx(average_precision_score(own.ravel(), similarity.ravel()))


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(2, 5))
def test_the_candidates_are_those_of_a_full_sort(seed: int, references: int, levels: int):
    """Wrong before right among equals, the first ten of each query: said plainly, slower."""
    rng = np.random.default_rng(seed)
    similarity = rng.integers(0, levels, (8, references)).astype(np.float32)
    truth = rng.integers(-1, references, 8)
    listed = [
        sorted((-score, place == match) for place, score in enumerate(row))[: measures.CANDIDATES]
        for row, match in zip(similarity.tolist(), truth, strict=True)
    ]
    expected = sorted(answer for answers in listed for answer in answers)
    ranking = measures.rank(similarity, truth)
    assert list(zip(-ranking.scores, ranking.correct, strict=True)) == expected


@given(LEVELS, st.randoms())
def test_the_order_in_which_answers_come_means_nothing(
    answers: list[tuple[int, bool]], random: Random
):
    """Ties are broken by what is right, not by place."""
    shuffled = answers.copy()
    random.shuffle(shuffled)
    one, other = (
        measures.micro_average_precision(pooled(each, missed=1)) for each in (answers, shuffled)
    )
    assert one == other
    assert 0 <= one < 1  # one match is missed


@given(LEVELS)
def test_right_above_wrong_is_perfect(answers: list[tuple[int, bool]]):
    """Whatever the scores: every right answer is moved above every wrong one."""
    answers = [(score + 10 * right, right) for score, right in [*answers, (0, True)]]
    assert measures.micro_average_precision(pooled(answers)) == 1.0
    assert measures.recall_at_precision(pooled(answers), 0.999) == 1.0


@given(LEVELS, st.integers(0, 7))
def test_one_more_wrong_answer_never_helps(answers: list[tuple[int, bool]], score: int):
    """Wherever it comes."""
    before, after = pooled(answers), pooled([*answers, (score, False)])
    assert measures.micro_average_precision(after) <= measures.micro_average_precision(before)
    for precision in (0.5, 0.9, 0.99):
        assert measures.recall_at_precision(after, precision) <= measures.recall_at_precision(
            before, precision
        )


@given(LEVELS, st.sampled_from([0.3, 0.5, 0.8, 0.99]))
def test_the_threshold_gives_what_is_promised(answers: list[tuple[int, bool]], precision: float):
    """Its recall is that of ``recall_at_precision``, and its precision is no less than asked."""
    ranking = pooled(answers, missed=1)
    threshold = measures.threshold_at_precision(ranking, precision)
    promised = measures.recall_at_precision(ranking, precision)
    if threshold is None:
        assert promised == 0.0
    else:
        recall, kept = measures.at_threshold(ranking, threshold)
        assert recall == promised
        assert kept >= precision
