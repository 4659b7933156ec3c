"""How far a scan is: counted in the catalogue, drawn on the terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.models import get_model
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


def read_progress(catalogue: Catalogue) -> Progress:
    """Count, in two short queries: this is asked several times a second while work goes on."""
    photos = catalogue.value("SELECT count(*) FROM files WHERE missing_since IS NULL")
    remaining = catalogue.value(
        "SELECT count(*) FROM jobs JOIN files ON files.id = file_id JOIN roots ON roots.id = root_id"
        " WHERE state IN ('pending', 'leased') AND online AND missing_since IS NULL"
    )
    return Progress(photos, remaining)


def caught_up(catalogue: Catalogue) -> bool:
    """Tell whether nothing waits to be read and duplicates were sought for all that was read."""
    if ledger.has_work(catalogue):
        return False
    model = get_model(catalogue, "target")
    if model is None:
        return True
    last = catalogue.value("SELECT coalesce(max(seq), 0) FROM log WHERE model_id = ?", (model.id,))
    return int(catalogue.meta(f"pairs_seq:{model.id}") or 0) >= int(last)


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
