"""Tuning: what a descriptor learns from the photos of one library, without labels.

A general descriptor wastes numbers on what all photos of a library share, and gives photos of which
there are many alike (shelves, beaches, faces of one family) scores that elsewhere only copies reach.
A tuning corrects both:

1. *Whitening*: centre and rotate by principal components, and even out their variances a part of the
   way (Jégou and Chum 2012; here with shrinkage, so that few photos change little).
2. *Local scaling*: the distance of two photos is taken relative to how near to each of them
   unrelated photos usually come (Zelnik-Manor and Perona 2004; in the Image Similarity Challenge
   the same idea is called score normalisation).

With unit vectors x, y and scales g = (1 - b)^(-1/2), where b is the mean similarity to the nearest
unrelated photos, the tuned score is

    score = 1 - c g(x) g(y) (1 - x.y)  =  1 + [g(x) x, g(x)] . [c g(y) y, -c g(y)]

that is, 1 + an inner product of vectors with one number more: a plain index can search by it. c sets
the scale such that photos at the threshold of copies score what the model's own threshold says. So
1 is the same picture, the threshold keeps its number, and unlike photos score lower, also below 0.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from twinlens.errors import TuningError
from twinlens.vectors import Vector, project

POWER: Final = 0.5
"""How far the variances of the principal components are evened out: 0 not, 1 wholly."""
MOST_AXES: Final = 512
"""Components kept; the rest of a backbone's 1,280 or 2,048 is noise at the size of a library."""
PRIOR: Final = 0.1
"""Weight of equal variances in the estimate where there are as many photos as numbers in a vector."""
LANDMARKS: Final = 4096
"""Most photos that stand for the library."""
LEAST: Final = 64
"""Photos below which nothing can be said of a library."""
NEIGHBOURS: Final = 4
"""Unrelated photos whose nearness is the scale of a photo."""
FALSE_RATE: Final = 1e-6
"""False pairs in each pair of unlike photos at the threshold."""
TAIL: Final = 1e-3
"""Share of the pairs of unlike photos that the tail is fitted to."""
CHUNK: Final = 2048
"""Vectors compared with all landmarks at a time: 32 MB of scores."""
FORMAT: Final = 1


