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
from twinlens import tuning
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


def with_turns(peer: Peer, turns: Peer) -> Method:
    """Return a peer searched with the query's quarter turns."""
    return Method(f"{peer.name}, with turns", peer, best_turn, peer.threshold, turns)


def with_inner(both: Peer) -> Method:
    """Return a peer that describes inner pictures too."""
    return Method(both.name, both, best_picture, both.threshold)


@dataclass(frozen=True, slots=True)
class Tuned:
    """Compare as a library that `twinlens model tune` was run on: fitted on the references alone."""

    threshold: float
    views: Callable[[Vectors, Vectors, Compare], Similarity] | None = None
    """How several vectors of a photo are compared: `best_turn`, `best_picture`."""

    def __call__(self, queries: Vectors, references: Vectors) -> Similarity:
        """Return tuned scores."""
        pictures = PICTURES if self.views is best_picture else 1
        fitted = tuning.fit(np.split(references, pictures, axis=1)[0], self.threshold)

        def compare(asked: Vectors, held: Vectors) -> Similarity:
            return np.asarray(1 + fitted.queries(asked) @ fitted.entries(held).T, np.float32)

        return (
            self.views(queries, references, compare) if self.views else compare(queries, references)
        )


def with_tuning(peer: Peer) -> Method:
    """Return a peer tuned on the library: the threshold keeps its number."""
    return Method(f"{peer.name}, tuned", peer, Tuned(_threshold(peer)), peer.threshold)


def with_tuning_and_turns(peer: Peer, turns: Peer) -> Method:
    """Return both."""
    compare = Tuned(_threshold(peer), best_turn)
    return Method(f"{peer.name}, tuned and with turns", peer, compare, peer.threshold, turns)


def with_tuning_and_inner(both: Peer) -> Method:
    """Return a peer that describes inner pictures too, tuned on the library."""
    compare = Tuned(_threshold(both), best_picture)
    return Method(f"{both.name}, tuned", both, compare, both.threshold)


def _threshold(peer: Peer) -> float:
    assert peer.threshold is not None
    return peer.threshold
