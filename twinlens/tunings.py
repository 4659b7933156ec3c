"""Tunings in the catalogue: which one is wanted, which one answers, and when to fit anew.

As with models, the *wanted* tuning is the one that the indexer makes an index and pairs for; the
*serving* one goes on answering until they are there, and is then replaced in one transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinlens import parts
from twinlens.catalogue import Catalogue, set_meta
from twinlens.errors import TuningError
from twinlens.models import Model
from twinlens.settings import Settings
from twinlens.spaces import Space

if TYPE_CHECKING:
    from twinlens.tuning import Tuning
    from twinlens.vectors import Vector

FIRST = 1000
"""Photos from which a library is tuned by itself. With fewer, what is fitted holds for the photos at
hand and less for the next ones (benchmarks/tuning.py)."""

GROWTH = 2
"""A library that has grown so many times is tuned anew: what was fitted on a half of a library does
nearly as well on the other half, and all refits together cost no more than the last one twice."""

OFF = 0
"""In place of a tuning's number: none of the library's own. The model's own space then holds: that of
its background where it brings one (``twinlens.parts``)."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is known of a tuning without reading it."""

    id: int
    fitted_at: float
    """Seconds since 1970."""
    photos: int
    """On how many it was fitted."""


def serving(catalogue: Catalogue, model: Model) -> Space:
    """Return the space that the model's index and pairs are in.

    Raises TuningError where its tuning is damaged.
    """
    return _space(catalogue, model, serving_id(catalogue, model))


def wanted(catalogue: Catalogue, model: Model) -> Space:
    """Return the space that they are to be in. Raises TuningError where its tuning is damaged."""
    return _space(catalogue, model, wanted_id(catalogue, model))


def serving_id(catalogue: Catalogue, model: Model) -> int:
    """Return the number of the tuning that answers, OFF for none."""
    return int(catalogue.meta(f"tuning_serving:{model.id}") or OFF)


def wanted_id(catalogue: Catalogue, model: Model) -> int:
    """Return the number of the tuning that is wanted, OFF for none."""
    return int(catalogue.meta(f"tuning_wanted:{model.id}") or OFF)


def fitted(catalogue: Catalogue, tuning_id: int) -> Fitted | None:
    """Return what is known of a tuning; None where there is none of this number."""
    row = catalogue.row("SELECT id, fitted_at, photos FROM tunings WHERE id = ?", (tuning_id,))
    return Fitted(*row) if row else None


def is_settled(catalogue: Catalogue, settings: Settings, model: Model) -> bool:
    """Tell whether what is wanted answers and nothing is to be fitted."""
    if serving_id(catalogue, model) != wanted_id(catalogue, model):
        return False
    return not is_due(catalogue, settings, model)


def is_due(catalogue: Catalogue, settings: Settings, model: Model) -> bool:
    """Tell whether the library is to be tuned by itself: it has grown enough, and nobody said no."""
    if settings.tune != "auto" or catalogue.meta(_off(model)):
        return False
    last = int(catalogue.meta(f"tuning_tried:{model.id}") or 0)
    enough = max(FIRST, GROWTH * last)
    # Each vector has a line in the log, whose end is found at once; to count a million takes 0.1 s,
    # and this is asked after each photo that comes in.
    logged = catalogue.value("SELECT coalesce(max(seq), 0) FROM log") or 0
    return logged >= enough and _count(catalogue, model) >= enough


def refit(catalogue: Catalogue, model: Model, *, now: float) -> Tuning:
    """Fit a tuning to the library and want it. Raises TuningError where there is too little to fit.

    Without an answer or with one, it is not tried again by itself before the library has grown.
    """
    from twinlens.tuning import fit

    with catalogue.read_tx():
        photos = _count(catalogue, model)
        raw = _sample(catalogue, model)
    with catalogue.write_tx() as tx:
        set_meta(tx, f"tuning_tried:{model.id}", str(photos))
    tuning = fit(raw, model.copy_threshold, photos=photos)
    with catalogue.write_tx() as tx:
        _want(tx, model, _store(tx, model, tuning, now))
        tx.execute("DELETE FROM meta WHERE key = ?", (_off(model),))
    return tuning


def turn_off(catalogue: Catalogue, model: Model) -> None:
    """Go back to the model's own space, and stay there until the library is tuned by hand."""
    with catalogue.write_tx() as tx:
        _want(tx, model, OFF)
        set_meta(tx, _off(model), "1")


