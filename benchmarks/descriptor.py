"""How well edited copies are found: `python benchmarks/descriptor.py` prints a markdown table.

References are originals that nothing was trained on; queries are seeded edits of half of them and
of photos that are not among the references. Takes the photos from TWINLENS_DATA.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import imagehash
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from training import whitening
from training.edits import EDITS, edited
from training.photos import squash
from training.twins import distinct
from twinlens_worker import measures
from twinlens_worker.models.descriptor import Descriptor, load
from twinlens_worker.models.info import DescriptorInfo
from twinlens_worker.models.pocket import fresh_network

MATCHED: Final = 500
DISTRACTORS: Final = 500
"""References without a query; the photos that are left give queries without a reference."""
EDITS_EACH: Final = 10
WHITENED: Final = 256
CHUNK: Final = 64
Vectors = NDArray[np.float32]
Describe = Callable[[list[Image.Image]], Vectors]


@dataclass(frozen=True)
class Task:
    """What to search for, and where: photo paths, and which edit makes a query of which."""

    references: list[Path]
    queries: list[tuple[Path, str]]
    truth: NDArray[np.int64]

    def first(self, count: int | None) -> "Task":
        """Return the same references with fewer queries."""
        return Task(self.references, self.queries[:count], self.truth[:count])


@dataclass(frozen=True)
class Method:
    """A way to describe photos, and from which similarity on it calls two photos copies."""

    name: str
    describe: Describe
    threshold: float | None = None
    whiten: bool = False


@dataclass
class Result:
    """Vectors of one method and what they cost."""

    references: Vectors
    queries: Vectors
    milliseconds: float


def main() -> None:
    """Read the command line, measure every method, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TWINLENS_DATA") or None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weights", type=Path, help="another pocket file than the bundled one")
    parser.add_argument("--queries", type=int, help="only so many, for a quick look")
    parser.add_argument("--teacher-queries", type=int, default=800)
    options = parser.parse_args()
    if options.data is None:
        sys.exit("set TWINLENS_DATA to the folder that holds copies/originals; nothing measured")
    torch.set_num_threads(1)  # milliseconds are those of one core
    task = build(options.data, options.seed).first(options.queries)
    pocket = load("pocket", weights=options.weights, device="cpu")
    bundled = _learned("pocket", pocket)
    cheap = [
        bundled,
        _whiten(bundled),
        _learned("pocket, random weights", _untrained(pocket.info)),
        *(Method(name, _hash(function)) for name, function in HASHES.items()),
        Method("8x8 colour thumbnail", _thumbnails),
    ]
    print(f"{len(task.references)} references, {len(task.queries)} queries\n")
    results = measure(task, cheap, options.seed)
    table(task, cheap, results)
    by_edit(task, results["pocket"], pocket.info.copy_threshold)
    against_teacher(task.first(options.teacher_queries), cheap[:2], options.data, options.seed)


def build(data: Path, seed: int) -> Task:
    """Deal the originals into references and queries."""
    rng = np.random.default_rng(seed)
    everything = sorted((data / "copies" / "originals").iterdir())
    paths = [everything[row] for row in distinct(map(_open, everything))]
    dealt = [paths[row] for row in rng.permutation(len(paths))]
    matched = dealt[:MATCHED]
    beside, absent = np.split(np.array(dealt[MATCHED:]), [DISTRACTORS])
    queries = [
        (row, str(kind))
        for row in range(MATCHED)
        for kind in rng.choice(list(EDITS), EDITS_EACH, replace=False)
    ]
    pairs = [(matched[row], kind) for row, kind in queries]
    pairs += [(path, str(rng.choice(list(EDITS)))) for path in absent]
    truth = np.array([row for row, _ in queries] + [-1] * len(absent))
    # Shuffled, so that the first so many queries are a fair sample of all.
    order = rng.permutation(len(pairs))
    return Task([*matched, *beside], [pairs[row] for row in order], truth[order])


def measure(task: Task, methods: list[Method], seed: int) -> dict[str, Result]:
    """Describe every photo by every method, a chunk of photos in memory at a time."""
    parts: dict[Describe, list[Vectors]] = {method.describe: [] for method in methods}
    spent = dict.fromkeys(parts, 0.0)
    for chunk in _chunks(task, seed):
        for describe, vectors in parts.items():
            started = time.process_time()
            vectors.append(describe(chunk))
            spent[describe] += time.process_time() - started
    total = len(task.references) + len(task.queries)
    results = {}
    for method in methods:
        together = np.concatenate(parts[method.describe])
        references, queries = np.split(together, [len(task.references)])
        if method.whiten:
            references, queries = _whitened(references, queries)
        results[method.name] = Result(references, queries, spent[method.describe] / total * 1e3)
    return results


