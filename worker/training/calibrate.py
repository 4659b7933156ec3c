"""The similarity from which on two photos are called copies."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from training.edits import EDITS, edited
from training.photos import PhotoSet, squash
from training.trainer import embed
from training.twins import distinct
from twinlens_worker.models.pocket import PocketNet

EDITS_EACH: Final = 5
"""Edited copies of each held-out photo, of kinds drawn at random."""
TAIL: Final = 1e-3
"""Share of the pairs that the tail is fitted to."""
FALSE_RATE: Final = 1e-6
"""False pairs wanted in each pair of different photos. Of the held-out photos 43 % show shelves,
often several shots of one product, and 12 % airplanes and motorbikes on plain ground."""
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it was seen to do on held-out photos."""

    threshold: float
    recall: float
    """Share of the edited copies that pass."""
    false_per_million: float
    """Pairs of different photos that pass, in each million."""


@dataclass(frozen=True)
class Similarities:
    """Cosines of pairs of held-out photos."""

    copies: Scores
    """Of each edited copy and its photo."""
    clean: Scores
    """Of each two different photos."""
    crossed: Scores
    """Of each edited copy and all other photos."""


def calibrate(network: PocketNet, held_out: PhotoSet, side: int, seed: int) -> Calibration:
    """Choose the threshold that keeps `FALSE_RATE` among clean and among edited photos."""
    seen = similarities(network, held_out, side, seed)
    threshold = max(tail_threshold(seen.clean), tail_threshold(seen.crossed))
    other = np.concatenate([seen.clean, seen.crossed])
    return Calibration(
        threshold=round(threshold, 3),
        recall=float((seen.copies >= threshold).mean()),
        false_per_million=float((other >= threshold).mean() * 1e6),
    )


def similarities(network: PocketNet, held_out: PhotoSet, side: int, seed: int) -> Similarities:
    """Compare held-out photos and their edited copies, made as the benchmark makes them."""
    pictures = [held_out.picture(row) for row in range(len(held_out))]
    pictures = [pictures[row] for row in distinct(pictures)]
    clean = vectors_of(network, pictures, side)
    unlike = ~torch.eye(len(pictures), dtype=torch.bool)
    copies, crossed = [], []
    for number in range(EDITS_EACH):
        scores = edited_vectors(network, pictures, side, (seed, number)) @ clean.T
        copies.append(scores.diagonal())
        crossed.append(scores[unlike])
    both = clean @ clean.T
    return Similarities(
        copies=torch.cat(copies).numpy(),
        clean=both[torch.ones_like(both, dtype=torch.bool).triu(1)].numpy(),
        crossed=torch.cat(crossed).numpy(),
    )


def tail_threshold(scores: Scores, rate: float = FALSE_RATE) -> float:
    """Extrapolate the cosine that a share `rate` of the scores exceeds.

    In Fisher's z = artanh(cosine) the upper tail of unlike photos is exponential: each tenth of
    the pairs lay 0.40 to 0.43 further out, from one pair in 1,000 to one in 100,000, with an early
    network (300 steps).
    """
    z = np.arctanh(np.clip(scores, -0.999, 0.999999))
    start = float(np.quantile(z, 1 - TAIL))
    excess = float((z[z >= start] - start).mean())
    return float(np.tanh(start + excess * np.log(TAIL / rate)))


def edited_vectors(
    network: PocketNet, pictures: list[Image.Image], side: int, seed: tuple[int, ...]
) -> torch.Tensor:
    """Embed a copy of each picture, edited in a way drawn at random, (N, dimension)."""
    changed = [
        _edit(picture, np.random.default_rng([*seed, row])) for row, picture in enumerate(pictures)
    ]
    return vectors_of(network, changed, side)


def _edit(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return edited(picture, str(rng.choice(list(EDITS))), rng)


def vectors_of(network: PocketNet, pictures: list[Image.Image], side: int) -> torch.Tensor:
    """Embed whole pictures, (N, dimension)."""
    pixels = np.stack([squash(picture, side) for picture in pictures])
    return embed(network, torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255)
