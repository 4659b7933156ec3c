"""Decisions: what a person said about two photos, remembered by the hashes of their bytes.

So a decision outlives renames, moves, rescans, changes of model, and, exported, the catalogue. A
photo whose bytes change, by an edit or by new metadata, is another photo: nothing was said of it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from twinlens.catalogue import Catalogue
from twinlens_plugin.current import chunks

NOT_DUPLICATES = "not-duplicates"
"""Never to be proposed together. Of a photo and itself: all files with its bytes are wanted."""
SAME = "same"
"""One is the other's duplicate, whatever the model says."""
KEEP = "keep"
"""The same, and which of the two to keep."""
VERDICTS = (NOT_DUPLICATES, SAME, KEEP)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was said of two photos."""

    a: bytes
    """SHA-256 of the bytes of one, at most ``b``."""
    b: bytes
    verdict: str
    keeper: bytes | None
    """``a`` or ``b`` where the verdict is ``keep``, else None."""
    at: float
    """When, seconds since 1970."""


class Decided(NamedTuple):
    """A decision on two contents of this catalogue; where the verdict is ``keep``, to keep ``a``."""

    a: int
    b: int
    verdict: str


def make(hashes: Sequence[bytes], verdict: str, keeper: bytes | None, now: float) -> list[Decision]:
    """Return the decisions that a verdict on photos stands for, one for each two of them.

    With ``keeper``, one for each other photo. Two of the same bytes that are not to be duplicates
    give a decision on a photo and itself.
    """
    if keeper is not None:
        pairs = [_pair(keeper, other) for other in set(hashes) if other != keeper]
    else:
        pairs = _pairs(hashes)
    return [
        Decision(a, b, verdict, keeper, now)
        for a, b in sorted(pairs)
        if a != b or verdict == NOT_DUPLICATES
    ]


def _pairs(hashes: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Return each two of these hashes, a hash that comes twice with itself."""
    times = Counter(hashes)
    twice = [(one, one) for one, count in times.items() if count > 1]
    return [*twice, *(_pair(*pair) for pair in combinations(times, 2))]


def _pair(a: bytes, b: bytes) -> tuple[bytes, bytes]:
    return (a, b) if a <= b else (b, a)


def store(tx: sqlite3.Connection, decisions: Iterable[Decision]) -> None:
    """Store decisions; one on the same two photos is replaced."""
    tx.executemany(
        "INSERT INTO decisions (a, b, verdict, keeper, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (a, b) DO UPDATE SET verdict = excluded.verdict, keeper = excluded.keeper,"
        " at = excluded.at",
        ((d.a, d.b, d.verdict, d.keeper, d.at) for d in decisions),
    )


def forget(tx: sqlite3.Connection, hashes: Sequence[bytes]) -> int:
    """Forget what was decided among these photos; return how many decisions there were."""
    sql = "DELETE FROM decisions WHERE a = ? AND b = ?"
    return sum(tx.execute(sql, pair).rowcount for pair in _pairs(hashes))


def among(tx: sqlite3.Connection, decisions: Iterable[Decision]) -> list[Decision]:
    """Return what is decided now on the same photos as these, in their order."""
    sql = "SELECT a, b, verdict, keeper, at FROM decisions WHERE a = ? AND b = ?"
    found = (tx.execute(sql, (decision.a, decision.b)).fetchone() for decision in decisions)
    return [Decision(*row) for row in found if row is not None]


def remove(tx: sqlite3.Connection, decisions: Iterable[Decision]) -> None:
    """Remove what is decided on the same photos as these."""
    sql = "DELETE FROM decisions WHERE a = ? AND b = ?"
    tx.executemany(sql, ((decision.a, decision.b) for decision in decisions))


def every(catalogue: Catalogue) -> Iterator[Decision]:
    """Yield all decisions, in the order of their hashes."""
    rows = catalogue.iterate("SELECT a, b, verdict, keeper, at FROM decisions ORDER BY a, b")
    return (Decision(*row) for row in rows)


def decided_among(catalogue: Catalogue, contents: Collection[int]) -> Iterator[Decided]:
    """Yield the decisions in which one of these contents is involved, and another that is here."""
    for some, marks in chunks(contents):
        for here, there in (("a", "b"), ("b", "a")):
            rows = catalogue.iterate(
                "SELECT c.id, o.id, verdict, keeper IS o.sha256 FROM contents c"  # noqa: S608
                f" JOIN decisions d ON d.{here} = c.sha256 JOIN contents o ON o.sha256 = d.{there}"
                f" WHERE c.id IN ({marks})",
                some,
            )
            for one, other, verdict, turned in rows:
                yield Decided(*((other, one) if turned else (one, other)), verdict)
