"""A plan that is being looked at: what it proposes, less what was left out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from twinlens.relations import PAIR
from twinlens_plugin.plans import Plan, PlannedGroup, PlannedPhoto, new_plan
from twinlens_plugin.review.problems import Refused

LEFT_OUT = "left out by you"


class Spot(NamedTuple):
    """A shot that a plan proposes to remove: its files stay and go together."""

    group: int
    """Number of the group in the plan, from 0."""
    photo: int
    """Number of the shot's first file in the group."""


class Size(NamedTuple):
    """How much goes."""

    groups: int
    photos: int
    bytes: int


NOTHING = Size(0, 0, 0)


def shots_to_go(group: PlannedGroup) -> list[list[int]]:
    """Return the numbers of the photos to remove, those of one shot together."""
    shots: list[list[int]] = []
    for number, photo in enumerate(group.photos):
        if not photo.remove:
            continue
        if photo.relation == PAIR and shots and shots[-1][-1] == number - 1:
            shots[-1].append(number)
        else:
            shots.append([number])
    return shots


@dataclass(slots=True)
class Draft:
    """A plan, and what was left out of it."""

    id: str
    plan: Plan
    revision: str
    left: set[Spot] = field(default_factory=set)
    size: Size = NOTHING
    """Of what goes, without what was left out."""
    _left_of: Counter[int] = field(default_factory=Counter)
    """How many shots of each group were left out."""

    @classmethod
    def of(cls, name: str, plan: Plan, revision: str, left: Iterable[Spot] = ()) -> Self:
        """Return a draft whose size is counted."""
        removals = [photo for group in plan.groups for photo in group.removals]
        groups = sum(bool(group.removals) for group in plan.groups)
        whole = Size(groups, len(removals), sum(photo.size for photo in removals))
        draft = cls(name, plan, revision, size=whole)
        draft.leave(left)
        return draft

    def spots(self, group: int) -> list[Spot]:
        """Return the shots that a group proposes to remove, left out or not."""
        return [Spot(group, shot[0]) for shot in shots_to_go(self.plan.groups[group])]

    def all_left(self, group: int) -> bool:
        """Tell whether nothing of a group goes."""
        return self._left_of[group] == len(shots_to_go(self.plan.groups[group]))

    def goes(self, group: int) -> list[PlannedPhoto]:
        """Return the photos of a group that go."""
        photos = self.plan.groups[group].photos
        if not self._left_of[group]:
            return [photo for photo in photos if photo.remove]
        shots = shots_to_go(self.plan.groups[group])
        return [photos[n] for shot in shots if Spot(group, shot[0]) not in self.left for n in shot]

    def leave(self, spots: Iterable[Spot]) -> None:
        """Leave shots out. Raises Refused where there is none."""
        for spot in spots:
            self._turn(spot, leave=True)

    def take(self, spots: Iterable[Spot]) -> None:
        """Take shots in again. Raises Refused where there is none."""
        for spot in spots:
            self._turn(spot, leave=False)

    def _turn(self, spot: Spot, *, leave: bool) -> None:
        shots = {shot[0]: shot for shot in self._shots(spot.group)}
        if spot.photo not in shots:
            raise Refused("There is no such photo to remove in this plan. Reload the page.", 404)
        if (spot in self.left) is leave:
            return
        before = self._left_of[spot.group] == len(shots)
        self._left_of[spot.group] += 1 if leave else -1
        (self.left.add if leave else self.left.discard)(spot)
        after = self._left_of[spot.group] == len(shots)
        sign = -1 if leave else 1
        photos = [self.plan.groups[spot.group].photos[n] for n in shots[spot.photo]]
        self.size = Size(
            self.size.groups + before - after,
            self.size.photos + sign * len(photos),
            self.size.bytes + sign * sum(photo.size for photo in photos),
        )

    def _shots(self, group: int) -> list[list[int]]:
        if not 0 <= group < len(self.plan.groups):
            return []
        return shots_to_go(self.plan.groups[group])

    def refuse_stale(self, revision: object, unsaid: str) -> None:
        """Raise Refused where a request is not about the revision that the overview shows.

        ``unsaid``: what is said where it names none.
        """
        if not isinstance(revision, str) or not revision:
            raise Refused(unsaid, 428)
        if revision != self.revision:
            raise Refused(
                "This plan was changed since you saw it, in another window perhaps. Load the page"
                " again.",
                409,
            )

    def rest(self) -> Plan:
        """Return the plan without what was left out. Raises PlanError, Refused where nothing goes."""
        if not self.size.photos:
            raise Refused("Everything was left out: there is nothing to do.", 409)
        if not self.left:
            return self.plan
        groups = (
            self._rest_of(number, group)
            for number, group in enumerate(self.plan.groups)
            if not self.all_left(number)
        )
        return new_plan(self.plan.library, groups, self.plan.references)

    def _rest_of(self, number: int, group: PlannedGroup) -> PlannedGroup:
        if not self._left_of[number]:
            return group
        left = {
            n for shot in shots_to_go(group) if Spot(number, shot[0]) in self.left for n in shot
        }
        photos = tuple(
            replace(photo, remove=False, note=LEFT_OUT) if n in left else photo
            for n, photo in enumerate(group.photos)
        )
        return replace(group, photos=photos)
