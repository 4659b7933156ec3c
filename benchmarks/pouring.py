"""Filling a catalogue in bulk: rows as worker and verification leave them, without their work.

A million photos in two minutes. Their last ``COPIES`` are duplicates of the first ones, as in
``made_vectors``: one in five of these has the same bytes, the others are copies with their pair and
their relation. Only photos that have a duplicate are files on disk (sparse ones, of the size that the
catalogue says): nothing reads the others.
"""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.made_vectors import COPIES
from twinlens import models, pairs
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.models import Model
from twinlens.relations import COPY, Detail
from twinlens.roots import Root, add_root
from twinlens.vectors import STORED, Vector

_IDENTICAL_EACH = 5
_CHUNK = 20_000
_NO_FILE = FileStat(0, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Poured:
    """A library that was filled."""

    library: Library
    model: Model
    root: Root
    count: int

    def path(self, number: int) -> Path:
        """Return the path of a photo, counted from 0."""
        return self.root.folder / os.fsdecode(_path(number))

    def original(self) -> int:
        """Return the number of a photo that has a copy, and is a file on disk."""
        return int(self.count * COPIES) // 2 + 1


def pour(folder: Path, matrix: Vector, *, identical: bool = True, share: float = COPIES) -> Poured:
    """Make a library below ``folder``, one photo for each row of ``matrix`` of shape (N, D).

    Row n is the vector of content n + 1. Without ``identical``, none has the bytes of another.
    ``share``: how much of the library are copies of the rest.
    """
    library = Library(folder / "library")
    library.create()
    photos = folder / "photos"
    photos.mkdir()
    with Catalogue.open(library.catalogue) as catalogue:
        model, _ = models.set_target(
            catalogue,
            name="made",
            digest="00" * 32,
            dimension=matrix.shape[1],
            input_size=128,
            copy_threshold=0.9,
        )
        root = add_root(catalogue, photos, now=time.time())
        with catalogue.write_tx() as tx:
            _write(tx, model, root, matrix, int(len(matrix) * share), identical=identical)
        catalogue.value("PRAGMA wal_checkpoint(TRUNCATE)")
        return Poured(library, model, root, len(matrix))


def _write(
    tx: sqlite3.Connection,
    model: Model,
    root: Root,
    matrix: Vector,
    copies: int,
    *,
    identical: bool,
) -> None:
    count = len(matrix)
    first = count - copies
    same = [identical and n >= first and n % _IDENTICAL_EACH == 0 for n in range(count)]
    contents = [n - first if same[n] else n for n in range(count)]
    distinct = [n for n in range(count) if contents[n] == n]
    sizes = _sizes(count)
    tx.executemany(
        "INSERT INTO contents (id, sha256, bytes, width, height, format, taken_at, camera)"
        " VALUES (?, ?, ?, 4000, 3000, 'JPEG', '2024-05-01T12:00:00', 'Made Camera 12')",
        ((n + 1, os.urandom(32), sizes[n]) for n in distinct),
    )
    tx.executemany(
        "INSERT INTO files (root_id, path, size, mtime_ns, ctime_ns, inode, generation, content_id)"
        " VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
        (_file(root, n, sizes[contents[n]], contents[n], (copies, first)) for n in range(count)),
    )
    for start in range(0, len(distinct), _CHUNK):
        some = distinct[start : start + _CHUNK]
        tx.executemany(
            "INSERT INTO vectors (content_id, model_id, vector) VALUES (?, ?, ?)",
            zip(
                (n + 1 for n in some),
                [model.id] * len(some),
                map(bytes, matrix[some].astype(STORED)),
                strict=True,
            ),
        )
    tx.executemany(
        "INSERT INTO log (content_id, model_id) VALUES (?, ?)",
        ((n + 1, model.id) for n in distinct),
    )
    related = [(n - first + 1, n + 1) for n in range(first, count) if contents[n] == n]
    _relate(tx, model, related)


def _relate(tx: sqlite3.Connection, model: Model, related: list[tuple[int, int]]) -> None:
    detail = Detail(words="saved again", overlap=0.98, score=0.97).to_json()
    # Relations first: a pair that has one does not wait to be verified.
    tx.executemany(
        "INSERT INTO relations (a, b, kind, probability, detail, verifier)"
        " VALUES (?, ?, ?, 0.99, ?, 1)",
        ((a, b, COPY, detail) for a, b in related),
    )
    tx.executemany(
        "INSERT INTO pairs (model_id, a, b, score) VALUES (?, ?, ?, 0.97)",
        ((model.id, a, b) for a, b in related),
    )
    pairs.set_sought(tx, model, tx.execute("SELECT max(seq) FROM log").fetchone()[0])


def _sizes(count: int) -> list[int]:
    """Return file sizes of about 4 MB, most of them different, as those of photos are."""
    numbers = np.random.default_rng(3).normal(15.2, 0.6, count)
    return [int(size) for size in np.exp(numbers)]


def _file(
    root: Root, number: int, size: int, content: int, copied: tuple[int, int]
) -> tuple[object, ...]:
    path, (copies, first) = _path(number), copied
    there = number < copies or number >= first
    stat = _touch(root.folder / os.fsdecode(path), size) if there else _NO_FILE
    return (root.id, path, size, stat.mtime_ns, stat.ctime_ns, stat.inode, content + 1)


def _touch(path: Path, size: int) -> FileStat:
    """Make a sparse file and return its reading."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as handle:
        os.truncate(handle.fileno(), size)
        return FileStat.of(os.fstat(handle.fileno()))


def _path(number: int) -> bytes:
    return b"%04d/IMG_%07d.JPG" % (number // 500, number)
