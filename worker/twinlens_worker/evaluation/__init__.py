"""How well models find the photos that a user put together: ``twinlens-worker evaluate``.

Every photo of a labelled collection is a query against the others. Nothing is kept: no library is
needed, and none is written to.
"""

from twinlens_worker.evaluation.evaluate import Named, evaluate
from twinlens_worker.evaluation.labelled import Labelled, read_labelled

__all__ = ["Labelled", "Named", "evaluate", "read_labelled"]
