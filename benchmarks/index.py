"""How much the index finds, how fast and at what size: `python -m benchmarks.index` prints tables.

Vectors spread around those of real photos (or made ones: the table says which, and see
benchmarks/made_vectors.py) are put into a library; its snapshot lacks the last 1 %, which are found in
the tail of the log. Queries are new vectors of the same kind, and copies of known ones. The truth is
exact search in float32.

Up to 100,000 vectors; `--full` goes to a million: half an hour of one core and 4 GB.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index

from benchmarks import made_vectors
from benchmarks.made_vectors import Source, copies_of
from benchmarks.pouring import pour
from benchmarks.programs import workspace
from benchmarks.tables import Table, milliseconds, show
from twinlens import snapshot
from twinlens.catalogue import Catalogue
from twinlens.search import EXACT_BELOW, Searcher
from twinlens.spaces import Space
from twinlens.vectors import Vector

K = 10
QUERIES = 500
TAIL = 0.01
"""Share of the vectors that the snapshot does not hold yet."""
RESCORED = 50
"""Neighbours by i8 that are scored again from the catalogue's f16."""
TYPES = ("f32", "f16", "bf16", "i8")

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Task:
    """What to search for in what, and what is right. Rows are numbers of vectors."""

    matrix: Vector
    new: Vector
    nearest: Rows
    """(QUERIES, K): of the new vectors, exactly."""
    copies: Vector
    originals: Rows
    """(QUERIES,): what each copy is a copy of."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a way of searching found."""

    recall: float
    """Of the K nearest of new vectors."""
    copies: float
    """Share of the copies whose original came first."""
    seconds: float
    """CPU, for each query."""


Search = Callable[[Vector], Rows]
"""Returns the rows of the K nearest, (N, K)."""


