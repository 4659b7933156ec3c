"""All pairs of vectors that are near one another, found anew: exactly, and faster than by brute force.

The dot product of two vectors is at most that of their first numbers plus the product of the lengths
of what is left of them (Cauchy-Schwarz). So: 1. all vectors are turned so that their first numbers
hold as much of their length as can be (principal axes); 2. those first numbers, with the length of the
rest as one more, are multiplied each with each: the bound of all pairs by one short matrix product;
3. the few pairs whose bound reaches the floor are compared in full.

Nothing is missed, whatever the vectors are: where they have no common axes, more numbers are taken. On
100,000 vectors of photos, 56 of 256 numbers are enough, and all of it takes a sixth of the time of the
full products (docs/decisions/0011, benchmarks/scale.py); asking the graph for each takes far longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.vectors import Vector

Vectors = NDArray[np.floating[Any]]
Rows = NDArray[np.int64]

TILE = 1024
"""Vectors compared with as many at a time: the 4 MB of products stay in the processor's cache."""

SLACK = 1e-4
"""By how much a bound may be too low in f32 arithmetic; the rounding measured is below 1e-6."""

DENSE = 0.02
"""Share of a tile that reaches the bound from which it is cheaper to multiply the tile in full: one
pair picked out costs as much as 40 in a matrix product."""

_SAMPLE = 20_000
_PER_NUMBER, _PER_PICK = 0.033, 300.0
"""Nanoseconds of one Zen 3 core: a number more in the bound of a pair; a pair compared in full."""


@dataclass(frozen=True, slots=True)
class Near:
    """Pairs found: row ``rows[i]`` is near row ``others[i] < rows[i]`` with ``scores[i]``."""

    rows: Rows
    others: Rows
    scores: Vector
    """Dot products; cosine similarities of unit vectors."""

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class _Side:
    """The vectors that are asked about, or those that they are compared with."""

    whole: Vectors
    """(N, D)."""
    short: Vector
    """(N, L + 1): the first L numbers of the turned vectors, and the length of the rest."""


def all_pairs(
    entries: Vectors,
    floor: float,
    *,
    most: int,
    queries: Vectors | None = None,
    start: int = 0,
) -> Iterator[tuple[int, Near]]:
    """Yield ``(end, pairs)``: all pairs of score >= ``floor`` whose later row is before ``end``.

    ``entries`` is (N, D), float16 or float32, one vector a row. The score of two rows is the dot
    product of the later one's row in ``queries`` (the entries themselves, where None; a tuned index is
    asked with other vectors than it holds) and the earlier one's in ``entries``. Of each row the
    ``most`` nearest earlier ones are kept. ``start`` is the row from which pairs with earlier ones are
    wanted, so that one can stop after any part and go on later.

    Time grows with N squared: 100,000 rows of 256 numbers take 14 s of one core. Memory: that of the
    vectors given, and about a quarter of it in float32.
    """
    if len(entries) == 0:
        return
    asked = entries if queries is None else queries
    axes = _principal_axes(entries)
    axes = axes[:, : _numbers_worth_it(asked, entries, axes, floor)]
    right = _Side(entries, _shortened(entries, axes))
    left = right if queries is None else _Side(queries, _shortened(queries, axes))
    # Tiles lie on a fixed grid, whatever row one starts from.
    for first in range(start - start % TILE, len(entries), TILE):
        end = min(first + TILE, len(entries))
        found = _pairs_of(left, right, range(first, end), floor, most)
        wanted = found.rows >= start
        yield end, Near(found.rows[wanted], found.others[wanted], found.scores[wanted])


