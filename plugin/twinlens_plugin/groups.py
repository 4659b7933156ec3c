"""Groups of duplicates: keeper-centred, never chained.

1. The best shot that is in no group yet is a keeper (rules in ``keeper``). 2. The shots that are its
duplicates are taken into its group, closest first; of those as close, the better first. 3. A shot
joins only where it is related to every member: A like B and B like C does not make A and C
duplicates. 4. Files of one shot (RAW and JPEG) stay together and count once. 5. What remains alone
is no group.

Nothing here depends on the order of the input.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain, product
from typing import NamedTuple

from twinlens.relations import BURST, DUPLICATES, EDIT, IDENTICAL, KINDS
from twinlens_plugin.keeper import Keep, Ranked
from twinlens_plugin.links import APART, TWIN, Link, Links, closeness
from twinlens_plugin.shots import Photo, Shot

KEEPER = "keeper"

AS_LARGE = 1.1
"""Times as many pixels as one photo has that another may show it with, to show no more of it."""

Node = tuple[int, ...]
"""The contents of a shot. Shots with the same contents have the same relations."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes two shots members of one group."""

    kinds: frozenset[str] = DUPLICATES
    """Kinds of relation to the keeper that make a member."""
    apart: AbstractSet[int] = frozenset()
    """Contents of which a person wants every file."""
    one_a_folder: bool = False
    """Whether photos of one folder are never members of one group."""
    keep: Keep = field(default_factory=Keep)


class Member(NamedTuple):
    """A shot in a group, and what it is to the keeper."""

    shot: Shot
    link: Link | None
    """To the keeper; None for the keeper itself."""
    kept: str | None = None
    """Why it is not proposed for removal, though it is not the keeper; None where it is."""
    side: str = "b"
    """Which of the two that the link is about it is, ``a`` or ``b``."""

    @property
    def photo(self) -> Photo:
        """The shot's main file."""
        return self.shot.photo

    @property
    def relation(self) -> str:
        """``keeper``, or a kind of ``twinlens.relations.KINDS``."""
        return KEEPER if self.link is None else self.link.kind

    @property
    def stays(self) -> bool:
        """Whether it is not proposed for removal."""
        return self.link is None or self.kept is not None

    @property
    def probability(self) -> float | None:
        """That it shows the same shot as the keeper; None where they were not compared yet."""
        return 1.0 if self.link is None else self.link.strength if self.link.verified else None

    @property
    def score(self) -> float | None:
        """Cosine similarity of the descriptors; None where the model had no part in it."""
        return 1.0 if self.link is None else self.link.score

    @property
    def words(self) -> str:
        """What it is against the keeper, as ``resized to 42 %``; empty where nothing was done."""
        return "" if self.link is None else self.link.found.words_of(self.side)


class Group(NamedTuple):
    """A keeper and its duplicates, closest first."""

    members: tuple[Member, ...]
    reason: str
    """Why the keeper is kept, in words."""
    bytes_to_win: int
    """Bytes on disk that removal wins back. A second name of the same file takes none."""

    @property
    def keeper(self) -> Shot:
        """The shot to keep."""
        return self.members[0].shot

    @property
    def others(self) -> tuple[Member, ...]:
        """The members but the keeper."""
        return self.members[1:]

    @property
    def spare(self) -> tuple[Member, ...]:
        """The members proposed for removal."""
        return tuple(member for member in self.members if not member.stays)

    @property
    def photos(self) -> Iterator[Photo]:
        """All files of all members."""
        return (photo for member in self.members for photo in member.shot.photos)

    @property
    def name(self) -> str:
        """A short name made of the bytes of its members.

        It stays the same through renames, moves, other keepers and other libraries, until a photo
        with other bytes joins or leaves.
        """
        hashes = {photo.sha256 for photo in self.photos}
        return hashlib.sha256(b"".join(sorted(hashes))).hexdigest()[:12]

    @property
    def kind(self) -> str:
        """The loosest relation in it: ``identical`` where all have the same bytes."""
        return max((member.relation for member in self.others), key=KINDS.index)


def make_groups(shots: Iterable[Shot], links: Links, rules: Rules | None = None) -> list[Group]:
    """Group shots; the groups that win back most bytes come first."""
    grouping = _Grouping(shots, links, rules or Rules())
    return sorted(grouping.groups(), key=order)


def order(group: Group) -> tuple[int, bytes]:
    """Return a key that sorts the group first that wins back most bytes."""
    return -group.bytes_to_win, group.keeper.photo.path


