"""What tagging makes of a sidecar: keywords, a rating, a label.

1. Keywords are exchanged: those that twinlens gave before go, those of now come, all others stay, in
each list of keywords as they were. 2. What could go is rejected, unless somebody gave it stars; a photo
that stays is never given a rating. 3. A label is given where there is none: one that somebody gave stays. 4. When a photo is no
longer to spare, or is cleared, it gets back what it had, as the journal knows it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twinlens_plugin.acting.journal import Run
from twinlens_plugin.acting.steps import Remove, Write
from twinlens_plugin.keywords import (
    HIERARCHY,
    KEEPER,
    SPARE,
    group_keyword,
    is_ours,
    role_keyword,
    words,
)
from twinlens_plugin.plans import PlannedGroup, PlannedPhoto
from twinlens_plugin.xmp import REJECTED, Changes, Marks, Notes

LABELS = {KEEPER: "Green", SPARE: "Red"}
"""``xmp:Label``, in the English names that Lightroom, Bridge and darktable know."""

_DIGIKAM_COLOURS = {"Red": 1, "Green": 4}
"""``digiKam:ColorLabel``, from digiKam's core/libs/digikam_globals.h."""

_DIGIKAM_REJECTED = 1
"""``digiKam:PickLabel``: 0 none, 1 rejected, 2 pending, 3 accepted."""


NO_GROUP = "none"
"""The kind of what is no group: a photo to clear."""


class Field(enum.StrEnum):
    """What can be written of a photo."""

    KEYWORDS = "keywords"
    RATING = "rating"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Tags:
    """What is to be said of a photo now; nothing where it is cleared."""

    keywords: tuple[str, ...] = ()
    rejected: bool = False
    label: str | None = None


Gave = Mapping[str, object]
"""What a write gave, by field, for the journal: what is ours there now, and what was before."""


class Rejected(NamedTuple):
    """A rejection of ours."""

    before: int | None
    """The rating that it replaced; None where there was none."""
    pick: bool
    """Whether digiKam's flag is ours, too."""


class Added(NamedTuple):
    """What the keywords of a sidecar were before ours came to them."""

    own: frozenset[str] = frozenset()
    """Flat keywords that are levels of ours and were there: a goalkeeper is a keeper as well."""
    list_made: bool = False
    """Whether there was no list of hierarchical keywords."""


class Former:
    """What twinlens gave photos, by its journals, and what that replaced. By the path of sidecars."""

    def __init__(self, runs: Sequence[Run] = ()) -> None:
        self.rejected: dict[bytes, Rejected] = {}
        self.labelled: set[bytes] = set()
        self.added: dict[bytes, Added] = {}
        self.photos: set[bytes] = set()
        """Photos that were tagged, or cleared since."""
        for run in runs:  # oldest first
            for entry in run.entries.values():
                if entry.finished:
                    if entry.action == "tag":
                        self.photos.add(entry.path)
                    for step in entry.steps:
                        if isinstance(step, Write | Remove):
                            self._take(step)

    def _take(self, write: Write | Remove) -> None:
        match write.gave.get(Field.RATING):
            case {"now": int(now), "before": before, **more} if now == REJECTED:
                self.rejected[write.path] = Rejected(before, bool(more.get("pick", True)))
            case {"now": _}:
                self.rejected.pop(write.path, None)
        match write.gave.get(Field.LABEL):
            case {"now": None}:
                self.labelled.discard(write.path)
            case {"now": _}:
                self.labelled.add(write.path)
        match write.gave.get(Field.KEYWORDS):
            case {"own": list(own), "list_made": bool(made)}:
                self.added[write.path] = Added(frozenset(own), made)


def tags_of(photo: PlannedPhoto, group: PlannedGroup, root: str) -> Tags:
    """Return what a group says of one of its photos.

    Where nothing of the group can go, it says no more than that they belong together.
    """
    if group.kind == NO_GROUP:
        return Tags()
    keyword = group_keyword(root, group.kind, group.name)
    if not group.removals:
        return Tags((keyword,))
    role = SPARE if photo.remove else KEEPER
    return Tags((keyword, role_keyword(root, role)), photo.remove, LABELS[role])


