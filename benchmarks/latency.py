"""From a new photo to an answer that holds it: `python -m benchmarks.latency` prints two tables.

1. One 12-megapixel photo at a time, the worker warm: from settled (the ledger has it) to searchable
   (committed, and found by a search); and from the file's close() through `twinlens watch`.
2. Many small photos dropped at once into a folder that `twinlens watch` follows, against
   `twinlens scan` of the same.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import filling, photos
from benchmarks.programs import (
    caught_up,
    run,
    running,
    wait_until,
    wait_until_warm,
    worker,
    workspace,
)
from benchmarks.tables import Table, milliseconds, percentile, show
from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.models import get_model
from twinlens.roots import Root, add_root
from twinlens.search import Searcher
from twinlens.settings import Settings
from twinlens.vectors import decode

SETTLE_SECONDS = Settings(library=Path()).settle_seconds
POLL_SECONDS = 0.002
WARM_UP = 4
"""Photos that come first and do not count: every decoder has had one, all code was run once."""

TARGET_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    pixels: tuple[int, int]
    library: int
    settled: int
    watched: int
    dropped: int


FULL = Size(photos.TWELVE_MEGAPIXELS, library=10_000, settled=40, watched=12, dropped=1000)
QUICK = Size((1600, 1200), library=200, settled=3, watched=1, dropped=30)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few small photos: a smoke test")
    size = QUICK if parser.parse_args().quick else FULL
    sources = photos.camera_photos(2 if size is QUICK else 12, size.pixels)
    with workspace() as folder:
        settled = _settled_to_searchable(folder, sources, size)
    with workspace() as folder:
        photos.small_photos(folder / "source", size.dropped)
        watched, dropped = _watch(folder, sources, size)
        show(_one_at_a_time(size, settled, watched))
        show(_at_once(size, dropped, _scan(folder, size.dropped), _scan(folder, 1)))


def _settled_to_searchable(folder: Path, sources: Sequence[Path], size: Size) -> list[float]:
    """Record photos one by one, as the watcher does once they have settled."""
    library = Library(folder / "library")
    library.create()
    photos.copies_that_differ(sources, folder / "ready", size.settled + WARM_UP)
    (folder / "photos").mkdir()
    with Catalogue.open(library.catalogue) as catalogue:
        filling.fill(catalogue, folder / "elsewhere", size.library)
        root = add_root(catalogue, folder / "photos", now=time.time())
        with worker(library.folder):
            wait_until_warm(library)
            wait_until(lambda: caught_up(catalogue), "the index holds the library")
            seconds = []
            for path in sorted((folder / "ready").iterdir()):
                path.rename(folder / "photos" / path.name)
                seconds.append(_searchable_after(catalogue, library, root, path.name))
    return seconds[WARM_UP:]


def _searchable_after(catalogue: Catalogue, library: Library, root: Root, name: str) -> float:
    stat = FileStat.of((root.folder / name).stat())
    ledger.record(catalogue, root.id, [(os.fsencode(name), stat)], now=time.time())
    start = time.monotonic()
    wait_until(lambda: _found(catalogue, library, name), name, pause=POLL_SECONDS)
    return time.monotonic() - start


def _found(catalogue: Catalogue, library: Library, name: str) -> bool:
    """Tell whether a photo is committed and a new search with its vector finds it."""
    model = get_model(catalogue, "serving")
    row = catalogue.row(
        "SELECT content_id, vector FROM files JOIN vectors USING (content_id)"
        " WHERE path = ? AND model_id = ?",
        (os.fsencode(name), model.id if model else 0),
    )
    if model is None or row is None:
        return False
    hits = Searcher(catalogue, library, model).search(decode(row["vector"], model.dimension), 20)
    return row["content_id"] in {hit.content_id for hit in hits}


def _watch(folder: Path, sources: Sequence[Path], size: Size) -> tuple[list[float], float]:
    """Return what the photos that are written one by one take, then all the small ones at once."""
    library = Library(folder / "library")
    target = folder / "photos"
    target.mkdir()
    with running(library.folder, "twinlens_plugin", "watch", target):
        wait_until_warm(library)
        with Catalogue.open(library.catalogue) as catalogue:
            seconds = [
                _searchable_after_close(
                    catalogue,
                    target / f"photo-{number}.jpg",
                    sources[number % len(sources)].read_bytes() + b"copy %d" % number,
                )
                for number in range(size.watched + WARM_UP)
            ]
            return seconds[WARM_UP:], _drop_at_once(catalogue, folder / "source", target)


def _searchable_after_close(catalogue: Catalogue, path: Path, data: bytes) -> float:
    path.write_bytes(data)
    start = time.monotonic()
    library = Library(catalogue.path.parent)
    wait_until(lambda: _found(catalogue, library, path.name), path.name, pause=POLL_SECONDS)
    return time.monotonic() - start


def _drop_at_once(catalogue: Catalogue, source: Path, target: Path) -> float:
    """Return the seconds from the first file's arrival until all are searchable."""
    names = [path.name for path in source.iterdir()]
    expected = _embedded(catalogue) + len(names)
    start = time.monotonic()
    for name in names:
        shutil.copyfile(source / name, target / name)
    wait_until(lambda: _embedded(catalogue) == expected, "all photos are embedded")
    wait_until(lambda: caught_up(catalogue), "the index has caught up")
    return time.monotonic() - start


