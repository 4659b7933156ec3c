"""The indexer: replays the log into the index, finds pairs, publishes snapshots. There is one.

A content's neighbours are searched when it enters the index, so that ``twinlens duplicates`` is a
query, not a computation. Of any two contents the later one searched while the earlier one was in.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from twinlens import pairs, snapshot, tunings, vectors
from twinlens.catalogue import Catalogue
from twinlens.errors import SnapshotError, TuningError
from twinlens.library import Library
from twinlens.models import Model
from twinlens.settings import Settings
from twinlens.spaces import Space
from twinlens.vectors import Vector
from twinlens_worker import seeking
from twinlens_worker.inner_pairs import Found, Ids, InnerVectors, Scores, add, stacked
from twinlens_worker.reach import Reach, Reaches

if TYPE_CHECKING:
    from usearch.index import Index

log = logging.getLogger("twinlens.worker.indexer")

BATCH = 256
"""Contents replayed at a time."""

NEIGHBOURS = 64
"""Neighbours looked at for each new content."""

EXACT_BELOW = 20_000
"""Contents below which pairs are searched exactly, at most 0.9 ms CPU each; above, the graph."""

CHURN = 0.2
"""Share of removed entries above which the index is built anew: recall falls (faults.md)."""


class Indexer:
    """Keeps the index of one model's serving space. Use under ``library.lock("indexer")``."""

    def __init__(
        self,
        catalogue: Catalogue,
        library: Library,
        settings: Settings,
        model: Model,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Load the current snapshot; build the index anew where it is unusable."""
        self._catalogue = catalogue
        self._settings = settings
        self._clock = clock
        self.model = model
        self.space = self._choose_space()
        self._folder = snapshot.snapshot_folder(library.index, self.space)
        self._removed = 0
        self._published = 0
        self._seq = 0
        self._seeking: Iterator[seeking.Sought] | None = None
        self._inner: InnerVectors | None = None
        self._index = self._load_or_rebuild()
        self._threshold = self._lower_threshold()
        self._reaches = Reaches.by(self.space, self._threshold)

    @property
    def seq(self) -> int:
        """The log is in the index up to and with this number."""
        return self._seq

    @property
    def behind(self) -> int:
        """How many log entries the published snapshot lacks."""
        return self._seq - self._published

    def catch_up(self, limit: int = BATCH) -> int:
        """Replay up to ``limit`` log entries, or seek many pairs; return of how many contents."""
        if count := self._seek_many():
            return count
        rows = self._catalogue.rows(
            "SELECT seq, log.content_id, v.vector, i.vector AS inner FROM log"
            " LEFT JOIN vectors v ON v.content_id = log.content_id AND v.model_id = log.model_id"
            " LEFT JOIN inner_vectors i"
            " ON i.content_id = log.content_id AND i.model_id = log.model_id"
            " WHERE log.model_id = ? AND seq > ? ORDER BY seq LIMIT ?",
            (self.model.id, min(self._seq, self._sought()), limit),
        )
        if not rows:
            return 0
        self._replay(rows)
        self._seq = max(self._seq, rows[-1]["seq"])
        if self._removed > CHURN * max(len(self._index), 1000):
            self._index = self._rebuild()
            self._inner = None  # which goes with the index
        return len(rows)

    @property
    def is_seeking_many(self) -> bool:
        """Whether it is in the midst of work that can be broken off and that may take minutes."""
        return self._seeking is not None

    def _seek_many(self) -> int:
        """Where many contents in the index are without their pairs, seek those of a part of them."""
        if self._seeking is None:
            after = self._sought()
            if not seeking.is_worth_it(self._catalogue, self.space, after=after, until=self._seq):
                return 0
            self._seeking = seeking.seek(
                self._catalogue, self._reaches, most=NEIGHBOURS, after=after, until=self._seq
            )
        part = next(self._seeking, None)
        if part is None:
            self._seeking = None
            return 0
        self._store_pairs(part.contents, part.found, part.until)
        return max(1, len(part.contents))

    def publish(self) -> None:
        """Publish a snapshot if it would hold anything new.

        A full disk is logged; the snapshot before stays current.
        """
        if self._seq == self._published:
            return
        try:
            snapshot.publish(
                self._index, self._folder, self.space, seq=self._seq, removed=self._removed
            )
        except (OSError, SnapshotError) as error:
            log.warning("cannot write the index snapshot, the one before stays: %s", error)
            return
        self._published = self._seq

    def _choose_space(self) -> Space:
        """Return the space that answers; a damaged tuning is given up, and a damaged background."""
        try:
            return tunings.serving(self._catalogue, self.model)
        except TuningError as error:
            log.warning("%s; going on without it", error)
            damaged = tunings.serving_id(self._catalogue, self.model)
            tunings.give_up(self._catalogue, self.model, damaged)
            return self._choose_space()  # the model's own, which may be that of its background

    def _lower_threshold(self) -> float:
        """Return the copy threshold by which pairs are kept: the lowest ever wanted."""
        if pairs.lower_threshold(self._catalogue, self._settings, self.model):
            log.info("the copy threshold is lower than before: looking for copies anew")
        return pairs.lowest_threshold(self._catalogue, self._settings, self.model)

    def _sought(self) -> int:
        """Return the log number up to which pairs were sought."""
        return pairs.sought(self._catalogue, self.model)

    def _load_or_rebuild(self) -> Index:
        try:
            manifest, index = snapshot.open_snapshot(self._folder, self.space, view=False)
        except SnapshotError as error:
            if self._folder.exists():
                log.warning("building the index anew: %s", error)
            return self._rebuild()
        newest = self._catalogue.value("SELECT coalesce(max(seq), 0) FROM log") or 0
        if manifest.seq > newest:
            log.warning("the index is newer than the catalogue (restored?): building it anew")
            return self._rebuild()
        self._seq = self._published = manifest.seq
        self._removed = manifest.removed
        return index

    def _rebuild(self) -> Index:
        """Build the index from the catalogue's vectors up to now."""
        index = snapshot.new_index(self.space)
        with self._catalogue.read_tx():
            self._seq = self._catalogue.value("SELECT coalesce(max(seq), 0) FROM log") or 0
            for ids, blobs in self._stored_vectors():
                raw = vectors.stack(blobs, self.model.dimension)
                index.add(np.array(ids, dtype=np.uint64), self.space.entries(raw))
        self._removed = 0
        self._published = -1  # whatever is on disk is to be replaced
        return index

    def _stored_vectors(self) -> Iterator[tuple[list[int], list[bytes]]]:
        ids: list[int] = []
        blobs: list[bytes] = []
        for row in self._catalogue.iterate(
            "SELECT content_id, vector FROM vectors WHERE model_id = ? ORDER BY id",
            (self.model.id,),
        ):
            ids.append(row["content_id"])
            blobs.append(row["vector"])
            if len(ids) == 4096:
                yield ids, blobs
                ids, blobs = [], []
        if ids:
            yield ids, blobs

    def _replay(self, rows: Sequence[sqlite3.Row]) -> None:
        """Bring the index to what the catalogue says of these contents, then store their pairs."""
        contents = {row["content_id"]: row["vector"] for row in rows}
        live = {key: blob for key, blob in contents.items() if blob is not None}
        raw = vectors.stack(list(live.values()), self.model.dimension)
        for key in contents.keys() - live.keys():
            self._remove(key)
        keys = list(live)
        # A content's vector never changes under one model: what is there may stay.
        new = [position for position, key in enumerate(keys) if key not in self._index]
        if new:
            self._index.add(np.array(keys, dtype=np.uint64)[new], self.space.entries(raw[new]))
        inner = [(row["content_id"], row["inner"]) for row in rows if _has_inner(row)]
        found = self._find_pairs(np.array(keys, np.int64), raw, dict(inner), contents.keys())
        self._store_pairs(keys, found, rows[-1]["seq"])

    def _remove(self, key: int) -> None:
        if key in self._index:
            self._index.remove(key)  # never compact=True: recall .28 against .98 (faults.md)
            self._removed += 1

    def _find_pairs(
        self, keys: Ids, raw: Vector, inner: Mapping[int, bytes], contents: Collection[int]
    ) -> Found:
        """Return the pairs of contents with the vectors ``raw`` (N, D) and those of ``inner``.

        ``contents`` are all that the log names, with vectors or without.
        """
        inner_keys, inner_raw = stacked(list(inner.items()), self.model.dimension)
        known = self._inner_vectors()
        known.replace(contents, inner_keys, inner_raw)
        queries, inner_queries = self.space.queries(raw), self.space.queries(inner_raw)
        reach = self._reaches.inner
        scores = self._ask_index(reach, inner_keys, inner_queries)
        for ids, asked in ((keys, queries), (inner_keys, inner_queries)):
            add(scores, known.near(reach, ids, asked, NEIGHBOURS))
        return Found(self._ask_index(self._reaches.whole, keys, queries), scores)

    def _inner_vectors(self) -> InnerVectors:
        if self._inner is None:
            self._inner = InnerVectors(self.space)
            self._inner.load(self._catalogue, self._index)
        return self._inner

    def _ask_index(self, reach: Reach, keys: Ids, queries: Vector) -> Scores:
        """Return pairs of contents, asked with ``queries`` (N, dimension), and of those in the index."""
        from usearch.index import Matches

        scores: Scores = {}
        if not len(keys):
            return scores
        exact = len(self._index) <= EXACT_BELOW
        count = min(NEIGHBOURS + 1, len(self._index))
        matches = self._index.search(queries, count, exact=exact)
        # USearch answers a batch of one as if it were none.
        each = [matches] if isinstance(matches, Matches) else list(matches)
        for key, query, found in zip(keys.tolist(), queries, each, strict=True):
            products = 1 - found.distances
            near = products >= reach.product
            others, products = found.keys[near], products[near]
            within, reached = reach.of(products, query[-1], self._last_numbers(others))
            ends = zip(others[within].tolist(), reached.tolist(), strict=True)
            add(scores, ((key, other, score) for other, score in ends))
        return scores

    def _last_numbers(self, keys: NDArray[np.uint64]) -> Vector:
        """Return the last numbers of entries of the index; 1 µs each."""
        entries = cast("tuple[Vector, ...]", self._index.get(keys))
        return np.fromiter((entry[-1] for entry in entries), np.float32, len(keys))

    def _store_pairs(self, keys: Collection[int], found: Found, seq: int) -> None:
        if seq <= pairs.sought(self._catalogue, self.model):
            return
        with self._catalogue.write_tx() as tx:
            for (a, b), score in found.kept(keys, self._threshold):
                tx.execute(
                    "INSERT INTO pairs (model_id, a, b, score)"
                    " SELECT ?, ?, ?, ? WHERE EXISTS"
                    " (SELECT 1 FROM contents WHERE id = ? AND NOT flat) AND EXISTS"
                    " (SELECT 1 FROM contents WHERE id = ? AND NOT flat)"
                    # Sought anew from a lower floor, an inner picture may be nearer than the wholes.
                    " ON CONFLICT DO UPDATE SET score = excluded.score"
                    " WHERE excluded.score > score",
                    (self.model.id, a, b, score, a, b),
                )
            pairs.set_sought(tx, self.model, seq)


def _has_inner(row: sqlite3.Row) -> bool:
    """Tell whether a content has an inner vector that counts: not without that of the whole."""
    return row["vector"] is not None and row["inner"] is not None


@contextlib.contextmanager
def open_indexer(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model
) -> Iterator[Indexer]:
    """Hold the indexer's lock and publish what is new at the end.

    Raises AlreadyRunningError where another indexer runs: there is one for each library.
    """
    with library.lock("indexer"):
        indexer = Indexer(catalogue, library, settings, model)
        snapshot.remove_other_spaces(library.index, indexer.space)
        yield indexer
        indexer.publish()
