"""Features that match, and how many of them an alignment takes to their places."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.worker.verify.conftest import draw_scene, saved, sketched
from twinlens_worker.verify.matches import Both
from twinlens_worker.verify.sketch import KEYPOINTS, LEVELS, MIRRORED
from twinlens_worker.verify.transform import MIRROR

SAME = np.eye(3)


def test_most_features_of_a_saved_photo_hold_and_few_of_another():
    """The share is of those that both show."""
    photo = sketched(draw_scene(1))
    count, share = Both(photo, sketched(saved(draw_scene(1), 60))).held(SAME)
    assert count > 0.6 * KEYPOINTS
    assert share == pytest.approx(count / KEYPOINTS, abs=0.02)
    assert Both(photo, sketched(draw_scene(2))).held(SAME)[0] < 5


def test_only_features_in_both_pictures_count():
    """Of a quarter that is left, its own features are what can match."""
    whole, part = sketched(draw_scene(3)), sketched(draw_scene(3).crop((0, 0, 320, 240)))
    count, share = Both(whole, part).held(np.diag([2.0, 2.0, 1.0]))
    assert count < 0.5 * KEYPOINTS
    assert share > 1.5 * count / KEYPOINTS


@pytest.mark.parametrize("first_is_mirrored", [False, True])
def test_a_mirrored_photo_holds_as_mirrored(first_is_mirrored: bool):
    """By a transform that mirrors, whichever of the two has its mirrored features already."""
    photo, mirrored = sketched(draw_scene(4)), sketched(ImageOps.mirror(draw_scene(4)))
    if first_is_mirrored:
        assert len(photo.mirrored.points) == MIRRORED
    count, share = Both(photo, mirrored).held(MIRROR)
    assert count > 0.8 * MIRRORED
    assert share > 0.6
    assert Both(photo, mirrored).held(SAME)[0] < 5


def test_the_first_features_are_the_strongest_of_every_level():
    """So that the few of the mirrored picture are no worse spread than all."""
    levels = sketched(draw_scene(5)).features.levels
    shares = [
        np.bincount(some, minlength=LEVELS) / len(some) for some in (levels, levels[:MIRRORED])
    ]
    assert np.abs(shares[0] - shares[1]).max() < 0.02


@pytest.mark.parametrize("size", [(320, 5), (1, 1), (320, 320)])
def test_empty_pictures_match_nothing(size: tuple[int, int]):
    """There is nothing to hold on to, mirrored or not."""
    nothing, photo = sketched(Image.new("RGB", size, "white")), sketched(draw_scene(1))
    for transform in (SAME, MIRROR):
        assert Both(nothing, photo).held(transform) == (0, 0.0)
        assert Both(photo, nothing).held(transform) == (0, 0.0)
