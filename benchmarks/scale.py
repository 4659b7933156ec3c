"""What changes at a million photos: `python -m benchmarks.scale` prints markdown tables.

A library of a million photos with made vectors is poured in bulk (rows as the worker leaves them), a
small one beside it. Then, in one run:

1. the first page of `duplicates` from a cold process, against ten bare `import sqlite3`;
2. what committing a photo costs there, against the small library, batch by batch in turns;
3. all pairs sought anew among 100,000 vectors, against NumPy by brute force.

`--full` also builds the index of the large library (half an hour of one core) and measures 4. what
indexing a photo and seeking its pairs costs at both sizes, and 5. `similar` from a cold process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import made_vectors
from benchmarks.filling import BATCH, Filler
from benchmarks.made_vectors import Source
from benchmarks.pouring import Poured, pour
from benchmarks.programs import workspace
from benchmarks.tables import Table, megabytes, milliseconds, show
from twinlens.catalogue import Catalogue
from twinlens.settings import load_settings
from twinlens.vectors import STORED, Vector
from twinlens_worker.all_pairs import all_pairs
from twinlens_worker.indexer import NEIGHBOURS, Indexer

BARE = [sys.executable, "-c", "import sqlite3"]
TEN = 10
PAGE = 20
"""Groups on a page."""
FLOOR = 0.8
"""Score from which pairs are sought: the threshold of copies and its margin."""
COMMITTED = 32
"""Batches committed to each library."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    small: int = 10_000
    large: int = 1_000_000
    pairs: int = 100_000
    runs: int = 7


QUICK = Sizes(small=500, large=3_000, pairs=3_000, runs=1)


