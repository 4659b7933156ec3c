"""What the verifier's tests share: pictures with much to hold on to, drawn by chance."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from twinlens_worker.verify.sketch import Sketch

Scene = Callable[..., Image.Image]


def draw_scene(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Return a picture of many overlapping shapes, soft as a photo, the same for the same seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(c) for c in rng.integers(80, 200, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(120):
        x, y = rng.uniform(0, 1, 2) * size
        wide, high = rng.uniform(0.02, 0.15, 2) * max(size)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + wide, y + high), fill=colour)
    return image.filter(ImageFilter.GaussianBlur(1.2))


def saved(image: Image.Image, quality: int = 85) -> Image.Image:
    """Return what a JPEG of this quality leaves of a picture."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def sketched(image: Image.Image) -> Sketch:
    """Return a picture as the verifier sees it: its thumbnail."""
    small = image.copy()
    small.thumbnail((320, 320))
    pixels: NDArray[np.uint8] = np.asarray(saved(small, 80))[..., ::-1]
    return Sketch(np.ascontiguousarray(pixels))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    cv2.setNumThreads(1)
