"""A descriptor that needs no weights: the mean colours of a 4 x 4 grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twinlens.labels import Label
from twinlens_worker.models.descriptor import Descriptor, DescriptorInfo
from twinlens_worker.models.errors import BadOutputError

GRID = 4


class GridDescriptor(Descriptor):
    """Photos in, unit vectors of 48 dimensions out; NaN for photos that are nearly black."""

    def __init__(self, digest: str = "ab" * 32) -> None:
        self.info = DescriptorInfo(
            name="grid", digest=digest, dimension=48, input_size=64, copy_threshold=0.99
        )

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed u8 images (N, 64, 64, 3) as f32 (N, 48)."""
        cells = images.reshape(len(images), GRID, 16, GRID, 16, 3).mean(axis=(2, 4))
        vectors = cells.reshape(len(images), -1).astype(np.float32) - 100.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        bad = images.reshape(len(images), -1).mean(axis=1) < 5
        vectors[bad] = np.nan
        if bad.any():
            raise BadOutputError("bad", rows=np.flatnonzero(bad).tolist(), vectors=vectors)
        return vectors


class NamingDescriptor(GridDescriptor):
    """One that also names photos: by the colour that is strongest."""

    COLOURS = ("red", "green", "blue")

    def embed_and_label(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], list[tuple[Label, ...]]]:
        """Embed as above; name the strongest of the three colours."""
        means = images.reshape(len(images), -1, 3).mean(axis=1)
        labels = [
            (Label(self.COLOURS[int(mean.argmax())], round(float(mean.max() / 255), 4)),)
            for mean in means
        ]
        try:
            return self.embed(images), labels
        except BadOutputError as error:
            error.labels = labels
            raise
