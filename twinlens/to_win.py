"""``to_win``: in which order ``duplicates`` lists, kept up to date by triggers.

For each content there is at most one number: roughly the bytes that could be won back around it, by
files with the same bytes and by contents that are, or may be, the same shot. What is a group depends
on rules, decisions and what is on disk now, so that groups are made when they are asked for; to find
the largest first, at a million photos and from a cold start, this number is enough. No row: nothing
to win.

It is made from scratch each time, so that it cannot drift, and by triggers, so that whoever writes
keeps it. 31 us CPU for each relation stored, of the 5,000 that its verification takes (measured at
a million photos).
"""

# ruff: noqa: S608  statements made of our own words

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_MOST_FILES: Final = 100
"""Files of one content that are counted: 3,000 copies must not cost n^2 while they come in, and the
number gives no more than an order."""

_DUPLICATE: Final = "IN ('same-pixels', 'copy', 'edit')"

_LIKELY: Final = (
    "score >= (SELECT copy_threshold - 0.05 FROM models JOIN meta ON key = 'model_serving'"
    " AND models.id = CAST(value AS INTEGER))"
)
"""Pairs not yet verified that may be shown: from a little below the model's threshold, as
``pairs.MARGIN`` has it, since settings may move it a little."""

TABLE: Final = (
    "CREATE TABLE to_win (content_id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT",
    "CREATE INDEX to_win_bytes ON to_win (bytes DESC, content_id)",
)


def fill() -> str:
    """Return the statement that fills an empty table from all that is known."""
    return (
        f"INSERT INTO to_win SELECT id, won FROM (SELECT c.id, {_won()} AS won FROM contents c)"
        " WHERE won > 0"
    )


def triggers() -> Iterator[str]:
    """Yield the statements that create the triggers, all named ``to_win_...``."""
    for when, row in (("INSERT", "NEW"), ("DELETE", "OLD")):
        for table, condition in (
            ("relations", f"{row}.kind {_DUPLICATE}"),
            ("unverified", f"{row}.{_LIKELY}"),
        ):
            yield _trigger(table, when, condition, _again(f"{row}.a", f"{row}.b"))
        same = f"{row}.verdict != 'not-duplicates'"
        yield _trigger("decisions", when, same, _again(*_contents(row)))
    changed = f"OLD.kind != NEW.kind AND (OLD.kind {_DUPLICATE} OR NEW.kind {_DUPLICATE})"
    yield _trigger("relations", "UPDATE", changed, _again("NEW.a", "NEW.b"))
    yield _trigger("decisions", "UPDATE", "OLD.verdict != NEW.verdict", _again(*_contents("NEW")))
    yield from _triggers_of_files()
    yield from _triggers_of_contents()


def _triggers_of_files() -> Iterator[str]:
    """A content's files count when there are two. Tombstones count: the page skips them."""
    twice = (
        "NEW.content_id IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM files WHERE content_id = NEW.content_id AND id != NEW.id)"
    )
    counted = "EXISTS (SELECT 1 FROM to_win WHERE content_id = OLD.content_id)"
    moved = "OLD.content_id IS NOT NEW.content_id AND "
    yield _trigger("files", "INSERT", twice, _again("NEW.content_id"))
    yield _trigger("files", "DELETE", counted, _again("OLD.content_id"))
    yield _trigger("files", "UPDATE OF content_id", moved + twice, _again("NEW.content_id"))
    yield _trigger(
        "files", "UPDATE OF content_id", moved + counted, _again("OLD.content_id"), "_left"
    )


def _triggers_of_contents() -> Iterator[str]:
    """What was decided outlives a content: it may go, and come back in a catalogue made anew."""
    for event, row in (("INSERT", "NEW"), ("DELETE", "OLD")):
        decided = (
            f"EXISTS (SELECT 1 FROM decisions WHERE a = {row}.sha256)"
            f" OR EXISTS (SELECT 1 FROM decisions WHERE b = {row}.sha256)"
        )
        others = [
            f"(SELECT o.id FROM decisions d JOIN contents o ON o.sha256 = d.{there}"
            f" WHERE d.{here} = {row}.sha256)"
            for here, there in (("a", "b"), ("b", "a"))
        ]
        yield _trigger("contents", event, decided, _again(f"{row}.id", *others), "_decided")
    yield _trigger("contents", "DELETE", "1", "DELETE FROM to_win WHERE content_id = OLD.id;")


def _trigger(table: str, event: str, condition: str, body: str, suffix: str = "") -> str:
    name = f"to_win_{table}_{event.split(maxsplit=1)[0].lower()}{suffix}"
    return f"CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {condition} BEGIN {body} END"


def _contents(row: str) -> list[str]:
    return [f"(SELECT id FROM contents WHERE sha256 = {row}.{end})" for end in ("a", "b")]


def _again(*contents: str) -> str:
    """Return statements that make the rows of these contents (SQL expressions) anew."""
    return "".join(
        f"DELETE FROM to_win WHERE content_id IN {_listed(content)};"
        f"INSERT INTO to_win SELECT id, won FROM (SELECT c.id, {_won()} AS won FROM contents c"
        f" WHERE c.id IN {_listed(content)}) WHERE won > 0;"
        for content in contents
    )


def _listed(expression: str) -> str:
    return expression if expression.startswith("(") else f"({expression})"


def _won() -> str:
    """Return SQL for the bytes that could be won around content ``c``."""
    files = (
        f"SELECT count(*) FROM (SELECT 1 FROM files WHERE content_id = c.id LIMIT {_MOST_FILES})"
    )
    parts = [f"c.bytes * max(0, ({files}) - 1)"]
    for here, there in (("a", "b"), ("b", "a")):
        related = f"e.{here} = c.id AND o.id = e.{there} AND"
        decided = f"e.{here} = c.sha256 AND o.sha256 = e.{there} AND"
        for edges, condition in (
            ("relations", f"{related} e.kind {_DUPLICATE}"),
            ("unverified", f"{related} e.{_LIKELY}"),
            ("decisions", f"{decided} e.verdict != 'not-duplicates'"),
        ):
            parts.append(
                "(SELECT coalesce(sum(min(c.bytes, o.bytes)), 0)"
                f" FROM {edges} e CROSS JOIN contents o WHERE {condition})"
            )
    return " + ".join(parts)
