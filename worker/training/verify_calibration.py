"""Fit the verifier's probability: `python worker/training/verify_calibration.py`.

Pairs of one shot are photos and their edits. Pairs that are not: made frames of bursts, and real
photos of the same kind of thing. From shared/data/train and shared/data/camera, which no benchmark
of duplicates uses. Writes worker/twinlens_worker/verify/fitted.py. Takes about 3 minutes of CPU.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from training.bursts import frames
from training.edits import EDITS, edited
from training.twins import distinct
from twinlens_worker.decode.thumbnail import LONGEST_SIDE, QUALITY
from twinlens_worker.verify.compare import alignments
from twinlens_worker.verify.judge import judge
from twinlens_worker.verify.probability import FARTHEST, MEASUREMENTS, measurements, products
from twinlens_worker.verify.sketch import Sketch

TARGET: Final = Path(__file__).parents[1] / "twinlens_worker" / "verify" / "fitted.py"
PHOTOS: Final = {"caltech": 280, "grocery": 120}
CAMERA_ROUNDS: Final = 2
"""The camera's photos are few, and the only ones here that fill a thumbnail."""
EACH: Final = 2
"""Edits, and made bursts, of each photo."""
ALIKE: Final = ("Motorbikes", "airplanes")
"""Classes of which all photos are taken: from one side, on plain ground."""
OTHERS: Final = 300
NEAREST: Final = 2
LEAST_SIDE: Final = 300
RIDGE: Final = 10.0
"""Strength of the pull of all weights towards 0."""
ROUNDS: Final = 3
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """What was measured of two photos, one row for each way to align them."""

    one_shot: bool
    rows: Matrix


@dataclass(frozen=True)
class Fitted:
    """A logistic model of the measurements, brought to mean 0 and spread 1, and their products."""

    mean: Matrix
    spread: Matrix
    bias: float
    weights: Matrix

    def logits(self, rows: Matrix) -> Matrix:
        """Return the logarithms of the odds, (N,)."""
        return np.asarray(
            products(np.clip((rows - self.mean) / self.spread, -FARTHEST, FARTHEST)) @ self.weights
            + self.bias
        )


