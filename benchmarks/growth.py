"""What a photo costs as the library grows: `python -m benchmarks.growth` prints a markdown table.

Photos with made vectors go through the real ledger, commit and indexer (decoding is not the point
here); at each size the last thousand of them are timed, a snapshot is published, the index is built
anew from the catalogue, and the files are weighed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import filling
from benchmarks.made_vectors import COPIES
from benchmarks.programs import workspace
from benchmarks.tables import Table, milliseconds, show
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.settings import Settings, load_settings
from twinlens.snapshot import snapshot_folder
from twinlens.spaces import Space
from twinlens_worker.indexer import Indexer

FULL = (1_000, 10_000, 100_000)
QUICK = (200, 600)
TIMED = 1_000
"""Photos at the end of each growth that are timed."""


@dataclass(slots=True)
class Costs:
    """What was measured at one size. Seconds; those of a photo are averages of the last ones."""

    count: int
    record: float = 0.0
    commit: float = 0.0
    index: float = 0.0
    publish: float = 0.0
    rebuild: float = 0.0
    catalogue_bytes: int = 0
    index_bytes: int = 0


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small libraries: a smoke test")
    sizes = QUICK if parser.parse_args().quick else FULL
    with workspace() as folder:
        show(_table(_grow(folder, sizes)))


def _grow(folder: Path, sizes: Sequence[int]) -> list[Costs]:
    library = Library(folder / "library")
    library.create()
    settings = load_settings({}, library=library.folder)
    with Catalogue.open(library.catalogue) as catalogue:
        filler = filling.Filler.of_new_library(catalogue, folder / "photos")
        indexer = Indexer(catalogue, library, settings, filler.model)
        return [_grow_to(size, catalogue, settings, filler, indexer) for size in sizes]


def _grow_to(
    size: int, catalogue: Catalogue, settings: Settings, filler: filling.Filler, indexer: Indexer
) -> Costs:
    timed = min(TIMED, size - filler.count)
    _add(size - timed, filler, indexer)
    costs = _add(size, filler, indexer)
    for name in ("record", "commit", "index"):
        setattr(costs, name, getattr(costs, name) / timed)
    costs.publish = _seconds(indexer.publish)
    _weigh(costs, catalogue, filler)
    costs.rebuild = _rebuild(catalogue, settings, filler)
    return costs


def _add(size: int, filler: filling.Filler, indexer: Indexer) -> Costs:
    """Add photos until there are ``size``; return the seconds that each step took in all."""
    costs = Costs(size)
    while filler.count < size:
        start = time.perf_counter()
        jobs = filler.record(min(filling.BATCH, size - filler.count))
        recorded = time.perf_counter()
        filler.commit(jobs)
        committed = time.perf_counter()
        while indexer.catch_up():
            pass
        costs.record += recorded - start
        costs.commit += committed - recorded
        costs.index += time.perf_counter() - committed
    return costs


def _weigh(costs: Costs, catalogue: Catalogue, filler: filling.Filler) -> None:
    catalogue.value("PRAGMA wal_checkpoint(TRUNCATE)")
    costs.catalogue_bytes = catalogue.path.stat().st_size
    folder = snapshot_folder(Library(catalogue.path.parent).index, Space(filler.model))
    costs.index_bytes = sum(path.stat().st_size for path in folder.iterdir())


def _rebuild(catalogue: Catalogue, settings: Settings, filler: filling.Filler) -> float:
    """Return the seconds that an indexer needs to start where there is no snapshot."""
    elsewhere = Library(catalogue.path.parent / "no-snapshot-here")
    return _seconds(lambda: Indexer(catalogue, elsewhere, settings, filler.model))


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _table(measured: Sequence[Costs]) -> Table:
    return Table(
        title="Growth: what one more photo costs, and what a library weighs",
        columns=[
            "photos",
            "record, lease",
            "commit",
            "index, pairs",
            "photos/s",
            "publish snapshot",
            "rebuild index",
            "catalogue a photo",
            "index a photo",
        ],
        rows=[_row(costs) for costs in measured],
        notes=[
            (
                f"A photo's times are averages over the last {TIMED:,}, in batches of {filling.BATCH},"
                " as they come in; every commit reaches the disk (fsync). Vectors of 256 dimensions, in clusters."
            ),
            (
                f"{COPIES:.0%} of the photos are copies of another."
                " Up to 20,000 photos pairs are searched exactly, above through the graph."
            ),
            "The index is a cache: rebuilding it touches no photo.",
        ],
    )


def _row(costs: Costs) -> list[str]:
    each = costs.record + costs.commit + costs.index
    return [
        f"{costs.count:,}",
        *map(milliseconds, (costs.record, costs.commit, costs.index)),
        f"{1 / each:,.0f}",
        *map(milliseconds, (costs.publish, costs.rebuild)),
        f"{costs.catalogue_bytes / costs.count:,.0f} B",
        f"{costs.index_bytes / costs.count:,.0f} B",
    ]


if __name__ == "__main__":
    main()
