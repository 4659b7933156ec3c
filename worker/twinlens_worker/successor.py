"""The successor: a space that is to answer next, made while the one before goes on answering.

1. All vectors are read and brought into the new space, and their pairs are sought; a part at a time,
   so that new photos go on being indexed in the old space meanwhile.
2. The log that came meanwhile is replayed.
3. The index is published, and in one transaction the new pairs take the place of the old ones and
   the new space that of the old. Killed before, all is as it was; the next worker begins again.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterator

import numpy as np
from usearch.index import Index

from twinlens import pairs, snapshot, tunings, vectors
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.settings import Settings
from twinlens.spaces import Space
from twinlens_worker.indexer import NEIGHBOURS, Indexer
from twinlens_worker.inner_pairs import Found, read_inner
from twinlens_worker.seeking import stocked

log = logging.getLogger("twinlens.worker.indexer")

PART = 2048
"""Vectors indexed at a time: a fraction of a second, for which new photos wait."""


class Successor(Indexer):
    """Makes the index and the pairs of a space that does not answer yet."""

    def __init__(
        self, catalogue: Catalogue, library: Library, settings: Settings, space: Space
    ) -> None:
        self._wanted = space
        self._done_until = 0
        super().__init__(catalogue, library, settings, space.model)
        self._work: Iterator[bool] | None = self._make()

    def step(self) -> bool:
        """Do a part of the work; return whether something was left to do."""
        if self._work is not None:
            if next(self._work, None) is None:
                self._work = None
            return True
        return self.catch_up() > 0

    def take_over(self) -> bool:
        """Let the space answer; return False where the log has gone on or the disk is full.

        The snapshot may lack what came since it was written: searches read that from the log.
        """
        if self._published < 0:
            self.publish()
        if self._published < 0:
            return False
        with self._catalogue.write_tx() as tx:
            if self._log_has_gone_on(tx):
                return False
            self._replace_pairs(tx)
            tunings.set_serving(tx, self.space)
        log.info("%s", _as_words(self.space))
        return True

    def _choose_space(self) -> Space:
        return self._wanted

    def _lower_threshold(self) -> float:
        return pairs.lowest_threshold(self._catalogue, self._settings, self.model)

    def _sought(self) -> int:
        return self._done_until

    def _load_or_rebuild(self) -> Index:
        """Begin with nothing: ``step`` fills it."""
        self._published = -1
        return snapshot.new_index(self.space)

    def _make(self) -> Iterator[bool]:
        with self._catalogue.write_tx() as tx:
            tx.execute("DELETE FROM pairs_next WHERE model_id = ?", (self.model.id,))
        with self._catalogue.read_tx():
            last = self._catalogue.value("SELECT coalesce(max(seq), 0) FROM log") or 0
            stored = list(self._stored_vectors())
            inner = read_inner(self._catalogue, self.model)
        yield True
        ids = np.array([key for some, _ in stored for key in some], dtype=np.int64)
        blobs = [blob for _, some in stored for blob in some]
        shape = (len(ids), self.space.dimension)
        entries, queries = np.empty(shape, np.float16), np.empty(shape, np.float16)
        for start in range(0, len(ids), PART):
            part = slice(start, start + PART)
            raw = vectors.stack(blobs[part], self.model.dimension)
            entries[part], queries[part] = self.space.entries(raw), self.space.queries(raw)
            self._index.add(ids[part].astype(np.uint64), entries[part])
            yield True
        asked = queries if self.space.tuning else None
        stock = stocked(self.space, ids, entries, asked, inner)
        for first, end, found in stock.find(self._reaches, most=NEIGHBOURS):
            self._insert(found, ids[first:end].tolist())
            yield True
        self._seq = self._done_until = last

    def _store_pairs(self, keys: Collection[int], found: Found, seq: int) -> None:
        """Keep pairs aside; they are compared, and said to be copies, once this space answers."""
        self._insert(found, keys)
        self._done_until = seq

    def _insert(self, found: Found, new: Collection[int]) -> None:
        kept = found.kept(new, self._threshold)
        with self._catalogue.write_tx() as tx:
            tx.executemany(
                "INSERT INTO pairs_next (model_id, a, b, score) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                ((self.model.id, a, b, score) for (a, b), score in kept),
            )

    def _log_has_gone_on(self, tx: sqlite3.Connection) -> bool:
        last = tx.execute(
            "SELECT seq FROM log WHERE model_id = ? ORDER BY seq DESC LIMIT 1", (self.model.id,)
        ).fetchone()
        return last is not None and last[0] > self._seq

    def _replace_pairs(self, tx: sqlite3.Connection) -> None:
        """Put the new pairs in the place of the old; of contents that were forgotten there are none."""
        tx.execute("DELETE FROM pairs WHERE model_id = ?", (self.model.id,))
        tx.execute(
            "INSERT INTO pairs (model_id, a, b, score)"
            " SELECT model_id, a, b, score FROM pairs_next"
            " JOIN contents one ON one.id = a AND NOT one.flat"
            " JOIN contents two ON two.id = b AND NOT two.flat WHERE model_id = ?",
            (self.model.id,),
        )
        tx.execute("DELETE FROM pairs_next WHERE model_id = ?", (self.model.id,))
        pairs.set_sought(tx, self.model, self._seq)
        pairs.set_kept_threshold(tx, self.model, self._threshold)


def _as_words(space: Space) -> str:
    if space.tuning is None or space.tuning_id == tunings.OFF:  # a background is of other photos
        return f"model {space.model.name} answers untuned from now on"
    return f"model {space.model.name} answers tuned on {space.tuning.photos:,} photos from now on"
