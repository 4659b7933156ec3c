"""Perspective for pictures: eight coefficients from four corners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Point = tuple[float, float]


def coefficients(target: Sequence[Point], source: Sequence[Point]) -> NDArray[np.float64]:
    """Return what `Image.transform(PERSPECTIVE)` needs to bring `source` corners to `target`.

    Pillow asks for the map from output to input: x' = (ax + by + c) / (gx + hy + 1), and so for y'.
    """
    rows = []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    wanted = np.asarray(source, np.float64).reshape(-1)
    return np.asarray(np.linalg.solve(np.asarray(rows, np.float64), wanted), np.float64)


def warp(
    image: Image.Image, corners: Sequence[Point], fill: tuple[int, int, int] = (0, 0, 0)
) -> Image.Image:
    """Bring the picture's corners, clockwise from the upper left, to these places in its frame."""
    width, height = image.size
    own: list[Point] = [(0, 0), (width, 0), (width, height), (0, height)]
    data = coefficients(corners, own).tolist()
    return image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        data,
        Image.Resampling.BICUBIC,
        fillcolor=fill,
    )


def upright_window(width: int, height: int, degrees: float) -> tuple[int, int]:
    """Return the size of the largest centred window of the same shape inside a tilted picture."""
    angle = np.radians(abs(degrees))
    long, short = max(width, height), min(width, height)
    shrink = short / (long * np.sin(angle) + short * np.cos(angle))
    return max(int(width * shrink), 1), max(int(height * shrink), 1)