def _principal_axes(matrix: Vectors) -> Vector:
    """Return a rotation (D, D) after which the first numbers hold most of the vectors' length."""
    some = _wide(matrix[:: max(1, len(matrix) // _SAMPLE)])
    _, axes = np.linalg.eigh(some.T @ some)
    return np.ascontiguousarray(axes[:, ::-1])


def _numbers_worth_it(asked: Vectors, entries: Vectors, axes: Vector, floor: float) -> int:
    """Return how many numbers to take: more cost time for each pair, fewer let more pairs through."""
    random = np.random.default_rng(0)
    count = min(_SAMPLE, len(entries) ** 2)
    left, right = (
        _wide(side[random.integers(len(side), size=count)]) @ axes for side in (asked, entries)
    )
    known = np.cumsum(left * right, axis=1)
    rest = _lengths_left(left) * _lengths_left(right)
    share = np.mean(known + rest >= floor - SLACK, axis=0)
    lengths = np.arange(1, axes.shape[1] + 1)
    costs = (lengths + 1) * _PER_NUMBER + share * _PER_PICK
    return int(lengths[np.argmin(costs)])


def _lengths_left(vectors: Vector) -> Vector:
    """Return the lengths of what is left of vectors after 1, 2, ... of their numbers."""
    squares = vectors * vectors
    after: Vector = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1] - squares
    return np.asarray(np.sqrt(np.maximum(after, 0)))


def _shortened(matrix: Vectors, axes: Vector) -> Vector:
    """Return (N, L + 1): the first L numbers of the turned vectors and the length of the rest."""
    length = axes.shape[1]
    short = np.empty((len(matrix), length + 1), dtype=np.float32)
    for first in range(0, len(matrix), 8 * TILE):
        part = _wide(matrix[first : first + 8 * TILE])
        turned: Vector = part @ axes
        rest: Vector = part - turned @ axes.T
        short[first : first + len(part), :length] = turned
        # Not from the squares of both lengths: the difference would lose half of its digits.
        short[first : first + len(part), length] = _length(rest)
    return short


def _length(vectors: Vector) -> Vector:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)))


def _pairs_of(left: _Side, right: _Side, rows: range, floor: float, most: int) -> Near:
    """Return the pairs of some rows with each other and with earlier ones, by row."""
    asked = _Side(_wide(left.whole[rows.start : rows.stop]), left.short[rows.start : rows.stop])
    parts: list[Near] = []
    kept = 0
    for first in range(0, rows.stop, TILE):
        others = range(first, min(first + TILE, rows.stop))
        part = _tile(asked, rows, right, others, floor)
        if len(part):
            parts.append(part)
            kept += len(part)
        if kept > 4 * most * len(rows):  # thousands of photos that look the same
            parts = [_best(_joined(parts), most)]
            kept = len(parts[0])
    return _best(_joined(parts), most)


def _tile(asked: _Side, rows: range, right: _Side, others: range, floor: float) -> Near:
    """Return the pairs between two runs of rows, each pair once."""
    bounds = asked.short @ right.short[others.start : others.stop].T
    candidates = np.flatnonzero(bounds >= floor - SLACK)
    if len(candidates) > DENSE * bounds.size:
        products = _wide(asked.whole) @ _wide(right.whole[others.start : others.stop]).T
        candidates = np.flatnonzero(products >= floor)
        scores = products.ravel()[candidates]
        row, other = np.divmod(candidates, len(others))
    else:
        row, other = np.divmod(candidates, len(others))
        mine, theirs = asked.whole[row], right.whole[others.start + other]
        scores = np.einsum("ij,ij->i", _wide(mine), _wide(theirs))
    found = (scores >= floor) & (others.start + other < rows.start + row)
    return Near(rows.start + row[found], others.start + other[found], scores[found])


def _wide(vectors: Vectors) -> Vector:
    return vectors.astype(np.float32, copy=False)


def _joined(parts: list[Near]) -> Near:
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return Near(none, none, np.empty(0, dtype=np.float32))
    return Near(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.others for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def _best(found: Near, most: int) -> Near:
    """Return the ``most`` nearest of each row; of equally near ones the earlier."""
    order = np.lexsort((found.others, -found.scores, found.rows))
    rows = found.rows[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    order = order[place < most]
    return Near(found.rows[order], found.others[order], found.scores[order])
