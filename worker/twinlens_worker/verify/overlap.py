"""What two aligned pictures both show, laid over one another in one small square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from twinlens_worker.verify.sketch import Floats, Pixels, Sketch
from twinlens_worker.verify.transform import CORNERS, Points, Transform, apply, scaled

SIDE: Final = 128
"""Side, in pixels, of the square to which an overlap is brought to be judged."""
BLOCK: Final = 9
"""Side of the blocks that are correlated, in pixels of the overlap."""
STEP: Final = 4
"""Distance of the blocks."""
COARSEST: Final = 0.1
"""Real pixels for each pixel of an overlap, below which blurring more helps no further."""
LEAST_AREA: Final = 0.04
"""Share of a frame below which an overlap says nothing."""

GRID: Final = (slice(BLOCK // 2, None, STEP), slice(BLOCK // 2, None, STEP))
"""Takes the middles of the blocks from pixels."""


class Blocks:
    """A picture by blocks: mean and spread of each, for one correlation or several."""

    def __init__(self, luma: Floats) -> None:
        self.luma = luma
        self.mean = _block_means(luma)
        self.variance = np.maximum(_block_means(luma * luma) - self.mean**2, 0)

    @property
    def spread(self) -> Floats:
        """Standard deviation of each block, in levels."""
        return np.asarray(np.sqrt(self.variance), np.float32)

    def correlation(self, other: Blocks) -> Floats:
        """Return the correlation of each block with the same of another picture.

        Each is taken to have noise of one level, so that flat blocks tend to 0 and not to chance.
        """
        both = _block_means(self.luma * other.luma) - self.mean * other.mean
        return np.asarray(both / np.sqrt((self.variance + 1) * (other.variance + 1)), np.float32)


def _block_means(values: Floats) -> Floats:
    return np.asarray(cv2.blur(values, (BLOCK, BLOCK))[GRID], np.float32)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What both pictures show, squashed into one square of SIDE pixels.

    One size for all: OpenCV's flow allocates anew for each other size, 7 ms where it needs 0.2.
    """

    a: Blocks
    b: Blocks
    """The same of b, laid over a."""
    mask: Pixels
    """255 where both have a picture."""
    to_pixels: Transform
    """From a's unit square to pixels of this frame."""
    share_a: float
    """Share of a's frame that b shows, 0 to 1."""
    share_b: float
    fine: float
    """Real pixels of the coarser picture for each pixel here, at most 1."""


def lay_over(a: Sketch, b: Sketch, transform: Transform) -> Overlap | None:
    """Bring both pictures into the frame of what both show."""
    inside = _common(transform)
    if inside is None:
        return None
    corners, share_a, share_b = inside
    low, high = corners.min(axis=0), corners.max(axis=0)
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
    to_pixels = scaled(SIDE / (high[0] - low[0]), SIDE / (high[1] - low[1])) @ shift
    to_a = scaled(*a.size) @ np.linalg.inv(to_pixels)
    to_b = scaled(*b.size) @ transform @ np.linalg.inv(to_pixels)
    fine = min(1.0, *(_detail(s, m) for s, m in ((a, to_a), (b, to_b))))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(mask, np.round(apply(to_pixels, corners)).astype(np.int32), 255)
    return Overlap(
        Blocks(_warped(a, to_a, fine)),
        Blocks(_warped(b, to_b, fine)),
        mask,
        to_pixels,
        share_a,
        share_b,
        fine,
    )


def _common(transform: Transform) -> tuple[Points, float, float] | None:
    """Return the corners, in a, of what both show, and its share of a and of b."""
    try:
        of_b = apply(np.linalg.inv(transform), CORNERS).astype(np.float32)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(of_b).all():
        return None
    area, found = cv2.intersectConvexConvex(CORNERS.astype(np.float32), of_b)
    if area < LEAST_AREA:
        return None
    corners = np.asarray(found, np.float64).reshape(-1, 2)
    area_b = float(cv2.contourArea(apply(transform, corners).astype(np.float32)))
    return (corners, min(area, 1.0), min(area_b, 1.0)) if area_b >= LEAST_AREA else None


def _detail(sketch: Sketch, to_source: Transform) -> float:
    """Return how many real pixels of a picture there are for each pixel of the overlap."""
    middle = SIDE / 2
    around = np.array([[middle, middle], [middle + 1, middle], [middle, middle + 1]])
    here, *beside = apply(to_source, around)
    step = min(float(np.hypot(*(one - here))) for one in beside)
    return float(max(COARSEST, step * sketch.detail))


def _warped(sketch: Sketch, to_source: Transform, fine: float) -> Floats:
    """Return the luma of a picture in the overlap's frame, no finer than ``fine``."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE
    warped = cv2.warpPerspective(
        sketch.grey, to_source, (SIDE, SIDE), flags=flags, borderMode=border
    )
    # One pixel of blur takes out what JPEG and the two scalings did; more where one is coarser.
    return np.asarray(cv2.GaussianBlur(warped, (0, 0), 0.7 / fine).astype(np.float32), np.float32)
