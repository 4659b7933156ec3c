"""What hangs together: from some contents on, all that groups with them could hold.

A group never reaches beyond the contents that are connected by relations, decisions and shots, so
that a page of groups needs no more than these. Followed are the relations that are asked for; pairs
(RAW and JPEG in two folders) are known of, not followed: they make no group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from twinlens import pairs
from twinlens.catalogue import Catalogue
from twinlens.models import Model, get_model
from twinlens.relations import COPY, DUPLICATES, PAIR
from twinlens.settings import Settings
from twinlens_plugin.current import Files, chunks
from twinlens_plugin.decisions import KEEP, NOT_DUPLICATES, Decided, decided_among
from twinlens_plugin.links import APART, Link, Links
from twinlens_plugin.shots import Photo, are_companions
from twinlens_plugin.wanted import Wanted


@dataclass(slots=True)
class Gathered:
    """Contents that hang together with the first ones, and all about them."""

    contents: set[int] = field(default_factory=set)
    photos: dict[bytes, Photo] = field(default_factory=dict)
    """Their current files by path, as the catalogue has them."""
    links: dict[tuple[int, int], Link] = field(default_factory=dict)
    apart: set[int] = field(default_factory=set)
    """Contents of which a person wants every file."""
    chosen: set[int] = field(default_factory=set)
    """Contents that a person chose over another one that is here."""
    beaten: set[int] = field(default_factory=set)
    """Contents that a person chose another one over."""
    ties: list[tuple[int, int]] = field(default_factory=list)
    """Contents that hang together: by a link that was followed, or as files of one shot."""

    def choice(self, contents: Iterable[int]) -> int:
        """Return -1 for contents that a person chose, 1 for those chosen against, else 0."""
        contents = set(contents)
        return (not contents.isdisjoint(self.beaten)) - (not contents.isdisjoint(self.chosen))


class Gatherer:
    """Gathers within one library, for one question. Use it within a read transaction."""

    def __init__(self, catalogue: Catalogue, settings: Settings, wanted: Wanted) -> None:
        self._catalogue = catalogue
        self._wanted = wanted
        self._files = Files(catalogue)
        self._model: Model | None = get_model(catalogue, "serving")
        self._threshold = pairs.copy_threshold(settings, self._model) if self._model else 1.0
        kinds = sorted(wanted.kinds | {PAIR})
        self._kinds = ",".join(f"'{kind}'" for kind in kinds)
        self._waiting = COPY in wanted.kinds and self._has_rows("unverified")
        self._decided = self._has_rows("decisions")

    def gather(self, seeds: Collection[int]) -> Gathered:
        """Return what hangs together with these contents."""
        found = Gathered()
        front = set(seeds)
        while front:
            found.contents |= front
            links = self._links(front)
            if self._decided:
                self._apply(decided_among(self._catalogue, front), links, found)
            found.links |= links
            reached = self._reached_by_links(links, found) | self._reached_by_shots(front, found)
            front = reached - found.contents
        return found

    def _reached_by_links(self, links: Links, found: Gathered) -> set[int]:
        followed = [pair for pair, link in links.items() if link.kind in self._wanted.kinds]
        found.ties += followed
        return {content for pair in followed for content in pair}

    def _reached_by_shots(self, front: Collection[int], found: Gathered) -> set[int]:
        rows = self._files.of(front)
        found.photos.update((row.photo.path, row.photo) for row in rows)
        reached = set()
        for row, other in self._files.beside(rows):
            if are_companions(row.photo, other.photo):
                found.photos[other.photo.path] = other.photo
                found.ties.append((row.photo.content_id, other.photo.content_id))
                reached.add(other.photo.content_id)
        return reached

    def _links(self, front: Collection[int]) -> dict[tuple[int, int], Link]:
        links: dict[tuple[int, int], Link] = {}
        for some, marks in chunks(front):
            for end in ("a", "b"):
                rows = self._catalogue.iterate(
                    "SELECT a, b, kind, probability, detail FROM relations"  # noqa: S608
                    f" WHERE {end} IN ({marks}) AND kind IN ({self._kinds})",
                    some,
                )
                for a, b, kind, probability, detail in rows:
                    links[a, b] = Link(kind, probability, detail=detail)
                if self._waiting:
                    links |= self._unverified(end, some, marks)
        return {pair: link for pair, link in links.items() if self._wanted.relates(link)}

    def _unverified(self, end: str, some: list[int], marks: str) -> dict[tuple[int, int], Link]:
        """Pairs above the strict threshold that were not compared yet count as copies."""
        assert self._model is not None
        rows = self._catalogue.iterate(
            "SELECT u.a, u.b, p.score FROM unverified u"  # noqa: S608
            " JOIN pairs p ON p.model_id = ? AND p.a = u.a AND p.b = u.b"
            f" WHERE u.{end} IN ({marks}) AND p.score >= ? AND NOT EXISTS"
            " (SELECT 1 FROM relations r WHERE r.a = u.a AND r.b = u.b)",
            (self._model.id, *some, self._threshold),
        )
        return {(a, b): Link(COPY, score, verified=False) for a, b, score in rows}

    def _apply(
        self,
        decisions: Iterable[Decided],
        links: dict[tuple[int, int], Link],
        found: Gathered,
    ) -> None:
        """Let what a person decided stand above what was found."""
        for decided in decisions:
            pair = (min(decided.a, decided.b), max(decided.a, decided.b))
            if decided.verdict == NOT_DUPLICATES:
                links[pair] = Link(APART, decided=True)
                if decided.a == decided.b:
                    found.apart.add(decided.a)
                continue
            known = links.get(pair)
            same = known if known and known.kind in DUPLICATES else Link(COPY)
            links[pair] = same._replace(strength=1.0, verified=True, decided=True)
            if decided.verdict == KEEP:
                found.chosen.add(decided.a)
                found.beaten.add(decided.b)

    def _has_rows(self, table: str) -> bool:
        return self._catalogue.value(f"SELECT 1 FROM {table} LIMIT 1") is not None  # noqa: S608