class _Grouping:
    """One pass over the shots, best first."""

    def __init__(self, shots: Iterable[Shot], links: Links, rules: Rules) -> None:
        self._rules = rules
        self._links = links
        self._ranked: dict[bytes, Ranked] = {}
        self._nodes: dict[Node, list[Shot]] = {}
        for ranked in sorted(Ranked(rules.keep.rank(shot), shot) for shot in shots):
            same = self._nodes.setdefault(ranked.shot.contents, [])
            if not same or IDENTICAL in rules.kinds:
                same.append(ranked.shot)
                self._ranked[ranked.shot.photo.path] = ranked
        self._near = _neighbours(self._nodes, links, rules.apart)
        self._grouped: set[bytes] = set()

    def groups(self) -> Iterator[Group]:
        """Yield the groups of two shots and more."""
        for path, (_, shot) in self._ranked.items():
            if path in self._grouped:
                continue
            members = self._around_original(shot) or self._members(shot)
            if len(members) > 1:
                self._grouped.update(member.photo.path for member in members)
                reason = self._reason(members)
                yield Group(tuple(members), reason, _bytes_to_win(members))

    def _around_original(self, page: Shot) -> list[Member]:
        """Return the group of the photo that a page shows; nothing where a shot is no such page.

        A page has more pixels than its photo by what is around it: the rules take it for the better.
        """
        shown = [
            self._ranked[shot.photo.path]
            for node, link in self._near[page.contents].items()
            for shot in self._nodes[node]
            if shot.photo.path not in self._grouped and self._is_page(page, shot, link)
        ]
        if not shown:
            return []
        members = self._members(min(shown).shot)
        # A larger copy of the photo is no page, and the better one of them.
        joined = any(member.shot == page for member in members)
        return members if joined and self._are_pages_if_better(members) else []

    def _are_pages_if_better(self, members: Sequence[Member]) -> bool:
        keeper = self._ranked[members[0].photo.path]
        return all(
            member.link is not None and self._is_page(member.shot, keeper.shot, member.link)
            for member in members[1:]
            if self._ranked[member.photo.path] < keeper
        )

    def _is_page(self, page: Shot, shot: Shot, link: Link) -> bool:
        """Tell whether a shot is another on a page, with no more of it than that has itself."""
        if link.kind != EDIT or EDIT not in self._rules.kinds or link.decided:
            return False
        share = link.shown_on("a" if page.photo.content_id < shot.photo.content_id else "b")
        if share is None or share * page.photo.pixels > AS_LARGE * shot.photo.pixels:
            return False
        best, other = (self._ranked[one.photo.path] for one in (page, shot))
        return _why_kept(
            page, shot, link, self._raws(page, shot)
        ) is None and self._rules.keep.is_by_pixels(best, other)

    def _members(self, keeper: Shot) -> list[Member]:
        """Return the keeper and those that join it, closest first."""
        members = [Member(keeper, None)]
        folders = {keeper.photo.folder}
        clique: set[Node] = set()
        for node, link in self._candidates(keeper.contents):
            near = self._near[node]
            if not all(other == node or other in near for other in clique):
                continue
            for shot in self._joining(node, keeper, folders):
                side = "a" if shot.photo.content_id < keeper.photo.content_id else "b"
                members.append(Member(shot, link, self._why_kept(shot, keeper, link, side), side))
                folders.add(shot.photo.folder)
                clique.add(node)
        return members

    def _candidates(self, node: Node) -> list[tuple[Node, Link]]:
        """Return the nodes that are duplicates of one, closest first, itself included.

        Stable: of two that are equally close, the better one is asked first.
        """
        near = [(n, link) for n, link in self._near[node].items() if link.kind in self._rules.kinds]
        return [(node, TWIN), *sorted(near, key=lambda item: closeness(item[1]))]

    def _joining(self, node: Node, keeper: Shot, folders: Collection[bytes]) -> Iterator[Shot]:
        """Yield the shots of a node that may join."""
        one = not self._rules.apart.isdisjoint(node)
        if one and node == keeper.contents:
            return
        for shot in self._nodes[node]:
            path = shot.photo.path
            if path in self._grouped or path == keeper.photo.path:
                continue
            if self._rules.one_a_folder and shot.photo.folder in folders:
                continue
            yield shot
            if one:
                return

    def _why_kept(self, shot: Shot, keeper: Shot, link: Link, side: str) -> str | None:
        """Return why a member is not proposed for removal, None where it is."""
        if link.kind not in DUPLICATES:
            return "another frame of the burst" if link.kind == BURST else "only looks alike"
        why = _why_kept(shot, keeper, link, self._raws(shot, keeper))
        if why is not None or link.decided or link.kind != EDIT or link.spoils(side):
            return why
        first, second = (self._ranked[one.photo.path] for one in (keeper, shot))
        return None if self._rules.keep.tells_original(first, second) else "may be the original"

    def _raws(self, shot: Shot, keeper: Shot) -> Link | None:
        """Return what the RAW files of two shots are to each other, where that is known."""
        one, other = sorted((shot.photo.content_id, keeper.photo.content_id))
        return TWIN if one == other else self._links.get((one, other))

    def _reason(self, members: Sequence[Member]) -> str:
        keeper, *others = (self._ranked[member.photo.path] for member in members)
        if min(others) < keeper:
            return "unedited"
        return self._rules.keep.reason(keeper, others)