def _embedded(catalogue: Catalogue) -> int:
    return ledger.counts(catalogue).embedded


def _scan(folder: Path, count: int) -> float:
    """Return the seconds that `twinlens scan` takes for the first ``count`` of the same photos."""
    target = folder / f"scanned-{count}"
    target.mkdir()
    for path in sorted((folder / "source").iterdir())[:count]:
        shutil.copyfile(path, target / path.name)
    return run(folder / f"library-{count}", "twinlens_plugin", "scan", target).wall


def _one_at_a_time(size: Size, settled: Sequence[float], watched: Sequence[float]) -> Table:
    p95 = percentile(settled, 95)
    verdict = "met" if p95 <= TARGET_SECONDS else "**missed**"
    return Table(
        title=f"Latency: one photo of {size.pixels[0] * size.pixels[1] / 1e6:.0f} MP at a time",
        columns=["from, to", "photos", "p50", "p95", "longest"],
        rows=[
            _percentiles("settled (in the ledger), to searchable", settled),
            _percentiles("close(), to searchable, through `twinlens watch`", watched),
        ],
        notes=[
            f"First row in a library of {size.library:,} photos. Target: p95 within 300 ms: {verdict}.",
            (
                f"A file counts as settled {SETTLE_SECONDS:g} s after its last change: that wait is part"
                " of the second row."
            ),
        ],
    )


def _percentiles(name: str, seconds: Sequence[float]) -> list[str]:
    values = (percentile(seconds, 50), percentile(seconds, 95), max(seconds))
    return [name, str(len(seconds)), *map(milliseconds, values)]


def _at_once(size: Size, dropped: float, scanned: float, started: float) -> Table:
    count = size.dropped
    pure = (dropped - SETTLE_SECONDS) / count
    scan = (scanned - started) / max(1, count - 1)
    rows: list[tuple[str, float, float]] = [
        ("dropped into `twinlens watch`, whole", dropped, dropped / count),
        (f"the same, less the {SETTLE_SECONDS:g} s to settle", dropped - SETTLE_SECONDS, pure),
        ("`twinlens scan`, whole", scanned, scanned / count),
        ("`twinlens scan`, less a scan of one photo", scanned - started, scan),
    ]
    return Table(
        title=f"Latency: {count:,} small photos at once, until all are searchable",
        columns=["way", "seconds", "a photo"],
        rows=[[name, f"{whole:.1f}", milliseconds(one)] for name, whole, one in rows],
        notes=[
            (
                f"Dropped whole against scanned whole: **{dropped / scanned:.2f}** of the time; without"
                f" settling and starting up: **{pure / scan:.2f}**."
                " Target: no slower than a scan (at most 1)."
            ),
        ],
    )


if __name__ == "__main__":
    main()
