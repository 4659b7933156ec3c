"""Fitting the verifier: probabilities put right, photos that the data holds twice left out."""

from __future__ import annotations

import numpy as np
import pytest

from training.verify_calibration import put_right
from training.verify_pairs import Pair, is_mislabelled
from twinlens_worker.verify.probability import FITTED, Floats, Judges


class Doubtful(Judges):
    """Judges whose logits are the first measurement."""

    def logits(self, rows: Floats) -> Floats:
        """Return the first column."""
        return np.asarray(rows[:, 0], np.float32)


def _pair(logit: float, *, one_shot: bool) -> Pair:
    return Pair(one_shot, "edit", "a.jpg", "", np.array([[logit - 3], [logit]], np.float32))


@pytest.mark.parametrize(("stretch", "move"), [(1.0, 0.0), (0.5, 2.0), (1.5, -1.0)])
def test_half_of_the_pairs_at_one_half_are_of_one_shot(stretch: float, move: float):
    """Whatever the judges' logits are off by is found from what the pairs are."""
    rng = np.random.default_rng(1)
    said = rng.uniform(-5, 5, 20_000)
    right = rng.random(len(said)) < 1 / (1 + np.exp(-(stretch * said + move)))
    pairs = [_pair(one, one_shot=bool(is_one)) for one, is_one in zip(said, right, strict=True)]
    known = Judges.read(FITTED)
    found = put_right(Doubtful(known.networks, known.logistic), pairs)
    assert found == pytest.approx((stretch, move), abs=0.12)


def test_look_alikes_that_no_library_compares_do_not_count():
    """Probabilities are put right by the nearest photos alone, whatever more were fitted to."""
    rng = np.random.default_rng(2)
    pairs = [
        _pair(one, one_shot=bool(rng.random() < one / 8 + 0.5)) for one in rng.uniform(-4, 4, 900)
    ]
    known = Judges.read(FITTED)
    judges = Doubtful(known.networks, known.logistic)
    more = [Pair(False, "studio", "b.jpg", "c.jpg", np.full((1, 1), 3, np.float32))] * 500
    assert put_right(judges, [*pairs, *more]) == put_right(judges, pairs)


def test_photos_that_the_data_holds_twice_are_no_look_alikes():
    """By lists of what was seen by eye, and by the numbers of the mirrored ones."""

    def alike(photo: str, other: str) -> Pair:
        return Pair(False, "alike", photo, other, np.zeros((0, 1), np.float32))

    assert is_mislabelled(alike("Leopards_image_0162.jpg", "Leopards_image_0062.jpg"))
    assert is_mislabelled(alike("dalmatian_image_0061.jpg", "dalmatian_image_0050.jpg"))
    assert not is_mislabelled(alike("Leopards_image_0162.jpg", "Leopards_image_0061.jpg"))
    assert not is_mislabelled(_pair(1.0, one_shot=True))
