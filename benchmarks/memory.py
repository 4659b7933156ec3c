"""Memory while large photos come in: `python -m benchmarks.memory` prints a markdown table.

The real worker with its decoders takes one photo of 100 megapixels at a time, in four formats, and
then all at once. Memory is the resident set (RSS) of each process of the tree, added up every 20 ms.
That counts what they share more than once, some 20 MB a decoder; the proportional set would not,
but it shrinks while any other program on the computer uses torch.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import photos
from benchmarks.programs import caught_up, tree, wait_until, wait_until_warm, worker, workspace
from benchmarks.tables import Table, megabytes, show
from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.roots import Root, add_root
from twinlens_worker.models.descriptor import describe
from twinlens_worker.target import make_target

KINDS = ("baseline", "progressive", "png", "tiff")
NAMES = {"baseline": "JPEG", "progressive": "JPEG, progressive", "png": "PNG", "tiff": "TIFF"}
LOOK_SECONDS = 0.02
LIMIT = 1.5e9


@dataclass(frozen=True, slots=True)
class Peak:
    """The most memory that a worker used while something came in."""

    all: int
    """Bytes of the process tree, at its worst moment."""
    worker: int
    """Of these, the worker's own; the rest are the decoders."""


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller photos: a smoke test")
    quick = parser.parse_args().quick
    size = (3000, 2000) if quick else photos.HUNDRED_MEGAPIXELS
    kinds = KINDS[:1] if quick else KINDS
    sources = {kind: photos.hundred_megapixels(kind, size) for kind in kinds}
    with workspace() as folder:
        show(_table(size, sources, _measure(folder, sources)))


def _measure(folder: Path, sources: dict[str, Path]) -> dict[str, Peak]:
    library = Library(folder / "library")
    library.create()
    (folder / "photos").mkdir()
    with Catalogue.open(library.catalogue) as catalogue:
        make_target(catalogue, describe("pocket"))
        root = add_root(catalogue, folder / "photos", now=time.time())
        peaks = {"no photo": _peak(catalogue, root, [])}
        peaks |= {kind: _peak(catalogue, root, [path]) for kind, path in sources.items()}
        if len(sources) > 1:
            peaks["all at once"] = _peak(catalogue, root, list(sources.values()))
        return peaks


def _peak(catalogue: Catalogue, root: Root, paths: Sequence[Path]) -> Peak:
    """Return the peak of a fresh worker while photos come in, all at once."""
    library = Library(catalogue.path.parent)
    with worker(library.folder) as process:
        wait_until_warm(library)
        wait_until(lambda: _idle(process), "the worker and its decoders have started", pause=0.5)
        with _watched(process) as peak:
            _bring(catalogue, root, paths)
            wait_until(lambda: caught_up(catalogue), "the photos are in", pause=0.1)
            time.sleep(0.2)
    failed = ledger.counts(catalogue).quarantined
    if failed:
        reasons = catalogue.rows("SELECT reason FROM jobs WHERE state = 'quarantined'")
        raise SystemExit(f"{failed} photos were refused: {reasons[0]['reason']}")
    return peak()


def _idle(process: psutil.Process) -> bool:
    """Tell whether the tree has used no CPU worth speaking of for a while."""
    return all(member.cpu_percent(0.3) < 30 for member in tree(process))


def _bring(catalogue: Catalogue, root: Root, paths: Sequence[Path]) -> None:
    """Put photos into the folder, none like any before, and record them as the watcher does."""
    seen = []
    for path in paths:
        unique = os.urandom(8)
        name = f"{unique.hex()}{path.suffix}"
        shutil.copyfile(path, root.folder / name)
        with (root.folder / name).open("ab") as file:
            file.write(unique)
        seen.append((os.fsencode(name), FileStat.of((root.folder / name).stat())))
    ledger.record(catalogue, root.id, seen, now=time.time())


@contextlib.contextmanager
def _watched(process: psutil.Process) -> Iterator[Callable[[], Peak]]:
    stop = threading.Event()
    peaks = [Peak(0, 0)]

    def watch() -> None:
        while not stop.wait(LOOK_SECONDS):
            now = _memory_now(process)
            if now.all > peaks[-1].all:
                peaks.append(now)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lambda: peaks[-1]
    finally:
        stop.set()
        watching.join()


def _memory_now(process: psutil.Process) -> Peak:
    sizes = [_memory(member) for member in tree(process)]
    return Peak(sum(sizes), sizes[0] if sizes else 0)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _table(size: tuple[int, int], sources: dict[str, Path], peaks: dict[str, Peak]) -> Table:
    pixels = size[0] * size[1] / 1e6
    rows = [
        [
            _name(what, sources, pixels),
            megabytes(peak.all),
            megabytes(peak.worker),
            megabytes(peak.all - peak.worker),
        ]
        for what, peak in peaks.items()
    ]
    worst = max(peaks[kind].all for kind in sources)
    verdict = "met" if worst < LIMIT else "**missed**"
    return Table(
        title="Memory: the worker and its decoders, at the worst moment",
        columns=["what comes in", "all processes", "worker", "decoders"],
        rows=rows,
        notes=[
            (
                f"Worst of the formats: **{megabytes(worst)}**. Target: under 1,500 MB while a"
                f" 100 MP photo comes in: {verdict}. At rest most of it is torch."
            ),
            "Resident sets added up, what the processes share counted in each. Each row is a fresh worker.",
        ],
    )


def _name(what: str, sources: dict[str, Path], pixels: float) -> str:
    if what not in sources:
        return what
    return f"one {NAMES[what]} of {pixels:.0f} MP, {megabytes(sources[what].stat().st_size)}"


if __name__ == "__main__":
    main()
