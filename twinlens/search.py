"""Search: the snapshot, and the tail of the log after it.

So no answer is staler than the last commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twinlens import snapshot, tunings, vectors
from twinlens.catalogue import Catalogue
from twinlens.errors import SnapshotError, TuningError
from twinlens.library import Library
from twinlens.models import Model
from twinlens.spaces import Space
from twinlens.vectors import Vector

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
        seq = 0
        try:
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
        self._tail: tuple[int, _Tail] | None = None

    def search(self, query: Vector, k: int) -> list[Hit]:
        """Return the ``k`` contents most likely to be copies of ``query`` of shape (D,), best first.

        The score is that of pairs: see ``Space.scores``.
        """
        return self._nearest(self._space.queries(query), k)

    def alike(self, query: Vector, k: int) -> list[Hit]:
        """Return the ``k`` contents that look most like ``query`` of shape (D,), best first.

        The score is the cosine of the model's own vectors, tuned or not. A tuning weighs a photo by
        how crowded its surroundings are, which tells copies from look-alikes but puts look-alikes
        in a poor order (NDCG@10 .45 against .66 untuned, ``benchmarks.quality``, similar): its index
        is asked for candidates without those weights.
        """
        if self._space.tuning is None:
            return self.search(query, k)
        wanted = max(CANDIDATES * k, LEAST_CANDIDATES) if k > 0 else 0
        hits = self._nearest(self._space.looks(query), wanted)
        return self._by_cosine(query, [hit.content_id for hit in hits])[:k]

    def _by_cosine(self, query: Vector, contents: list[int]) -> list[Hit]:
        """Score contents by the model's raw vectors, best first."""
        unit = vectors.project(query)
        hits: list[Hit] = []
        for start in range(0, len(contents), 500):
            some = contents[start : start + 500]
            rows = self._catalogue.rows(
                "SELECT content_id, vector FROM vectors WHERE model_id = ?"  # noqa: S608
                f" AND content_id IN ({','.join('?' * len(some))})",
                (self._model.id, *some),
            )
            matrix = vectors.stack([row["vector"] for row in rows], self._model.dimension)
            cosines = (vectors.project(matrix) @ unit).tolist()
            hits += map(Hit, [row["content_id"] for row in rows], cosines)
        return _ranked(hits)

    def _nearest(self, asked: Vector, k: int) -> list[Hit]:
        """Return the ``k`` entries of snapshot and tail nearest to a query of the space."""
        if k < 1:
            return []
        tail = self._current_tail()
        hits = self._search_tail(tail, asked, k)
        hits += self._search_snapshot(tail, asked, k)
        return _ranked(hits)[:k]

    def _current_tail(self) -> _Tail:
        """Look for each search whether the worker has committed; read the log anew if so."""
        last = self._last_commit()
        if self._tail is None or self._tail[0] != last:
            self._tail = (last, self._read_tail())
        return self._tail[1]

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

    def _search_tail(self, tail: _Tail, query: Vector, k: int) -> list[Hit]:
        if not tail.ids:
            return []
        scores = self._space.scores(tail.matrix @ query)
        best = np.argsort(-scores, kind="stable")[:k]
        return [Hit(tail.ids[i], float(scores[i])) for i in best]

    def _search_snapshot(self, tail: _Tail, query: Vector, k: int) -> list[Hit]:
        index = self._index
        if index is None or len(index) == 0:
            return []
        # Entries that the tail overrides take places: ask for as many more.
        touched = np.fromiter(tail.touched, dtype=np.uint64, count=len(tail.touched))
        overridden = int(np.count_nonzero(index.contains(touched))) if len(touched) else 0
        wanted = min(len(index), k + overridden)
        matches = index.search(query, wanted, exact=len(index) <= EXACT_BELOW)
        scores = self._space.scores(1 - matches.distances)
        pairs = zip(matches.keys.tolist(), scores.tolist(), strict=True)
        return [Hit(key, score) for key, score in pairs if key not in tail.touched]


def _ranked(hits: list[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.content_id))
