"""Spaces: what is read from the products of queries and entries."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.test_tuning import photos
from twinlens import tuning
from twinlens.models import Model
from twinlens.spaces import Space
from twinlens.vectors import project

MODEL = Model(
    id=1,
    name="wide",
    digest="cd" * 32,
    dimension=64,
    input_size=96,
    copy_threshold=0.9,
    weights=None,
)


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> Space:
    """A space tuned on few photos."""
    monkeypatch.setattr(tuning, "LEAST", 64)
    return Space(MODEL, tuning.fit(photos(300, 1), MODEL.copy_threshold), 1)


def test_tuned_cosines_are_those_of_the_turned_vectors(tuned: Space):
    """Whatever the scales are: they are had from the products, as an f16 index gives them."""
    assert tuned.tuning is not None
    raw = photos(40, 2)
    queries = tuned.queries(raw)
    entries = tuned.entries(raw).astype(np.float16).astype(np.float32)
    cosines = tuned.cosines(queries @ entries.T, queries[:, -1:], entries[:, -1])
    turned = project((project(raw) - tuned.tuning.centre) @ tuned.tuning.axes)
    assert np.ptp(entries[:, -1]) > 0.1, "the scales differ"
    assert cosines == pytest.approx(turned @ turned.T, abs=2e-3)


def test_untuned_cosines_are_the_products():
    """Vectors are of unit length then, and their last numbers say nothing."""
    products = np.array([1.0, 0.3], np.float32)
    assert Space(MODEL).cosines(products, products[:1], products).tolist() == products.tolist()
