"""Fixtures of the worker's tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from twinlens import ledger, tuning
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.messages import Embedded, ModelRef
from twinlens.models import Model, set_target
from twinlens.roots import Root
from twinlens.settings import Settings
from twinlens.vectors import encode

Recorder = Callable[..., int]


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small libraries be tuned, which are quick to make."""
    monkeypatch.setattr(tuning, "LEAST", 64)


@pytest.fixture
def settings(library: Library) -> Settings:
    """Settings of the library under test."""
    return Settings(library=library.folder)


@pytest.fixture
def wide(catalogue: Catalogue) -> Model:
    """A model of as many numbers as the made photos of a tuned library have."""
    return set_target(
        catalogue,
        name="wide",
        digest="cd" * 32,
        dimension=64,
        input_size=96,
        copy_threshold=0.9,
        at_once=True,
    )[0]


@pytest.fixture
def ref(model: Model) -> ModelRef:
    """The reference to the target model, as messages carry it."""
    return ModelRef(model.name, model.digest)


@pytest.fixture
def record(catalogue: Catalogue, root: Root) -> Recorder:
    """Record a file below the root, without one on disk; return its id. ``mtime`` makes versions."""

    def record_one(path: bytes, *, mtime: int = 1, size: int = 10) -> int:
        ledger.record(catalogue, root.id, [(path, FileStat(size, mtime, mtime, 1))], now=1.0)
        file_id = catalogue.value("SELECT id FROM files WHERE path = ?", (path,))
        assert isinstance(file_id, int)
        return file_id

    return record_one


def unit_vector(seed: int, dimension: int = 16) -> np.ndarray:
    """Return a random unit vector of shape (dimension,), float32, the same for the same seed."""
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector))


def embedded(
    file_id: int, *, content: int = 0, generation: int = 1, vector: np.ndarray | None = None
) -> Embedded:
    """Return the result for a file whose bytes are those of content number ``content``."""
    return Embedded(
        file_id=file_id,
        generation=generation,
        sha256=content.to_bytes(32, "big"),
        size=10,
        vector=encode(unit_vector(content) if vector is None else vector),
        width=40,
        height=30,
        format="JPEG",
    )


def write_photo(path: Path, seed: int, size: tuple[int, int] = (64, 48)) -> None:
    """Write a JPEG of smooth random colours, the same for the same seed."""
    from PIL import Image

    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    image.save(path, "JPEG", quality=92)


def settle(folder: Path) -> None:
    """Make the files of a folder look a minute old, so that a sweep takes them at once."""
    for path in folder.rglob("*"):
        if path.is_file():
            stat = path.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 60_000_000_000))