def main() -> int:
    """Measure and print; return 1 where a limit was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small libraries: a smoke test")
    parser.add_argument("--full", action="store_true", help="with the index of the large library")
    given = parser.parse_args()
    sizes = QUICK if given.quick else Sizes()
    made = made_vectors.clusters()
    kept = [_all_pairs(made, sizes)]
    with workspace() as folder:
        small = _poured(folder / "small", made, sizes.small)
        large = _poured(folder / "large", made, sizes.large)
        kept.append(_duplicates(large, sizes.runs))
        kept.append(_committing(small, large, made))
        if given.full:
            kept.append(_indexing(small, large, made))
            _similar(large, sizes.runs)
    return 0 if all(kept) or given.quick else 1


def _poured(folder: Path, made: Source, count: int) -> Poured:
    folder.mkdir()
    return pour(folder, made.make(count))


# --- 1. the first page -----------------------------------------------------------------------------


def _duplicates(library: Poured, runs: int) -> bool:
    """Run the commands in turns, so that whatever else the machine does hits all alike."""
    first = [*_twinlens("duplicates"), "--json", "--limit", str(PAGE)]
    last = _line(subprocess.run(first, env=_environ(library), stdout=subprocess.PIPE, check=True))
    second = [*first, "--after", last] if last else first
    times: list[list[float]] = [[], [], []]
    for _ in range(runs):
        for taken, command in zip(times, (first, second), strict=False):
            taken.append(_wall(lambda command=command: _run(command, library)))  # type: ignore[misc]
        times[2].append(sum(_wall(lambda: _run(BARE, library)) for _ in range(TEN)))
    page, after, ten = map(statistics.median, times)
    whole = _wall(lambda: _run([*_twinlens("duplicates"), "--json"], library))
    show(
        Table(
            f"`duplicates` from a cold process, {library.count:,} photos, 5% of them duplicates",
            ["", "time", "of ten `import sqlite3`"],
            [
                [f"first page ({PAGE} groups)", milliseconds(page), f"{page / ten:.2f}"],
                ["the page after it", milliseconds(after), f"{after / ten:.2f}"],
                ["all groups", milliseconds(whole), f"{whole / ten:.1f}"],
                ["ten `python -c 'import sqlite3'`", milliseconds(ten), "1"],
            ],
            [f"Medians of {runs}. Limit: the first page within 1."],
        )
    )
    return page <= ten


def _line(result: subprocess.CompletedProcess[bytes]) -> str | None:
    """Return the cursor after a page."""
    import json

    lines = result.stdout.splitlines()
    return str(json.loads(lines[-1])["cursor"]) if lines else None


# --- 2. committing ---------------------------------------------------------------------------------


def _committing(small: Poured, large: Poured, made: Source) -> bool:
    """Record and commit new photos in both libraries, a batch here, a batch there."""
    with (
        Catalogue.open(small.library.catalogue) as one,
        Catalogue.open(large.library.catalogue) as other,
    ):
        fillers = [_filler(one, small, made), _filler(other, large, made)]
        times: tuple[list[tuple[float, float]], ...] = ([], [])
        for _ in range(COMMITTED + 1):
            for filler, taken in zip(fillers, times, strict=True):
                taken.append(_both(lambda filler=filler: filler.commit(filler.record(BATCH))))  # type: ignore[misc]
    each = [
        [statistics.median(column) / BATCH for column in zip(*taken[1:], strict=True)]
        for taken in times
    ]
    ratio = each[1][0] / each[0][0]
    show(
        Table(
            "Recording and committing one photo",
            ["photos", "CPU", "time", "of the small library's CPU"],
            [
                [f"{small.count:,}", *map(milliseconds, each[0]), "1"],
                [f"{large.count:,}", *map(milliseconds, each[1]), f"{ratio:.2f}"],
            ],
            [f"Medians of {COMMITTED} batches of {BATCH}, in turns, each on the disk. Limit: 2."],
        )
    )
    return bool(ratio <= 2)


def _filler(catalogue: Catalogue, poured: Poured, made: Source) -> Filler:
    return Filler(catalogue, poured.model, poured.root, made, first=poured.count)


# --- 3. all pairs ----------------------------------------------------------------------------------


def _all_pairs(made: Source, sizes: Sizes) -> bool:
    matrix = made.make(sizes.pairs).astype(STORED)
    ours: set[tuple[int, int]] = set()
    theirs: set[tuple[int, int]] = set()
    our = _both(lambda: ours.update(_by_bound(matrix)))
    their = _both(lambda: theirs.update(_by_brute_force(matrix.astype(np.float32))))
    recall = len(ours & theirs) / max(1, len(theirs))
    show(
        Table(
            f"All pairs of score {FLOOR} and more anew, {sizes.pairs:,} vectors of {made.name}",
            ["", "CPU", "time", "pairs", "recall", "times as fast"],
            [
                _pairs_row(
                    "`twinlens_worker.all_pairs`", our, len(ours), recall, their[0] / our[0]
                ),
                _pairs_row("NumPy, blocks of `X @ X.T`", their, len(theirs), 1.0, 1.0),
            ],
            ["Both with the same BLAS and threads. Limits: faster, at recall .999."],
        )
    )
    return our[0] < their[0] and recall >= 0.999


def _pairs_row(
    name: str, taken: tuple[float, float], count: int, recall: float, ratio: float
) -> list[str]:
    return [name, *map(milliseconds, taken), f"{count:,}", f"{recall:.4f}", f"{ratio:.1f}"]


def _by_bound(matrix: NDArray[np.float16]) -> Iterator[tuple[int, int]]:
    for _, near in all_pairs(matrix, FLOOR, most=NEIGHBOURS):
        yield from zip(near.rows.tolist(), near.others.tolist(), strict=True)


def _by_brute_force(matrix: Vector) -> Iterator[tuple[int, int]]:
    for start in range(0, len(matrix), 1024):
        products = matrix[start : start + 1024] @ matrix.T
        rows, others = np.nonzero(products >= FLOOR)
        later = others < rows + start
        yield from zip((rows[later] + start).tolist(), others[later].tolist(), strict=True)


# --- 4. and 5. the index ---------------------------------------------------------------------------


def _indexing(small: Poured, large: Poured, made: Source) -> bool:
    each = [_index_more(poured, made) for poured in (small, large)]
    ratio = each[1][1] / each[0][1]
    show(
        Table(
            "Indexing one photo and seeking its pairs",
            ["photos", "build", "CPU a photo", "of the small library's"],
            [
                [
                    f"{poured.count:,}",
                    milliseconds(build),
                    milliseconds(one),
                    f"{one / each[0][1]:.2f}",
                ]
                for poured, (build, one) in zip((small, large), each, strict=True)
            ],
            [f"Medians of {COMMITTED} batches of {BATCH}. Limit: 2."],
        )
    )
    return ratio <= 2


def _index_more(poured: Poured, made: Source) -> tuple[float, float]:
    """Return the CPU seconds to build the index, and for one photo more."""
    settings = load_settings({}, library=poured.library.folder)
    with Catalogue.open(poured.library.catalogue) as catalogue:
        start = time.process_time()
        indexer = Indexer(catalogue, poured.library, settings, poured.model)
        build = time.process_time() - start
        while indexer.catch_up():
            pass
        filler = _filler(catalogue, poured, made)
        filler.count += COMMITTED * BATCH * 2  # those before were committed above
        taken = []
        for _ in range(COMMITTED):
            filler.commit(filler.record(BATCH))
            taken.append(_both(indexer.catch_up)[0] / BATCH)
        indexer.publish()
    return build, statistics.median(taken)


def _similar(library: Poured, runs: int) -> None:
    command = [*_twinlens("similar"), "--paths", str(library.path(library.original()))]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs + 1):
        times[0].append(_wall(lambda: _run(command, library)))
        times[1].append(sum(_wall(lambda: _run(BARE, library)) for _ in range(TEN)))
    taken, ten = (statistics.median(column[1:]) for column in times)
    size = sum(path.stat().st_size for path in library.library.index.rglob("*") if path.is_file())
    show(
        Table(
            f"`similar` from a cold process, {library.count:,} photos",
            ["", "time", "of ten `import sqlite3`"],
            [
                ["`similar INDEXED`", milliseconds(taken), f"{taken / ten:.2f}"],
                ["ten `python -c 'import sqlite3'`", milliseconds(ten), "1"],
            ],
            [f"The index takes {megabytes(size)}."],
        )
    )


# --- measuring -------------------------------------------------------------------------------------


def _twinlens(command: str) -> list[str]:
    return [sys.executable, "-m", "twinlens_plugin", command]


def _environ(library: Poured) -> dict[str, str]:
    environ = {**os.environ, "TWINLENS_LIBRARY": str(library.library.folder)}
    # An installed package is compiled; a checkout is from the first run on, which does not count.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


def _run(command: Sequence[str], library: Poured) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_environ(library))


def _wall(action: Callable[[], object]) -> float:
    return _both(action)[1]


def _both(action: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU time of this process, and the time on the wall, in seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    sys.exit(main())