def _neighbours(
    nodes: Mapping[Node, Sequence[Shot]], links: Links, apart: AbstractSet[int]
) -> dict[Node, dict[Node, Link]]:
    """Return for each node those it is related to, best shots first."""
    holding: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        for content in node:
            holding[content].append(node)
    near: dict[Node, dict[Node, Link]] = {node: {} for node in nodes}
    for pair, link in chain(_shared(holding, apart), links.items()):
        for one, other in product(holding.get(pair[0], ()), holding.get(pair[1], ())):
            known = near[one].get(other)
            if one != other and (known is None or closeness(link) < closeness(known)):
                near[one][other] = near[other][one] = link
    place = {node: i for i, node in enumerate(nodes)}
    return {node: _related(others, place) for node, others in near.items()}


def _shared(
    holding: Mapping[int, Sequence[Node]], apart: AbstractSet[int]
) -> Iterator[tuple[tuple[int, int], Link]]:
    """Yield that shots which share a content, as RAW + JPEG does with the JPEG, are identical."""
    for content, several in holding.items():
        if len(several) > 1:
            yield (content, content), Link(APART) if content in apart else TWIN


def _related(others: Mapping[Node, Link], place: Mapping[Node, int]) -> dict[Node, Link]:
    related = [item for item in others.items() if item[1].kind != APART]
    return dict(sorted(related, key=lambda item: place[item[0]]))


def _bytes_to_win(members: Sequence[Member]) -> int:
    places = {photo.place for member in members if member.stays for photo in member.shot.photos}
    total = 0
    for member in members:
        for photo in member.shot.photos:
            if photo.place not in places:
                places.add(photo.place)
                total += photo.size
    return total


def _why_kept(shot: Shot, keeper: Shot, link: Link, raws: Link | None) -> str | None:
    """Return why a duplicate is not proposed for removal, whatever the rules say.

    What cannot be made good again stays: more pixels may be an enlargement, also of a part, and a
    border has more of them than the photo in it. Where a person chose, nothing is in doubt.
    """
    if shot.reference:
        return "in a reference folder"
    # A JPEG is no substitute: nobody may lose a RAW file by the wrong rule.
    if shot.raw and not keeper.raw:
        return "RAW, which the keeper is not"
    if shot.raw and not link.decided and (raws is None or raws.kind not in DUPLICATES):
        # The shots are duplicates by their JPEGs alone.
        return "RAW, which was not found to be the keeper's"
    if link.decided or keeper.chosen < 0:
        return None
    if shot.photo.camera is not None and keeper.photo.camera is None:
        return "has the camera's data, which the keeper lacks"
    return _why_not_made_good(shot, keeper, link)


def _why_not_made_good(shot: Shot, keeper: Shot, link: Link) -> str | None:
    """Return what a shot has by what was done to the keeper, None where that is nothing."""
    side = "a" if keeper.photo.content_id < shot.photo.content_id else "b"
    spoilt = link.spoils(side)
    if spoilt:
        return f"not {spoilt}"
    cut = link.cut_from(side)
    if cut is not None and shot.photo.pixels > AS_LARGE * cut * keeper.photo.pixels:
        # Not what was cut out of it: the keeper shows it small, or on its own blur.
        return "larger than the keeper shows it"
    if link.kind == EDIT and keeper.photo.holds_picture and not shot.photo.holds_picture:
        # The blur around a story passes for more of the scene, and its photo for a crop.
        return "may be the photo that the keeper shows"
    return None
