"""What photos of the library are to one that is asked about, as far as their pictures were compared.

Of a photo of the library the catalogue says it. Any other file is compared now, with what comes
nearest to it: crops and turned copies score low, and look-alikes may come before their original.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from twinlens.catalogue import Catalogue
from twinlens.relations import COPY, DUPLICATES, IDENTICAL, relation
from twinlens_plugin.decisions import NOT_DUPLICATES, decided_among

if TYPE_CHECKING:
    from twinlens_plugin.comparing import Answer

COMPARED: Final = 10
"""Photos that a file is compared with, its nearest. Of 217 crops of portraits among 1,217 photos 78.8 %
had their photo first by the score of pocket 3; with the nearest 5 compared 95.9 %, with 10 98.6 %, with 20
99.1 % (docs/decisions/0027). A comparison takes 6 ms CPU."""


class Known(NamedTuple):
    """What a photo is to the one asked about."""

    kind: str
    """One of ``twinlens.relations.KINDS``."""
    probability: float
    """That both show one shot."""
    words: str = ""
    """What was done to it, against the one asked about."""

    @property
    def is_duplicate(self) -> bool:
        """Whether it is the same shot."""
        return self.kind in DUPLICATES


class Candidate(NamedTuple):
    """A photo of the library to be compared."""

    content_id: int
    score: float
    """Of the descriptors, as ``Searcher.search`` gives it."""


class Compares(Protocol):
    """Compares a file with contents: ``unseen.Helper``."""

    def relate(self, path: bytes, candidates: Sequence[tuple[int, float]]) -> list[Answer | None]:
        """Return an answer for each; None where the two cannot be compared now."""


def of_content(catalogue: Catalogue, content: int) -> dict[int, Known]:
    """Return what contents are to one of the library, without words; what a person said stands above.

    Who said that two are no duplicates is not told again what they are.
    """
    rows = catalogue.rows(
        "SELECT b, kind, probability FROM relations WHERE a = ?"
        " UNION ALL SELECT a, kind, probability FROM relations WHERE b = ?",
        (content, content),
    )
    found = {other: Known(kind, probability) for other, kind, probability in rows}
    for decided in decided_among(catalogue, [content]):
        other = decided.b if decided.a == content else decided.a
        known = found.pop(other, None)
        if decided.verdict != NOT_DUPLICATES:
            same = known.kind if known and known.is_duplicate else COPY
            found[other] = Known(same, 1.0)
    return {**found, content: Known(IDENTICAL, 1.0)}


def in_words(catalogue: Catalogue, content: int, other: int, known: Known) -> Known:
    """Return what ``other`` is to a content, with words."""
    stored = relation(catalogue, content, other)
    if stored is None or stored.kind != known.kind:
        return known
    return known._replace(words=stored.detail.words_of("a" if other == stored.a else "b"))


def of_file(compares: Compares, path: bytes, nearest: Sequence[Candidate]) -> dict[int, Known]:
    """Compare a file that the library does not know with contents. Raises ChildError."""
    answers = compares.relate(path, nearest) if nearest else []
    return {
        one.content_id: Known(answer.kind, answer.probability, answer.words_there)
        for one, answer in zip(nearest, answers, strict=True)
        if answer is not None
    }
