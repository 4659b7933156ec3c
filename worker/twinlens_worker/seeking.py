"""Seeking the pairs of many contents at once.

That is wanted where the index holds them but their pairs are not known: the threshold was lowered, or
the index was built anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twinlens import vectors
from twinlens.catalogue import Catalogue
from twinlens.spaces import Space
from twinlens.vectors import Vector
from twinlens_worker.all_pairs import Near, Vectors, all_pairs
from twinlens_worker.inner_pairs import Found, Ids, Scores, add, nearest, read_inner
from twinlens_worker.reach import Reach, Reaches

MANY = 5_000
"""Contents from which all are compared with all at once. To compare one content with 100,000 others
that way takes 0.3 ms, to ask the graph 1.1 ms; but all vectors have to be read first."""

_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Sought:
    """All pairs of the contents of one stretch of the log with each other and with earlier ones."""

    until: int
    """The stretch ends with this number of the log."""
    contents: frozenset[int]
    found: Found


@dataclass(frozen=True, slots=True)
class Stock:
    """Contents that are compared each with each, as they are in a space of D numbers."""

    ids: Ids
    """(N,)."""
    entries: Vectors
    """(N, D)."""
    queries: Vectors | None
    """(N, D); None: the entries."""
    inner: Ids
    """(M,), ascending: which of them have an inner vector."""
    inner_entries: Vector
    """(M, D)."""
    inner_queries: Vector
    """(M, D)."""

    @property
    def asked(self) -> Vectors:
        """What the contents are asked about with (N, D)."""
        return self.entries if self.queries is None else self.queries

    def find(
        self, reaches: Reaches, *, most: int, start: int = 0
    ) -> Iterator[tuple[int, int, Found]]:
        """Yield ``(first, end, found)``: the pairs of a stretch with each other and with earlier ones.

        From ``start`` on, of each those within reach among the ``most`` nearest earlier ones.
        """
        first = start
        for end, near in all_pairs(
            self.entries, reaches.whole.product, most=most, queries=self.queries, start=start
        ):
            if end > first:
                whole = self._by_whole(reaches.whole, near)
                yield first, end, Found(whole, self._by_inner(reaches.inner, most, first, end))
                first = end

    def _by_whole(self, reach: Reach, near: Near) -> Scores:
        """Return found pairs of rows as pairs of contents."""
        asked, held = (
            side[rows, -1].astype(np.float32)
            for side, rows in ((self.asked, near.rows), (self.entries, near.others))
        )
        within, reached = reach.of(near.scores, asked, held)
        ends = self.ids[near.rows[within]].tolist(), self.ids[near.others[within]].tolist()
        scores: Scores = {}
        add(scores, zip(*ends, reached.tolist(), strict=True))
        return scores

    def _by_inner(self, reach: Reach, most: int, first: int, end: int) -> Scores:
        """Return the pairs of a stretch by the inner pictures of one or both."""
        begin, stop = np.searchsorted(self.inner, (first, end))
        owners = self.ids[self.inner[:stop]]
        mine, queries = owners[begin:], self.inner_queries[begin:stop]
        scores: Scores = {}
        for ids, of_these, others, entries in (
            (self.ids[first:end], self.asked[first:end], owners, self.inner_entries[:stop]),
            (mine, queries, owners, self.inner_entries[:stop]),
            (mine, queries, self.ids[:end], self.entries[:end]),
        ):
            wide = of_these.astype(np.float32, copy=False)
            add(scores, nearest(reach, ids, wide, others, entries, most))
        return scores


def is_worth_it(catalogue: Catalogue, space: Space, *, after: int, until: int) -> bool:
    """Tell whether so many contents of the log between two numbers are without their pairs."""
    if until - after < MANY:
        return False
    entry = catalogue.row(
        "SELECT 1 FROM log WHERE model_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT 1 OFFSET ?",
        (space.model.id, after, until, MANY - 1),
    )
    return entry is not None


def seek(
    catalogue: Catalogue, reaches: Reaches, *, most: int, after: int, until: int
) -> Iterator[Sought]:
    """Yield the pairs of the contents that the log names after one number and up to another.

    Of each content those within reach among the ``most`` nearest that came before it. In order of the
    log, so that what was stored stands when the work is broken off. Flat pictures have no pairs.
    """
    seqs, stock = _read(catalogue, reaches.whole.space, until)
    start = int(np.searchsorted(seqs, after, side="right"))
    for first, end, found in stock.find(reaches, most=most, start=start):
        yield Sought(int(seqs[end - 1]), frozenset(stock.ids[first:end].tolist()), found)
    yield Sought(until, frozenset(), Found({}, {}))


def _read(catalogue: Catalogue, space: Space, until: int) -> tuple[Ids, Stock]:
    """Return numbers of the log and the contents that they name, in this order.

    A content counts where the log named it last: it may have been forgotten and have come back.
    """
    with catalogue.read_tx():
        named = catalogue.rows(
            "SELECT max(seq), content_id, v.id FROM log JOIN vectors v USING (content_id, model_id)"
            " JOIN contents ON contents.id = content_id"
            " WHERE model_id = ? AND seq <= ? AND NOT flat GROUP BY content_id ORDER BY max(seq)",
            (space.model.id, until),
        )
        shape = (len(named), space.dimension)
        entries = np.empty(shape, np.float16)
        queries = np.empty(shape, np.float16) if space.tuning else None
        for start in range(0, len(named), _CHUNK):
            part = slice(start, start + _CHUNK)
            blobs = [
                catalogue.value("SELECT vector FROM vectors WHERE id = ?", (row[2],))
                for row in named[part]
            ]
            raw = vectors.stack(blobs, space.model.dimension)
            entries[part] = space.entries(raw)
            if queries is not None:
                queries[part] = space.queries(raw)
        inner = read_inner(catalogue, space.model)
    seqs = np.array([row[0] for row in named], dtype=np.int64)
    ids = np.array([row[1] for row in named], dtype=np.int64)
    return seqs, stocked(space, ids, entries, queries, inner)


def stocked(
    space: Space, ids: Ids, entries: Vectors, queries: Vectors | None, inner: tuple[Ids, Vector]
) -> Stock:
    """Return contents with those of the raw ``inner`` vectors, by content, that are theirs."""
    owners, raw = inner
    place = {content: n for n, content in enumerate(ids.tolist())}
    placed = sorted((place[one], n) for n, one in enumerate(owners.tolist()) if one in place)
    places, order = np.array(placed, np.int64).reshape(-1, 2).T
    raw = raw[order]
    return Stock(ids, entries, queries, places, space.entries(raw), space.queries(raw))
