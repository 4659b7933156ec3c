"""Seeking the pairs of many contents at once.

That is wanted where the index holds them but their pairs are not known: the threshold was lowered, or
the index was built anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens import vectors
from twinlens.catalogue import Catalogue
from twinlens.spaces import Space
from twinlens_worker.all_pairs import Near, Vectors, all_pairs

MANY = 5_000
"""Contents from which all are compared with all at once. To compare one content with 100,000 others
that way takes 0.3 ms, to ask the graph 1.1 ms; but all vectors have to be read first."""

_CHUNK = 4096

Scores = dict[tuple[int, int], float]
"""Score of contents ``(a, b)`` with a < b."""


@dataclass(frozen=True, slots=True)
class Sought:
    """All pairs of the contents of one stretch of the log with each other and with earlier ones."""

    until: int
    """The stretch ends with this number of the log."""
    contents: frozenset[int]
    scores: Scores


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
    catalogue: Catalogue, space: Space, floor: float, *, most: int, after: int, until: int
) -> Iterator[Sought]:
    """Yield the pairs of the contents that the log names after one number and up to another.

    Of each content the ``most`` nearest that came before it, from score ``floor`` on. In order of the
    log, so that what was stored stands when the work is broken off. Flat pictures have no pairs.
    """
    seqs, ids, entries, queries = _read(catalogue, space, until)
    start = int(np.searchsorted(seqs, after, side="right"))
    first = start
    for end, near in all_pairs(
        entries, space.product(floor), most=most, queries=queries, start=start
    ):
        if end <= first:
            continue
        scores = by_content(near, ids, space)
        yield Sought(int(seqs[end - 1]), frozenset(ids[first:end].tolist()), scores)
        first = end
    yield Sought(until, frozenset(), {})


def by_content(near: Near, ids: NDArray[np.integer[Any]], space: Space) -> Scores:
    """Return found pairs of rows as pairs of contents; ``ids`` are the contents of the rows."""
    reached = space.scores(near.scores).tolist()
    ends = zip(ids[near.rows].tolist(), ids[near.others].tolist(), reached, strict=True)
    return {(min(a, b), max(a, b)): score for a, b, score in ends}


def _read(
    catalogue: Catalogue, space: Space, until: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Vectors, Vectors | None]:
    """Return numbers of the log, contents, entries and queries (None: the entries), by the log.

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
    seqs = np.array([row[0] for row in named], dtype=np.int64)
    return seqs, np.array([row[1] for row in named], dtype=np.int64), entries, queries
