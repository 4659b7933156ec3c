"""Edits made by Pillow and numpy: saving, cropping, turning, toning, framing, writing on, filming.

None of the code that makes the training views is used here: a descriptor that knows only our own
sampling and our own JPEG would shine with those and fail outside.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from benchmarks.quality.edit import Kind, reencode
from benchmarks.quality.geometry import upright_window, warp

SMALLEST: Final = 16
"""Pixels; no edit leaves less of a side."""
MEMES: Final = (
    ("ONE DOES NOT SIMPLY", "TAKE ONE PHOTO"),
    ("ME: ONE MORE SHOT", "THE CARD: FULL"),
    ("NOBODY:", "ABSOLUTELY NOBODY:"),
    ("SUCH LIGHT", "VERY WOW"),
)


def _jpeg(image: Image.Image, _rng: Generator, quality: int) -> Image.Image:
    return reencode(image, quality)


def resized(image: Image.Image, share: float) -> Image.Image:
    """Scale both sides."""
    return image.resize((_side(image.width * share), _side(image.height * share)))


def _resize(image: Image.Image, _rng: Generator, percent: int) -> Image.Image:
    return resized(image, percent / 100)


def _crop(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    """Keep a share of the area, anywhere, its proportions up to a fifth wider or narrower."""
    ratio, share = np.exp(rng.uniform(-0.2, 0.2)), percent / 100
    width = min(_side(image.width * (share * ratio) ** 0.5), image.width)
    height = min(_side(image.height * (share / ratio) ** 0.5), image.height)
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _tilt(image: Image.Image, rng: Generator, degrees: int) -> Image.Image:
    """Straighten: half of them cropped to what is left whole, half with the corners filled."""
    angle = degrees * int(rng.choice([-1, 1]))
    fill = (255, 255, 255) if rng.random() < 0.5 else (0, 0, 0)
    turned = image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    if rng.random() < 0.5:
        return turned
    width, height = upright_window(image.width, image.height, degrees)
    left, top = (turned.width - width) // 2, (turned.height - height) // 2
    return turned.crop((left, top, left + width, top + height))


def _also(image: Image.Image, rng: Generator, also: str) -> Image.Image:
    """What is done on top of an edit that has no strength of its own."""
    if also == "alone":
        return image
    image = resized(image, 0.5)
    return image if also == "then half size" else _crop(image, rng, 80)


def _turn_90(image: Image.Image, rng: Generator, also: str) -> Image.Image:
    turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
    return _also(image.transpose(turns[rng.integers(2)]), rng, also)


def _turn_180(image: Image.Image, rng: Generator, also: str) -> Image.Image:
    return _also(image.transpose(Image.Transpose.ROTATE_180), rng, also)


def _mirror(image: Image.Image, rng: Generator, also: str) -> Image.Image:
    return _also(ImageOps.mirror(image), rng, also)


def _tone(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    """Brightness, contrast and saturation, each up or down by the percentage or a bit less."""
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        change = percent / 100 * rng.uniform(0.7, 1.0) * rng.choice([-1, 1])
        image = enhancer(image).enhance(1 + float(change))
    return image


def _cast(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    """A wrong white balance: red and blue gain and lose, or the other way round."""
    change = percent / 100 * int(rng.choice([-1, 1]))
    gains = np.array([1 + change, 1 + rng.uniform(-0.2, 0.2) * change, 1 - change])
    return _picture(np.asarray(image, np.float32) * gains)


def _grey(image: Image.Image, _rng: Generator, strength: tuple[str, float, float]) -> Image.Image:
    _, colour, contrast = strength
    return ImageEnhance.Contrast(ImageEnhance.Color(image).enhance(colour)).enhance(contrast)


def _filter(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    """A photo app's filter: two-tone tint, lifted blacks, dark corners, blended in."""
    looks = (((40, 26, 13), (255, 240, 192)), ((0, 20, 60), (255, 230, 200)))
    dark, light = looks[rng.integers(len(looks))]
    tinted = Image.blend(image, ImageOps.colorize(image.convert("L"), dark, light), 0.8)
    faded = np.asarray(tinted, np.float32) * 0.85 + 30
    y, x = np.mgrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j]
    filtered = _picture(faded * (1 - 0.25 * (x**2 + y**2))[..., None])
    return Image.blend(image, filtered, percent / 100)


def _blur(image: Image.Image, _rng: Generator, percent: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) * percent / 100))


def _noise(image: Image.Image, rng: Generator, levels: int) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    return _picture(pixels + rng.normal(0, levels, pixels.shape))


