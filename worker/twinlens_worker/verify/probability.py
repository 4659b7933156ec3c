"""How sure it is that two pictures are of one shot, from what was measured where they overlap.

A logistic model over a few measurements and their products. Fitted by
``worker/training/verify_calibration.py`` to photos and edits that no benchmark uses.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify import fitted
from twinlens_worker.verify.judge import Judgement

Vector = NDArray[np.float64]

MEASUREMENTS: Final = 20
FARTHEST: Final = 4.0
"""Spreads from the mean beyond which a measurement counts as that far: products grow fast."""


def measurements(found: Judgement) -> Vector:
    """Return the measurements, (20,), each spread out where it tells most."""
    correlations = (*found.agreement, *found.calm, *found.coarse)
    shares = sorted((found.share_a, found.share_b))
    return np.array(
        [
            *(-np.log(1.01 - value) for value in correlations),
            *(np.log(value + 0.1) for value in (*found.motion, found.all_motion[1])),
            np.sqrt(found.moved),
            np.sqrt(found.all_moved),
            np.sqrt(found.unexplained),
            np.sqrt(found.disturbed),
            np.log(found.blocks + 1),
            np.log(found.fine),
            np.log(shares[0]),
            np.log(shares[1]),
            np.log(found.distortion + 0.01),
        ]
    )


def products(rows: Vector) -> Vector:
    """Return measurements, (N, 20), and the products of each two of them, (N, 230)."""
    first, second = np.triu_indices(MEASUREMENTS)
    return np.concatenate([rows, rows[:, first] * rows[:, second]], axis=1)


def probability(found: Judgement) -> float:
    """Return the probability that both pictures of an overlap are of one shot, 0 to 1."""
    mean, spread, weights = _constants()
    row = np.clip((measurements(found) - mean) / spread, -FARTHEST, FARTHEST)
    logit = float((products(row[None]) @ weights)[0]) + fitted.BIAS
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


@functools.cache
def _constants() -> tuple[Vector, Vector, Vector]:
    return np.array(fitted.MEAN), np.array(fitted.SPREAD), np.array(fitted.WEIGHTS)
