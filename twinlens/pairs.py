"""Pairs: contents that are near one another, found when they come in and kept in the catalogue.

Kept are pairs from a *floor* a little below the copy threshold, so that the threshold can be moved
a little without looking at every photo again. Set lower than that, the pairs are sought anew.
"""

from __future__ import annotations

import sqlite3

from twinlens.catalogue import Catalogue, set_meta
from twinlens.models import Model
from twinlens.settings import Settings

MARGIN = 0.05
"""How far below the copy threshold pairs are kept."""


def copy_threshold(settings: Settings, model: Model) -> float:
    """Return the cosine similarity from which two photos are called copies."""
    wanted = settings.copy_threshold
    return model.copy_threshold if wanted is None else wanted


def wanted_floor(settings: Settings, model: Model) -> float:
    """Return the score from which pairs should be kept: the model's own threshold or a lower one."""
    return min(model.copy_threshold, copy_threshold(settings, model)) - MARGIN


def kept_floor(catalogue: Catalogue, model: Model) -> float | None:
    """Return the score from which pairs have been kept, None before the first were."""
    kept = catalogue.meta(f"pairs_floor:{model.id}")
    return None if kept is None else float(kept)


def sought(catalogue: Catalogue, model: Model) -> int:
    """Return the log number up to which the neighbours of contents have been sought."""
    return int(catalogue.meta(f"pairs_seq:{model.id}") or 0)


def set_sought(tx: sqlite3.Connection, model: Model, seq: int) -> None:
    """Record up to which log number neighbours have been sought."""
    set_meta(tx, f"pairs_seq:{model.id}", str(seq))


def are_complete(catalogue: Catalogue, settings: Settings, model: Model) -> bool:
    """Tell whether the pairs of all contents are known, from as low a score as is wanted."""
    # Backwards, not max(): that would go through the whole log, several times a second.
    last = catalogue.value(
        "SELECT seq FROM log WHERE model_id = ? ORDER BY seq DESC LIMIT 1", (model.id,)
    )
    if last is None:
        return True
    kept = kept_floor(catalogue, model)
    low_enough = kept is None or kept <= wanted_floor(settings, model)
    return low_enough and sought(catalogue, model) >= int(last)


def lower_floor(catalogue: Catalogue, settings: Settings, model: Model) -> bool:
    """Where the threshold is below what was kept, have all pairs sought anew; return whether so."""
    wanted, kept = wanted_floor(settings, model), kept_floor(catalogue, model)
    if kept is not None and kept <= wanted:
        return False
    with catalogue.write_tx() as tx:
        set_meta(tx, f"pairs_floor:{model.id}", repr(wanted))
        if kept is not None:
            set_sought(tx, model, 0)
    return kept is not None
