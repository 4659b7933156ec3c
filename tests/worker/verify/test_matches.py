"""Features that match, and how many of them an alignment takes to their places."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.worker.verify.conftest import draw_scene, saved, sketched
from twinlens_worker.verify.matches import Both, Held
from twinlens_worker.verify.sketch import KEYPOINTS, LEVELS, MIRRORED
from twinlens_worker.verify.transform import MIRROR

SAME = np.eye(3)


def test_most_features_of_a_saved_photo_hold_and_few_of_another():
    """The share is of those that both show."""
    photo = sketched(draw_scene(1))
    held = Both(photo, sketched(saved(draw_scene(1), 60))).held(SAME)
    assert held.count > 0.6 * KEYPOINTS
    assert held.share == pytest.approx(held.count / KEYPOINTS, abs=0.02)
    assert held.of_matches > 0.8
    assert held.close > 0.9
    other = Both(photo, sketched(draw_scene(2))).held(SAME)
    assert other.count < 5
    assert other.of_matches < 0.2


def test_what_lies_near_its_place_is_not_close():
    """Three pixels off, all still match in place and none well."""
    photo = sketched(draw_scene(1))
    moved = np.array([[1, 0, 3 / photo.size[0]], [0, 1, 0], [0, 0, 1.0]])
    held = Both(photo, photo).held(moved)
    assert held.count > 0.9 * KEYPOINTS
    assert held.close < 0.1


def test_only_features_in_both_pictures_count():
    """Of a quarter that is left, its own features are what can match."""
    whole, part = sketched(draw_scene(3)), sketched(draw_scene(3).crop((0, 0, 320, 240)))
    held = Both(whole, part).held(np.diag([2.0, 2.0, 1.0]))
    assert held.count < 0.5 * KEYPOINTS
    assert held.share > 1.5 * held.count / KEYPOINTS


@pytest.mark.parametrize("first_is_mirrored", [False, True])
def test_a_mirrored_photo_holds_as_mirrored(first_is_mirrored: bool):
    """By a transform that mirrors, whichever of the two has its mirrored features already."""
    photo, mirrored = sketched(draw_scene(4)), sketched(ImageOps.mirror(draw_scene(4)))
    if first_is_mirrored:
        assert len(photo.mirrored.points) == MIRRORED
    held = Both(photo, mirrored).held(MIRROR)
    assert held.count > 0.8 * MIRRORED
    assert held.share > 0.6
    assert Both(photo, mirrored).held(SAME).count < 5


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
        assert Both(nothing, photo).held(transform) == Held(0, 0.0, 0.0, 0.0)
        assert Both(photo, nothing).held(transform) == Held(0, 0.0, 0.0, 0.0)