def main() -> None:
    """Make the pairs, fit, say how well it does, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TWINLENS_DATA") or None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    if options.data is None:
        sys.exit("set TWINLENS_DATA to the folder that holds train and camera; nothing fitted")
    cv2.setNumThreads(1)
    pairs = [pair for pair in make(options.data, options.seed) if len(pair.rows)]
    held = np.arange(len(pairs)) % 5 == 0
    say(fit([pair for pair, out in zip(pairs, held, strict=True) if not out]),
        [pair for pair, out in zip(pairs, held, strict=True) if out])  # fmt: skip
    options.target.write_text(source(fit(pairs)), encoding="utf-8")


def make(data: Path, seed: int) -> Iterator[Pair]:
    """Yield the pairs."""
    rng = np.random.default_rng(seed)
    for photo in _photos(data, rng):
        sketch = sketched(photo)
        for kind in rng.choice(list(EDITS), EACH):
            yield Pair(True, _measured(sketch, sketched(edited(photo, str(kind), rng))))  # noqa: FBT003
        for _ in range(EACH if min(photo.size) > 90 else 0):
            one, other = frames(photo, rng)
            yield Pair(False, _measured(sketched(one), sketched(other)))  # noqa: FBT003
    yield from _look_alikes(data, rng)


def _photos(data: Path, rng: Generator) -> Iterator[Image.Image]:
    for name, count in PHOTOS.items():
        paths = sorted((data / "train" / name).iterdir())
        for row in rng.choice(len(paths), count, replace=False):
            yield Image.open(paths[row]).convert("RGB")
    for _ in range(CAMERA_ROUNDS):
        for path in sorted((data / "camera").rglob("*")):
            photo = _camera_photo(path)
            if photo is not None:
                yield photo


def _camera_photo(path: Path) -> Image.Image | None:
    try:
        image = Image.open(path)
        image.draft("RGB", (800, 800))
        photo = image.convert("RGB")
    except OSError:
        return None
    photo.thumbnail((640, 640))
    return photo if max(photo.size) >= LEAST_SIDE else None


def _look_alikes(data: Path, rng: Generator) -> Iterator[Pair]:
    """Yield different photos that look most alike as a whole: one product, one shelf, one pose."""
    for name in PHOTOS:
        paths = sorted((data / "train" / name).iterdir())
        alike = [path for path in paths if path.name.startswith(ALIKE)]
        more = [paths[row] for row in rng.choice(len(paths), OTHERS, replace=False)]
        photos = [Image.open(path).convert("RGB") for path in sorted({*alike, *more})]
        sketches = [sketched(photo) for photo in photos]
        tiny = np.stack([sketch.tiny.ravel() for sketch in sketches])
        likeness = tiny @ tiny.T - 2 * np.eye(len(tiny))
        nearest = np.argsort(-likeness, axis=1)[:, :NEAREST]
        pairs = {(min(a, b), max(a, b)) for a, row in enumerate(nearest.tolist()) for b in row}
        for a, b in sorted(pairs):
            if len(distinct([photos[a], photos[b]])) == 2:  # the data holds some twice, or mirrored
                yield Pair(False, _measured(sketches[a], sketches[b]))  # noqa: FBT003


def sketched(photo: Image.Image) -> Sketch:
    """Return what the verifier sees of a photo: its thumbnail."""
    small = photo.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=QUALITY)
    pixels = cv2.imdecode(np.frombuffer(stream.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return Sketch(np.asarray(pixels, np.uint8))


def _measured(a: Sketch, b: Sketch) -> Matrix:
    found = [judge(a, b, alignment) for alignment in alignments(a, b)]
    rows = [measurements(one) for one in found if one is not None]
    return np.array(rows).reshape(-1, MEASUREMENTS)


def fit(pairs: list[Pair]) -> Fitted:
    """Fit; of a pair of one shot only the alignment that convinces most counts, being the right one."""
    rows = np.concatenate([pair.rows for pair in pairs])
    owner = np.repeat(np.arange(len(pairs)), [len(pair.rows) for pair in pairs])
    one_shot = np.array([pair.one_shot for pair in pairs])[owner]
    kept = np.ones(len(rows), bool)
    for _ in range(ROUNDS):
        fitted = _logistic(rows[kept], one_shot[kept])
        logits = fitted.logits(rows)
        best = np.full(len(pairs), -np.inf)
        np.maximum.at(best, owner, logits)
        kept = ~one_shot | (logits == best[owner])
    return fitted


def _logistic(rows: Matrix, truth: NDArray[np.bool_]) -> Fitted:
    """Fit a ridge logistic regression by Newton's method."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    made = products(np.clip((rows - mean) / spread, -FARTHEST, FARTHEST))
    centre, width = made.mean(axis=0), made.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(made)), (made - centre) / width])
    pull = np.eye(design.shape[1]) * RIDGE
    pull[0, 0] = 0
    weights = np.zeros(design.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (truth - p) - pull @ weights
        curve = (design.T * (p * (1 - p))) @ design + pull
        weights = weights + np.linalg.solve(curve, slope)
    folded = weights[1:] / width
    return Fitted(mean, spread, float(weights[0] - folded @ centre), folded)


def say(fitted: Fitted, pairs: list[Pair]) -> None:
    """Print how sure the model is of pairs that it was not fitted to, and how often that is right."""
    sure = np.array([fitted.logits(pair.rows).max() for pair in pairs])
    truth = np.array([pair.one_shot for pair in pairs])
    print("| probability | pairs | of one shot |\n|---|---|---|")
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1)):
        p = 1 / (1 + np.exp(-sure))
        inside = (p >= low) & (p <= high)
        share = f"{truth[inside].mean():.2f}" if inside.any() else ""
        print(f"| {low} to {high} | {inside.sum()} | {share} |")


def source(fitted: Fitted) -> str:
    """Return the module that holds the constants."""
    return (
        '"""Made by worker/training/verify_calibration.py; not for editing."""\n\n'
        "from typing import Final\n\n"
        f"MEAN: Final = {_tuple(fitted.mean)}\n"
        f"SPREAD: Final = {_tuple(fitted.spread)}\n"
        f"BIAS: Final = {fitted.bias:.5g}\n"
        f"WEIGHTS: Final = {_tuple(fitted.weights)}\n"
    )


def _tuple(values: Matrix) -> str:
    lines = "".join(f"    {value:.5g},\n" for value in values)
    return f"(\n{lines})"


if __name__ == "__main__":
    main()
