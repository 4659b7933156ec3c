"""Made photos: as much work for a decoder as a camera's, the same each time, from nothing.

A picture is dead leaves (discs that hide each other, radii by a power law: Lee, Mumford and Huang,
"Occlusion models for natural images", 2001) under a 1/f texture, with the noise of a sensor
(variance of the signal plus a constant). Saved at quality 92, 12 megapixels take just under 5 MB.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageDraw

TWELVE_MEGAPIXELS = (4000, 3000)
HUNDRED_MEGAPIXELS = (11600, 8700)
QUALITY = 92
"""As cameras save at their best setting."""
PHONE_QUALITY = 80
"""Gives the 0.2 to 0.25 bytes a pixel that the phone photos of ianare/exif-samples have."""
ORIENTATIONS = (1, 6, 3, 8)

_VERSION = 2
"""Counted up when the pictures change, so that cached ones are made anew."""

_TILE = 1024
_SMALLEST_LEAF, _LARGEST_LEAF = 6.0, 700.0
_LEAVES_PER_MEGAPIXEL = 700
_TEXTURE, _READ_NOISE, _SHOT_NOISE = 11.0, 1.5, 0.03


def cache_folder() -> Path:
    """Return the folder that keeps made photos between runs; it can be thrown away."""
    folder = Path(tempfile.gettempdir()) / f"twinlens-benchmarks-{_VERSION}"
    folder.mkdir(exist_ok=True)
    return folder


def camera_photos(
    count: int, size: tuple[int, int] = TWELVE_MEGAPIXELS, quality: int = QUALITY
) -> list[Path]:
    """Return ``count`` different JPEGs with EXIF, all four usual orientations among them."""
    return [
        _kept(
            f"camera-{size[0]}x{size[1]}-{quality}-{seed}.jpg",
            partial(_save, seed=seed, size=size, quality=quality),
        )
        for seed in range(count)
    ]


def hundred_megapixels(kind: str, size: tuple[int, int] = HUNDRED_MEGAPIXELS) -> Path:
    """Return a large photo: ``baseline``, ``progressive`` (JPEG), ``png`` or ``tiff``."""
    suffix = "jpg" if kind in {"baseline", "progressive"} else kind
    name = f"large-{kind}-{size[0]}x{size[1]}.{suffix}"
    return _kept(name, partial(_save_large, kind=kind, size=size))


def small_photos(folder: Path, count: int, size: tuple[int, int] = (640, 480)) -> None:
    """Fill a folder with different small JPEGs: windows of larger pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    source: Image.Image | None = None
    for number in range(count):
        if number % 100 == 0:
            source = picture(1000 + number, (2000, 1500))
        assert source is not None
        width = int(random.integers(500, 1200))
        height = width * 3 // 4
        left = int(random.integers(0, source.width - width))
        top = int(random.integers(0, source.height - height))
        window = source.crop((left, top, left + width, top + height))
        window.resize(size, Image.Resampling.BICUBIC).save(
            folder / f"small-{number:05}.jpg", quality=88
        )


def copies_that_differ(sources: Sequence[Path], folder: Path, count: int) -> None:
    """Fill a folder with ``count`` files, the sources in turn, no two with the same bytes.

    The bytes that make the difference follow the end of the picture: decoders ignore them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        source = sources[number % len(sources)]
        target = folder / f"photo-{number:05}{source.suffix}"
        target.write_bytes(source.read_bytes() + b"copy %08d" % number)


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    """Return a made picture, the same for the same seed and size."""
    random = np.random.default_rng(seed)
    pixels = np.asarray(_dead_leaves(random, size)).astype(np.float32)
    pixels += _TEXTURE * _tiled(_pink_tile(random), size)[..., None]
    variance = _READ_NOISE**2 + _SHOT_NOISE * pixels[..., 1].clip(0, 255)
    noise = random.standard_normal((size[1], size[0]), dtype=np.float32)
    pixels += (noise * np.sqrt(variance))[..., None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _dead_leaves(random: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    canvas = Image.new("RGB", size, (110, 120, 130))
    draw = ImageDraw.Draw(canvas)
    count = max(200, size[0] * size[1] * _LEAVES_PER_MEGAPIXEL // 1_000_000)
    # Inverse of the cumulative distribution of a density that falls as r^-3.
    low, high = _SMALLEST_LEAF**-2, min(_LARGEST_LEAF, size[0] / 4) ** -2
    radii = (low - random.random(count) * (low - high)) ** -0.5
    for radius in radii:
        x, y = random.random(2) * size
        colour = tuple(int(value) for value in random.integers(10, 245, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return canvas


def _pink_tile(random: np.random.Generator) -> NDArray[np.float32]:
    """Return a periodic 1/f texture of shape (_TILE, _TILE), mean 0, deviation 1."""
    spectrum = np.fft.rfft2(random.standard_normal((_TILE, _TILE)))
    frequency = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None])
    frequency[0, 0] = np.inf
    tile = np.fft.irfft2(spectrum / frequency)
    return np.asarray(tile / tile.std(), dtype=np.float32)


def _tiled(tile: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    width, height = size
    return np.tile(tile, (height // _TILE + 1, width // _TILE + 1))[:height, :width]


def _exif(seed: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Twinlens"
    exif[ExifTags.Base.Model] = "Made Camera 12"
    exif[ExifTags.Base.Orientation] = ORIENTATIONS[seed % len(ORIENTATIONS)]
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = f"2026:05:{1 + seed % 28:02} 10:00:00"
    details[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    details[ExifTags.Base.ExposureTime] = 0.004
    details[ExifTags.Base.MakerNote] = bytes(range(256)) * 40  # cameras write 10 kB and more
    return exif


def _save(path: Path, seed: int, size: tuple[int, int], quality: int) -> None:
    picture(seed, size).save(path, "JPEG", quality=quality, exif=_exif(seed))


def _save_large(path: Path, kind: str, size: tuple[int, int]) -> None:
    source = picture(99, TWELVE_MEGAPIXELS)
    large = Image.new("RGB", size)
    for top in range(0, size[1], source.height):
        for left in range(0, size[0], source.width):
            large.paste(source, (left, top))
    match kind:
        case "baseline":
            large.save(path, "JPEG", quality=QUALITY)
        case "progressive":
            large.save(path, "JPEG", quality=QUALITY, progressive=True)
        case "png":
            large.save(path, "PNG", compress_level=1)
        case _:
            large.save(path, "TIFF")


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return a made file from the cache; make it first where it is not there."""
    path = cache_folder() / name
    if not path.exists():
        unfinished = path.with_name(f"unfinished-{name}")
        make(unfinished)
        unfinished.replace(path)
    return path
