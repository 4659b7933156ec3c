"""Filling a catalogue with photos that exist only there, through the real ledger and commit."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks import made_vectors
from benchmarks.made_vectors import Source
from twinlens import ledger, vectors
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.messages import Embedded, ModelRef
from twinlens.models import Model
from twinlens.roots import Root, add_root
from twinlens.vectors import Vector
from twinlens_worker.commit import commit
from twinlens_worker.models.descriptor import describe
from twinlens_worker.target import make_target

BATCH = 32
"""Photos committed together, as the worker does by default."""

_CHUNK = 4096


class Filler:
    """Adds photos of one root to a catalogue, a batch at a time."""

    def __init__(
        self, catalogue: Catalogue, model: Model, root: Root, made: Source, first: int = 0
    ) -> None:
        """Add photos to ``root``, numbered from ``first``, with vectors from ``made``."""
        self._catalogue = catalogue
        self.model = model
        self.root = root
        self.count = first
        self._vectors = _without_end(made, seed=first + 5)

    @classmethod
    def of_new_library(cls, catalogue: Catalogue, folder: Path, made: Source | None = None) -> Self:
        """Register ``folder``, which is made and stays empty, and make pocket the target."""
        folder.mkdir(parents=True)
        model = make_target(catalogue, describe("pocket"))
        root = add_root(catalogue, folder, now=time.time())
        return cls(catalogue, model, root, made or made_vectors.clusters(model.dimension))

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
    filler = Filler.of_new_library(catalogue, folder)
    while filler.count < count:
        filler.commit(filler.record(min(BATCH, count - filler.count)))
    return filler


def _path(number: int) -> bytes:
    return b"%04d/IMG_%07d.JPG" % (number // 500, number)


def _without_end(made: Source, seed: int) -> Iterator[Vector]:
    """Yield vectors for ever, copies among the others."""
    while True:
        chunk = made.make(_CHUNK, seed)
        yield from chunk[np.random.default_rng(seed).permutation(len(chunk))]
        seed += 1
