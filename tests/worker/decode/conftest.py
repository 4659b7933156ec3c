"""What the decoder tests share: a decoder in this process, and photos with known colours."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from twinlens.settings import Settings
from twinlens_worker.decode import Decoded, DecodeRequest, DecoderPool
from twinlens_worker.decode.decoder import Decoder

SIDE = 32

Decode = Callable[..., Decoded]
Encode = Callable[..., bytes]


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    """A decoder in this process."""
    decoder = Decoder(max_megapixels=250)
    yield decoder
    decoder.close()


@pytest.fixture
def decode(decoder: Decoder, encode: Encode, tmp_path: Path) -> Decode:
    """Decode bytes, or an image saved with options, under a file name."""

    def decode(source: bytes | Image.Image, name: str = "photo", **options: object) -> Decoded:
        path = tmp_path / name
        path.write_bytes(source if isinstance(source, bytes) else encode(source, **options))
        return decoder.decode(DecodeRequest(os.fsencode(path), SIDE, None, None))

    return decode


@pytest.fixture
def make_pool(tmp_path: Path) -> Iterator[Callable[..., DecoderPool]]:
    """Make pools of one process that are closed after the test."""
    pools: list[DecoderPool] = []

    def make(**settings: object) -> DecoderPool:
        values = {"library": tmp_path, "decode_processes": 1} | settings
        pools.append(DecoderPool(Settings(**values)))  # type: ignore[arg-type]
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def quarters() -> Image.Image:
    """A landscape picture with a different colour in each corner."""
    image = Image.new("RGB", (160, 120), "red")
    image.paste("lime", (80, 0, 160, 60))
    image.paste("blue", (0, 60, 80, 120))
    image.paste("white", (80, 60, 160, 120))
    return image


@pytest.fixture
def encode(decoder: Decoder) -> Encode:
    """Return an image as the bytes of a file; the decoder has all formats loaded."""

    def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture
def corners() -> Callable[[NDArray[np.uint8] | None], list[str]]:
    """Name the colours in the four corners: top left, top right, bottom left, bottom right."""

    def names(pixels: NDArray[np.uint8] | None) -> list[str]:
        assert pixels is not None
        assert pixels.dtype == np.uint8
        side = len(pixels)
        low, high = side // 4, side * 3 // 4
        return [_name(pixels[y, x]) for y in (low, high) for x in (low, high)]

    return names


def _name(colour: NDArray[np.uint8]) -> str:
    known = {
        "red": (255, 0, 0),
        "green": (0, 255, 0),
        "blue": (0, 0, 255),
        "white": (255, 255, 255),
        "black": (0, 0, 0),
        "grey": (128, 128, 128),
    }
    distances = {
        name: int(np.abs(colour.astype(int) - value).max()) for name, value in known.items()
    }
    nearest = min(distances, key=distances.__getitem__)
    return nearest if distances[nearest] <= 40 else str(tuple(map(int, colour)))
