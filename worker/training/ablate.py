"""What each ingredient of the recipe gives: `python worker/training/ablate.py` prints a table.

Short runs from random weights on small views, each without one ingredient, are measured on edited
copies of the held-out photos (`edits`, not the code of the training views) and on their classes.
A short run says which way an ingredient pulls, not how far a long run gets.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from training import whitening
from training.calibrate import edited_vectors, vectors_of
from training.losses import Weights
from training.photos import PhotoSet
from training.train import gather
from training.trainer import Material, Settings, Trainer
from training.twins import distinct
from twinlens_worker import measures
from twinlens_worker.models.pocket import PocketNet

SIDE: Final = 64
EDITS_EACH: Final = 4
VARIANTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "the whole recipe": {},
    "no contrast between the views": {"weights": Weights(views=0)},
    "no memory of all photos": {"weights": Weights(memory=0)},
    "no contrast with the teacher's vectors": {"weights": Weights(contrast=0)},
    "no regression onto the teacher": {"weights": Weights(regression=0)},
    "no teacher at all": {"weights": Weights(contrast=0, regression=0)},
    "no classes": {"weights": Weights(classes=0)},
    "no KoLeo": {"weights": Weights(spread=0)},
    "no procedural pictures": {"procedural_share": 0.0},
    "harder views from the start": {"hard_share": 0.0},
    "harder views never": {"hard_share": 1.0},
}


def main() -> None:
    """Train every variant, print a row for each as it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    given = os.environ.get("TWINLENS_DATA") or None
    parser.add_argument("--data", type=Path, default=given, help="default: $TWINLENS_DATA")
    parser.add_argument("--cache", type=Path, required=True, help="the teacher's vectors")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    options = parser.parse_args()
    if options.data is None:
        parser.error("set TWINLENS_DATA to the folder that holds train/")
    torch.set_num_threads(1)
    settings = Settings(seed=options.seed, steps=options.steps, side=SIDE, small_side=SIDE)
    material = gather(options.data, options.seed, options.cache)
    print(
        "| variant | R@1 | uAP | recall at 99 % precision | mAP of classes |\n|---|---|---|---|---|"
    )
    for name in options.only or VARIANTS:
        trainer = Trainer(replace(settings, **VARIANTS[name]), material)
        while trainer.step < settings.steps:
            trainer.advance()
        for row, figures in judged(name, trainer.averaged, material, options.seed).items():
            print(f"| {row} | {' | '.join(f'{figure:.3f}' for figure in figures)} |", flush=True)


def judged(
    name: str, network: PocketNet, material: Material, seed: int
) -> dict[str, tuple[float, ...]]:
    """Measure a network; the whole recipe also with its output whitened, as export does it."""
    rows = {name: measured(network, material.held_out, seed)}
    if not VARIANTS[name]:
        assert material.photos is not None
        for power in (0.5, 1.0):
            whitened = PocketNet(network.shape)
            whitened.load_state_dict(network.state_dict())
            whitening.fold_into(whitened.eval(), material.photos, SIDE, power)
            row = f"{name}, whitened with power {power:g}"
            rows[row] = measured(whitened, material.held_out, seed)
    return rows


def measured(network: PocketNet, held_out: PhotoSet, seed: int) -> tuple[float, ...]:
    """Return R@1, uAP and recall at 99 % precision over edited copies, and mAP over classes."""
    pictures = [held_out.picture(row) for row in range(len(held_out))]
    kept = distinct(pictures)
    pictures = [pictures[row] for row in kept]
    clean = vectors_of(network, pictures, SIDE)
    queries = torch.cat(
        [edited_vectors(network, pictures, SIDE, (seed, number)) for number in range(EDITS_EACH)]
    )
    similarity = (queries @ clean.T).numpy()
    truth = np.tile(np.arange(len(pictures)), EDITS_EACH)
    ranking = measures.rank(similarity, truth)
    classes = measures.ask_all(clean.numpy(), held_out.classes()[kept].numpy())
    return (
        measures.recall_at_1(similarity, truth),
        measures.micro_average_precision(ranking),
        measures.recall_at_precision(ranking, 0.99),
        measures.Quality.over([asked.ranks for asked in classes]).mean_average_precision,
    )


if __name__ == "__main__":
    main()
