"""In which order contents are looked at for groups: largest first, or as they came."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from collections.abc import Set as AbstractSet

from twinlens.catalogue import Catalogue
from twinlens.relations import DUPLICATES
from twinlens_plugin.current import chunks

Place = tuple[int, int]
"""Where a content stands: minus its bytes to win, its number. Lower comes first."""

START: Place = (-(2**62), 0)
"""Before all others."""


class Order:
    """Contents that may have a group, in the order in which groups are listed.

    By ``to_win`` where all kinds asked for are duplicates. Of other relations there is nothing to
    win: then contents come by their numbers, the first of each relation, and those of ``to_win``
    among them where duplicates are asked for too.
    """

    def __init__(self, catalogue: Catalogue, kinds: AbstractSet[str]) -> None:
        self._catalogue = catalogue
        self._by_bytes = kinds <= DUPLICATES
        others = ",".join(f"'{kind}'" for kind in sorted(kinds - DUPLICATES))
        self._parts = [f"SELECT a AS id FROM relations WHERE kind IN ({others}) AND a"]  # noqa: S608
        if kinds & DUPLICATES:
            self._parts.append("SELECT content_id AS id FROM to_win WHERE content_id")

    def after(self, place: Place, count: int) -> list[Place]:
        """Return the places of the next contents after a place, in order."""
        if not self._by_bytes:
            sql = " UNION ".join(f"{part} > ?" for part in self._parts)
            rows = self._catalogue.rows(
                f"SELECT id FROM ({sql}) ORDER BY id LIMIT ?",  # noqa: S608
                (*[place[1]] * len(self._parts), count),
            )
            return [(0, content) for (content,) in rows]
        won = -place[0]
        rows = self._catalogue.rows(
            "SELECT bytes, content_id FROM to_win WHERE bytes <= ? AND (bytes < ? OR content_id > ?)"
            " ORDER BY bytes DESC, content_id LIMIT ?",
            (won, won, place[1], count),
        )
        return [(-won, content) for won, content in rows]

    def places(self, contents: Collection[int]) -> dict[int, Place]:
        """Return the places of those of these contents that have one."""
        found: dict[int, Place] = {}
        for some, marks in chunks(contents):
            if self._by_bytes:
                rows = self._catalogue.iterate(
                    f"SELECT content_id, bytes FROM to_win WHERE content_id IN ({marks})",  # noqa: S608
                    some,
                )
                found |= {content: (-won, content) for content, won in rows}
                continue
            for part in self._parts:
                rows = self._catalogue.iterate(f"{part} IN ({marks})", some)
                found |= {content: (0, content) for (content,) in rows}
        return found


class Few(Order):
    """The same order, of some contents alone: what is asked about a few photos costs but these."""

    def __init__(
        self, catalogue: Catalogue, kinds: AbstractSet[str], contents: Collection[int]
    ) -> None:
        super().__init__(catalogue, kinds)
        self._sorted = sorted(self.places(contents).values())

    def after(self, place: Place, count: int) -> list[Place]:
        """Return the places of the next of them after a place, in order."""
        start = bisect_right(self._sorted, place)
        return self._sorted[start : start + count]
