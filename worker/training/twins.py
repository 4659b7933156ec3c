"""Pictures that a data set holds twice, which would count as wrong answers where they are right.

Caltech-101 has such: several of "Leopards" numbered 101 to 200 mirror another,
and a few objects come twice. Pixels decide, not a descriptor: none must judge its own examination.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.photos import squash

THUMBNAIL: Final = 32
SAME: Final = 8.0
"""Root mean square difference of thumbnails, of 255. Re-saved pictures lie at 1 to 5, two shots
of one motorbike at 8.5 and more."""


def distinct(pictures: Iterable[Image.Image]) -> list[int]:
    """Return the rows to keep: of pictures that are equal or each other's mirror image, the first."""
    upright = np.stack([squash(picture, THUMBNAIL) for picture in pictures]).astype(np.float32)
    again = (_distances(upright, upright) < SAME) | (
        _distances(upright, upright[:, :, ::-1]) < SAME
    )
    earlier = np.tril(again, -1)
    return np.flatnonzero(~earlier.any(axis=1)).tolist()


def _distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root mean square differences, (N, M)."""
    one, two = (images.reshape(len(images), -1) for images in (first, second))
    squares = (one**2).sum(1)[:, None] + (two**2).sum(1)[None, :] - 2 * one @ two.T
    return np.asarray(np.sqrt(np.maximum(squares, 0) / one.shape[1]), np.float32)
