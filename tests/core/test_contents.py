"""Housekeeping: what is forgotten after a while, and what is kept; and the list of events."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.conftest import Shelf
from twinlens import contents, events, roots
from twinlens.catalogue import Catalogue
from twinlens.models import Model

DAY = 86_400.0


def keep_house(catalogue: Catalogue, *, now: float) -> int:
    """Forget what was deleted more than 30 days before ``now``."""
    return contents.housekeep(catalogue, now=now, tombstone_days=30.0)


def test_old_tombstones_are_forgotten(shelf: Shelf, model: Model, catalogue: Catalogue):
    """A photo deleted more than 30 days ago is forgotten with its vector; the index is told."""
    gone = shelf.embed("gone.jpg", model)
    shelf.embed("recent.jpg", model)
    shelf.embed("here.jpg", model)
    shelf.see("waiting.jpg")
    shelf.lose("gone.jpg", "waiting.jpg", now=0.0)
    shelf.lose("recent.jpg", now=2 * DAY)
    logged = catalogue.value("SELECT max(seq) FROM log")
    assert keep_house(catalogue, now=30 * DAY) == 0
    assert keep_house(catalogue, now=31 * DAY) == 2
    names = {row["path"] for row in catalogue.rows("SELECT path FROM files")}
    assert names == {b"recent.jpg", b"here.jpg"}
    assert catalogue.value("SELECT count(*) FROM vectors") == 2
    assert catalogue.value("SELECT count(*) FROM jobs") == 0
    told = catalogue.rows("SELECT content_id FROM log WHERE seq > ?", (logged,))
    assert [row["content_id"] for row in told] == [gone]


def test_content_of_a_deleted_copy_is_kept(shelf: Shelf, model: Model, catalogue: Catalogue):
    """A content that another file points to is kept when one copy is forgotten."""
    shelf.embed("a.jpg", model, content="same")
    shelf.embed("b.jpg", model, content="same")
    shelf.lose("a.jpg", now=0.0)
    assert keep_house(catalogue, now=40 * DAY) == 1
    assert catalogue.value("SELECT count(*) FROM vectors") == 1


def test_forgetting_a_content_reads_no_other_pairs(
    shelf: Shelf, model: Model, catalogue: Catalogue
):
    """Each changed photo forgets a content: that must not go through the pairs of all others."""
    shelf.embed("a.jpg", model)
    with catalogue.write_tx() as tx:
        statements: list[str] = []
        tx.set_trace_callback(statements.append)
        contents.drop_orphans(tx, 1)
        tx.set_trace_callback(None)
        plans = [
            row["detail"]
            for sql in statements
            if sql.startswith("DELETE FROM pairs")
            for row in tx.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]
    assert any(plan.startswith("SEARCH pairs") for plan in plans)
    assert not [plan for plan in plans if plan.startswith("SCAN pairs")]


def test_content_that_was_replaced_is_forgotten(shelf: Shelf, model: Model, catalogue: Catalogue):
    """The bytes that a file had before it changed are forgotten with their vector and pairs."""
    old = shelf.embed("a.jpg", model, content="old")
    other = shelf.embed("b.jpg", model)
    with catalogue.write_tx() as tx:
        tx.execute("INSERT INTO pairs VALUES (?, ?, ?, 0.9)", (model.id, old, other))
    shelf.embed("a.jpg", model, content="new")
    keep_house(catalogue, now=1.0)
    assert catalogue.value("SELECT 1 FROM contents WHERE id = ?", (old,)) is None
    assert catalogue.value("SELECT count(*) FROM vectors") == 2
    assert catalogue.value("SELECT count(*) FROM pairs") == 0


def test_nothing_of_a_disk_that_is_away_is_forgotten(
    shelf: Shelf, model: Model, catalogue: Catalogue
):
    """#17: tombstones below a root that is offline are kept, however old."""
    shelf.embed("a.jpg", model)
    shelf.lose("a.jpg", now=0.0)
    roots.set_online(catalogue, shelf.root, reason="away", now=1.0)
    assert keep_house(catalogue, now=400 * DAY) == 0
    assert catalogue.value("SELECT count(*) FROM vectors") == 1


def test_housekeeping_twice_is_once(shelf: Shelf, model: Model, catalogue: Catalogue):
    """Housekeeping again forgets nothing more and logs nothing more."""
    shelf.embed("a.jpg", model)
    shelf.lose("a.jpg", now=0.0)
    keep_house(catalogue, now=40 * DAY)
    logged = catalogue.value("SELECT max(seq) FROM log")
    assert keep_house(catalogue, now=40 * DAY) == 0
    assert catalogue.value("SELECT max(seq) FROM log") == logged


def test_old_events_are_dropped(
    shelf: Shelf, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
):
    """The newest events are kept, up to a number; their numbers go on."""
    monkeypatch.setattr(events, "KEPT", 3)
    with catalogue.write_tx() as tx:
        for i in range(10):
            events.add_event(tx, 1.0, "added", root_id=shelf.root.id, path=b"%d" % i)
    keep_house(catalogue, now=1.0)
    assert [event.seq for event in events.events_after(catalogue, 0)] == [8, 9, 10]
    assert events.last_event(catalogue) == 10


def test_following_events(shelf: Shelf, catalogue: Catalogue):
    """Events come in order, from a number on, as many as asked for, with all that they hold."""
    assert events.last_event(catalogue) == 0
    assert events.events_after(catalogue, 0) == []
    name = os.fsencode(Path("2024") / os.fsdecode(b"\xff.jpg"))
    with catalogue.write_tx() as tx:
        events.add_event(tx, 1.5, "added", root_id=shelf.root.id, path=name)
        events.add_event(
            tx, 2.5, "duplicate", root_id=shelf.root.id, path=b"b", other=b"a", detail="identical"
        )
    first, second = events.events_after(catalogue, 0)
    assert (first.kind, first.path, first.root_path) == ("added", name, shelf.root.path)
    assert (second.at, second.other, second.detail) == (2.5, b"a", "identical")
    assert events.events_after(catalogue, first.seq) == [second]
    assert events.events_after(catalogue, 0, limit=1) == [first]
    assert events.last_event(catalogue) == second.seq
