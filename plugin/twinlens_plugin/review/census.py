"""What a plan comes to: per kind, per folder, what to look at before it is carried out, what stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from twinlens.media import is_raw
from twinlens.relations import EDIT, IDENTICAL, KINDS, PAIR, SAME_PIXELS
from twinlens_plugin.plans import PlannedGroup, PlannedPhoto
from twinlens_plugin.review.draft import Draft

UNSURE = 0.95
"""Below this, one in twenty pictures that are called copies may be none."""

NAMED_FOLDERS = 30
"""Folders in the table; the rest is one line."""


class Part(NamedTuple):
    """A part of what goes."""

    photos: int
    bytes: int


@dataclass(slots=True)
class Sum:
    """A part that is being added up."""

    photos: int = 0
    bytes: int = 0

    def add(self, photos: Sequence[PlannedPhoto]) -> None:
        """Add photos."""
        self.photos += len(photos)
        self.bytes += sum(photo.size for photo in photos)


@dataclass(slots=True)
class Census:
    """Counts over a whole plan, of what goes now."""

    kinds: dict[str, Sum] = field(default_factory=dict)
    """By relation to the photo that stays, the surest first."""
    folders: dict[bytes, Sum] = field(default_factory=dict)
    """By folder, the most bytes first."""
    looks: dict[str, Sum] = field(default_factory=dict)
    """What to look at first: a name of ``LOOKS``, and what goes of such groups."""
    stays: Counter[str] = field(default_factory=Counter)
    """Why photos stay that are not the keeper: the reason, and how many."""
    linkable: int = 0
    """Photos that go and have the bytes of one that stays: what can become a link."""
    left_groups: int = 0
    """Groups of which nothing goes since the user left it out."""

    @classmethod
    def of(cls, draft: Draft) -> Census:
        """Count."""
        census = cls()
        for number, group in enumerate(draft.plan.groups):
            census._add(group, draft.goes(number))
        census.kinds = dict(sorted(census.kinds.items(), key=lambda item: _place(item[0])))
        census.folders = dict(
            sorted(census.folders.items(), key=lambda item: (-item[1].bytes, item[0]))
        )
        return census

    def _add(self, group: PlannedGroup, going: Sequence[PlannedPhoto]) -> None:
        for photo in group.photos[1:]:
            if not photo.remove and photo.relation != PAIR:
                self.stays[photo.note or "was to be kept"] += 1
        if not going:
            self.left_groups += 1
            return
        kept = {photo.sha256 for photo in group.photos if not photo.remove}
        for photo, relation in with_relations(group, going):
            self.kinds.setdefault(relation, Sum()).add([photo])
            self.folders.setdefault(photo.path.rpartition(b"/")[0], Sum()).add([photo])
            self.linkable += photo.sha256 in kept
        for name, concerns in LOOKS.items():
            if concerns(group, going):
                self.looks.setdefault(name, Sum()).add(going)


class Counted:
    """The last census: who turns the pages of a plan of 100,000 groups waits for it once (1 s)."""

    def __init__(self) -> None:
        self._last: tuple[str, Census] | None = None

    def of(self, draft: Draft) -> Census:
        """Return the census of a draft as it is now."""
        if self._last is None or self._last[0] != draft.revision:
            self._last = (draft.revision, Census.of(draft))
        return self._last[1]


def with_relations(
    group: PlannedGroup, photos: Sequence[PlannedPhoto]
) -> Iterator[tuple[PlannedPhoto, str]]:
    """Yield photos with their relation to the keeper; files of one shot have that of the first."""
    wanted = {photo.path for photo in photos}
    relation = ""
    for photo in group.photos:
        if photo.relation != PAIR:
            relation = photo.relation
        if photo.path in wanted:
            yield photo, relation


def _only_edits(group: PlannedGroup, going: Sequence[PlannedPhoto]) -> bool:
    return all(relation == EDIT for _, relation in with_relations(group, going))


def _unsure(_group: PlannedGroup, going: Sequence[PlannedPhoto]) -> bool:
    return any(
        photo.probability is not None
        and photo.probability < UNSURE
        and photo.relation not in (IDENTICAL, SAME_PIXELS, PAIR)
        for photo in going
    )


def _raw(_group: PlannedGroup, going: Sequence[PlannedPhoto]) -> bool:
    return any(is_raw(photo.path) for photo in going)


def _larger(group: PlannedGroup, going: Sequence[PlannedPhoto]) -> bool:
    # A RAW keeper is always compared with what a camera made of it, which may well be larger.
    keeper = group.keeper
    return not is_raw(keeper.path) and any(
        photo.size > keeper.size and photo.relation != PAIR for photo in going
    )


Concerns = Callable[[PlannedGroup, Sequence[PlannedPhoto]], bool]

LOOKS: dict[str, Concerns] = {
    "edits": _only_edits,
    "raw": _raw,
    "unsure": _unsure,
    "larger": _larger,
}
"""What to look at before anything goes, by a name for addresses."""


class Words(NamedTuple):
    """What to look at, for people: behind ``1 photo``, behind ``2 photos``, and as a heading."""

    one: str
    many: str
    heading: str


LOOK_WORDS = {
    "edits": Words(
        "is only an edit of the one that stays (cropped, toned, turned, ...)",
        "are only edits of the one that stays (cropped, toned, turned, ...)",
        "Edits",
    ),
    "raw": Words("goes with a RAW file", "go with a RAW file", "RAW files"),
    "unsure": Words(
        f"is in a group where a relation is less than {UNSURE * 100:.0f} % sure",
        f"are in groups where a relation is less than {UNSURE * 100:.0f} % sure",
        "Less sure",
    ),
    "larger": Words(
        "is in a group where a file that goes is larger than the one that stays",
        "are in groups where a file that goes is larger than the one that stays",
        "Larger files",
    ),
}


def _place(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)
