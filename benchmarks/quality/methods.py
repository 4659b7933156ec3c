"""The rows of the tables: a peer's vectors, and how two of them are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.quality.peers import PICTURES, TURNS, Peer, Vectors
from training import whitening
from twinlens.views import INNER_MARGIN

WHITENED: Final = 256
"""Axes kept by whitening, at most half as many as there are photos to fit it on."""
Similarity = NDArray[np.float32]
Compare = Callable[[Vectors, Vectors], Similarity]
"""From (queries, D) and (references, D) to (queries, references), higher is closer."""


@dataclass(frozen=True, slots=True)
class Method:
    """One row of each table."""

    name: str
    peer: Peer
    """Describes the references, and the queries too where `queries` is None."""
    compare: Compare
    threshold: float | None = None
    """The similarity from which on this method calls two photos copies itself."""
    queries: Peer | None = None
    alike: Compare | None = None
    """How photos are compared where like things are sought; None: as for copies."""

    @property
    def asking(self) -> Peer:
        """Describes the queries."""
        return self.queries or self.peer


def inner(queries: Vectors, references: Vectors) -> Similarity:
    """Compare by inner products."""
    return np.asarray(queries @ references.T, np.float32)


def best_turn(queries: Vectors, references: Vectors, compare: Compare = inner) -> Similarity:
    """Compare each of the query's quarter turns, (queries, 4 x D), and take the best."""
    turns = np.split(queries, TURNS, axis=1)
    return np.asarray(np.maximum.reduce([compare(turn, references) for turn in turns]), np.float32)


def best_picture(queries: Vectors, references: Vectors, compare: Compare = inner) -> Similarity:
    """Compare whole and inner pictures, (queries, 2 x D) and (references, 2 x D), as twinlens does.

    What is alike only with an inner picture counts INNER_MARGIN less.
    """
    asked, held = (np.split(rows, PICTURES, axis=1) for rows in (queries, references))
    through = np.maximum.reduce(
        [compare(asked[one], held[other]) for one, other in ((0, 1), (1, 0), (1, 1))]
    )
    return np.asarray(np.maximum(compare(asked[0], held[0]), through - INNER_MARGIN), np.float32)


def whitened(queries: Vectors, references: Vectors) -> Similarity:
    """Compare after PCA whitening fitted on the references, without labels."""
    axes = min(WHITENED, references.shape[1], len(references) // 2)
    fitted = whitening.fit(torch.from_numpy(references), axes)
    moved = (fitted.apply(torch.from_numpy(rows)).numpy() for rows in (queries, references))
    return inner(*moved)


def plain(peer: Peer) -> Method:
    """Return a peer as it is."""
    return Method(peer.name, peer, inner, peer.threshold)


def with_whitening(peer: Peer) -> Method:
    """Whitening moves all similarities: the peer's own threshold says nothing there."""
    return Method(f"{peer.name}, whitened", peer, whitened)
