"""The embedded worker as a process: killed, starved of disk space, handed another model."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from twinlens import ledger, models
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.messages import ModelRef, Photo, Result
from twinlens.migrations import VERSION
from twinlens.models import Model
from twinlens.roots import Root, add_root
from twinlens.settings import Settings
from twinlens_worker.embedded import EmbeddedLoop
from twinlens_worker.indexing import IndexingThread
from twinlens_worker.models.descriptor import describe
from twinlens_worker.pipeline import Pipeline, Started
from twinlens_worker.target import make_target

from .conftest import write_photo

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(library: Library, tmp_path: Path) -> Iterator[Start]:
    """Start embedded workers on the library; all are gone at the end."""
    started: list[subprocess.Popen[bytes]] = []
    log = (tmp_path / "worker.log").open("ab")

    def start(**environ: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "twinlens_worker", "--stop-on-eof"]
        process = subprocess.Popen(
            command,
            env={**os.environ, "TWINLENS_LIBRARY": str(library.folder), **environ},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
    log.close()
    print((tmp_path / "worker.log").read_text(errors="replace")[-4000:])


def stop(process: subprocess.Popen[bytes]) -> int:
    """Stop a worker by closing its input; return its exit code."""
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(timeout=60)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    """Wait for a condition, or fail saying what did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


def record_folder(catalogue: Catalogue, root: Root) -> None:
    """Record all photos of a root, as a sweep does."""
    seen = [
        (os.fsencode(path.relative_to(root.folder)), FileStat.of(path.stat()))
        for path in sorted(root.folder.rglob("*.jpg"))
    ]
    ledger.record(catalogue, root.id, seen, now=time.time())


def embedded(catalogue: Catalogue) -> dict[bytes, int]:
    """Return path -> content of every photo that was acknowledged."""
    rows = catalogue.rows("SELECT path, content_id FROM files WHERE content_id IS NOT NULL")
    return {row["path"]: row["content_id"] for row in rows}


@pytest.mark.timeout(300)
def test_killed_again_and_again(catalogue: Catalogue, root: Root, start_worker: Start):
    """SIGKILL in mid-batch, five times: every photo is done once, none acknowledged is lost (#1)."""
    for number in range(60):
        write_photo(root.folder / f"{number:02}.jpg", number)
    record_folder(catalogue, root)
    acknowledged: dict[bytes, int] = {}
    for _ in range(5):
        worker = start_worker(TWINLENS_BATCH_SIZE="4")
        before = len(embedded(catalogue))
        wait_for(lambda before=before: len(embedded(catalogue)) > before, "progress")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        acknowledged |= embedded(catalogue)
    assert len(acknowledged) < 60, "the kills came too late to test anything"
    worker = start_worker()
    wait_for(lambda: not ledger.has_work(catalogue), "all photos embedded")
    assert stop(worker) == 0
    final = embedded(catalogue)
    assert len(final) == 60
    assert {path: final[path] for path in acknowledged} == acknowledged
    assert len(set(final.values())) == 60
    assert catalogue.value("SELECT count(*) FROM vectors") == 60
    assert catalogue.value("SELECT count(*) FROM log") == 60
    assert ledger.counts(catalogue).quarantined == 0
    assert not Library(catalogue.path.parent).socket.exists()


@pytest.mark.timeout(120)
def test_second_worker_refuses(catalogue: Catalogue, start_worker: Start, library: Library):
    """Two workers on one library: the second says so and leaves with 75."""
    start_worker()
    wait_for(lambda: library.locked("worker"), "the first worker's lock")
    second = start_worker()
    assert second.wait(timeout=60) == 75


@pytest.mark.timeout(120)
def test_a_worker_from_before_an_upgrade_ends_and_loses_nothing(
    catalogue: Catalogue, root: Root, library: Library, start_worker: Start, tmp_path: Path
):
    """Its tables are newer than it knows: one line says to start it again, and a newer one goes on."""
    write_photo(root.folder / "1.jpg", 1)
    record_folder(catalogue, root)
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE roots SET online = 0")
    old = start_worker()
    wait_for(library.socket.exists, "the worker")
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE roots SET online = 1")
        tx.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert old.wait(timeout=60) == 1
    assert "Stop this old process" in (tmp_path / "worker.log").read_text()
    with contextlib.closing(sqlite3.connect(catalogue.path)) as later:
        later.execute(f"PRAGMA user_version = {VERSION}")  # as far as the next one knows it
    start_worker()
    wait_for(lambda: embedded(catalogue), "the photo")


@pytest.mark.timeout(200)
def test_model_switched_in_mid_import(
    catalogue: Catalogue, root: Root, start_worker: Start, tmp_path: Path
):
    """Vectors of two models never mix; the old one answers until the new one has all (#48)."""
    for number in range(24):
        write_photo(root.folder / f"{number:02}.jpg", number)
    record_folder(catalogue, root)
    worker = start_worker(TWINLENS_BATCH_SIZE="4")
    wait_for(lambda: len(embedded(catalogue)) >= 4, "the first batch")
    first = models.get_model(catalogue, "serving")
    info = describe("pocket")
    weights = _other_weights(tmp_path)
    other = describe("pocket", weights=weights)
    assert other.digest != info.digest
    make_target(catalogue, other, weights)
    assert models.get_model(catalogue, "serving") == first
    wait_for(
        lambda: models.get_model(catalogue, "serving") == models.get_model(catalogue, "target"),
        "the new model serves",
    )
    wait_for(lambda: not ledger.has_work(catalogue), "all photos embedded")
    assert stop(worker) == 0
    target = models.get_model(catalogue, "target")
    assert target is not None
    per_model = dict(
        map(tuple, catalogue.rows("SELECT model_id, count(*) FROM vectors GROUP BY model_id"))
    )
    assert per_model[target.id] == 24
    assert target.digest == other.digest


