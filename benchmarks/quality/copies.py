"""Copies: edited photos searched among the photos that they, or others, were made from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.edit import STRENGTHS
from benchmarks.quality.generator import KINDS, MAKERS, made_by
from benchmarks.quality.methods import Method, Similarity, inner
from benchmarks.quality.peers import loaded
from benchmarks.quality.pictures import BadDataError, Picture, open_photo, photos_in
from benchmarks.quality.sizes import QUICK_ISH, Size
from benchmarks.quality.store import Store, fill
from training.twins import distinct
from twinlens_worker import measures
from twinlens_worker.models.descriptor import Descriptor

FOLDER: Final = Path("copies", "originals")
NONE: Final = -1
PRECISIONS: Final = (0.99, 0.999)


@dataclass(frozen=True, slots=True)
class Task:
    """What is searched for, and where."""

    references: tuple[Picture, ...]
    queries: tuple[Picture, ...]
    truth: NDArray[np.int64]
    """(queries,): the row of the reference that a query was made from, NONE where it has none."""


@dataclass(frozen=True, slots=True)
class Found:
    """How well some queries found their photos."""

    queries: int
    r_at_1: float
    """Share whose photo is strictly first."""
    u_ap: float
    """Micro average precision over these queries and those without a match."""
    recall: tuple[float, float]
    """Share of their photos found where all answers together are 99 % and 99.9 % right."""


@dataclass(frozen=True, slots=True)
class Copies:
    """One method's result."""

    overall: Found
    thresholds: tuple[float | None, float | None]
    """The scores from which on all answers are 99 % and 99.9 % right; None where no score is."""
    by_kind: Mapping[str, Found]
    by_strength: Mapping[str, Found]
    by_edit: Mapping[str, Mapping[str, Found]]
    """By kind and strength."""
    by_maker: Mapping[str, Found]
    """The copies that AugLy made, and ours."""
    at_own_threshold: tuple[float, float] | None
    """(recall, precision) at the method's own threshold."""


def build(data: Path, size: Size, seed: int) -> Task:
    """Deal the originals into references with and without queries, and photos for others.

    Each reference with queries gets `size.edits_each` different edits; over all references each kind
    in each strength comes up equally often, give or take one.
    """
    files = photos_in(data / FOLDER, least=size.matched + size.beside + 1)
    paths = [files[row] for row in distinct(map(open_photo, files))]
    order = np.random.default_rng(seed).permutation(len(paths))
    dealt = [paths[row] for row in order]
    matched = dealt[: size.matched]
    beside = dealt[size.matched : size.matched + size.beside]
    absent = dealt[size.matched + size.beside :][: size.absent]
    if not absent:
        raise BadDataError(f"{data / FOLDER}: too few photos; restore the folder")
    edits = _edits(seed)
    queries = [Picture(path, *next(edits)) for path in matched for _ in range(size.edits_each)] + [
        Picture(path, *next(edits)) for path in absent
    ]
    truth = np.repeat(np.arange(size.matched), size.edits_each)
    return Task(
        tuple(map(Picture, [*matched, *beside])),
        tuple(queries),
        np.concatenate([truth, np.full(len(absent), NONE)]),
    )


def score(task: Task, method: Method, store: Store) -> Copies:
    """Search all queries with one method."""
    return judge(similarity(task, method, store), task, method.threshold)


def similarity(task: Task, method: Method, store: Store) -> Similarity:
    """Return how alike one method finds queries and references, (queries, references)."""
    return method.compare(
        store.of(method.asking.name, task.queries), store.of(method.peer.name, task.references)
    )


def judge(similarity: Similarity, task: Task, own_threshold: float | None = None) -> Copies:
    """Count what similarities (queries, references) find.

    The scores at which all answers are 99 % and 99.9 % right are taken over all queries; what is
    said of one kind or strength is its recall at those scores.
    """
    ranking = measures.rank(similarity, task.truth)
    first, second = (measures.threshold_at_precision(ranking, one) for one in PRECISIONS)
    pick = _Pick(similarity, task, (first, second))
    has = task.truth >= 0
    return Copies(
        overall=pick.found(has),
        thresholds=(first, second),
        by_kind={kind: pick.found(has & pick.is_kind(kind)) for kind in pick.kinds()},
        by_strength={one: pick.found(has & pick.is_strength(one)) for one in STRENGTHS},
        by_edit={
            kind: {
                one: pick.found(has & pick.is_kind(kind) & pick.is_strength(one))
                for one in STRENGTHS
            }
            for kind in pick.kinds()
        },
        by_maker={maker: pick.found(has & pick.is_made_by(maker)) for maker in MAKERS},
        at_own_threshold=(
            None if own_threshold is None else measures.at_threshold(ranking, own_threshold)
        ),
    )


def measure(
    descriptors: Mapping[str, Descriptor], data: Path, size: Size = QUICK_ISH, seed: int = 1
) -> dict[str, Copies]:
    """Measure descriptors that are in memory, in this process: for looks at checkpoints."""
    task = build(data, size, seed)
    peers = [loaded(name, descriptor) for name, descriptor in descriptors.items()]
    store = fill(peers, [*task.references, *task.queries], seed=seed)
    return {
        peer.name: score(task, Method(peer.name, peer, inner, peer.threshold), store)
        for peer in peers
    }


class _Pick:
    """Results of some of the queries."""

    def __init__(
        self, similarity: Similarity, task: Task, thresholds: Sequence[float | None]
    ) -> None:
        self._similarity, self._task, self._thresholds = similarity, task, thresholds
        self._names = np.array([query.kind for query in task.queries])
        self._strengths = np.array([query.strength for query in task.queries])

    def kinds(self) -> list[str]:
        present = set(self._names[self._task.truth >= 0].tolist())
        return [kind for kind in KINDS if kind in present]

    def is_kind(self, kind: str) -> NDArray[np.bool_]:
        return np.asarray(self._names == kind)

    def is_strength(self, strength: str) -> NDArray[np.bool_]:
        return np.asarray(self._strengths == strength)

    def is_made_by(self, maker: str) -> NDArray[np.bool_]:
        return np.asarray([made_by(kind) == maker for kind in self._names], np.bool_)

    def found(self, rows: NDArray[np.bool_]) -> Found:
        """Judge the chosen queries; for the precision of their answers those without a match count."""
        if not rows.any():
            return Found(0, np.nan, np.nan, (np.nan, np.nan))
        similarity, truth = self._similarity[rows], self._task.truth[rows]
        counted = rows | (self._task.truth < 0)
        ranking = measures.rank(self._similarity[counted], self._task.truth[counted])
        own = measures.rank(similarity, truth)
        first, second = (
            0.0 if one is None else measures.at_threshold(own, one)[0] for one in self._thresholds
        )
        return Found(
            queries=int(rows.sum()),
            r_at_1=measures.recall_at_1(similarity, truth),
            u_ap=measures.micro_average_precision(ranking),
            recall=(first, second),
        )


def _edits(seed: int) -> Iterator[tuple[str, str]]:
    """Give every kind in every strength in a shuffled order, again and again."""
    cells = [(kind, strength) for kind in KINDS for strength in STRENGTHS]
    np.random.default_rng([seed, 1]).shuffle(cells)
    return itertools.cycle(cells)
