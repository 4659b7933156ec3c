"""The ledger: which files there are, and what remains to be done for them.

A job is a row, at most one for each file. States: ``pending`` -> ``leased`` -> done (no row), or
``quarantined``. The broker only says that work is there; what counts is written here, by the
owner's clock.

When a photo is given up:
1. An error that the same bytes will always give (damaged, unreadable): at once.
2. A decoder that crashed or ran out of time: after ``max_attempts``.
3. A worker that went silent (killed, host lost) says nothing about the photo: the lease lapses and
   the photo is handed out again, from the second lapse on alone and after a growing pause, so that
   a photo that kills workers takes no others with it. After ``MAX_LAPSES`` it is given up.
A quarantined photo is tried again when its file changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twinlens.catalogue import Catalogue
from twinlens.contents import drop_orphans
from twinlens.events import add_event
from twinlens.filestat import FileStat
from twinlens.messages import Photo, writable
from twinlens.models import WHOLE

MAX_LAPSES = 5
ALONE_FROM_LAPSE = 2

CLOCK_SLACK_SECONDS = 86_400.0
"""A time further ahead than anything we write, by more than this, was written while the clock was
wrong (an empty battery, a mistyped year). Waiting for it would take as long as the clock was off."""


@dataclass(frozen=True, slots=True)
class Job(Photo):
    """A photo to embed, as the ledger hands it out."""

    lapses: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is and how much remains."""

    photos: int
    embedded: int
    pending: int
    leased: int
    quarantined: int


def record(
    catalogue: Catalogue, root_id: int, seen: Iterable[tuple[bytes, FileStat]], *, now: float
) -> int:
    """Record settled readings of photos below a root; return how many need work.

    A file whose size, mtime and inode are known keeps its content; any other gets a new
    generation and a job. Recording the same reading twice changes nothing.
    """
    with catalogue.write_tx() as tx:
        return sum(_record_one(tx, root_id, path, stat, now) for path, stat in seen)


def replaced(
    catalogue: Catalogue, root_id: int, path: bytes, stat: FileStat, sha256: str, *, now: float
) -> int:
    """Record a file that we put in place ourselves, whose bytes we know; return how many need work.

    A hard link, or what comes back from another disk, has another inode and the bytes that the
    catalogue knows: ``record`` would have them read anew, and until then the photo takes no part.
    ``sha256`` is lower-case hex; where the catalogue has other bytes, this is ``record``.
    """
    with catalogue.write_tx() as tx:
        tx.execute(
            "UPDATE files SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?"
            " WHERE root_id = ? AND path = ?"
            " AND content_id = (SELECT id FROM contents WHERE sha256 = ?)",
            (
                stat.size,
                stat.mtime_ns,
                stat.ctime_ns,
                stat.inode,
                root_id,
                path,
                bytes.fromhex(sha256),
            ),
        )
        return _record_one(tx, root_id, path, stat, now)


def _record_one(
    tx: sqlite3.Connection, root_id: int, path: bytes, stat: FileStat, now: float
) -> bool:
    row = tx.execute(
        "SELECT id, size, mtime_ns, ctime_ns, inode, content_id, missing_since, state"
        " FROM files LEFT JOIN jobs ON file_id = id WHERE root_id = ? AND path = ?",
        (root_id, path),
    ).fetchone()
    if row is None:
        file_id = tx.execute(
            "INSERT INTO files"
            " (root_id, path, size, mtime_ns, ctime_ns, inode, generation, added_at)"
            " VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
            (root_id, path, stat.size, stat.mtime_ns, stat.ctime_ns, stat.inode, now),
        ).lastrowid
        return _need_work(tx, file_id)
    known = FileStat(row["size"], row["mtime_ns"], row["ctime_ns"], row["inode"])
    settled = row["content_id"] is not None
    if row["missing_since"] is not None:
        tx.execute("UPDATE files SET missing_since = NULL WHERE id = ?", (row["id"],))
        add_event(tx, now, "returned", root_id=root_id, path=path)
        # While it was away, the library may have gone over to another model.
        settled = settled and _has_target_vector(tx, row["content_id"])
    if known == stat and (settled or row["state"] is not None):
        return False
    same = known.same_bytes(stat)
    tx.execute(
        "UPDATE files SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?,"
        " generation = generation + ?, added_at = iif(?, ?, added_at) WHERE id = ?",
        (
            stat.size,
            stat.mtime_ns,
            stat.ctime_ns,
            stat.inode,
            not same,
            not same,
            now,
            row["id"],
        ),
    )
    # Only ctime moved: new permissions perhaps, which matter to a photo that could not be read.
    if same and settled and row["state"] != "quarantined":
        return False
    if same and row["state"] in ("pending", "leased"):
        return False
    return _need_work(tx, row["id"])