@dataclass(frozen=True, eq=False)
class Tuning:
    """A fitted tuning. Applies to a model's raw vectors of shape (N, D), gives (N, ``dimension``)."""

    centre: Vector
    """(D,), f32."""
    axes: Vector
    """(D, d), f32: principal components, each divided by a power of its deviation."""
    landmarks: Vector
    """(M, d), f32, unit length: unlike photos of the library, in the new axes."""
    scale: float
    """c: score distance of two photos for each unit of locally scaled distance."""
    photos: int
    """On how many photos it was fitted."""

    @property
    def dimension(self) -> int:
        """Numbers in an entry of the index: the axes and one more."""
        return self.axes.shape[1] + 1

    @cached_property
    def digest(self) -> str:
        """sha256 of the stored form, hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def entries(self, vectors: Vector) -> Vector:
        """Return what the index holds for raw vectors of shape (..., D)."""
        turned, scales = self._scaled(vectors)
        return np.concatenate([turned * scales, scales], axis=-1)

    def queries(self, vectors: Vector) -> Vector:
        """Return what the index is asked with for raw vectors of shape (..., D).

        1 + the inner product with an entry is the score.
        """
        turned, scales = self._scaled(vectors)
        return np.concatenate([turned * scales, -scales], axis=-1) * np.float32(self.scale)

    def to_bytes(self) -> bytes:
        """Return the stored form: NumPy's own, without pickles."""
        stream = io.BytesIO()
        for array in (
            np.array([FORMAT, self.photos], "<i8"),
            np.array([self.scale], "<f8"),
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
            numbers, scale, centre, axes, landmarks = (
                np.load(stream, allow_pickle=False) for _ in range(5)
            )
            version, photos = numbers.tolist()
            found = cls(_f32(centre), _f32(axes), _f32(landmarks), float(scale[0]), photos)
            whole = version == FORMAT and not stream.read(1) and found._fits(dimension)
        except (ValueError, EOFError, TypeError, IndexError, AttributeError) as error:
            raise TuningError(f"the stored tuning is damaged ({error}). {_CURE}") from error
        if not whole:
            raise TuningError(f"the stored tuning is damaged or of another version. {_CURE}")
        return found

    def _fits(self, dimension: int) -> bool:
        shapes = (self.centre.ndim, self.axes.ndim, self.landmarks.ndim) == (1, 2, 2)
        return (
            shapes
            and self.centre.shape[0] == self.axes.shape[0] == dimension
            and self.landmarks.shape[1] == self.axes.shape[1]
            and len(self.landmarks) > NEIGHBOURS
            and self.scale > 0
            and all(np.isfinite(a).all() for a in (self.centre, self.axes, self.landmarks))
        )

    def _turn(self, vectors: Vector) -> Vector:
        return project((project(vectors) - self.centre) @ self.axes)

    def _scaled(self, vectors: Vector) -> tuple[Vector, Vector]:
        """Return turned vectors (..., d) and their scales (..., 1)."""
        turned = self._turn(vectors)
        rows = turned.reshape(-1, turned.shape[-1])
        return turned, _scales(rows, self.landmarks).reshape(*turned.shape[:-1], 1)


_CURE: Final = "Fit it anew: twinlens model tune"


def fit(vectors: Vector, copy_threshold: float, seed: int = 0) -> Tuning:
    """Fit a tuning to raw vectors of shape (N, D) of a library's photos.

    ``copy_threshold`` is the cosine from which the model calls two photos copies: of what it calls
    copies one stands for all, or a photo with many copies would pass for one that is like all others.
    Raises TuningError where there are fewer than LEAST unlike photos.
    """
    sample = _sample(project(vectors), 4 * LANDMARKS, seed)
    unlike = _unlike(sample[: 2 * LANDMARKS], copy_threshold)[:LANDMARKS]
    if len(unlike) < LEAST:
        raise TuningError(
            f"{len(unlike)} photos that are not copies of each other are too few to tune on."
            f" {LEAST} are needed: scan more photos first."
        )
    centre, axes = _whitening(np.concatenate([unlike, sample[2 * LANDMARKS :]]))
    landmarks = project((unlike - centre) @ axes).astype(np.float16).astype(np.float32)
    edge = _edge(landmarks)
    return Tuning(centre, axes, landmarks, scale=(1 - copy_threshold) / edge, photos=len(vectors))


def _sample(units: Vector, most: int, seed: int) -> Vector:
    """Return up to ``most`` rows in an order drawn from the seed."""
    return units[np.random.default_rng(seed).permutation(len(units))[:most]]


def _unlike(units: Vector, threshold: float) -> Vector:
    """Return the rows that are no copy of an earlier one that is kept."""
    kept: list[int] = []
    free = np.ones(len(units), dtype=bool)
    for row in range(len(units)):
        if free[row]:
            kept.append(row)
            free[row + 1 :] &= units[row + 1 :] @ units[row] < threshold
    return units[kept]


def _whitening(units: Vector) -> tuple[Vector, Vector]:
    """Return centre (D,) and axes (D, d) fitted to rows of unit length."""
    centre = units.mean(axis=0)
    covariance = np.cov((units - centre).T.astype(np.float64))
    variances, axes = np.linalg.eigh(covariance)
    kept = slice(None, -1 - MOST_AXES, -1)  # the largest first
    variances, axes = np.maximum(variances[kept], 0), axes[:, kept]
    share = min(1.0, PRIOR * units.shape[1] / len(units))
    even = (1 - share) * variances + share * variances.mean()
    return _f32(centre), _f32(axes / np.maximum(even, 1e-12) ** (POWER / 2))


def _nearness(rows: Vector, landmarks: Vector) -> Vector:
    """Return the mean similarity (N,) to the nearest landmarks, the very nearest left out.

    That one is the photo itself, where it is a landmark, or the photo that a query is a copy of.
    """
    means = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), CHUNK):
        scores = rows[start : start + CHUNK] @ landmarks.T
        top = np.partition(scores, -1 - NEIGHBOURS, axis=1)[:, -1 - NEIGHBOURS :]
        means[start : start + CHUNK] = (top.sum(axis=1) - top.max(axis=1)) / NEIGHBOURS
    return means


def _scales(rows: Vector, landmarks: Vector) -> Vector:
    """Return g (N,) of rows of unit length."""
    return np.asarray(1 / np.sqrt(np.maximum(1 - _nearness(rows, landmarks), 1e-3)), np.float32)


def _edge(landmarks: Vector) -> float:
    """Return the locally scaled distance below which a FALSE_RATE of unlike pairs lies.

    The tail is extrapolated as a power law (Hill 1975): there are not millions of pairs in a small
    library.
    """
    scales = _scales(landmarks, landmarks)
    distances = (1 - landmarks @ landmarks.T) * scales * scales[:, None]
    pairs = distances[np.triu_indices(len(landmarks), 1)]
    count = max(int(len(pairs) * TAIL), 8)
    tail = np.log(np.maximum(np.partition(pairs, count)[: count + 1], 1e-6))
    start = tail.max()
    mean_excess = float((start - tail).sum() / count)
    share = count / len(pairs)
    return float(np.exp(start - mean_excess * np.log(share / FALSE_RATE)))


def _f32(array: NDArray[Any]) -> Vector:
    return np.ascontiguousarray(array, dtype=np.float32)
