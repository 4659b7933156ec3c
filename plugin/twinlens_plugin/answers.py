"""The answers to ``similar``: contents found in the index, as files, best first.

1. Duplicates of the photo asked about, the surest first: what was compared is known, whatever the
score. 2. All others by score. Without comparing, all by score.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twinlens import vectors
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import Model
from twinlens.relations import SIMILAR
from twinlens.search import Searcher
from twinlens.views import Views, views_of
from twinlens_plugin import verified
from twinlens_plugin.current import CURRENT
from twinlens_plugin.errors import ChildError
from twinlens_plugin.photos import Query
from twinlens_plugin.verified import COMPARED, Candidate, Compares, Known

if TYPE_CHECKING:
    from twinlens.search import Hit
    from twinlens.vectors import Vector


@dataclass(frozen=True, slots=True)
class Match:
    """A photo that resembles the query."""

    path: bytes
    score: float
    """Cosine similarity, -1 to 1; 1.0 exactly for the same bytes."""
    content_id: int
    known: Known | None = None
    """What it is to the query; None where the two were not compared."""

    @property
    def relation(self) -> str:
        """What it is to the query, in words; empty for what looks alike: that the score says."""
        if self.known is None or self.known.kind == SIMILAR:
            return ""
        return ": ".join(filter(None, (self.known.kind, self.known.words)))

    @property
    def place(self) -> tuple[bool, float, float, bytes]:
        """A key that sorts the best match first."""
        sure = self.known.probability if self.known and self.known.is_duplicate else 0.0
        # As finely as anybody is shown it: of two copies that are sure, the score says which is closer.
        return not sure, -round(sure, 2), -self.score, self.path


class Answerer:
    """Answers many queries over one library."""

    def __init__(
        self,
        catalogue: Catalogue,
        library: Library,
        model: Model,
        *,
        compares: Compares | None = None,
        floor: float = 0.0,
        by_score: bool = False,
    ) -> None:
        """``compares``: what compares files that the library does not know, where anything is to.

        They are compared with photos that score at least ``floor``. ``by_score``: nothing counts but
        the score.
        """
        self._catalogue = catalogue
        self._model = model
        self._searcher = Searcher(catalogue, library, model)
        self._compares = compares
        self._floor = floor
        self._by_score = by_score
        self.problem: str | None = None
        """Why files could not be compared, if they could not: they are answered by score."""

    def answer(self, query: Query, views: Views, *, k: int, min_score: float) -> list[Match]:
        """Return the ``k`` photos most like ``query``, best first.

        The queried file itself is left out; other files with the same bytes are listed.
        """
        asked = vectors.stack(views.blobs, self._model.dimension)
        found = self._nearest(query, asked, k, min_score)
        if self._by_score:
            return found[:k]
        known = self._known(query, asked)
        found += self._farther(query, asked, known, found, k)
        ranked = sorted(
            (replace(match, known=known.get(match.content_id)) for match in found),
            key=lambda match: match.place,
        )
        best = [match for match in ranked if match.score >= min_score][:k]
        return [self._in_words(query, match) for match in best]

    def _nearest(self, query: Query, asked: Vector, k: int, min_score: float) -> list[Match]:
        """Return the ``k`` photos that look most alike, or some more."""
        wanted = k + 1  # one may be the query itself
        while True:
            hits = self._searcher.alike(asked, wanted)
            matches = self._as_files(query, hits)
            # Contents of deleted photos are remembered for a while and take places: ask for more.
            if len(matches) >= k or len(hits) < wanted or hits[-1].score < min_score:
                return [match for match in matches if match.score >= min_score]
            wanted *= 4

    def _known(self, query: Query, asked: Vector) -> Mapping[int, Known]:
        if query.content_id is not None:
            return verified.of_content(self._catalogue, query.content_id)
        if self._compares is None:
            return {}
        try:
            return verified.of_file(self._compares, query.path, self._candidates(query, asked))
        except ChildError as error:
            self.problem, self._compares = str(error), None
            return {}

    def _candidates(self, query: Query, asked: Vector) -> list[Candidate]:
        """Return the photos most likely to be copies, which need not be those that look most alike."""
        hits = self._searcher.search(asked, 2 * COMPARED)  # some may be deleted
        near = [hit for hit in hits if hit.score >= self._floor]
        paths = live_paths(self._catalogue, [hit.content_id for hit in near])
        others = [hit for hit in near if set(paths[hit.content_id]) - {query.path}]
        return [Candidate(hit.content_id, hit.score) for hit in others[:COMPARED]]

    def _farther(
        self,
        query: Query,
        asked: Vector,
        known: Mapping[int, Known],
        found: Sequence[Match],
        k: int,
    ) -> Iterator[Match]:
        """Yield duplicates that are not among the nearest: the surest, as many as may be listed."""
        there = {match.content_id for match in found}
        others = [one for one, what in known.items() if what.is_duplicate and one not in there]
        paths = live_paths(self._catalogue, others)
        for content in sorted(paths, key=lambda one: -known[one].probability)[: k + 1]:
            views = views_of(self._catalogue, self._model, content)
            if views is not None:
                held = vectors.stack(views.blobs, self._model.dimension)
                looks = 1.0 if content == query.content_id else self._searcher.score(asked, held)
                score = min(1.0, looks)
                own = paths[content]
                yield from (Match(path, score, content) for path in own if path != query.path)

    def _in_words(self, query: Query, match: Match) -> Match:
        if query.content_id is None or match.known is None:
            return match
        known = verified.in_words(self._catalogue, query.content_id, match.content_id, match.known)
        return replace(match, known=known)

    def _as_files(self, query: Query, hits: Sequence[Hit]) -> list[Match]:
        paths = live_paths(self._catalogue, [hit.content_id for hit in hits])
        matches = [
            # Rounding to f16 makes 0.9998 of equal vectors; the same bytes are known to be equal.
            Match(
                path,
                1.0 if hit.content_id == query.content_id else min(1.0, hit.score),
                hit.content_id,
            )
            for hit in hits
            for path in paths[hit.content_id]
            if path != query.path
        ]
        return sorted(matches, key=lambda match: (-match.score, match.path))


def live_paths(catalogue: Catalogue, contents: Sequence[int]) -> dict[int, list[bytes]]:
    """Return where the files of contents are, those that are there and current."""
    found: dict[int, list[bytes]] = defaultdict(list)
    for start in range(0, len(contents), 500):
        some = contents[start : start + 500]
        rows = catalogue.rows(
            "SELECT f.content_id, r.path AS root, f.path FROM files f"  # noqa: S608
            " JOIN roots r ON r.id = f.root_id LEFT JOIN jobs ON file_id = f.id"
            f" WHERE f.content_id IN ({','.join('?' * len(some))}) AND {CURRENT}",
            some,
        )
        for content, root, path in rows:
            found[content].append(os.path.join(root, path))  # noqa: PTH118  bytes
    return found