def table(task: Task, methods: list[Method], results: dict[str, Result]) -> None:
    """Print one line for each method."""
    print("| method | R@1 | µAP | recall at 99 % precision | at its copy threshold: recall, precision"
          " | CPU ms a photo |\n|---|---|---|---|---|---|")  # fmt: skip
    for method in methods:
        result = results[method.name]
        similarity = result.queries @ result.references.T
        ranking = measures.rank(similarity, task.truth)
        believed = ""
        if method.threshold is not None:
            recall, precision = measures.at_threshold(ranking, method.threshold)
            believed = f"{recall:.3f}, {precision:.4f}"
        print(
            f"| {method.name} | {measures.recall_at_1(similarity, task.truth):.3f} "
            f"| {measures.micro_average_precision(ranking):.3f} "
            f"| {measures.recall_at_precision(ranking, 0.99):.3f} "
            f"| {believed} | {result.milliseconds:.1f} |"
        )
    print()


def by_edit(task: Task, result: Result, threshold: float) -> None:
    """Print where the bundled descriptor is strong and where it is weak."""
    similarity = result.queries @ result.references.T
    kinds = np.array([kind for _, kind in task.queries])
    own = np.take_along_axis(similarity, task.truth.clip(min=0)[:, None], axis=1)[:, 0]
    print("| edit (pocket) | R@1 | recall at its copy threshold |\n|---|---|---|")
    for kind in EDITS:
        rows = (kinds == kind) & (task.truth >= 0)
        first = measures.recall_at_1(similarity[rows], task.truth[rows])
        print(f"| {kind} | {first:.3f} | {(own[rows] >= threshold).mean():.3f} |")
    print()


def against_teacher(task: Task, ours: list[Method], data: Path, seed: int) -> None:
    """Print the same table for fewer queries with a network that costs many times as much."""
    weights = data / "teacher" / "mobilenet_v2_imagenet.safetensors"
    network = load("torchvision:mobilenet_v2", weights=weights, device="cpu")
    theirs = _learned("MobileNetV2 (ImageNet, GeM)", network)
    print(f"The first {len(task.queries)} of these queries:\n")
    methods = [*ours, theirs, _whiten(theirs)]
    table(task, methods, measure(task, methods, seed))


def _chunks(task: Task, seed: int) -> Iterator[list[Image.Image]]:
    """Open the references, then make the queries; each edit depends on its own place only."""
    for start in range(0, len(task.references), CHUNK):
        yield [_open(path) for path in task.references[start : start + CHUNK]]
    for start in range(0, len(task.queries), CHUNK):
        yield [
            edited(_open(path), kind, np.random.default_rng([seed, start + place]))
            for place, (path, kind) in enumerate(task.queries[start : start + CHUNK])
        ]


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _learned(name: str, network: Descriptor) -> Method:
    side = network.info.input_size

    def describe(images: list[Image.Image]) -> Vectors:
        return network.embed(np.stack([squash(image, side) for image in images]))

    return Method(name, describe, network.info.copy_threshold)


def _whiten(method: Method) -> Method:
    # Whitening moves all similarities: the threshold of the raw vectors says nothing there.
    return Method(f"{method.name}, whitened on the references", method.describe, whiten=True)


def _untrained(info: DescriptorInfo) -> Descriptor:
    network = fresh_network(seed=1).eval()
    return Descriptor(info, network, torch.device("cpu"), "random weights")


def _hash(function: Callable[[Image.Image], imagehash.ImageHash]) -> Describe:
    def describe(images: list[Image.Image]) -> Vectors:
        bits = np.stack([function(image).hash.ravel() for image in images])
        # Scaled so that the product of two is 1 - 2 x Hamming distance / bits.
        return np.asarray((bits * 2.0 - 1.0) / bits.shape[1] ** 0.5, np.float32)

    return describe


HASHES: Final = {"pHash": imagehash.phash, "dHash": imagehash.dhash, "wHash": imagehash.whash}


def _thumbnails(images: list[Image.Image]) -> Vectors:
    small = np.stack([squash(image, 8).reshape(-1) for image in images]).astype(np.float32)
    centred = small - small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6), np.float32)


def _whitened(references: Vectors, queries: Vectors) -> tuple[Vectors, Vectors]:
    fitted = whitening.fit(torch.from_numpy(references), WHITENED)
    return fitted.apply(torch.from_numpy(references)).numpy(), fitted.apply(
        torch.from_numpy(queries)
    ).numpy()


if __name__ == "__main__":
    main()
