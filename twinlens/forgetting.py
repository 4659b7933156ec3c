"""Forgetting a model: what the catalogue and the index hold of it, while others use them.

Nothing of this happens by itself. As long as a model's vectors are kept, going back to it costs
nothing; without them every photo is read again.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass

from twinlens.catalogue import Catalogue
from twinlens.errors import ModelError
from twinlens.library import Library
from twinlens.models import Model, all_models, get_model
from twinlens.snapshot import model_folder

ROWS = 20_000
"""Rows deleted within one transaction: others that write wait for less than a second."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A model that the library has vectors of, and what they take."""

    model: Model
    vectors: int
    """Photos that it has embedded."""
    bytes: int
    """In the catalogue and in the index, 10^6 to the MB."""
    role: str | None
    """``serving``, ``target``, or None where it could be forgotten."""


def stored_models(catalogue: Catalogue, library: Library) -> list[Stored]:
    """Return the models that the library has vectors of, and those in use, oldest first."""
    counts = _of_each(catalogue, "count(*)", "vectors")
    inner = _of_each(catalogue, "count(*)", "inner_vectors")
    parts = _of_each(catalogue, "sum(length(data))", "model_parts")
    roles = {}
    for role in ("target", "serving"):
        model = get_model(catalogue, role)
        if model is not None:
            roles[model.id] = role
    return [
        Stored(
            model,
            counts.get(model.id, 0),
            (counts.get(model.id, 0) + inner.get(model.id, 0)) * model.dimension * 2
            + parts.get(model.id, 0)
            + _index_bytes(library, model),
            roles.get(model.id),
        )
        for model in all_models(catalogue)
        if model.id in counts or model.id in roles
    ]


def _of_each(catalogue: Catalogue, sql: str, table: str) -> dict[int, int]:
    """Return what an aggregate over the rows of each model in a table gives, by model."""
    rows = catalogue.rows(f"SELECT model_id, {sql} FROM {table} GROUP BY model_id")  # noqa: S608
    return dict(map(tuple, rows))


def forget(catalogue: Catalogue, library: Library, model: Model) -> None:
    """Forget a model: vectors, labels, pairs, log, index. Raises ModelError for one that is in use.

    Killed in the middle it leaves a model with fewer vectors, which can be forgotten or used again.
    """
    for table in _tables(catalogue):
        while _delete_some(catalogue, table, model):
            pass
    with catalogue.write_tx() as tx:
        _refuse_used(tx, model)
        tx.execute("DELETE FROM meta WHERE key GLOB ?", (f"*:{model.id}",))
        tx.execute("DELETE FROM models WHERE id = ?", (model.id,))
    shutil.rmtree(model_folder(library.index, model), ignore_errors=True)


def _tables(catalogue: Catalogue) -> list[str]:
    """Return the tables whose rows belong to a model: all that have a ``model_id``.

    ``vectors`` comes first: what has none there is embedded again, with its labels and the picture
    within it, should the model be used after all.
    """
    rows = catalogue.rows(
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND c.name = 'model_id' ORDER BY m.name != 'vectors', m.name"
    )
    return [row[0] for row in rows]


def _delete_some(catalogue: Catalogue, table: str, model: Model) -> bool:
    """Delete some rows of a model; return whether there may be more."""
    keys = catalogue.rows("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", (table,))
    key = ", ".join(row[0] for row in keys)
    with catalogue.write_tx() as tx:
        _refuse_used(tx, model)
        deleted = tx.execute(
            f"DELETE FROM {table} WHERE ({key}) IN"  # noqa: S608  names of our own tables
            f" (SELECT {key} FROM {table} WHERE model_id = ? LIMIT {ROWS})",
            (model.id,),
        ).rowcount
    return deleted == ROWS


def _refuse_used(tx: sqlite3.Connection, model: Model) -> None:
    used = tx.execute(
        "SELECT 1 FROM meta WHERE key IN ('model_target', 'model_serving') AND value = ?",
        (str(model.id),),
    ).fetchone()
    if used:
        raise ModelError(
            f"{model.name}: in use. Choose another first: twinlens model use NAME, then scan"
        )


def _index_bytes(library: Library, model: Model) -> int:
    folder = model_folder(library.index, model)
    if not folder.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
