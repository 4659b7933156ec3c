"""Local features of two pictures that match: they align the pictures, and tell how much of one is there.

Photos of two motorbikes in one studio, or two drawn signs, agree by blocks once they are aligned, but
few of their corners are equal: 30 of 250 where edits of one photo share 50 to 200.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.sketch import Features, Floats, Sketch
from twinlens_worker.verify.transform import Points, Transform, apply

FARTHEST: Final = 70
"""Bits, of 256, by which two ORB descriptors may differ to be a match."""
REACH: Final = 4.0
"""Pixels, of SIDE, by which a match may miss its place: ORB's coarsest level has cells of 3.6."""

CLOSE: Final = 2.0
"""The same, within which it lies well: copies' corners are in place, those of another motorbike near it."""

_AS_IT_IS: Final = np.eye(3)


@dataclass(frozen=True, slots=True)
class Matches:
    """Features of a and of b, of which some are each other's nearest; one side may be mirrored."""

    here: Features
    there: Features
    pairs: NDArray[np.int64]
    """(N, 2) numbers of features that match, surest first."""
    before: Transform
    """From a's unit square to that of ``here``."""
    after: Transform
    """From the unit square of ``there`` to b's."""

    def places(self) -> tuple[Floats, Floats]:
        """Return where the matches are, (N, 2) in ``here`` and in ``there``."""
        return self.here.points[self.pairs[:, 0]], self.there.points[self.pairs[:, 1]]


@dataclass(frozen=True, slots=True)
class Held:
    """How well local features match where an alignment takes them."""

    count: int
    """How many do."""
    share: float
    """The same as a share of those that both pictures show, of the one that has fewer there."""
    of_matches: float
    """And as a share of the matches in what both show: of other things most lie elsewhere."""
    close: float
    """Share of them that lie well in place."""


class Both:
    """Two pictures that are compared; what of them matches is found once, when first wanted."""

    def __init__(self, a: Sketch, b: Sketch) -> None:
        self.a = a
        self.b = b

    @functools.cached_property
    def upright(self) -> Matches:
        """What matches as they are."""
        here, there = self.a.features, self.b.features
        return Matches(here, there, _nearest(here, there), _AS_IT_IS, _AS_IT_IS)

    @functools.cached_property
    def mirrored(self) -> Matches:
        """What matches if one of them is mirrored: the one of which that was made before, if any."""
        if self.a.has_mirrored and not self.b.has_mirrored:
            here, there = self.a.mirrored, self.b.features
            before, after = _mirror(self.a), _AS_IT_IS
        else:
            here, there = self.a.features, self.b.mirrored
            before, after = _AS_IT_IS, _mirror(self.b)
        return Matches(here, there, _nearest(here, there), before, after)

    def held(self, transform: Transform) -> Held:
        """Return how well features match where a transform takes a to b."""
        # The orientation at the corner, whose depth is the last number.
        is_mirrored = np.linalg.det(transform) * transform[2, 2] < 0
        matches = self.mirrored if is_mirrored else self.upright
        there = np.linalg.inv(matches.after) @ transform @ np.linalg.inv(matches.before)
        one, other = matches.places()
        taken = apply(there, one)
        off = np.hypot(*((taken - other) * self.b.size).T)
        count = int((off < REACH).sum())
        shown = (
            _inside(apply(there, matches.here.points)),
            _inside(apply(np.linalg.inv(there), matches.there.points)),
        )
        return Held(
            count,
            min(count / max(min(shown), 1), 1.0),
            count / max(_inside(taken), count, 1),
            int((off < CLOSE).sum()) / max(count, 1),
        )


def _mirror(sketch: Sketch) -> Transform:
    """Return the mirror that takes the first column of pixels to the last."""
    return np.array([[-1.0, 0, 1 - 1 / sketch.size[0]], [0, 1, 0], [0, 0, 1]])


def _inside(points: Points) -> int:
    return int(((points > 0) & (points < 1)).all(axis=1).sum())


def _nearest(a: Features, b: Features) -> NDArray[np.int64]:
    """Return (N, 2) numbers of features that are each other's nearest, surest first."""
    if not len(a.points) or not len(b.points):
        return np.zeros((0, 2), np.int64)
    likeness = a.signs @ b.signs.T
    forth, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.arange(len(forth))
    best = likeness[rows, forth]
    mutual = np.flatnonzero((back[forth] == rows) & (best > 256 - 2 * FARTHEST))
    surest = mutual[np.argsort(-best[mutual], kind="stable")]
    return np.stack([surest, forth[surest]], axis=1)