def _other_weights(folder: Path) -> Path:
    """Return a file of the bundled model's layout with weights of its own."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    from twinlens_worker.models.pocket_file import BUNDLED

    with safe_open(BUNDLED, "pt") as opened:
        tensors = {name: opened.get_tensor(name) * 1.01 for name in opened.keys()}  # noqa: SIM118
        metadata = opened.metadata()
    path = folder / "other.safetensors"
    save_file(tensors, path, metadata=metadata)
    return path


_TMPFS = """
mount -t tmpfs -o size=16m tmpfs {library} && exec {python} - <<'SCRIPT'
{script}
SCRIPT
"""

_FULL_DISK = """
import os, subprocess, sys, time
from pathlib import Path
from tests.worker.test_embedded import record_folder, embedded
from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.roots import add_root

library = Library(Path({library!r}))
with Catalogue.open(library.catalogue) as catalogue:
    root = add_root(catalogue, Path({photos!r}), now=time.time())
    record_folder(catalogue, root)
    ballast = os.open(library.folder / "ballast", os.O_CREAT | os.O_WRONLY)
    worker = subprocess.Popen(
        [sys.executable, "-m", "twinlens_worker", "--stop-on-eof"],
        stdin=subprocess.PIPE,
        env=dict(os.environ, TWINLENS_LIBRARY=str(library.folder), TWINLENS_THUMBNAILS="no",
                 TWINLENS_BATCH_SIZE="2"),
    )
    while not embedded(catalogue):
        time.sleep(0.01)
    for size in (65536, 1):
        try:
            while True:
                os.write(ballast, bytes(size))
        except OSError:
            pass
    time.sleep(6)
    assert worker.poll() is None, "the worker died on a full disk"
    stuck = len(embedded(catalogue))
    os.ftruncate(ballast, 0)
    deadline = time.monotonic() + 60
    while ledger.has_work(catalogue) and time.monotonic() < deadline:
        time.sleep(0.1)
    worker.stdin.close()
    assert worker.wait(60) == 0
    assert stuck < 40, "the disk was never full"
    assert len(embedded(catalogue)) == 40
    assert ledger.counts(catalogue).quarantined == 0
    assert catalogue.value("PRAGMA integrity_check") == "ok"
print("consistent")
"""


@pytest.mark.timeout(200)
def test_full_disk_pauses_and_resumes(tmp_path: Path):
    """A full disk under the catalogue pauses the worker; with space again it goes on (#36)."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a small tmpfs needs root and unshare")
    photos, library = tmp_path / "photos", tmp_path / "library"
    library.mkdir()
    for number in range(40):
        write_photo(photos / f"{number:02}.jpg", number)
    script = _FULL_DISK.format(library=str(library), photos=str(photos))
    command = _TMPFS.format(library=library, python=sys.executable, script=script)
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", command],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    if "mount:" in result.stderr:
        pytest.skip("this sandbox allows no tmpfs")
    assert result.returncode == 0, result.stderr[-3000:]
    assert "consistent" in result.stdout


def test_root_that_is_offline_waits(catalogue: Catalogue, tmp_path: Path):
    """Photos of an unmounted disk are not handed out."""
    folder = tmp_path / "disk"
    write_photo(folder / "a.jpg", 1)
    root = add_root(catalogue, folder, now=1.0)
    record_folder(catalogue, root)
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE roots SET online = 0")
    assert not ledger.lease(catalogue, "w", now=time.time(), seconds=1, limit=5)


def test_closed_input_is_an_end(library: Library):
    """A worker that is told to stop at the end of its input stops where there is none at all."""
    result = subprocess.run(
        ["sh", "-c", 'exec "$0" -m twinlens_worker --stop-on-eof <&-', sys.executable],
        env={**os.environ, "TWINLENS_LIBRARY": str(library.folder)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr


class FailingPipeline:
    """Stands in for a pipeline whose graphics card has no memory left."""

    model = ModelRef("pocket", "ab" * 32)

    def start(self, photos: Sequence[Photo]) -> Started:
        """Begin to decode photos."""
        return [(photo, Future()) for photo in photos]

    def finish(self, started: Started, *, with_labels: bool = False) -> list[Result]:
        """Fail."""
        raise MemoryError(f"no memory for {len(started)} photos")


def test_worker_that_fails_gives_all_its_photos_back(
    catalogue: Catalogue, library: Library, model: Model, root: Root
):
    """It holds two batches. Neither counts as lost with a worker: nothing is known against them."""
    seen = [(b"%d.jpg" % i, FileStat(1, 1, 1, i)) for i in range(4)]
    ledger.record(catalogue, root.id, seen, now=1.0)
    settings = Settings(library=library.folder, batch_size=2)
    pipeline, indexing = cast("Pipeline", FailingPipeline()), IndexingThread(settings)
    loop = EmbeddedLoop(catalogue, settings, pipeline, model, indexing, Event())
    with pytest.raises(MemoryError):
        loop.run()
    assert ledger.counts(catalogue).pending == 4
    assert catalogue.value("SELECT sum(lapses) FROM jobs") == 0
