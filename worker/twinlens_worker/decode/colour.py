"""Pixels of whatever kind, brought to 8-bit sRGB without alpha.

Images are made small first and converted then: a conversion of the full size would cost time, and
memory beyond the decoder's limit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twinlens_worker.decode.icc import to_srgb

_GROUND = (255, 255, 255)
"""What shows through transparency. White, as it does in browsers, on paper, and when an editor
flattens a picture to JPEG: the flattened copy then looks like its original."""

_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_DIRECT_MODES = ("RGB", "L", "CMYK", "LAB")
_BITS_PER_SAMPLE = 258  # TIFF 6.0, section 8


def to_rgb(image: Image.Image, factor: int) -> Image.Image:
    """Return a loaded image as sRGB of mode RGB, ``factor`` times smaller by box averaging."""
    profile = image.info.get("icc_profile")
    small = _flat(_reduced(_reducible(image), factor))
    return to_srgb(small, profile if isinstance(profile, bytes) else None)


def _reducible(image: Image.Image) -> Image.Image:
    """Bring the modes that cannot be averaged (16-bit, palette, 1-bit) to one that can."""
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.has_transparency_data and image.mode not in _ALPHA_MODES:
        return image.convert("RGBA")
    if image.mode in {"P", "PA", "1"}:
        return image.convert({"P": "RGB", "PA": "RGBA", "1": "L"}[image.mode])
    return image


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Keep the upper eight bits, as Pillow does for 16-bit RGB; its own convert saturates."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = min(int(tags.get(_BITS_PER_SAMPLE, (16,))[0]), 16)  # a TIFF may hold 12 in 16
    return Image.fromarray((np.asarray(image) >> max(bits - 8, 0)).astype(np.uint8))


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce(factor) if factor > 1 else image


def _flat(image: Image.Image) -> Image.Image:
    """Return a small image in one of the modes that have colour profiles."""
    if image.mode in _ALPHA_MODES:
        return _on_ground(image.convert("RGBA"))
    if image.mode in {"I", "F"}:
        return Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.mode not in _DIRECT_MODES:
        return image.convert("RGB")
    return image


def _on_ground(image: Image.Image) -> Image.Image:
    flat = Image.new("RGB", image.size, _GROUND)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale numbers of unknown range, (H, W), to 0..255.

    White is the smallest usual one (1 for fractions, 255, 65535) that 99 % of the pixels stay
    within, so that a few highlights do not darken the picture; else the largest value.
    """
    numbers = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    usual = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    most = float(np.percentile(numbers, 99))
    white = next((level for level in usual if most <= level), float(numbers.max()))
    return np.asarray(np.clip(numbers / white * 255.0 + 0.5, 0, 255), dtype=np.uint8)