def _has_target_vector(tx: sqlite3.Connection, content_id: int) -> bool:
    return not tx.execute(
        "SELECT 1 FROM meta WHERE key = 'model_target' AND NOT EXISTS"  # noqa: S608  a constant of ours
        " (SELECT 1 FROM vectors v WHERE v.content_id = ?"
        f" AND v.model_id = CAST(meta.value AS INTEGER) AND {WHOLE})",
        (content_id,),
    ).fetchone()


def _need_work(tx: sqlite3.Connection, file_id: int | None, priority: int = 0) -> bool:
    tx.execute(
        "INSERT INTO jobs (file_id, state, priority) VALUES (?, 'pending', ?)"
        " ON CONFLICT (file_id) DO UPDATE SET state = 'pending', priority = excluded.priority,"
        " attempts = 0, lapses = 0, not_before = 0, lease_until = NULL, lease_owner = NULL,"
        " kind = NULL, reason = NULL",
        (file_id, priority),
    )
    return True


def tombstone(catalogue: Catalogue, root_id: int, paths: Iterable[bytes], *, now: float) -> int:
    """Mark files as deleted; return how many were there. They are remembered for a while."""
    count = 0
    with catalogue.write_tx() as tx:
        for path in paths:
            row = tx.execute(
                "UPDATE files SET missing_since = ?"
                " WHERE root_id = ? AND path = ? AND missing_since IS NULL RETURNING id",
                (now, root_id, path),
            ).fetchone()
            if row is not None:
                # Its job, if any, waits: the file may come back, as it does in an atomic save.
                add_event(tx, now, "deleted", root_id=root_id, path=path)
                count += 1
    return count


def move(
    catalogue: Catalogue,
    root_id: int,
    moves: Iterable[tuple[bytes, bytes, FileStat]],
    *,
    now: float,
) -> int:
    """Follow renames ``(old, new, reading of new)`` below a root; return how many were followed.

    The file keeps its row, content and job; a job in a worker's hands is handed out anew. A file
    that stood at the new path is replaced, as the file system replaced it. A move of a path that
    was not known is left to ``record``.
    """
    with catalogue.write_tx() as tx:
        return sum(_move_one(tx, root_id, old, new, stat, now) for old, new, stat in moves)


def _move_one(
    tx: sqlite3.Connection, root_id: int, old: bytes, new: bytes, stat: FileStat, now: float
) -> bool:
    row = tx.execute(
        "SELECT * FROM files WHERE root_id = ? AND path = ? AND missing_since IS NULL",
        (root_id, old),
    ).fetchone()
    if row is None or old == new:
        return False
    known = FileStat(row["size"], row["mtime_ns"], row["ctime_ns"], row["inode"])
    if not known.same_bytes(stat):
        return False
    _forget_replaced(tx, root_id, new)
    # A worker that has it in hand looks at the old path: what it reports will be out of date.
    in_hand = tx.execute(
        "UPDATE jobs SET state = 'pending', lease_until = NULL, lease_owner = NULL"
        " WHERE file_id = ? AND state = 'leased'",
        (row["id"],),
    ).rowcount
    tx.execute(
        "UPDATE files SET path = ?, ctime_ns = ?, generation = generation + ? WHERE id = ?",
        (new, stat.ctime_ns, in_hand, row["id"]),
    )
    add_event(tx, now, "moved", root_id=root_id, path=new, other=old)
    return True


