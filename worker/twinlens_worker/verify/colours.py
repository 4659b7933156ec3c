"""Colours of what two pictures both show: whether one change of tone explains the difference.

An edit of tone, a filter or grey changes equal colours equally, wherever they are. Another product from
the same spot, another frame in other light do not.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens_worker.verify.overlap import SIDE, Overlap
from twinlens_worker.verify.sketch import Floats, Pixels, Sketch
from twinlens_worker.verify.transform import Transform, scaled

CELLS: Final = 20
"""Places across, and as many down, at which colours are compared."""
LEAST_CELLS: Final = 24
NOISE: Final = 2.0
"""Levels by which equal colours differ."""
STRANGE: Final = 0.2
"""Share of the spread of colours by which one misses that counts half: stickers, captions."""
PULL: Final = 0.5
"""Pull of the unknowns towards none, where all is of one colour."""
SHARES: Final = (0.5, 0.9)
ROUNDS: Final = 3


def coloured(a: Sketch, b: Sketch, overlap: Overlap, transform: Transform) -> tuple[float, ...]:
    """Return what a change of tone misses, in shares of the spread of colours, 0 to about 2.

    Of places at the 50th and at the 90th percentile, the better of a by b and b by a first: from grey
    no colour can be told.
    """
    to_unit = np.linalg.inv(overlap.to_pixels) @ scaled(SIDE / CELLS, SIDE / CELLS)
    inside = _inside(overlap.mask)
    if inside.sum() < LEAST_CELLS:
        return (1.0,) * 4
    seen = [_seen(a, to_unit), _seen(b, transform @ to_unit)]
    first, second = _missed(np.stack([one[inside].T for one in seen]))
    better, worse = sorted((first, second))
    return (*better, *worse)


def _inside(mask: Pixels) -> NDArray[np.bool_]:
    """Return (CELLS, CELLS): the places of which both pictures show most."""
    if mask.all():  # as of whole frames
        return np.ones((CELLS, CELLS), bool)
    return np.asarray(cv2.resize(mask, (CELLS, CELLS), interpolation=cv2.INTER_AREA) > 200)


def _seen(sketch: Sketch, to_unit: Transform) -> Floats:
    """Return (CELLS, CELLS, 3) colours of a picture in the overlap's frame, of mean 0 and spread 1."""
    height, width = sketch.small.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    to_source = scaled(width, height) @ to_unit
    border = cv2.BORDER_REPLICATE
    return np.asarray(
        cv2.warpPerspective(
            sketch.small, to_source, (CELLS, CELLS), flags=flags, borderMode=border
        ),
        np.float32,
    )


def _missed(colours: Floats) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return what the best change of tone of the first to the second misses, and of the second to it.

    Takes (2, 3, N) colours, both ways at once; those that are missed far count less.
    """
    spread = colours.reshape(2, -1).std(axis=1)[:, None, None] + NOISE
    x = (colours - colours.mean(axis=2, keepdims=True)) / spread
    light = x.mean(axis=1, keepdims=True)
    basis = np.concatenate([np.ones_like(light), x, light * light], axis=1)
    turned, wanted = basis.transpose(0, 2, 1), x[::-1]
    pull = PULL * np.eye(basis.shape[1], dtype=np.float32)
    weighted = basis
    for _ in range(ROUNDS):
        unknown = np.linalg.solve(weighted @ turned + pull, weighted @ wanted.transpose(0, 2, 1))
        rest = wanted - unknown.transpose(0, 2, 1) @ basis
        miss = np.sqrt((rest * rest).mean(axis=1))
        weighted = basis * (1 / (1 + (miss / STRANGE) ** 2))[:, None]
    places = [int(share * (miss.shape[1] - 1)) for share in SHARES]
    (m0, n0), (m1, n1) = np.partition(miss, places, axis=1)[:, places].tolist()
    return (m0, n0), (m1, n1)
