"""How well one threshold for all queries tells right answers from wrong ones.

A descriptor may rank every query's match first and still be of no use for finding duplicates, if
the score that means "copy" for one photo means nothing for another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from twinlens_worker.measures.ranks import Scores

CANDIDATES: Final = 10
"""Answers that count for each query, best first; a wrong one above a right one costs precision. The
Image Similarity Challenge allowed 10 for each query (500,000 for 50,000)."""


class Curve(Protocol):
    """Recall and precision as the threshold falls."""

    @property
    def scores(self) -> NDArray[np.floating]:
        """The thresholds, (M,), falling."""
        ...

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the matches found when all answers down to this one are believed, (M,)."""
        ...

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the believed answers that are right, (M,)."""
        ...


@dataclass(frozen=True)
class Ranking:
    """Answers of many queries in one list, best score first, wrong before right where equal."""

    scores: Scores
    correct: NDArray[np.bool_]
    wanted: int
    """How many right answers there are to be found, in this list or not."""

    @property
    def precision(self) -> NDArray[np.float64]:
        """Precision when everything up to this answer is believed."""
        return np.cumsum(self.correct) / np.arange(1, len(self.correct) + 1)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the matches found up to this answer."""
        return np.cumsum(self.correct) / max(self.wanted, 1)


def pool(scores: Scores, correct: NDArray[np.bool_], wanted: int) -> Ranking:
    """Put answers, ``scores`` (M,) and ``correct`` (M,), into one list."""
    order = np.lexsort((correct, -scores))
    return Ranking(scores[order], correct[order], wanted)


def rank(similarity: Scores, truth: NDArray[np.int64]) -> Ranking:
    """Pool the best ``CANDIDATES`` answers of each query.

    ``similarity`` is (queries, references); ``truth`` (queries,) is the matching reference, -1 for
    none.
    """
    has = truth >= 0
    own = similarity[has, truth[has]]
    wrong = similarity.copy()
    wrong[has, truth[has]] = -np.inf
    kept = min(CANDIDATES, similarity.shape[1])
    scores = np.partition(wrong, -kept, axis=1)[:, -kept:]
    correct = np.zeros(scores.shape, np.bool_)
    # The match is among them where fewer than `kept` wrong answers are as good; the last gives way.
    rows, last = np.flatnonzero(has), scores[has].argmin(axis=1)
    taken = own > scores[rows, last]
    scores[rows[taken], last[taken]] = own[taken]
    correct[rows[taken], last[taken]] = True
    return pool(scores.ravel(), correct.ravel(), len(rows))


def recall_at_1(similarity: Scores, truth: NDArray[np.int64]) -> float:
    """Share of the queries with a match whose match is strictly nearer than all else.

    Takes what ``rank`` takes; 0 where no query has a match.
    """
    has = truth >= 0
    if not has.any():
        return 0.0
    rows, right = similarity[has], truth[has]
    own = np.take_along_axis(rows, right[:, None], axis=1)
    return float(((rows >= own).sum(axis=1) == 1).mean())


def micro_average_precision(ranking: Ranking) -> float:
    """µAP of the Image Similarity Challenge: the average precision of the pooled list.

    Douze et al., The 2021 Image Similarity Dataset and Challenge (2021), section 5. Matches that are
    not in the list count as never found.
    """
    gained = ranking.precision[ranking.correct].sum()
    return float(gained / max(ranking.wanted, 1))


def recall_at_precision(curve: Curve, precision: float) -> float:
    """Return the largest recall at which precision is still at least this; 0 where it never is."""
    good = curve.recall[curve.precision >= precision]
    return float(good.max()) if len(good) else 0.0


def threshold_at_precision(curve: Curve, precision: float) -> float | None:
    """Return the score from which on to believe answers for ``recall_at_precision``.

    None where no right answer can be believed at this precision.
    """
    recall = curve.recall
    good = np.flatnonzero((curve.precision >= precision) & (recall > 0))
    # The first of the greatest recall is the last right answer of its score: no equal one is cut off.
    return float(curve.scores[good[recall[good].argmax()]]) if len(good) else None


def at_threshold(curve: Curve, threshold: float) -> tuple[float, float]:
    """Return (recall, precision) when all answers from this score on are believed."""
    taken = int((curve.scores >= threshold).sum())
    if not taken:
        return 0.0, 1.0
    return float(curve.recall[taken - 1]), float(curve.precision[taken - 1])
