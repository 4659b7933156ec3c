"""The answers to ``similar``: contents found in the index, as files, best first."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinlens import vectors
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import Model
from twinlens.search import Searcher
from twinlens.views import Views
from twinlens_plugin.current import CURRENT
from twinlens_plugin.photos import Query

if TYPE_CHECKING:
    from twinlens.search import Hit


@dataclass(frozen=True, slots=True)
class Match:
    """A photo that resembles the query."""

    path: bytes
    score: float
    """Cosine similarity, -1 to 1; 1.0 exactly for the same bytes."""
    content_id: int


class Answerer:
    """Answers many queries over one library."""

    def __init__(self, catalogue: Catalogue, library: Library, model: Model) -> None:
        self._catalogue = catalogue
        self._dimension = model.dimension
        self._searcher = Searcher(catalogue, library, model)

    def answer(self, query: Query, views: Views, *, k: int, min_score: float) -> list[Match]:
        """Return the ``k`` photos most like ``query``, best first.

        The queried file itself is left out; other files with the same bytes are listed.
        """
        asked = vectors.stack(views.blobs, self._dimension)
        wanted = k + 1  # one may be the query itself
        while True:
            hits = self._searcher.alike(asked, wanted)
            matches = self._as_files(query, hits)
            # Contents of deleted photos are remembered for a while and take places: ask for more.
            if len(matches) >= k or len(hits) < wanted or hits[-1].score < min_score:
                return [match for match in matches if match.score >= min_score][:k]
            wanted *= 4

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
