"""Similarities of photos some of which hold another picture: see ``twinlens.views``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinlens.views import INNER_MARGIN
from twinlens_worker.measures.ranks import Scores


@dataclass(frozen=True, slots=True)
class Inner:
    """The pictures within photos."""

    photos: NDArray[np.int64]
    """(M,): which photos hold one, ascending."""
    vectors: Scores
    """(M, D), unit length."""

    def lift(self, similarity: Scores, vectors: Scores, start: int) -> None:
        """Lift the similarities (n, N) of the photos from ``start`` on with all, where due.

        ``vectors`` (N, D) are those of the wholes.
        """
        end = start + len(similarity)
        mine = slice(*np.searchsorted(self.photos, (start, end)))
        rows = self.photos[mine] - start
        asked = self.vectors[mine]
        by_mine = np.maximum(similarity[rows], asked @ vectors.T - INNER_MARGIN)
        by_mine[:, self.photos] = np.maximum(
            by_mine[:, self.photos], asked @ self.vectors.T - INNER_MARGIN
        )
        similarity[rows] = by_mine
        by_theirs = vectors[start:end] @ self.vectors.T - INNER_MARGIN
        similarity[:, self.photos] = np.maximum(similarity[:, self.photos], by_theirs)