def _border(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    colours = ((255, 255, 255), (0, 0, 0), tuple(int(level) for level in rng.integers(0, 256, 3)))
    width = max(round(max(image.size) * percent / 100), 1)
    return ImageOps.expand(image, width, colours[rng.integers(3)])


def _story(image: Image.Image, _rng: Generator, percent: int) -> Image.Image:
    """Upright 9:16, as in a story: the photo in the middle of its own blurred enlargement."""
    width, height = image.width, max(image.width * 16 // 9, image.height)
    ground = ImageOps.fit(image, (width, height)).filter(ImageFilter.GaussianBlur(width / 25))
    inner = resized(image, percent / 100)
    ground.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return ground


def _meme(image: Image.Image, rng: Generator, percent: int) -> Image.Image:
    """White capitals with a black outline at the top and the bottom, narrowed to the width."""
    image = image.copy()
    for text, bottom in zip(MEMES[rng.integers(len(MEMES))], (False, True), strict=True):
        size = image.height * percent / 100
        size *= min(1.0, 0.96 * image.width / _length(text, size))
        top = image.height - 1.35 * size if bottom else 0.1 * size
        left = max((image.width - _length(text, size)) / 2, 0)
        write(image, text, (left, top), size, "white", outline=max(round(size / 14), 1))
    return image


def _watermark(image: Image.Image, rng: Generator, amount: tuple[str, int]) -> Image.Image:
    """A see-through name: in a corner, across the middle, or all over."""
    where, percent = amount
    layer = Image.new("L", image.size, 0)
    size = max(min(image.size) / {"a corner": 14, "the middle": 6, "all over": 9}[where], 8)
    text = str(rng.choice(["(c) J. Miller", "SAMPLE", "stockphoto.example"]))
    length = _length(text, size)
    if where == "a corner":
        spots = [(max(image.width - length - size, 0), image.height - 1.6 * size)]
    elif where == "the middle":
        spots = [((image.width - length) / 2, (image.height - size) / 2)]
    else:
        rows = np.arange(0, image.height, 2.5 * size)
        spots = [
            (x + (row % 2) * length / 2 - length / 2, float(y))
            for row, y in enumerate(rows)
            for x in np.arange(0, image.width + length, 1.3 * length)
        ]
    for spot in spots:
        write(layer, text, spot, size, 255)
    opaque = layer.point([level * percent // 100 for level in range(256)])
    return Image.composite(Image.new("RGB", image.size, "white"), image, opaque)


def _photographed(image: Image.Image, rng: Generator, amount: tuple[int, int, int]) -> Image.Image:
    """A screen photographed: bezel, moire, keystone, glare and the camera's own exposure."""
    bezel, moire, keystone = (percent / 100 for percent in amount)
    framed = ImageOps.expand(
        _moire(image, rng, moire), round(max(image.size) * bezel), (12, 12, 14)
    )
    width, height = framed.size
    inwards = rng.uniform(0.2, 1.0, (4, 2)) * keystone * np.array([width, height])
    signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    edges = np.array([(0, 0), (width, 0), (width, height), (0, height)])
    corners = [(float(x), float(y)) for x, y in edges + signs * inwards]
    seen = np.asarray(warp(framed, corners, (70, 66, 60)), np.float32)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    centre = rng.uniform(0, 1, 2)
    glare = 150 * moire * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 0.05)
    exposed = _picture((seen + glare[..., None]) * rng.uniform(0.85, 1.1))
    return exposed.filter(ImageFilter.GaussianBlur(max(image.size) / 500))


def _moire(image: Image.Image, rng: Generator, depth: float) -> Image.Image:
    """Bands of the two grids of pixels, screen's and camera's, a little apart in each colour."""
    y, x = np.mgrid[0 : image.height, 0 : image.width]
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 16)
    across = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
    bend = 1.5 * np.sin(2 * np.pi * y / image.height + rng.uniform(0, 6))
    bands = np.stack([np.sin(across * (1 + 0.04 * channel) + bend) for channel in range(3)], axis=2)
    return _picture(np.asarray(image, np.float32) * (1 + depth * bands))


def write(
    canvas: Image.Image,
    text: str,
    spot: tuple[float, float],
    size: float,
    colour: str | int,
    outline: int = 0,
) -> None:
    """Write in Pillow's own font, which looks the same on every computer."""
    ImageDraw.Draw(canvas).text(
        spot, text, fill=colour, font=_font(size), stroke_width=outline, stroke_fill="black"
    )


def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=max(size, 6.0))
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _length(text: str, size: float) -> float:
    return _font(size).getlength(text)


def _side(pixels: float) -> int:
    return max(round(pixels), SMALLEST)


def _picture(pixels: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


ALSO: Final = ("alone", "then half size", "then half size and a crop to 80 %")
OWN: Final = (
    Kind("jpeg", _jpeg, (75, 30, 5), "quality {}", resaved=False),
    Kind("resize", _resize, (75, 50, 25), "to {} % of each side"),
    Kind("crop", _crop, (80, 50, 30), "to {} % of the area, anywhere"),
    Kind("tilt", _tilt, (2, 5, 8), "{}°, corners filled or cut off"),
    Kind("turn 90", _turn_90, ALSO, "{}"),
    Kind("turn 180", _turn_180, ALSO, "{}"),
    Kind("mirror", _mirror, ALSO, "{}"),
    Kind("tone", _tone, (15, 30, 50), "brightness, contrast, saturation each up to ±{} %"),
    Kind("colour cast", _cast, (8, 16, 30), "red and blue ±{} %"),
    Kind(
        "grey",
        _grey,
        (("half the colour", 0.5, 1.0), ("no colour", 0.0, 1.0), ("no colour, hard", 0.0, 1.6)),
        "{}: saturation x{}, contrast x{}",
    ),
    Kind("filter", _filter, (35, 65, 100), "tint, fade and vignette at {} %"),
    Kind("blur", _blur, (0.3, 0.7, 1.4), "Gaussian, radius {} % of the longer side"),
    Kind("noise", _noise, (8, 18, 35), "Gaussian, {} levels"),
    Kind("border", _border, (3, 8, 18), "{} % of the longer side, all round"),
    Kind("story", _story, (100, 80, 60), "on 9:16 of its own blur, {} % wide"),
    Kind("meme text", _meme, (8, 12, 18), "two lines of {} % of the height"),
    Kind(
        "watermark",
        _watermark,
        (("a corner", 35), ("the middle", 45), ("all over", 55)),
        "{}, {} % opaque",
    ),
    Kind(
        "photo of a screen",
        _photographed,
        ((1, 5, 4), (4, 10, 8), (10, 20, 14)),
        "bezel {} %, moire ±{} %, corners moved by up to {} %",
    ),
)
