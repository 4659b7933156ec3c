"""Where spare photos are, roughly, and soon: for the map, which needs no more than proportions.

Groups as ``duplicates`` lists them depend on rules, decisions and what is on disk now; to make all of
100,000 takes a minute. Here: 1. of two contents that are duplicates the one with more pixels is kept,
then the one with more bytes, then the one that came first, but first what a person chose; 2. what
resembles a kept content is spare, and nothing is spare on the strength of what is spare itself; 3. of
a kept content one file is kept, that which came first; 4. two that a person told apart stay apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from twinlens.catalogue import Catalogue
from twinlens_plugin.current import CURRENT
from twinlens_plugin.decisions import KEEP, NOT_DUPLICATES

Rank = tuple[int, int, int, int]
"""The lower, the rather kept."""


class Spot(NamedTuple):
    """One file of a cluster."""

    folder: int
    """Number of its folder: see ``Clusters.folders``."""
    size: int
    year: str
    """In which it was taken, else that of the file."""
    spare: bool


class _Content(NamedTuple):
    rank: Rank
    spots: list[Spot]
    """Its files, as if all were spare, that which came first first."""


class Clusters:
    """What is duplicated in a library."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Read it all: about 3 s a million photos, 100,000 of them duplicated."""
        self.folders: list[bytes] = []
        """Absolute paths of the folders that hold duplicates."""
        self._numbers: dict[bytes, int] = {}
        with catalogue.read_tx():
            chosen, self._same, self._apart = _decided(catalogue)
            self._contents = self._read(catalogue, chosen)
            self._edges = self._related(catalogue)

    def __iter__(self) -> Iterator[list[Spot]]:
        """Yield the files of each cluster, of two at least."""
        keeper = self._keepers()
        members: dict[int, list[int]] = defaultdict(list)
        for content, kept in keeper.items():
            members[kept].append(content)
        for kept, spare in members.items():
            first, *rest = self._contents[kept].spots
            wanted = (kept, kept) in self._apart
            spots = [first._replace(spare=False)]
            spots += [spot._replace(spare=not wanted) for spot in rest]
            spots += [spot for one in spare if one != kept for spot in self._contents[one].spots]
            if any(spot.spare for spot in spots):
                yield spots

    def _keepers(self) -> dict[int, int]:
        """Return for each content that which is kept in its place, itself perhaps."""
        keeper: dict[int, int] = {}
        for content in sorted(self._contents, key=lambda one: self._contents[one].rank):
            better = [one for one in self._edges.get(content, ()) if keeper.get(one) == one]
            keeper[content] = min(better, key=lambda one: self._contents[one].rank, default=content)
        return keeper

    def _read(self, catalogue: Catalogue, chosen: set[int]) -> dict[int, _Content]:
        roots = {row["id"]: row["path"] for row in catalogue.rows("SELECT id, path FROM roots")}
        contents: dict[int, _Content] = {}
        # to_win has all contents around which something may be won, and no others.
        rows = catalogue.iterate(
            "SELECT w.content_id, root_id, f.path, size, bytes_of, pixels, year,"  # noqa: S608
            " strftime('%Y', mtime_ns / 1000000000, 'unixepoch', 'localtime') FROM"
            " (SELECT t.content_id, c.bytes AS bytes_of, coalesce(width * height, 0) AS pixels,"
            " substr(taken_at, 1, 4) AS year FROM to_win t JOIN contents c ON c.id = t.content_id) w"
            " CROSS JOIN files f ON f.content_id = w.content_id LEFT JOIN jobs ON file_id = f.id"
            f" WHERE {CURRENT} ORDER BY w.content_id, f.id"
        )
        for content, root, path, size, bytes_, pixels, taken, file_year in rows:
            folder = self._folder(roots[root], path)
            spot = Spot(folder, size, taken or file_year or "", spare=True)
            known = contents.get(content)
            if known is None:
                rank = (0 if content in chosen else 1, -pixels, -bytes_, content)
                contents[content] = _Content(rank, [spot])
            else:
                known.spots.append(spot)
        return contents

    def _folder(self, root: bytes, path: bytes) -> int:
        below = path.rpartition(b"/")[0]
        whole = root + b"/" + below if below else root
        number = self._numbers.get(whole)
        if number is None:
            number = self._numbers[whole] = len(self.folders)
            self.folders.append(whole)
        return number

    def _related(self, catalogue: Catalogue) -> dict[int, list[int]]:
        edges: dict[int, list[int]] = defaultdict(list)
        # Through to_win: the table holds five look-alikes for each photo, with long details.
        rows = catalogue.iterate(
            "SELECT a, b FROM to_win t CROSS JOIN relations r ON r.a = t.content_id"
            " WHERE kind IN ('same-pixels', 'copy', 'edit')"
        )
        for a, b in (*rows, *self._same):
            if a in self._contents and b in self._contents and (a, b) not in self._apart:
                edges[a].append(b)
                edges[b].append(a)
        return edges


def _decided(
    catalogue: Catalogue,
) -> tuple[set[int], list[tuple[int, int]], set[tuple[int, int]]]:
    """Return what people decided: contents chosen, pairs that are the same, pairs that are not."""
    chosen: set[int] = set()
    same: list[tuple[int, int]] = []
    apart: set[tuple[int, int]] = set()
    rows = catalogue.iterate(
        "SELECT a.id, b.id, verdict, keeper = d.a FROM decisions d"
        " JOIN contents a ON a.sha256 = d.a JOIN contents b ON b.sha256 = d.b"
    )
    for first, second, verdict, keeps_first in rows:
        pair = (min(first, second), max(first, second))
        if verdict == NOT_DUPLICATES:
            apart.add(pair)
            continue
        same.append(pair)
        if verdict == KEEP:
            chosen.add(first if keeps_first else second)
    return chosen, same, apart
