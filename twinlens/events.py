"""What happened to the photos, as an append-only list for those who follow along.

Kinds: ``added changed moved deleted returned failed duplicate offline online``.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass

from twinlens.catalogue import Catalogue

KEPT = 100_000
"""Events kept; older ones are dropped by housekeeping."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``path`` and ``other`` are below the root, but for root events."""

    seq: int
    at: float
    kind: str
    root_path: bytes | None
    path: bytes | None
    other: bytes | None
    detail: str | None


def add_event(
    tx: sqlite3.Connection,
    at: float,
    kind: str,
    *,
    root_id: int,
    path: bytes,
    other: bytes | None = None,
    detail: str | None = None,
) -> None:
    """Append an event within a write transaction."""
    tx.execute(
        "INSERT INTO events (at, kind, root_id, path, other, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (at, kind, root_id, path, other, detail),
    )


def add_duplicate(
    tx: sqlite3.Connection, at: float, new: sqlite3.Row, twin: sqlite3.Row, *, detail: str
) -> None:
    """Append that ``new`` (``root_id``, ``path``) duplicates ``twin`` (``root_path``, ``path``)."""
    other = os.path.join(twin["root_path"], twin["path"])  # noqa: PTH118  bytes
    add_event(
        tx, at, "duplicate", root_id=new["root_id"], path=new["path"], other=other, detail=detail
    )


def events_after(catalogue: Catalogue, seq: int, limit: int = 1000) -> list[Event]:
    """Return up to ``limit`` events after number ``seq``, oldest first."""
    rows = catalogue.rows(
        "SELECT seq, at, kind, roots.path AS root_path, events.path AS path, other, detail"
        " FROM events LEFT JOIN roots ON roots.id = root_id WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, limit),
    )
    return [Event(**row) for row in rows]


def last_event(catalogue: Catalogue) -> int:
    """Return the number of the newest event, 0 where there is none."""
    return int(catalogue.value("SELECT coalesce(max(seq), 0) FROM events"))
