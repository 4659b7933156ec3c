"""Running the real programs and counting what they cost."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import get_model

REPOSITORY = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 280.0

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: CPU of all its processes, and time on the wall, in seconds."""

    cpu: float
    wall: float


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """Give a folder on disk that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="twinlens-benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(library: Path, **settings: str) -> dict[str, str]:
    """Return an environment for programs that work on ``library``, free of the user's settings."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("TWINLENS_")}
    settings = {f"TWINLENS_{name.upper()}": value for name, value in settings.items()}
    return {**own, "TWINLENS_LIBRARY": str(library), **settings}


def run(library: Path, module: str, *arguments: str | Path, **settings: str) -> Cost:
    """Run one of our programs to its end; return what it and all its descendants cost.

    A decoder that is killed with its worker is waited for by nobody, and its CPU time would be
    lost: as their sub-reaper (Linux) we inherit such processes, and wait for them here. Call only
    while no other child of ours runs. Raises SystemExit where the program fails.
    """
    _become_subreaper()
    before, start = _cpu_of_children(), time.monotonic()
    result = subprocess.run(
        _command(module, arguments),
        env=environment(library, **settings),
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    wall = time.monotonic() - start
    if result.returncode != 0:
        sys.exit(f"{module} {' '.join(map(str, arguments))}: {result.stderr.decode()[-2000:]}")
    _reap_orphans()
    return Cost(_cpu_of_children() - before, wall)


@contextlib.contextmanager
def running(
    library: Path, module: str, *arguments: str | Path, **settings: str
) -> Iterator[psutil.Process]:
    """Start one of our programs and stop it in good order at the end."""
    log = library.parent / f"{module}.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            _command(module, arguments),
            env=environment(library, **settings),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )
    try:
        yield psutil.Process(process.pid)
        if process.poll() is not None:
            sys.exit(f"{module} stopped: {log.read_text(errors='replace')[-2000:]}")
    finally:
        process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def worker(library: Path, **settings: str) -> contextlib.AbstractContextManager[psutil.Process]:
    """Start the embedded worker on a library."""
    return running(library, "twinlens_worker", **settings)


def wait_until(condition: Callable[[], object], what: str, *, pause: float = 0.02) -> None:
    """Wait until ``condition`` holds. Raises SystemExit, saying ``what`` did not happen."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"not within {WAIT_SECONDS:.0f} s: {what}")
        time.sleep(pause)


def wait_until_warm(library: Library) -> None:
    """Wait until the worker listens on its socket: model loaded, decoders started."""
    wait_until(library.socket.exists, "the worker is ready")


def caught_up(catalogue: Catalogue) -> bool:
    """Tell whether every photo is committed, and its neighbours are searched."""
    model = get_model(catalogue, "target")
    if model is None or ledger.has_work(catalogue):
        return False
    last = catalogue.value("SELECT coalesce(max(seq), 0) FROM log WHERE model_id = ?", (model.id,))
    return int(catalogue.meta(f"pairs_seq:{model.id}") or 0) >= int(last)


def tree(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all its descendants that live now."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Return the CPU time that processes have used so far."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _command(module: str, arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _become_subreaper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _reap_orphans() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
