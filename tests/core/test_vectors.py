"""Vectors: stored as f16, refused where they are no use, brought to unit length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twinlens import vectors
from twinlens.errors import BadVectorError, CatalogueError


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vector_that_is_no_number(dtype: type, bad: float):
    """#9: one NaN or infinity among the numbers and the vector is refused."""
    vector = np.ones(16, dtype)
    vector[7] = bad
    with pytest.raises(BadVectorError, match="no usable vector"):
        vectors.encode(vector)


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-9])
def test_zero_vector(value: float):
    """#9: a vector of zeros, or of what becomes zero in f16, has no direction and is refused."""
    with pytest.raises(BadVectorError):
        vectors.encode(np.full(16, value))


@pytest.mark.parametrize("value", [70_000.0, 1e30, -1e6])
def test_overflow(value: float):
    """#9: a number beyond f16 becomes infinity, without a warning, and is refused."""
    with pytest.raises(BadVectorError):
        vectors.encode(np.array([1.0, value], np.float32))


finite = st.floats(-65504, 65504, width=16)


@given(arrays(np.float16, 8, elements=finite).filter(np.any))
def test_round_trip(vector: np.ndarray):
    """What f16 can hold comes back exactly, as float32, in twice as many bytes as numbers."""
    blob = vectors.encode(vector)
    assert len(blob) == 16
    decoded = vectors.decode(blob, 8)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, vector.astype(np.float32))
    np.testing.assert_array_equal(vectors.stack([blob, blob], 8), np.stack([decoded, decoded]))


def test_bytes_are_little_endian():
    """The stored form does not depend on the computer that wrote it."""
    assert vectors.encode(np.array([1.0, -2.0])) == b"\x00\x3c\x00\xc0"
    assert vectors.encode(np.array([1.0, -2.0], ">f4")) == b"\x00\x3c\x00\xc0"


@pytest.mark.parametrize("blob", [b"", b"\0", bytes(14), bytes(18), bytes(15)])
def test_wrong_length(blob: bytes):
    """A stored vector of another length is refused, alone or among others, with the cure."""
    with pytest.raises(CatalogueError, match="twinlens doctor"):
        vectors.decode(blob, 8)
    with pytest.raises(CatalogueError, match="twinlens doctor"):
        vectors.stack([bytes(16), blob], 8)


def test_wrong_lengths_that_make_up_for_each_other():
    """Two vectors of wrong lengths are refused even where their sum is right."""
    with pytest.raises(CatalogueError):
        vectors.stack([bytes(14), bytes(18)], 8)


def test_empty_stack():
    """No vectors make an array of no rows."""
    assert vectors.stack([], 8).shape == (0, 8)
    assert vectors.project(vectors.stack([], 8)).shape == (0, 8)


@given(arrays(np.float16, (3, 8), elements=finite).filter(lambda a: a.any(axis=1).all()))
def test_projection(matrix: np.ndarray):
    """Projected vectors have length 1, whatever their size, and keep their direction."""
    projected = vectors.project(matrix.astype(np.float32))
    assert projected.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1, rtol=1e-3)
    one = vectors.project(matrix[0].astype(np.float32))
    np.testing.assert_allclose(one, projected[0], rtol=1e-5)


def test_projection_of_zero():
    """A query of zeros stays zeros and raises no warning."""
    assert not vectors.project(np.zeros(8, np.float32)).any()
