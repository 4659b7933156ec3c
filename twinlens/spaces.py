"""Spaces: in which numbers the photos of a library are compared.

A space is a model and, where the library was tuned, the tuning fitted to it. The catalogue keeps the
model's raw vectors; they are brought into a space on the way into an index and to a question. Scores
of two spaces never mix: an index and the pairs belong to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinlens.models import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinlens.tuning import Tuning
    from twinlens.vectors import Vector


@dataclass(frozen=True, slots=True)
class Space:
    """A model's vectors, tuned or as they are."""

    model: Model
    tuning: Tuning | None = None
    tuning_id: int = 0
    """Number of the tuning in the catalogue; 0 for none."""

    @property
    def dimension(self) -> int:
        """Numbers in an entry of the index."""
        return self.tuning.dimension if self.tuning else self.model.dimension

    @property
    def metric(self) -> str:
        """USearch's name for the distance; it is 1 - the inner product of query and entry."""
        return "ip" if self.tuning else "cos"

    @property
    def mark(self) -> str:
        """Digest of the tuning; empty for none."""
        return self.tuning.digest if self.tuning else ""

    def entries(self, raw: Vector) -> Vector:
        """Return what the index holds for raw vectors (..., D)."""
        return self.tuning.entries(raw) if self.tuning else _unit(raw)

    def queries(self, raw: Vector) -> Vector:
        """Return what the index is asked with for raw vectors (..., D)."""
        return self.tuning.queries(raw) if self.tuning else _unit(raw)

    def looks(self, raw: Vector) -> Vector:
        """Return what the index is asked with for what looks alike, whatever surrounds it.

        Without the number that the entries' scales multiply, products are the cosine of whitened
        vectors times the entry's scale.
        """
        asked = self.queries(raw)
        if self.tuning:
            asked[..., -1] = 0
        return asked

    def scores(self, products: NDArray[Any]) -> Vector:
        """Return the scores, -1 to 1, of inner products of queries and entries.

        Untuned, that is the cosine similarity. Tuned, 1 is the same picture as well, and the model's
        threshold of copies keeps its number: see ``twinlens.tuning``.
        """
        if self.tuning:
            return self.tuning.scores(-products, self.model.copy_threshold)
        import numpy as np

        return np.asarray(np.minimum(products, 1), np.float32)

    def cosines(self, products: NDArray[Any], asked: NDArray[Any], held: NDArray[Any]) -> Vector:
        """Return the cosine similarities, whatever the scales, of inner products of queries and entries.

        ``asked`` and ``held`` are the last numbers of the queries and of the entries: tuned, these are
        [g x, -g] and [h y, h] of unit vectors x and y, and the product is -g h (1 - x.y).
        """
        import numpy as np

        return np.asarray(1 - products / (asked * held) if self.tuning else products, np.float32)

    def product(self, score: float) -> float:
        """Return the inner product that has this score."""
        if self.tuning:
            return -self.tuning.distance(score, self.model.copy_threshold)
        return score


def _unit(raw: Vector) -> Vector:
    from twinlens import vectors  # numpy: not to be loaded by who asks for a space alone

    return vectors.project(raw)
