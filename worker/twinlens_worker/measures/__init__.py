"""The field's measures of how well photos are found, in numpy.

* ``ranks``: for one query, from the places at which its right answers come: R@k, average precision,
  mAP@R, NDCG.
* ``pooled``: for the answers of all queries in one list, as one threshold for all sees them: µAP,
  recall at a precision, what a threshold gives.
* ``collection``: every photo of a labelled collection as a query against the others.

Scores are similarities: higher is closer. **Ties are broken against the descriptor**: among equal
scores, wrong answers come first, so that a hash which calls everything equal finds nothing. No
score may be NaN: whoever embeds refuses such vectors (``BadVectorError``).
"""

from twinlens_worker.measures.collection import Asked, PairCounts, Quality, ask_all
from twinlens_worker.measures.inner import Inner
from twinlens_worker.measures.pooled import (
    CANDIDATES,
    Curve,
    Ranking,
    at_threshold,
    micro_average_precision,
    pool,
    rank,
    recall_at_1,
    recall_at_precision,
    threshold_at_precision,
)
from twinlens_worker.measures.ranks import (
    Ranks,
    average_precision,
    average_precision_at_r,
    graded_ndcg,
    hit_at_k,
    ndcg_at_k,
    ranks_of_right,
    recall_at_k,
)

__all__ = [
    "CANDIDATES",
    "Asked",
    "Curve",
    "Inner",
    "PairCounts",
    "Quality",
    "Ranking",
    "Ranks",
    "ask_all",
    "at_threshold",
    "average_precision",
    "average_precision_at_r",
    "graded_ndcg",
    "hit_at_k",
    "micro_average_precision",
    "ndcg_at_k",
    "pool",
    "rank",
    "ranks_of_right",
    "recall_at_1",
    "recall_at_k",
    "recall_at_precision",
    "threshold_at_precision",
]
