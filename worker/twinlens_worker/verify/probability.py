"""How sure it is that two pictures are of one shot, from what was measured where they overlap.

A logistic model over a few measurements and their products. Fitted by
``worker/training/verify_calibration.py`` to photos and edits that no benchmark uses.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.judge import Judgement

Vector = NDArray[np.float64]

MEASUREMENTS: Final = 18


def measurements(found: Judgement) -> Vector:
    """Return the measurements, (18,), each spread out where it tells most."""
    correlations = (*found.agreement, *found.calm, *found.coarse)
    shares = sorted((found.share_a, found.share_b))
    return np.array(
        [
            *(-np.log(1.01 - value) for value in correlations),
            np.log(found.motion[0] + 0.1),
            np.log(found.motion[2] + 0.1),
            np.sqrt(found.moved),
            np.sqrt(found.unexplained),
            np.sqrt(found.disturbed),
            np.log(found.blocks + 1),
            np.log(found.fine),
            np.log(shares[0]),
            np.log(shares[1]),
            np.log(found.distortion + 0.01),
        ]
    )
