"""A sketch: what comparing needs of a picture, made once from its thumbnail.

ORB and not SIFT: on thumbnails of 320 pixels both align 97 % or more of copies that keep half of the
frame, at 2.1 against 23 ms CPU a picture (see docs/decisions/0018).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.frames import TINY, inner_frames, tiny

SIDE: Final = 320
"""Longest side, in pixels, of the picture that is compared; smaller ones are scaled up to it."""
KEYPOINTS: Final = 200
"""Kept of a picture. With six levels 250 found 0.75 of 400 edits alone, 200 0.73; whole frames find others."""
MIRRORED: Final = 110
"""How many of them are described once more as in the mirror: for nearly every pair, needed by few."""
_COARSE: Final = 1
"""Level from which they are. Of 300 mirrored edits features alone find no fewer without the finest, at
half the CPU."""
_CORNERS: Final = ((25, KEYPOINTS - 8), (12, KEYPOINTS // 2), (5, 0))
"""Levels, of 255, by which a corner differs from what is around it, and how many are enough of such.

Most pictures have more strong corners than are kept, and the weak ones cost 0.3 ms CPU to sort out.
"""
PATCH: Final = 31
"""Side in pixels of what ORB describes at a corner."""
LEVELS: Final = 4
FINER: Final = 1.5
"""By how much each of ORB's levels is finer than the next. Of 400 edits of photos that no benchmark uses
features alone align 0.87, with 6 levels of 1.3 0.85, at 1.9 against 2.5 ms CPU on a busy computer."""
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
        return _signs_of_bytes()[self.descriptors].reshape(len(self.descriptors), 256)


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
        # By two steps: halving takes two pixels of each side into account, and no time.
        half = cv2.resize(self.picture, self._part(2), interpolation=cv2.INTER_LINEAR)
        return np.asarray(
            cv2.resize(half, self._part(SMALL), interpolation=cv2.INTER_AREA), np.uint8
        )

    @functools.cached_property
    def half(self) -> Pixels:
        """(H / 2, W / 2) luma."""
        return np.asarray(
            cv2.resize(self.grey, self._part(2), interpolation=cv2.INTER_AREA), np.uint8
        )

    def _part(self, times: int) -> tuple[int, int]:
        width, height = self.size
        return max(1, round(width / times)), max(1, round(height / times))

    @functools.cached_property
    def turned(self) -> Floats:
        """The whole frame squashed and turned: (8, TINY * TINY).

        Counter-clockwise 0 to 3 times, then each of these mirrored.
        """
        return np.asarray(tiny([self.half])[0][_turns()], np.float32)

    @functools.cached_property
    def inner(self) -> tuple[Floats, Floats]:
        """Rectangles in it that may be another photo's whole frame, and those squashed."""
        return inner_frames(self.half)


def extract(grey: Pixels) -> Features:
    """Return the features of a grey picture."""
    size = np.array([grey.shape[1], grey.shape[0]], np.float32)
    # ORB halves a picture until nothing is left of a narrow one, and fails at that.
    if min(grey.shape) < PATCH:
        return _as_features((), None, size)
    for corner, enough in _CORNERS:
        found, descriptors = _detector(corner).detectAndCompute(grey, None)
        if len(found) >= enough:
            break
    return _as_features(found, descriptors, size)


def mirrored(grey: Pixels, features: Features) -> Features:
    """Return the strongest features of a picture as they are in its mirror image.

    Its corners are found already and only described anew, all but the finest.
    """
    coarse = np.flatnonzero(features.levels >= _COARSE)[:MIRRORED]
    if not len(coarse):
        return _as_features((), None, np.ones(2, np.float32))
    scale = FINER**_COARSE
    width, height = (max(1, round(side / scale)) for side in grey.shape[::-1])
    flipped = cv2.flip(cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR), 1)
    size = np.array([width, height], np.float32)
    x, y = (features.points[coarse] * size).T
    angles = (180 - features.angles[coarse]) % 360
    places = zip((width - 1 - x).tolist(), y.tolist(), strict=True)
    turns = zip(angles.tolist(), features.levels[coarse].tolist(), strict=True)
    found = [
        cv2.KeyPoint(*place, PATCH, angle, 0, level - _COARSE)
        for place, (angle, level) in zip(places, turns, strict=True)
    ]
    detector = _detector(_CORNERS[0][0], LEVELS - _COARSE)
    kept, descriptors = detector.compute(flipped, found)
    described = _as_features(kept, descriptors, size)
    # The last column of the smaller picture is further from the edge than that of the whole one.
    shift = np.array([1 / width - 1 / grey.shape[1], 0], np.float32)
    return replace(
        described, points=described.points + shift, levels=described.levels + np.uint8(_COARSE)
    )


@functools.cache
def _signs_of_bytes() -> Floats:
    """Return (256, 8): the bits of each byte, the highest first, as -1 and 1."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return bits * np.float32(2) - np.float32(1)


def _as_features(found: Sequence[cv2.KeyPoint], descriptors: Any, size: Floats) -> Features:  # noqa: ANN401
    if descriptors is None:
        nothing = np.zeros(0, np.float32)
        return Features(
            nothing.reshape(0, 2), np.zeros((0, 32), np.uint8), nothing, nothing.astype(np.uint8)
        )
    levels, strength, angles = zip(
        *((one.octave, one.response, one.angle) for one in found), strict=True
    )
    level = np.array(levels, np.uint8)
    order = _in_turn(level, np.array(strength, np.float32))
    return Features(
        (np.asarray(cv2.KeyPoint.convert(found), np.float32) / size)[order],
        descriptors[order],
        np.array(angles, np.float32)[order],
        level[order],
    )


def _in_turn(levels: Pixels, strength: Floats) -> NDArray[np.int64]:
    """Return the order in which the first of any number are the strongest of every level."""
    by_level = np.lexsort((-strength, levels))
    counts = np.bincount(levels)
    first = np.cumsum(counts) - counts
    place = np.arange(len(levels)) - np.repeat(first, counts)
    return by_level[np.argsort(place / np.repeat(counts, counts), kind="stable")]


@functools.cache
def _detector(corner: int, levels: int = LEVELS) -> Any:  # noqa: ANN401  its type has another name in each version
    modules: Any = cv2  # whose stubs do not name it
    return modules.ORB_create(
        nfeatures=KEYPOINTS,
        scaleFactor=FINER,
        nlevels=levels,
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
