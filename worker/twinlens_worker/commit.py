"""Commit: results into the catalogue and its log, all of a batch in one transaction.

Committing a result twice changes nothing the second time. A result is dropped when:
1. the file's generation has moved on (it changed meanwhile: its new job is waiting);
2. its file is gone from the catalogue;
3. it was computed with another model than the target's;
4. it is for another catalogue, whose numbers mean other files.
"""

from __future__ import annotations

import dataclasses
import logging
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from twinlens import labels, ledger, vectors
from twinlens.catalogue import Catalogue
from twinlens.contents import drop_orphans
from twinlens.errors import BadVectorError, CatalogueError, ChangedError, VanishedError
from twinlens.events import add_duplicate, add_event
from twinlens.messages import Embedded, Failed, ModelRef, Result
from twinlens.settings import Settings
from twinlens_worker.patience import patiently
from twinlens_worker.vanished import NOT_FOUND, NOT_FOUND_REASON, Search, search

log = logging.getLogger("twinlens.worker")


@dataclass(frozen=True, slots=True)
class Context:
    """What all results of a batch share."""

    model_id: int
    dimension: int
    labels: bool
    now: float
    max_attempts: int
    settle_seconds: float
    search: Search


def commit(
    catalogue: Catalogue,
    model: ModelRef,
    results: Sequence[Result],
    *,
    now: float,
    max_attempts: int,
    settle_seconds: float,
) -> int:
    """Commit the results of one batch; return how many photos were embedded.

    Raises sqlite3.OperationalError where the disk is full; then nothing was committed.
    """
    if model.catalogue not in (None, catalogue.meta("catalogue_id")):
        log.warning(
            "results for another library were dropped: give each a Redis database of its own"
        )
        return 0
    found = search(catalogue, results, now=now)
    with catalogue.write_tx() as tx:
        target = tx.execute(
            "SELECT models.id, dimension, labels FROM models JOIN meta ON key = 'model_target'"
            " AND models.id = CAST(value AS INTEGER) WHERE name = ? AND digest = ?",
            (model.name, model.digest),
        ).fetchone()
        if target is None:
            for result in results:
                # What is in quarantine stays there: this says nothing about it.
                if ledger.is_leased(tx, result.file_id):
                    ledger.postpone(tx, result.file_id, until=now)
            return 0
        context = Context(
            target["id"],
            target["dimension"],
            bool(target["labels"]),
            now,
            max_attempts,
            settle_seconds,
            found,
        )
        return sum(_commit_one(tx, context, result) for result in results)


def commit_patiently(
    catalogue: Catalogue,
    settings: Settings,
    model: ModelRef,
    results: Sequence[Result],
    stop: Event,
) -> None:
    """Commit the results of one batch now; wait while the disk is full, until stopped."""
    patiently(
        lambda: commit(
            catalogue,
            model,
            results,
            now=time.time(),
            max_attempts=settings.max_attempts,
            settle_seconds=settings.settle_seconds,
        ),
        stop,
    )


def _commit_one(tx: sqlite3.Connection, context: Context, result: Result) -> bool:
    file = tx.execute("SELECT * FROM files WHERE id = ?", (result.file_id,)).fetchone()
    if file is None or file["generation"] != result.generation:
        return False
    if isinstance(result, Embedded) and not _is_usable(result.vector, context.dimension):
        # From the broker: one such vector would stop the index and every search for good.
        error = BadVectorError("a worker sent no usable vector. Run one twinlens on all computers.")
        result = Failed(result.file_id, result.generation, error.kind, str(error), permanent=False)
    if isinstance(result, Failed):
        _commit_failure(tx, context, file, result)
        return False
    if result.inner is not None and (
        result.flat or not _is_usable(result.inner, context.dimension)
    ):
        result = dataclasses.replace(result, inner=None)  # the photo does without
    return _commit_success(tx, context, file, result)


def _is_usable(vector: bytes | None, dimension: int) -> bool:
    if vector is None:
        return True
    try:
        vectors.encode(vectors.decode(vector, dimension))
    except (BadVectorError, CatalogueError):
        return False
    return True


def _commit_failure(
    tx: sqlite3.Connection, context: Context, file: sqlite3.Row, result: Failed
) -> None:
    if result.kind == VanishedError.kind:
        if file["root_id"] in context.search.away:
            ledger.postpone(tx, file["id"], until=context.now)  # until its disk is back
            return
        if file["id"] not in context.search.there:
            _commit_deletion(tx, context, file)
            return
        result = dataclasses.replace(
            result, kind=NOT_FOUND, reason=NOT_FOUND_REASON, permanent=False
        )
    if result.kind == ChangedError.kind:
        ledger.postpone(tx, file["id"], until=context.now + context.settle_seconds)
    elif ledger.is_leased(tx, file["id"]):  # else it was counted: the broker brought it twice
        ledger.fail(
            tx,
            file["id"],
            kind=result.kind,
            reason=result.reason,
            permanent=result.permanent,
            max_attempts=context.max_attempts,
            now=context.now,
        )


