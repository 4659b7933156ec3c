"""Which model's vectors the library holds, which one is wanted, and which one answers.

Vectors of two models never mix: each row carries its model, and a model is its name and the
sha256 of its weights. After ``twinlens model use`` the *target* is what workers compute; the
*serving* model goes on answering until the target has caught up.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from twinlens.catalogue import Catalogue, set_meta

DEFAULT_MODEL = "pocket"
_COLUMNS = "models.*, (SELECT value FROM meta WHERE key = 'catalogue_id') AS catalogue"

_WAITING = (
    "FROM jobs JOIN files ON files.id = file_id"
    " WHERE priority = 1 AND state != 'quarantined' AND missing_since IS NULL"
)
"""Photos that wait to be embedded again."""

WHOLE = "(v.labelled OR NOT (SELECT labels FROM models WHERE models.id = v.model_id))"
"""SQL over ``vectors v``: the vector came with labels, or none are wanted."""

AWAY_SECONDS = 86_400.0
"""How long the old model goes on where only photos of disks that are away wait for the new one. A
network mount that drops out for minutes must not cost its photos their place in the answers; an
archive in a drawer must not hold up the change for ever."""

_ONLY_AWAY_SINCE = "model_only_away_since"
"""Key of the catalogue's note: since when nothing but photos of such disks waits."""


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
    labels: bool = False
    """Whether what it names in the photos is kept."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Photos that the target has yet to embed, of those that another model embedded."""

    here: int
    away: int
    """Of disks that are away. The target serves without them after ``AWAY_SECONDS``."""


def waiting(catalogue: Catalogue) -> Waiting:
    """Count the photos that wait for the target."""
    row = catalogue.row(
        "SELECT coalesce(sum(online), 0), coalesce(sum(NOT online), 0) FROM roots JOIN"  # noqa: S608
        f" (SELECT root_id {_WAITING}) ON root_id = roots.id"
    )
    return Waiting(*row)


def get_model(catalogue: Catalogue, role: str) -> Model | None:
    """Return the ``target`` or the ``serving`` model; None before the first worker ran."""
    row = catalogue.row(
        f"SELECT {_COLUMNS} FROM meta JOIN models ON models.id = CAST(meta.value AS INTEGER)"  # noqa: S608
        " WHERE meta.key = ?",
        (f"model_{role}",),
    )
    return _model(row) if row else None


def find_model(catalogue: Catalogue, name: str, digest: str) -> Model | None:
    """Return the model of that name and these weights, where the library has, or had, vectors of it."""
    row = catalogue.row(
        f"SELECT {_COLUMNS} FROM models WHERE name = ? AND digest = ?",  # noqa: S608
        (name, digest),
    )
    return _model(row) if row else None


def all_models(catalogue: Catalogue) -> list[Model]:
    """Return every model that the library has vectors of, or had, in the order they came."""
    return [_model(row) for row in catalogue.rows(f"SELECT {_COLUMNS} FROM models ORDER BY id")]  # noqa: S608


def _model(row: sqlite3.Row) -> Model:
    return Model(**{**dict(row), "labels": bool(row["labels"])})


def set_target(
    catalogue: Catalogue,
    *,
    name: str,
    digest: str,
    dimension: int,
    input_size: int,
    copy_threshold: float,
    weights: str | None = None,
    labels: bool = False,
    at_once: bool = False,
    clock: Callable[[], float] = time.time,
) -> tuple[Model, int]:
    """Make a model the target; return it and how many photos still have to be embedded again.

    The first model of a library serves at once, any other when it has caught up, or now where
    ``at_once`` says so. With ``labels`` photos whose vector came without are embedded again too.
    Setting the same target again changes nothing.
    """
    with catalogue.write_tx() as tx:
        tx.execute(
            "INSERT INTO models (name, digest, dimension, input_size, copy_threshold, weights, labels)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, digest) DO UPDATE SET"
            " copy_threshold = excluded.copy_threshold, weights = excluded.weights,"
            " labels = excluded.labels",
            (name, digest, dimension, input_size, copy_threshold, weights, labels),
        )
        row = tx.execute(
            f"SELECT {_COLUMNS} FROM models WHERE name = ? AND digest = ?",  # noqa: S608
            (name, digest),
        ).fetchone()
        model = _model(row)
        set_meta(tx, "model_target", str(model.id))
        if at_once or not tx.execute("SELECT 1 FROM meta WHERE key = 'model_serving'").fetchone():
            set_meta(tx, "model_serving", str(model.id))
        _drop_needless(tx, model.id)
        _queue_missing(tx, model.id)
        again = tx.execute(f"SELECT count(*) {_WAITING}").fetchone()[0]
        _promote(tx, clock())
    return model, again


