"""Groups of duplicates: keeper-centred, never chained.

1. The best photo that is in no group yet is a keeper (rule in ``keeper``). 2. The contents related
to it are taken into its group, closest first. 3. A content joins only where it is related to every
member: A like B and B like C does not make A and C duplicates. 4. Files with the same bytes are
always together. 5. What remains alone is no group.

Nothing here depends on the order of the input.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple

from twinlens_plugin.keeper import Photo, rank

Related = Mapping[tuple[int, int], float]
"""Score of two related contents ``(a, b)`` with a < b."""


class Member(NamedTuple):
    """A photo in a group, and what it is to the keeper."""

    photo: Photo
    relation: str
    """``keeper``, ``identical`` (same bytes as the keeper) or ``copy``."""
    score: float
    """Cosine similarity to the keeper; 1.0 for the same bytes."""


class Group(NamedTuple):
    """A keeper and its duplicates, closest first."""

    members: tuple[Member, ...]

    @property
    def keeper(self) -> Photo:
        """The photo to keep."""
        return self.members[0].photo

    @property
    def spare(self) -> tuple[Member, ...]:
        """The other photos."""
        return self.members[1:]

    @property
    def name(self) -> str:
        """A short name that stays the same while the keeper's bytes do."""
        return self.keeper.sha256.hex()[:12]

    @property
    def kind(self) -> str:
        """``identical`` where all have the same bytes, else ``copy``."""
        return "copy" if any(m.relation == "copy" for m in self.members) else "identical"

    @property
    def bytes_to_win(self) -> int:
        """Bytes that the others take on disk. A second name of the same file takes none."""
        places = {self.keeper.place}
        total = 0
        for member in self.spare:
            if member.photo.place not in places:
                places.add(member.photo.place)
                total += member.photo.size
        return total


def make_groups(photos: Iterable[Photo], related: Related) -> list[Group]:
    """Group photos; the groups that win back most bytes come first."""
    files = _by_content(photos)
    best = {content: rank(same[0]) for content, same in files.items()}
    order = sorted(files, key=best.__getitem__)
    near = _neighbours(related, order)
    grouped: set[int] = set()
    groups: list[Group] = []
    for content in order:
        if content in grouped:
            continue
        clique = _clique(content, near, grouped)
        if len(clique) > 1 or len(files[content]) > 1:
            grouped.update(clique)
            groups.append(_group(clique, files))
    return sorted(groups, key=lambda group: (-group.bytes_to_win, group.keeper.path))


def _by_content(photos: Iterable[Photo]) -> dict[int, list[Photo]]:
    files: dict[int, list[Photo]] = defaultdict(list)
    for photo in photos:
        files[photo.content_id].append(photo)
    for same in files.values():
        if len(same) > 1:
            same.sort(key=rank)
    return dict(files)


def _neighbours(related: Related, order: list[int]) -> dict[int, dict[int, float]]:
    """Return for each content its related ones, best photo first."""
    place = {content: i for i, content in enumerate(order)}
    near: dict[int, dict[int, float]] = {content: {} for content in order}
    for (a, b), score in related.items():
        if a in place and b in place and a != b:
            near[a][b] = near[b][a] = score
    for content, others in near.items():
        if len(others) > 1:
            near[content] = dict(sorted(others.items(), key=lambda item: place[item[0]]))
    return near


def _clique(
    keeper: int, near: Mapping[int, Mapping[int, float]], grouped: set[int]
) -> dict[int, float]:
    """Return the contents of the keeper's group with their scores, closest first."""
    clique = {keeper: 1.0}
    closest = near[keeper].items()
    if len(closest) > 1:
        # Stable: of two that are equally close, the better photo is asked first.
        closest = dict(sorted(closest, key=itemgetter(1), reverse=True)).items()
    for other, score in closest:
        if other not in grouped and clique.keys() <= near[other].keys():
            clique[other] = score
    return clique


def _group(clique: Mapping[int, float], files: Mapping[int, list[Photo]]) -> Group:
    keeper = next(iter(clique))
    members = [
        Member(photo, "identical" if content == keeper else "copy", score)
        for content, score in clique.items()
        for photo in files[content]
    ]
    members[0] = Member(members[0].photo, "keeper", 1.0)
    return Group(tuple(members))
