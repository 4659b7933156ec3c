"""The ways to describe a photo that are compared: ours, other networks, hashes, thumbnails.

A peer turns pictures into rows of numbers, f32, whose inner product says how alike two are: unit
vectors for networks and thumbnails; for hashes +-1/sqrt(bits), which gives 1 - 2 x Hamming
distance / bits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.photos import squash
from twinlens_worker.decode.inner import innermost
from twinlens_worker.models.descriptor import Descriptor, describe, load

Vectors = NDArray[np.float32]
Describe = Callable[[Sequence[Image.Image]], Vectors]
TURNS: Final = 4
PICTURES: Final = 2
"""Of a photo: the whole, and the picture within it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to describe photos, made only where it is used: processes pass it to each other."""

    name: str
    make: Callable[[], Describe]
    """Loads what is needed; can be pickled."""
    threshold: float | None = None
    """The similarity from which on it calls two photos copies itself."""
    turned: bool = False
    """Whether it describes four quarter turns of each picture, one behind the other in its row."""


def network(label: str, name: str, weights: Path | None = None) -> Peer:
    """Return a descriptor of twinlens as a peer; ModelError where it cannot be loaded."""
    threshold = describe(name, weights=weights).copy_threshold
    return Peer(label, functools.partial(_load, name, weights), threshold)


def turned(peer: Peer) -> Peer:
    """Return the same network, describing each picture in its four quarter turns."""
    return Peer(f"{peer.name}, with turns", functools.partial(_turned, peer.make), turned=True)


def with_inner(name: str, peer: Peer) -> Peer:
    """Return the same network, describing each picture and the picture within it, as the worker does.

    A row holds one behind the other; where there is no inner picture, the whole one twice.
    """
    return Peer(name, functools.partial(_with_inner, peer.make), peer.threshold)


def loaded(name: str, descriptor: Descriptor) -> Peer:
    """Return a descriptor that is in memory already; for one process only."""
    made = embedder(descriptor)
    return Peer(name, lambda: made, descriptor.info.copy_threshold)


class Embedder:
    """A descriptor with the worker's way to squash a photo to its square."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self.side = descriptor.info.input_size

    def __call__(self, images: Sequence[Image.Image]) -> Vectors:
        """Describe pictures, (N, dimension)."""
        return self.embed(np.stack([squash(image, self.side) for image in images]))

    def embed(self, squares: NDArray[np.uint8]) -> Vectors:
        """Describe squashed pictures, u8 (N, side, side, 3)."""
        return self._descriptor.embed(squares)


def embedder(descriptor: Descriptor) -> Embedder:
    """Return a descriptor that takes pictures."""
    return Embedder(descriptor)


def _load(name: str, weights: Path | None) -> Embedder:
    return Embedder(load(name, weights=weights, device="cpu"))


def _turned(make: Callable[[], Describe]) -> Describe:
    inner = make()
    assert isinstance(inner, Embedder)

    def describe_turns(images: Sequence[Image.Image]) -> Vectors:
        squares = np.stack([squash(image, inner.side) for image in images])
        turns = [inner.embed(np.rot90(squares, turn, axes=(1, 2))) for turn in range(TURNS)]
        return np.concatenate(turns, axis=1)

    return describe_turns


def _with_inner(make: Callable[[], Describe]) -> Describe:
    describe_whole = make()

    def describe_both(images: Sequence[Image.Image]) -> Vectors:
        whole = describe_whole(images)
        within = [innermost(image) for image in images]
        found = [row for row, image in enumerate(images) if within[row] is not image]
        inner = whole.copy()
        if found:
            inner[found] = describe_whole([within[row] for row in found])
        return np.concatenate([whole, inner], axis=1)

    return describe_both


def _untrained() -> Embedder:
    import torch

    from twinlens_worker.models import pocket_file
    from twinlens_worker.models.pocket import fresh_network

    shape = pocket_file.shape_of(pocket_file.read_header(pocket_file.BUNDLED))
    info = describe("pocket")
    fresh = fresh_network(seed=1, shape=shape).eval()
    return Embedder(Descriptor(info, fresh, torch.device("cpu"), "random weights"))


def _thumbnail() -> Describe:
    return thumbnails


def thumbnails(images: Sequence[Image.Image]) -> Vectors:
    """Describe by 8x8 pixels in colour, less their mean, at unit length."""
    small = np.stack([squash(image, 8).reshape(-1) for image in images]).astype(np.float32)
    centred = small - small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6), np.float32)


def signs(bits: NDArray[Any]) -> Vectors:
    """Return bits (N, B), 0 or 1, as rows whose product is 1 - 2 x Hamming distance / B."""
    return np.asarray((bits * 2.0 - 1.0) / bits.shape[1] ** 0.5, np.float32)


def _imagehash(function: str) -> Describe:
    import imagehash

    compute = getattr(imagehash, function)
    return lambda images: signs(np.stack([compute(image).hash.ravel() for image in images]))


def _pdq() -> Describe:
    import pdqhash

    return lambda images: signs(np.stack([pdqhash.compute(np.array(one))[0] for one in images]))


def _imagededup(method: str) -> Describe:
    from imagededup import methods

    hasher = getattr(methods, method)(verbose=False)

    def describe_hashes(images: Sequence[Image.Image]) -> Vectors:
        words = [hasher.encode_image(image_array=np.array(image)) for image in images]
        raw = np.array([list(bytes.fromhex(word)) for word in words], np.uint8)
        return signs(np.unpackbits(raw, axis=1))

    return describe_hashes


RANDOM: Final = Peer("pocket, random weights", _untrained)
HASHES: Final = (
    *(
        Peer(name, functools.partial(_imagehash, function))
        for name, function in (("pHash", "phash"), ("dHash", "dhash"), ("wHash", "whash"))
    ),
    Peer("PDQ", _pdq),
    *(
        Peer(f"imagededup {method}", functools.partial(_imagededup, method))
        for method in ("PHash", "DHash", "WHash", "AHash")
    ),
)
THUMBNAIL: Final = Peer("8x8 colour thumbnail", _thumbnail)
