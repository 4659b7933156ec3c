"""How sure it is that two pictures are of one shot, from what was measured where they overlap.

Two judges must agree: a few small networks, which find most, and a logistic model, which errs otherwise;
each is fooled by look-alikes that the other is not (docs/decisions/0024). Fitted by
``worker/training/verify_calibration.py`` to photos and edits that no benchmark uses.
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
MEASUREMENTS: Final = 35
PLAIN: Final = (*range(10), 11, *range(14, 18), *range(20, 25), 31, 32, 33, 34)
"""Measurements that the logistic model takes."""
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


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic model of the P measurements in PLAIN, and of their products by twos."""

    middle: Floats
    """(P,), and width of what it was fitted to."""
    width: Floats
    weights: Floats
    """(P + P (P + 1) / 2,)."""
    bias: Floats
    """()."""

    def logits(self, rows: Floats) -> Floats:
        """Return the logarithms of the odds, (N,), for measurements, (N, MEASUREMENTS)."""
        x = np.clip((rows[:, PLAIN] - self.middle) / self.width, -FARTHEST, FARTHEST)
        return np.asarray(products(x) @ self.weights + self.bias, np.float32)


@dataclass(frozen=True, slots=True)
class Judges:
    """Both. A pair is as likely of one shot as the more doubtful of them says, put right.

    The lower of two is too doubtful: of pairs at 0.5 more than half are of one shot. So its logarithm
    of the odds is stretched and moved to what was seen of photos that neither was fitted to.
    """

    networks: Networks
    logistic: Logistic
    stretch: float = 1.0
    move: float = 0.0

    def logits(self, rows: Floats) -> Floats:
        """Return the logarithms of the odds, (N,), for measurements, (N, MEASUREMENTS)."""
        lower = np.minimum(self.networks.logits(rows), self.logistic.logits(rows))
        return np.asarray(self.stretch * lower + self.move, np.float32)

    def write(self, path: Path) -> None:
        """Keep them in a file."""
        both = (self.networks, self.logistic)
        arrays = {field.name: getattr(one, field.name) for one in both for field in fields(one)}
        np.savez(path, **arrays, put_right=np.array([self.stretch, self.move]))

    @classmethod
    def read(cls, path: Path) -> Judges:
        """Return those in a file."""
        with np.load(path, allow_pickle=False) as arrays:
            networks, logistic = (
                {field.name: arrays[field.name] for field in fields(kind)}
                for kind in (Networks, Logistic)
            )
            stretch, move = (float(one) for one in arrays["put_right"])
        return cls(Networks(**networks), Logistic(**logistic), stretch, move)


def products(rows: Floats) -> Floats:
    """Return measurements, (N, P), and the products of each two of them, (N, P + P (P + 1) / 2)."""
    first, second = _twos(rows.shape[1])
    return np.concatenate([rows, rows[:, first] * rows[:, second]], axis=1)


@functools.cache
def _twos(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first, second = np.triu_indices(count)
    return first, second


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
            np.log(found.held.count + 1),
            np.sqrt(found.held.share),
            found.held.of_matches,
            found.held.close,
        ],
        np.float32,
    )


def probability(found: Judgement) -> float:
    """Return the probability that both pictures of an overlap are of one shot, 0 to 1."""
    logit = float(_judges().logits(measurements(found)[None])[0])
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


@functools.cache
def _judges() -> Judges:
    return Judges.read(FITTED)
