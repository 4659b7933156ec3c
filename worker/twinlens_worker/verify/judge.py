"""Judging: how well two aligned pictures agree inside what both show.

Of one shot, after alignment: 1. blocks with structure correlate, whatever was done to the tone;
2. where something was laid over it, nothing explains the difference; 3. nothing has *moved*. Frames
of a burst differ by parts that moved by themselves: a local shift explains what the alignment did
not. So the remaining local motion is measured, and what it explains.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.align import Alignment, Transform
from twinlens_worker.verify.sketch import Sketch

SIDE: Final = 144
"""Side, in pixels, of the square to which an overlap is brought to be judged."""
BLOCK: Final = 9
"""Side of the blocks that are correlated, in pixels of the overlap."""
STEP: Final = 4
"""Distance of the blocks."""
LEAST_AREA: Final = 0.04
"""Share of a frame below which an overlap says nothing."""
LEAST_TEXTURE: Final = 3.0
"""Standard deviation, of 255 levels, from which a block has structure."""

EXPLAINED: Final = 0.6
"""Correlation, motion undone, from which the motion of a block is believed."""
STRANGE_BELOW: Final = 0.5
"""The same, below which nothing explains a block."""
NEAR: Final = 5
"""Blocks across that move together, or it was chance."""
NO_MOTION: Final = 50.0
"""Thousandths of motion that are said where no block's motion is believed."""

LEAST_BLOCKS: Final = 24
MOST_BLOCKS: Final = 200
"""Blocks that a rigid motion is fitted to."""
_LITTLE: Final = np.eye(8, dtype=np.float32) * 1e-3

REFINED_FROM: Final = 0.5
"""Pixels of motion as a whole from which the pictures are laid over one another anew."""

