"""How sure it is that two pictures are of one shot, from what was measured where they overlap.

A few small networks over a few measurements. Fitted by ``worker/training/verify_calibration.py`` to
photos and edits that no benchmark uses.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.judge import Judgement

Floats = NDArray[np.float32]

FITTED: Final = Path(__file__).with_name("fitted.npz")
MEASUREMENTS: Final = 31
FARTHEST: Final = 4.0
"""Spreads from the mean beyond which a measurement counts as that far."""


@dataclass(frozen=True, slots=True)
class Networks:
    """M networks of two hidden layers of H units with tanh; their logits are averaged."""

    mean: Floats
    """(MEASUREMENTS,), and spread of what they were fitted to."""
    spread: Floats
    first: Floats
    """(M, MEASUREMENTS, H)."""
    first_bias: Floats
    """(M, 1, H)."""
    second: Floats
    """(M, H, H)."""
    second_bias: Floats
    last: Floats
    """(M, H, 1)."""
    last_bias: Floats
    """(M, 1, 1)."""

    def logits(self, rows: Floats) -> Floats:
        """Return the logarithms of the odds, (N,), for measurements, (N, MEASUREMENTS)."""
        x = np.clip((rows - self.mean) / self.spread, -FARTHEST, FARTHEST)
        x = np.tanh(x @ self.first + self.first_bias)
        x = np.tanh(x @ self.second + self.second_bias)
        return np.asarray((x @ self.last + self.last_bias)[..., 0].mean(axis=0), np.float32)

    def write(self, path: Path) -> None:
        """Keep them in a file."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, path: Path) -> Networks:
        """Return those in a file."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def measurements(found: Judgement) -> Floats:
    """Return the measurements, (MEASUREMENTS,), each spread out where it tells most."""
    correlations = (*found.agreement, *found.calm, *found.coarse)
    motions = (*found.motion, *found.all_motion, *found.jitter)
    shares = (found.moved, found.all_moved, found.unexplained, found.disturbed, *found.well)
    frames = sorted((found.share_a, found.share_b))
    return np.array(
        [
            *(-np.log(1.01 - value) for value in correlations),
            *(np.log(value + 0.1) for value in motions),
            *np.sqrt(shares),
            np.log(found.blocks + 1),
            np.log(found.fine),
            *np.log(frames),
            np.log(found.distortion + 0.01),
            *np.clip(found.gained, -0.5, 0.5),
            *(np.log(min(value, 9.0) + 0.02) for value in found.coloured),
        ],
        np.float32,
    )


def probability(found: Judgement) -> float:
    """Return the probability that both pictures of an overlap are of one shot, 0 to 1."""
    logit = float(_networks().logits(measurements(found)[None])[0])
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


@functools.cache
def _networks() -> Networks:
    return Networks.read(FITTED)
