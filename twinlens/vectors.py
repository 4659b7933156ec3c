"""Embedding vectors: how they are stored, checked and brought to unit length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.errors import BadVectorError, CatalogueError

STORED = np.dtype("<f2")
"""f16, little-endian: the form in the catalogue, in messages and in the index. Half the bytes of
f32 at no measured loss of recall, where i8 loses 4-5 points (faults.md)."""

Vector = NDArray[np.float32]


def encode(vector: NDArray[Any]) -> bytes:
    """Return the stored form of a vector of shape (D,).

    Raises BadVectorError for NaN, infinity or zero: USearch accepts NaN and ranks it first.
    """
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused below
        stored = np.asarray(vector).astype(STORED)
    if not np.isfinite(stored).all() or not stored.any():
        raise BadVectorError("the model gave no usable vector (NaN, infinite or zero)")
    return stored.tobytes()


def decode(blob: bytes, dimension: int) -> Vector:
    """Return a stored vector as float32 of shape (D,).

    Raises CatalogueError where the length is not that of ``dimension``.
    """
    if len(blob) != dimension * STORED.itemsize:
        raise _wrong_length(len(blob), dimension)
    return np.frombuffer(blob, dtype=STORED).astype(np.float32)


def _wrong_length(length: int, dimension: int) -> CatalogueError:
    return CatalogueError(
        f"a stored vector has {length} bytes where its model gives {dimension} numbers."
        " Run: twinlens doctor"
    )


def stack(blobs: list[bytes], dimension: int) -> Vector:
    """Return stored vectors as one float32 array of shape (N, D).

    Raises CatalogueError where the length of one is not that of ``dimension``.
    """
    for length in {len(blob) for blob in blobs} - {dimension * STORED.itemsize}:
        raise _wrong_length(length, dimension)
    joined = np.frombuffer(b"".join(blobs), dtype=STORED).astype(np.float32)
    return joined.reshape(len(blobs), dimension)


def project(vectors: NDArray[Any]) -> Vector:
    """Bring vectors of shape (..., D) into the space of the index: unit length.

    The catalogue keeps the model's raw output; whatever is fitted to a library belongs here.
    """
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
