"""What was done to a photo is named, with how much."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from tests.worker.verify.conftest import draw_scene, saved, sketched
from twinlens_worker.verify.compare import compare
from twinlens_worker.verify.describe import describe, words


def done(photo: Image.Image, edited: Image.Image) -> dict[str, object]:
    """Return what the verifier says was done."""
    a, b = sketched(photo), sketched(saved(edited.convert("RGB")))
    found = compare(a, b).found
    assert found is not None
    sizes = (photo.width * photo.height, edited.width * edited.height)
    return describe(a, b, found, sizes)


def test_saved_again_is_nothing():
    """A photo that was only saved once more has nothing done to it."""
    assert done(draw_scene(1), draw_scene(1)) == {}


def test_resized():
    """The share of each side that is left."""
    assert done(draw_scene(1), draw_scene(1).resize((320, 240))) == {"resized": 0.5}


def test_crop_says_how_much_is_left_and_of_which():
    """A crop to 42 % is named so, whichever of the two it is."""
    photo = draw_scene(2)
    part = photo.crop((64, 96, 64 + 448, 96 + 288))  # 70 % by 60 %
    assert done(photo, part) == {"crop": pytest.approx(0.42, abs=0.02), "cropped": "b"}
    assert done(part, photo) == {"crop": pytest.approx(0.42, abs=0.02), "cropped": "a"}


@pytest.mark.parametrize(
    ("turn", "degrees"),
    [
        (Image.Transpose.ROTATE_90, 270),  # Pillow turns counter-clockwise
        (Image.Transpose.ROTATE_180, 180),
        (Image.Transpose.ROTATE_270, 90),
    ],
)
def test_turns_are_said_clockwise(turn: Image.Transpose, degrees: int):
    """The turn of b against a, in degrees clockwise."""
    assert done(draw_scene(3), draw_scene(3).transpose(turn)) == {"rotated": degrees}


def test_mirrored():
    """Left to right is mirrored; top to bottom is that and half a turn."""
    photo = draw_scene(4)
    assert done(photo, ImageOps.mirror(photo)) == {"mirrored": True}
    assert done(photo, ImageOps.flip(photo)) == {"rotated": 180, "mirrored": True}


def test_grey():
    """A photo without its colours is grey, and nothing else."""
    assert done(draw_scene(5), ImageOps.grayscale(draw_scene(5))) == {"grey": True, "greyed": "b"}


def test_a_little_colour_is_colour():
    """A brown chair on a white page has little of it, and is not itself without it."""
    photo = Image.new("RGB", (640, 480), "white")
    photo.paste(ImageOps.grayscale(draw_scene(8)).convert("RGB").crop((0, 0, 560, 400)), (40, 40))
    photo.paste(draw_scene(9).crop((0, 0, 160, 200)), (200, 120))
    assert done(photo, ImageOps.grayscale(photo)) == {"grey": True, "greyed": "b"}
    assert done(ImageOps.grayscale(photo).convert("RGB"), photo) == {"grey": True, "greyed": "a"}


def test_colour_taken_away_or_added_is_said_and_saving_takes_none():
    """Half of the saturation is an edit; a small JPEG of low quality is none, nor is less light."""
    photo = draw_scene(10)
    pale = ImageEnhance.Color(photo).enhance(0.5)
    assert "less colour" in done(photo, pale)["tone"]
    assert "more colour" in done(pale, photo)["tone"]
    assert done(photo, saved(photo.resize((160, 120)), 30)) == {"resized": 0.25}
    assert "less colour" not in done(photo, ImageEnhance.Brightness(photo).enhance(0.6))["tone"]


def test_tone_is_said_of_the_later_one():
    """Brighter or darker, by what b is against a."""
    photo = draw_scene(6)
    darker = ImageEnhance.Brightness(photo).enhance(0.6)
    assert "darker" in done(photo, darker)["tone"]
    assert "brighter" in done(darker, photo)["tone"]


def test_border_is_no_crop():
    """A frame of one colour round the whole photo."""
    framed = ImageOps.expand(draw_scene(7), 50, (250, 250, 250))
    assert done(draw_scene(7), framed) == {"border": True, "framed": "b"}


def test_caption_is_no_border():
    """A white band with words on it."""
    photo = draw_scene(8)
    canvas = Image.new("RGB", (photo.width, photo.height + 90), "white")
    canvas.paste(photo, (0, 90))
    font = ImageFont.load_default(size=60)
    ImageDraw.Draw(canvas).text((10, 10), "when the light is right", fill="black", font=font)
    assert done(photo, canvas) == {"caption": True, "framed": "b"}


def _sky(size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Return a photo of something before a sky that is lighter at the bottom, a little noisy."""
    rows = np.linspace(150, 235, size[1])[:, None, None] + np.array([-40, -10, 20])
    noise = np.random.default_rng(1).normal(0, 3, (size[1], size[0], 3))
    photo = Image.fromarray(np.clip(rows + noise, 0, 255).astype(np.uint8))
    photo.paste(draw_scene(11).resize((240, 220)), (180, 140))
    return photo


