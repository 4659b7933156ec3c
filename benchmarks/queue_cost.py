"""What the queue costs a photo: `python -m benchmarks.queue_cost` prints a markdown table.

A real Redis server, a real Celery worker (solo), the real messages and the real `embed` task, with
made vectors in place of decoding: photos sent one to a task against photos sent 32 to a task.
Counted is the CPU time of sender, worker and Redis together. Needs the program redis-server.
"""

# Not called queue.py: run as a script, it would stand in for the standard library's queue.

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.programs import REPOSITORY, cpu_seconds, wait_until, workspace
from benchmarks.tables import Table, milliseconds, show
from twinlens import broker
from twinlens.messages import TASK_EMBED, ModelRef, Photo, embed_message

MICRO_BATCH = 32
DONE = "benchmark-done"
MODEL = ModelRef("pocket", "ab" * 32)


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds a photo."""

    sender: float
    worker: float
    server: float
    tasks: int

    @property
    def total(self) -> float:
        """All three together."""
        return self.sender + self.worker + self.server


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few photos: a smoke test")
    photos = 320 if parser.parse_args().quick else 4800
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("redis-server is not installed. Install it: apt install redis-server")
    with workspace() as folder:
        single, batched = _measure(program, folder, photos)
    show(_table(photos, single, batched))


def _measure(program: str, folder: Path, photos: int) -> tuple[Spent, Spent]:
    port = _spare_port()
    url = f"redis://127.0.0.1:{port}/0"
    # Append-only file and no eviction, as compose.yaml runs it.
    options = "--save  --appendonly yes --maxmemory-policy noeviction --bind 127.0.0.1".split(" ")
    server = _start([program, *options, "--port", str(port), "--dir", str(folder)], folder)
    client = redis.Redis(port=port)
    worker = None
    try:
        wait_until(lambda: _answers(client), "Redis answers")
        worker = _start([sys.executable, "-m", "benchmarks.queue_worker", url], folder)
        processes = [psutil.Process(worker.pid), psutil.Process(server.pid)]
        _send_and_wait(url, client, 64, MICRO_BATCH, processes)  # connects, imports
        return (
            _send_and_wait(url, client, photos, 1, processes),
            _send_and_wait(url, client, photos, MICRO_BATCH, processes),
        )
    finally:
        client.close()
        for process in (worker, server):
            if process is not None:
                process.terminate()
                process.wait(timeout=30)


def _start(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "programs.log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _answers(client: Any) -> bool:  # noqa: ANN401  the client's methods are typed for async too
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def _send_and_wait(
    url: str,
    client: Any,  # noqa: ANN401
    photos: int,
    batch: int,
    processes: Sequence[psutil.Process],
) -> Spent:
    """Send photos, ``batch`` to a task, and wait until the worker has committed them all."""
    app = broker.make_app(url)
    worker, server = processes
    client.delete(DONE)
    client.set(f"{DONE}-wanted", photos)
    before = time.process_time(), cpu_seconds([worker]), cpu_seconds([server])
    for start in range(0, photos, batch):
        numbers = range(start, min(photos, start + batch))
        broker.send(app, TASK_EMBED, embed_message(MODEL, [_photo(n) for n in numbers]))
    sent = time.process_time()
    if client.blpop([DONE], timeout=200) is None:
        sys.exit("not within 200 s: all photos are through the queue")
    return Spent(
        sender=(sent - before[0]) / photos,
        worker=(cpu_seconds([worker]) - before[1]) / photos,
        server=(cpu_seconds([server]) - before[2]) / photos,
        tasks=-(-photos // batch),
    )


def _photo(number: int) -> Photo:
    path = os.fsencode(f"2026/05/01/IMG_{number:07}.JPG")
    return Photo(number, 1, "photos", b"/home/user/Pictures", path, 4_800_000)


def _spare_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _table(photos: int, single: Spent, batched: Spent) -> Table:
    rows = [
        [
            name,
            f"{spent.tasks:,}",
            *map(milliseconds, (spent.sender, spent.worker, spent.server)),
            milliseconds(spent.total),
            f"{single.total / spent.total:.1f}"
            if spent is single
            else f"**{single.total / spent.total:.1f}**",
        ]
        for name, spent in (("one photo a task", single), (f"{MICRO_BATCH} photos a task", batched))
    ]
    return Table(
        title=f"Queue: CPU a photo, {photos:,} photos through Redis and Celery",
        columns=["way", "`embed` tasks", "sender", "worker", "Redis", "all", "times cheaper"],
        rows=rows,
        notes=[
            (
                "Each `embed` task sends one `commit` task with its vectors; the worker takes both."
                " No decoding, no embedding, no catalogue. Target: at least 5 times cheaper."
            ),
        ],
    )


if __name__ == "__main__":
    main()
