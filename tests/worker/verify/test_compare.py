"""Comparing two pictures: copies and edits are told from other frames and other photos."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from tests.worker.verify.conftest import draw_scene, saved, sketched
from twinlens_worker.verify.align import Alignment
from twinlens_worker.verify.compare import compare
from twinlens_worker.verify.judge import judge
from twinlens_worker.verify.matches import Both
from twinlens_worker.verify.transform import apply

WHOLE = (0.0, 0.0, 1.0, 1.0)


def crop(image: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """Return the part of a picture that a box in the unit square names."""
    width, height = image.size
    left, top, right, bottom = box
    return image.crop(
        (round(left * width), round(top * height), round(right * width), round(bottom * height))
    )


def on_page(image: Image.Image, share: float) -> Image.Image:
    """Return an app's page with a photo on it, that many of its width wide."""
    page = Image.new("RGB", (1000, 1200), "white")
    draw = ImageDraw.Draw(page)
    for line, top in enumerate((20, 60, 300, 1100, 1140)):
        text = ("all that was said of it and was not meant so " * 3)[line * 7 :]
        draw.text((30, top), text, fill=(60, 60, 60), font_size=20)
    width = round(1000 * share)
    page.paste(image.resize((width, image.height * width // image.width)), (420, 380))
    return page


EDITS = {
    "saved again": lambda image: saved(image, 40),
    "made small": lambda image: image.resize((160, 120)),
    "cropped": lambda image: crop(image, (0.2, 0.1, 0.9, 0.9)),
    "mirrored": ImageOps.mirror,
    "mirrored and cropped": lambda image: ImageOps.mirror(crop(image, (0.1, 0.1, 0.8, 0.9))),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned and cropped": lambda image: crop(
        image.transpose(Image.Transpose.ROTATE_270), (0.1, 0.1, 0.9, 0.8)
    ),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "grey": ImageOps.grayscale,
    "framed": lambda image: ImageOps.expand(image, 60, (240, 240, 230)),
    "small on a page": lambda image: on_page(image, 0.35),
    "small and turned on a page": lambda image: on_page(
        image.transpose(Image.Transpose.ROTATE_90), 0.4
    ),
    "sharpened": lambda image: image.filter(ImageFilter.UnsharpMask(2, 400, 0)),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("edit", EDITS)
def test_edits_are_of_one_shot(edit: str, seed: int):
    """Whatever people do to a photo, it is most likely the same shot."""
    photo = draw_scene(seed)
    edited = saved(EDITS[edit](photo).convert("RGB"))
    assert compare(sketched(photo), sketched(edited)).probability > 0.5


def test_other_photos_are_not():
    """Photos of other things are not of one shot, nor aligned."""
    for seed in range(4):
        found = compare(sketched(draw_scene(seed)), sketched(draw_scene(seed + 10)))
        assert found.probability < 0.1


def moved_scene(seed: int, step: int) -> Image.Image:
    """Return a scene in which two large parts moved by themselves, the rest standing still."""
    frame = draw_scene(seed)
    part = frame.crop((200, 120, 420, 360))
    frame.paste(part, (200 + step, 120 + step // 2))
    other = frame.crop((40, 300, 180, 460))
    frame.paste(other, (40, 300 - step))
    return frame


@pytest.mark.parametrize("step", [10, 20])
def test_frames_of_a_burst_are_not(step: int):
    """A scene in which something moved is no copy, though nearly all of it agrees."""
    found = compare(sketched(draw_scene(3)), sketched(moved_scene(3, step)))
    assert found.found is not None
    assert found.found.coarse[2] > 0.8
    assert found.probability < 0.5


def test_the_transform_says_where_a_crop_was_cut():
    """The corners of a crop are found in the photo within a hundredth of its side."""
    photo = draw_scene(4)
    found = compare(sketched(photo), sketched(saved(crop(photo, (0.25, 0.25, 0.75, 0.875))))).found
    assert found is not None
    corners = np.array([[0.25, 0.25], [0.75, 0.875]])
    assert np.abs(apply(found.transform, corners) - [[0, 0], [1, 1]]).max() < 0.01
    assert found.share_a == pytest.approx(0.5 * 0.625, abs=0.02)


def test_order_does_not_matter():
    """Comparing b with a says what comparing a with b does, to within noise."""
    photo, edited = draw_scene(5), saved(crop(draw_scene(5), (0.1, 0.0, 0.9, 0.8)))
    there = compare(sketched(photo), sketched(edited)).probability
    back = compare(sketched(edited), sketched(photo)).probability
    assert min(there, back) > 0.5


@pytest.mark.parametrize("size", [(320, 5), (5, 320), (1, 1), (33, 33)])
def test_odd_shapes_are_compared_without_an_error(size: tuple[int, int]):
    """Pictures too thin or too small to hold anything are simply not aligned."""
    thin = sketched(draw_scene(6, size))
    compare(thin, sketched(draw_scene(6)))
    compare(thin, thin)


def test_pictures_of_one_colour_are_compared_without_an_error():
    """Black against black and against a scene."""
    black = sketched(Image.new("RGB", (320, 240)))
    assert compare(black, sketched(draw_scene(7))).probability < 0.5
    compare(black, black)


@pytest.mark.parametrize("shape", [(1, 320), (320, 1), (3, 320), (30, 320), (31, 320)])
def test_narrow_pictures_are_compared_too(shape: tuple[int, int]):
    """A panorama a few pixels high is no reason to fail."""
    rng = np.random.default_rng(1)
    one, other = (
        sketched(Image.fromarray(rng.integers(0, 255, (*shape, 3), dtype=np.uint8)))
        for _ in range(2)
    )
    assert compare(one, one) is not None
    assert compare(one, other) is not None


@pytest.mark.parametrize(("share", "measured"), [(0.1, True), (0.45, False)])
def test_pictures_that_disagree_in_many_places_are_not_measured(share: float, measured: bool):
    """A tenth that is another thing may have been laid over; of two things far more disagrees."""
    scene = draw_scene(3)
    width, height = scene.size
    other = scene.copy()
    part = (0, 0, round(width * share), height)
    other.paste(ImageOps.invert(scene.crop(part)), part)
    both = Both(sketched(scene), sketched(other))
    assert (judge(both, Alignment(np.eye(3))) is not None) == measured
