"""Re-ranking, as `twinlens similar` answers: the best candidates of a search are compared, picture with picture.

Those that are of one shot come first, the surest before the others, then all others by score. Nothing
but what is measured here tells what a descriptor finds by itself.
"""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.quality.methods import Similarity
from benchmarks.quality.pictures import Picture
from twinlens.pairs import LOOSE
from twinlens_worker.verify.compare import compare
from twinlens_worker.verify.decide import LIKELY
from twinlens_worker.verify.sketch import SIDE, Sketch

AS_SIMILAR: Final = 10
"""Candidates compared, as `twinlens_plugin.verified.COMPARED` has it."""
CHUNK: Final = 32
"""Queries given to a process at a time."""
REMEMBERED: Final = 300
"""Sketches that a process keeps of references: half a megabyte each."""
FIRST: Final = 2.0
"""Added to the scores of what is of one shot: above any score."""


class Search(NamedTuple):
    """A query, and the references that it is compared with, the best first."""

    query: Picture
    candidates: tuple[tuple[int, Picture], ...]
    """Their places, too."""


@dataclass(frozen=True, slots=True)
class Reranked:
    """What a search gave, and what came of comparing."""

    similarity: Similarity
    """(queries, references)."""
    seconds: float
    """CPU that comparing took, a query: its features, and candidates whose own are kept."""
    compared: float
    """Candidates of a query, on average."""


def name(method: str, candidates: int = AS_SIMILAR) -> str:
    """Return what the tables call a method whose best answers were compared."""
    few = "" if candidates == AS_SIMILAR else f", the best {candidates}"
    return f"{method}, re-ranked{few}"


def cost(method: str, found: Reranked) -> str:
    """Return what the table of costs calls it."""
    return f"{name(method)}: comparing, a query ({found.compared:.1f} photos)"


def rerank(
    similarity: Similarity,
    queries: Sequence[Picture],
    references: Sequence[Picture],
    *,
    threshold: float,
    candidates: int = AS_SIMILAR,
    seed: int,
    processes: int = 1,
) -> Reranked:
    """Compare each query with its best candidates; ``threshold``: from which scores are called copies.

    As in a library, what scores below a share of that is not compared. The result is the same for
    any number of processes.
    """
    searches = list(_searches(similarity, queries, references, threshold * LOOSE, candidates))
    ranked = np.array(similarity, np.float32)
    spent, compared = 0.0, 0
    for row, answer in enumerate(_answers(searches, seed, processes)):
        spent += answer.seconds
        compared += len(answer.sure)
        for (place, _), sure in zip(searches[row].candidates, answer.sure, strict=True):
            if sure >= LIKELY:
                ranked[row, place] = _above(sure, ranked[row, place])
    return Reranked(ranked, spent / len(searches), compared / len(searches))


def _above(sure: float, score: float) -> float:
    """Return the score of what is of one shot: by probability, to two digits, then by score."""
    return FIRST + round(sure, 2) + 0.004 * float(score)


def _searches(
    similarity: Similarity,
    queries: Sequence[Picture],
    references: Sequence[Picture],
    floor: float,
    candidates: int,
) -> Iterator[Search]:
    for row, query in enumerate(queries):
        best = np.argsort(-similarity[row], kind="stable")[:candidates]
        near = [int(place) for place in best if similarity[row, place] >= floor]
        yield Search(query, tuple((place, references[place]) for place in near))


class _Answer(NamedTuple):
    sure: tuple[float, ...]
    """Of each candidate, the probability that it is of one shot."""
    seconds: float


def _answers(searches: Sequence[Search], seed: int, processes: int) -> Iterator[_Answer]:
    answer = functools.partial(_compare_all, seed)
    chunks = [searches[start : start + CHUNK] for start in range(0, len(searches), CHUNK)]
    if processes == 1:
        yield from itertools.chain.from_iterable(map(answer, chunks))
        return
    with concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn")
    ) as pool:
        yield from itertools.chain.from_iterable(pool.map(answer, chunks))


def _compare_all(seed: int, searches: Sequence[Search]) -> list[_Answer]:
    cv2.setNumThreads(1)  # one process for each core instead
    with threadpool_limits(1):
        return [_compare(search, seed) for search in searches]


def _compare(search: Search, seed: int) -> _Answer:
    if not search.candidates:
        return _Answer((), 0.0)
    held = [_reference(picture, seed) for _, picture in search.candidates]
    thumbnail = _thumbnail(search.query, seed)
    began = time.process_time()
    asked = Sketch(thumbnail)
    sure = tuple(compare(one, asked).probability for one in held)
    return _Answer(sure, time.process_time() - began)


@functools.lru_cache(maxsize=REMEMBERED)
def _reference(picture: Picture, seed: int) -> Sketch:
    sketch = Sketch(_thumbnail(picture, seed))
    _ = sketch.features  # a library keeps them
    return sketch


def _thumbnail(picture: Picture, seed: int) -> NDArray[np.uint8]:
    """Return a picture as large as a library's thumbnails, (H, W, 3) BGR."""
    image = picture.open(seed)
    image.thumbnail((SIDE, SIDE))
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])
