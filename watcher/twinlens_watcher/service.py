"""The loop that watches all roots of a library."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection

from twinlens import contents
from twinlens.catalogue import Catalogue
from twinlens.roots import Root, list_roots
from twinlens.settings import Settings
from twinlens_watcher.clock import Clock, SystemClock
from twinlens_watcher.dispatching import Dispatching
from twinlens_watcher.stopping import Bell
from twinlens_watcher.watch import RootWatch

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
"""Pause between looks at the list of roots and at their folders."""

HOUSEKEEPING_SECONDS = 86_400.0

RETRY_SECONDS = 2.0
"""Pause after the catalogue could not be written (disk full, locked by another for long)."""

RETRY_RATIO = 10
LONGEST_RETRY_SECONDS = 30.0
"""The pause is this many times as long as the try took, at most: a sweep of 200,000 photos that ends
in a full disk takes seconds, and must not be repeated without end."""


class Service:
    """Watches the roots ``only`` (by id; None: all that there are, also new ones) until stopped."""

    def __init__(
        self,
        catalogue: Catalogue,
        settings: Settings,
        bell: Bell,
        *,
        only: Collection[int] | None = None,
        accept_deletions: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._bell = bell
        self._only = only
        self._accept = accept_deletions
        self._clock = clock or SystemClock()
        self._watches: dict[int, RootWatch] = {}
        self._dispatching: Dispatching | None = None
        self._next_check = self._next_housekeeping = self._clock.monotonic()
        self._trouble = ""

    def run(self) -> None:
        """Watch until the bell says stop, which raises Stopping."""
        self._start_dispatching()
        try:
            while True:
                self._raise_from_dispatching()
                self._bell.wait(self._step())
        finally:
            self._close()

    def _step(self) -> float:
        """Do what is due; return for how many seconds nothing will be."""
        began = self._clock.monotonic()
        try:
            self._check_roots()
            self._housekeep()
            for watch in list(self._watches.values()):
                watch.step(self._attend)
        except sqlite3.OperationalError as error:
            self._say(f"the catalogue cannot be written: {error}; trying again")
            return self._retry(self._clock.monotonic() - began)
        except sqlite3.IntegrityError:
            # A root was removed while its photos were being recorded.
            before = set(self._watches)
            self._next_check = self._clock.monotonic()
            self._check_roots()
            if before == set(self._watches):
                raise
        self._say("")
        return self._seconds_until_due()

    def _check_roots(self) -> None:
        now = self._clock.monotonic()
        if now < self._next_check:
            return
        roots = {
            root.id: root
            for root in list_roots(self._catalogue)
            if self._only is None or root.id in self._only
        }
        moved = {
            root_id
            for root_id, watch in self._watches.items()
            if root_id in roots and roots[root_id].path != watch.follower.root.path
        }
        for gone in self._watches.keys() - roots.keys() | moved:
            log.info("%s: watched no longer", self._watches[gone].name)
            self._watches.pop(gone).close()
        for root_id, root in roots.items():
            if root_id not in self._watches:
                self._watches[root_id] = self._watch(root)
            self._watches[root_id].check(root)
        self._accept = False  # it was said of the roots that there were at the start
        self._next_check = now + CHECK_SECONDS

    def _watch(self, root: Root) -> RootWatch:
        return RootWatch(
            self._catalogue,
            root,
            self._settings,
            self._clock,
            ring=self._bell.ring,
            accept_deletions=self._accept,
        )

    def _attend(self) -> None:
        """Give the other roots, and events, their turn in the middle of a sweep."""
        self._bell.check()
        for watch in self._watches.values():
            watch.attend()

    def _housekeep(self) -> None:
        now = self._clock.monotonic()
        if now < self._next_housekeeping:
            return
        days = self._settings.tombstone_days
        forgotten = contents.housekeep(self._catalogue, now=self._clock.wall(), tombstone_days=days)
        if forgotten:
            log.info("forgot %d photos deleted more than %g days ago", forgotten, days)
        self._next_housekeeping = now + HOUSEKEEPING_SECONDS

    def _seconds_until_due(self) -> float:
        times = [watch.next_due() for watch in self._watches.values()]
        return max(0.0, min([*times, self._next_check]) - self._clock.monotonic())

    def _retry(self, took: float) -> float:
        """Wait before the next try, but for a request to stop."""
        pause = max(RETRY_SECONDS, took * RETRY_RATIO)
        self._bell.sleep(min(pause, LONGEST_RETRY_SECONDS))
        return 0.0

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("%s", trouble or "the catalogue can be written again")
            self._trouble = trouble

    def _start_dispatching(self) -> None:
        if self._settings.broker is None:
            return
        from twinlens.broker import make_app

        self._dispatching = Dispatching(self._settings, make_app(self._settings.broker))
        self._dispatching.start()

    def _raise_from_dispatching(self) -> None:
        if self._dispatching is not None and self._dispatching.error is not None:
            raise self._dispatching.error

    def _close(self) -> None:
        for watch in self._watches.values():
            watch.close()
        if self._dispatching is not None:
            self._dispatching.close()
