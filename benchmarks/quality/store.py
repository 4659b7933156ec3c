"""Every picture described once by every peer; all tables take their rows from here."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.quality.peers import Describe, Peer, Vectors
from benchmarks.quality.pictures import Picture

CHUNK: Final = 64
"""Pictures in memory at a time."""


@dataclass(frozen=True, slots=True)
class Store:
    """Vectors of pictures."""

    rows: Mapping[Picture, int]
    vectors: Mapping[str, Vectors]
    """By peer, (pictures, numbers)."""

    def of(self, peer: str, pictures: Sequence[Picture]) -> Vectors:
        """Return the rows of these pictures."""
        return self.vectors[peer][[self.rows[picture] for picture in pictures]]


@dataclass(frozen=True, slots=True)
class _Task:
    pictures: tuple[Picture, ...]
    turned: bool
    """Whether those peers are asked as well that look at quarter turns."""


def fill(
    peers: Sequence[Peer],
    plain: Iterable[Picture],
    turned: Iterable[Picture] = (),
    *,
    seed: int,
    processes: int = 1,
) -> Store:
    """Describe `plain` pictures by all peers but the turned ones, and `turned` by all.

    More than one process needs peers that can be pickled. The result is the same for any number.
    """
    also = dict.fromkeys(turned)
    pictures = [*also, *(one for one in dict.fromkeys(plain) if one not in also)]
    tasks = [*_chunks(pictures[: len(also)], turned=True), *_chunks(pictures[len(also) :])]
    parts: dict[str, list[Vectors]] = {peer.name: [] for peer in peers}
    for done, answer in enumerate(_answers(tasks, peers, seed, processes), 1):
        for name, vectors in answer.items():
            parts[name].append(vectors)
        _progress(done, len(tasks))
    found = {name: np.concatenate(part) for name, part in parts.items() if part}
    return Store({picture: row for row, picture in enumerate(pictures)}, found)


def _chunks(pictures: Sequence[Picture], *, turned: bool = False) -> Iterator[_Task]:
    for start in range(0, len(pictures), CHUNK):
        yield _Task(tuple(pictures[start : start + CHUNK]), turned)


def _answers(
    tasks: Sequence[_Task], peers: Sequence[Peer], seed: int, processes: int
) -> Iterator[dict[str, Vectors]]:
    if processes == 1:
        ready = _Ready(peers, seed)
        yield from map(ready.describe, tasks)
        return
    with concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), _start, (peers, seed)
    ) as pool:
        yield from pool.map(_describe, tasks)


class _Ready:
    """Peers that are loaded."""

    def __init__(self, peers: Sequence[Peer], seed: int) -> None:
        import torch

        torch.set_num_threads(1)  # one process for each core instead
        self._peers: list[tuple[Peer, Describe]] = [(peer, peer.make()) for peer in peers]
        self._seed = seed

    def describe(self, task: _Task) -> dict[str, Vectors]:
        images = [picture.open(self._seed) for picture in task.pictures]
        return {
            peer.name: describe(images)
            for peer, describe in self._peers
            if task.turned or not peer.turned
        }


_ready: _Ready | None = None


def _start(peers: Sequence[Peer], seed: int) -> None:
    global _ready  # noqa: PLW0603  a pool's workers have no other place
    _ready = _Ready(peers, seed)


def _describe(task: _Task) -> dict[str, Vectors]:
    assert _ready is not None
    return _ready.describe(task)


def _progress(done: int, tasks: int) -> None:
    if sys.stderr.isatty() or done == tasks or done % 20 == 0:
        print(f"described {done}/{tasks} chunks", file=sys.stderr, flush=True)
