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
_COLUMNS = "models.*, (SELECT value FROM meta WHERE key = 'catalogue_id') AS catalogue"

_WAITING = (
    "FROM jobs JOIN files ON files.id = file_id"
    " WHERE priority = 1 AND state != 'quarantined' AND missing_since IS NULL"
)
"""Photos that wait to be embedded again."""


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
    catalogue: str | None = None
    """Random mark of the catalogue that this row is in."""


def get_model(catalogue: Catalogue, role: str) -> Model | None:
    """Return the ``target`` or the ``serving`` model; None before the first worker ran."""
    row = catalogue.row(
        f"SELECT {_COLUMNS} FROM meta JOIN models ON models.id = CAST(meta.value AS INTEGER)"  # noqa: S608
        " WHERE meta.key = ?",
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
    """Make a model the target; return it and how many photos still have to be embedded again.

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
            f"SELECT {_COLUMNS} FROM models WHERE name = ? AND digest = ?",  # noqa: S608
            (name, digest),
        ).fetchone()
        model = Model(**row)
        set_meta(tx, "model_target", str(model.id))
        if not tx.execute("SELECT 1 FROM meta WHERE key = 'model_serving'").fetchone():
            set_meta(tx, "model_serving", str(model.id))
        _drop_needless(tx, model.id)
        _queue_missing(tx, model.id)
        again = tx.execute(f"SELECT count(*) {_WAITING}").fetchone()[0]
        _promote(tx)
    return model, again


def _drop_needless(tx: sqlite3.Connection, model_id: int) -> None:
    """Strike what was queued for a target that was given up: a vector of this one is there."""
    tx.execute(
        "DELETE FROM jobs WHERE priority = 1 AND state != 'quarantined' AND EXISTS"
        " (SELECT 1 FROM files JOIN vectors USING (content_id)"
        " WHERE files.id = file_id AND model_id = ?)",
        (model_id,),
    )


def _queue_missing(tx: sqlite3.Connection, model_id: int) -> int:
    """Queue one file for each live content without a vector of the model, after new photos.

    Of several copies the best to take is: 1. one queued for this already; 2. one that nothing is
    known against; 3. one that has changed and will soon be another content; 4. none in quarantine.
    """
    return tx.execute(
        "INSERT INTO jobs (file_id, state, priority)"
        " SELECT id, 'pending', 1 FROM"
        " (SELECT files.id, state, row_number() OVER (PARTITION BY content_id"
        "  ORDER BY CASE WHEN state = 'quarantined' THEN 4 WHEN priority = 0 THEN 3"
        "  WHEN priority = 1 THEN 1 ELSE 2 END, NOT online, files.id) AS place"
        "  FROM files JOIN roots ON roots.id = root_id LEFT JOIN jobs ON file_id = files.id"
        "  WHERE content_id IS NOT NULL AND missing_since IS NULL AND NOT EXISTS"
        "  (SELECT 1 FROM vectors v WHERE v.content_id = files.content_id AND v.model_id = ?))"
        " WHERE place = 1 AND state IS NULL",
        (model_id,),
    ).rowcount


def promote(catalogue: Catalogue) -> bool:
    """Let the target serve once no photo waits to be embedded again; return whether it now does."""
    if catalogue.meta("model_target") == catalogue.meta("model_serving"):
        return False
    with catalogue.write_tx() as tx:
        return _promote(tx)


def _promote(tx: sqlite3.Connection) -> bool:
    waiting = tx.execute(f"SELECT 1 {_WAITING} LIMIT 1").fetchone()
    # The file that was to be embedded for a content may have gone or changed; a copy remains.
    target = tx.execute("SELECT value FROM meta WHERE key = 'model_target'").fetchone()
    if waiting or target is None or _queue_missing(tx, int(target[0])):
        return False
    return (
        tx.execute(
            "UPDATE meta SET value = (SELECT value FROM meta WHERE key = 'model_target')"
            " WHERE key = 'model_serving'"
            " AND value != (SELECT value FROM meta WHERE key = 'model_target')"
        ).rowcount
        > 0
    )
