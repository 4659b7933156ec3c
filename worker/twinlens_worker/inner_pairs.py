"""Pairs by the picture within a picture: a content's two vectors against those of all others.

Few contents have an inner vector (2 to 12 in a hundred), so all of them are kept at hand and compared
exactly. Of two contents that the log names one after the other, the later one brings about: its whole
with the earlier one's inner picture; its inner picture with the earlier one's whole, by the index; the
two inner pictures. See ``twinlens.views`` for what the score is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinlens import pairs, vectors
from twinlens.catalogue import Catalogue
from twinlens.models import Model
from twinlens.spaces import Space
from twinlens.vectors import Vector
from twinlens_worker.reach import Reach

if TYPE_CHECKING:
    from usearch.index import Index

Ids = NDArray[np.int64]
Entries = NDArray[np.floating[Any]]
Scores = dict[tuple[int, int], float]
"""Scores of contents ``(a, b)`` with a < b; see ``Space.scores``."""
Nearest = Iterator[tuple[int, int, float]]
"""Two contents, in either order, and their score; a content and itself too."""

CHUNK = 8192
"""Entries compared at a time: 33 MB of products with the contents of a tile of ``all_pairs``."""


class Found(NamedTuple):
    """Pairs of contents, and their scores."""

    whole: Scores
    """By their wholes alone."""
    inner: Scores
    """By the inner picture of one or both."""

    def kept(self, new: Iterable[int], threshold: float) -> list[tuple[tuple[int, int], float]]:
        """Return the pairs that are worth to be compared, each with its best score.

        What the wholes alone would keep is kept, whatever inner pictures add. ``new`` are the contents
        whose neighbours these are.
        """
        owners = frozenset(new)
        chosen = dict(pairs.worth_verifying(self.whole, owners, threshold))
        added = {pair: score for pair, score in self.inner.items() if pair not in chosen}
        few = pairs.LOOSE_INNER_NEIGHBOURS
        chosen.update(pairs.worth_verifying(added, owners, threshold, few))
        return [(pair, max(score, self.inner.get(pair, score))) for pair, score in chosen.items()]


class InnerVectors:
    """The inner vectors of all contents, in a space; they follow the log."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._ids = np.empty(0, np.int64)
        self._entries = np.empty((0, space.dimension), np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def load(self, catalogue: Catalogue, index: Index) -> None:
        """Read those of the contents that the index has.

        Of contents that wait in the log the wholes cannot be met yet: a pair would get its first score
        by the inner picture alone, and keep that.
        """
        ids, raw = read_inner(catalogue, self._space.model)
        there = np.array([one in index for one in ids.tolist()], bool)
        self._ids, self._entries = ids[there], self._space.entries(raw[there])

    def replace(self, contents: Iterable[int], ids: Ids, raw: Vector) -> None:
        """Take ``raw`` (N, D) as the inner vectors of ``ids``; of other ``contents`` there are none."""
        stay = ~np.isin(self._ids, np.fromiter(contents, np.int64))
        if stay.all() and not len(ids):  # as mostly: 20 MB are not copied for each batch
            return
        self._ids = np.concatenate([self._ids[stay], ids])
        self._entries = np.concatenate([self._entries[stay], self._space.entries(raw)])

    def near(self, reach: Reach, ids: Ids, queries: Vector, most: int) -> Nearest:
        """Yield the pairs of contents, asked with ``queries`` (N, dimension), by these vectors."""
        return nearest(reach, ids, queries, self._ids, self._entries, most)


def read_inner(catalogue: Catalogue, model: Model) -> tuple[Ids, Vector]:
    """Return the contents that have an inner vector, and these, raw, (N, D)."""
    rows = catalogue.rows(
        "SELECT content_id, vector FROM inner_vectors WHERE model_id = ? ORDER BY content_id",
        (model.id,),
    )
    return stacked(rows, model.dimension)


def stacked(rows: Sequence[Any], dimension: int) -> tuple[Ids, Vector]:
    """Return contents and raw vectors (N, D) of rows ``(content_id, vector)``."""
    ids = np.array([row[0] for row in rows], np.int64)
    return ids, vectors.stack([row[1] for row in rows], dimension)


def nearest(
    reach: Reach, asked: Ids, queries: Vector, ids: Ids, entries: Entries, most: int
) -> Nearest:
    """Yield pairs of contents by queries (N, dimension) and entries (M, dimension), the margin taken.

    Of each content that is asked about those within reach among the ``most`` nearest.
    """
    if len(asked) == 0:
        return
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        held = entries[start : start + CHUNK].astype(np.float32, copy=False)
        products = queries @ held.T
        rows, places = _best(products, reach.product, most)
        within, scores = reach.of(products[rows, places], queries[rows, -1], held[places, -1])
        ends = asked[rows[within]].tolist(), part[places[within]].tolist()
        yield from zip(*ends, scores.tolist(), strict=True)


def add(scores: Scores, found: Iterable[tuple[int, int, float]]) -> None:
    """Add what was found of two contents each; of two scores of a pair the better stays."""
    for one, other, score in found:
        if one != other:
            pair = min(one, other), max(one, other)
            scores[pair] = max(score, scores.get(pair, score))


def _best(products: Vector, least: float, most: int) -> tuple[Ids, Ids]:
    """Return rows and columns of the greatest products of each row, ``most`` and one more at most.

    One more: a content's own inner picture is no pair of it.
    """
    near = products >= least
    crowded = np.flatnonzero(np.count_nonzero(near, axis=1) > most + 1)
    if len(crowded):  # thousands of screenshots that look the same
        greatest = np.argpartition(products[crowded], -(most + 1), axis=1)[:, -(most + 1) :]
        near[crowded] = False
        near[crowded[:, None], greatest] = True
    rows, columns = np.nonzero(near)
    return rows, columns
