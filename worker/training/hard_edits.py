"""More edits, for fitting the verifier: what covers much, cuts edges anew, or puts a photo on a page."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from training.edits import EDITS, reencode

Edit = Callable[[Image.Image, Generator], Image.Image]
WORDS: Final = (
    "summer light friends forever hello world city trip love good vibes only 2019 wow".split()
)


def _sharp(image: Image.Image, rng: Generator) -> Image.Image:
    radius, percent = rng.uniform(0.5, 2.5), int(np.exp(rng.uniform(np.log(150), np.log(1500))))
    return image.filter(ImageFilter.UnsharpMask(radius, percent, 0))


def _painted(image: Image.Image, rng: Generator) -> Image.Image:
    way = rng.integers(4)
    if way == 0:
        return image.filter(ImageFilter.MedianFilter(int(rng.choice([3, 5, 7]))))
    if way == 1:
        return image.filter(ImageFilter.RankFilter(5, int(rng.integers(6, 19))))
    if way == 2:
        edges = image.filter(ImageFilter.FIND_EDGES)
        return ImageChops.add(image, edges, scale=float(rng.uniform(1.0, 2.0)))
    return ImageOps.posterize(image, int(rng.integers(2, 4)))


def _coarse(image: Image.Image, rng: Generator) -> Image.Image:
    share = rng.uniform(0.15, 0.6)
    small = image.resize((max(int(image.width * share), 8), max(int(image.height * share), 8)))
    return small.resize(image.size, Image.Resampling.NEAREST)


def _stretched(image: Image.Image, rng: Generator) -> Image.Image:
    change = float(np.exp(rng.uniform(-0.5, 0.5)))
    return image.resize((max(int(image.width * change), 16), image.height))


def _harsh(image: Image.Image, rng: Generator) -> Image.Image:
    grey = ImageEnhance.Color(image).enhance(float(rng.choice([0.0, 0.0, 0.4])))
    return ImageEnhance.Contrast(grey).enhance(float(rng.uniform(1.3, 2.5)))


def _curve(image: Image.Image, rng: Generator) -> Image.Image:
    gamma, offset = np.exp(rng.uniform(-0.8, 0.8)), rng.uniform(-40, 40)
    scales = np.exp(rng.normal(0, 0.25, 3))
    levels = 255 * (np.arange(256) / 255) ** gamma + offset
    return image.point([int(np.clip(v * s, 0, 255)) for s in scales for v in levels])


def _colour(rng: Generator) -> tuple[int, int, int]:
    red, green, blue = (int(c) for c in rng.integers(0, 256, 3))
    return red, green, blue


def _letters(image: Image.Image, rng: Generator) -> Image.Image:
    image = image.copy()
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 5))):
        size = max(image.height * float(rng.uniform(0.06, 0.28)), 6.0)
        text = " ".join(str(word) for word in rng.choice(WORDS, int(rng.integers(1, 4))))
        spot = (rng.uniform(-0.1, 0.5) * image.width, rng.uniform(0, 1) * image.height - size / 2)
        draw.text(
            spot,
            text.upper() if rng.random() < 0.5 else text,
            fill=_colour(rng),
            font=ImageFont.load_default(size=size),
            stroke_width=int(rng.integers(0, 1 + int(size / 12) + 1)),
            stroke_fill=_colour(rng),
        )
    return image


def _shapes(image: Image.Image, rng: Generator) -> Image.Image:
    """Stickers: several, with something drawn inside each, some half seen through."""
    base = image.convert("RGB")
    layer = base.copy()
    draw = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(1, 5))):
        side = base.height * rng.uniform(0.12, 0.45)
        x, y = rng.uniform(0, 1, 2) * (np.array(base.size) - side / 2)
        draw.ellipse((x, y, x + side, y + side), fill=_colour(rng), outline=_colour(rng))
        for _ in range(int(rng.integers(1, 6))):
            cx, cy = x + rng.uniform(0.15, 0.7) * side, y + rng.uniform(0.15, 0.7) * side
            part = side * rng.uniform(0.08, 0.3)
            shape = draw.ellipse if rng.random() < 0.6 else draw.rectangle
            shape((cx, cy, cx + part, cy + part), fill=_colour(rng))
    return Image.blend(base, layer, 1.0 if rng.random() < 0.75 else float(rng.uniform(0.4, 0.8)))


def _tiled(image: Image.Image, rng: Generator) -> Image.Image:
    """A word all over, half seen through."""
    layer = image.copy()
    draw = ImageDraw.Draw(layer)
    size = max(image.height * float(rng.uniform(0.05, 0.15)), 6.0)
    font, word, colour = ImageFont.load_default(size=size), str(rng.choice(WORDS)), _colour(rng)
    step = size * float(rng.uniform(1.3, 3.0))
    for row, y in enumerate(np.arange(0, image.height, step)):
        for x in np.arange(-(row % 2) * step, image.width, step + 0.6 * size * len(word)):
            draw.text((float(x), float(y)), word, fill=colour, font=font)
    return Image.blend(image, layer, float(rng.uniform(0.2, 0.7)))


def _on_itself(image: Image.Image, rng: Generator) -> Image.Image:
    """In the middle of its own soft enlargement, as phones show what does not fill the screen."""
    shape = float(rng.choice([0.5, 0.5625, 0.8, 1.0, 1.6]))
    width = max(image.width, int(image.height * shape))
    height = max(int(width / shape), image.height)
    ground = image.resize((width, height)).filter(ImageFilter.BoxBlur(width / rng.uniform(15, 50)))
    ground = ImageEnhance.Brightness(ground).enhance(float(rng.uniform(0.5, 1.1)))
    share = float(rng.uniform(0.5, 1.0))
    inner = image.resize((max(int(image.width * share), 8), max(int(image.height * share), 8)))
    ground.paste(
        inner, ((width - inner.width) // 2, int((height - inner.height) * rng.uniform(0.3, 0.6)))
    )
    return ground


def _page(image: Image.Image, rng: Generator) -> Image.Image:
    """A page of an app or a site: bars, round heads, lines of text, other pictures, the photo."""
    share = float(np.exp(rng.uniform(np.log(0.4), np.log(0.95))))
    shape = float(np.exp(rng.uniform(np.log(0.45), np.log(1.9))))
    width = max(int(image.width / share), int(image.height * 1.1 * shape))
    height = max(int(width / shape), int(image.height * 1.1))
    dark = rng.random() < 0.35
    page = Image.new("RGB", (width, height), (20, 20, 24) if dark else (250, 250, 250))
    draw = ImageDraw.Draw(page)
    unit = max(width, height) / 40
    for _ in range(int(rng.integers(5, 30))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        grey = int(rng.integers(60, 200))
        match int(rng.integers(4)):
            case 0:
                draw.ellipse((x, y, x + 3 * unit, y + 3 * unit), fill=_colour(rng))
            case 1:
                font = ImageFont.load_default(size=max(unit, 6.0))
                draw.text((x, y), " ".join(rng.choice(WORDS, 3)), fill=(grey,) * 3, font=font)
            case 2:
                draw.rectangle((0, y, width, y + rng.uniform(0.05, 2) * unit), fill=(grey,) * 3)
            case _:
                side = unit * rng.uniform(3, 8)
                draw.rectangle((x, y, x + side, y + side * 0.7), fill=_colour(rng))
    left, top = (
        int(rng.uniform(0, big - small)) for big, small in zip(page.size, image.size, strict=True)
    )
    if rng.random() < 0.4:  # letterboxed
        bar = int(image.width * rng.uniform(0.05, 0.4)) * int(rng.integers(2))
        draw.rectangle(
            (
                left - bar,
                top - unit * int(rng.integers(0, 3)),
                left + image.width + bar,
                top + image.height,
            ),
            fill="black",
        )
    page.paste(image, (left, top))
    return page


def _leaning(image: Image.Image, rng: Generator) -> Image.Image:
    width, height = image.size
    moved = rng.normal(0, rng.uniform(0.01, 0.07) * min(image.size), 8)
    quad = np.array([0, 0, 0, height, width, height, width, 0]) + moved
    return image.transform(image.size, Image.Transform.QUAD, tuple(quad), Image.Resampling.BICUBIC)


def _turned_crop(image: Image.Image, rng: Generator) -> Image.Image:
    turns = (
        Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_270,
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.TRANSPOSE,
    )
    return EDITS["crop 80 %"](image.transpose(turns[rng.integers(5)]), rng)


HARD: Final[dict[str, Edit]] = {
    "sharp": _sharp,
    "painted": _painted,
    "coarse": _coarse,
    "stretched": _stretched,
    "harsh": _harsh,
    "curve": _curve,
    "letters": _letters,
    "shapes": _shapes,
    "tiled": _tiled,
    "on itself": _on_itself,
    "page": _page,
    "leaning": _leaning,
    "turned crop": _turned_crop,
}
ALL: Final = EDITS | HARD


def edited(image: Image.Image, kind: str, rng: Generator) -> Image.Image:
    """Return an edited copy, saved as a JPEG like any edited photo that gets around."""
    return reencode(ALL[kind](image, rng), int(rng.integers(40, 92)))
