"""Edits made by AugLy, the library behind the Image Similarity Challenge, with its own assets.

AugLy 1.0.0 is the newest release; two of its functions call what numpy 1.24 and Pillow 10 took
away, so those two callees are given back here (`_repair`); all that is drawn remains AugLy's.
"""

from __future__ import annotations

import functools
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import augly.image as augly
import numpy as np
from augly import utils
from augly.image import utils as image_utils
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.quality.edit import Kind
from benchmarks.quality.geometry import coefficients

PHRASES: Final = (
    "Best day ever",
    "Wish you were here",
    "no filter",
    "Sunday mood",
    "Look at this!",
)
TAGS: Final = ("#bestday", "#nofilter", "#SundayMood", "#travel", "LOOK!!")
"""AugLy's tables of characters have no blank."""
FONTS: Final = ("OpenSans-Bold", "Montserrat-Bold", "Lobster_1.3", "Pacifico", "Ubuntu-R")
LOGOS: Final = ("symbols", "alphanumeric", "flags")
STICKERS: Final = ("smileys", "animals_and_nature", "food_and_drink", "activity", "people")
LEAST_CAPTION: Final = 24
"""Pixels; AugLy shrinks its font by steps of 5 until the text fits, and needs room to start."""
FILTERS: Final = {
    "DETAIL": ImageFilter.DETAIL,
    "EDGE_ENHANCE_MORE": ImageFilter.EDGE_ENHANCE_MORE,
    "ModeFilter(7), like an oil painting": ImageFilter.ModeFilter(7),
}


def _augly(function: str, image: Image.Image, **settings: object) -> Image.Image:
    made = getattr(augly, function)(image, **settings)
    assert isinstance(made, Image.Image)
    return made


