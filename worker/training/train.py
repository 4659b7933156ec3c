"""Train the bundled descriptor: `python worker/training/train.py --run FOLDER`.

With the photos of `TWINLENS_DATA` (or `--data`) and the teacher beside them where they are there,
with procedural pictures alone where they are not. Started again with the same folder, it goes on
from the last checkpoint. `export.py` turns a run into `pocket.safetensors`.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch

from training import photos, procedural, teacher, whitening
from training.checkpoint import RunFolder
from training.trainer import Material, Settings, Trainer, run

TEACHER: Final = "torchvision:mobilenet_v2"
TEACHER_FILE: Final = "teacher/mobilenet_v2_imagenet.safetensors"
PROCEDURAL: Final = 4000
DIMENSION: Final = 256
WARM_RATE: Final = 2e-3


def gather(data: Path | None, seed: int, cache: Path, *, invented: int = PROCEDURAL) -> Material:
    """Collect the pictures: photos with the teacher's opinion of them, and invented ones."""
    made, made_held = procedural.generate(invented, seed).split()
    if data is None:
        return Material(None, made, made_held, torch.zeros(0, DIMENSION))
    everything = photos.load(data / "train")
    training, held_out = everything.split()
    vectors = teacher.embed_set(TEACHER, data / TEACHER_FILE, everything, cache)
    place = {name: row for row, name in enumerate(everything.names)}
    own = vectors[[place[name] for name in training.names]]
    bank = whitening.fit(own, DIMENSION).apply(own)
    return Material(training, made, held_out, bank)


def main() -> None:
    """Read the command line, gather, train."""
    parser = argparse.ArgumentParser(description=__doc__)
    given = os.environ.get("TWINLENS_DATA") or None
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints and curve")
    parser.add_argument("--data", type=Path, default=given, help="default: $TWINLENS_DATA")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--start", type=Path, help="begin with the weights of this pocket file")
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = RunFolder(options.run)
    state = folder.restore()
    material = gather(options.data, options.seed, options.run / "teacher.pt")
    settings = Settings(seed=options.seed, steps=options.steps)
    if options.start:  # it has learned the easier views already
        settings = replace(settings, hard_share=0.0, learning_rate=WARM_RATE)
    trainer = Trainer(settings, material, start=None if state else options.start)
    if state:
        trainer.resume(state)
        folder.rewind(trainer.step)
    run(trainer, folder, every=options.every)


if __name__ == "__main__":
    main()
