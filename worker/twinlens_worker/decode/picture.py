"""An image file's bytes, decoded at the smallest scale that serves."""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass

import pillow_heif
from PIL import AvifImagePlugin, Image, JpegImagePlugin

from twinlens.errors import TooLargeError
from twinlens_worker.decode import jpeg2000
from twinlens_worker.decode.colour import to_rgb
from twinlens_worker.decode.exif import Facts, facts
from twinlens_worker.decode.thumbnail import LONGEST_SIDE
from twinlens_worker.decode.whole import refuse_half

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "HEIF", "AVIF", "JPEG2000")
"""What a file may be, whatever it is called: EPS would start Ghostscript, others are no photos."""

_PLUGINS = ("Bmp", "Gif", "Jpeg", "Jpeg2K", "Mpo", "Png", "Tiff", "WebP")
"""Pillow's modules for these; ``Image.init`` would import forty more."""

_NAMES = {"MPO": "JPEG", "DIB": "BMP"}
"""Variants that people know by another name. MPO is JPEG with more pictures behind the first."""

UPRIGHT_BY_PILLOW = ("TIFF",)
"""Formats whose plugin obeys the orientation itself. (That for HEIF does too, and resets the tag.)"""

SIDEWAYS = 5
"""EXIF orientations from this one on swap width and height."""

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What to do so that an image of this EXIF orientation stands upright."""

_OVERSAMPLING = 2
"""A decode has at least this many times the pixels wanted along the short side: the resize that
follows averages them, and no aliasing of the scaled decode is left. Measured at S = 96 on photos of
4 to 17 MP: 38 dB or better against a full decode, at a sixth to an eighth of its time."""

_PREVIEW_OVERSAMPLING = 1.5
"""The same for the previews inside HEIF files. Those of iPhones have 320 x 240 pixels and decode in
1 ms where the picture takes 290 to 480; their descriptors agree with the picture's to 0.998, where
0.97 makes a copy."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: upright sRGB of mode RGB, scaled down, and what the original was."""

    image: Image.Image
    width: int
    height: int
    format: str
    facts: Facts


def prepare() -> None:
    """Load the decoders and lift Pillow's own limit, which only warns; ours refuses."""
    for plugin in _PLUGINS:
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    # Decoder processes are as many as cores: more threads in each would only take turns.
    pillow_heif.register_heif_opener(decode_threads=1, depth_images=False, aux_images=False)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None


def read_picture(data: bytes, *, side: int, max_megapixels: int) -> Picture:
    """Decode the first picture in ``data``, just large enough for a square of ``side`` pixels.

    Raises DecodeError, TooLargeError, and whatever Pillow raises for damaged data.
    """
    refuse_half(data)
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    found = facts(image)
    turn = 1 if image.format in UPRIGHT_BY_PILLOW else found.orientation
    small = shrunk(image, data, side=side, max_megapixels=max_megapixels)
    return Picture(
        image=upright(small, turn),
        width=height if turn >= SIDEWAYS else width,
        height=width if turn >= SIDEWAYS else height,
        format=_NAMES.get(image.format or "", image.format or ""),
        facts=found,
    )


def shrunk(image: Image.Image, data: bytes, *, side: int, max_megapixels: int) -> Image.Image:
    """Return an image opened from ``data`` as RGB, scaled down but not turned upright.

    Raises as ``read_picture`` does.
    """
    size = image.size
    factor = scale_factor(size, side)
    _ask_for_scaled(image, data, side)
    refuse_huge(size, image.width * image.height / jpeg2000.reduction(image), max_megapixels)
    try:
        image.load()
    except Exception:
        _blame_memory(image, size)
        raise
    return to_rgb(image, int(factor * image.width / size[0]))


def scale_factor(size: tuple[int, int], side: int, oversampling: float = _OVERSAMPLING) -> float:
    """Return by how much an image may shrink in decoding, at least 1."""
    return max(1.0, min(min(size) / (oversampling * side), max(size) / LONGEST_SIDE))


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the image turned and mirrored as EXIF's ``orientation`` asks."""
    method = _ORIENTATIONS.get(orientation)
    return image if method is None else image.transpose(method)


def _ask_for_scaled(image: Image.Image, data: bytes, side: int) -> None:
    """Let formats that can decode at reduced scale do so: JPEG, HEIF by its preview, JPEG 2000."""
    width, height = image.size
    oversampling = _PREVIEW_OVERSAMPLING if image.format == "HEIF" else _OVERSAMPLING
    factor = scale_factor(image.size, side, oversampling)
    image.draft(None, (max(1, int(width / factor)), max(1, int(height / factor))))
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        # All bytes at once: Pillow's pieces of 64 KB cost 4 % of the decode.
        image.decodermaxblock = max(image.decodermaxblock, len(data))
    if image.format == "JPEG2000":
        jpeg2000.reduce(image, data, factor)


def refuse_huge(size: tuple[int, int], pixels: float, max_megapixels: int) -> None:
    """Raise TooLargeError where decoding an image of ``size`` takes too many ``pixels``."""
    if pixels > max_megapixels * 1_000_000:
        raise TooLargeError(
            f"{size[0]} x {size[1]} pixels, more than max_megapixels = {max_megapixels} allows."
            " Raise that setting to take such images."
        )


def _blame_memory(image: Image.Image, size: tuple[int, int]) -> None:
    """Raise MemoryError where a decode failed for want of it, but the decoder did not say so.

    Room asked for and not touched costs nothing.
    """
    bytearray(int(size[0] * size[1] * _bytes_per_pixel(image)))


def _bytes_per_pixel(image: Image.Image) -> float:
    """Return what a decoder that hides its reasons holds at once, at least; 0 for the others."""
    if image.format == "HEIF":
        return 1.5 + 3 + 4  # planes, libheif's RGB, Pillow's
    layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
    if not image.info.get("progressive") or not layers:
        return 0
    # libjpeg keeps all coefficients of a progressive file, two bytes each.
    fullest = max(across for _, across, _, _ in layers) * max(down for _, _, down, _ in layers)
    return 2 * sum(across * down for _, across, down, _ in layers) / fullest
