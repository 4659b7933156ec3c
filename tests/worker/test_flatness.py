"""Pictures without structure are known as such, and others are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from twinlens_worker.flatness import is_flat

SIDES = (64, 96, 128, 224)


def _picture(side: int, kind: str) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    levels = {
        "black": np.zeros((side, side)),
        "white": np.full((side, side), 255.0),
        "sky": 180 + 60 * y,
        "vignetting": 150 - 120 * (x * x + y * y),
        "moon": np.where(x * x + y * y < 0.04**2, 220.0, 5.0),
        "horizon": np.where(y > 0, 90.0, 100.0),
        "texture": 128 + 20 * np.sin(40 * x) * np.cos(30 * y),
    }[kind]
    return np.repeat(levels[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", ["black", "white", "sky", "vignetting"])
@pytest.mark.parametrize("noise", [0, 3])
def test_plain_pictures_are_flat_whatever_the_noise(side: int, kind: str, noise: int):
    """Plain colour, gradient and vignetting are flat, with the noise that scaling down leaves."""
    grain = np.random.default_rng(1).normal(0, noise, (side, side, 3))
    assert is_flat((_picture(side, kind) + grain).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", ["moon", "horizon", "texture"])
def test_a_little_structure_is_enough(side: int, kind: str):
    """A moon in a black sky, a faint horizon and a texture are pictures."""
    assert not is_flat(_picture(side, kind))
