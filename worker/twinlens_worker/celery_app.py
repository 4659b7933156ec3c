"""The Celery worker: the same pipeline as tasks, on as many computers as there are.

``embed`` needs to see the photos and nothing else: no catalogue, no index. ``commit`` runs on the
owner's computer, in one process. ``query`` embeds an unseen photo, ahead of bulk work.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Any, Protocol

from celery import Celery
from celery.exceptions import Reject
from celery.worker import state

from twinlens import broker
from twinlens.catalogue import Catalogue
from twinlens.errors import ConfigError, MessageError, ModelError, NewerCatalogueError
from twinlens.library import Library
from twinlens.messages import (
    QUEUE_COMMIT,
    QUEUE_EMBED,
    QUEUE_QUERY,
    TASK_COMMIT,
    TASK_EMBED,
    TASK_QUERY,
    ModelRef,
    commit_message,
    read_commit,
    read_embed,
)
from twinlens.settings import Settings
from twinlens_worker.background import Background
from twinlens_worker.commit import commit_patiently
from twinlens_worker.decode import DecoderPool
from twinlens_worker.local_models import LocalModels
from twinlens_worker.local_socket import LocalSocket, answer_query
from twinlens_worker.models.descriptor import Descriptor
from twinlens_worker.pipeline import Pipeline
from twinlens_worker.target import ensure_target, ref

log = logging.getLogger("twinlens.worker")

QUEUES = (QUEUE_EMBED, QUEUE_COMMIT, QUEUE_QUERY)
WRONG_MODEL_PAUSE = 5.0
MODELS_KEPT = 2
PING_SECONDS = 10.0
EXIT_FAILED = 1


def run_celery(settings: Settings, queues: Sequence[str]) -> None:
    """Work on ``queues`` until told to stop.

    Raises ConfigError for an unknown queue or where no broker is set.
    """
    if unknown := [queue for queue in queues if queue not in QUEUES]:
        raise ConfigError(f"--queues has value '{unknown[0]}'. Known: {', '.join(QUEUES)}.")
    if not settings.broker:
        raise ConfigError("--queues needs a broker. Set it: TWINLENS_BROKER=redis://host:6379/0")
    app = broker.make_app(settings.broker)
    # Waiting for a lost Redis never ends: workers come back by themselves.
    app.conf.broker_connection_max_retries = None
    library = Library(settings.library) if QUEUE_COMMIT in queues else None
    models = LoadedModels(settings, LocalModels(settings, library))
    with contextlib.ExitStack() as stack:
        stack.callback(models.close)
        if QUEUE_EMBED in queues:
            register_embed(app, models)
        if QUEUE_QUERY in queues:
            register_query(app, models)
        if QUEUE_COMMIT in queues:
            stack.enter_context(_commit_side(app, settings, models))
        app.worker_main(_arguments(queues))


def answers_here(settings: Settings) -> bool:
    """Tell whether a worker of this computer answers through the broker.

    Raises ConfigError where no broker is set, BrokerError where it is away.
    """
    if not settings.broker:
        raise ConfigError("there is no broker to ask. Set it: TWINLENS_BROKER=redis://host:6379/0")
    app = broker.make_app(settings.broker)
    broker.waiting(app, QUEUE_EMBED)  # raises where the broker is away
    # A solo worker answers between two batches.
    answers = app.control.ping(timeout=PING_SECONDS)
    here = f"@{socket.gethostname()}"
    return any(name.endswith(here) for answer in answers for name in answer)


def _arguments(queues: Sequence[str]) -> list[str]:
    # CUDA does not survive a fork: the solo pool runs tasks in the process that loaded the model.
    name = f"{'-'.join(queues)}-{os.getpid()}@{socket.gethostname()}"
    options = ["--without-gossip", "--without-mingle", "--loglevel=INFO"]
    return ["worker", "--pool=solo", f"--queues={','.join(queues)}", f"--hostname={name}", *options]


class ModelSource(Protocol):
    """Where models are loaded from."""

    def load(self, wanted: ModelRef) -> Descriptor:
        """Load a model. Raises ModelError."""
        ...


class LoadedModels:
    """The models in use, loaded when first asked for.

    Two at most: while a library goes over to another, photos are embedded with one and questions
    answered with the other, by turns.
    """

    def __init__(self, settings: Settings, models: ModelSource) -> None:
        self._settings = settings
        self._models = models
        self._pipelines: OrderedDict[ModelRef, Pipeline] = OrderedDict()
        self._decoders: DecoderPool | None = None
        self._lock = threading.RLock()  # the local socket asks from a thread of its own

    def pipeline(self, wanted: ModelRef) -> Pipeline:
        """Return the pipeline for a model. Raises ModelError where its weights are not here."""
        with self._lock:
            found = self._pipelines.get(wanted) or self._load(wanted)
            self._pipelines[wanted] = found
            self._pipelines.move_to_end(wanted)
            if len(self._pipelines) > MODELS_KEPT:
                self._pipelines.popitem(last=False)
            return found

    def _load(self, wanted: ModelRef) -> Pipeline:
        descriptor = self._models.load(wanted)
        log.info("loaded model %s (%s)", wanted.name, wanted.digest[:12])
        if self._decoders is None:
            self._decoders = DecoderPool(self._settings)
        return Pipeline(descriptor, self._settings, decoders=self._decoders)

    def close(self) -> None:
        """Stop the decoders, which all the models share."""
        with self._lock:
            self._pipelines.clear()
            if self._decoders is not None:
                self._decoders.close()
                self._decoders = None


def register_embed(app: Celery, models: LoadedModels) -> None:
    """Register the task that reads and embeds a batch, and sends the results to ``commit``."""

    @app.task(name=TASK_EMBED)  # type: ignore[untyped-decorator]
    def embed(body: Any) -> None:  # noqa: ANN401
        with _bad_message_dropped():
            wanted, photos = read_embed(body)
            try:
                pipeline = models.pipeline(wanted)
            except ModelError as error:
                # Another worker may have the right weights; do not spin if none has.
                log.error("%s", error)  # noqa: TRY400
                time.sleep(WRONG_MODEL_PAUSE)
                raise Reject(str(error), requeue=True) from error
            results = pipeline.run(photos, with_labels=wanted.with_labels)
            # Raises where Redis is away: the leases lapse and the batch is done again.
            broker.send(app, TASK_COMMIT, commit_message(wanted, results))


def register_query(app: Celery, models: LoadedModels) -> None:
    """Register the task that embeds one unseen photo."""

    @app.task(name=TASK_QUERY, ignore_result=False)  # type: ignore[untyped-decorator]
    def query(body: Any) -> dict[str, Any]:  # noqa: ANN401
        return answer_query(models.pipeline, body)


def register_commit(
    app: Celery,
    catalogue: Catalogue,
    settings: Settings,
    committed: Callable[[], None],
    outgrown: Callable[[NewerCatalogueError], None],
) -> None:
    """Register the task that commits results; the owner's computer runs one of it.

    It says when something was ``committed``, or why nothing will be any more: ``outgrown``.
    """
    never = Event()

    @app.task(name=TASK_COMMIT)  # type: ignore[untyped-decorator]
    def commit_results(body: Any) -> None:  # noqa: ANN401
        with _bad_message_dropped():
            model, results = read_commit(body)
            try:
                commit_patiently(catalogue, settings, model, results, never)
            except NewerCatalogueError as error:
                # Left from before an upgrade: what was computed waits for the worker after this one.
                outgrown(error)
                raise Reject(str(error), requeue=True) from None
            committed()


@contextlib.contextmanager
def _commit_side(app: Celery, settings: Settings, models: LoadedModels) -> Iterator[None]:
    """Open what the owner's side needs: the catalogue, the indexer, the local socket."""
    library = Library(settings.library)
    library.create()
    failures: list[BaseException] = []

    def outgrown(error: NewerCatalogueError) -> None:
        failures.append(error)
        _stop_celery()

    with library.lock("worker"), Catalogue.open(library.catalogue) as catalogue:
        target = ensure_target(catalogue, settings)
        # Without its indexer this worker would go on, and duplicates be sought no more.
        background = Background(settings, _stop_celery)
        background.start()
        register_commit(app, catalogue, settings, background.wake, outgrown)
        models.pipeline(ref(target))  # now, not at the first query
        listener = LocalSocket(library.socket, models.pipeline)
        try:
            yield
        finally:
            listener.close()
            background.close()
            if background.failure is not None:
                failures.append(background.failure)
            if failures:
                raise failures[0]


def _stop_celery() -> None:
    """Have Celery's loop end after the task at hand, from any thread, also before it began."""
    state.should_stop = EXIT_FAILED


@contextlib.contextmanager
def _bad_message_dropped() -> Iterator[None]:
    """Drop a message that is not ours; the ledger sends its photos again if there were any."""
    try:
        yield
    except MessageError as error:
        log.error("%s", error)  # noqa: TRY400
