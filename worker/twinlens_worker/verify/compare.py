"""Comparing two pictures: ways to align them are tried, cheapest first, until one is sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from twinlens_worker.verify.align import Alignment, by_features, whole_frames
from twinlens_worker.verify.judge import Judgement, judge
from twinlens_worker.verify.probability import probability
from twinlens_worker.verify.sketch import Sketch

SURE: Final = 0.97
"""Probability at which no other alignment is tried."""
SETTLED: Final = 0.9
"""Correlation of three quarters of the blocks from which the alignment is right, whatever else."""
MANY: Final = 25
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
    for alignment in alignments(a, b):
        found = judge(a, b, alignment)
        if found is None:
            continue
        sure = probability(found)
        if best.found is None or sure > best.probability:
            best = Comparison(sure, found)
        if best.probability >= SURE or found.coarse[1] >= SETTLED:
            break
    return best


def alignments(a: Sketch, b: Sketch) -> Iterator[Alignment]:
    """Yield ways in which b may lie over a; features are made only where the first is not enough."""
    yield from whole_frames(a, b)
    upright = next(by_features(a, b), None)
    if upright is not None:
        yield upright
    if upright is None or upright.inliers < MANY:
        yield from by_features(a, b, mirrored=True)
