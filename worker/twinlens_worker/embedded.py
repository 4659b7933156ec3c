"""The embedded worker: leases from the ledger, embeds, commits. Nothing else needs to run."""

from __future__ import annotations

import logging
import os
import socket
import time
from functools import partial
from threading import Event

from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import Model, get_model
from twinlens.settings import Settings
from twinlens_worker.background import Background
from twinlens_worker.commit import commit_patiently
from twinlens_worker.decode import KnownVectors
from twinlens_worker.local_models import LocalModels
from twinlens_worker.local_socket import LocalSocket
from twinlens_worker.patience import patiently
from twinlens_worker.pipeline import Pipeline, Started
from twinlens_worker.target import ensure_target, ref

log = logging.getLogger("twinlens.worker")

OWNER = "embedded"
"""Lease owner of the one embedded worker; the worker's lock makes it one."""

IDLE_POLL_SECONDS = 0.05
IDLE_RATIO = 20
"""Rest for this many times as long as it took to find no work. With 200,000 photos of an unplugged
disk waiting, asking takes 0.25 s."""


def run_embedded(settings: Settings, stop: Event) -> None:
    """Work until ``stop`` is set.

    Raises AlreadyRunningError where another worker has this library, ModelError.
    """
    library = Library(settings.library)
    library.create()
    with library.lock("worker"), Catalogue.open(library.catalogue) as catalogue:
        with catalogue.write_tx() as tx:
            # The lock is ours, so whoever held these leases is dead.
            ledger.expire(tx, now=time.time(), owner=OWNER)
        background = Background(settings)
        # First: the indexer would take up a new model before its background is in the catalogue, and
        # make an index in a space that does not answer.
        ensure_target(catalogue, settings)
        background.start()
        try:
            while not stop.is_set():
                _run_model(catalogue, library, settings, background, stop)
        finally:
            background.close()
        if background.failure is not None:
            raise background.failure


def _run_model(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    background: Background,
    stop: Event,
) -> None:
    """Work with the target model until stopped or until another model is the target."""
    target = ensure_target(catalogue, settings)
    descriptor = LocalModels(settings, library).load(ref(target))
    with Pipeline(
        descriptor,
        settings,
        known=KnownVectors(library.catalogue, target.id),
        thumbnails=library.thumbnails if settings.thumbnails else None,
    ) as pipeline:
        from twinlens_worker.relating import (
            answer_relate,
        )  # OpenCV: imported by the verifier by now

        relate = partial(answer_relate, settings, pipeline.decode)
        listener = LocalSocket(library.socket, pipeline.for_model, relate)
        log.info(
            "ready: model %s, process %d on %s", target.name, os.getpid(), socket.gethostname()
        )
        try:
            EmbeddedLoop(catalogue, settings, pipeline, target, background, stop).run()
        finally:
            listener.close()


class EmbeddedLoop:
    """Lease, embed, commit; one batch is decoded while another is embedded."""

    def __init__(
        self,
        catalogue: Catalogue,
        settings: Settings,
        pipeline: Pipeline,
        target: Model,
        background: Background,
        stop: Event,
    ) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._pipeline = pipeline
        self._target = target
        self._background = background
        self._stop = stop

    def run(self) -> None:
        """Run until stopped, or until the target model changes; leave no lease behind."""
        current: Started = []
        following: Started = []
        try:
            while self._goes_on():
                asked = time.monotonic()
                following = self._lease_and_start()
                if current:
                    self._finish_and_commit(current)
                elif not following:
                    took = time.monotonic() - asked
                    self._stop.wait(max(IDLE_POLL_SECONDS, took * IDLE_RATIO))
                current, following = following, []
        finally:
            self._give_back([*current, *following])

    def _goes_on(self) -> bool:
        if self._background.failure is not None:
            raise self._background.failure
        return not self._stop.is_set() and get_model(self._catalogue, "target") == self._target

    def _lease_and_start(self) -> Started:
        if not ledger.has_work(self._catalogue):
            return []
        return self._pipeline.start(patiently(self._lease, self._stop) or [])

    def _lease(self) -> list[ledger.Job]:
        return ledger.lease(
            self._catalogue,
            OWNER,
            now=time.time(),
            seconds=self._settings.lease_seconds,
            limit=self._settings.batch_size,
        )

    def _finish_and_commit(self, started: Started) -> None:
        results = self._pipeline.finish(started, with_labels=self._target.labels)
        commit_patiently(self._catalogue, self._settings, self._pipeline.model, results, self._stop)
        self._background.wake()

    def _give_back(self, started: Started) -> None:
        for _, future in started:
            future.cancel()
        ids = [photo.file_id for photo, _ in started]
        patiently(lambda: ledger.release(self._catalogue, ids), self._stop)
