"""Fixtures of the core's tests: photos in the catalogue without a worker, and child processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.models import Model
from twinlens.roots import Root
from twinlens.vectors import encode

Start = Callable[..., "subprocess.Popen[bytes]"]


class Shelf:
    """Photos of one root, written to the catalogue as watcher and worker write them."""

    def __init__(self, catalogue: Catalogue, root: Root) -> None:
        self.catalogue = catalogue
        self.root = root

    def see(self, *names: str, version: int = 1, now: float = 1000.0) -> int:
        """Record settled readings, the same for the same version; return how many need work."""
        seen = [(name.encode(), reading(name, version)) for name in names]
        return ledger.record(self.catalogue, self.root.id, seen, now=now)

    def lose(self, *names: str, now: float = 2000.0) -> int:
        """Mark photos as deleted."""
        return ledger.tombstone(self.catalogue, self.root.id, map(str.encode, names), now=now)

    def id(self, name: str) -> int:
        """Return the number of a file."""
        return int(
            self.catalogue.value(
                "SELECT id FROM files WHERE root_id = ? AND path = ?",
                (self.root.id, name.encode()),
            )
        )

    def embed(self, name: str, model: Model, *, content: str = "", vector: Any = None) -> int:
        """See a photo and commit its vector, as the worker does; return its content's number."""
        if not self.catalogue.value(
            "SELECT 1 FROM files WHERE root_id = ? AND path = ?", (self.root.id, name.encode())
        ):
            self.see(name)
        digest = (content or name).encode().ljust(32, b"\0")
        blob = encode(random_vector(content or name, model.dimension) if vector is None else vector)
        with self.catalogue.write_tx() as tx:
            tx.execute(
                "INSERT INTO contents (sha256, bytes) VALUES (?, 10) ON CONFLICT DO NOTHING",
                (digest,),
            )
            (number,) = tx.execute("SELECT id FROM contents WHERE sha256 = ?", (digest,)).fetchone()
            added = tx.execute(
                "INSERT INTO vectors (content_id, model_id, vector) VALUES (?, ?, ?)"
                " ON CONFLICT (content_id, model_id) DO NOTHING",
                (number, model.id, blob),
            ).rowcount
            if added:
                tx.execute(
                    "INSERT INTO log (content_id, model_id) VALUES (?, ?)", (number, model.id)
                )
            tx.execute("UPDATE files SET content_id = ? WHERE id = ?", (number, self.id(name)))
            ledger.finish(tx, self.id(name))
        return int(number)

    def job(self, name: str) -> Any:
        """Return the job's row of a photo, or None."""
        return self.catalogue.row("SELECT * FROM jobs WHERE file_id = ?", (self.id(name),))

    def events(self) -> list[tuple[str, bytes]]:
        """Return kind and path of all events, oldest first."""
        return [tuple(row) for row in self.catalogue.rows("SELECT kind, path FROM events")]


def reading(name: str, version: int = 1) -> FileStat:
    """Return the reading that version ``version`` of a file would give."""
    return FileStat(size=100, mtime_ns=version, ctime_ns=version, inode=sum(name.encode()))


def random_vector(seed: str, dimension: int) -> np.ndarray[Any, Any]:
    """Return a random float32 vector of shape (dimension,), the same for the same seed."""
    numbers = np.random.default_rng(list(seed.encode()))
    return numbers.standard_normal(dimension).astype(np.float32)


@pytest.fixture
def shelf(catalogue: Catalogue, root: Root) -> Shelf:
    """The photos of ``root``."""
    return Shelf(catalogue, root)


@pytest.fixture
def start_python() -> Iterator[Start]:
    """Start Python programs given as text; whatever still runs is killed at the end."""
    running: list[subprocess.Popen[bytes]] = []

    def start(program: str, *arguments: object) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        running.append(child)
        return child

    yield start
    for child in running:
        with child:
            child.kill()
