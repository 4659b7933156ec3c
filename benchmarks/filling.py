"""Filling a catalogue with photos that exist only there, through the real ledger and commit."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twinlens import ledger, vectors
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.messages import Embedded, ModelRef
from twinlens.roots import Root, add_root
from twinlens_worker.commit import commit
from twinlens_worker.models.descriptor import describe
from twinlens_worker.target import make_target

BATCH = 32
"""Photos committed together, as the worker does by default."""

COPIES = 0.02
"""Share of photos that are copies of the one before, cosine about 0.99."""

_CHUNK = 4096


class Filler:
    """Adds photos of one root to a catalogue, a batch at a time."""

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        """Register ``folder``, which is made and stays empty."""
        folder.mkdir(parents=True)
        self._catalogue = catalogue
        self.model = make_target(catalogue, describe("pocket"))
        self.root: Root = add_root(catalogue, folder, now=time.time())
        self._vectors = _made_vectors(self.model.dimension)
        self.count = 0

    def record(self, count: int) -> list[ledger.Job]:
        """Record photos as the watcher does; return the jobs leased for them."""
        seen = [
            (_path(number), FileStat(4_800_000, number, number, number))
            for number in range(self.count, self.count + count)
        ]
        self.count += count
        now = time.time()
        ledger.record(self._catalogue, self.root.id, seen, now=now)
        return ledger.lease(self._catalogue, "benchmark", now=now, seconds=600, limit=count)

    def commit(self, jobs: list[ledger.Job]) -> int:
        """Commit made results for jobs; return how many photos were embedded."""
        return commit(
            self._catalogue,
            ModelRef(self.model.name, self.model.digest),
            [self._result(job) for job in jobs],
            now=time.time(),
            max_attempts=3,
            settle_seconds=2.0,
        )

    def _result(self, job: ledger.Job) -> Embedded:
        return Embedded(
            file_id=job.file_id,
            generation=job.generation,
            sha256=os.urandom(32),
            size=job.size,
            vector=vectors.encode(next(self._vectors)),
            width=4000,
            height=3000,
            format="JPEG",
            taken_at="2026-05-01T10:00:00+02:00",
            camera="Twinlens Made Camera 12",
        )


def fill(catalogue: Catalogue, folder: Path, count: int) -> Filler:
    """Add ``count`` photos of a new root."""
    filler = Filler(catalogue, folder)
    while filler.count < count:
        filler.commit(filler.record(min(BATCH, count - filler.count)))
    return filler


def _path(number: int) -> bytes:
    return b"%04d/IMG_%07d.JPG" % (number // 500, number)


def _made_vectors(dimension: int) -> Iterator[NDArray[np.float32]]:
    """Yield unit vectors for ever, in random directions but for the copies."""
    random = np.random.default_rng(5)
    while True:
        chunk = random.standard_normal((_CHUNK, dimension), dtype=np.float32)
        for row in np.flatnonzero(random.random(_CHUNK) < COPIES):
            if row:
                chunk[row] = chunk[row - 1] + 0.1 * chunk[row]
        yield from chunk / np.linalg.norm(chunk, axis=1, keepdims=True)
