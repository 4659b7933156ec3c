"""Search: the snapshot, and the tail of the log after it.

So no answer is staler than the last commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twinlens import parts, snapshot, tunings, vectors
from twinlens.catalogue import Catalogue
from twinlens.errors import SnapshotError, TuningError
from twinlens.library import Library
from twinlens.models import Model
from twinlens.spaces import Space
from twinlens.vectors import Vector
from twinlens.views import INNER_MARGIN

if TYPE_CHECKING:
    from usearch.index import Index

EXACT_BELOW = 120_000
"""Vectors up to which one query is answered exactly: at 100,000 x 256 f16 it takes 10 ms and never
misses, where the graph takes 4 ms (measured, benchmarks/query.py)."""

CANDIDATES = 10
"""Contents compared by cosine for each one that is wanted, where a tuned index is asked what looks
alike: among 200 of 2,485 photos of groceries the 20 nearest by cosine were complete, among 100 all
but 1 in 70."""

LEAST_CANDIDATES = 200


@dataclass(frozen=True, slots=True)
class Hit:
    """A content found, with its score, -1 to 1: see ``Searcher.search`` and ``alike``."""

    content_id: int
    score: float


@dataclass(frozen=True, slots=True)
class _Tail:
    """What the log says happened after the snapshot."""

    touched: frozenset[int]
    """Contents whose entry in the snapshot is out of date."""
    ids: list[int]
    matrix: Vector


@dataclass(frozen=True, slots=True)
class _Inner:
    """The vectors of the pictures within pictures: few, so that all are compared, exactly."""

    ids: list[int]
    raw: Vector
    """(M, D), as the model gives them."""
    entries: Vector
    """(M, dimension), as the space has them."""


class Searcher:
    """Answers queries over one library. Open one for each burst of queries, not for ever."""

    def __init__(self, catalogue: Catalogue, library: Library, model: Model) -> None:
        """Open the current snapshot; where it is unusable, read all vectors instead.

        ``problem`` then says why. The answers are the same, only slower; where it is the library's
        tuning that is damaged, they are those of the model untuned. A tuning that takes this one's
        place later is that of the next searcher.
        """
        self._catalogue = catalogue
        self._model = model
        self._index: Index | None = None
        self.problem: str | None = None
        self._space = Space(model)
        self._looks: Callable[[Vector], Vector] = vectors.project
        seq = 0
        try:
            if (looks := parts.looks(catalogue, model)) is not None:
                self._looks = looks.of
            self._space = tunings.serving(catalogue, model)
            folder = snapshot.snapshot_folder(library.index, self._space)
            manifest, index = snapshot.open_snapshot(folder, self._space, view=True)
            if manifest.seq > self._last_commit():
                raise SnapshotError(
                    f"{folder}: newer than the catalogue, which was restored from a backup."
                    " The worker rebuilds it."
                )
            seq, self._index = manifest.seq, index
        except (SnapshotError, TuningError) as error:
            self.problem = str(error)
        self._seq = seq
        self._read_at: tuple[int, _Tail, _Inner] | None = None

    def search(self, query: Vector, k: int) -> list[Hit]:
        """Return the ``k`` contents most likely to be copies of a photo, best first.

        ``query`` is its vector (D,) or its vectors (V, D), the whole first: see ``twinlens.views``. The
        score is that of pairs: see ``Space.scores``.
        """
        queries = self._space.queries(np.atleast_2d(query))
        wholes = [
            Hit(hit.content_id, score - margin)
            for asked, margin in zip(queries, _margins(queries), strict=True)
            for hit, score in self._scored(self._nearest(asked, k))
        ]
        return _best([*wholes, *self._by_inner(queries, k)], k)

    def alike(self, query: Vector, k: int) -> list[Hit]:
        """Return the ``k`` contents that look most like a photo, best first.

        ``query`` is as for ``search``. The score is the cosine of the model's looks (``twinlens.looks``),
        or of its vectors where it brings none, tuned or not. A tuning weighs a photo by how crowded its
        surroundings are, which tells copies from look-alikes but puts look-alikes in a poor order: its
        index is asked for candidates without those weights.
        """
        raw = np.atleast_2d(query)
        wanted = max(CANDIDATES * k, LEAST_CANDIDATES) if k > 0 else 0
        hits = [hit for asked in self._space.looks(raw) for hit in self._nearest(asked, wanted)]
        wholes = self._by_looks(raw, list({hit.content_id: None for hit in hits}))
        return _best([*wholes, *self._inner_by_looks(raw, k)], k)

    def score(self, query: Vector, other: Vector) -> float:
        """Return how alike two photos are, as ``alike`` has it; of each its vectors (V, D), the whole first."""
        cosines = self._looks(query) @ self._looks(other).T - np.float32(INNER_MARGIN)
        cosines[0, 0] += np.float32(INNER_MARGIN)
        return float(cosines.max())

    def _scored(self, nearest: list[Hit]) -> Iterator[tuple[Hit, float]]:
        """Yield hits of ``_nearest`` with their scores."""
        products = np.array([hit.score for hit in nearest], np.float32)
        return zip(nearest, self._space.scores(products).tolist(), strict=True)

    def _by_inner(self, queries: Vector, k: int) -> list[Hit]:
        """Return the nearest inner pictures to queries (V, dimension), the margin taken."""
        _, inner = self._current()
        if k < 1 or not inner.ids:
            return []
        products = (inner.entries @ queries.T).max(axis=1)
        return _best_of(inner.ids, self._space.scores(products) - np.float32(INNER_MARGIN), k)

    def _inner_by_looks(self, raw: Vector, k: int) -> list[Hit]:
        _, inner = self._current()
        if k < 1 or not inner.ids:
            return []
        cosines = (self._looks(inner.raw) @ self._looks(raw).T).max(axis=1)
        return _best_of(inner.ids, cosines - np.float32(INNER_MARGIN), k)

    def _by_looks(self, raw: Vector, contents: list[int]) -> list[Hit]:
        """Score the wholes of contents by looks like raw vectors (V, D), the margin taken where due."""
        units, margins = self._looks(raw).T, _margins(raw)
        hits: list[Hit] = []
        for start in range(0, len(contents), 500):
            some = contents[start : start + 500]
            rows = self._catalogue.rows(
                "SELECT content_id, vector FROM vectors WHERE model_id = ?"  # noqa: S608
                f" AND content_id IN ({','.join('?' * len(some))})",
                (self._model.id, *some),
            )
            matrix = vectors.stack([row["vector"] for row in rows], self._model.dimension)
            cosines = (self._looks(matrix) @ units - margins).max(axis=1).tolist()
            hits += map(Hit, [row["content_id"] for row in rows], cosines)
        return hits

    def _nearest(self, asked: Vector, k: int) -> list[Hit]:
        """Return the ``k`` entries of snapshot and tail nearest to a query of the space.

        In place of a score each has its inner product with the query: of looks there is no score.
        """
        if k < 1:
            return []
        tail, _ = self._current()
        hits = self._search_tail(tail, asked, k)
        hits += self._search_snapshot(tail, asked, k)
        return _ranked(hits)[:k]

    def _current(self) -> tuple[_Tail, _Inner]:
        """Look for each search whether the worker has committed; read the log anew if so."""
        last = self._last_commit()
        if self._read_at is None or self._read_at[0] != last:
            self._read_at = (last, self._read_tail(), self._read_inner())
        return self._read_at[1:]

    def _last_commit(self) -> int:
        return int(self._catalogue.value("SELECT coalesce(max(seq), 0) FROM log"))

    def _read_tail(self) -> _Tail:
        rows = self._catalogue.rows(
            "SELECT DISTINCT log.content_id, vector FROM log LEFT JOIN vectors"
            " ON vectors.content_id = log.content_id AND vectors.model_id = log.model_id"
            " WHERE seq > ? AND log.model_id = ?",
            (self._seq, self._model.id),
        )
        live = [(row["content_id"], row["vector"]) for row in rows if row["vector"] is not None]
        matrix = vectors.stack([blob for _, blob in live], self._model.dimension)
        return _Tail(
            touched=frozenset(row["content_id"] for row in rows),
            ids=[content_id for content_id, _ in live],
            matrix=self._space.entries(matrix),
        )

    def _read_inner(self) -> _Inner:
        rows = self._catalogue.rows(
            "SELECT content_id, vector FROM inner_vectors WHERE model_id = ?", (self._model.id,)
        )
        raw = vectors.stack([row["vector"] for row in rows], self._model.dimension)
        entries = self._space.entries(raw) if rows else raw
        return _Inner([row["content_id"] for row in rows], raw, entries)

    def _search_tail(self, tail: _Tail, query: Vector, k: int) -> list[Hit]:
        if not tail.ids:
            return []
        return _best_of(tail.ids, tail.matrix @ query, k)

    def _search_snapshot(self, tail: _Tail, query: Vector, k: int) -> list[Hit]:
        index = self._index
        if index is None or len(index) == 0:
            return []
        # Entries that the tail overrides take places: ask for as many more.
        touched = np.fromiter(tail.touched, dtype=np.uint64, count=len(tail.touched))
        overridden = int(np.count_nonzero(index.contains(touched))) if len(touched) else 0
        wanted = min(len(index), k + overridden)
        matches = index.search(query, wanted, exact=len(index) <= EXACT_BELOW)
        pairs = zip(matches.keys.tolist(), (1 - matches.distances).tolist(), strict=True)
        return [Hit(key, product) for key, product in pairs if key not in tail.touched]


def _margins(queries: Vector) -> list[float]:
    """Return what the scores of queries (V, ...) with wholes are less: nothing for the whole itself."""
    return [0.0, *[INNER_MARGIN] * (len(queries) - 1)]


def _best_of(ids: list[int], scores: Vector, k: int) -> list[Hit]:
    best = np.argsort(-scores, kind="stable")[:k]
    return [Hit(ids[i], float(scores[i])) for i in best]


def _best(hits: list[Hit], k: int) -> list[Hit]:
    """Return the ``k`` best contents, each with its best score."""
    found: dict[int, Hit] = {}
    for hit in _ranked(hits):
        found.setdefault(hit.content_id, hit)
    return list(found.values())[: max(k, 0)]


def _ranked(hits: list[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.content_id))