def _stretch(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    change = 1 + percent / 100
    ratio = image.width / image.height * (change if rng.random() < 0.5 else 1 / change)
    return _augly("change_aspect_ratio", image, ratio=ratio)


def _perspective(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    sigma = min(image.size) * percent / 100
    return _augly("perspective_transform", image, sigma=sigma, seed=int(rng.integers(2**31)))


def _sharpen(image: Image.Image, _rng: Generator, factor: float) -> Image.Image:
    return _augly("sharpen", image, factor=factor)


def _filter(image: Image.Image, _rng: Generator, name: str) -> Image.Image:
    return _augly("apply_pil_filter", image, filter_type=FILTERS[name])


def _pixelate(image: Image.Image, _rng: Generator, percent: int) -> Image.Image:
    return _augly("pixelization", image, ratio=percent / 100)


def _caption(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    colours = [((0, 0, 0), (255, 255, 255)), ((255, 255, 255), (0, 0, 0))]
    text, ground = colours[rng.integers(2)]
    return _augly(
        "meme_format",
        image,
        text=str(rng.choice(PHRASES)),
        caption_height=max(image.height * percent // 100, LEAST_CAPTION),
        text_color=text,
        meme_bg_color=ground,
    )


def _text(image: Image.Image, rng: Generator, amount: tuple[int, int]) -> Image.Image:
    lines, percent = amount
    font = Path(utils.FONTS_DIR, f"{rng.choice(FONTS)}.ttf")
    known = _characters(font)
    tags = [str(rng.choice(TAGS)) for _ in range(lines)]
    return _augly(
        "overlay_text",
        image,
        text=[[known[character] for character in tag] for tag in tags],
        font_file=str(font),
        font_size=max(percent / 100, 9 / min(image.size)),
        color=tuple(int(level) for level in rng.integers(0, 256, 3)),
        x_pos=float(rng.uniform(0.02, 0.25)),
        y_pos=float(rng.uniform(0.02, 0.9 - lines * percent / 100)),
    )


def _stickers(image: Image.Image, rng: Generator, amount: tuple[int, int]) -> Image.Image:
    count, percent = amount
    for _ in range(count):
        image = _overlaid(image, rng, STICKERS, percent / 100)
    return image


def _logo(image: Image.Image, rng: Generator, amount: tuple[int, int]) -> Image.Image:
    percent, opacity = amount
    return _overlaid(image, rng, LOGOS, percent / 100, opacity / 100, corner=True)


def _overlaid(
    image: Image.Image,
    rng: Generator,
    groups: tuple[str, ...],
    size: float,
    opacity: float = 1.0,
    *,
    corner: bool = False,
) -> Image.Image:
    files = [file for group in groups for file in _emoji(group)]
    right, bottom = max(1 - size * image.height / image.width, 0.0), 1 - size
    x, y = rng.integers(2, size=2) if corner else rng.uniform(size=2)
    return _augly(
        "overlay_emoji",
        image,
        emoji_path=str(files[rng.integers(len(files))]),
        emoji_size=size,
        opacity=opacity,
        x_pos=float(x * right),
        y_pos=float(y * bottom),
    )


def _screenshot(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    """AugLy's page of a phone or a browser, cut off again around the photo as people do."""
    template = str(rng.choice(["mobile.png", "web.png"]))
    with warnings.catch_warnings():
        # AugLy leaves its list of boxes open.
        warnings.simplefilter("ignore", ResourceWarning)
        page = _augly(
            "overlay_onto_screenshot",
            image,
            template_filepath=str(Path(utils.SCREENSHOT_TEMPLATES_DIR, template)),
        )
    box = np.array(_boxes()[template])
    cut = box + (np.array([0, 0, page.width, page.height]) - box) * percent / 100
    left, top, right, bottom = (int(edge) for edge in cut)
    return page.crop((left, top, right, bottom))


@functools.cache
def _boxes() -> dict[str, list[int]]:
    """Return where in each of AugLy's pages the photo goes: left, top, right, bottom."""
    boxes: dict[str, list[int]] = json.loads(Path(utils.BBOXES_PATH).read_text(encoding="ascii"))
    return boxes


@functools.cache
def _emoji(group: str) -> tuple[Path, ...]:
    return tuple(sorted(Path(utils.EMOJI_DIR, group).glob("*.png")))


@functools.cache
def _characters(font: Path) -> dict[str, int]:
    """Return the number that AugLy gives each character of a font."""
    numbers: list[int] = pickle.loads(font.with_suffix(".pkl").read_bytes())
    return {chr(code): number for number, code in enumerate(numbers)}


def _repair() -> None:
    """Give back `np.float` (used for perspective) and `getsize_multiline` (for captions)."""
    image_utils.compute_transform_coeffs = lambda corners, moved: coefficients(moved, corners)
    if not hasattr(ImageFont.FreeTypeFont, "getsize_multiline"):
        measure: Callable[..., Any] = _size_of_lines
        ImageFont.FreeTypeFont.getsize_multiline = measure  # type: ignore[attr-defined]


def _size_of_lines(font: ImageFont.FreeTypeFont, text: str) -> tuple[int, int]:
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    _, _, right, bottom = draw.multiline_textbbox((0, 0), text, font=font)
    return round(right), round(bottom)


_repair()

AUGLY: Final = (
    Kind("stretch", _stretch, (10, 30, 60), "one side {} % longer against the other"),
    Kind(
        "perspective", _perspective, (2, 5, 9), "corners moved, deviation {} % of the shorter side"
    ),
    Kind("sharpen", _sharpen, (3, 8, 20), "factor {}"),
    Kind(
        "edge filter",
        _filter,
        ("DETAIL", "EDGE_ENHANCE_MORE", "ModeFilter(7), like an oil painting"),
        "{}",
    ),
    Kind("pixelate", _pixelate, (60, 35, 20), "through {} % of each side"),
    Kind("caption", _caption, (12, 22, 38), "a band above, {} % of the height"),
    Kind("text", _text, ((1, 8), (2, 13), (3, 20)), "lines: {}, each {} % of the shorter side"),
    Kind("emoji", _stickers, ((1, 15), (1, 35), (3, 40)), "emojis: {}, each {} % of the height"),
    Kind(
        "logo", _logo, ((12, 50), (20, 75), (35, 100)), "{} % of the height, {} % opaque, a corner"
    ),
    Kind(
        "screenshot",
        _screenshot,
        (10, 50, 100),
        "a phone's or a browser's page, cut to {} % of what is round the photo",
    ),
)
