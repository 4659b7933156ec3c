"""How well models find the photos that a user put together: ``twinlens-worker evaluate``.

Every photo of a labelled collection is a query against the others. Nothing is kept: no library is
needed, and none is written to.
"""

from twinlens_worker.evaluation.evaluate import Candidate, evaluate, load_candidates
from twinlens_worker.evaluation.labelled import Labelled, read_labelled

__all__ = ["Candidate", "Labelled", "evaluate", "load_candidates", "read_labelled"]
