"""Which model's vectors the library holds, which one is wanted, and which one answers.

Vectors of two models never mix: each row carries its model, and a model is its name and the
sha256 of its weights. After ``twinlens model use`` the *target* is what workers compute; the
*serving* model goes on answering until the target has caught up.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from twinlens.catalogue import Catalogue, set_meta

DEFAULT_MODEL = "pocket"


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the catalogue knows it."""

    id: int
    name: str
    digest: str
    """sha256 of the weights, hex."""
    dimension: int
    input_size: int
    """Side of the square input, in pixels."""
    copy_threshold: float
    """Cosine similarity from which two photos are called copies."""
    weights: str | None
    """Path of a local weights file, where one was given."""


def get_model(catalogue: Catalogue, role: str) -> Model | None:
    """Return the ``target`` or the ``serving`` model; None before the first worker ran."""
    row = catalogue.row(
        "SELECT models.* FROM meta JOIN models ON models.id = CAST(meta.value AS INTEGER)"
        " WHERE key = ?",
        (f"model_{role}",),
    )
    return Model(**row) if row else None


def set_target(
    catalogue: Catalogue,
    *,
    name: str,
    digest: str,
    dimension: int,
    input_size: int,
    copy_threshold: float,
    weights: str | None = None,
) -> tuple[Model, int]:
    """Make a model the target; return it and how many photos have to be embedded again.

    The first model of a library serves at once. Setting the same target again changes nothing.
    """
    with catalogue.write_tx() as tx:
        tx.execute(
            "INSERT INTO models (name, digest, dimension, input_size, copy_threshold, weights)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name, digest) DO UPDATE SET"
            " copy_threshold = excluded.copy_threshold, weights = excluded.weights",
            (name, digest, dimension, input_size, copy_threshold, weights),
        )
        row = tx.execute(
            "SELECT * FROM models WHERE name = ? AND digest = ?", (name, digest)
        ).fetchone()
        model = Model(**row)
        set_meta(tx, "model_target", str(model.id))
        if not tx.execute("SELECT 1 FROM meta WHERE key = 'model_serving'").fetchone():
            set_meta(tx, "model_serving", str(model.id))
        again = _queue_missing(tx, model)
        _promote(tx)
    return model, again


def _queue_missing(tx: sqlite3.Connection, model: Model) -> int:
    """Queue one file for each live content without a vector of ``model``, after new photos."""
    return tx.execute(
        "INSERT INTO jobs (file_id, state, priority)"
        " SELECT min(id), 'pending', 1 FROM files"
        " WHERE content_id IS NOT NULL AND missing_since IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM vectors v WHERE v.content_id = files.content_id AND v.model_id = ?)"
        " GROUP BY content_id ON CONFLICT (file_id) DO NOTHING",
        (model.id,),
    ).rowcount


def promote(catalogue: Catalogue) -> bool:
    """Let the target serve once no photo waits to be embedded again; return whether it now does."""
    if catalogue.meta("model_target") == catalogue.meta("model_serving"):
        return False
    with catalogue.write_tx() as tx:
        return _promote(tx)


def _promote(tx: sqlite3.Connection) -> bool:
    waiting = tx.execute(
        "SELECT 1 FROM jobs JOIN files ON files.id = file_id"
        " WHERE priority = 1 AND state != 'quarantined' AND missing_since IS NULL LIMIT 1"
    ).fetchone()
    if waiting:
        return False
    return (
        tx.execute(
            "UPDATE meta SET value = (SELECT value FROM meta WHERE key = 'model_target')"
            " WHERE key = 'model_serving'"
            " AND value != (SELECT value FROM meta WHERE key = 'model_target')"
        ).rowcount
        > 0
    )
