"""Comparing two pictures: ways to align them are tried, cheapest first, until one is sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from twinlens_worker.verify.align import Alignment, by_features, whole_frames
from twinlens_worker.verify.judge import Judgement, judge
from twinlens_worker.verify.matches import Both
from twinlens_worker.verify.probability import probability
from twinlens_worker.verify.sketch import Sketch
from twinlens_worker.verify.transform import CORNERS, Transform, apply

SURE: Final = 0.9
"""Probability at which no other alignment is tried."""
SAME_WITHIN: Final = 0.01
"""Share of a side by which the corners of two alignments may differ that are one."""
MANY: Final = 12
"""Features that agree on an upright alignment, from which no mirrored one is tried."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best alignment of two pictures, and how sure it is that they are of one shot."""

    probability: float
    found: Judgement | None
    """None where no alignment was found."""


def compare(a: Sketch, b: Sketch) -> Comparison:
    """Compare two pictures. Costs about 3 ms CPU, 3 more for each whose features were not kept."""
    best = Comparison(0.0, None)
    both = Both(a, b)
    for alignment in alignments(both):
        if best.found is not None and _is_same(alignment.transform, best.found.transform):
            continue
        found = judge(both, alignment)
        if found is None:
            continue
        sure = probability(found)
        if best.found is None or sure > best.probability:
            best = Comparison(sure, found)
        if best.probability >= SURE:
            break
    return best


def _is_same(one: Transform, other: Transform) -> bool:
    """Tell whether two alignments are one, which was judged already, after it was refined."""
    return bool(np.abs(apply(one, CORNERS) - apply(other, CORNERS)).max() < SAME_WITHIN)


def alignments(both: Both) -> Iterator[Alignment]:
    """Yield ways in which b may lie over a; features are matched only where the first is not enough."""
    yield from whole_frames(both.a, both.b)
    upright = by_features(both.upright, both)
    if upright is not None:
        yield upright
    if upright is None or upright.inliers < MANY:
        mirrored = by_features(both.mirrored, both)
        if mirrored is not None:
            yield mirrored
