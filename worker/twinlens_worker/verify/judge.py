"""Judging: how well two aligned pictures agree inside what both show.

Of one shot, after alignment: 1. blocks with structure correlate, whatever was done to the tone;
2. where something was laid over it, nothing explains the difference; 3. nothing has *moved*. Frames
of a burst differ by parts that moved by themselves: a local shift explains what the alignment did
not. So the remaining local motion is measured, and what it explains. Other things of one shape
agree by blocks as well: 4. features that are smaller than those match, in place, in copies only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.align import Alignment
from twinlens_worker.verify.colours import coloured
from twinlens_worker.verify.matches import Both, Held
from twinlens_worker.verify.motion import LEAST_TEXTURE, as_homography, motion, undone
from twinlens_worker.verify.overlap import BLOCK, GRID, SIDE, Blocks, Overlap, lay_over
from twinlens_worker.verify.sketch import Floats, Pixels
from twinlens_worker.verify.transform import CORNERS, Transform, in_pixels

REFINED_FROM: Final = 0.5
"""Pixels of motion as a whole from which the pictures are laid over one another anew."""
EXPLAINED: Final = 0.6
"""Correlation, motion undone, from which the motion of a block is believed."""
SHIFTED: Final = 0.15
"""By how much a block correlates more once its motion is undone, if it moved."""
STRANGE_BELOW: Final = 0.5
"""The same, below which nothing explains a block."""
LITTLE: Final = 0.3
"""Correlation of a block that is more than chance."""
AGREEING: Final = 0.75
"""Share of blocks that correlate at all, without which two pictures are of two things."""
WELL: Final = (0.7, 0.9)
"""Correlations of blocks that agree, whatever was laid over others."""
NEAR: Final = 5
"""Blocks across that move together, or it was chance."""
NO_MOTION: Final = 50.0
"""Thousandths of motion that are said where no block's motion is believed."""


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
    """Share of blocks that a local shift explains and the alignment does not, away from such."""
    unexplained: float
    """Share of blocks that nothing explains: what was laid over, or another picture."""
    disturbed: float
    """Share of blocks at or beside one that nothing explains: little more where such lie together."""
    motion: tuple[float, ...]
    """Remaining motion away from such, at the 50th and 90th percentile, in thousandths of the
    overlap's side."""
    all_moved: float
    """Share of blocks as in ``moved``, those beside what nothing explains among them."""
    all_motion: tuple[float, ...]
    """Remaining motion with those: what moves far is not explained at its edges."""
    jitter: tuple[float, ...]
    """How far blocks move beside those around them, at the 50th and 90th percentile, in thousandths:
    what of the motion is chance."""
    gained: tuple[float, ...]
    """By how much blocks correlate more once motion is undone, at the 50th and 90th percentile."""
    well: tuple[float, ...]
    """Share of blocks that correlate to each of WELL."""
    coloured: tuple[float, ...]
    """What one change of tone leaves unexplained of colours, the better way round, then the other."""
    held: Held
    """How well local features match where the alignment takes them."""
    agreeing: Floats
    """(SIDE / STEP, SIDE / STEP) correlation, NaN outside and where there is no structure."""


@dataclass(frozen=True, slots=True)
class _Laid:
    """Two pictures laid over one another, and the motion that remains."""

    transform: Transform
    overlap: Overlap
    flow: Floats
    rigid: Floats | None
    """The part of the motion, by blocks, that a homography is."""


def judge(both: Both, alignment: Alignment) -> Judgement | None:
    """Measure an alignment; None where what both show is too little to tell."""
    a, b, transform = both.a, both.b, alignment.transform
    overlap = lay_over(a, b, transform)
    if overlap is None or not _has_something(overlap):
        return None
    flow, rigid = motion(overlap)
    is_off = rigid is not None and _is_off(rigid, overlap)
    if rigid is not None and is_off:
        transform = transform @ _in_unit(as_homography(rigid), overlap.to_pixels)
        overlap = lay_over(a, b, transform)
    if overlap is None or not _agrees(overlap):
        return None
    if is_off:
        flow, rigid = motion(overlap)
    return _measured(both, _Laid(transform, overlap, flow, rigid))


def _is_off(rigid: Floats, overlap: Overlap) -> bool:
    """Tell whether blocks that have structure are off; what lies beside them is extrapolated."""
    structured = (overlap.mask[GRID] > 0) & (overlap.a.spread > LEAST_TEXTURE)
    return bool(structured.any()) and float(np.abs(rigid[structured]).max()) > REFINED_FROM


def _has_something(overlap: Overlap) -> bool:
    """Tell whether a quarter of the blocks agree a little: else the alignment is wrong altogether."""
    values = _correlations(overlap)
    return bool((values > LITTLE).mean() > 0.25) if len(values) else True


def _agrees(overlap: Overlap) -> bool:
    """Tell whether all but few blocks agree more than not, once the alignment is refined.

    Of two things 29 in 100 alignments do not, of 9,291 edits that are found 5: all-over watermarks. What
    is measured then takes half of what judging costs.
    """
    values = _correlations(overlap)
    return bool((values > 0).mean() > AGREEING) if len(values) else True


