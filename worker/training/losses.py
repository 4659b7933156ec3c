"""What the descriptor is trained to do, as one number."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

TEMPERATURE = 0.05
"""Of the contrast between views, as in SSCD (Pizzi et al., 2022)."""
TEACHER_TEMPERATURE = 0.07
CLASS_TEMPERATURE = 0.1
"""Of the contrast between classes, as in SupCon (Khosla et al., 2020)."""
TWIN = 0.85
"""Teacher cosine (whitened) from which on two training photos are not held apart. Up to version 3 it was
0.7, which spared many of the 818 motorbikes and airplanes: the last 850 steps, with 0.85, brought recall at
99 % precision of edits of held-out photos from .523 to .586."""


@dataclass(frozen=True)
class Weights:
    """How much each part counts."""

    views: float = 1.0
    memory: float = 1.0
    contrast: float = 0.5
    classes: float = 0.25
    regression: float = 3.0
    spread: float = 2.0


def info_nce(first: Tensor, second: Tensor) -> Tensor:
    """Find the other view of each photo among all other views of the batch (NT-Xent)."""
    both = torch.cat([first, second])
    logits = both @ both.T / TEMPERATURE
    logits.fill_diagonal_(float("-inf"))
    count = len(first)
    partner = torch.arange(2 * count).roll(count)
    return F.cross_entropy(logits, partner)


def bank_contrast(
    views: Tensor, rows: Tensor, bank: Tensor, twins: Tensor, temperature: float
) -> Tensor:
    """Find each photo's row among those of all training photos, but for its `twins`.

    The whole bank serves as negatives, where a batch holds a few hundred: the error that matters
    in a library is the one most similar photo among tens of thousands.
    """
    logits = views @ bank.T / temperature
    return F.cross_entropy(logits.masked_fill(twins, float("-inf")), rows)


def twins_of(rows: Tensor, bank: Tensor) -> Tensor:
    """Tell which rows of the teacher's bank show nearly the same as each of `rows`, (N, bank)."""
    twins = bank[rows] @ bank.T > TWIN
    twins[torch.arange(len(rows)), rows] = False
    return twins


def class_contrast(views: Tensor, rows: Tensor, memory: Tensor, labels: Tensor) -> Tensor:
    """Find the photos of each photo's class among those of all others (SupCon, its L_out).

    ``labels`` (N,) are the classes of the memory's rows. A photo alone in its class costs nothing.
    """
    itself = torch.arange(len(rows)), rows
    logits = views @ memory.T / CLASS_TEMPERATURE
    logits[itself] = float("-inf")
    same = labels[rows][:, None] == labels
    same[itself] = False
    found = F.log_softmax(logits, dim=1).masked_fill(~same, 0.0).sum(dim=1)
    return -(found / same.sum(dim=1).clamp(min=1)).mean()


def regression(views: Tensor, targets: Tensor) -> Tensor:
    """One minus the cosine to the teacher's vector."""
    return 1 - (views * targets).sum(dim=1).mean()


def koleo(vectors: Tensor) -> Tensor:
    """Spread vectors over the sphere (Sablayrolles et al., 2019): -log of nearest distances."""
    with torch.no_grad():
        similarity = vectors @ vectors.T
        nearest = similarity.fill_diagonal_(-1).argmax(dim=1)
    return -F.pairwise_distance(vectors, vectors[nearest]).clamp(min=1e-4).log().mean()


@dataclass(frozen=True)
class Banks:
    """What is known of every training photo; row i of each is the same photo."""

    teacher: Tensor
    """The teacher's whitened vectors."""
    memory: Tensor
    """The network's own vectors of the clean views that it saw last (Wu et al., "Unsupervised
    feature learning via non-parametric instance discrimination", 2018)."""
    labels: Tensor
    """(N,), numbers of the classes that the photos' names tell."""


def total(
    clean: Tensor, edited: Tensor, rows: Tensor, banks: Banks, weights: Weights
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss and its parts; `rows` (-1: invented pictures) point into the banks."""
    parts = {
        "views": info_nce(clean, edited) * weights.views,
        "spread": koleo(clean) * weights.spread,
    }
    known = rows >= 0
    if bool(known.any()):
        both = torch.cat([clean[known], edited[known]])
        own = rows[known]
        twins, twice = twins_of(own, banks.teacher), own.repeat(2)
        taught = bank_contrast(both, twice, banks.teacher, twins.repeat(2, 1), TEACHER_TEMPERATURE)
        recalled = bank_contrast(edited[known], own, banks.memory, twins, TEMPERATURE)
        parts["contrast"] = taught * weights.contrast
        parts["memory"] = recalled * weights.memory
        alike = class_contrast(both, twice, banks.memory, banks.labels)
        parts["classes"] = alike * weights.classes
        parts["regression"] = regression(both, banks.teacher[twice]) * weights.regression
    return torch.stack(list(parts.values())).sum(), {
        name: float(part.detach()) for name, part in parts.items()
    }
