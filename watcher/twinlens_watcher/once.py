"""``--once``: sweep, wait until what was seen has settled, done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from twinlens.catalogue import Catalogue
from twinlens.errors import RootError
from twinlens.media import printable
from twinlens.roots import Root
from twinlens.settings import Settings
from twinlens_watcher.clock import Clock, SystemClock
from twinlens_watcher.follow import Follower
from twinlens_watcher.mounts import is_local
from twinlens_watcher.sweep import Sweep

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 30.0
"""How long to wait for files that are being written."""


def sweep_once(
    catalogue: Catalogue,
    roots: Sequence[Root],
    settings: Settings,
    *,
    accept_deletions: bool = False,
    pause: Callable[[], None] = lambda: None,
    clock: Clock | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Sweep ``roots`` and record all that settles within ``PATIENCE_SECONDS``.

    ``pause`` is called often; what it raises ends the sweep.
    Raises RootError where a root is offline; the others are swept all the same.
    """
    clock = clock or SystemClock()
    followers = []
    for root in roots:
        local = is_local(root.folder)
        follower = Follower(catalogue, root, clock, settings.settle_seconds, local=local)
        if accept_deletions:
            follower.accept_folder()
        found = Sweep(follower, accept_deletions=accept_deletions, pause=pause).all()
        if found.offline is None:
            log.info("%s: %s", printable(root.path), found.summary())
        followers.append(follower)
    _let_settle(followers, clock, pause, sleep)
    _say_offline(followers)


def _let_settle(
    followers: Sequence[Follower],
    clock: Clock,
    pause: Callable[[], None],
    sleep: Callable[[float], None],
) -> None:
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while any(len(follower.settler) for follower in followers) and clock.monotonic() < deadline:
        pause()
        for follower in followers:
            follower.look_at_due()
        sleep(0.05)
    for follower in followers:
        for path in follower.settler.paths():
            log.warning("%s: still being written: left for later", follower.name(path))


def _say_offline(followers: Sequence[Follower]) -> None:
    away = [follower.root for follower in followers if not follower.root.online]
    if away:
        raise RootError(
            "; ".join(f"{printable(root.path)}: offline: {root.reason}" for root in away)
        )
