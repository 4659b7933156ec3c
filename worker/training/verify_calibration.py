"""Fit the verifier's probability: `python worker/training/verify_calibration.py`.

To pairs as `verify_pairs` makes them. Writes worker/twinlens_worker/verify/fitted.npz. Takes about
8 minutes of CPU.
"""

import argparse
import os
import pickle
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.verify_pairs import Pair, is_mislabelled, make
from twinlens_worker.verify.probability import (
    FARTHEST,
    FITTED,
    PLAIN,
    Floats,
    Judges,
    Logistic,
    Networks,
    products,
)

MEMBERS: Final = 4
HIDDEN: Final = 24
EPOCHS: Final = 40
BATCH: Final = 128
RATE: Final = 1e-2
DECAY: Final = 1e-2
JITTER: Final = 0.05
"""Spreads by which measurements are moved by chance, so that none is learnt by heart."""
DOUBT: Final = 0.001
"""Share of pairs that are not what they are said to be."""
RIDGE: Final = 10.0
"""Strength of the pull of the logistic model's weights towards 0."""
STEPS: Final = 25
"""Of Newton's method."""
ROUNDS: Final = 2
LOOK_ALIKES: Final = 3
"""How often a pair of look-alikes counts: to call two photos one is worse than to miss a copy."""
COPIED: Final = 0.05
"""Share of a library's photos that have a copy: probabilities are put right for such a library."""
HELD: Final = 4
"""One photo of so many is held out: to put probabilities right by, and for the table that is printed."""
SURE: Final = 8.0
"""Logits beyond which a pair tells nothing of what 0.5 is."""
Truth = NDArray[np.bool_]


