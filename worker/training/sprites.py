"""What people put on photos: captions, meme text, watermarks, emoji, and the screens around them."""

from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SIDE: Final = 128
WORDS: Final = (
    "when you see it the best day ever summer 2024 happy birthday me and my friends Monday again "
    "www.photo.example @user SALE 50% LOL so true lake house Rome holiday #nofilter (c) all rights"
).split()
Colour = tuple[int, int, int, int]


def overlays(count: int, seed: int) -> Tensor:
    """Return transparent pictures u8 (count, 4, SIDE, SIDE), RGBA, to lay over a photo."""
    rng = np.random.default_rng(seed)
    makers = (_caption_bar, _meme_text, _watermark, _emoji)
    return _stack([makers[number % len(makers)](rng) for number in range(count)])


def screens(count: int, seed: int) -> Tensor:
    """Return full pictures u8 (count, 3, SIDE, SIDE), RGB, like pages with text and buttons."""
    rng = np.random.default_rng(seed)
    return _stack([_screen(rng) for _ in range(count)])


def _stack(pictures: list[Image.Image]) -> Tensor:
    pixels = np.stack([np.asarray(picture) for picture in pictures])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    canvas = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    return canvas, ImageDraw.Draw(canvas)


def _caption_bar(rng: Generator) -> Image.Image:
    canvas, draw = _blank()
    height = int(rng.integers(12, 36))
    top = 0 if rng.random() < 0.5 else SIDE - height
    dark = rng.random() < 0.5
    draw.rectangle(
        (0, top, SIDE, top + height), fill=(0, 0, 0, 255) if dark else (255, 255, 255, 255)
    )
    ink = (255, 255, 255, 255) if dark else (0, 0, 0, 255)
    draw.text((4, top + 2), _phrase(rng, 5), fill=ink, font=_font(rng, 8, height * 0.7))
    return canvas


def _meme_text(rng: Generator) -> Image.Image:
    canvas, draw = _blank()
    for top in (2, SIDE - 26) if rng.random() < 0.6 else (int(rng.integers(0, 100)),):
        draw.text(
            (int(rng.integers(0, 20)), top), _phrase(rng, 3).upper(), font=_font(rng, 12, 26),
            fill=(255, 255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0, 255),
        )  # fmt: skip
    return canvas


def _watermark(rng: Generator) -> Image.Image:
    canvas, draw = _blank()
    colour: Colour = (*_colour(rng)[:3], int(rng.integers(60, 200)))
    for _ in range(int(rng.integers(1, 5))):
        left, top = (int(c) for c in rng.integers(0, 100, 2))
        draw.text((left, top), _phrase(rng, 2), fill=colour, font=_font(rng, 8, 30))
    return canvas.rotate(float(rng.uniform(-40, 40))) if rng.random() < 0.5 else canvas


def _emoji(rng: Generator) -> Image.Image:
    canvas, draw = _blank()
    for _ in range(int(rng.integers(1, 4))):
        radius = int(rng.integers(7, 28))
        x, y = (int(c) for c in rng.integers(radius, SIDE - radius, 2))
        box = (x - radius, y - radius, x + radius, y + radius)
        if rng.random() < 0.3:
            draw.regular_polygon((x, y, radius), int(rng.integers(3, 8)), fill=_colour(rng))
            continue
        draw.ellipse(box, fill=_colour(rng))
        eye, gap = max(radius // 6, 1), radius // 2
        for side in (-gap, gap):
            left, top = x + side - eye, y - gap - eye
            draw.ellipse((left, top, left + 2 * eye, top + 2 * eye), fill=(0, 0, 0, 255))
        draw.arc((x - gap, y - gap, x + gap, y + gap), 20, 160, fill=(0, 0, 0, 255), width=eye)
    return canvas


def _screen(rng: Generator) -> Image.Image:
    paper = (
        (255, 255, 255) if rng.random() < 0.5 else tuple(int(c) for c in rng.integers(0, 256, 3))
    )
    canvas = Image.new("RGB", (SIDE, SIDE), paper)
    draw = ImageDraw.Draw(canvas)
    ink = (0, 0, 0) if sum(paper) > 380 else (255, 255, 255)
    draw.rectangle((0, 0, SIDE, int(rng.integers(4, 20))), fill=_colour(rng)[:3])
    for top in range(18, SIDE, int(rng.integers(9, 18))):
        draw.text(
            (int(rng.integers(2, 60)), top), _phrase(rng, 4), fill=ink, font=_font(rng, 6, 12)
        )
    return canvas


def _phrase(rng: Generator, most: int) -> str:
    return " ".join(rng.choice(WORDS, int(rng.integers(1, most + 1))))


def _font(
    rng: Generator, smallest: float, largest: float
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=float(rng.uniform(smallest, max(largest, smallest + 1))))


def _colour(rng: Generator) -> Colour:
    red, green, blue = (int(c) for c in rng.integers(0, 256, 3))
    return red, green, blue, 255
