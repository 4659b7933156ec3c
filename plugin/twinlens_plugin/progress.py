"""How far a scan is: counted in the catalogue, drawn on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinlens import ledger, pairs, relations, tunings
from twinlens.catalogue import Catalogue
from twinlens.models import get_model
from twinlens.settings import Settings
from twinlens_plugin.output import remark

if TYPE_CHECKING:
    from tqdm import tqdm


@dataclass(frozen=True, slots=True)
class Progress:
    """Photos known, and how many of them still wait."""

    photos: int
    remaining: int

    @property
    def done(self) -> int:
        """Photos that wait for nothing."""
        return self.photos - self.remaining


class Counter:
    """Counts photos and work, seldom enough that counting takes no more than 3 % of a core."""

    def __init__(
        self, catalogue: Catalogue, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._last = Progress(0, 0)
        self._not_before = 0.0

    def read(self) -> Progress:
        """Return a recent count: fresh where counting is quick, up to seconds old where it is not.

        A table of 200,000 photos takes 25 ms to go through, and this is asked 5 times a second.
        """
        start = self._clock()
        if start >= self._not_before:
            self._last = read_progress(self._catalogue)
            end = self._clock()
            self._not_before = end + 30 * (end - start)
        return self._last


def read_progress(catalogue: Catalogue) -> Progress:
    """Count the photos and those that wait."""
    photos = catalogue.value("SELECT count(*) FROM files WHERE missing_since IS NULL")
    remaining = catalogue.value(
        "SELECT count(*) FROM jobs JOIN files ON files.id = file_id JOIN roots ON roots.id = root_id"
        " WHERE state IN ('pending', 'leased') AND online AND missing_since IS NULL"
    )
    return Progress(photos, remaining)


def caught_up(catalogue: Catalogue, settings: Settings) -> bool:
    """Tell whether nothing waits to be read, duplicates were sought and verified, and the library is tuned."""
    # One view: a tuning that takes over between two reads would leave thousands of pairs unverified.
    with catalogue.read_tx():
        if ledger.has_work(catalogue):
            return False
        model = get_model(catalogue, "target")
        return model is None or (
            pairs.are_complete(catalogue, settings, model)
            and relations.are_verified(catalogue)
            and tunings.is_settled(catalogue, settings, model)
        )


class Bar:
    """A progress bar with rate and time left, on a terminal; silent elsewhere."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: tqdm[Any] | None = None
        self._on_terminal = sys.stderr.isatty()

    def show(self, progress: Progress) -> None:
        """Draw the bar. Photos that were done before the first call count for no rate."""
        if not self._on_terminal or progress.photos == 0:
            return
        if self._bar is None:
            self._bar = self._start(progress)
        self._bar.total = progress.photos
        self._bar.update(progress.done - self._bar.n)
        self._bar.refresh()

    def say(self, text: str) -> None:
        """Say something above the bar."""
        if self._bar is None:
            remark(text)
        else:
            self._bar.write(f"twinlens: {text}", file=sys.stderr)

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _start(self, progress: Progress) -> tqdm[Any]:
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # a thread of its own is not needed: we draw often
        return tqdm(
            desc=self._what,
            total=progress.photos,
            initial=progress.done,
            unit=" photos",
            file=sys.stderr,
            leave=False,
            dynamic_ncols=True,
        )
