"""Vectors for the benchmarks, as many as are wanted, that lie in space as those of photos do.

*spread*: photos are embedded with the bundled descriptor, and each becomes the middle of a cluster:
to its vector a part of the difference between two other photos' vectors is added. Differences of
photos vary in the directions in which photos vary, so that the spectrum, and with it the intrinsic
dimension, stays that of real photos; noise in random directions would fill all dimensions. Without
photos the middles are made with a spectrum that falls as pocket's does.

*uniform*: random directions. No library is like that; it is the hardest case for any index.

All are unit vectors, float32, shape (N, D), the same for the same seed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twinlens.vectors import Vector, project

COPIES = 0.05
"""Share of vectors that are copies of another one, cosine .9 to .99."""

DIMENSION = 256
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Source:
    """Where vectors come from, and what to call it in a table."""

    name: str
    anchors: Vector | None
    """Middles of clusters; None for uniform directions."""
    dimension: int = DIMENSION

    def make(self, count: int, seed: int = 1) -> Vector:
        """Return ``count`` vectors; the last ``COPIES`` of them are copies of the first."""
        random = np.random.default_rng(seed)
        matrix = np.concatenate(
            [self._chunk(min(_CHUNK, count - start), random) for start in range(0, count, _CHUNK)]
        )
        copies = int(count * COPIES)
        if copies:
            matrix[count - copies :] = copies_of(matrix[:copies], random)
        return matrix

    def _chunk(self, count: int, random: np.random.Generator) -> Vector:
        if self.anchors is None:
            return project(random.standard_normal((count, self.dimension), dtype=np.float32))
        first, second, third = random.integers(len(self.anchors), size=(3, count))
        share = random.uniform(0.3, 1.0, (count, 1)).astype(np.float32)
        return project(self.anchors[first] + share * (self.anchors[second] - self.anchors[third]))


def photos(data: Path | None = None, *, most: int | None = None) -> Source:
    """Return vectors spread around those of real photos, where ``data`` (TWINLENS_DATA) has some."""
    folder = data or Path(os.environ.get("TWINLENS_DATA") or "/nonexistent")
    paths = sorted((folder / "train").rglob("*.jp*g"))[:most]
    if not paths:
        return clusters()
    anchors = _embedded(paths)
    name = f"pocket's vectors of {len(paths):,} photos, spread"
    return Source(name, anchors, anchors.shape[1])


def clusters(dimension: int = DIMENSION) -> Source:
    """Return vectors spread around made middles with about the spectrum of pocket's vectors."""
    return Source("made clusters", _made_anchors(dimension), dimension)


def uniform(dimension: int = DIMENSION) -> Source:
    """Return random directions."""
    return Source("uniform directions", None, dimension)


def copies_of(originals: Vector, random: np.random.Generator) -> Vector:
    """Return a copy of each unit vector, away from it in a random direction: cosine .9 to .99."""
    cosines = random.uniform(0.9, 0.99, (len(originals), 1)).astype(np.float32)
    noise = random.standard_normal(originals.shape, dtype=np.float32)
    noise -= (noise * originals).sum(axis=1, keepdims=True) * originals
    away: Vector = np.sqrt(1 - cosines**2) * project(noise)
    near: Vector = cosines * originals + away
    return project(near)


def intrinsic_dimension(vectors: Vector) -> float:
    """Return the participation ratio of the spectrum: (sum of variances)^2 / sum of squares."""
    some = vectors[:: max(1, len(vectors) // 20_000)]
    variances = np.linalg.eigvalsh(np.cov(some, rowvar=False))
    return float(variances.sum() ** 2 / (variances**2).sum())


def _made_anchors(dimension: int, count: int = 5_000) -> Vector:
    """Return middles whose variances fall by e every 56 numbers, as measured for pocket.

    16th of its principal components: .62 of the variance of the first, 64th .29, 128th .12.
    """
    random = np.random.default_rng(7)
    falling = np.exp(-np.arange(dimension, dtype=np.float32) / 112)
    return project(random.standard_normal((count, dimension), dtype=np.float32) * falling)


def _embedded(paths: list[Path]) -> Vector:
    """Embed photos with the bundled descriptor: 15 seconds of one core for 7,000."""
    from PIL import Image

    from twinlens_worker.models.descriptor import load

    descriptor = load("pocket", device="cpu")
    size = (descriptor.info.input_size,) * 2
    parts = []
    for start in range(0, len(paths), 256):
        images = [
            np.asarray(Image.open(path).convert("RGB").resize(size, Image.Resampling.BILINEAR))
            for path in paths[start : start + 256]
        ]
        parts.append(descriptor.embed(np.stack(images)))
    return project(np.concatenate(parts))