_GRID: Final = (slice(BLOCK // 2, None, STEP), slice(BLOCK // 2, None, STEP))

Floats = NDArray[np.float32]


class Blocks:
    """A picture by blocks: mean and spread of each, for one correlation or several."""

    def __init__(self, luma: Floats) -> None:
        self.luma = luma
        self.mean = _block_means(luma)
        self.variance = np.maximum(_block_means(luma * luma) - self.mean**2, 0)

    @property
    def spread(self) -> Floats:
        """Standard deviation of each block, in levels."""
        return np.sqrt(self.variance)

    def correlation(self, other: Blocks) -> Floats:
        """Return the correlation of each block with the same of another picture.

        Each is taken to have noise of one level, so that flat blocks tend to 0 and not to chance.
        """
        both = _block_means(self.luma * other.luma) - self.mean * other.mean
        return np.asarray(both / np.sqrt((self.variance + 1) * (other.variance + 1)), np.float32)


def _block_means(values: Floats) -> Floats:
    return np.asarray(cv2.blur(values, (BLOCK, BLOCK))[_GRID], np.float32)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What both pictures show, squashed into one square of SIDE pixels.

    One size for all: OpenCV's flow allocates anew for each other size, 7 ms where it needs 0.2.
    """

    a: Blocks
    b: Blocks
    """The same of b, laid over a."""
    mask: NDArray[np.uint8]
    """255 where both have a picture."""
    to_pixels: Transform
    """From a's unit square to pixels of this frame."""
    share_a: float
    """Share of a's frame that b shows, 0 to 1."""
    share_b: float
    fine: float
    """Real pixels of the coarser picture for each pixel here, at most 1."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was measured in an overlap. Block figures are over blocks that have structure."""

    share_a: float
    share_b: float
    transform: Transform
    """The alignment after its refinement."""
    distortion: float
    """By how much it stretches one way more than the other, as a logarithm; 0 for scale and turn."""
    fine: float
    """Real pixels of the coarser picture for each pixel of the overlap, at most 1."""
    blocks: int
    """How many blocks have structure."""
    places: int
    """How many blocks there are."""
    agreement: tuple[float, ...]
    """Correlation at the 10th, 25th and 50th percentile."""
    calm: tuple[float, ...]
    """The same at the 10th and 25th, away from what nothing explains: captions and stickers."""
    coarse: tuple[float, ...]
    """The same at half the size, at the 10th, 25th and 50th."""
    moved: float
    """Share of blocks that a local shift explains and the alignment does not."""
    unexplained: float
    """Share of blocks that nothing explains: what was laid over, or another picture."""
    disturbed: float
    """Share of blocks at or beside one that nothing explains: little more where such lie together."""
    motion: tuple[float, ...]
    """Remaining motion away from such, at the 50th, 75th and 90th percentile, in thousandths of the
    overlap's side."""
    agreeing: Floats
    """(SIDE / STEP, SIDE / STEP) correlation, NaN outside and where there is no structure."""


def judge(a: Sketch, b: Sketch, alignment: Alignment) -> Judgement | None:
    """Measure an alignment; None where what both show is too little to tell."""
    transform = alignment.transform
    overlap = lay_over(a, b, transform)
    if overlap is None:
        return None
    flow, rigid = _motion(overlap)
    if rigid is not None and float(np.abs(rigid).max()) > REFINED_FROM:
        transform = transform @ _in_unit(_as_homography(rigid), overlap.to_pixels)
        overlap = lay_over(a, b, transform)
        if overlap is None:
            return None
        flow, rigid = _motion(overlap)
    remaining = flow[_GRID] if rigid is None else flow[_GRID] - rigid
    return _measure(overlap, flow, remaining, transform, _distortion(a, b, transform))


def _motion(overlap: Overlap) -> tuple[Floats, Floats | None]:
    """Return the motion in an overlap, and by blocks the part of it that is a homography."""
    flow = local_motion(overlap)
    return flow, _rigid_part(flow, overlap)


def lay_over(a: Sketch, b: Sketch, transform: Transform) -> Overlap | None:
    """Bring both pictures into the frame of what both show."""
    inside = _common(transform)
    if inside is None:
        return None
    corners, share_a, share_b = inside
    low, high = corners.min(axis=0), corners.max(axis=0)
    to_pixels = np.diag([SIDE / (high[0] - low[0]), SIDE / (high[1] - low[1]), 1.0])
    to_pixels = to_pixels @ np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
    to_a = np.diag([*a.size, 1.0]) @ np.linalg.inv(to_pixels)
    to_b = np.diag([*b.size, 1.0]) @ transform @ np.linalg.inv(to_pixels)
    fine = min(1.0, *(_detail(s, m) for s, m in ((a, to_a), (b, to_b))))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    drawn = cv2.perspectiveTransform(corners[None].astype(np.float64), to_pixels)[0]
    cv2.fillConvexPoly(mask, np.round(drawn).astype(np.int32), 255)
    return Overlap(
        Blocks(_warped(a, to_a, fine)),
        Blocks(_warped(b, to_b, fine)),
        mask,
        to_pixels,
        share_a,
        share_b,
        fine,
    )


def _common(transform: Transform) -> tuple[NDArray[np.float32], float, float] | None:
    """Return the corners, in a, of what both show, and its share of a and of b."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    try:
        back = np.linalg.inv(transform)
    except np.linalg.LinAlgError:
        return None
    of_b = cv2.perspectiveTransform(square[None].astype(np.float64), back)[0].astype(np.float32)
    if not np.isfinite(of_b).all():
        return None
    area, corners = cv2.intersectConvexConvex(square, of_b)
    if corners is None or area < LEAST_AREA:
        return None
    corners = corners.reshape(-1, 2)
    there = cv2.perspectiveTransform(corners[None].astype(np.float64), transform)[0]
    area_b = cv2.contourArea(there.astype(np.float32))
    if area_b < LEAST_AREA:
        return None
    return corners, min(float(area), 1.0), min(float(area_b), 1.0)


def _detail(sketch: Sketch, to_source: Transform) -> float:
    """Return how many real pixels of a picture there are for each pixel of the overlap."""
    middle = SIDE / 2
    around = np.array([[middle, middle], [middle + 1, middle], [middle, middle + 1]])
    here, *beside = cv2.perspectiveTransform(around[None], to_source)[0]
    return float(min(np.hypot(*(one - here)) for one in beside)) * sketch.detail


def _warped(sketch: Sketch, to_source: Transform, fine: float) -> Floats:
    """Return the luma of a picture in the overlap's frame, no finer than ``fine``."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE
    warped = cv2.warpPerspective(
        sketch.grey, to_source, (SIDE, SIDE), flags=flags, borderMode=border
    )
    # One pixel of blur takes out what JPEG and the two scalings did; more where one is coarser.
    return np.asarray(cv2.GaussianBlur(warped, (0, 0), 0.7 / fine).astype(np.float32), np.float32)


def local_motion(overlap: Overlap) -> Floats:
    """Return (H, W, 2), by how many pixels each place of a is off in b."""
    first, second = _levelled(overlap.a.luma), _levelled(overlap.b.luma)
    return np.asarray(_flow().calc(first, second, None), np.float32)


def _levelled(luma: Floats) -> NDArray[np.uint8]:
    """Return luma with the light taken out, so that edits of tone are no motion."""
    mean = cv2.blur(luma, (25, 25))
    rest = luma - mean
    spread = np.sqrt(np.maximum(cv2.blur(rest * rest, (25, 25)), 0)) + 4.0
    return np.asarray(np.clip(128 + 50 * rest / spread, 0, 255), np.uint8)


@functools.cache
def _flow() -> Any:  # noqa: ANN401
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)


def _rigid_part(flow: Floats, overlap: Overlap) -> Floats | None:
    """Return by blocks the motion of the homography that most of the motion is.

    The motion of a plane is quadratic in x and y with eight unknowns (Longuet-Higgins, 1980); blocks
    that move otherwise lose their weight from round to round (Geman-McClure).
    """
    structured = np.minimum(overlap.a.spread, overlap.b.spread) > LEAST_TEXTURE
    good = (overlap.mask[_GRID] > 0) & structured
    basis = _plane()
    few = 1 + int(good.sum()) // MOST_BLOCKS
    rows = basis[good][::few]
    seen = flow[_GRID][good][::few]
    if len(seen) < LEAST_BLOCKS:
        return None
    flat, wanted = rows.reshape(-1, 8), seen.reshape(-1)
    weight = np.ones(len(wanted), np.float32)
    for tolerance in (3.0, 1.0, 0.4):
        weighted = flat.T * weight
        unknown = np.linalg.solve(weighted @ flat + _LITTLE, weighted @ wanted)
        miss = ((wanted - flat @ unknown) ** 2).reshape(-1, 2).sum(axis=1)
        weight = np.repeat((tolerance**2 / (tolerance**2 + miss)) ** 2, 2)
    return np.asarray(basis @ unknown, np.float32)


@functools.cache
def _plane() -> Floats:
    """Return (rows, columns, 2, 8): what each unknown adds to the motion of each block."""
    count = len(range(SIDE)[_GRID[0]])
    y, x = np.mgrid[-1 : 1 : count * 1j, -1 : 1 : count * 1j]
    one, none = np.ones_like(x), np.zeros_like(x)
    across = [one, x, y, none, none, none, x * x, x * y]
    down = [none, none, none, one, x, y, x * y, y * y]
    return np.stack([np.stack(across, -1), np.stack(down, -1)], axis=2).astype(np.float32)


def _as_homography(motion: Floats) -> Transform:
    """Return the homography that moves the corner blocks so."""
    rows, columns = motion.shape[0] - 1, motion.shape[1] - 1
    corners = [(0, 0), (0, columns), (rows, columns), (rows, 0)]
    here = np.array(
        [(c * STEP + BLOCK // 2, r * STEP + BLOCK // 2) for r, c in corners], np.float32
    )
    there = here + np.array([motion[corner] for corner in corners], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(here, there), np.float64)


def _distortion(a: Sketch, b: Sketch, transform: Transform) -> float:
    """Return the logarithms of the ratio of a transform's two scales and of its depths, together."""
    pixels = np.diag([*b.size, 1.0]) @ transform @ np.diag([1 / a.size[0], 1 / a.size[1], 1.0])
    depths = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * a.size @ pixels[2, :2] + pixels[2, 2]
    scales = np.linalg.svd(pixels[:2, :2], compute_uv=False)
    stretch = scales[0] / max(scales[1], 1e-9)
    return float(np.log(stretch) + np.log(depths.max() / max(depths.min(), 1e-9)))


def _in_unit(matrix: Transform, to_pixels: Transform) -> Transform:
    return np.linalg.inv(to_pixels) @ matrix @ to_pixels


def _measure(
    overlap: Overlap, flow: Floats, remaining: Floats, transform: Transform, distortion: float
) -> Judgement:
    a, b = overlap.a, overlap.b
    inner = cv2.erode(overlap.mask, _square(BLOCK), borderValue=0)[_GRID] > 0
    structured = inner & (np.maximum(a.spread, b.spread) > LEAST_TEXTURE)
    aligned = a.correlation(b)
    explained = a.correlation(Blocks(_moved(b.luma, flow)))
    strange = structured & (explained < STRANGE_BELOW)
    calm = structured & ~_beside(strange)
    motion = _coherent(remaining, calm & (explained > EXPLAINED)) * (1000 / SIDE)
    count = int(structured.sum())
    return Judgement(
        share_a=overlap.share_a,
        share_b=overlap.share_b,
        transform=transform,
        distortion=distortion,
        fine=overlap.fine,
        blocks=count,
        places=int(inner.sum()),
        agreement=_quantiles(aligned[structured], (0.1, 0.25, 0.5)),
        calm=_quantiles(aligned[calm], (0.1, 0.25)),
        coarse=_quantiles(_coarse(overlap), (0.1, 0.25, 0.5)),
        moved=float((calm & (explained - aligned > 0.15)).sum()) / max(count, 1),
        unexplained=float(strange.sum()) / max(count, 1),
        disturbed=1 - float(calm.sum()) / max(count, 1),
        motion=_quantiles(motion, (0.5, 0.75, 0.9), NO_MOTION),
        agreeing=np.where(structured, aligned, np.nan),
    )


def _beside(blocks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return blocks and those up to two beside them: what is laid over confuses the flow so far."""
    return cv2.dilate(blocks.astype(np.uint8), _square(5)) > 0


def _coarse(overlap: Overlap) -> Floats:
    """Return the correlations at half the size, where blur and noise count less."""
    halves = [
        cv2.resize(one, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
        for one in (overlap.a.luma, overlap.b.luma, overlap.mask)
    ]
    a, b = Blocks(halves[0]), Blocks(halves[1])
    inner = cv2.erode(halves[2], _square(BLOCK), borderValue=0)[_GRID] > 254
    return a.correlation(b)[inner & (np.maximum(a.spread, b.spread) > LEAST_TEXTURE)]


def _coherent(blocks: Floats, where: NDArray[np.bool_]) -> Floats:
    """Return how far blocks moved together with those around them, in pixels: chance cancels out."""
    weight = where.astype(np.float32)
    parts = [blocks[..., axis] * weight for axis in (0, 1)]
    near = cv2.blur(weight, (NEAR, NEAR))
    x, y = (cv2.blur(part, (NEAR, NEAR)) / np.maximum(near, 1e-6) for part in parts)
    return np.hypot(x, y)[where]


def _quantiles(
    values: Floats, shares: tuple[float, ...], without: float = 0.0
) -> tuple[float, ...]:
    if not len(values):
        return (without,) * len(shares)
    ordered = np.sort(values)
    return tuple(float(ordered[int(share * (len(ordered) - 1))]) for share in shares)


def _square(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), np.uint8)


def _moved(picture: Floats, flow: Floats) -> Floats:
    """Undo the local motion."""
    place = flow + _places()
    border = cv2.BORDER_REPLICATE
    return np.asarray(
        cv2.remap(picture, place, None, cv2.INTER_LINEAR, borderMode=border), np.float32
    )


@functools.cache
def _places() -> Floats:
    """Return (SIDE, SIDE, 2), x and y of each pixel."""
    return np.dstack(np.meshgrid(*2 * [np.arange(SIDE, dtype=np.float32)]))
