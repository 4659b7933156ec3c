"""Relations: what two contents are to each other, found once and kept in the catalogue.

A pair is *unverified* from the moment the index finds it (a trigger of migration m010 sees to that)
until the worker has compared the two pictures; then it has a relation. Relations hang on contents,
so that they outlive renames, rescans and models.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from twinlens.catalogue import Catalogue

IDENTICAL: Final = "identical"
"""Same bytes: one content, so that no row in the table says it."""
SAME_PIXELS: Final = "same-pixels"
"""Same picture to the last pixel, other metadata or another container."""
COPY: Final = "copy"
"""Same shot over nearly the whole frame: saved again, resized."""
EDIT: Final = "edit"
"""Same shot, changed: ``detail.done`` says how."""
BURST: Final = "burst"
"""Another frame of the same moment. Never a duplicate."""
PAIR: Final = "pair"
"""RAW + JPEG, HEIC + JPEG, live photo: one photo in two forms. Never a duplicate."""
SIMILAR: Final = "similar"
"""Looks alike, no more."""

KINDS: Final = (IDENTICAL, SAME_PIXELS, COPY, EDIT, BURST, PAIR, SIMILAR)
DUPLICATES: Final = frozenset({IDENTICAL, SAME_PIXELS, COPY, EDIT})
"""Kinds of which one of the two photos is to spare."""


TILTED: Final = 45
"""Degrees to either side of upright from which a photo is turned, and not only tilted."""

_OTHERWISE: Final = {
    "crop": ("cropped", "not cropped"),
    "grey": ("greyed", "in colour"),
    "border": ("framed", "without border"),
    "caption": ("framed", "without caption"),
    "set": ("framed", "without what is around it"),
}
"""Phrases of what was done to one of the two: the field that says to which, what the other is then."""
_OPPOSITE: Final = {
    "brighter": "darker",
    "darker": "brighter",
    "more contrast": "less contrast",
    "less contrast": "more contrast",
    "less colour": "more colour",
    "more colour": "less colour",
}


def turned(degrees: float) -> str:
    """Return a turn, clockwise, in words: to either side of upright it is a tilt."""
    off = min(degrees, 360 - degrees)
    return f"tilted {off:.2g}" if off < TILTED else f"rotated {degrees:g}"


@dataclass(frozen=True, slots=True)
class Detail:
    """What was found, as the column ``detail`` holds it in JSON."""

    words: str
    """For people: ``crop to 42 %, grey``; what has a direction is said of b against a."""
    done: Mapping[str, Any] = field(default_factory=dict)
    """What was done to one of them, by name: ``crop`` (share of the larger frame that is left),
    ``rotated`` (degrees, clockwise, of b against a), ``mirrored``, ``grey``, ``border``, ``caption``,
    ``inset``, ``overlay`` and ``tone``; ``cropped``, ``framed`` and ``greyed`` say to which, ``a`` or
    ``b``. ``doubtful``: which may be framed, where the other is called cropped. See docs/guide.md."""
    overlap: float = 0.0
    """Share of the smaller frame that both show, 0 to 1; 0 where they could not be aligned."""
    transform: tuple[float, ...] | None = None
    """3 x 3, row by row: takes a point of a to the same point of b, both in the unit square (x to the
    right, y down, of the upright picture). None where they could not be aligned."""
    score: float = 0.0
    """Cosine similarity of the descriptors that made them a candidate."""

    def words_of(self, side: str) -> str:
        """Return the words as they are true of one of the two, ``a`` or ``b``, against the other."""
        return ", ".join(self._of(side, phrase) for phrase in self.words.split(", "))

    def _of(self, side: str, phrase: str) -> str:
        done_to, otherwise = _OTHERWISE.get(phrase.partition(" ")[0], ("", ""))
        if done_to:
            return phrase if self.done.get(done_to, side) == side else otherwise
        return phrase if side == "b" else self._the_other_way(phrase)

    def _the_other_way(self, phrase: str) -> str:
        if phrase.startswith(("rotated", "tilted")) and not self.done.get("mirrored"):
            # A mirrored one is turned the same way from both sides.
            return turned(360 - self.done["rotated"])
        if phrase.startswith("resized"):
            return f"resized to {100 / self.done['resized']:.0f} %"
        return _OPPOSITE.get(phrase, phrase)

    def to_json(self) -> str:
        """Return the stored form."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Detail:
        """Read the stored form."""
        fields = json.loads(text)
        transform = fields.pop("transform", None)
        return cls(**fields, transform=tuple(transform) if transform else None)


