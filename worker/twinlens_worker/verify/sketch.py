"""A sketch: what comparing needs of a picture, made once from its thumbnail.

ORB and not SIFT: on thumbnails of 320 pixels both align 97 % or more of copies that keep half of the
frame, at 2.1 against 23 ms CPU a picture (see docs/decisions/0018).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
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
"""How many of them are described once more as in the mirror: for nearly every pair, needed by few."""
_CORNER: Final = 12
_SOFT_CORNER: Final = 5
"""Levels, of 255, by which a corner differs from what is around it."""
PATCH: Final = 31
"""Side in pixels of what ORB describes at a corner."""
LEVELS: Final = 6
FINER: Final = 1.3
"""By how much each of ORB's levels is finer than the next."""
SMALL: Final = 8
"""Pixels, in a row, for each of the picture that tells colours."""

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """ORB features of one picture (Rublee et al., 2011), strongest first, of all levels in turn."""

    points: Floats
    """(N, 2) x and y in the unit square."""
    descriptors: Pixels
    """(N, 32), 256 bits each."""
    angles: Floats
    """(N,) degrees, clockwise, in which each looks."""
    levels: Pixels
    """(N,) of the pyramid in which each was found, 0 the finest."""

    @functools.cached_property
    def signs(self) -> Floats:
        """(N, 256) of -1 and 1: the product of two is 256 less twice the bits that differ.

        A product of matrices compares 250 with 250 in 0.5 ms, OpenCV's matcher in 2.0.
        """
        return np.asarray(np.unpackbits(self.descriptors, axis=1) * np.float32(2) - 1, np.float32)


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
        return mirrored(self.grey, self.features)

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
        return np.asarray(tiny([self.grey])[0][_turns()], np.float32)

    @functools.cached_property
    def inner(self) -> tuple[Floats, Floats]:
        """Rectangles in it that may be another photo's whole frame, and those squashed."""
        return inner_frames(self.grey)


def extract(grey: Pixels) -> Features:
    """Return the features of a grey picture."""
    features = _extracted(grey, _CORNER)
    # Soft pictures have few corners at the usual level; asking all for weaker ones costs 1.3 ms more.
    few = len(features.points) < KEYPOINTS // 2
    return _extracted(grey, _SOFT_CORNER) if few else features


def mirrored(grey: Pixels, features: Features) -> Features:
    """Return the strongest features of a picture as they are in its mirror image.

    Its corners are found already and only described anew: 0.5 ms CPU instead of 2.1.
    """
    size = np.array([grey.shape[1], grey.shape[0]], np.float32)
    x, y = (features.points[:MIRRORED] * size).T
    angles = (180 - features.angles[:MIRRORED]) % 360
    places = zip((size[0] - 1 - x).tolist(), y.tolist(), strict=True)
    turns = zip(angles.tolist(), features.levels[:MIRRORED].tolist(), strict=True)
    found = [
        cv2.KeyPoint(*place, PATCH, angle, 0, level)
        for place, (angle, level) in zip(places, turns, strict=True)
    ]
    if not found:
        return _as_features((), None, size)
    flipped = np.ascontiguousarray(grey[:, ::-1])
    kept, descriptors = _detector(_CORNER).compute(flipped, found)
    return _as_features(kept, descriptors, size)


def _extracted(grey: Pixels, corner: int) -> Features:
    # ORB halves a picture until nothing is left of a narrow one, and fails at that.
    wide_enough = min(grey.shape) >= PATCH
    found, descriptors = (
        _detector(corner).detectAndCompute(grey, None) if wide_enough else ((), None)
    )
    return _as_features(found, descriptors, np.array([grey.shape[1], grey.shape[0]], np.float32))


def _as_features(found: Sequence[cv2.KeyPoint], descriptors: Any, size: Floats) -> Features:  # noqa: ANN401
    if descriptors is None:
        nothing = np.zeros(0, np.float32)
        return Features(
            nothing.reshape(0, 2), np.zeros((0, 32), np.uint8), nothing, nothing.astype(np.uint8)
        )
    levels = np.array([one.octave for one in found], np.uint8)
    order = _in_turn(levels, np.array([one.response for one in found], np.float32))
    return Features(
        (np.asarray(cv2.KeyPoint.convert(found), np.float32) / size)[order],
        descriptors[order],
        np.array([one.angle for one in found], np.float32)[order],
        levels[order],
    )


def _in_turn(levels: Pixels, strength: Floats) -> NDArray[np.int64]:
    """Return the order in which the first of any number are the strongest of every level."""
    by_level = np.lexsort((-strength, levels))
    counts = np.bincount(levels)
    first = np.cumsum(counts) - counts
    place = np.arange(len(levels)) - np.repeat(first, counts)
    return by_level[np.argsort(place / np.repeat(counts, counts), kind="stable")]


@functools.cache
def _detector(corner: int) -> Any:  # noqa: ANN401  its type has another name in each version
    modules: Any = cv2  # whose stubs do not name it
    return modules.ORB_create(
        nfeatures=KEYPOINTS,
        scaleFactor=FINER,
        nlevels=LEVELS,
        edgeThreshold=15,
        patchSize=PATCH,
        fastThreshold=corner,
    )


@functools.cache
def _turns() -> NDArray[np.int64]:
    """Return (8, TINY * TINY): where each place of a squashed picture is before it is turned."""
    whole = np.arange(TINY * TINY).reshape(TINY, TINY)
    upright = [np.rot90(whole, turns) for turns in range(4)]
    return np.stack([*upright, *(one[:, ::-1] for one in upright)]).reshape(8, -1)


def _scaled(thumbnail: Pixels) -> Pixels:
    height, width = thumbnail.shape[:2]
    scale = SIDE / max(height, width)
    if scale == 1:
        return thumbnail
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(thumbnail, size, interpolation=way), np.uint8)
