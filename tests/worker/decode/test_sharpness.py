"""Sharpness: a number by which the frames of a burst compare."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from twinlens_worker.decode.sharpness import sharpness


@pytest.fixture
def photo() -> Image.Image:
    """Blocks of many sizes and shades, 800 x 600."""
    numbers = np.random.default_rng(3)
    levels = np.zeros((600, 800), np.float32)
    for side in (4, 10, 25, 50, 100):
        blocks = numbers.uniform(-40, 40, (600 // side, 800 // side))
        levels += np.kron(blocks, np.ones((side, side)))
    return Image.fromarray((levels + 128).clip(0, 255).astype(np.uint8))


def test_a_blurred_frame_is_less_sharp(photo: Image.Image):
    """The wider the blur, the less."""
    frames = [photo, *(photo.filter(ImageFilter.GaussianBlur(r)) for r in (2, 4, 8))]
    found = [sharpness(frame) for frame in frames]
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[1]


def test_contrast_and_size_hardly_matter(photo: Image.Image):
    """A copy with more contrast is no sharper, nor is one in colour or larger."""
    weaker = photo.point(lambda level: level * 0.6)
    larger = photo.resize((1600, 1200), Image.Resampling.BICUBIC)
    for copy in (weaker, larger, photo.convert("RGB")):
        assert sharpness(copy) == pytest.approx(sharpness(photo), rel=0.15)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (320, 320)])
def test_a_picture_without_structure_is_not_sharp(size: tuple[int, int]):
    """Whatever its shape."""
    assert sharpness(Image.new("RGB", size, (90, 90, 90))) == 0.0
