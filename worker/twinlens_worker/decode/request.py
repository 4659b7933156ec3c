"""What is asked of a decoder and what it answers. These travel between processes by pickle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinlens.errors import PhotoError


@dataclass(frozen=True, slots=True)
class KnownVectors:
    """Where to look up whether a content already has a vector, so that it need not be decoded."""

    catalogue: Path
    model_id: int


class Box(NamedTuple):
    """A part of a picture, in shares (0 to 1) of its upright width and height."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Rendering:
    """The picture itself is wanted: upright sRGB, as a JPEG."""

    to: Path
    """File to write, replaced at once; nobody sees half of it."""

    longest_side: int | None = None
    """Pixels that it has at most; None: all that there are."""


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """One photo to read."""

    path: bytes
    """Absolute. Its last part must not be a symbolic link: resolve it first where links count."""

    input_size: int
    """Side S, in pixels, of the square that the model wants."""

    thumbnails: Path | None
    """Folder of the thumbnail cache, or None for no thumbnail."""

    known: KnownVectors | None
    """Contents that have a vector here are hashed only."""

    inner: bool = False
    """Whether the picture within the picture is wanted too, where it holds one."""

    exact: bool = False
    """Whether only the hash of every pixel is wanted, at full size."""

    box: Box | None = None
    """The part of the picture that ``pixels`` are to show; None: all of it."""

    rendering: Rendering | None = None
    """Where the picture is to be written to; there are no ``pixels`` then."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one photo holds. The hash is of exactly the bytes that gave the pixels."""

    sha256: bytes
    size: int
    """Bytes of the file."""

    pixels: NDArray[np.uint8] | None = None
    """(S, S, 3) RGB, sRGB, upright, the whole frame squashed to a square; None when known."""

    inner: NDArray[np.uint8] | None = None
    """The same of the picture within the picture; None where it holds none or that was not asked for."""

    width: int | None = None
    """Of the original as shown (after orientation), not of the scaled decode."""

    height: int | None = None

    format: str | None = None
    """``JPEG``, ``PNG``, ``HEIF``, ``RAW`` and so on."""

    taken_at: str | None = None
    """Capture time by the camera's clock, ISO 8601; with an offset where the camera wrote one."""

    camera: str | None = None

    burst: str | None = None
    """Apple's or Google's number of the burst that it is a frame of."""

    document: str | None = None
    """XMP's name of the document that it is or was first saved from."""

    derived_from: str | None = None
    """XMP's name of the document that it was made from."""

    sharpness: float | None = None

    exact: bytes | None = None
    """SHA-256 of every pixel, where that was asked for."""


READY = "ready"
"""What a decoder process says once it has imported everything."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a decoder process says to one request."""

    result: Decoded | PhotoError

    last: bool
    """Whether the process ends now and another must take its place."""
