"""What two photos are to each other: their pictures compared, weighed with their metadata.

1. ``same-pixels``: sizes and thumbnails are equal, and so is every pixel.
2. ``pair``: one shot in two forms, RAW + JPEG or HEIC + JPEG, by folder, stem and capture time.
3. ``copy`` or ``edit``: of one shot, most likely; an edit where something was done beside saving
   and resizing.
4. ``burst``: not of one shot, but of one moment: by metadata, or aligned and no capture time
   speaks against it.
5. ``similar``: the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import cv2

from twinlens import relations
from twinlens.media import is_raw
from twinlens.relations import Detail
from twinlens_worker.verify import describe, metadata
from twinlens_worker.verify.compare import Comparison, compare
from twinlens_worker.verify.metadata import Metadata
from twinlens_worker.verify.sketch import Sketch

VERIFIER: Final = 5
"""Version of all that decides; raise it, and what older versions decided is decided anew."""

LIKELY: Final = 0.5
"""Probability of one shot from which two photos are a copy or an edit of one another."""
OTHER_DECODER: Final = 1.5
"""Levels, of 255, by which the thumbnails of one picture in two formats differ, on average."""
UNSURE: Final = 0.001
"""Share of the cases in which pictures alone mislead: frames in which nothing moved."""
ALIGNED: Final = 0.6
"""Correlation, of half of the blocks at half the size, from which two photos show one scene."""


@dataclass(frozen=True, slots=True)
class File:
    """One of the names that a content has."""

    folder: bytes
    name: bytes

    @property
    def stem(self) -> bytes:
        """The name without its suffix, in lower case."""
        return self.name.rpartition(b".")[0].lower()

    @property
    def form(self) -> str:
        """In which form of a shot a camera writes such a file."""
        if is_raw(self.name):
            return "RAW"
        return "HEIC" if self.name.lower().endswith((b".heic", b".heif", b".hif")) else "JPEG"


@dataclass(frozen=True, slots=True)
class Subject:
    """A content, as far as deciding needs to know it."""

    metadata: Metadata = field(default_factory=Metadata)
    files: tuple[File, ...] = ()
    pixels: int | None = None
    """Width times height."""
    format: str | None = None
    """``JPEG``, ``PNG``, ``RAW`` and so on."""
    flat: bool = False
    """No structure: never a copy by what it looks like."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A relation, without the two contents that it is of."""

    kind: str
    probability: float
    detail: Detail


Sketches = Callable[[], tuple[Sketch, Sketch]]
"""Gives both pictures; asked only where the decision hangs on them."""


def decide(
    a: Subject,
    b: Subject,
    sketches: Sketches,
    same_pixels: Callable[[], bool] = lambda: False,
    score: float = 0.0,
) -> Decision:
    """Decide what b, the later content, is to a.

    ``same_pixels`` compares every pixel of the two; it is asked where all else is equal.
    """
    forms = _forms(a, b)
    if forms:
        return Decision(relations.PAIR, 1.0, Detail(words=forms, score=score))
    if a.flat or b.flat:
        return _apart(a, b, Comparison(0.0, None), 0.0, score)
    first, second = sketches()
    if _may_be_same_pixels(a, b, first, second) and same_pixels():
        words = "same pixels, other metadata" + ("" if a.format == b.format else " and file format")
        identity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
        return Decision(relations.SAME_PIXELS, 1.0, Detail(words, {}, 1.0, identity, score))
    comparison = compare(first, second)
    probability = _weighed(comparison.probability, metadata.weight(a.metadata, b.metadata))
    if probability < LIKELY or comparison.found is None:
        return _apart(a, b, comparison, probability, score)
    sizes = (a.pixels, b.pixels) if a.pixels and b.pixels else None
    done = describe.describe(first, second, comparison.found, sizes)
    changed = done.keys() - {"resized"}
    return Decision(
        relations.EDIT if changed else relations.COPY,
        probability,
        _detail(describe.words(done) or "saved again", comparison, score, done),
    )


def _may_be_same_pixels(a: Subject, b: Subject, first: Sketch, second: Sketch) -> bool:
    """Tell whether it is worth to read both photos whole, 0.3 s CPU for two of 24 MP.

    Thumbnails of equal pixels are equal; those of two formats nearly so, which are not decoded at
    the same reduced scale.
    """
    if a.pixels is None or a.pixels != b.pixels or first.size != second.size:
        return False
    off = cv2.norm(first.picture, second.picture, cv2.NORM_L1) / first.picture.size
    return off <= (0.0 if a.format == b.format else OTHER_DECODER)


def _apart(
    a: Subject, b: Subject, comparison: Comparison, probability: float, score: float
) -> Decision:
    """Return what two photos are that are not of one shot."""
    one, other = a.metadata, b.metadata
    found = comparison.found
    aligned = found is not None and found.coarse[2] >= ALIGNED
    if metadata.are_one_moment(one, other) or (aligned and metadata.may_be_one_moment(one, other)):
        words = f"another frame of the moment{_how_long_after(one, other)}"
        return Decision(relations.BURST, probability, _detail(words, comparison, score))
    words = f"the same scene{_how_long_after(one, other)}" if aligned else "looks alike"
    return Decision(relations.SIMILAR, probability, _detail(words, comparison, score))


def _detail(
    words: str, comparison: Comparison, score: float, done: describe.Done | None = None
) -> Detail:
    found = comparison.found
    if found is None:
        return Detail(words, done or {}, score=score)
    flat = found.transform / (found.transform[2, 2] or 1.0)
    transform = tuple(round(float(value), 5) for value in flat.ravel())
    overlap = round(max(found.share_a, found.share_b), 3)
    return Detail(words, done or {}, overlap, transform, score)


def _how_long_after(a: Metadata, b: Metadata) -> str:
    apart = metadata.seconds_apart(a, b)
    if not apart:
        return ""
    way = "later" if apart > 0 else "earlier"
    for unit, seconds in (("days", 86_400), ("hours", 3600), ("minutes", 60), ("s", 1)):
        if abs(apart) >= 2 * seconds or unit == "s":
            return f", {abs(apart) / seconds:.3g} {unit} {way}"
    raise AssertionError


def _forms(a: Subject, b: Subject) -> str | None:
    """Return ``RAW + JPEG`` where both are one shot in two forms."""
    apart = metadata.seconds_apart(a.metadata, b.metadata)
    if apart is not None and abs(apart) >= 1:
        return None
    for one in a.files:
        for other in b.files:
            beside = one.folder == other.folder and one.stem == other.stem
            if beside and one.form != other.form:
                return " + ".join(sorted((one.form, other.form), key=_FORMS.index))
    return None


_FORMS: Final = ("RAW", "HEIC", "JPEG")


def _weighed(probability: float, weight: float) -> float:
    """Return a probability whose odds were multiplied by e to the ``weight``."""
    sure = min(max(probability, UNSURE), 1 - UNSURE)
    return 1 / (1 + math.exp(-math.log(sure / (1 - sure)) - weight))
