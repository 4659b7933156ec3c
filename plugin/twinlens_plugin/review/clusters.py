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

Rank = tuple[bool, int, int, int]
"""The lower, the rather kept."""


Spot = tuple[int, int, str]
"""A file: the number of its folder (see ``Clusters.folders``), its bytes, and the year in which it was
taken, else that of the file. A plain tuple: with names it took a second more for 100,000 groups."""


class Cluster(NamedTuple):
    """Files that show one shot."""

    kept: list[Spot]
    spare: list[Spot]
    """One at least."""


class Clusters:
    """What is duplicated in a library."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Read all that is duplicated."""
        self.folders: list[bytes] = []
        """Absolute paths of the folders that hold duplicates."""
        self._numbers: dict[bytes, int] = {}
        self._spots: dict[int, list[Spot]] = {}
        self._ranks: dict[int, Rank] = {}
        with catalogue.read_tx():
            chosen, self._same, self._apart = _decided(catalogue)
            self._read(catalogue, chosen)
            self._edges = self._related(catalogue)

    def __iter__(self) -> Iterator[Cluster]:
        """Yield what is not alone."""
        keepers = self._keepers()
        beaten: dict[int, list[int]] = defaultdict(list)
        for content, kept in keepers.items():
            if content != kept:
                beaten[kept].append(content)
        for content, spots in self._spots.items():
            others = beaten.get(content, ())
            if keepers.get(content, content) != content or (len(spots) == 1 and not others):
                continue
            wanted = len(spots) if (content, content) in self._apart else 1
            spare = spots[wanted:]
            for other in others:
                spare += self._spots[other]
            if spare:
                yield Cluster(spots[:wanted], spare)

    def _keepers(self) -> dict[int, int]:
        """Return what is kept in the place of each content that is related to others, itself perhaps."""
        keepers: dict[int, int] = {}
        rank = self._ranks.__getitem__
        for content in sorted(self._edges, key=rank):
            better = [one for one in self._edges[content] if keepers.get(one) == one]
            keepers[content] = min(better, key=rank, default=content)
        return keepers

    def _read(self, catalogue: Catalogue, chosen: set[int]) -> None:
        roots = {row["id"]: row["path"] for row in catalogue.rows("SELECT id, path FROM roots")}
        # to_win has all contents around which something may be won, and no others.
        rows = catalogue.iterate(
            "SELECT t.content_id, root_id, f.path, size, c.bytes, coalesce(width * height, 0),"  # noqa: S608
            " coalesce(substr(taken_at, 1, 4),"
            " strftime('%Y', mtime_ns / 1000000000, 'unixepoch', 'localtime'), '')"
            " FROM to_win t CROSS JOIN contents c ON c.id = t.content_id"
            " CROSS JOIN files f ON f.content_id = t.content_id LEFT JOIN jobs ON file_id = f.id"
            f" WHERE {CURRENT} ORDER BY t.content_id, f.id"
        )
        for content, root, path, size, bytes_, pixels, year in rows:
            spot = (self._folder(roots[root], path), size, year)
            if content in self._spots:
                self._spots[content].append(spot)
            else:
                self._spots[content] = [spot]
                self._ranks[content] = (content not in chosen, -pixels, -bytes_, content)

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
            if a in self._spots and b in self._spots and (a, b) not in self._apart:
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