@dataclass(frozen=True, slots=True)
class Relation:
    """What contents ``a`` and ``b`` are to each other, a < b."""

    a: int
    b: int
    kind: str
    probability: float
    """That both show one shot, 0 to 1, whatever the kind: near 1 for copies, near 0 for bursts."""
    detail: Detail
    verifier: int
    """Version of the code that judged: pairs judged by an older one are verified again."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two contents to be compared, a < b, and their descriptors' cosine similarity."""

    a: int
    b: int
    score: float


def related(catalogue: Catalogue, kinds: Iterable[str] = KINDS) -> Iterable[Relation]:
    """Yield the relations of these kinds between two contents, by a and b."""
    wanted = tuple(kinds)
    for row in catalogue.iterate(
        "SELECT a, b, kind, probability, detail, verifier FROM relations"  # noqa: S608
        f" WHERE kind IN ({','.join('?' * len(wanted))}) ORDER BY a, b",
        wanted,
    ):
        yield _relation(row)


def relation(catalogue: Catalogue, first: int, second: int) -> Relation | None:
    """Return what two contents are to each other, None where they were never compared."""
    row = catalogue.row(
        "SELECT a, b, kind, probability, detail, verifier FROM relations WHERE a = ? AND b = ?",
        (min(first, second), max(first, second)),
    )
    return None if row is None else _relation(row)


def unverified(catalogue: Catalogue, limit: int, *, now: float) -> list[Candidate]:
    """Return up to ``limit`` pairs to be compared now, those of one newer content together.

    Those that were put off come last.
    """
    rows = catalogue.rows(
        "SELECT a, b, score FROM unverified WHERE not_before <= ?"
        " ORDER BY not_before, b, a LIMIT ?",
        (now, limit),
    )
    return [Candidate(**row) for row in rows]


def are_verified(catalogue: Catalogue) -> bool:
    """Tell whether each pair was compared, or put off since its pictures cannot be read."""
    return catalogue.value("SELECT 1 FROM unverified WHERE not_before = 0 LIMIT 1") is None


def put_off(tx: sqlite3.Connection, candidate: Candidate, *, until: float) -> None:
    """Have a pair wait whose pictures cannot be read now."""
    tx.execute(
        "UPDATE unverified SET not_before = ? WHERE a = ? AND b = ?",
        (until, candidate.a, candidate.b),
    )


def store(tx: sqlite3.Connection, relation: Relation) -> bool:
    """Store what a comparison found; the pair no longer waits.

    Return whether it is news: the two exist still, are duplicates now, and were none before.
    """
    before = tx.execute(
        "SELECT kind FROM relations WHERE a = ? AND b = ?", (relation.a, relation.b)
    ).fetchone()
    stored = tx.execute(
        "INSERT INTO relations (a, b, kind, probability, detail, verifier)"
        # Forgotten while it was compared: then there is nothing to relate.
        " SELECT ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM contents WHERE id IN (?, ?)) = 2"
        " ON CONFLICT (a, b) DO UPDATE SET kind = excluded.kind,"
        " probability = excluded.probability, detail = excluded.detail,"
        " verifier = excluded.verifier",
        (
            relation.a,
            relation.b,
            relation.kind,
            relation.probability,
            relation.detail.to_json(),
            relation.verifier,
            relation.a,
            relation.b,
        ),
    ).rowcount
    tx.execute("DELETE FROM unverified WHERE a = ? AND b = ?", (relation.a, relation.b))
    was = before is not None and before["kind"] in DUPLICATES
    return stored > 0 and relation.kind in DUPLICATES and not was


def has_older(catalogue: Catalogue, verifier: int) -> bool:
    """Tell whether an older verifier judged some pair; read whole once, when a worker starts."""
    sql = "SELECT 1 FROM relations WHERE verifier < ? LIMIT 1"
    return catalogue.value(sql, (verifier,)) is not None


def verify_again(tx: sqlite3.Connection, verifier: int) -> int:
    """Have pairs that an older verifier judged compared again; return how many."""
    return tx.execute(
        "INSERT OR IGNORE INTO unverified (b, a, score)"
        " SELECT b, a, coalesce(json_extract(detail, '$.score'), 0) FROM relations"
        " WHERE verifier < ?",
        (verifier,),
    ).rowcount


def _relation(row: sqlite3.Row) -> Relation:
    a, b, kind, probability, detail, verifier = row
    return Relation(a, b, kind, probability, Detail.from_json(detail), verifier)
