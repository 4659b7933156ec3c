"""The dispatcher: rings the broker's bell for work that the ledger holds.

It runs beside the watcher on the owner's computer. Wiping Redis in the middle of an import loses
nothing: leases run out and are sent again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from twinlens import broker, ledger
from twinlens.catalogue import Catalogue, set_meta
from twinlens.errors import BrokerError
from twinlens.messages import QUEUE_EMBED, TASK_EMBED, ModelRef, embed_message
from twinlens.models import get_model
from twinlens.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

OWNER = "broker"
"""Lease owner of everything that was sent to the broker."""

PROBLEM = "broker_problem"
"""Key of the catalogue's note about the broker, shown by ``twinlens status``."""


class Dispatcher:
    """Sends leased micro-batches to the ``embed`` queue, a bounded number at a time."""

    def __init__(
        self,
        catalogue: Catalogue,
        settings: Settings,
        app: Celery,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._app = app
        self._clock = clock

    def tick(self) -> int:
        """Send what may be sent now; return how many photos.

        1. While messages wait in the queue, workers are busy or away, not dead: their leases are
           prolonged rather than sent twice.
        2. At most ``in_flight`` photos are out at a time, so that Redis stays small.
        3. Where the broker refuses, the leases go back and the trouble is noted.
        """
        model = get_model(self._catalogue, "target")
        if model is None:
            return 0
        try:
            if broker.waiting(self._app, QUEUE_EMBED):
                until = self._clock() + self._settings.lease_seconds
                ledger.extend(self._catalogue, OWNER, until=until)
            wanted = ModelRef(model.name, model.digest, model.catalogue, model.labels)
            sent = self._send_batches(wanted)
        except BrokerError as error:
            self._note(str(error))
            return 0
        self._note("")
        return sent

    def _send_batches(self, model: ModelRef) -> int:
        sent = 0
        # Looked at first: with 200,000 photos of an unplugged disk waiting, to find that none can be
        # leased takes 0.1 s, within a transaction that keeps the watcher from recording.
        while ledger.has_work(self._catalogue) and (jobs := self._lease_batch()):
            try:
                broker.send(self._app, TASK_EMBED, embed_message(model, jobs))
            except BaseException:
                ledger.release(self._catalogue, [job.file_id for job in jobs])
                raise
            sent += len(jobs)
        return sent

    def _lease_batch(self) -> list[ledger.Job]:
        out = self._catalogue.value(
            "SELECT count(*) FROM jobs WHERE state = 'leased' AND lease_owner = ?", (OWNER,)
        )
        return ledger.lease(
            self._catalogue,
            OWNER,
            now=self._clock(),
            seconds=self._settings.lease_seconds,
            limit=max(0, min(self._settings.batch_size, self._settings.in_flight - out)),
        )

    def _note(self, problem: str) -> None:
        if (self._catalogue.meta(PROBLEM) or "") == problem:
            return
        try:
            with self._catalogue.write_tx() as tx:
                set_meta(tx, PROBLEM, problem)
        except sqlite3.OperationalError:
            return  # a full disk: the note can wait
