"""A sketch: what comparing needs of a picture, made once from its thumbnail.

ORB and not SIFT: on thumbnails of 320 pixels both align 97 % or more of copies that keep half of the
frame, at 2.1 against 23 ms CPU a picture (see docs/decisions/0018).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.frames import TINY, inner_frames, tiny

SIDE: Final = 320
"""Longest side, in pixels, of the picture that is compared; smaller ones are scaled up to it."""
KEYPOINTS: Final = 250
MIRRORED: Final = 130
"""The same of a mirrored picture: made for nearly every pair, needed by few."""
_CORNER: Final = 12
_SOFT_CORNER: Final = 5
"""Levels, of 255, by which a corner differs from what is around it."""
PATCH: Final = 31
"""Side in pixels of what ORB describes at a corner."""
SMALL: Final = 8
"""Pixels, in a row, for each of the picture that tells colours."""

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """ORB features of one picture (Rublee et al., 2011)."""

    points: Floats
    """(N, 2) x and y in the unit square."""
    descriptors: Pixels
    """(N, 32), 256 bits each."""

    @functools.cached_property
    def signs(self) -> Floats:
        """(N, 256) of -1 and 1: the product of two is 256 less twice the bits that differ.

        A product of matrices compares 250 with 250 in 0.5 ms, OpenCV's matcher in 2.0.
        """
        return np.unpackbits(self.descriptors, axis=1).astype(np.float32) * 2 - 1


class Sketch:
    """One picture, ready to be compared with many. Parts are made when they are first wanted."""

    def __init__(self, thumbnail: Pixels, features: Features | None = None) -> None:
        """Take a thumbnail of shape (H, W, 3), BGR, and its features where they were kept."""
        self.detail = max(thumbnail.shape[:2]) / SIDE
        """Real pixels for each pixel of ``picture``, at most 1: less where it was scaled up."""
        self.picture = _scaled(thumbnail)
        self._features = features
        self._made: Features | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of ``picture``."""
        return self.picture.shape[1], self.picture.shape[0]

    @property
    def features(self) -> Features:
        """Local features."""
        if self._features is None:
            self._features = self._made = extract(self.grey)
        return self._features

    def take_made(self) -> Features | None:
        """Return, once, features that were made here and not given."""
        made, self._made = self._made, None
        return made

    @functools.cached_property
    def mirrored(self) -> Features:
        """Features of the picture mirrored left to right, at their places in the mirrored one."""
        return extract(np.ascontiguousarray(self.grey[:, ::-1]), MIRRORED)

    @property
    def has_mirrored(self) -> bool:
        """Whether ``mirrored`` was made."""
        return "mirrored" in self.__dict__

    @functools.cached_property
    def grey(self) -> Pixels:
        """(H, W) luma."""
        return np.asarray(cv2.cvtColor(self.picture, cv2.COLOR_BGR2GRAY), np.uint8)

    @functools.cached_property
    def small(self) -> Pixels:
        """The picture at an eighth of its size, in colour."""
        size = tuple(max(1, round(side / SMALL)) for side in self.size)
        return np.asarray(cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA), np.uint8)

    @functools.cached_property
    def turned(self) -> Floats:
        """The whole frame squashed and turned: (8, TINY * TINY).

        Counter-clockwise 0 to 3 times, then each of these mirrored.
        """
        whole = tiny([self.grey]).reshape(TINY, TINY)
        upright = [np.rot90(whole, turns) for turns in range(4)]
        return np.stack([*upright, *(one[:, ::-1] for one in upright)]).reshape(8, -1)

    @functools.cached_property
    def inner(self) -> tuple[Floats, Floats]:
        """Rectangles in it that may be another photo's whole frame, and those squashed."""
        return inner_frames(self.grey)


def extract(grey: Pixels, most: int = KEYPOINTS) -> Features:
    """Return the features of a grey picture."""
    features = _extracted(grey, most, _CORNER)
    # Soft pictures have few corners at the usual level; asking all for weaker ones costs 1.3 ms more.
    return features if len(features.points) >= most // 2 else _extracted(grey, most, _SOFT_CORNER)


def _extracted(grey: Pixels, most: int, corner: int) -> Features:
    # ORB halves a picture until nothing is left of a narrow one, and fails at that.
    wide_enough = min(grey.shape) >= PATCH
    found, descriptors = (
        _detector(most, corner).detectAndCompute(grey, None) if wide_enough else ((), None)
    )
    if descriptors is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
    height, width = grey.shape
    points = cv2.KeyPoint.convert(found) / np.array([width, height], np.float32)
    return Features(np.asarray(points, np.float32), np.asarray(descriptors, np.uint8))


@functools.cache
def _detector(most: int, corner: int) -> Any:  # noqa: ANN401  its type has another name in each version
    modules: Any = cv2  # whose stubs do not name it
    return modules.ORB_create(
        nfeatures=most,
        scaleFactor=1.3,
        nlevels=6,
        edgeThreshold=15,
        patchSize=PATCH,
        fastThreshold=corner,
    )


def _scaled(thumbnail: Pixels) -> Pixels:
    height, width = thumbnail.shape[:2]
    scale = SIDE / max(height, width)
    if scale == 1:
        return thumbnail
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(thumbnail, size, interpolation=way), np.uint8)
