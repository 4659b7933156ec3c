"""Colours as a profile describes them, brought to sRGB."""

from __future__ import annotations

import functools
import io

from PIL import Image, ImageCms


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image of mode RGB, L, CMYK or LAB as sRGB, mode RGB.

    A profile that is missing, broken or of another colour space is ignored.
    """
    transform = _transform(profile or b"", image.mode)
    if transform is None:
        return image.convert("RGB")
    return transform.apply(image)


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Prepare a conversion once: a camera writes the same profile into all its photos.

    LittleCMS refuses a profile that is not for images of ``mode``.
    """
    try:
        source = _source(profile, mode)
        if source is None:
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _source(profile: bytes, mode: str) -> ImageCms.ImageCmsProfile | None:
    """Return the profile to convert from, or None where there is nothing to convert."""
    if not profile:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")) if mode == "LAB" else None
    parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if mode == "RGB" and "srgb" in ImageCms.getProfileDescription(parsed).lower():
        return None
    return parsed
