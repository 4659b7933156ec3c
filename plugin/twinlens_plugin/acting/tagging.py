"""What tagging makes of a sidecar: keywords, a rating, a label.

1. Keywords are exchanged: those that twinlens gave before go, those of now come, all others stay.
2. What could go is rejected; a photo that stays is never given a rating. 3. A label is given where
there is none: one that somebody gave stays. 4. When a photo is no longer to spare, or is cleared, it
gets the rating and the label back that it had, as the journal knows them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
"""What a write gave of rating and label, for the journal: ``now`` and, of ratings, ``before``."""


class Former:
    """What twinlens rejected and labelled, by its journals, and which ratings that replaced."""

    def __init__(self, runs: Sequence[Run] = ()) -> None:
        self.ratings: dict[bytes, int | None] = {}
        """Of rejected photos, by sidecar: the rating before."""
        self.labelled: set[bytes] = set()
        """Sidecars with a label of ours."""
        for run in runs:  # oldest first
            for entry in run.entries.values():
                if entry.finished:
                    for step in entry.steps:
                        if isinstance(step, Write | Remove):
                            self._take(step)

    def _take(self, write: Write | Remove) -> None:
        match write.gave.get(Field.RATING):
            case {"now": int(now), "before": before} if now == REJECTED:
                self.ratings[write.path] = before
            case {"now": _}:
                self.ratings.pop(write.path, None)
        match write.gave.get(Field.LABEL):
            case {"now": None}:
                self.labelled.discard(write.path)
            case {"now": _}:
                self.labelled.add(write.path)


def tags_of(photo: PlannedPhoto, group: PlannedGroup, root: str) -> Tags:
    """Return what a group says of one of its photos.

    Where nothing of the group can go, it says no more than that they belong together.
    """
    keyword = group_keyword(root, group.kind, group.name)
    if not group.removals:
        return Tags((keyword,))
    role = SPARE if photo.remove else KEEPER
    return Tags((keyword, role_keyword(root, role)), photo.remove, LABELS[role])


class Tagger:
    """Makes the changes that sidecars need to say what they should."""

    def __init__(self, fields: frozenset[Field], root: str, former: Former) -> None:
        self._fields = fields
        self._root = root
        self._former = former

    def changes(
        self, path: bytes, known: Notes, marks: Marks, wanted: Tags
    ) -> tuple[Changes, Gave]:
        """Return the changes of the sidecar ``path``, and what of them the journal has to know."""
        changes: Changes = {}
        gave: dict[str, object] = {}
        if Field.KEYWORDS in self._fields:
            changes |= self._keywords(known, marks, wanted)
        if Field.RATING in self._fields:
            changes |= self._rating(path, known, marks, wanted, gave)
        if Field.LABEL in self._fields:
            changes |= self._label(path, marks, wanted, gave)
        return changes, gave

    def _keywords(self, known: Notes, marks: Marks, wanted: Tags) -> Changes:
        others = [word for word in known.hierarchical if not is_ours(word, self._root)]
        gone = [
            word
            for word in known.hierarchical
            if is_ours(word, self._root) and word not in wanted.keywords
        ]
        new = [word for word in wanted.keywords if word not in known.hierarchical]
        last = [word.rpartition(HIERARCHY)[2] for word in wanted.keywords]
        stale = words(gone) - words([*others, *wanted.keywords])
        flat = [word for word in known.keywords if word not in stale]
        flat += [word for word in last if word not in flat]
        changes: Changes = {}
        if gone or new:
            levels = [*others, *wanted.keywords]
            changes["XMP-lr:HierarchicalSubject"] = levels or None
            if marks.digikam:
                slashed = [word.replace(HIERARCHY, "/") for word in levels]
                changes["XMP-digiKam:TagsList"] = slashed or None
        if tuple(flat) != known.keywords:
            changes["XMP-dc:Subject"] = flat or None
        return changes

    def _rating(
        self, path: bytes, known: Notes, marks: Marks, wanted: Tags, gave: dict[str, object]
    ) -> Changes:
        if wanted.rejected and known.rating != REJECTED:
            gave[Field.RATING] = {"now": REJECTED, "before": known.rating}
            pick: Changes = {} if marks.pick else {"XMP-digiKam:PickLabel": _DIGIKAM_REJECTED}
            return {"XMP-xmp:Rating": REJECTED, **pick}
        ours = known.rating == REJECTED and path in self._former.ratings
        if wanted.rejected or not ours:
            return {}
        before = self._former.ratings[path]
        gave[Field.RATING] = {"now": before}
        picked = marks.pick == _DIGIKAM_REJECTED
        return {"XMP-xmp:Rating": before, **({"XMP-digiKam:PickLabel": None} if picked else {})}

    def _label(self, path: bytes, marks: Marks, wanted: Tags, gave: dict[str, object]) -> Changes:
        ours = path in self._former.labelled and marks.label in LABELS.values()
        if marks.label == wanted.label or (marks.label and not ours):
            return {}
        gave[Field.LABEL] = {"now": wanted.label}
        colour = _DIGIKAM_COLOURS[wanted.label] if wanted.label else None
        return {"XMP-xmp:Label": wanted.label, "XMP-digiKam:ColorLabel": colour}
