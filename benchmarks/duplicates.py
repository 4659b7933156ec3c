"""Copies against bursts and look-alikes: `python -m benchmarks.duplicates`.

One score threshold on the descriptor against the verifier, on the same pairs. Originals, bursts and
crops come from TWINLENS_DATA; neither the descriptor nor the verifier was fitted to them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from benchmarks.quality import peers
from benchmarks.quality.edit import STRENGTHS
from benchmarks.quality.generator import KINDS
from benchmarks.quality.methods import best_picture, inner
from benchmarks.quality.own import Own
from benchmarks.quality.peers import PICTURES, Describe, Vectors
from benchmarks.quality.pictures import Picture, open_photo, photos_in
from benchmarks.tables import Table, show
from training.twins import distinct
from training.verify_pairs import sketched
from twinlens import pairs
from twinlens_worker.measures import pooled
from twinlens_worker.models import registry
from twinlens_worker.models.descriptor import load
from twinlens_worker.verify.compare import compare
from twinlens_worker.verify.decide import LIKELY
from twinlens_worker.verify.sketch import Sketch

APART: Final = (1, 2, 4, 8, 16)
"""Frames between the two of a burst; 24 make a second."""
CANDIDATES: Final = pairs.LOOSE_NEIGHBOURS
"""Photos nearest to a query that are verified."""
LESS_THAN_HALF: Final = frozenset({("crop", "strong")})
"""Edits that leave less than half of the frame."""
TWINS: Final = frozenset(
    {
        "brontosaurus_image_0013",
        "dollar_bill_image_0033",
        "elephant_image_0044",
        "flamingo_head_image_0019",
    }
)
"""Left out: seen by eye to be edits of others (..0009, ..0004, ..0025, flamingo ..0027): another ground,
another crop.
`training.twins` sees only what is equal or mirrored."""
CHUNK: Final = 64
"""Photos described at a time."""
SEED: Final = 1


@dataclass
class Shown:
    """Pictures as the library has them: a sketch of the thumbnail, and vectors."""

    sketches: list[Sketch] = field(default_factory=list)
    vectors: Vectors = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """Of the whole picture and of the one within it, one behind the other."""


@dataclass
class Cost:
    """CPU that comparing took."""

    seconds: float = 0.0
    pairs: int = 0

    def compare(self, a: Sketch, b: Sketch) -> float:
        """Return the probability that both are of one shot; features that it makes count too."""
        began = time.process_time()
        found = compare(a, b).probability
        self.seconds += time.process_time() - began
        self.pairs += 1
        return found


class Floors(NamedTuple):
    """Scores from which pairs are compared, and below the threshold cosines: see `pairs.LOOSE`."""

    whole: float
    inner: float
    """Of pairs that an inner picture brings about."""
    own: Own
    """What gives the scores."""


@dataclass(frozen=True)
class Scored:
    """Pairs by both methods, and what each pair is."""

    scores: NDArray[np.float64]
    sure: NDArray[np.float64]
    kinds: list[str]


def main() -> None:
    """Read the command line, measure, print; exit with 1 where a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TWINLENS_DATA") or None)
    parser.add_argument("--queries", type=int, default=1200, help="edited copies")
    parser.add_argument("--originals", type=int, default=1500)
    parser.add_argument("--bursts", type=int, default=10, help="sequences")
    parser.add_argument("--quick", action="store_true", help="smoke test: tiny sizes")
    options = parser.parse_args()
    if options.data is None:
        sys.exit("set TWINLENS_DATA to the folder that holds copies and bursts; nothing measured")
    if options.quick:
        options.queries, options.originals, options.bursts = 20, 40, 2
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with threadpool_limits(limits=1, user_api="blas"):  # as the verifier has it
        met = run(options.data, options.originals, options.queries, options.bursts)
    sys.exit(0 if met else 1)


def run(data: Path, originals: int, queries: int, bursts: int) -> bool:
    """Measure and print; return whether the limits were kept."""
    model, cost = load("pocket", device="cpu"), Cost()
    describe = peers.with_inner("pocket", peers.loaded("pocket", model)).make()
    threshold = model.info.copy_threshold
    own = Own.of(threshold, model.info.dimension, registry.parts("pocket", None))
    floors = Floors(threshold * pairs.LOOSE, threshold * pairs.LOOSE_INNER, own)
    paths = _distinct(photos_in(data / "copies" / "originals"), originals)
    library = _shown(describe, (open_photo(path) for path in paths))
    edits = _draw(paths, queries)
    copies = _shown(describe, (picture.open(SEED) for _, picture in edits))
    found = _search(library, copies, [row for row, _ in edits], floors, cost)
    frames = _bursts(describe, data / "bursts", bursts, floors, cost)
    alike = _look_alikes(library, floors, cost)
    crops = _crops(describe, data / "copies" / "crop_pairs", floors, cost)
    paired = _own(found, edits)
    ratio = _against_bursts(paired, frames)
    recall = _ranking(found, len(edits), floors.whole)
    _by_edit(paired, [picture for _, picture in edits])
    _false_pairs(alike, len(paths), threshold)
    _real_crops(crops)
    each = 1000 * cost.seconds / max(cost.pairs, 1)
    show(Table("CPU", ("candidate pairs compared", "ms CPU each, features among them"),
               [(f"{cost.pairs:,}", f"{each:.1f}")]))  # fmt: skip
    return ratio >= 5 and recall >= 0.95 and each <= 5


