"""Tuning: what a descriptor learns from the photos of one library, without labels.

A general descriptor wastes numbers on what all photos of a library share, and gives photos of which
there are many alike (shelves, beaches, one family's faces) scores that elsewhere only copies reach.
A tuning corrects both:

1. *Whitening*: centre, rotate to the principal components and even out their variances as far as
   need be (Jégou and Chum 2012), with shrinkage, so that few photos change little.
2. *Local scaling*: how far two photos are apart is taken relative to how near to each of them
   unrelated photos come (Zelnik-Manor and Perona 2004; "score normalisation" in the Image
   Similarity Challenge 2021).

With unit vectors x, y and scales g = 1 / (1 - b), where b is the mean similarity to the nearest
unrelated photos, the distance of two photos is

    g(x) g(y) (1 - x.y)  =  -[g(x) x, g(x)] . [g(y) y, -g(y)]

an inner product of vectors with one number more: a plain index can search by it. The score that
people see is made of it by three fixed points: 1 is the same picture, the model's own threshold is
where the threshold of copies lies in this library, 0 is how far apart unlike photos mostly are.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from twinlens.errors import TuningError
from twinlens.vectors import Vector, project

FLAT: Final = 0.4
"""Variances are evened out until the effective number of axes (the participation ratio) is this share
of all. More costs copies: pocket, half whitened when it was trained, nearly has it; a classifier's
features need a power of about 2/3."""
MOST_AXES: Final = 768
"""Axes kept of a backbone's 1,280 or 2,048. With 512 or 256, 4 or 10 points of recall fewer on photos
that it was not fitted to (MobileNetV2)."""
PRIOR: Final = 0.05
"""Weight of equal variances in the estimate where there are as many photos as numbers in a vector."""
LANDMARKS: Final = 4096
"""Most photos that stand for the library."""
SAMPLE: Final = 4 * LANDMARKS
"""Most photos that the whitening is fitted to."""
LEAST: Final = 500
"""Unlike photos below which too little is known of a library: with a threshold fitted on 400 of them
3 % of what is called a copy is wrong, on 200 18 %, on 745 1 % (benchmarks/tuning.py)."""
UNRELATED: Final = 1.5
"""Photos this many times as far apart as copies at the threshold stand for the library. Of nearer
ones, copies and frames of a burst, one does: or they would be each other's scale, and no copies."""
NEIGHBOURS: Final = 2
"""Unrelated photos whose nearness is the scale of a photo."""
DENSEST: Final = 0.95
"""Share of the landmarks by nearness; where unrelated photos are still nearer, they count as near as
there. Copies of a frame of a long burst stay copies."""
FALSE_RATE: Final = 1e-9
"""False pairs in each pair of unlike photos of the library at the threshold. Edited copies come nearer
to strange photos than these: with 1e-6, of what 8,000 of them were called copies of, 2 to 12 % was
wrong, with this rate 1 to 2 %; and a library of 200,000 photos has 2e10 pairs."""
TAIL: Final = 1e-3
"""Share of the pairs of unlike photos that the tail is fitted to."""
BLOCK: Final = 512
"""Photos compared with all landmarks so far at a time, by one matrix product."""
CHUNK: Final = 2048
"""Vectors compared with all landmarks at a time: 32 MB of scores."""
FORMAT: Final = 1

_CURE: Final = "Fit it anew: twinlens model tune"


