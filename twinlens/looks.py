"""Looks: which photos show like things, as a space beside that of copies.

What tells two shots of one thing apart is what copies need and what ``similar`` should overlook. A
descriptor may bring axes along which the classes of its training photos lie apart and the photos of
one class together (linear discriminant analysis). The looks of a photo are its vector and what those
axes make of it, half and half, so that the same picture stays nearest to itself: the cosine of two
looks is the mean of both cosines.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from twinlens.errors import TuningError
from twinlens.vectors import Vector, project


@dataclass(frozen=True, eq=False)
class Looks:
    """What of a descriptor's vectors, of D numbers, tells classes of things apart."""

    centre: Vector
    """(D,), f32."""
    axes: Vector
    """(D, d), f32."""

    def of(self, vectors: Vector) -> Vector:
        """Return the looks, f32 (..., D + d) of unit length, of raw vectors (..., D)."""
        units = project(vectors)
        classes = project((units - self.centre) @ self.axes)
        return project(np.concatenate([units, classes], axis=-1))

    def to_bytes(self) -> bytes:
        """Return the stored form: NumPy's own, without pickles."""
        stream = io.BytesIO()
        for array in (self.centre, self.axes):
            np.save(stream, np.ascontiguousarray(array, "<f4"), allow_pickle=False)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, blob: bytes, dimension: int) -> Looks:
        """Read the stored form for vectors of ``dimension`` numbers; TuningError where damaged."""
        stream = io.BytesIO(blob)
        try:
            centre, axes = (np.load(stream, allow_pickle=False) for _ in range(2))
        except (ValueError, EOFError) as error:
            raise TuningError(f"what the model says of looks is damaged ({error})") from error
        if centre.shape != (dimension,) or axes.ndim != 2 or len(axes) != dimension:
            raise TuningError("what the model says of looks is of another model")
        return cls(centre.astype(np.float32), axes.astype(np.float32))
