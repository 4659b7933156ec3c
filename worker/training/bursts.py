"""Two frames of a burst, made from one photo: the camera moves a little, parts of the scene move more.

Stands in for real bursts, of which there are none to train on: depth is a smooth field, what moves
are shapes with sharp edges. Nothing here moves less than two thousandths of the picture: nobody misses
such a frame, and copies saved at low quality look no different.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

EDGE: Final = 0.06
"""Share of the longest side cut off all round, where a frame shows what the photo does not."""
Field = NDArray[np.float32]


def frames(photo: Image.Image, rng: Generator) -> tuple[Image.Image, Image.Image]:
    """Return two frames of one moment."""
    first = np.asarray(photo.convert("RGB"))
    height, width = first.shape[:2]
    shift = _motion(height, width, rng)
    place = _grid(height, width) + shift
    second = cv2.remap(first, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    cut = int(EDGE * max(height, width))
    inside = (slice(cut, height - cut), slice(cut, width - cut))
    return _exposed(first[inside], rng), _exposed(second[inside], rng)


def _motion(height: int, width: int, rng: Generator) -> Field:
    """Return (H, W, 2), where in the photo each pixel of the second frame is from, less itself."""
    longest = max(height, width)
    steadiness = float(rng.choice([0.0, 1.0, 3.0], p=[0.3, 0.4, 0.3]))  # tripod, hand, panning
    shift = _camera(height, width, steadiness, rng)
    if steadiness or rng.random() < 0.3:
        shift += _depth(height, width, rng) * _between(0.003, 0.015, rng) * longest
    for _ in range(rng.integers(0 if steadiness else 1, 5)):
        _move_part(shift, rng)
    return shift


def _camera(height: int, width: int, steadiness: float, rng: Generator) -> Field:
    grid = _grid(height, width)
    if not steadiness:
        return np.zeros_like(grid)
    longest = max(height, width)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    middle = corners.mean(axis=0)
    angle, zoom = rng.normal(0, 0.008 * steadiness), np.exp(rng.normal(0, 0.01 * steadiness))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (corners - middle) @ turn.T + middle + rng.normal(0, 0.01 * steadiness * longest, 2)
    moved += rng.normal(0, 0.003 * steadiness * longest, (4, 2))
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    there: Any = cv2.perspectiveTransform(grid.reshape(1, -1, 2), matrix)
    return np.asarray(there.reshape(height, width, 2) - grid, np.float32)


def _depth(height: int, width: int, rng: Generator) -> Field:
    coarse = rng.normal(size=(*(2 * [int(rng.integers(3, 9))]), 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 0.7)


def _move_part(shift: Field, rng: Generator) -> None:
    """Move a part of the scene with an uneven outline, in place."""
    height, width = shift.shape[:2]
    longest = max(height, width)
    centre = np.array([rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height], np.float32)
    away = _grid(height, width) - centre
    round_ = np.arctan2(away[..., 1], away[..., 0])
    waves = 0.25 * np.sin(3 * round_ + rng.uniform(0, 6)) + 0.15 * np.sin(5 * round_)
    inside = np.hypot(*away.transpose(2, 0, 1)) < rng.uniform(0.06, 0.3) * longest * (1 + waves)
    angle, far = rng.uniform(0, 2 * np.pi), _between(0.006, 0.06, rng) * longest
    turn = rng.normal(0, 0.05) * away[..., ::-1] * np.array([-1, 1], np.float32)
    step = np.array([np.cos(angle), np.sin(angle)], np.float32) * far
    shift[inside] += (turn + step)[inside].astype(np.float32)


def _exposed(pixels: NDArray[np.uint8], rng: Generator) -> Image.Image:
    """Return a frame with its own light and its own noise."""
    light = pixels * np.exp(rng.normal(0, 0.03)) + rng.normal(0, 2)
    grainy = light + rng.normal(0, rng.uniform(0, 4), pixels.shape)
    return Image.fromarray(grainy.clip(0, 255).astype(np.uint8))


def _between(low: float, high: float, rng: Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _grid(height: int, width: int) -> Field:
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.dstack(np.meshgrid(columns, rows))