def _off(model: Model) -> str:
    """Return the key under which it is noted that nothing is to be tuned by itself.

    By the model's name: what was said of pocket holds for its next version, which an upgrade brings.
    """
    return f"tuning_off:{model.name}"


def set_serving(tx: sqlite3.Connection, space: Space) -> None:
    """Let a space answer; tunings that are neither that nor wanted are forgotten."""
    set_meta(tx, f"tuning_serving:{space.model.id}", str(space.tuning_id))
    _forget_others(tx, space.model)


def give_up(catalogue: Catalogue, model: Model, tuning_id: int) -> None:
    """Forget a damaged tuning: it is wanted no more, and if it served, the model's own space does.

    Then pairs are sought anew. It is fitted anew by itself where that is not switched off. OFF: the
    model's own background is what is damaged.
    """
    with catalogue.write_tx() as tx:
        if tuning_id == OFF:
            parts.drop_background(tx, model)
        for role in ("serving", "wanted"):
            tx.execute(
                "DELETE FROM meta WHERE key = ? AND value = ?",
                (f"tuning_{role}:{model.id}", str(tuning_id)),
            )
        if not tx.execute(
            "SELECT 1 FROM meta WHERE key = ?", (f"tuning_serving:{model.id}",)
        ).fetchone():
            tx.execute("DELETE FROM pairs WHERE model_id = ?", (model.id,))
            tx.execute("DELETE FROM meta WHERE key = ?", (f"pairs_seq:{model.id}",))
        tx.execute("DELETE FROM meta WHERE key = ?", (f"tuning_tried:{model.id}",))
        _forget_others(tx, model)


def _space(catalogue: Catalogue, model: Model, tuning_id: int) -> Space:
    if tuning_id == OFF:
        return Space(model, parts.background(catalogue, model))
    row = catalogue.row("SELECT tuning, digest FROM tunings WHERE id = ?", (tuning_id,))
    if row is None:
        raise TuningError(f"tuning {tuning_id} is missing. Fit it anew: twinlens model tune")
    from twinlens.tuning import Tuning

    tuning = Tuning.from_bytes(row["tuning"], model.dimension)
    if tuning.digest != row["digest"]:
        raise TuningError("the stored tuning is damaged. Fit it anew: twinlens model tune")
    return Space(model, tuning, tuning_id)


def _count(catalogue: Catalogue, model: Model) -> int:
    return int(catalogue.value("SELECT count(*) FROM vectors WHERE model_id = ?", (model.id,)))


def _sample(catalogue: Catalogue, model: Model) -> Vector:
    """Return raw vectors, drawn by chance where there are many; none of flat pictures."""
    import numpy as np

    from twinlens import vectors
    from twinlens.tuning import SAMPLE

    ids = np.array(
        [
            row[0]
            for row in catalogue.iterate(
                "SELECT vectors.id FROM vectors JOIN contents ON contents.id = content_id"
                " WHERE model_id = ? AND NOT flat ORDER BY vectors.id",
                (model.id,),
            )
        ]
    )
    drawn = np.sort(np.random.default_rng(0).permutation(len(ids))[:SAMPLE])
    blobs = [
        catalogue.value("SELECT vector FROM vectors WHERE id = ?", (int(ids[place]),))
        for place in drawn
    ]
    return vectors.stack(blobs, model.dimension)


def _store(tx: sqlite3.Connection, model: Model, tuning: Tuning, now: float) -> int:
    row = tx.execute(
        "INSERT INTO tunings (model_id, digest, fitted_at, photos, tuning)"
        " VALUES (?, ?, ?, ?, ?) RETURNING id",
        (model.id, tuning.digest, now, tuning.photos, tuning.to_bytes()),
    ).fetchone()
    return int(row[0])


def _want(tx: sqlite3.Connection, model: Model, tuning_id: int) -> None:
    set_meta(tx, f"tuning_wanted:{model.id}", str(tuning_id))
    _forget_others(tx, model)


def _forget_others(tx: sqlite3.Connection, model: Model) -> None:
    tx.execute(
        "DELETE FROM tunings WHERE model_id = ? AND id NOT IN"
        " (SELECT CAST(value AS INTEGER) FROM meta WHERE key IN (?, ?))",
        (model.id, f"tuning_serving:{model.id}", f"tuning_wanted:{model.id}"),
    )