def _commit_deletion(tx: sqlite3.Connection, context: Context, file: sqlite3.Row) -> None:
    # Its job waits, in case the file comes back; jobs of missing files are not handed out.
    ledger.postpone(tx, file["id"], until=context.now)
    if file["missing_since"] is None:
        tx.execute("UPDATE files SET missing_since = ? WHERE id = ?", (context.now, file["id"]))
        add_event(tx, context.now, "deleted", root_id=file["root_id"], path=file["path"])


def _commit_success(
    tx: sqlite3.Connection, context: Context, file: sqlite3.Row, result: Embedded
) -> bool:
    content_id = _store_content(tx, result)
    if not _store_vector(tx, context, content_id, result):
        # The vector that the decoder saw was forgotten since, or labels have come to be wanted
        # while the photo was in work: embed it after all.
        ledger.postpone(tx, file["id"], until=context.now)
        return False
    tx.execute("UPDATE files SET content_id = ? WHERE id = ?", (content_id, file["id"]))
    ledger.finish(tx, file["id"])
    if file["content_id"] != content_id:
        if file["content_id"] is not None:
            drop_orphans(tx, file["content_id"])
        _say_new(tx, context.now, file, content_id)
    return True


def _store_content(tx: sqlite3.Connection, result: Embedded) -> int:
    row = tx.execute("SELECT id FROM contents WHERE sha256 = ?", (result.sha256,)).fetchone()
    if row is not None:
        if result.vector is not None:
            _fill_in(tx, int(row["id"]), result)
        return int(row["id"])
    cursor = tx.execute(
        "INSERT INTO contents (sha256, bytes, width, height, format, taken_at, camera, burst,"
        " document, derived_from, flat, sharpness) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            result.sha256,
            result.size,
            result.width,
            result.height,
            result.format,
            result.taken_at,
            result.camera,
            result.burst,
            result.document,
            result.derived_from,
            result.flat,
            result.sharpness,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _fill_in(tx: sqlite3.Connection, content_id: int, result: Embedded) -> None:
    """Add what an older version did not read from a photo that was now decoded again."""
    tx.execute(
        "UPDATE contents SET burst = coalesce(burst, ?), document = coalesce(document, ?),"
        " derived_from = coalesce(derived_from, ?), sharpness = coalesce(sharpness, ?)"
        " WHERE id = ?",
        (result.burst, result.document, result.derived_from, result.sharpness, content_id),
    )


def _store_vector(
    tx: sqlite3.Connection, context: Context, content_id: int, result: Embedded
) -> bool:
    """Store a content's vectors and labels once, and log it; return whether it has all there is.

    One entry of the log stands for both vectors.
    """
    key = (content_id, context.model_id)
    known: Any = tx.execute(
        "SELECT labelled FROM vectors WHERE content_id = ? AND model_id = ?", key
    ).fetchone()
    if known is None:
        if result.vector is None:
            return False
        tx.execute(
            "INSERT INTO vectors (content_id, model_id, vector) VALUES (?, ?, ?)",
            (*key, result.vector),
        )
    if _store_inner(tx, key, result) or known is None:
        tx.execute("INSERT INTO log (content_id, model_id) VALUES (?, ?)", key)
    if not context.labels or (known and known["labelled"]):
        return True
    if result.labels is None:
        return False
    labels.store(tx, context.model_id, content_id, result.labels)
    return True


def _store_inner(tx: sqlite3.Connection, key: tuple[int, int], result: Embedded) -> bool:
    """Store the vector of the picture within a content; return whether it had none.

    It may come later than that of the whole: a photo that an older version embedded is embedded
    again where labels have come to be wanted.
    """
    if result.inner is None:
        return False
    added = tx.execute(
        "INSERT INTO inner_vectors (content_id, model_id, vector) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (*key, result.inner),
    )
    return added.rowcount > 0


def _say_new(tx: sqlite3.Connection, now: float, file: sqlite3.Row, content_id: int) -> None:
    if file["missing_since"] is not None:
        return
    kind = "added" if file["content_id"] is None else "changed"
    add_event(tx, now, kind, root_id=file["root_id"], path=file["path"])
    twin = tx.execute(
        "SELECT roots.path AS root_path, files.path FROM files JOIN roots ON roots.id = root_id"
        " WHERE content_id = ? AND files.id != ? AND missing_since IS NULL ORDER BY files.id",
        (content_id, file["id"]),
    ).fetchone()
    if twin is not None:
        add_duplicate(tx, now, file, twin, detail="identical")