@dataclass(frozen=True, eq=False)
class Tuning:
    """A fitted tuning, for raw vectors of D numbers."""

    centre: Vector
    """(D,), f32."""
    axes: Vector
    """(D, d), f32: principal components, each divided by a power of its deviation."""
    landmarks: Vector
    """(M, d), f32, unit length: unlike photos of the library, in the new axes."""
    nearest: float
    """The greatest b; see DENSEST."""
    edge: float
    """Distance from which two photos are copies."""
    typical: float
    """Distance of unlike photos, the median."""
    photos: int
    """On how many photos it was fitted."""
    neighbours: int = NEIGHBOURS
    """How many unrelated photos b is the mean of."""

    @property
    def dimension(self) -> int:
        """Numbers in an entry of the index: one more than axes."""
        return int(self.axes.shape[1]) + 1

    @cached_property
    def digest(self) -> str:
        """sha256 of the stored form, hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def entries(self, vectors: Vector) -> Vector:
        """Return what the index holds for raw vectors (..., D): f32 (..., ``dimension``)."""
        turned, scales = self._scaled(vectors)
        return np.concatenate([turned * scales, scales], axis=-1)

    def queries(self, vectors: Vector) -> Vector:
        """Return what the index is asked with for raw vectors (..., D): f32 (..., ``dimension``).

        The distance is minus the inner product of a query and an entry.
        """
        turned, scales = self._scaled(vectors)
        return np.concatenate([turned * scales, -scales], axis=-1)

    def scores(self, distances: NDArray[Any], copy_threshold: float) -> Vector:
        """Return scores, -1 to 1, for distances: 1 for none, ``copy_threshold`` at the edge."""
        parts = np.maximum(distances, 0) / self.edge
        lost = (1 - copy_threshold) * parts ** self._power(copy_threshold)
        return _f32(np.maximum(1 - lost, -1))

    def distance(self, score: float, copy_threshold: float) -> float:
        """Return the distance that has this score."""
        lost = (1 - score) / (1 - copy_threshold)
        return float(self.edge * lost ** (1 / self._power(copy_threshold)))

    def _power(self, copy_threshold: float) -> float:
        """Return the power that brings ``typical`` to a score of 0."""
        return -math.log(1 - copy_threshold) / math.log(self.typical / self.edge)

    def to_bytes(self) -> bytes:
        """Return the stored form: NumPy's own, without pickles."""
        stream = io.BytesIO()
        for array in (
            np.array([FORMAT, self.photos, self.neighbours], "<i8"),
            np.array([self.nearest, self.edge, self.typical], "<f8"),
            self.centre.astype("<f4"),
            self.axes.astype("<f4"),
            self.landmarks.astype("<f2"),
        ):
            np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, blob: bytes, dimension: int) -> Tuning:
        """Read the stored form for vectors of ``dimension`` numbers.

        Raises TuningError where it is damaged, of another format or for another dimension.
        """
        stream = io.BytesIO(blob)
        try:
            arrays = [np.load(stream, allow_pickle=False) for _ in range(5)]
            version, photos, *more = arrays[0].tolist()
            nearest, edge, typical = arrays[1].tolist()
            centre, axes, landmarks = map(_f32, arrays[2:])
            found = cls(centre, axes, landmarks, nearest, edge, typical, photos, *more)
        except (ValueError, EOFError, TypeError, AttributeError) as error:
            raise TuningError(f"the stored tuning is damaged ({error}). {_CURE}") from error
        if version != FORMAT or stream.read(1) or not found._is_sound(dimension):
            raise TuningError(f"the stored tuning is damaged or of another version. {_CURE}")
        return found

    def _is_sound(self, dimension: int) -> bool:
        d = self.axes.shape[-1]
        shapes = (self.centre.shape, self.axes.shape, self.landmarks.shape)
        return (
            shapes == ((dimension,), (dimension, d), (len(self.landmarks), d))
            and len(self.landmarks) >= LEAST
            and 0 < self.edge < self.typical < math.inf
            and -1 <= self.nearest < 1
            and 0 < self.neighbours < LEAST
            and all(np.isfinite(a).all() for a in (self.centre, self.axes, self.landmarks))
        )

    def _scaled(self, vectors: Vector) -> tuple[Vector, Vector]:
        """Return turned vectors (..., d) and their scales (..., 1)."""
        turned = project((project(vectors) - self.centre) @ self.axes)
        rows = turned.reshape(-1, turned.shape[-1])
        near = _nearness(rows, self.landmarks, self.neighbours)
        return turned, _scales(near, self.nearest).reshape(*turned.shape[:-1], 1)


def fit(
    vectors: Vector,
    copy_threshold: float,
    *,
    photos: int | None = None,
    seed: int = 0,
    whiten: bool = True,
) -> Tuning:
    """Fit a tuning to raw vectors of shape (N, D) of a library's photos.

    More than SAMPLE of them are of no use; ``photos`` says how many there are in all. From a cosine
    of ``copy_threshold`` the model calls two photos copies. Without ``whiten`` the axes stay as they
    are. Raises TuningError where there are fewer than LEAST unlike photos, or where those are all
    equally far apart.
    """
    if not 0 < copy_threshold < 1:
        raise TuningError(f"a copy threshold of {copy_threshold} leaves nothing to tune.")
    sample = project(vectors[np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE]])
    apart = 1 - UNRELATED * (1 - copy_threshold)
    unlike = _unlike(sample[: 2 * LANDMARKS], apart)
    if len(unlike) < LEAST:
        raise TuningError(
            f"{len(unlike)} unlike photos are too few to tune on: {LEAST} are needed."
            " Scan more photos first."
        )
    seen = np.concatenate([unlike, sample[2 * LANDMARKS :]])
    centre, axes = _whitening(seen) if whiten else _unchanged(seen.shape[1])
    # Rounded as they will be stored, so that what was fitted is what will be read.
    landmarks = _f32(project((unlike - centre) @ axes).astype(np.float16))
    return _levelled(centre, axes, landmarks, photos or len(vectors))