def main() -> None:
    """Measure and print, a table for each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few vectors: a smoke test")
    parser.add_argument("--full", action="store_true", help="up to a million vectors")
    given = parser.parse_args()
    photos = made_vectors.photos(most=300 if given.quick else None)
    if given.quick:
        _measure(photos, 2_000, TYPES)
        return
    _measure(made_vectors.uniform(photos.dimension), 10_000, ("f16",))
    _measure(photos, 10_000, TYPES)
    _measure(photos, 100_000, TYPES)
    if given.full:
        _measure(photos, 1_000_000, ("f16", "i8"))


def _measure(source: Source, count: int, types: Sequence[str]) -> None:
    task = _task(source, count)
    rows: list[list[str]] = []
    for dtype in types:
        graph = _build(task, dtype)
        if dtype == snapshot.DTYPE:
            rows.insert(0, _by_twinlens(task, graph))
        rows.append(_row(f"graph, {dtype}", graph, _score(task, _by_graph(task, graph, K))))
        if dtype == "i8":
            again = _score(task, _by_graph(task, graph, RESCORED))
            rows.append(_row(f"graph, i8, best {RESCORED} rescored from f16", graph, again))
    dimension = made_vectors.intrinsic_dimension(task.matrix)
    show(
        Table(
            f"{count:,} vectors: {source.name}, intrinsic dimension {dimension:.0f}",
            ["", f"recall@{K}", "copies found", "CPU a query", "build, a vector", "bytes a vector"],
            rows,
            [
                f"{TAIL:.0%} of the vectors are not in the snapshot. One thread.",
                (
                    f"Graphs as twinlens makes them: {snapshot.CONNECTIVITY} links,"
                    f" {snapshot.EXPANSION_ADD} looked at to add,"
                    f" {snapshot.EXPANSION_SEARCH} to search."
                    f" Up to {EXACT_BELOW:,} vectors `twinlens.search` looks at all of them."
                ),
            ],
        )
    )


def _task(source: Source, count: int) -> Task:
    random = np.random.default_rng(11)
    matrix = source.make(count)
    # Not of those that have a copy already: which of the two came first would be chance.
    originals = random.integers(count // 10, count - count // 10, QUERIES)
    # A batch of its own, from as many: the source's last vectors are copies of its first.
    new = source.make(20 * QUERIES, seed=12)[QUERIES * 2 : QUERIES * 3]
    return Task(matrix, new, _exact(matrix, new), copies_of(matrix[originals], random), originals)


def _exact(matrix: Vector, queries: Vector) -> Rows:
    """Return the rows of the K nearest, (N, K), without the memory for all products."""
    scores = np.empty((len(queries), 0), np.float32)
    rows = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(matrix), 65_536):
        some = queries @ matrix[start : start + 65_536].T
        scores = np.concatenate([scores, some], axis=1)
        here = np.broadcast_to(np.arange(start, start + some.shape[1]), some.shape)
        rows = np.concatenate([rows, here], axis=1)
        best = np.argpartition(-scores, K, axis=1)[:, :K] if scores.shape[1] > K else None
        if best is not None:
            scores = np.take_along_axis(scores, best, axis=1)
            rows = np.take_along_axis(rows, best, axis=1)
    order = np.argsort(-scores, axis=1)
    return np.take_along_axis(rows, order, axis=1)


def _score(task: Task, search: Search) -> Found:
    began = time.process_time()
    found = search(task.new)
    taken = time.process_time() - began
    hits = sum(
        len(set(a) & set(b)) for a, b in zip(found.tolist(), task.nearest.tolist(), strict=True)
    )
    first = search(task.copies)[:, 0]
    return Found(
        hits / task.nearest.size, float(np.mean(first == task.originals)), taken / len(task.new)
    )


@dataclass(frozen=True, slots=True)
class Graph:
    """The first vectors of a task, all but the tail; key n + 1 is row n."""

    index: Index
    build: float
    """CPU seconds a vector."""

    @property
    def size(self) -> float:
        """Bytes a vector."""
        return int(self.index.serialized_length) / len(self.index)


def _build(task: Task, dtype: str) -> Graph:
    kept = int(len(task.matrix) * (1 - TAIL))
    index = Index(
        ndim=task.matrix.shape[1],
        metric="cos",
        dtype=dtype,
        connectivity=snapshot.CONNECTIVITY,
        expansion_add=snapshot.EXPANSION_ADD,
        expansion_search=snapshot.EXPANSION_SEARCH,
    )
    began = time.process_time()
    index.add(np.arange(1, kept + 1, dtype=np.uint64), task.matrix[:kept], threads=1)
    return Graph(index, (time.process_time() - began) / kept)


def _by_twinlens(task: Task, graph: Graph) -> list[str]:
    """Search a library through ``twinlens.search``: catalogue, snapshot and tail."""
    with workspace() as folder:
        poured = pour(folder, task.matrix, identical=False)
        space = Space(poured.model)
        place = snapshot.snapshot_folder(poured.library.index, space)
        # Contents are logged in order, one for each row.
        snapshot.publish(graph.index, place, space, seq=len(graph.index))
        with Catalogue.open(poured.library.catalogue) as catalogue:
            searcher = Searcher(catalogue, poured.library, poured.model)
            if searcher.problem:
                sys.exit(f"the snapshot is not used: {searcher.problem}")

            def search(queries: Vector) -> Rows:
                hits = ([hit.content_id - 1 for hit in searcher.search(q, K)] for q in queries)
                return np.array(list(hits))

            return _row("**`twinlens.search`**", graph, _score(task, search))


def _by_graph(task: Task, graph: Graph, looked_at: int) -> Search:
    """Return a search of the graph, and of the tail exactly.

    Where more than K are ``looked_at``, they are scored again from the vectors, as f16.
    """
    tail = np.arange(len(graph.index), len(task.matrix))

    def search(queries: Vector) -> Rows:
        matches = graph.index.search(queries, looked_at, threads=1)
        rows = matches.keys.astype(np.int64) - 1
        scores = 1 - matches.distances
        if looked_at > K:
            again = task.matrix[rows].astype(np.float16).astype(np.float32)
            scores = np.einsum("nkd,nd->nk", again, queries)
        rows = np.concatenate([rows, np.broadcast_to(tail, (len(queries), len(tail)))], axis=1)
        scores = np.concatenate([scores, queries @ task.matrix[tail].T], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        return np.take_along_axis(rows, best, axis=1)

    return search


def _row(name: str, graph: Graph, found: Found) -> list[str]:
    return [
        name,
        f"{found.recall:.4f}",
        f"{found.copies:.3f}",
        milliseconds(found.seconds),
        f"{graph.build * 1e3:.2f} ms",
        f"{graph.size:,.0f}",
    ]


if __name__ == "__main__":
    main()
