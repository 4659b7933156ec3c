"""Frames within a picture: where a photo lies on a page, in a border or in a story."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from tests.worker.verify.conftest import draw_scene, sketched
from twinlens_worker.verify.frames import MOST, TINY, inner_frames

Box = tuple[int, int, int, int]


def _on_page(ground: Image.Image, box: Box) -> Image.Image:
    """Return a page with bars and round heads, and a photo on it."""
    page = ground.copy()
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, 30), fill=(60, 90, 150))
    for left in range(10, page.width - 40, 50):
        draw.ellipse((left, 45, left + 30, 75), fill=(left % 255, 120, 60))
    left, top, right, bottom = box
    page.paste(draw_scene(1).resize((right - left, bottom - top)), (left, top))
    return page


def _soft() -> Image.Image:
    """Return the photo enlarged, blurred and darker, as stories put it behind itself."""
    soft = draw_scene(1).resize((400, 700)).filter(ImageFilter.GaussianBlur(20))
    return ImageEnhance.Brightness(soft).enhance(0.5)


GROUNDS = {
    "white": lambda: Image.new("RGB", (400, 700), "white"),
    "dark": lambda: Image.new("RGB", (400, 700), (18, 18, 20)),
    "soft": _soft,
}


@pytest.mark.parametrize("box", [(40, 200, 360, 440), (0, 300, 400, 600), (150, 120, 380, 300)])
@pytest.mark.parametrize("ground", GROUNDS)
def test_a_photo_on_a_page_is_found(ground: str, box: Box):
    """One of the frames is the photo's, to within a fiftieth of the page."""
    boxes, _ = inner_frames(sketched(_on_page(GROUNDS[ground](), box)).grey)
    wanted = np.array(box) / (400, 700, 400, 700)
    assert len(boxes) <= MOST
    assert np.abs(boxes - wanted).max(axis=1).min() < 0.02


def test_what_is_in_a_frame_looks_like_the_photo():
    """Squashed, the photo on the page correlates with the photo itself, and nothing else does."""
    page = _on_page(GROUNDS["white"](), (40, 200, 360, 440))
    _, within = inner_frames(sketched(page).grey)
    assert (within @ sketched(draw_scene(1)).turned[0]).max() > 0.9
    assert (within @ sketched(draw_scene(2)).turned[0]).max() < 0.5


@pytest.mark.parametrize("size", [(320, 5), (5, 320), (1, 1), (320, 320)])
def test_empty_and_narrow_pictures_have_none(size: tuple[int, int]):
    """Where nothing is outlined there is nothing to find."""
    boxes, within = inner_frames(sketched(Image.new("RGB", size, "white")).grey)
    assert boxes.shape == (0, 4)
    assert within.shape == (0, TINY * TINY)
