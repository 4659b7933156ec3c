"""Progress: how far the library is, whichever process reads it, and what stands in the way.

``GET /progress[?since=NUMBER]``: JSON. It is asked for every two seconds by each page that is looked
at, so that it must cost next to nothing, at a million photos too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twinlens import dispatch
from twinlens.catalogue import Catalogue
from twinlens.media import printable
from twinlens.roots import list_roots
from twinlens_plugin import handover
from twinlens_plugin.output import plural
from twinlens_plugin.progress import Progress, read_progress
from twinlens_plugin.review.problems import Refused
from twinlens_plugin.review.state import State

WINDOW_SECONDS: Final = 60.0
"""The rate is that of the last minute: batches come in at once, and disks have moods."""

LEAST_SECONDS: Final = 4.0
"""No rate is told from less than this."""

ROLES: Final = ("worker", "watcher")

REGROUPING: Final = "('duplicate', 'deleted', 'returned', 'changed', 'moved', 'offline', 'online')"
"""Events after which groups may be others."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is and what waits."""

    photos: int
    waiting: int
    unverified: int
    """Pairs still to be compared."""
    quarantined: int


class Meter:
    """Counts seldom enough that counting takes no more than a few percent of a core; keeps the rate.

    Safe to use from many threads, each with its own catalogue.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards all below
        self._counts = Counts(0, 0, 0, 0)
        self._not_before = float("-inf")
        self._done: deque[tuple[float, int]] = deque()

    def read(self, catalogue: Catalogue) -> tuple[Counts, float | None]:
        """Return recent counts, and how many photos a second get done; None where none is known."""
        with self._lock:
            start = self._clock()
            if start >= self._not_before:
                self._counts = count(catalogue)
                took = self._clock() - start
                self._not_before = start + max(0.5, 30 * took)
                self._note(start, self._counts)
            return self._counts, self._rate()

    def _note(self, now: float, counts: Counts) -> None:
        done = counts.photos - counts.waiting
        if self._done and done < self._done[-1][1]:
            self._done.clear()  # photos were deleted, or all are read anew: the rate starts again
        self._done.append((now, done))
        while len(self._done) > 2 and now - self._done[1][0] >= WINDOW_SECONDS:
            self._done.popleft()

    def _rate(self) -> float | None:
        if len(self._done) < 2:
            return None
        (first, before), (last, after) = self._done[0], self._done[-1]
        if last - first < LEAST_SECONDS or after == before:
            return None
        return (after - before) / (last - first)


def routes(state: State) -> list[Route]:
    """Return the address of progress."""
    meter = Meter(state.clock)

    def progress(request: Request) -> Response:
        since = _number(request.query_params.get("since", ""))
        with state.catalogue() as catalogue:
            counts, rate = meter.read(catalogue)
            return JSONResponse(_facts(state, catalogue, counts, rate, since))

    return [Route("/progress", progress, name="progress")]


def count(catalogue: Catalogue) -> Counts:
    """Count photos, and what is to be done for them."""
    progress: Progress = read_progress(catalogue)
    quarantined = catalogue.value(
        "SELECT count(*) FROM jobs JOIN files ON files.id = file_id"
        " WHERE state = 'quarantined' AND missing_since IS NULL"
    )
    # Put off: their pictures cannot be read now, and nobody waits for them.
    unverified = catalogue.value("SELECT count(*) FROM unverified WHERE not_before = 0")
    return Counts(progress.photos, progress.remaining, int(unverified), int(quarantined))


def changed(catalogue: Catalogue) -> int:
    """Return a number that grows when groups may be others than they were."""
    newest = catalogue.value(
        f"SELECT seq FROM events WHERE kind IN {REGROUPING} ORDER BY seq DESC LIMIT 1"  # noqa: S608
    )
    return int(newest or 0)


def new_duplicates(catalogue: Catalogue, since: int) -> int:
    """Count the duplicates that were found after a number of ``changed``."""
    return int(
        catalogue.value(
            "SELECT count(*) FROM events WHERE seq > ? AND kind = 'duplicate'", (since,)
        )
    )


def _facts(
    state: State, catalogue: Catalogue, counts: Counts, rate: float | None, since: int | None
) -> dict[str, Any]:
    running = [role for role in ROLES if state.session.library.locked(role)]
    busy = counts.waiting > 0 or counts.unverified > 0
    return {
        "photos": counts.photos,
        "waiting": counts.waiting,
        "unverified": counts.unverified,
        "running": running,
        "rate": None if rate is None else round(rate, 1),
        "eta_seconds": round(counts.waiting / rate) if rate and counts.waiting else None,
        "words": _words(counts, rate, somebody=bool(running or state.session.settings.broker)),
        "busy": busy and bool(running),
        "problems": list(_problems(state, catalogue, counts)),
        "changed": changed(catalogue),
        "new": 0 if since is None else new_duplicates(catalogue, since),
    }


def _words(counts: Counts, rate: float | None, *, somebody: bool) -> str:
    """Return how far it is, in a line; empty where nothing waits. ``somebody``: whether one works on it."""
    if not counts.waiting and not counts.unverified:
        return ""
    if not somebody and counts.waiting:
        waits = plural(counts.waiting, "photo waits", "photos wait")
        return f"{waits} to be read. Run: twinlens scan"
    if not somebody:
        waits = plural(counts.unverified, "pair of photos waits", "pairs of photos wait")
        return f"{waits} to be compared. Run: twinlens scan"
    if not counts.waiting:
        return f"Comparing: {plural(counts.unverified, 'pair')} left"
    done = f"{counts.photos - counts.waiting:,} of {plural(counts.photos, 'photo')} read"
    if rate is None:
        return done
    return f"{done}, {rate:,.0f} a second, {_time(counts.waiting / rate)} left"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{seconds / 3600:.1f} h"


def _problems(state: State, catalogue: Catalogue, counts: Counts) -> Iterator[str]:
    """Yield what stands in the way, each with what to do."""
    if going := handover.now(state.session, catalogue):
        yield f"{going[0].upper()}{going[1:]}"
    if problem := catalogue.meta(dispatch.PROBLEM):
        yield problem
    for root in list_roots(catalogue):
        if not root.online:
            yield f"{printable(root.path)}: is away ({root.reason}). Its photos are remembered."
    if counts.quarantined:
        cannot = plural(counts.quarantined, "photo")
        yield f"{cannot} cannot be read. List them: twinlens quarantine"


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refused(f"since={text}: is no number.")
    return int(text)