def _drop_needless(tx: sqlite3.Connection, model_id: int) -> None:
    """Strike what was queued for a target that was given up: all that is wanted of this one is there."""
    tx.execute(
        "DELETE FROM jobs WHERE priority = 1 AND state != 'quarantined' AND EXISTS"  # noqa: S608
        " (SELECT 1 FROM files JOIN vectors v USING (content_id)"
        f" WHERE files.id = file_id AND v.model_id = ? AND {WHOLE})",
        (model_id,),
    )


def _queue_missing(tx: sqlite3.Connection, model_id: int) -> int:
    """Queue one file for each live content that the model has yet to embed, after new photos.

    Of several copies the best to take is: 1. one queued for this already; 2. one that nothing is
    known against; 3. one that has changed and will soon be another content; 4. none in quarantine.
    """
    return tx.execute(
        "INSERT INTO jobs (file_id, state, priority)"  # noqa: S608  a constant of ours
        " SELECT id, 'pending', 1 FROM"
        " (SELECT files.id, state, row_number() OVER (PARTITION BY content_id"
        "  ORDER BY CASE WHEN state = 'quarantined' THEN 4 WHEN priority = 0 THEN 3"
        "  WHEN priority = 1 THEN 1 ELSE 2 END, NOT online, files.id) AS place"
        "  FROM files JOIN roots ON roots.id = root_id LEFT JOIN jobs ON file_id = files.id"
        "  WHERE content_id IS NOT NULL AND missing_since IS NULL AND NOT EXISTS"
        f"  (SELECT 1 FROM vectors v WHERE v.content_id = files.content_id AND v.model_id = ? AND {WHOLE}))"
        " WHERE place = 1 AND state IS NULL",
        (model_id,),
    ).rowcount


def promote(catalogue: Catalogue, clock: Callable[[], float] = time.time) -> bool:
    """Let the target serve where it may by now; return whether it has begun to.

    1. It may once no photo waits to be embedded again.
    2. It may when, for ``AWAY_SECONDS`` on end, none waited but on disks that are away, and it has
       embedded others.
    """
    if catalogue.meta("model_target") == catalogue.meta("model_serving"):
        return False
    with catalogue.write_tx() as tx:
        return _promote(tx, clock())


def _promote(tx: sqlite3.Connection, now: float) -> bool:
    target = tx.execute("SELECT value FROM meta WHERE key = 'model_target'").fetchone()
    # The file that was to be embedded for a content may have gone or changed; a copy remains.
    if target is None or _here_waits(tx) or _queue_missing(tx, int(target[0])):
        _forget_wait(tx)
        return False
    if tx.execute(f"SELECT 1 {_WAITING} LIMIT 1").fetchone() and not _waited_enough(tx, now):
        return False
    _forget_wait(tx)
    return (
        tx.execute(
            "UPDATE meta SET value = (SELECT value FROM meta WHERE key = 'model_target')"
            " WHERE key = 'model_serving'"
            " AND value != (SELECT value FROM meta WHERE key = 'model_target')"
        ).rowcount
        > 0
    )


def _here_waits(tx: sqlite3.Connection) -> bool:
    sql = f"SELECT 1 {_WAITING} AND root_id IN (SELECT id FROM roots WHERE online) LIMIT 1"  # noqa: S608
    return tx.execute(sql).fetchone() is not None


def _waited_enough(tx: sqlite3.Connection, now: float) -> bool:
    """Tell whether photos of disks that are away were waited for long enough; begin to count."""
    since = tx.execute("SELECT value FROM meta WHERE key = ?", (_ONLY_AWAY_SINCE,)).fetchone()
    if since is None or float(since[0]) > now:  # or the clock went back
        set_meta(tx, _ONLY_AWAY_SINCE, repr(now))
        return False
    has_any = tx.execute(
        "SELECT 1 FROM vectors JOIN meta ON key = 'model_target'"
        " WHERE model_id = CAST(value AS INTEGER) LIMIT 1"
    ).fetchone()
    return has_any is not None and now - float(since[0]) >= AWAY_SECONDS


def _forget_wait(tx: sqlite3.Connection) -> None:
    tx.execute("DELETE FROM meta WHERE key = ?", (_ONLY_AWAY_SINCE,))
