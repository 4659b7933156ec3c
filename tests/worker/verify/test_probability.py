"""The two judges of what was measured: the more doubtful counts, and both are kept in one file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from twinlens_worker.verify.probability import FITTED, MEASUREMENTS, Judges

ROWS = np.random.default_rng(1).normal(0, 2, (200, MEASUREMENTS)).astype(np.float32)


def test_the_more_doubtful_judge_counts():
    """No pair is surer than either judge says; each is the more doubtful of some."""
    judges = replace(Judges.read(FITTED), stretch=1.0, move=0.0)
    both = judges.logits(ROWS)
    each = np.stack([judges.networks.logits(ROWS), judges.logistic.logits(ROWS)])
    assert (both <= each).all()
    assert (both == each).any(axis=1).all()


def test_what_they_say_is_put_right():
    """Stretched and moved, as other photos showed; the order stays."""
    judges = Judges.read(FITTED)
    lower = replace(judges, stretch=1.0, move=0.0).logits(ROWS)
    assert np.allclose(replace(judges, stretch=2.0, move=-1.0).logits(ROWS), 2 * lower - 1)


def test_judges_are_kept_in_a_file(tmp_path: Path):
    """What was fitted says the same once it was written and read."""
    judges = Judges.read(FITTED)
    judges.write(tmp_path / "fitted.npz")
    assert (Judges.read(tmp_path / "fitted.npz").logits(ROWS) == judges.logits(ROWS)).all()
