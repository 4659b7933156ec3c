"""The Celery workers as real processes over a real Redis."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from twinlens import broker, ledger
from twinlens.asking import ask_worker
from twinlens.catalogue import Catalogue
from twinlens.dispatch import Dispatcher
from twinlens.library import Library
from twinlens.messages import (
    QUEUE_COMMIT,
    QUEUE_EMBED,
    TASK_COMMIT,
    TASK_EMBED,
    Failed,
    ModelRef,
    commit_message,
)
from twinlens.migrations import VERSION
from twinlens.models import get_model
from twinlens.roots import Root
from twinlens.settings import Settings

from .conftest import write_photo
from .test_embedded import embedded, record_folder, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.timeout(300)]

StartQueues = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def settings(library: Library, redis_server: Any) -> Settings:
    """Settings of the owner."""
    return Settings(
        library=library.folder, broker=redis_server.url, batch_size=4, lease_seconds=8, in_flight=16
    )


@pytest.fixture
def start_queues(settings: Settings, tmp_path: Path) -> Iterator[StartQueues]:
    """Start Celery workers by their queues; all are gone at the end."""
    started: list[subprocess.Popen[bytes]] = []
    log = (tmp_path / "celery.log").open("ab")

    def start(queues: str, **environ: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "twinlens_worker", "--queues", queues],
            env={
                **os.environ,
                "TWINLENS_LIBRARY": str(settings.library),
                "TWINLENS_BROKER": str(settings.broker),
                **environ,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
    for process in started:
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    log.close()
    print((tmp_path / "celery.log").read_text(errors="replace")[-6000:])


def _publish_junk(app: Any) -> None:
    """Send what must do no harm: a pickle, an unknown task, JSON that is none of ours (#35)."""
    with app.connection_for_write() as connection:
        producer = connection.Producer(auto_declare=False)
        producer.publish(
            pickle.dumps({"evil": True}),
            routing_key=QUEUE_EMBED,
            content_type="application/x-python-serialize",
            content_encoding="binary",
            headers={"task": TASK_EMBED, "id": "1"},
        )
    for body in ({"v": 99}, {"v": 1}, [], "junk", {"v": 1, "model": {}, "photos": [{}]}):
        broker.send(app, TASK_EMBED, body)
    app.send_task("twinlens.from_the_future", queue=QUEUE_EMBED)


def test_junk_is_refused_and_the_work_is_done(
    settings: Settings, catalogue: Catalogue, root: Root, start_queues: StartQueues, tmp_path: Path
):
    """Junk in the queue harms nothing; a remote worker without a catalogue does the work (#35)."""
    start_queues("commit,query")
    nowhere = tmp_path / "nowhere"
    start_queues("embed", TWINLENS_LIBRARY=str(nowhere))
    wait_for(lambda: get_model(catalogue, "target"), "the owner's worker")
    for number in range(10):
        write_photo(root.folder / f"{number:02}.jpg", number)
    record_folder(catalogue, root)
    app = broker.make_app(str(settings.broker))
    _publish_junk(app)
    dispatcher = Dispatcher(catalogue, settings, app)

    def all_done() -> bool:
        dispatcher.tick()
        return not ledger.has_work(catalogue)

    wait_for(all_done, "all photos embedded")
    assert len(embedded(catalogue)) == 10
    assert ledger.counts(catalogue).quarantined == 0
    assert not nowhere.exists()
    _ask_both_ways(settings, catalogue, root)
    _ping(settings)


def _ask_both_ways(settings: Settings, catalogue: Catalogue, root: Root) -> None:
    """Ask by the local socket, then by the broker alone: the answers agree."""
    model = get_model(catalogue, "serving")
    assert model is not None
    ref = ModelRef(model.name, model.digest)
    path = os.fsencode(root.folder / "00.jpg")
    by_socket = ask_worker(settings, ref, path)
    Library(settings.library).socket.rename(settings.library / "away.sock")
    by_broker = ask_worker(settings, ref, path)
    assert by_socket is not None
    assert by_broker == by_socket


def _ping(settings: Settings) -> None:
    """The health check of compose.yaml answers."""
    result = subprocess.run(
        [sys.executable, "-m", "twinlens_worker", "ping"],
        env={**os.environ, "TWINLENS_BROKER": str(settings.broker)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_redis_wiped_in_mid_import(
    settings: Settings,
    catalogue: Catalogue,
    root: Root,
    start_queues: StartQueues,
    redis_server: Any,
):
    """FLUSHALL while photos are out, twice: all are sent again, none is given up (#26)."""
    start_queues("commit")
    start_queues("embed")
    wait_for(lambda: get_model(catalogue, "target"), "the owner's worker")
    for number in range(40):
        write_photo(root.folder / f"{number:02}.jpg", number)
    record_folder(catalogue, root)
    dispatcher = Dispatcher(catalogue, settings, broker.make_app(str(settings.broker)))
    for least in (1, 8):
        wait_for(lambda least=least: _tick(dispatcher, catalogue) >= least, "progress")
        redis_server.command("FLUSHALL")
    wait_for(lambda: _tick(dispatcher, catalogue) == 40, "all photos embedded")
    assert ledger.counts(catalogue).quarantined == 0
    assert catalogue.value("SELECT count(*) FROM log") == 40


def _tick(dispatcher: Dispatcher, catalogue: Catalogue) -> int:
    dispatcher.tick()
    time.sleep(0.05)
    return len(embedded(catalogue))


def test_commit_worker_ends_with_its_indexer(
    settings: Settings, library: Library, start_queues: StartQueues
):
    """Where the indexer cannot run the worker does not go on without it: it says why and ends."""
    with library.lock("indexer"):
        assert start_queues("commit").wait(timeout=60) == 75


def test_a_commit_worker_from_before_an_upgrade_gives_back_what_was_computed(
    settings: Settings, catalogue: Catalogue, start_queues: StartQueues, library: Library
):
    """It ends, and the results wait for the worker after it; no photo is counted as having failed."""
    old = start_queues("commit")
    wait_for(library.socket.exists, "the owner's worker")
    with catalogue.write_tx() as tx:
        tx.execute(f"PRAGMA user_version = {VERSION + 1}")
    app = broker.make_app(str(settings.broker))
    failed = Failed(1, 1, "damaged", "no image", permanent=True)
    broker.send(app, TASK_COMMIT, commit_message(ModelRef("pocket", "ab" * 32), [failed]))
    assert old.wait(timeout=60) == 1
    assert broker.waiting(app, QUEUE_COMMIT) == 1


def test_unknown_queue_and_missing_broker_are_said(settings: Settings, tmp_path: Path):
    """A mistyped queue, or no broker, is one line and exit code 1."""
    for environ, words in (
        ({"TWINLENS_BROKER": str(settings.broker)}, ["embedd", "Known:"]),
        ({}, ["needs a broker", "TWINLENS_BROKER="]),
        ({"TWINLENS_BROKER": "amqp://host"}, ["Use redis://"]),
    ):
        result = subprocess.run(
            [
                *(sys.executable, "-m", "twinlens_worker"),
                *("--library", str(tmp_path / "l")),
                *("--queues", "embedd" if "embedd" in words else "embed"),
            ],
            env={k: v for k, v in os.environ.items() if k != "TWINLENS_BROKER"} | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 1
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        assert all(word in result.stderr for word in words), result.stderr
