"""Edited copies to measure with: what people do to photos, made by Pillow from whole photos.

On purpose none of the code that makes the training views (`augment`) is used here: a descriptor
that only knows our own sampling and our own JPEG would shine with those and fail outside.
"""

import io
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Edit = Callable[[Image.Image, Generator], Image.Image]


def reencode(image: Image.Image, quality: int) -> Image.Image:
    """Return what a JPEG of this quality leaves of the picture."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def _jpeg(image: Image.Image, rng: Generator) -> Image.Image:
    return reencode(image, int(rng.integers(5, 30)))


def _small(image: Image.Image, _rng: Generator) -> Image.Image:
    return image.resize((max(image.width // 4, 16), max(image.height // 4, 16)))


def _crop(share: float) -> Edit:
    def edit(image: Image.Image, rng: Generator) -> Image.Image:
        ratio = np.exp(rng.uniform(-0.2, 0.2))
        width = min(int(image.width * (share * ratio) ** 0.5), image.width)
        height = min(int(image.height * (share / ratio) ** 0.5), image.height)
        left = int(rng.integers(0, image.width - width + 1))
        top = int(rng.integers(0, image.height - height + 1))
        return image.crop((left, top, left + width, top + height))

    return edit


def _tilt(image: Image.Image, rng: Generator) -> Image.Image:
    angle = float(rng.uniform(2, 12) * rng.choice([-1, 1]))
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=bool(rng.random() < 0.5))


def _turn_90(image: Image.Image, rng: Generator) -> Image.Image:
    turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
    return image.transpose(turns[rng.integers(2)])


def _turn_180(image: Image.Image, _rng: Generator) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_180)


def _mirror(image: Image.Image, _rng: Generator) -> Image.Image:
    return ImageOps.mirror(image)


def _tone(image: Image.Image, rng: Generator) -> Image.Image:
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhancer(image).enhance(float(rng.uniform(0.5, 1.6)))
    return image


def _grey(image: Image.Image, _rng: Generator) -> Image.Image:
    return image.convert("L").convert("RGB")


def _filter(image: Image.Image, rng: Generator) -> Image.Image:
    dark, light = (
        ((40, 26, 13), (255, 240, 192)) if rng.random() < 0.5 else ((0, 20, 60), (255, 230, 200))
    )
    tinted = ImageOps.colorize(image.convert("L"), dark, light)
    return Image.blend(image, tinted, float(rng.uniform(0.5, 1.0)))


def _blur(image: Image.Image, rng: Generator) -> Image.Image:
    reach = max(image.size) / 100
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.5) * reach)))


def _noise(image: Image.Image, rng: Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    grainy = pixels + rng.normal(0, rng.uniform(10, 40), pixels.shape)
    return Image.fromarray(grainy.clip(0, 255).astype(np.uint8))


def _border(image: Image.Image, rng: Generator) -> Image.Image:
    width = int(max(image.size) * rng.uniform(0.04, 0.2))
    return ImageOps.expand(image, width, tuple(int(c) for c in rng.integers(0, 256, 3)))


def _caption(image: Image.Image, rng: Generator) -> Image.Image:
    band = int(image.height * rng.uniform(0.1, 0.3))
    canvas = Image.new("RGB", (image.width, image.height + band), "white")
    canvas.paste(image, (0, band))
    _write(canvas, "when the light is just right", (4, 2), band * 0.6, "black")
    return canvas


def _meme(image: Image.Image, _rng: Generator) -> Image.Image:
    image = image.copy()
    size = image.height * 0.13
    _write(image, "ONE DOES NOT SIMPLY", (4, 2), size, "white", outline=2)
    _write(image, "TAKE ONE PHOTO", (4, image.height - 1.4 * size), size, "white", outline=2)
    return image


def _sticker(image: Image.Image, rng: Generator) -> Image.Image:
    image = image.copy()
    draw = ImageDraw.Draw(image)
    radius = min(image.size) * rng.uniform(0.1, 0.22)
    x, y = rng.uniform(radius, image.width - radius), rng.uniform(radius, image.height - radius)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 210, 60))
    draw.chord(
        (x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2), 0, 180, fill="black"
    )
    return image


def _screenshot(image: Image.Image, rng: Generator) -> Image.Image:
    width = int(image.width * rng.uniform(1.0, 1.3))
    height = int(image.height * rng.uniform(1.4, 2.0))
    canvas = Image.new("RGB", (width, height), "white" if rng.random() < 0.5 else (18, 18, 20))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, width, height * 0.07), fill=(60, 90, 150))
    canvas.paste(image, ((width - image.width) // 2, int((height - image.height) * 0.4)))
    _write(canvas, "@someone  2 h  like  share", (6, height * 0.9), height * 0.05, (120, 120, 120))
    return canvas


def _photographed(image: Image.Image, rng: Generator) -> Image.Image:
    """A screen photographed at an angle."""
    width, height = image.size
    inset = rng.uniform(0, 0.15, 8) * np.tile([width, height], 4)
    left, top, right, bottom = -inset[0], -inset[1], width + inset[2], height + inset[3]
    quad = (left, -inset[4], inset[5], bottom, right, height + inset[6], width - inset[7], top)
    warped = image.transform(image.size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
    return _tone(warped, rng)


def _several(image: Image.Image, rng: Generator) -> Image.Image:
    for edit in (_crop(0.6), _tone, _meme if rng.random() < 0.5 else _sticker, _small):
        image = edit(image, rng)
    return image


EDITS: Final[dict[str, Edit]] = {
    "jpeg 5-30": _jpeg,
    "resize 25 %": _small,
    "crop 80 %": _crop(0.8),
    "crop 50 %": _crop(0.5),
    "crop 30 %": _crop(0.3),
    "tilt 2-12": _tilt,
    "turn 90": _turn_90,
    "turn 180": _turn_180,
    "mirror": _mirror,
    "tone": _tone,
    "grey": _grey,
    "filter": _filter,
    "blur": _blur,
    "noise": _noise,
    "border": _border,
    "caption": _caption,
    "meme": _meme,
    "sticker": _sticker,
    "screenshot": _screenshot,
    "photographed": _photographed,
    "several": _several,
}
"""Name to edit; a percentage after "crop" is the share of the area that is left."""


def edited(image: Image.Image, kind: str, rng: Generator) -> Image.Image:
    """Return an edited copy, saved as a JPEG like any edited photo that gets around."""
    return reencode(EDITS[kind](image, rng), int(rng.integers(60, 90)))


def _write(
    canvas: Image.Image,
    text: str,
    spot: tuple[float, float],
    size: float,
    colour: str | tuple[int, int, int],
    outline: int = 0,
) -> None:
    font = ImageFont.load_default(size=max(size, 6.0))
    ImageDraw.Draw(canvas).text(
        spot, text, fill=colour, font=font, stroke_width=outline, stroke_fill="black"
    )
