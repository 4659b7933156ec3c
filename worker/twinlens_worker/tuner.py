"""The tuner: has the library tuned as it grows, and the space that is wanted take over."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable

from twinlens import ledger, tunings
from twinlens.catalogue import Catalogue
from twinlens.errors import TuningError
from twinlens.library import Library
from twinlens.settings import Settings
from twinlens.spaces import Space
from twinlens_worker.indexer import Indexer
from twinlens_worker.patience import is_full
from twinlens_worker.successor import Successor

log = logging.getLogger("twinlens.worker.indexer")


class Tuner:
    """Works between two looks of the indexer at the log, a part at a time."""

    def __init__(
        self,
        catalogue: Catalogue,
        library: Library,
        settings: Settings,
        indexer: Indexer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalogue = catalogue
        self._library = library
        self._settings = settings
        self._indexer = indexer
        self._clock = clock
        self._successor: Successor | None = None
        self._looked_at: int | None = None
        self.took_over = False
        """Whether another space answers now: the indexer's has been replaced."""

    def step(self) -> bool:
        """Do a part of what is due; return whether there may be more."""
        try:
            self._fit_if_due()
            return self._follow_wish()
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            return False

    def _fit_if_due(self) -> None:
        """Fit anew once nothing waits to be embedded: in the middle of an import it would be in vain."""
        model = self._indexer.model
        if self._looked_at == self._indexer.seq or ledger.has_work(self._catalogue):
            return
        self._looked_at = self._indexer.seq
        if not tunings.is_due(self._catalogue, self._settings, model):
            return
        began = time.monotonic()
        try:
            tuning = tunings.refit(self._catalogue, model, now=self._clock())
        except TuningError as error:
            log.info("the library is not tuned: %s", error)
        else:
            took = time.monotonic() - began
            log.info("tuned on %d photos in %.1f s: indexing anew", tuning.photos, took)

    def _follow_wish(self) -> bool:
        wanted = self._wanted()
        if wanted is None:
            self._successor = None
            return False
        if self._successor is None or self._successor.space.tuning_id != wanted.tuning_id:
            self._successor = Successor(self._catalogue, self._library, self._settings, wanted)
        if self._successor.step():
            return True
        self.took_over = self._successor.take_over()
        return self.took_over

    def _wanted(self) -> Space | None:
        """Return the space that is to take over; None where it answers already."""
        model = self._indexer.model
        number = tunings.wanted_id(self._catalogue, model)
        if number == self._indexer.space.tuning_id:
            return None
        if self._successor is not None and self._successor.space.tuning_id == number:
            return self._successor.space
        try:
            return tunings.wanted(self._catalogue, model)
        except TuningError as error:
            log.warning("%s", error)
            tunings.give_up(self._catalogue, model, number)
            return None
