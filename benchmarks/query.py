"""How long ``similar`` and ``duplicates`` take from a cold process, by size of the library.

Libraries of synthetic photos are made: real files on disk (empty: nothing decodes them), 256
numbers each, 5 % duplicates with their pairs, a published index snapshot. Each command is run in a
fresh process, in turns with ``import torch, torchvision``, and the medians are compared.

    python benchmarks/query.py                     # 1,000, 10,000 and 100,000 photos
    python benchmarks/query.py --sizes 1000 --runs 3

Prints a table in Markdown; exits with 1 where a ratio is above its limit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twinlens import models, snapshot, vectors
from twinlens.catalogue import Catalogue, set_meta
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.models import Model
from twinlens.roots import Root, add_root
from twinlens.spaces import Space

DIMENSION = 256
COPIES = 0.05
"""Share of photos that are a copy of another; one in five of these has the same bytes."""

LIMIT = 1 / 8
"""Of the time of ``import torch, torchvision`` (issue 2)."""

TORCH = [sys.executable, "-c", "import torch, torchvision"]


@dataclass(frozen=True)
class Built:
    """A synthetic library."""

    library: Library
    photo: Path
    bytes_per_photo: tuple[float, float]
    """Of catalogue and index."""


@dataclass(frozen=True)
class Row:
    """Median seconds with one library."""

    size: int
    similar: float
    duplicates: float
    torch: float
    bytes_per_photo: tuple[float, float]


def build(folder: Path, size: int) -> Built:
    """Make a library of ``size`` photos below ``folder``."""
    library = Library(folder / "library")
    library.create()
    photos = folder / "photos"
    with Catalogue.open(library.catalogue) as catalogue:
        model, _ = models.set_target(
            catalogue,
            name="synthetic",
            digest="00" * 32,
            dimension=DIMENSION,
            input_size=96,
            copy_threshold=0.9,
        )
        photos.mkdir(parents=True)
        root = add_root(catalogue, photos, now=time.time())
        fill(catalogue, model, root, size)
        publish(catalogue, library, model)
    kept = library.catalogue.stat().st_size
    index = sum(path.stat().st_size for path in library.index.rglob("*") if path.is_file())
    query = photos / name(size // 2)
    return Built(library, query, (kept / size, index / size))


def fill(catalogue: Catalogue, model: Model, root: Root, size: int) -> None:
    """Write files and rows; the last photos are copies of the first."""
    matrix = descriptors(size)
    copies = int(size * COPIES)
    stats = [touch(root.folder / name(i)) for i in range(size)]
    contents = [i if i < size - copies or i % 5 else i - size + copies for i in range(size)]
    with catalogue.write_tx() as tx:
        tx.executemany(
            "INSERT INTO contents (id, sha256, bytes, width, height, format, taken_at, camera)"
            " VALUES (?, ?, ?, 4000, 3000, 'JPEG', '2024-05-01T12:00:00', 'Camera')",
            ((c + 1, c.to_bytes(32, "big"), stats[c].size) for c in sorted(set(contents))),
        )
        tx.executemany(
            "INSERT INTO files (root_id, path, size, mtime_ns, ctime_ns, inode, generation,"
            " content_id) VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
            (
                (root.id, name(i).encode(), s.size, s.mtime_ns, s.ctime_ns, s.inode, c + 1)
                for i, (s, c) in enumerate(zip(stats, contents, strict=True))
            ),
        )
        tx.executemany(
            "INSERT INTO vectors (content_id, model_id, vector) VALUES (?, ?, ?)",
            ((c + 1, model.id, vectors.encode(matrix[c])) for c in sorted(set(contents))),
        )
        tx.executemany(
            "INSERT INTO log (content_id, model_id) VALUES (?, ?)",
            ((c + 1, model.id) for c in sorted(set(contents))),
        )
        tx.executemany(
            "INSERT INTO pairs (model_id, a, b, score) VALUES (?, ?, ?, 0.97)",
            (
                (model.id, i - size + copies + 1, i + 1)
                for i, c in enumerate(contents)
                if c == i >= size - copies
            ),
        )
        set_meta(tx, f"pairs_seq:{model.id}", str(size))


def descriptors(size: int) -> NDArray[np.float32]:
    """Return unit vectors of shape (size, DIMENSION), float32, in clusters as photos are.

    Uniform noise would make every distance the same, which no library of photos is.
    """
    numbers = np.random.default_rng(2)
    centres = numbers.standard_normal((max(10, size // 50), DIMENSION), dtype=np.float32)
    noise = numbers.standard_normal((size, DIMENSION), dtype=np.float32)
    matrix = centres[numbers.integers(len(centres), size=size)] + noise
    copies = int(size * COPIES)
    matrix[size - copies :] = matrix[:copies] + 0.2 * noise[size - copies :]
    return vectors.project(matrix)


def name(number: int) -> str:
    """Return the path of a photo below the root: 1,000 in a folder."""
    return f"{number // 1000:03}/IMG_{number:06}.JPG"


def touch(path: Path) -> FileStat:
    """Make an empty file and return its reading."""
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return FileStat.of(path.stat())


def publish(catalogue: Catalogue, library: Library, model: Model) -> None:
    """Publish a snapshot of all vectors."""
    rows = catalogue.rows("SELECT content_id, vector FROM vectors ORDER BY content_id")
    index = snapshot.new_index(Space(model))
    matrix = vectors.stack([row["vector"] for row in rows], DIMENSION)
    index.add(np.array([row["content_id"] for row in rows], dtype=np.uint64), matrix)
    seq = catalogue.value("SELECT max(seq) FROM log")
    space = Space(model)
    snapshot.publish(index, snapshot.snapshot_folder(library.index, space), space, seq=seq)


def measure(built: Built, size: int, runs: int) -> Row:
    """Run the commands in turns, so that whatever else the machine does hits all alike."""
    twinlens = [sys.executable, "-m", "twinlens_plugin"]
    commands = (
        [*twinlens, "similar", "--paths", str(built.photo)],
        [*twinlens, "duplicates", "--json"],
        TORCH,
    )
    environ = {**os.environ, "TWINLENS_LIBRARY": str(built.library.folder)}
    # An installed package is compiled; a checkout is from the first run on, which does not count.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    times: list[list[float]] = [[], [], []]
    for _ in range(runs + 1):  # the first fills the page cache
        for taken, command in zip(times, commands, strict=True):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environ)
            taken.append(time.perf_counter() - start)
    similar, duplicates, torch = (statistics.median(taken[1:]) for taken in times)
    return Row(size, similar, duplicates, torch, built.bytes_per_photo)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Lay the medians out in Markdown."""
    yield "| photos | `similar INDEXED` | of torch | `duplicates` | of torch | `import torch, torchvision` | catalogue, bytes a photo | index, bytes a photo |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        kept, index = row.bytes_per_photo
        yield (
            f"| {row.size:,} | {row.similar:.3f} s | 1/{row.torch / row.similar:.1f}"
            f" | {row.duplicates:.3f} s | 1/{row.torch / row.duplicates:.1f}"
            f" | {row.torch:.2f} s | {kept:,.0f} | {index:,.0f} |"
        )


def main() -> int:
    """Build, measure, print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    rows = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="twinlens-query-") as folder:
            rows.append(measure(build(Path(folder), size), size, given.runs))
    print("\n".join(table(rows)))
    slow = [row for row in rows if max(row.similar, row.duplicates) > row.torch * LIMIT]
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
