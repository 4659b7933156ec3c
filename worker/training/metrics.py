"""How well copies are found, from the similarities of queries to references."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CANDIDATES: Final = 10
"""Answers that count for each query, best first; a wrong one above a right one costs precision."""
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Ranking:
    """The answers of all queries in one list, best score first."""

    scores: Scores
    correct: NDArray[np.bool_]
    wanted: int
    """How many queries have a match at all."""

    @property
    def precision(self) -> NDArray[np.float64]:
        """Precision when everything up to this answer is believed."""
        return np.cumsum(self.correct) / np.arange(1, len(self.correct) + 1)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the matches found up to this answer."""
        return np.cumsum(self.correct) / max(self.wanted, 1)


def rank(similarity: Scores, truth: NDArray[np.int64]) -> Ranking:
    """Pool the best answers of all queries.

    `similarity` is (queries, references), higher is closer; `truth` (queries,) is the matching
    reference, -1 for none.
    """
    kept = min(CANDIDATES, similarity.shape[1])
    best = np.argpartition(-similarity, kept - 1, axis=1)[:, :kept]
    scores = np.take_along_axis(similarity, best, axis=1).ravel()
    correct = (best == truth[:, None]).ravel()
    # Among equal scores the wrong answer goes first: hashes tie often, and must not gain by it.
    order = np.lexsort((correct, -scores))
    return Ranking(scores[order], correct[order], int((truth >= 0).sum()))


def recall_at_1(similarity: Scores, truth: NDArray[np.int64]) -> float:
    """Share of the queries with a match whose match is strictly nearer than all else."""
    has = truth >= 0
    rows, right = similarity[has], truth[has]
    own = np.take_along_axis(rows, right[:, None], axis=1)
    return float(((rows >= own).sum(axis=1) == 1).mean())


def micro_average_precision(ranking: Ranking) -> float:
    """µAP of the Image Similarity Challenge (Douze et al., 2021): the pooled list's AP."""
    gained = ranking.precision[ranking.correct].sum()
    return float(gained / max(ranking.wanted, 1))


def recall_at_precision(ranking: Ranking, precision: float) -> float:
    """The largest recall at which precision is still at least this."""
    good = ranking.recall[ranking.precision >= precision]
    return float(good.max()) if len(good) else 0.0


def at_threshold(ranking: Ranking, threshold: float) -> tuple[float, float]:
    """Return (recall, precision) when all answers from this score on are believed."""
    taken = int((ranking.scores >= threshold).sum())
    if not taken:
        return 0.0, 1.0
    return float(ranking.recall[taken - 1]), float(ranking.precision[taken - 1])
