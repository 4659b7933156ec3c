"""Turn a training run into the bundled file: `python worker/training/export.py --run FOLDER`."""

import argparse
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import torch

from training import calibrate, parts, whitening
from training.checkpoint import RunFolder
from training.photos import PhotoSet, load
from training.procedural import generate
from training.train import PROCEDURAL
from training.trainer import MEAN, STD
from twinlens_worker.models import pocket_file
from twinlens_worker.models.pocket import PocketNet

VERSION: Final = "4"
INPUT_SIZE: Final = 160
"""Side of the photos that the network is to see, a step larger than its last training views: objects
look larger in cut views than in whole photos (Touvron et al., 2019)."""


def main() -> None:
    """Read the command line, calibrate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    given = os.environ.get("TWINLENS_DATA") or None
    parser.add_argument("--run", type=Path, required=True, help="folder that train.py wrote")
    parser.add_argument("--data", type=Path, default=given, help="default: $TWINLENS_DATA")
    parser.add_argument("--out", type=Path, default=pocket_file.BUNDLED)
    parser.add_argument("--side", type=int, default=INPUT_SIZE, help="of the photos it is to see")
    options = parser.parse_args()
    state = RunFolder(options.run).restore()
    if state is None:
        parser.error(f"{options.run} holds no checkpoint; run train.py first")
    export(state, options.data, options.out, options.side)


def export(state: dict[str, Any], data: Path | None, out: Path, side: int = INPUT_SIZE) -> None:
    """Whiten and calibrate the averaged network of a run, and write it."""
    network = PocketNet().to(memory_format=torch.channels_last)
    network.load_state_dict(state["averaged"])
    network.fold()
    seed = state["settings"]["seed"]
    trained, held_out = pictures(data, seed).split()
    whitening.fold_into(network, trained, side)
    found = calibrate.calibrate(network, held_out, side, seed)
    print(f"step {state['step']}: {found}")
    brought = parts.fit(network, trained, side, found.threshold)
    header = pocket_file.PocketHeader(
        version=VERSION,
        dimension=network.shape.dimension,
        input_size=side,
        mean=_triple(MEAN),
        std=_triple(STD),
        copy_threshold=found.threshold,
        channels=network.shape.channels,
        blocks=network.shape.blocks,
        training_commit=_commit(),
        background=brought.levels() if brought else (),
    )
    pocket_file.write(out, network, header, brought.tensors() if brought else None)


def pictures(data: Path | None, seed: int) -> PhotoSet:
    """Return the pictures whose held-out part was not trained on."""
    return load(data / "train") if data else generate(PROCEDURAL, seed)


def _triple(values: torch.Tensor) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 6) for value in values.flatten())
    return red, green, blue


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
