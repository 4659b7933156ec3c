"""What the descriptor brings along for searching, fitted to its training photos.

Its background: photos that no library holds, by which scores are scaled until a library has photos
enough of its own (negative images, as in the Image Similarity Challenge 2021). Its looks: linear
discriminant analysis by the classes that the photos' names tell (Fisher 1936; within-class covariance
normalisation).
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from training.photos import PhotoSet
from training.trainer import EMBED_BATCH, clean_views, embed
from twinlens import tuning
from twinlens.looks import Looks
from twinlens.vectors import Vector
from twinlens_worker.models.pocket import PocketNet
from twinlens_worker.models.pocket_parts import Parts, packed, unpacked

NEIGHBOURS: Final = 4
"""Photos of the background whose nearness is the scale of a photo. On held-out photos (pocket 4) recall at
99 % precision is .586 without a background, .686 with the 2 nearest, .702 with 4; of a library's own photos,
of which each has fewer that are like it, 2 are better (docs/decisions/0015)."""
RIDGE: Final = 0.3
"""Of the variance within classes, added to each axis: photos of 80 classes say little of some."""
AXES: Final = 128
"""Axes that tell classes apart. 64 to 256 gave the same order of held-out photos, to a point of mAP."""


def fit(network: PocketNet, photos: PhotoSet, side: int, threshold: float) -> Parts | None:
    """Fit both parts to a whitened network and the photos that it was trained on.

    None where these are too few, or invented ones, of which none is another's like.
    """
    classes = photos.classes().numpy()
    if len(photos) < tuning.LEAST or len(np.unique(classes)) in {1, len(classes)}:
        return None
    split = torch.split(photos.pixels, EMBED_BATCH)
    vectors = torch.cat([embed(network, clean_views(part, side)) for part in split]).numpy()
    unlike = tuning.fit(vectors, threshold, whiten=False).landmarks
    background = tuning.around(unpacked(packed(unlike)), len(vectors), NEIGHBOURS)
    return Parts(background, looks(vectors, classes))


def looks(vectors: Vector, classes: NDArray[np.int64]) -> Looks:
    """Fit the axes along which classes lie apart; ``classes`` (N,) number those of vectors (N, D)."""
    members = [vectors[classes == one] for one in np.unique(classes)]
    members = [rows for rows in members if len(rows) > 1]
    means = np.stack([rows.mean(axis=0) for rows in members])
    apart = [rows - mean for rows, mean in zip(members, means, strict=True)]
    within = sum((rows.T @ rows for rows in apart), np.zeros(2 * vectors.shape[1:])) / len(vectors)
    ridge = RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    variances, axes = np.linalg.eigh(within + ridge)
    sphered = axes / np.sqrt(variances) @ axes.T
    between, turned = np.linalg.eigh(sphered @ np.cov(means.T) @ sphered)
    best = np.argsort(-between)[:AXES]
    # A quarter of the power: all the variance between classes would leave the greatest few alone.
    scaled = turned[:, best] * np.maximum(between[best], 0) ** 0.25
    return Looks(vectors.mean(axis=0).astype(np.float32), (sphered @ scaled).astype(np.float32))