def _forget_replaced(tx: sqlite3.Connection, root_id: int, path: bytes) -> None:
    row = tx.execute(
        "SELECT id, content_id FROM files WHERE root_id = ? AND path = ?", (root_id, path)
    ).fetchone()
    if row is None:
        return
    tx.execute("DELETE FROM jobs WHERE file_id = ?", (row["id"],))
    tx.execute("DELETE FROM files WHERE id = ?", (row["id"],))
    if row["content_id"] is not None:
        drop_orphans(tx, row["content_id"])


def lease(catalogue: Catalogue, owner: str, *, now: float, seconds: float, limit: int) -> list[Job]:
    """Take up to ``limit`` pending jobs of roots that are online, for ``seconds``.

    Leases that have run out are taken back first. A photo whose worker went silent twice comes
    alone.
    """
    with catalogue.write_tx() as tx:
        expire(tx, now=now, longest=seconds)
        rows = tx.execute(
            "SELECT file_id, generation, name AS root, roots.path AS root_path,"
            " files.path AS path, size, lapses"
            " FROM jobs JOIN files ON files.id = file_id JOIN roots ON roots.id = root_id"
            " WHERE state = 'pending' AND (not_before <= ? OR not_before > ?)"
            " AND online AND missing_since IS NULL"
            " ORDER BY priority, lapses, not_before, file_id LIMIT ?",
            (now, now + CLOCK_SLACK_SECONDS, limit),
        ).fetchall()
        jobs = _those_together([Job(**row) for row in rows])
        tx.executemany(
            "UPDATE jobs SET state = 'leased', lease_until = ?, lease_owner = ? WHERE file_id = ?",
            [(now + seconds, owner, job.file_id) for job in jobs],
        )
    return jobs


def _those_together(jobs: list[Job]) -> list[Job]:
    trusted = [job for job in jobs if job.lapses < ALONE_FROM_LAPSE]
    return trusted or jobs[:1]


def expire(
    tx: sqlite3.Connection, *, now: float, owner: str | None = None, longest: float = 0.0
) -> int:
    """Take back leases that have run out, or all of ``owner``, which died; return how many.

    ``longest`` is for how many seconds leases are given: those that reach far beyond are taken back.
    """
    rows = tx.execute(
        "UPDATE jobs SET state = iif(lapses + 1 >= :most, 'quarantined', 'pending'),"
        " lapses = lapses + 1, lease_until = NULL, lease_owner = NULL,"
        " not_before = iif(lapses + 1 >= :alone, :now + min(300, 1 << (lapses + 1)), 0)"
        " WHERE state = 'leased' AND iif(:owner IS NULL,"
        " lease_until NOT BETWEEN :now AND :most_until, lease_owner = :owner)"
        " RETURNING file_id, state",
        {
            "most": MAX_LAPSES,
            "alone": ALONE_FROM_LAPSE,
            "now": now,
            "most_until": now + longest + CLOCK_SLACK_SECONDS,
            "owner": owner,
        },
    ).fetchall()
    for row in rows:
        if row["state"] == "quarantined":
            reason = f"workers died {MAX_LAPSES} times with this photo in hand"
            _say_failed(tx, row["file_id"], "killed-worker", reason, now)
    return len(rows)


def extend(catalogue: Catalogue, owner: str, *, until: float) -> None:
    """Prolong all leases of ``owner``."""
    with catalogue.write_tx() as tx:
        tx.execute(
            "UPDATE jobs SET lease_until = ? WHERE state = 'leased' AND lease_owner = ?",
            (until, owner),
        )


