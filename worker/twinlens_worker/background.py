"""What the owner's worker does beside reading photos: index them, find pairs, compare these."""

from __future__ import annotations

from collections.abc import Callable

from twinlens.settings import Settings
from twinlens_worker.indexing import IndexingThread
from twinlens_worker.verifying import VerifyingThread


class Background:
    """The indexer's thread and the verifier's: started and stopped together."""

    def __init__(self, settings: Settings, on_failure: Callable[[], object] = lambda: None) -> None:
        self._indexing = IndexingThread(settings, on_failure)
        self._verifying = VerifyingThread(settings, on_failure)

    @property
    def failure(self) -> BaseException | None:
        """What ended one of the threads, if anything did; the worker raises it."""
        return self._indexing.failure or self._verifying.failure

    def start(self) -> None:
        """Start both."""
        self._indexing.start()
        self._verifying.start()

    def wake(self) -> None:
        """Say that something was committed."""
        self._indexing.wake()

    def close(self) -> None:
        """Index what is committed, publish, and stop. Pairs not compared yet wait for the next start."""
        self._verifying.close()
        self._indexing.close()
