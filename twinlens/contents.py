"""Contents: what the bytes of files are, whatever the files are called.

Vectors and decisions hang on contents. This module forgets what nothing points to any more.
"""

from __future__ import annotations

import sqlite3

from twinlens import events
from twinlens.catalogue import Catalogue


def drop_orphans(tx: sqlite3.Connection, content_id: int | None = None, *, most: int = -1) -> int:
    """Forget contents that no file points to, with vectors, pairs and relations; return how many.

    With ``content_id`` only that one is looked at; ``most`` is how many are dropped at most, -1 for
    all. Each vector dropped is logged, so that the index
    drops it too.
    """
    among = "" if content_id is None else " AND c.id = ?"
    tx.execute("CREATE TEMP TABLE IF NOT EXISTS orphans (id INTEGER PRIMARY KEY)")
    tx.execute("DELETE FROM orphans")
    tx.execute(
        "INSERT INTO orphans SELECT id FROM contents c"  # noqa: S608  constants of ours
        f" WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id){among}"
        " LIMIT ?",
        (most,) if content_id is None else (content_id, most),
    )
    tx.execute(
        "INSERT INTO log (content_id, model_id) SELECT content_id, model_id FROM vectors"
        " WHERE content_id IN (SELECT id FROM orphans)"
    )
    for sql in (
        "DELETE FROM labels WHERE content_id IN (SELECT id FROM orphans)",
        "DELETE FROM vectors WHERE content_id IN (SELECT id FROM orphans)",
        "DELETE FROM inner_vectors WHERE content_id IN (SELECT id FROM orphans)",
        *(
            f"DELETE FROM {table} WHERE {end} IN (SELECT id FROM orphans)"  # noqa: S608
            for table in ("relations", "unverified")
            for end in ("a", "b")
        ),
        # By model first, as the indexes are: else each changed photo goes through all pairs, 90 ms
        # within the write transaction where there are 400,000.
        *(
            "DELETE FROM pairs WHERE model_id IN (SELECT id FROM models)"  # noqa: S608
            f" AND {end} IN (SELECT id FROM orphans)"
            for end in ("a", "b")
        ),
    ):
        tx.execute(sql)
    return tx.execute("DELETE FROM contents WHERE id IN (SELECT id FROM orphans)").rowcount


def housekeep(catalogue: Catalogue, *, now: float, tombstone_days: float) -> int:
    """Forget files deleted more than ``tombstone_days`` ago, what only they held, and old events.

    Returns how many files were forgotten. Files below a root that is offline are kept.
    """
    old = (
        "SELECT files.id FROM files JOIN roots ON roots.id = root_id"
        " WHERE online AND missing_since < ?"
    )
    before = now - tombstone_days * 86_400
    with catalogue.write_tx() as tx:
        tx.execute(f"DELETE FROM jobs WHERE file_id IN ({old})", (before,))  # noqa: S608
        count = tx.execute(f"DELETE FROM files WHERE id IN ({old})", (before,)).rowcount  # noqa: S608
        drop_orphans(tx)
        tx.execute(
            "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?", (events.KEPT,)
        )
    return count
