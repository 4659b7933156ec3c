"""The similarity from which on two photos are called copies."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from training.augment import Augmenter
from training.draw import Draw
from training.photos import PhotoSet
from training.trainer import clean_views, embed
from twinlens_worker.models.pocket import PocketNet

EDITS: Final = 12
"""Edited views of each held-out photo."""
TAIL: Final = 1e-4
"""Share of the pairs that the tail is fitted to."""
FALSE_RATE: Final = 1e-8
"""False pairs wanted in each pair: about one in a library of 14,000 photos (10^8 pairs)."""
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it was seen to do on held-out photos."""

    threshold: float
    recall: float
    false_per_million: float


def calibrate(network: PocketNet, held_out: PhotoSet, side: int, seed: int) -> Calibration:
    """Choose the threshold from edited views of held-out photos against all held-out photos."""
    same, other = similarities(network, held_out, side, seed)
    threshold = tail_threshold(other, FALSE_RATE)
    return Calibration(
        threshold=round(threshold, 3),
        recall=float((same >= threshold).mean()),
        false_per_million=float((other >= threshold).mean() * 1e6),
    )


def similarities(
    network: PocketNet, held_out: PhotoSet, side: int, seed: int
) -> tuple[Scores, Scores]:
    """Return the similarities of matching pairs, and of pairs of different photos."""
    augmenter = Augmenter(seed + 1)
    clean = embed(network, clean_views(held_out.pixels, side))
    unlike = ~torch.eye(len(held_out), dtype=torch.bool)
    same, other = [], [(clean @ clean.T)[unlike]]
    for number in range(EDITS):
        draw = Draw(seed, 2**41, number)
        edited = augmenter.strong(draw, held_out.pixels, held_out.aspects, side)
        scores = embed(network, edited) @ clean.T
        same.append(scores.diagonal())
        other.append(scores[unlike])
    return torch.cat(same).numpy(), torch.cat(other).numpy()


def tail_threshold(scores: Scores, rate: float) -> float:
    """Extrapolate where a share `rate` of the scores lies above.

    The excess over a high quantile is taken as exponential. Cosines of unlike photos fall faster
    than that, so the threshold errs on the side of precision.
    """
    start = float(np.quantile(scores, 1 - TAIL))
    excess = float((scores[scores > start] - start).mean())
    return min(start + excess * float(np.log(TAIL / rate)), 1.0)
