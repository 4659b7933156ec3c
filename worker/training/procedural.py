"""Pictures made of nothing: dead leaves over 1/f textures, as many as wanted, from a seed.

Dead leaves (Lee, Mumford and Huang, "Occlusion models for natural images", 2001) share the edge
and scale statistics of photos; Baradad et al., "Learning to see by looking at noise" (2021), train
on them. They cost no data, and a network that saw them tells apart pictures that no photo set has.
"""

from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.photos import STORED, PhotoSet

TEXTURES: Final = 48
Picture = NDArray[np.float32]


def generate(count: int, seed: int) -> PhotoSet:
    """Return `count` pictures that depend only on the seed."""
    rng = np.random.default_rng(seed)
    textures = [_texture(rng) for _ in range(TEXTURES)]
    pixels = np.stack([_picture(rng, textures) for _ in range(count)])
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    names = tuple(f"procedural-{seed}-{number}" for number in range(count))
    return PhotoSet(planes, torch.ones(count), names)


def _picture(rng: Generator, textures: list[Picture]) -> NDArray[np.uint8]:
    background = _coloured(rng, textures)
    canvas = Image.fromarray(background)
    _drop_leaves(rng, ImageDraw.Draw(canvas))
    grain = _rolled(rng, textures)[..., None] * rng.uniform(0, 50)
    grainy: Picture = np.asarray(canvas, np.float32) + grain
    return grainy.clip(0, 255).astype(np.uint8)


def _drop_leaves(rng: Generator, draw: ImageDraw.ImageDraw) -> None:
    """Cover the canvas with shapes whose radii follow the power law r^-3 of natural scenes."""
    palette = _palette(rng)
    smallest = rng.uniform(2, 8)
    for _ in range(int(rng.integers(5, 140))):
        radius = min(smallest / (1 - rng.random()) ** 0.5, STORED / 3)
        colour = tuple(
            (palette[rng.integers(len(palette))] + rng.normal(0, 12, 3)).clip(0, 255).astype(int)
        )
        x, y = rng.uniform(0, STORED, 2)
        stretch = rng.uniform(0.4, 1.0)
        box = (x - radius, y - radius * stretch, x + radius, y + radius * stretch)
        kind = rng.integers(4)
        if kind == 0:
            draw.ellipse(box, fill=colour)
        elif kind == 1:
            draw.rectangle(box, fill=colour)
        elif kind == 2:
            draw.line((box[0], box[1], box[2], box[3]), fill=colour, width=int(rng.integers(1, 6)))
        else:
            draw.polygon(_polygon(rng, x, y, radius), fill=colour)


def _polygon(rng: Generator, x: float, y: float, radius: float) -> list[tuple[float, float]]:
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
    reach = radius * rng.uniform(0.5, 1.0, len(angles))
    return list(zip(x + reach * np.cos(angles), y + reach * np.sin(angles), strict=True))


def _palette(rng: Generator) -> NDArray[np.float64]:
    """A few colours around one hue, as a scene under one light has them."""
    base = rng.uniform(20, 235, 3)
    return (base + rng.normal(0, rng.uniform(20, 90), (int(rng.integers(3, 10)), 3))).clip(0, 255)


def _coloured(rng: Generator, textures: list[Picture]) -> NDArray[np.uint8]:
    """A 1/f texture between two colours."""
    weight = (_rolled(rng, textures)[..., None] * 0.4 + 0.5).clip(0, 1)
    dark, light = rng.uniform(0, 255, (2, 3))
    return np.asarray(weight * light + (1 - weight) * dark, np.uint8)


def _rolled(rng: Generator, textures: list[Picture]) -> Picture:
    shift = tuple(int(step) for step in rng.integers(0, STORED, 2))
    return np.roll(textures[rng.integers(len(textures))], shift, (0, 1))


def _texture(rng: Generator) -> Picture:
    """Noise with amplitude spectrum f^-a, a between 0.7 and 1.8, of unit variance."""
    across = np.fft.fftfreq(STORED)
    frequency = np.hypot(across[:, None], across[None, :])
    frequency[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.normal(size=(STORED, STORED))) * frequency ** -rng.uniform(0.7, 1.8)
    spectrum[0, 0] = 0.0
    texture = np.fft.ifft2(spectrum).real
    return np.asarray(texture / texture.std(), np.float32)
