"""What lies around a photo in a larger picture: more of the scene, or what was put around it.

A crop's outline is nothing in the photo that it was cut from. A border, a page or the photo beside it
in a collage begins with an edge that runs along the whole outline.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.sketch import Sketch
from twinlens_worker.verify.transform import CORNERS, Points, Transform, apply, scaled

CONTINUED: Final = "continued"
"""The scene goes on: one is a crop."""
BORDER: Final = "border"
CAPTION: Final = "caption"
INSET: Final = "inset"
"""On a page, in a story, beside another photo."""
DOUBTFUL: Final = "doubtful"
"""One exact colour, and no edge: a white page around a photo on white, or a photo on white of which
one is a crop. Of 60 photos, many on white, 4 to 6 are such on a page, and 20 of 113 crops."""

FLAT: Final = 0.5
"""Share of one colour from which what was added around a picture is no picture itself."""
PLAIN: Final = 0.97
"""The same from which it has nothing written on it."""
COLOUR_BIN: Final = 16
"""Levels within which two colours are one."""
LEAST: Final = 0.01
"""Share of the picture below which nothing can be said of what lies around."""
ACROSS: Final = 3.0
"""Pixels before and behind an outline whose colours are compared: alignments miss by one or two."""
BESIDE: Final = 9.0
"""Pixels from the outline of the two lines that it is compared with."""
STEP: Final = 16.0
"""Levels, of 255, by which two places differ where there is an edge."""
EDGED: Final = 0.6
"""Share of an outline that is edge where something was put around a photo."""
MORE: Final = 0.3
"""By how much more of it is edge than of the lines beside it: leaves are edges everywhere."""
EXACT: Final = 1.5
"""Levels by which half of a border varies at most; a sky varies more."""
ALONG: Final = 64
"""Places on each side of an outline."""


def surroundings(picture: Sketch, to_this: Transform) -> str:
    """Return what lies around a photo in a larger picture: one of the five above.

    ``to_this`` takes the photo's unit square to where it lies in the picture.
    """
    outside = _outside(picture, to_this)
    if outside.mean() < LEAST:
        return CONTINUED
    share, varies = _one_colour(picture.picture[outside].astype(int))
    is_put_there = varies < EXACT and (
        share >= PLAIN or (share >= FLAT and _is_band(picture, to_this))
    )
    if not is_put_there and not _is_edged(picture, to_this):
        return DOUBTFUL if share >= FLAT and varies < EXACT else CONTINUED
    if share < FLAT:
        return INSET
    return BORDER if share >= PLAIN else CAPTION


def _outside(picture: Sketch, to_this: Transform) -> NDArray[np.bool_]:
    shown = apply(scaled(*picture.size) @ to_this, CORNERS)
    inside = np.zeros(picture.grey.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.round(shown).astype(np.int32), 1)
    return np.asarray(cv2.dilate(inside, np.ones((7, 7), np.uint8)) == 0)


def _one_colour(colours: NDArray[np.int64]) -> tuple[float, float]:
    """Return the share of the commonest colour, and by how many levels that varies."""
    bins = (colours // COLOUR_BIN) @ (1, 16, 256)
    common = np.median(colours[bins == np.bincount(bins).argmax()], axis=0)
    off = np.abs(colours - common)
    near = (off < COLOUR_BIN).all(axis=1)
    return float(near.mean()), float(np.median(off[near].max(axis=1)))


def _is_band(picture: Sketch, to_this: Transform) -> bool:
    """Tell whether it lies at one side of the photo: few crop so, but captions are there."""
    corners = _outline(to_this, picture, BESIDE).reshape(4, ALONG, 2)
    middles = corners[:, ALONG // 2]
    return int(((middles > 0) & (middles < 1)).all(axis=1).sum()) == 1


def _is_edged(picture: Sketch, to_this: Transform) -> bool:
    """Tell whether an edge runs along the outline, and not beside it."""
    soft = cv2.blur(picture.picture, (3, 3)).astype(np.float32)
    within, here, beyond = (
        _edge_at(soft, picture, to_this, away) for away in (-BESIDE, 0.0, BESIDE)
    )
    return here >= EDGED and here - min(within, beyond) >= MORE


def _edge_at(soft: NDArray[np.float32], picture: Sketch, to_this: Transform, away: float) -> float:
    """Return the share that is edge of the outline grown by so many pixels, where it is inside."""
    size = np.array(picture.size)
    before, behind = (_outline(to_this, picture, away + side * ACROSS) * size for side in (-1, 1))
    seen = ((behind >= 0) & (behind <= size - 1) & (before >= 0) & (before <= size - 1)).all(axis=1)
    if not seen.any():
        return 0.0
    colours = [soft[y, x] for x, y in (p[seen].astype(int).T for p in (before, behind))]
    return float((np.abs(colours[0] - colours[1]).max(axis=1) > STEP).mean())


def _outline(to_this: Transform, picture: Sketch, away: float) -> Points:
    """Return places along the outline, so many pixels outside, in the unit square."""
    corners = apply(scaled(*picture.size) @ to_this, CORNERS)
    after = np.roll(corners, -1, axis=0)
    along = (after - corners) / np.maximum(np.linalg.norm(after - corners, axis=1), 1e-9)[:, None]
    out = np.stack([along[:, 1], -along[:, 0]], axis=1)
    middle = corners.mean(axis=0)
    if ((corners - middle) * out).sum() < 0:  # a mirrored one runs the other way
        out = -out
    steps = np.linspace(0.04, 0.96, ALONG)[None, :, None]
    places = corners[:, None] + steps * (after - corners)[:, None] + away * out[:, None]
    return np.asarray(places.reshape(-1, 2) / picture.size, np.float64)