def test_a_crop_that_cuts_sky_away_is_no_caption_of_the_rest():
    """What was cut off is nearly of one colour, but nothing begins at the outline."""
    photo = _sky()
    part = photo.crop((110, 70, 500, 430))
    assert done(photo, part) == {"crop": pytest.approx(0.457, abs=0.03), "cropped": "b"}
    assert done(part, photo) == {"crop": pytest.approx(0.457, abs=0.03), "cropped": "a"}


def test_a_photo_beside_another_is_set_into_a_picture():
    """A collage is no photo of which each of the two would be a crop."""
    photo = draw_scene(12)
    collage = Image.new("RGB", (1280, 480))
    collage.paste(photo, (0, 0))
    collage.paste(draw_scene(13), (640, 0))
    assert done(photo, collage) == {"inset": True, "framed": "b"}
    assert done(collage, photo) == {"inset": True, "framed": "a"}


def test_a_photo_on_white_on_a_white_page_may_be_a_crop_or_framed():
    """Nothing begins at its outline: that one is a crop is said, and that it is in doubt."""
    photo = Image.new("RGB", (640, 480), "white")
    photo.paste(draw_scene(15).resize((440, 340)), (100, 70))
    page = Image.new("RGB", (700, 1000), "white")
    page.paste(photo, (30, 300))
    ImageDraw.Draw(page).rectangle((0, 0, 700, 80), fill=(60, 90, 150))
    told = done(photo, page)
    assert (told["cropped"], told["doubtful"]) == ("a", "b")
    assert words(told) == f"crop to {100 * told['crop']:.0f} %"
    assert done(page, photo)["doubtful"] == "a"


def test_a_tilt_is_said_to_whichever_side():
    """Two degrees counter-clockwise are no turn by 358."""
    photo = draw_scene(14)
    for angle in (2.5, -2.5):
        turned = photo.rotate(angle, Image.Resampling.BICUBIC).crop((40, 40, 600, 440))
        assert words(done(photo, turned)).startswith("tilted 2.")
    assert words({"rotated": 358.0}) == "tilted 2"
    assert words({"rotated": 270}) == "rotated 270"


def test_something_over_the_picture():
    """A sticker covers about the share of the blocks that it covers."""
    photo = draw_scene(9)
    edited = photo.copy()
    ImageDraw.Draw(edited).ellipse((200, 100, 440, 340), fill=(255, 210, 60))
    assert done(photo, edited)["overlay"] == pytest.approx(0.147, abs=0.08)


def test_words():
    """All that was done, in one line."""
    fields = {"rotated": 90, "mirrored": True, "crop": 0.42, "cropped": "b", "overlay": 0.2}
    fields |= {"tone": ["brighter", "more contrast"]}
    assert words(fields) == (
        "rotated 90, mirrored, crop to 42 %, something over 20 %, brighter, more contrast"
    )
