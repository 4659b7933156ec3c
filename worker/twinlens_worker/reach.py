"""Reach: how near two contents have to be to each other to be kept as a pair, in one space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinlens import pairs
from twinlens.spaces import Space
from twinlens.vectors import Vector
from twinlens.views import INNER_MARGIN


@dataclass(frozen=True, slots=True)
class Reach:
    """From where on pairs are kept: see ``pairs.LOOSE``."""

    space: Space
    floor: float
    """Least score, and below the threshold least cosine."""
    threshold: float
    margin: float = 0.0
    """What scores and cosines count less; see ``twinlens.views``."""

    @property
    def product(self) -> float:
        """The least inner product of query and entry that can be within reach."""
        return self.space.product(self.floor + self.margin)

    def of(
        self, products: NDArray[Any], asked: NDArray[Any], held: NDArray[Any]
    ) -> tuple[NDArray[np.bool_], Vector]:
        """Tell which inner products (N,) are within reach; return the scores of those, the margin taken.

        ``asked`` and ``held`` are the last numbers of their queries and entries.
        """
        margin = np.float32(self.margin)
        scores = self.space.scores(products) - margin
        cosines = self.space.cosines(products, asked, held) - margin
        near = (cosines >= self.floor) | (scores >= self.threshold)
        within = near & (scores >= self.floor)
        return within, scores[within]


class Reaches(NamedTuple):
    """Within which contents are sought."""

    whole: Reach
    """Of pairs by the wholes alone."""
    inner: Reach
    """Of pairs by the inner picture of one or both."""

    @classmethod
    def by(cls, space: Space, threshold: float) -> Reaches:
        """Return the reaches of a copy threshold, the model's own or another."""
        model = space.model
        return cls(
            Reach(space, pairs.floor(model, threshold), threshold),
            Reach(space, pairs.inner_floor(model, threshold), threshold, INNER_MARGIN),
        )
