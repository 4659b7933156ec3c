"""A labelled collection measured against itself: each photo asked about, the others the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from twinlens_worker.measures.inner import Inner
from twinlens_worker.measures.ranks import (
    Ranks,
    Scores,
    average_precision,
    average_precision_at_r,
    hit_at_k,
    ndcg_at_k,
    ranks_of_right,
)

Labels = NDArray[np.int64]

CHUNK: Final = 256
"""Queries compared at a time: 20 MB of similarities for 20,000 photos."""

STEPS: Final = 10_000
"""Levels of similarity from 0 to 1 that `PairCounts` tells apart. Vectors are stored as f16, which
moves the similarity of two by up to 1.6e-4 (256 dimensions): finer ones would say nothing."""


class PairCounts:
    """How many pairs of photos with the same label and with others lie at each similarity.

    All N (N - 1) / 2 pairs count, in a megabyte: 20,000 photos have 200 million. A `Curve`: each
    threshold takes a whole step.
    """

    def __init__(self) -> None:
        self._right = np.zeros(2 * STEPS + 1, np.int64)
        self._wrong = np.zeros(2 * STEPS + 1, np.int64)

    def add(self, right: Scores, wrong: Scores) -> None:
        """Count pairs with the same label, of these similarities, and pairs with two labels."""
        self._right += _histogram(right)
        self._wrong += _histogram(wrong)

    @property
    def wanted(self) -> int:
        """How many pairs have the same label."""
        return int(self._right.sum())

    @property
    def scores(self) -> NDArray[np.float64]:
        """The lower ends of the steps that hold pairs, best first."""
        return self._held / STEPS - 1.0

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the pairs with the same label that are this similar."""
        return np.cumsum(self._right[self._held]) / max(self.wanted, 1)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the pairs this similar that have the same label."""
        right = np.cumsum(self._right[self._held])
        return np.asarray(right / (right + np.cumsum(self._wrong[self._held])))

    def micro_average_precision(self) -> float:
        """Average precision over all pairs in one list; within a step the wrong ones come first."""
        gained, right, wrong = 0.0, 0, 0
        for step in self._held:
            count = int(self._right[step])
            wrong += int(self._wrong[step])
            found = np.arange(right + 1, right + count + 1)
            gained += float((found / (found + wrong)).sum())
            right += count
        return gained / max(right, 1)

    @property
    def _held(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._right + self._wrong)[::-1]


def _histogram(scores: Scores) -> NDArray[np.int64]:
    # 1e-3 of a step: 0.9 is 0.89999998 in f32, and would fall a step too low.
    steps = np.floor((scores.astype(np.float64) + 1.0) * STEPS + 1e-3).astype(np.int64)
    return np.bincount(steps.clip(0, 2 * STEPS), minlength=2 * STEPS + 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """One photo asked about."""

    query: int
    ranks: Ranks
    """Places of the photos with the same label."""
    nearest: int
    """The photo that came first; one with another label where scores are equal."""


def ask_all(
    vectors: Scores,
    labels: Labels,
    pairs: PairCounts | None = None,
    inner: Inner | None = None,
) -> Iterator[Asked]:
    """Ask about each photo whose label another photo has too, and count all pairs in ``pairs``.

    ``vectors`` (N, D) have unit length; ``labels`` (N,); ``inner`` are the pictures within
    some of the photos. The photo itself is no answer.
    """
    sizes = dict(zip(*np.unique(labels, return_counts=True), strict=True))
    for start in range(0, len(vectors), CHUNK):
        similarity = vectors[start : start + CHUNK] @ vectors.T
        if inner is not None:
            inner.lift(similarity, vectors, start)
        for query, row in enumerate(similarity, start=start):
            same = labels == labels[query]
            if pairs is not None:  # each pair once: with those behind
                behind, equal = row[query + 1 :], same[query + 1 :]
                pairs.add(behind[equal], behind[~equal])
            if sizes[labels[query]] > 1:
                yield _ask(query, row, same)


def _ask(query: int, row: Scores, same: NDArray[np.bool_]) -> Asked:
    right = np.flatnonzero(same)
    right = right[right != query]
    wrong = np.flatnonzero(~same)
    ranks = ranks_of_right(row[right], row[wrong])
    first = right if ranks[0] == 1 else wrong
    return Asked(query, ranks, int(first[row[first].argmax()]))


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over queries, each from 0 to 1."""

    recall_at_1: float
    """Share of the queries whose first answer is right."""
    mean_average_precision: float
    map_at_r: float
    ndcg_at_10: float

    @classmethod
    def over(cls, queries: Sequence[Ranks]) -> Self:
        """Average over at least one query."""
        return cls(
            recall_at_1=_mean([hit_at_k(ranks, 1) for ranks in queries]),
            mean_average_precision=_mean([average_precision(ranks) for ranks in queries]),
            map_at_r=_mean([average_precision_at_r(ranks) for ranks in queries]),
            ndcg_at_10=_mean([ndcg_at_k(ranks, 10) for ranks in queries]),
        )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
