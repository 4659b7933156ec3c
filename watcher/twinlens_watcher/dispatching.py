"""The dispatcher's thread: a broker that is away must not hold up what is recorded."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from twinlens.catalogue import Catalogue
from twinlens.dispatch import PROBLEM, Dispatcher
from twinlens.library import Library
from twinlens.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
IDLE_RATIO = 20
"""Rest for this many times as long as it took to find nothing to send: with 200,000 photos of an
unplugged disk waiting, that takes 0.1 s."""


class Dispatching(threading.Thread):
    """Ticks the dispatcher until closed, with a catalogue connection of its own."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        super().__init__(name="dispatcher", daemon=True)
        self._settings = settings
        self._app = app
        self._stop_asked = threading.Event()
        self.error: BaseException | None = None
        """What ended the thread, where something unforeseen did."""

    def run(self) -> None:
        """Tick until asked to stop."""
        try:
            with Catalogue.open(Library(self._settings.library).catalogue) as catalogue:
                self._tick_for_ever(catalogue)
        except BaseException as error:  # noqa: BLE001  told to the main thread
            self.error = error

    def close(self) -> None:
        """Stop after the tick in hand, or leave it to its time limit where the broker hangs."""
        self._stop_asked.set()
        self.join(timeout=5)

    def _tick_for_ever(self, catalogue: Catalogue) -> None:
        dispatcher = Dispatcher(catalogue, self._settings, self._app)
        said = ""
        pause = TICK_SECONDS
        while not self._stop_asked.wait(pause):
            asked = time.monotonic()
            pause = TICK_SECONDS
            try:
                if not dispatcher.tick():
                    rest = (time.monotonic() - asked) * IDLE_RATIO
                    pause = min(max(TICK_SECONDS, rest), LONGEST_PAUSE_SECONDS)
                problem = catalogue.meta(PROBLEM) or ""
            except sqlite3.OperationalError as error:
                problem = f"the catalogue cannot be written: {error}"
            if problem != said:
                log.warning("%s", problem or "the broker is back")
                said = problem
