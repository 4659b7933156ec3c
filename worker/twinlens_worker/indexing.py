"""The indexer's thread: follows the log while a worker runs."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable

from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import Model, get_model, promote
from twinlens.settings import Settings
from twinlens_worker.indexer import Indexer, open_indexer
from twinlens_worker.patience import is_full
from twinlens_worker.target import keep_parts
from twinlens_worker.tuner import Tuner

log = logging.getLogger("twinlens.worker.indexer")

POLL_SECONDS = 0.5
IDLE_SECONDS = 3.0
"""Quiet time after which even a short tail is published."""

PUBLISH_RATIO = 20
"""Rest for this many times as long as publishing took: the whole index is written each time, 150 MB
for 200,000 photos, and a photo every ten seconds must not keep the disk busy. Searches scan the tail
meanwhile and miss nothing."""

FAILURE_SECONDS = 60.0
"""The same where the snapshot could not be written, for want of space mostly."""


class IndexingThread:
    """Runs the indexer of the target model in the background, with its own connection."""

    def __init__(
        self,
        settings: Settings,
        on_failure: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``on_failure`` is called in the thread when something ended it, once ``failure`` is set."""
        self._settings = settings
        self._on_failure = on_failure
        self._clock = clock
        self._publish_not_before = clock()
        self._library = Library(settings.library)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)
        self.failure: BaseException | None = None
        """What ended the thread, if anything did; the worker raises it."""

    def start(self) -> None:
        """Start following the log."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something was committed."""
        self._wake.set()

    def close(self) -> None:
        """Catch up, publish and stop."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with Catalogue.open(self._library.catalogue) as catalogue:
                while not self._stop.is_set():
                    model = get_model(catalogue, "target")
                    if model is None:
                        self._wake.wait(POLL_SECONDS)
                    else:
                        # `model use` may have just named it: the worker's loop has yet to see it.
                        keep_parts(catalogue, self._settings, model)
                        self._follow(catalogue, model)
        except BaseException as error:  # handed to the worker's main thread
            log.debug("indexer ended", exc_info=True)
            self.failure = error
            self._on_failure()

    def _follow(self, catalogue: Catalogue, model: Model) -> None:
        """Follow one model's log until stopped or until another model is the target."""
        with open_indexer(catalogue, self._library, self._settings, model) as indexer:
            quiet_since = self._clock()
            tuner = Tuner(catalogue, self._library, self._settings, indexer)
            while True:
                stopping = self._stop.is_set()
                self._wake.clear()
                if self._catch_up(catalogue, indexer):
                    quiet_since = self._clock()
                quiet = self._clock() - quiet_since >= IDLE_SECONDS
                if indexer.behind >= self._settings.snapshot_tail or (quiet and indexer.behind):
                    self.publish(indexer)
                if stopping or get_model(catalogue, "target") != model:
                    return
                if tuner.step():
                    if tuner.took_over:
                        return
                else:
                    self._wake.wait(POLL_SECONDS)

    def _catch_up(self, catalogue: Catalogue, indexer: Indexer) -> int:
        """Replay all that the log holds; return how many entries."""
        total = 0
        try:
            while count := indexer.catch_up():
                total += count
                if indexer.behind >= self._settings.snapshot_tail * 4:
                    self.publish(indexer)
                if indexer.is_seeking_many and self._stop.is_set():
                    break
            if promote(catalogue):
                log.info("model %s answers from now on", indexer.model.name)
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
        return total

    def publish(self, indexer: Indexer) -> None:
        """Publish, but for the rest that is due after the last time."""
        began = self._clock()
        if began < self._publish_not_before:
            return
        indexer.publish()
        now = self._clock()
        rest = FAILURE_SECONDS if indexer.behind else (now - began) * PUBLISH_RATIO
        self._publish_not_before = now + rest