def main() -> None:
    """Make the pairs, fit, say how well it does, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TWINLENS_DATA") or None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pairs", type=Path, help="file that the pairs are kept in, once made")
    parser.add_argument("--target", type=Path, default=FITTED)
    options = parser.parse_args()
    if options.data is None:
        sys.exit("set TWINLENS_DATA to the folder that holds train and camera; nothing fitted")
    torch.set_num_threads(1)
    made = _pairs(options.data, options.seed, options.processes, options.pairs)
    pairs = [pair for pair in made if not is_mislabelled(pair)]
    held = [zlib.crc32(pair.photo.encode()) % HELD == 0 for pair in pairs]
    some = fit([pair for pair, out in zip(pairs, held, strict=True) if not out])
    others = [pair for pair, out in zip(pairs, held, strict=True) if out]
    stretch, move = put_right(some, others)
    say(replace(some, stretch=stretch, move=move), others)
    replace(fit(pairs), stretch=stretch, move=move).write(options.target)


def put_right(judges: Judges, pairs: Sequence[Pair]) -> tuple[float, float]:
    """Return by what to stretch and move the judges' logits, so that 0.5 is half of pairs not fitted to.

    Platt's scaling: a logistic regression on the logits, by Newton's method. Look-alikes count
    as often as makes COPIED of the photos have a copy: here most have several.
    """
    pairs = [pair for pair in pairs if pair.kind != "studio"]  # a library compares only the nearest
    photos = len({pair.photo for pair in pairs})
    often = sum(pair.one_shot for pair in pairs) / (COPIED * photos)
    weight = np.array([often if pair.kind == "alike" else 1.0 for pair in pairs])
    logits = np.array([judges.logits(pair.rows).max() for pair in pairs], np.float64)
    truth = np.array([pair.one_shot for pair in pairs])
    design = np.stack([logits.clip(-SURE, SURE), np.ones(len(logits))], axis=1)
    found = np.zeros(2)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        curve = (design.T * (weight * p * (1 - p))) @ design
        found = found + np.linalg.solve(curve, design.T @ (weight * (truth - p)))
    return float(found[0]), float(found[1])


def _pairs(data: Path, seed: int, processes: int, kept: Path | None) -> list[Pair]:
    if kept is not None and kept.exists():
        pairs: list[Pair] = pickle.loads(kept.read_bytes())
        return pairs
    pairs = list(make(data, seed, processes))
    if kept is not None:
        kept.write_bytes(pickle.dumps(pairs))
    return pairs


def fit(pairs: Sequence[Pair]) -> Judges:
    """Fit; of a pair of one shot only the alignment that convinces most counts, being the right one."""
    pairs = [*pairs, *(LOOK_ALIKES - 1) * [pair for pair in pairs if pair.kind == "alike"]]
    rows = np.concatenate([pair.rows for pair in pairs])
    owner = np.repeat(np.arange(len(pairs)), [len(pair.rows) for pair in pairs])
    one_shot = np.array([pair.one_shot for pair in pairs])[owner]
    kept = np.ones(len(rows), bool)
    for _ in range(ROUNDS):
        some, truth = rows[kept], one_shot[kept]
        fitted = Judges(_networks(some, truth), _logistic(some, truth))
        logits = fitted.logits(rows)
        best = np.full(len(pairs), -np.inf, np.float32)
        np.maximum.at(best, owner, logits)
        kept = ~one_shot | (logits == best[owner])
    return fitted


def _networks(rows: Floats, truth: Truth) -> Networks:
    """Fit networks, each from another start, by Adam with decaying weights."""
    torch.manual_seed(1)
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    x = torch.from_numpy(np.clip((rows - mean) / spread, -FARTHEST, FARTHEST))
    wanted = torch.from_numpy(truth.astype(np.float32)) * (1 - 2 * DOUBT) + DOUBT
    layers = [_layer(x.shape[1], HIDDEN), _layer(HIDDEN, HIDDEN), _layer(HIDDEN, 1)]
    parameters = [one for layer in layers for one in layer]
    optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-len(x) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(x)), BATCH):
            near = x[batch] + JITTER * torch.randn(len(batch), x.shape[1])
            logits = _logits(near, layers)
            loss = functional.binary_cross_entropy_with_logits(
                logits, wanted[batch].expand(MEMBERS, -1)
            )
            optimiser.zero_grad()
            (loss * MEMBERS).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            rate.step()
    return Networks(mean, spread, *(one.detach().numpy() for one in parameters))


Layer = tuple[torch.Tensor, torch.Tensor]


def _layer(inputs: int, outputs: int) -> Layer:
    weights = torch.randn(MEMBERS, inputs, outputs) / inputs**0.5
    return weights.requires_grad_(), torch.zeros(MEMBERS, 1, outputs).requires_grad_()


def _logits(x: torch.Tensor, layers: Sequence[Layer]) -> torch.Tensor:
    """Return (MEMBERS, N), as `Networks.logits` does before it averages."""
    *hidden, (weights, bias) = layers
    for some, more in hidden:
        x = torch.tanh(x @ some + more)
    return (x @ weights + bias)[..., 0]


def _logistic(rows: Floats, truth: Truth) -> Logistic:
    """Fit a ridge logistic regression by Newton's method."""
    plain = rows[:, PLAIN].astype(np.float64)
    mean, spread = plain.mean(axis=0), plain.std(axis=0) + 1e-9
    made = products(np.clip((plain - mean) / spread, -FARTHEST, FARTHEST))
    centre, width = made.mean(axis=0), made.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(made)), (made - centre) / width])
    pull = np.eye(design.shape[1]) * RIDGE
    pull[0, 0] = 0
    weights = np.zeros(design.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (truth - p) - pull @ weights
        curve = (design.T * (p * (1 - p))) @ design + pull
        weights = weights + np.linalg.solve(curve, slope)
    folded = weights[1:] / width
    bias = weights[0] - folded @ centre
    return Logistic(*(np.asarray(one, np.float32) for one in (mean, spread, folded, bias)))


def say(fitted: Judges, pairs: Sequence[Pair]) -> None:
    """Print how sure the judges are of photos not fitted to, and how often that is right."""
    sure = 1 / (1 + np.exp(-np.array([fitted.logits(pair.rows).max() for pair in pairs])))
    truth = np.array([pair.one_shot for pair in pairs])
    print("| probability | pairs | of one shot |\n|---|---|---|")
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1)):
        inside = (sure >= low) & (sure <= high)
        share = f"{truth[inside].mean():.2f}" if inside.any() else ""
        print(f"| {low} to {high} | {inside.sum()} | {share} |")
    print("\n| pairs | called of one shot |\n|---|---|")
    kinds = np.array([pair.kind for pair in pairs])
    for kind in dict.fromkeys(sorted(kinds.tolist())):
        print(f"| {kind} | {(sure[kinds == kind] >= 0.5).mean():.3f} |")


if __name__ == "__main__":
    main()