def _distinct(paths: Sequence[Path], most: int) -> list[Path]:
    """Return photos without those that the data set holds twice, dealt by chance."""
    paths = [path for path in paths if path.stem not in TWINS]
    dealt = [paths[row] for row in np.random.default_rng(SEED).permutation(len(paths))[:most]]
    return [dealt[row] for row in distinct(open_photo(path) for path in dealt)]


def _draw(paths: Sequence[Path], count: int) -> list[tuple[int, Picture]]:
    """Return edits that leave at least half of the frame, each with the row of its original."""
    kinds = [(k, s) for k in KINDS for s in STRENGTHS if (k, s) not in LESS_THAN_HALF]
    rng = np.random.default_rng(SEED)
    drawn = []
    for number in range(count):
        row, (kind, strength) = int(rng.integers(len(paths))), kinds[number % len(kinds)]
        drawn.append((row, Picture(paths[row], kind, strength)))
    return drawn


def _similarity(first: Vectors, second: Vectors, floors: Floors) -> NDArray[np.float32]:
    """Return the scores of pairs as the worker keeps them, in a library that is not tuned; 0 of others."""
    scored = floors.own.untuned(first)
    best, best_cosine = (best_picture(first, second, by) for by in (scored, inner))
    wholes = [np.split(rows, PICTURES, axis=1)[0] for rows in (first, second)]
    whole, cosine = (by(*wholes) for by in (scored, inner))
    sure = floors.own.threshold
    by_inner = (best >= floors.inner) & ((best_cosine >= floors.inner) | (best >= sure))
    by_whole = (cosine >= floors.whole) | (whole >= sure)
    return np.where(by_inner, best, np.where(by_whole, whole, 0)).astype(np.float32)


def _shown(describe: Describe, photos: Iterable[Image.Image]) -> Shown:
    shown, parts, images = Shown(), [], iter(photos)
    while chunk := list(itertools.islice(images, CHUNK)):
        shown.sketches += map(sketched, chunk)
        parts.append(describe(chunk))
    shown.vectors = np.concatenate(parts)
    return shown


@dataclass(frozen=True)
class Found:
    """The nearest originals of every query, (queries, CANDIDATES)."""

    scores: NDArray[np.float32]
    sure: NDArray[np.float32]
    right: NDArray[np.bool_]


def _search(
    library: Shown, copies: Shown, truth: Sequence[int], floors: Floors, cost: Cost
) -> Found:
    similarity = _similarity(copies.vectors, library.vectors, floors)
    nearest = np.argsort(-similarity, axis=1)[:, :CANDIDATES]
    scores = np.take_along_axis(similarity, nearest, axis=1)
    sure = np.zeros_like(scores)
    for query, place in zip(*np.nonzero(scores >= floors.whole), strict=True):
        original = library.sketches[nearest[query, place]]
        sure[query, place] = cost.compare(original, copies.sketches[query])
    return Found(scores, sure, nearest == np.array(truth)[:, None])


def _own(found: Found, edits: Sequence[tuple[int, Picture]]) -> Scored:
    """Return each query with its own original; what was no candidate scores 0."""
    scores, sure = (
        np.where(found.right, values, 0).max(axis=1) for values in (found.scores, found.sure)
    )
    return Scored(scores, sure, [picture.kind for _, picture in edits])


def _bursts(describe: Describe, folder: Path, most: int, floors: Floors, cost: Cost) -> Scored:
    scores, sure, kinds = [], [], []
    for sequence in sorted(folder.iterdir())[:most]:
        shown = _shown(describe, (open_photo(path) for path in photos_in(sequence)))
        near = _similarity(shown.vectors, shown.vectors, floors)
        for apart in APART:
            for first in range(0, len(shown.sketches) - apart, 3):
                score = float(near[first, first + apart])
                one, other = shown.sketches[first], shown.sketches[first + apart]
                scores.append(score)
                sure.append(cost.compare(one, other) if score >= floors.whole else 0.0)
                kinds.append(f"{apart}")
    return Scored(np.array(scores), np.array(sure), kinds)


def _look_alikes(library: Shown, floors: Floors, cost: Cost) -> Scored:
    """Return the pairs of originals that a library compares, and the nearest of each: none are copies."""
    similarity = np.triu(_similarity(library.vectors, library.vectors, floors), 1)
    both = similarity + similarity.T
    nearest = np.argsort(-both, axis=1)[:, :CANDIDATES]
    rows = np.arange(len(both))[:, None]
    wanted = np.zeros(both.shape, bool)
    wanted[rows, nearest] = both[rows, nearest] >= floors.whole
    wanted[rows, nearest[:, :1]] = True
    wanted = np.triu(wanted | wanted.T, 1)
    rows = np.argwhere(wanted)
    sure = [cost.compare(library.sketches[a], library.sketches[b]) for a, b in rows]
    return Scored(similarity[wanted].astype(np.float64), np.array(sure), [""] * len(rows))