def _correlations(overlap: Overlap) -> Floats:
    structured = (overlap.mask[GRID] > 0) & (overlap.a.spread > LEAST_TEXTURE)
    return overlap.a.correlation(overlap.b)[structured]


def _distortion(pixels: Transform, size: tuple[int, int]) -> float:
    """Return the logarithms of the ratio of a transform's two scales and of its depths, together."""
    depths = CORNERS * size @ pixels[2, :2] + pixels[2, 2]
    scales = np.linalg.svd(pixels[:2, :2], compute_uv=False)
    stretch = scales[0] / max(scales[1], 1e-9)
    return float(np.log(stretch) + np.log(max(depths.max(), 1e-9) / max(depths.min(), 1e-9)))


def _in_unit(matrix: Transform, to_pixels: Transform) -> Transform:
    return np.linalg.inv(to_pixels) @ matrix @ to_pixels


def _measured(both: Both, laid: _Laid) -> Judgement:
    overlap, flow = laid.overlap, laid.flow
    a, b = overlap.a, overlap.b
    remaining = flow[GRID] if laid.rigid is None else flow[GRID] - laid.rigid
    inner = cv2.erode(overlap.mask, _square(BLOCK), borderValue=0)[GRID] > 0
    structured = inner & (np.maximum(a.spread, b.spread) > LEAST_TEXTURE)
    aligned = a.correlation(b)
    explained = a.correlation(Blocks(undone(b.luma, flow)))
    strange = structured & (explained < STRANGE_BELOW)
    calm = structured & ~_beside(strange)
    shifted = structured & (explained - aligned > SHIFTED)
    believed = structured & (explained > EXPLAINED)
    together, all_together = (_smooth(remaining, one) for one in (calm & believed, believed))
    count = max(int(structured.sum()), 1)
    return Judgement(
        share_a=overlap.share_a,
        share_b=overlap.share_b,
        transform=laid.transform,
        distortion=_distortion(in_pixels(both.a, both.b, laid.transform), both.a.size),
        fine=overlap.fine,
        blocks=int(structured.sum()),
        places=int(inner.sum()),
        agreement=_quantiles(aligned[structured], (0.1, 0.25, 0.5)),
        calm=_quantiles(aligned[calm], (0.1, 0.25)),
        coarse=_quantiles(_coarse(overlap), (0.1, 0.25, 0.5)),
        well=tuple(float((aligned[structured] > least).sum()) / count for least in WELL),
        moved=float((calm & shifted).sum()) / count,
        unexplained=float(strange.sum()) / count,
        disturbed=1 - float(calm.sum()) / count,
        motion=_moved(together, calm & believed),
        jitter=_moved(remaining - together, calm & believed),
        gained=_quantiles((explained - aligned)[calm], (0.5, 0.9)),
        all_moved=float(shifted.sum()) / count,
        all_motion=_moved(all_together, believed),
        coloured=coloured(both.a, both.b, overlap, laid.transform),
        held=both.held(laid.transform),
        agreeing=np.where(structured, aligned, np.nan),
    )


def _beside(blocks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return blocks and those up to two beside them: what is laid over confuses the flow so far."""
    return np.asarray(cv2.dilate(blocks.astype(np.uint8), _square(5)) > 0)


def _coarse(overlap: Overlap) -> Floats:
    """Return the correlations at half the size, where blur and noise count less."""
    halves = [
        cv2.resize(one, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
        for one in (overlap.a.luma, overlap.b.luma, overlap.mask)
    ]
    a, b = (Blocks(np.asarray(half, np.float32)) for half in halves[:2])
    inner = cv2.erode(halves[2], _square(BLOCK), borderValue=0)[GRID] > 254
    return a.correlation(b)[inner & (np.maximum(a.spread, b.spread) > LEAST_TEXTURE)]


def _smooth(blocks: Floats, where: NDArray[np.bool_]) -> Floats:
    """Return how far blocks moved together with those around them: chance cancels out."""
    weight = where.astype(np.float32)
    near = np.maximum(cv2.blur(weight, (NEAR, NEAR)), 1e-6)
    return np.asarray(cv2.blur(blocks * weight[..., None], (NEAR, NEAR)) / near[..., None])


def _moved(motion: Floats, where: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return how far half and nine in ten of the blocks move, in thousandths of the overlap's side."""
    lengths = np.asarray(np.hypot(*motion[where].T) * (1000 / SIDE), np.float32)
    return _quantiles(lengths, (0.5, 0.9), NO_MOTION)


def _quantiles(
    values: Floats, shares: tuple[float, ...], without: float = 0.0
) -> tuple[float, ...]:
    if not len(values):
        return (without,) * len(shares)
    ordered = np.sort(values)
    return tuple(float(ordered[int(share * (len(ordered) - 1))]) for share in shares)


def _square(side: int) -> Pixels:
    return np.ones((side, side), np.uint8)
