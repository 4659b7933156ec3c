"""The verifier's thread: compares pairs while a worker runs."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.settings import Settings
from twinlens_worker.patience import is_full

if TYPE_CHECKING:
    from twinlens_worker.verify.verifier import Verifier

log = logging.getLogger("twinlens.worker.verifying")

POLL_SECONDS: Final = 0.25
FULL_SECONDS: Final = 10.0
"""How long to rest where the disk of the catalogue is full."""


class VerifyingThread:
    """Runs the verifier in the background, with its own connection."""

    def __init__(self, settings: Settings, on_failure: Callable[[], object] = lambda: None) -> None:
        self._settings = settings
        self._on_failure = on_failure
        self._library = Library(settings.library)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verifier", daemon=True)
        self.failure: BaseException | None = None
        """What ended the thread, if anything did; the worker raises it."""

    def start(self) -> None:
        """Start comparing."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the step at hand."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        from twinlens_worker.verify.verifier import Verifier  # OpenCV, while the model is loaded

        try:
            with Catalogue.open(self._library.catalogue) as catalogue:
                verifier = Verifier(catalogue, self._library, self._settings)
                try:
                    while not self._stop.is_set():
                        self._step(verifier)
                finally:
                    verifier.close()
        except BaseException as error:  # handed to the worker's main thread
            log.debug("verifier ended", exc_info=True)
            self.failure = error
            self._on_failure()

    def _step(self, verifier: Verifier) -> None:
        try:
            if not verifier.step():
                self._stop.wait(POLL_SECONDS)
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            self._stop.wait(FULL_SECONDS)