def _crops(describe: Describe, folder: Path, floors: Floors, cost: Cost) -> Scored:
    """Return real photos and their crops, and photos of one person that follow one another."""
    shown = {path.stem: _shown(describe, [open_photo(path)]) for path in photos_in(folder)}
    wholes = sorted(name for name in shown if "easy" not in name)
    cases = [(one, one.replace("Faces_", "Faces_easy_"), "its crop") for one in wholes]
    cases += [(a, b, "the next photo") for a, b in itertools.pairwise(wholes)]
    scores, sure, kinds = [], [], []
    for one, other, kind in cases:
        if other in shown:
            a, b = shown[one], shown[other]
            scores.append(float(_similarity(a.vectors, b.vectors, floors)[0, 0]))
            sure.append(
                cost.compare(a.sketches[0], b.sketches[0]) if scores[-1] >= floors.whole else 0.0
            )
            kinds.append(kind)
    return Scored(np.array(scores), np.array(sure), kinds)


def _against_bursts(own: Scored, frames: Scored) -> float:
    """Print what each method calls a copy where both find as many; return how many times fewer."""
    recall = float((own.sure >= LIKELY).mean())
    threshold = float(np.quantile(own.scores, 1 - recall))
    by_score, by_verifier = frames.scores >= threshold, frames.sure >= LIKELY
    apart = np.array(frames.kinds)
    rows = [
        (f"{one} apart", _share(by_score[apart == one]), _share(by_verifier[apart == one]))
        for one in dict.fromkeys(frames.kinds)
    ]
    ratio = float(by_score.sum() / max(by_verifier.sum(), 1))
    rows.append(("all", _share(by_score), f"{_share(by_verifier)}, {ratio:.1f} times fewer"))
    show(Table(f"Frames of bursts called copies, where {100 * recall:.1f} % of copies are found",
               ("frames", f"score from {threshold:.3f}", "verified"), rows))  # fmt: skip
    return ratio


def _ranking(found: Found, wanted: int, floor: float) -> float:
    """Print recall at high precision, all answers pooled; return that of the verifier."""
    rows, last = [], 0.0
    for name, values in (("score", found.scores), ("verified", found.sure)):
        flat, right = values.ravel(), found.right.ravel()
        ranking = pooled.pool(flat, right, wanted)
        shares = [pooled.recall_at_precision(ranking, p) for p in (0.99, 0.999)]
        at = pooled.at_threshold(ranking, LIKELY) if name == "verified" else None
        last = shares[1]
        rows.append((name, f"{(found.right & (found.scores >= floor)).any(axis=1).mean():.3f}", *(f"{s:.3f}" for s in shares),
                     "" if at is None else f"{at[0]:.3f}, {at[1]:.4f}"))  # fmt: skip
    columns = ("ranked by", "original among the candidates", "recall at 99 % precision",
               "at 99.9 %", f"at {LIKELY}: recall, precision")  # fmt: skip
    show(Table("Edited copies that keep at least half of the frame", columns, rows))
    return last


def _by_edit(own: Scored, pictures: Sequence[Picture]) -> None:
    rows = []
    strength = np.array([picture.strength for picture in pictures])
    for kind in KINDS:
        mine = np.array([one == kind for one in own.kinds])
        cells = [own.sure[mine & (strength == one)] >= LIKELY for one in STRENGTHS]
        rows.append((kind, *(_share(cell) if len(cell) else "" for cell in cells)))
    show(Table("Called a copy or edit, by edit", ("edit", *STRENGTHS), rows))


def _false_pairs(alike: Scored, photos: int, threshold: float) -> None:
    pairs_in_all = photos * (photos - 1) / 2
    rows = [
        (name, f"{count}", f"{count / pairs_in_all * 1e8:,.0f}")
        for name, count in (
            (f"score from {threshold:.3f}", int((alike.scores >= threshold).sum())),
            ("verified", int((alike.sure >= LIKELY).sum())),
        )
    ]
    note = f"{photos:,} photos, {len(alike.sure):,} pairs compared, the nearest of each among them."
    show(Table("Different photos called copies", ("method", "pairs", "per 10^8 pairs"), rows,
               (note,)))  # fmt: skip


def _real_crops(crops: Scored) -> None:
    kinds = np.array(crops.kinds)
    rows = [
        (f"photo and {kind}", f"{(kinds == kind).sum()}",
         _share(crops.sure[kinds == kind] >= LIKELY))
        for kind in dict.fromkeys(crops.kinds)
    ]  # fmt: skip
    show(Table("Real crops", ("pair", "pairs", "called a copy or edit"), rows))


def _share(values: NDArray[np.bool_]) -> str:
    return f"{100 * values.mean():.1f} %" if len(values) else "-"


if __name__ == "__main__":
    main()
