"""Plans as templates show them."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twinlens.catalogue import Catalogue
from twinlens.media import printable
from twinlens.relations import EDIT, IDENTICAL, PAIR, SAME_PIXELS
from twinlens.roots import Root, list_roots
from twinlens_plugin import output
from twinlens_plugin.current import below
from twinlens_plugin.plans import PlannedGroup, PlannedPhoto
from twinlens_plugin.review.census import LOOKS, with_relations
from twinlens_plugin.review.draft import Draft, Spot, shots_to_go
from twinlens_plugin.review.problems import Refused
from twinlens_plugin.review.words import split_name

GROUPS_A_PAGE = 40
_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class ShotView:
    """A photo of a plan, with the files that go with it."""

    number: int
    """Of its first file in the group; by it a request names it."""
    id: int | None
    """In addresses; None where the library does not have it any more."""
    name: str
    start: str
    """The name in two: its end stays whole where room is short."""
    end: str
    folder: str
    path: str
    more: tuple[str, ...]
    """Names of the files that stay or go with it."""
    size: str
    goes: bool
    ticked: bool
    relation: str
    """``copy``, ``the photo to keep``."""
    why: str


@dataclass(frozen=True, slots=True)
class PlannedGroupView:
    """A group of a plan."""

    number: int
    title: str
    ticked: bool
    part: bool
    """Whether some of what it proposes was left out, and some not."""
    shots: tuple[ShotView, ...]


class Chosen(NamedTuple):
    """Which part of a plan is looked at, or left out in one go."""

    look: str = ""
    kind: str = ""
    folder: str = ""
    """As ``folder_name`` names it."""
    left: bool = False
    """Only what was left out."""

    def check(self) -> Chosen:
        """Raise Refused where there is no such part."""
        if self.look and self.look not in LOOKS:
            raise Refused("There is no such part of a plan.", 404)
        return self

    @property
    def whole(self) -> bool:
        """Whether it is all of it."""
        return self == Chosen()

    def spots(self, draft: Draft, number: int) -> Iterator[Spot]:
        """Yield the shots of a group that are of this part, left out or not."""
        group = draft.plan.groups[number]
        if self.look and not LOOKS[self.look](group, group.removals):
            return
        relations = {photo.path: kind for photo, kind in with_relations(group, group.removals)}
        for shot in shots_to_go(group):
            photo, spot = group.photos[shot[0]], Spot(number, shot[0])
            if (
                (not self.kind or relations[photo.path] == self.kind)
                and (not self.folder or folder_name(folder_of(photo.path)) == self.folder)
                and (not self.left or spot in draft.left)
            ):
                yield spot

    def groups(self, draft: Draft) -> list[int]:
        """Return the numbers of the groups of which something is in this part."""
        numbers = range(len(draft.plan.groups))
        if self.whole:
            return [n for n in numbers if draft.plan.groups[n].removals]
        return [n for n in numbers if any(self.spots(draft, n))]


def folder_name(folder: bytes) -> str:
    """Return by what a folder is named in addresses: no path is in there."""
    return hashlib.sha256(folder).hexdigest()[:12]


def view(draft: Draft, numbers: Sequence[int], catalogue: Catalogue) -> list[PlannedGroupView]:
    """Return the views of some groups of a plan."""
    groups = [draft.plan.groups[number] for number in numbers]
    known = file_ids(catalogue, [photo.path for group in groups for photo in group.photos])
    places = Places(list_roots(catalogue))
    return [
        _group(draft, number, group, known, places)
        for number, group in zip(numbers, groups, strict=True)
    ]


def file_ids(catalogue: Catalogue, paths: Iterable[bytes]) -> dict[bytes, int]:
    """Return the numbers of the files at these paths that the library has."""
    wanted: dict[int, dict[bytes, bytes]] = defaultdict(dict)
    roots = list_roots(catalogue)
    for path in paths:
        for root in roots:
            if below(path, root.path):
                wanted[root.id][os.path.relpath(path, root.path)] = path
    found: dict[bytes, int] = {}
    for root_id, relatives in wanted.items():
        names = list(relatives)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            rows = catalogue.rows(
                "SELECT id, path FROM files WHERE root_id = ? AND missing_since IS NULL"  # noqa: S608
                f" AND path IN ({','.join('?' * len(some))})",
                (root_id, *some),
            )
            found |= {relatives[row["path"]]: row["id"] for row in rows}
    return found


class Places:
    """Folders in the words of people: the watched folder by its name, and what is below it."""

    def __init__(self, roots: Sequence[Root]) -> None:
        self._roots = {root.path: root.name for root in roots}

    def words(self, folder: bytes) -> str:
        """Return ``Pictures/2024``."""
        for root, name in self._roots.items():
            if below(folder, root):
                rest = printable(folder[len(root) :].strip(b"/"))
                return f"{name}/{rest}" if rest else name
        return printable(folder)


def folder_of(path: bytes) -> bytes:
    """Return the folder that a file lies in."""
    return path.rpartition(b"/")[0]


def _name(path: bytes) -> str:
    return printable(path.rpartition(b"/")[2])


def _group(
    draft: Draft,
    number: int,
    group: PlannedGroup,
    known: dict[bytes, int],
    places: Places,
) -> PlannedGroupView:
    going = draft.goes(number)
    all_of_it = group.removals
    size = output.megabytes(sum(photo.size for photo in all_of_it))
    return PlannedGroupView(
        number,
        f"Proposed: {len(all_of_it):,} of {output.plural(len(group.photos), 'photo')}, {size}",
        bool(going),
        0 < len(going) < len(all_of_it),
        tuple(_shots(draft, number, group, known, places)),
    )


def _shots(
    draft: Draft,
    number: int,
    group: PlannedGroup,
    known: dict[bytes, int],
    places: Places,
) -> Iterator[ShotView]:
    for first, *more in _together(group):
        photo = group.photos[first]
        files = [group.photos[n] for n in (first, *more)]
        yield ShotView(
            first,
            known.get(photo.path),
            _name(photo.path),
            *split_name(photo.path),
            places.words(folder_of(photo.path)),
            printable(photo.path),
            tuple(_name(other.path) for other in files[1:]),
            output.megabytes(sum(other.size for other in files)),
            photo.remove,
            photo.remove and Spot(number, first) not in draft.left,
            _relation(photo),
            _why(group, photo, first),
        )


def _together(group: PlannedGroup) -> list[list[int]]:
    """Return the numbers of a group's photos, those of one shot together."""
    shots: list[list[int]] = []
    for number, photo in enumerate(group.photos):
        if photo.relation == PAIR and shots and group.photos[shots[-1][0]].remove == photo.remove:
            shots[-1].append(number)
        else:
            shots.append([number])
    return shots


_RELATIONS = {
    IDENTICAL: "the very same file",
    SAME_PIXELS: "the same picture, other details",
    EDIT: "an edit",
}


def _relation(photo: PlannedPhoto) -> str:
    words = _RELATIONS.get(photo.relation, f"a {photo.relation}")
    if photo.probability is None or photo.relation in (IDENTICAL, SAME_PIXELS):
        return words
    # Rounded down: 100 % would promise what nobody can.
    return f"{words}, {min(int(photo.probability * 100), 99)} % sure"


def _why(group: PlannedGroup, photo: PlannedPhoto, number: int) -> str:
    if number == 0:
        return group.reason
    return photo.note or ""
