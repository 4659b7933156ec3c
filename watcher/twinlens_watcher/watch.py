"""Watching one root: events as hints, sweeps as the truth.

A sweep of the whole root runs: 1. at the start, and when the root comes back; 2. every
``sweep_seconds``, or every ``poll_seconds`` where events do not come (network mounts, no watches
left); 3. when events were lost, or their source died, or there are fewer watches than folders.
A folder that was created, moved, deleted or given other permissions is swept by itself.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from twinlens.catalogue import Catalogue
from twinlens.media import printable
from twinlens.roots import Root
from twinlens.settings import Settings
from twinlens_watcher.clock import Clock
from twinlens_watcher.follow import Follower
from twinlens_watcher.hints import Hints
from twinlens_watcher.mounts import is_local
from twinlens_watcher.observing import Observation, watch_limit
from twinlens_watcher.sweep import Sweep

log = logging.getLogger(__name__)


class RootWatch:
    """One root, for as long as it is registered.

    ``ring`` is called when there is something to do; ``local`` tells what kind of file system the
    folder is on, where that is not to be found out.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        root: Root,
        settings: Settings,
        clock: Clock,
        *,
        ring: Callable[[], None],
        accept_deletions: bool = False,
        local: bool | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._local = is_local(root.folder) if local is None else local
        self._events = self._local  # not on network mounts: they give none
        self._accept = accept_deletions  # for the first sweep alone
        self._observation: Observation | None = None
        self._next_sweep = clock.monotonic()
        self._away = False
        self._uncovered = 0  # folders at the last time that not all could be watched
        self.follower = Follower(catalogue, root, clock, settings.settle_seconds, local=self._local)
        self.hints = Hints(ring)
        if accept_deletions:
            self.follower.accept_folder()

    @property
    def name(self) -> str:
        """The folder, for people."""
        return printable(self.follower.root.path)

    def check(self, root: Root) -> None:
        """Look whether the folder and its events are still there; ``root`` is its row now."""
        came_online = root.online and not self.follower.root.online
        self.follower.root = root
        if came_online:
            self.sweep_soon()
        if not self._local:
            return  # a server that hangs must not hang the other roots: its sweeps look
        reason = self.follower.why_offline()
        if reason is not None:
            self._go_away(reason)
            return
        if self._away:
            self._away = False
            self.sweep_soon()
        if self._observation is not None and not self._observation.is_alive():
            log.info("%s: its events stopped; watching it again", self.name)
            self.close()
            self.sweep_soon()

    def sweep_soon(self) -> None:
        """Let the next step sweep the whole root."""
        self._next_sweep = self._clock.monotonic()

    def step(self, pause: Callable[[], None]) -> None:
        """Do what is due now."""
        dirty = self.hints.take()
        if dirty.everything:
            log.debug("%s: events were lost", self.name)
            self.sweep_soon()
        try:
            if self._clock.monotonic() >= self._next_sweep:
                self._sweep_all(pause)
            elif self.follower.root.online:
                self.follower.look(dirty.paths)
                self.follower.look_at_due()
                if dirty.folders:
                    self._sweep(pause).folders(dirty.folders)
        except sqlite3.Error:
            self.hints.add(dirty.paths, dirty.folders)
            raise

    def attend(self) -> None:
        """Do what cannot wait until a sweep is over: photos that events named or that settled."""
        if not self.follower.root.online:
            return
        paths = self.hints.take_paths()
        try:
            self.follower.look(paths)
            self.follower.look_at_due()
        except sqlite3.Error:
            self.hints.add(paths)
            raise

    def next_due(self) -> float:
        """Return when the next step is due if nothing happens, by the monotonic clock."""
        settled = self.follower.settler.next_due() if self.follower.root.online else None
        return self._next_sweep if settled is None else min(settled, self._next_sweep)

    def close(self) -> None:
        """Stop the events."""
        if self._observation is not None:
            self._observation.close()
            self._observation = None

    def _go_away(self, reason: str) -> None:
        self._away = True
        self.close()
        if self.follower.root.online or self.follower.root.reason != reason:
            self.follower.go_offline(reason)

    def _sweep(self, pause: Callable[[], None], *, accept: bool = False) -> Sweep:
        return Sweep(self.follower, accept_deletions=accept, pause=pause)

    def _sweep_all(self, pause: Callable[[], None]) -> None:
        # Events first: what happens during the sweep must not fall between the two.
        self._observe()
        found = self._sweep(pause, accept=self._accept).all()
        self._accept = False
        if found.offline is None:
            log.log(
                logging.INFO if found.changes else logging.DEBUG,
                "%s: %s",
                self.name,
                found.summary(),
            )
            self._cover(found.folders)
        every = self._settings.sweep_seconds if self._events else self._settings.poll_seconds
        self._next_sweep = self._clock.monotonic() + every

    def _cover(self, folders: int) -> None:
        """Watch anew where there are fewer watches than folders, once for each such number."""
        if self._observation is None or self._observation.covers(folders):
            return
        if folders > self._uncovered:
            log.info("%s: some folders are not watched yet; watching it anew", self.name)
            self.close()
            self._observe()
        self._uncovered = folders

    def _observe(self) -> None:
        """Start the events where there can be some; fall back to sweeps, loudly, where not."""
        if not self._events:
            return
        try:
            if self._observation is None:
                self._observation = Observation(self.follower.root.path, self.hints)
        except FileNotFoundError:
            return  # the sweep will say so
        except OSError as error:
            self._do_without_events(str(error.strerror))
            return
        if self._observation.at_limit:
            self._do_without_events(f"the limit of {watch_limit()} watched folders is reached")

    def _do_without_events(self, reason: str) -> None:
        self._events = False
        self.close()
        log.warning(
            "%s: %s, so changes are found only every %.0f s. Raise the limits and start again:"
            " sudo sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024",
            self.name,
            reason,
            self._settings.poll_seconds,
        )