def around(landmarks: Vector, photos: int, neighbours: int) -> Tuning:
    """Return a tuning of given landmarks (M, D), unit vectors of unlike photos, in the axes as they are."""
    return _levelled(*_unchanged(landmarks.shape[1]), landmarks, photos, neighbours)


def _levelled(
    centre: Vector, axes: Vector, landmarks: Vector, photos: int, neighbours: int = NEIGHBOURS
) -> Tuning:
    """Return the tuning of these axes and landmarks, its levels measured between the landmarks.

    Raises TuningError where those are all equally far apart.
    """
    near = _nearness(landmarks, landmarks, neighbours)
    nearest = min(float(np.quantile(near, DENSEST)), 0.99)
    edge, typical = _levels(landmarks, _scales(near, nearest))
    if edge >= 0.95 * typical:
        raise TuningError("all photos are equally far apart: there is nothing to tune.")
    return Tuning(centre, axes, landmarks, nearest, edge, typical, photos, neighbours)


def _unchanged(dimension: int) -> tuple[Vector, Vector]:
    return np.zeros(dimension, np.float32), np.eye(dimension, dtype=np.float32)


def _unlike(units: Vector, apart: float) -> Vector:
    """Return up to LANDMARKS rows whose cosine with every earlier one kept is below ``apart``."""
    kept = units[:0]
    for start in range(0, len(units), BLOCK):
        block = units[start : start + BLOCK]
        if len(kept):
            block = block[(block @ kept.T).max(axis=1) < apart]
        near = np.tril(block @ block.T >= apart, -1)
        free = np.ones(len(block), dtype=bool)
        for row in range(len(block)):
            free[row] = not (near[row] & free).any()
        kept = np.concatenate([kept, block[free]])[:LANDMARKS]
    return kept


def _whitening(units: Vector) -> tuple[Vector, Vector]:
    """Return centre (D,) and axes (D, d) fitted to rows of unit length."""
    centre = units.mean(axis=0)
    covariance = np.cov((units - centre).T.astype(np.float64))
    variances, axes = np.linalg.eigh(covariance)
    variances = np.maximum(variances, 0)
    share = min(1.0, PRIOR * units.shape[1] / len(units))
    variances = np.maximum((1 - share) * variances + share * variances.mean(), 1e-12)
    scaled = axes / variances ** (_power(variances) / 2)
    return _f32(centre), _f32(scaled[:, : -1 - MOST_AXES : -1])  # the largest first


def _power(variances: NDArray[np.float64]) -> float:
    """Return the least power that makes the variances FLAT, to 1/64."""
    for power in np.linspace(0, 1, 65):
        left = variances ** (1 - power)
        if left.sum() ** 2 / (left**2).sum() >= FLAT * len(variances):
            return float(power)
    return 1.0


def _nearness(rows: Vector, landmarks: Vector, neighbours: int) -> Vector:
    """Return b (N,): the mean similarity to the nearest landmarks, the very nearest left out.

    That one is the photo itself where it is a landmark, or the photo that a query is a copy of.
    """
    means = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), CHUNK):
        scores = rows[start : start + CHUNK] @ landmarks.T
        top = np.partition(scores, -1 - neighbours, axis=1)[:, -1 - neighbours :]
        means[start : start + CHUNK] = (top.sum(axis=1) - top.max(axis=1)) / neighbours
    return means


def _scales(near: Vector, nearest: float) -> Vector:
    """Return g of vectors to which unrelated photos come as near as ``near``."""
    return _f32(1 / (1 - np.minimum(near, nearest)))


def _levels(landmarks: Vector, scales: Vector) -> tuple[float, float]:
    """Return the distances below which a FALSE_RATE and half of the unlike pairs lie.

    The tail is extrapolated as a power law (Hill 1975), since a small library has not millions of
    pairs; by the median excess, which a few copies among the landmarks do not move.
    """
    distances = (1 - landmarks @ landmarks.T) * scales * scales[:, None]
    pairs = distances[~np.eye(len(landmarks), dtype=bool)]
    count = max(int(len(pairs) * TAIL), 16)
    tail = np.maximum(np.partition(pairs, count)[: count + 1], 1e-6)
    start = float(tail.max())
    excess = float(np.median(np.log(start / tail))) / math.log(2)
    edge = start * (FALSE_RATE * len(pairs) / count) ** excess
    return edge, float(np.median(pairs))


def _f32(array: NDArray[Any]) -> Vector:
    return np.ascontiguousarray(array, dtype=np.float32)