def release(catalogue: Catalogue, file_ids: Sequence[int]) -> None:
    """Give leased jobs back untouched, as a worker does that stops in good order."""
    with catalogue.write_tx() as tx:
        tx.executemany(
            "UPDATE jobs SET state = 'pending', lease_until = NULL, lease_owner = NULL"
            " WHERE file_id = ? AND state = 'leased'",
            [(file_id,) for file_id in file_ids],
        )


def finish(tx: sqlite3.Connection, file_id: int) -> None:
    """Strike a job that is done, within the transaction that commits its result."""
    tx.execute("DELETE FROM jobs WHERE file_id = ?", (file_id,))


def postpone(tx: sqlite3.Connection, file_id: int, *, until: float) -> None:
    """Hand a job out again later; it counts as no failure."""
    tx.execute(
        "UPDATE jobs SET state = 'pending', not_before = ?, lease_until = NULL, lease_owner = NULL"
        " WHERE file_id = ?",
        (until, file_id),
    )


def is_leased(tx: sqlite3.Connection, file_id: int) -> bool:
    """Tell whether a worker has the job in hand, as far as the ledger knows."""
    row = tx.execute("SELECT state FROM jobs WHERE file_id = ?", (file_id,)).fetchone()
    return row is not None and row["state"] == "leased"


def fail(
    tx: sqlite3.Connection,
    file_id: int,
    *,
    kind: str,
    reason: str,
    permanent: bool,
    max_attempts: int,
    now: float,
) -> bool:
    """Count a failed attempt; return whether the photo is in quarantine now."""
    reason = writable(reason)
    row = tx.execute(
        "UPDATE jobs SET attempts = attempts + 1, kind = ?, reason = ?, not_before = ?,"
        " lease_until = NULL, lease_owner = NULL,"
        " state = CASE WHEN ? OR attempts + 1 >= ? THEN 'quarantined' ELSE 'pending' END"
        " WHERE file_id = ? RETURNING state",
        (kind, reason, now + 1.0, permanent, max_attempts, file_id),
    ).fetchone()
    if row is None or row["state"] != "quarantined":
        return False
    _say_failed(tx, file_id, kind, reason, now)
    return True


def _say_failed(tx: sqlite3.Connection, file_id: int, kind: str, reason: str, now: float) -> None:
    tx.execute("UPDATE jobs SET kind = ?, reason = ? WHERE file_id = ?", (kind, reason, file_id))
    root_id, path = tx.execute(
        "SELECT root_id, path FROM files WHERE id = ?", (file_id,)
    ).fetchone()
    add_event(tx, now, "failed", root_id=root_id, path=path, detail=reason)


def retry_quarantined(catalogue: Catalogue, root_id: int) -> int:
    """Hand out the quarantined photos of a root again; return how many."""
    with catalogue.write_tx() as tx:
        rows = tx.execute(
            "SELECT file_id FROM jobs JOIN files ON id = file_id"
            " WHERE state = 'quarantined' AND root_id = ?",
            (root_id,),
        ).fetchall()
        return sum(_need_work(tx, row["file_id"]) for row in rows)


def counts(catalogue: Catalogue, root_id: int | None = None) -> Counts:
    """Count live photos and their jobs, in one root or in all."""
    row = catalogue.row(
        "SELECT count(*) AS photos, count(content_id) AS embedded,"
        " coalesce(sum(state = 'pending'), 0) AS pending,"
        " coalesce(sum(state = 'leased'), 0) AS leased,"
        " coalesce(sum(state = 'quarantined'), 0) AS quarantined"
        " FROM files LEFT JOIN jobs ON file_id = id"
        " WHERE missing_since IS NULL AND (? IS NULL OR root_id = ?)",
        (root_id, root_id),
    )
    return Counts(**row)


def has_work(catalogue: Catalogue) -> bool:
    """Tell whether any job is pending or leased for a root that is online; cheap enough to poll."""
    return bool(
        catalogue.value(
            "SELECT 1 FROM jobs JOIN files ON files.id = file_id JOIN roots ON roots.id = root_id"
            " WHERE state IN ('pending', 'leased') AND online AND missing_since IS NULL LIMIT 1"
        )
    )