class Tagger:
    """Makes the changes that sidecars need to say what they should."""

    def __init__(
        self, fields: frozenset[Field], root: str, former: Former, *, stars: int = 0
    ) -> None:
        """``stars``: up to how many a rejection may replace."""
        self._fields = fields
        self._root = root
        self._former = former
        self._stars = stars
        self.starred: set[bytes] = set()
        """Sidecars whose photo could go, and was not rejected for its stars."""

    def changes(
        self, path: bytes, known: Notes, marks: Marks, wanted: Tags
    ) -> tuple[Changes, Gave]:
        """Return the changes of the sidecar ``path``, and what of them the journal has to know."""
        changes: Changes = {}
        gave: dict[str, object] = {}
        if Field.KEYWORDS in self._fields:
            changes |= self._keywords(path, known, marks, wanted, gave)
        if Field.RATING in self._fields:
            changes |= self._rating(path, known, marks, wanted, gave)
        if Field.LABEL in self._fields:
            changes |= self._label(path, marks, wanted, gave)
        return changes, gave

    def _keywords(
        self, path: bytes, known: Notes, marks: Marks, wanted: Tags, gave: dict[str, object]
    ) -> Changes:
        ours = {word for word in known.hierarchical if self._is_ours(word)}
        before = self._added(path, known, marks, wanted, ours)
        changes = self._lists(known, marks, wanted, before)
        stale = words(ours - {*wanted.keywords}) - words(wanted.keywords) - before.own
        stale -= words({*known.hierarchical} - ours)
        last = [word.rpartition(HIERARCHY)[2] for word in wanted.keywords]
        flat = [word for word in known.keywords if word not in stale]
        flat += [word for word in last if word not in flat]
        if tuple(flat) != known.keywords:
            changes["XMP-dc:Subject"] = flat or None
        if changes and before != self._former.added.get(path, Added()):
            gave[Field.KEYWORDS] = {"own": sorted(before.own), "list_made": before.list_made}
        return changes

    def _added(
        self, path: bytes, known: Notes, marks: Marks, wanted: Tags, ours: set[str]
    ) -> Added:
        """Return what was there before any keyword of ours."""
        earlier = self._former.added.get(path, Added()) if ours else Added()
        own = words(wanted.keywords) & {*known.keywords} - words(ours)
        return Added(earlier.own | own, earlier.list_made or marks.levels is None)

    def _lists(self, known: Notes, marks: Marks, wanted: Tags, before: Added) -> Changes:
        """Return the changes of Lightroom's list and, where there is one, of digiKam's.

        With a list of Lightroom's, darktable looks at no flat keyword: one that is made has those, too.
        """
        changes: Changes = {}
        tags = [tag for tag in marks.digikam or () if not self._is_ours(_levels(tag))]
        if marks.levels is None:
            others = _all_levels(
                [w for w in known.hierarchical if not self._is_ours(w)], known, wanted
            )
        else:
            others = [word for word in marks.levels if not self._is_ours(word)]
            elsewhere = _all_levels([*map(_levels, tags)], known, wanted)
            if not wanted.keywords and before.list_made and {*others} <= {*elsewhere}:
                others = []
        new = (*others, *wanted.keywords)
        if {*new} != {*(marks.levels or ())}:
            changes["XMP-lr:HierarchicalSubject"] = [*new] or None
        if marks.digikam is not None:
            tags += [word.replace(HIERARCHY, "/") for word in wanted.keywords]
            if {*tags} != {*marks.digikam}:
                changes["XMP-digiKam:TagsList"] = tags or None
        return changes

    def _is_ours(self, word: str) -> bool:
        return is_ours(word, self._root)

    def _rating(
        self, path: bytes, known: Notes, marks: Marks, wanted: Tags, gave: dict[str, object]
    ) -> Changes:
        if wanted.rejected and (known.rating or 0) > self._stars:
            self.starred.add(path)
            return {}
        if wanted.rejected and known.rating != REJECTED:
            before = 0 if known.rating is None and marks.rated else known.rating
            gave[Field.RATING] = {"now": REJECTED, "before": before, "pick": not marks.pick}
            pick: Changes = {} if marks.pick else {"XMP-digiKam:PickLabel": _DIGIKAM_REJECTED}
            return {"XMP-xmp:Rating": REJECTED, **pick}
        former = self._former.rejected.get(path)
        if wanted.rejected or former is None or known.rating != REJECTED:
            return {}
        gave[Field.RATING] = {"now": former.before}
        picked = former.pick and marks.pick == _DIGIKAM_REJECTED
        return {
            "XMP-xmp:Rating": former.before,
            **({"XMP-digiKam:PickLabel": None} if picked else {}),
        }

    def _label(self, path: bytes, marks: Marks, wanted: Tags, gave: dict[str, object]) -> Changes:
        ours = path in self._former.labelled and marks.label in LABELS.values()
        if marks.label == wanted.label or ((marks.label or marks.colour) and not ours):
            return {}
        gave[Field.LABEL] = {"now": wanted.label}
        colour = _DIGIKAM_COLOURS[wanted.label] if wanted.label else None
        return {"XMP-xmp:Label": wanted.label, "XMP-digiKam:ColorLabel": colour}


def _all_levels(levels: list[str], known: Notes, wanted: Tags) -> list[str]:
    """Return hierarchical keywords, and flat ones that are no level of these nor of those wanted."""
    there = words([*levels, *wanted.keywords])
    return [*levels, *(word for word in known.keywords if word not in there)]


def _levels(tag: str) -> str:
    """Return a tag of digiKam's as the others write it."""
    return tag.replace("/", HIERARCHY)
