"""How fast is a sweep that finds nothing to do, and how much memory does the watcher take?

    python benchmarks/sweep.py [FILES ...]

Prints a table. "bare" is what no sweep can do without in Python: ``os.walk`` and a ``stat`` of each
file. Both run in turn in one process, the best of five. Memory is the largest resident set of a
real ``twinlens-watcher`` that watches the folder: "steady" with all photos known, "fresh" when all
were copied there the moment before, so that each waits to settle.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.roots import Root, add_root
from twinlens_watcher.clock import SystemClock
from twinlens_watcher.follow import Follower
from twinlens_watcher.sweep import Sweep

SIZES = (1_000, 10_000, 100_000)
PER_FOLDER = 100
REPEATS = 5


def main() -> None:
    """Measure at each size and print the table."""
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    print(
        "| files | bare walk + stat (ms) | no-op sweep (ms) | ratio | watcher, steady (MB) | fresh (MB) |"
    )
    print("|---:|---:|---:|---:|---:|---:|")
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="twinlens-sweep-") as folder:
            print(measure(Path(folder), size), flush=True)


def measure(folder: Path, size: int) -> str:
    """Return one line of the table."""
    photos = make_photos(folder / "photos", size)
    library = Library(folder / "library")
    library.create()
    with Catalogue.open(library.catalogue) as catalogue:
        root = add_root(catalogue, photos, now=time.time())
        fresh = watcher_memory(library, catalogue, size, settle_seconds=5 + size / 2_000)
        mark_embedded(catalogue)
        sweep, bare = best(
            lambda: sweep_once(catalogue, root, size),
            lambda: bare_walk(photos),
        )
        steady = watcher_memory(library, catalogue, size, settle_seconds=2)
    return (
        f"| {size:,} | {bare * 1e3:.1f} | {sweep * 1e3:.1f} | {sweep / bare:.2f} |"
        f" {steady:.0f} | {fresh:.0f} |"
    )


def make_photos(folder: Path, size: int) -> Path:
    """Write ``size`` empty files, ``PER_FOLDER`` to a folder, two levels deep."""
    for start in range(0, size, PER_FOLDER):
        part = folder / f"{start // 10_000:03}" / f"2024-{start // PER_FOLDER:04}"
        part.mkdir(parents=True, exist_ok=True)
        for number in range(start, min(start + PER_FOLDER, size)):
            (part / f"IMG_{number:06}.jpg").touch()
    return folder


def mark_embedded(catalogue: Catalogue) -> None:
    """Leave the catalogue as it is when every photo was embedded."""
    with catalogue.write_tx() as tx:
        tx.execute(
            "INSERT INTO contents (id, sha256, bytes) SELECT id, CAST(id AS BLOB), size FROM files"
        )
        tx.execute("UPDATE files SET content_id = id")
        tx.execute("DELETE FROM jobs")


def sweep_once(catalogue: Catalogue, root: Root, size: int) -> None:
    """Sweep with the watcher's own code."""
    found = Sweep(Follower(catalogue, root, SystemClock(), 2.0, local=True)).all()
    assert (found.photos, found.changes, found.offline) == (size, 0, None)


def bare_walk(folder: Path) -> None:
    """Walk with a stat of each file and nothing else."""
    for parent, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            os.stat(os.path.join(parent, name))  # noqa: PTH116, PTH118  the bare calls


def best(*calls: Callable[[], None]) -> list[float]:
    """Call all in turn, several times; return the shortest time of each, in seconds."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(REPEATS):
        for call, spent in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            spent.append(time.perf_counter() - start)
    return [min(spent) for spent in times]


def watcher_memory(
    library: Library, catalogue: Catalogue, size: int, *, settle_seconds: float
) -> float:
    """Run the real watcher until it knows all files and has swept twice; return its peak in MB."""
    start = time.time()
    environment = {
        **os.environ,
        "TWINLENS_SWEEP_SECONDS": "1",
        "TWINLENS_SETTLE_SECONDS": str(settle_seconds),
    }
    command = [sys.executable, "-m", "twinlens_watcher", "--library", str(library.folder)]
    process = subprocess.Popen([*command, "--stop-on-eof"], stdin=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    sweeps: set[float] = set()
    while len(sweeps) < 3 or catalogue.value("SELECT count(*) FROM files") < size:
        assert process.poll() is None
        assert time.time() < start + 300
        time.sleep(0.05)
        swept = catalogue.value("SELECT swept_at FROM roots") or 0.0
        sweeps |= {swept} if swept > start else set()
    peak = peak_memory(process.pid)
    process.stdin.close()
    process.wait(30)
    return peak


def peak_memory(pid: int) -> float:
    """Return the largest resident set of a process so far, in MB."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return psutil.Process(pid).memory_info().rss / 1e6
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main()
