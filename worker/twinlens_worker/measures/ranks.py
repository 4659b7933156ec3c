"""How well one query is answered: everything follows from the places of its right answers.

Means over queries give the figures of papers: of ``average_precision`` mAP, of
``average_precision_at_r`` mAP@R, of ``hit_at_k`` with k = 1 R@1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Ranks = NDArray[np.int64]
"""(R,), rising: the places, counted from 1, at which the R right answers of a query come."""


def ranks_of_right(right: Scores, wrong: Scores) -> Ranks:
    """Return the places of the right answers among all.

    ``right`` (R,) and ``wrong`` (W,) are the scores of right and wrong answers, in any order. A
    wrong answer with the same score as a right one comes before it.
    """
    best_first = np.sort(right)[::-1]
    above = len(wrong) - np.searchsorted(np.sort(wrong), best_first, side="left")
    return np.arange(1, len(right) + 1) + above


def hit_at_k(ranks: Ranks, k: int) -> float:
    """1 where one of the first ``k`` answers is right, else 0.

    Its mean is what metric learning calls Recall@k (Jégou et al., 2011; Musgrave et al., 2020).
    """
    return float((ranks <= k).any())


def recall_at_k(ranks: Ranks, k: int) -> float:
    """Share of the right answers that are among the first ``k``, information retrieval's recall."""
    return float((ranks <= k).mean()) if len(ranks) else 0.0


def average_precision(ranks: Ranks) -> float:
    """Precision at each right answer, averaged over the right answers; 0 where there are none.

    Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), section 8.4.
    """
    return float((np.arange(1, len(ranks) + 1) / ranks).mean()) if len(ranks) else 0.0


def average_precision_at_r(ranks: Ranks) -> float:
    """Average precision over the first R answers, R being the number of right ones.

    Its mean is mAP@R of Musgrave, Belongie and Lim, A Metric Learning Reality Check (2020), section
    3.2: (1/R) sum over i <= R of the precision at i, counted where answer i is right.
    """
    if not len(ranks):
        return 0.0
    within = ranks[ranks <= len(ranks)]
    return float((np.arange(1, len(within) + 1) / within).sum() / len(ranks))


def ndcg_at_k(ranks: Ranks, k: int) -> float:
    """Discounted gain of the first ``k`` answers over that of the best order; right gains 1.

    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002), with the
    logarithm of base 2 of the place + 1 that has become usual.
    """
    gained = _discounts(ranks[ranks <= k]).sum()
    best = _discounts(np.arange(1, min(k, len(ranks)) + 1)).sum()
    return float(gained / best) if len(ranks) else 0.0


def graded_ndcg(scores: Scores, gains: NDArray[np.float64], k: int | None = None) -> float:
    """NDCG where some answers are better than others; ``k`` None counts all of them.

    ``scores`` (N,) and ``gains`` (N,), none negative, belong to the same answers. The gain counts
    as it is (Järvelin and Kekäläinen, 2002); give 2**grade - 1 for the form of Burges et al.
    (2005). Among equal scores the lesser gain comes first. 0 where nothing is to be gained.
    """
    found = gains[np.lexsort((gains, -scores))][:k]
    best = np.sort(gains)[::-1][:k]
    discounts = _discounts(np.arange(1, len(best) + 1))
    ideal = float((best * discounts).sum())
    return float((found * discounts).sum()) / ideal if ideal > 0 else 0.0


def _discounts(places: Ranks) -> NDArray[np.float64]:
    return np.asarray(1.0 / np.log2(places + 1.0))
