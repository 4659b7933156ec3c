"""The generator of edited copies is fixed, complete and graded."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import picture
from benchmarks.quality.edit import STRENGTHS
from benchmarks.quality.generator import GROUPS, KINDS, MAKERS, edited, made_by, table

ASKED_FOR = (
    "jpeg", "resize", "crop", "tilt", "turn 90", "turn 180", "mirror", "tone", "grey", "blur",
    "noise", "border", "caption", "meme text", "emoji", "logo", "screenshot", "photo of a screen",
    "filter", "several",
)  # fmt: skip
IN_PLACE = (
    "jpeg", "tone", "colour cast", "grey", "filter", "blur", "noise", "meme text", "watermark",
    "sharpen", "pixelate", "emoji", "logo",
)  # fmt: skip
"""Edits that leave every pixel where it is."""


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A made photo of the size of those that the benchmark edits."""
    return picture(5, (300, 200))


def test_every_edit_that_was_asked_for_is_there():
    """At least twenty kinds, in three strengths; part of them AugLy's."""
    assert set(ASKED_FOR) <= set(KINDS)
    assert len(KINDS) >= 20
    assert {made_by(kind) for kind in KINDS} == set(MAKERS)
    assert sum(made_by(kind) == "AugLy" for kind in KINDS) >= 8
    assert all(kind in KINDS for group in GROUPS for kind in group)


def test_an_edit_depends_on_its_own_name_only(photo: Image.Image):
    """Whatever was made before, and in what order, a copy is the same to the last pixel."""
    cells = [(kind, strength) for kind in KINDS for strength in STRENGTHS]
    first = {cell: _pixels(edited(photo, *cell, seed=1, name="a.jpg")) for cell in cells}
    for cell in reversed(cells):
        np.random.random()  # noqa: NPY002  others may use the common source of chance
        again = _pixels(edited(photo, *cell, seed=1, name="a.jpg"))
        assert np.array_equal(first[cell], again), cell


@pytest.mark.parametrize("change", [{"seed": 2}, {"name": "b.jpg"}])
def test_another_photo_or_seed_gets_another_edit(photo: Image.Image, change: dict[str, object]):
    """Where an edit falls is drawn for each photo."""
    settings = {"seed": 1, "name": "a.jpg"}
    one = edited(photo, "crop", "medium", **settings)
    other = edited(photo, "crop", "medium", **(settings | change))
    assert one.size != other.size or not np.array_equal(_pixels(one), _pixels(other))


def test_the_common_source_of_chance_is_left_alone(photo: Image.Image):
    """Nothing that runs beside the generator is disturbed by it."""
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    before = (np.random.get_state()[1].tolist(), random.getstate())  # noqa: NPY002
    for kind in KINDS:
        edited(photo, kind, "strong", seed=1, name="a.jpg")
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before  # noqa: NPY002


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", range(len(STRENGTHS)))
def test_every_kind_changes_the_picture(photo: Image.Image, kind: str, step: int):
    """No strength of any edit is no edit."""
    made = KINDS[kind].make(photo.copy(), np.random.default_rng(4), KINDS[kind].amounts[step])
    assert made.mode == "RGB"
    assert made.size != photo.size or (_pixels(made) != _pixels(photo)).mean() > 0.001


@pytest.mark.parametrize("kind", IN_PLACE)
def test_strengths_rise_in_place(photo: Image.Image, kind: str):
    """A stronger edit changes the pixels more, on the average of several."""
    differences = [
        np.mean([_difference(photo, kind, strength, seed) for seed in range(6)])
        for strength in STRENGTHS
    ]
    assert differences[0] < differences[1] < differences[2]


@pytest.mark.parametrize(
    ("kind", "sign"),
    [("crop", -1), ("resize", -1), ("border", 1), ("caption", 1), ("screenshot", 1)],
)
def test_strengths_rise_around(photo: Image.Image, kind: str, sign: int):
    """A stronger crop leaves less; a stronger frame adds more."""
    areas = [
        np.mean([np.prod(edited(photo, kind, one, seed=n, name="a").size) for n in range(6)])
        for one in STRENGTHS
    ]
    assert sign * areas[0] < sign * areas[1] < sign * areas[2]


def test_crops_keep_the_share_of_the_area_that_they_say(photo: Image.Image):
    """80, 50 and 30 %, to the pixel's rounding."""
    for strength, share in zip(STRENGTHS, (0.8, 0.5, 0.3), strict=True):
        for seed in range(5):
            copy = edited(photo, "crop", strength, seed=seed, name="a")
            assert copy.width * copy.height / (300 * 200) == pytest.approx(share, abs=0.03)


def test_turns_turn(photo: Image.Image):
    """A quarter turn swaps the sides; a half turn and a mirror put the left to the right."""
    assert edited(photo, "turn 90", "mild", seed=1, name="a").size == (200, 300)
    mirrored = edited(photo, "mirror", "mild", seed=1, name="a")
    assert np.abs(_pixels(mirrored)[:, ::-1] - _pixels(photo)).mean() < 12
    turned = edited(photo, "turn 180", "mild", seed=1, name="a")
    assert np.abs(_pixels(turned)[::-1, ::-1] - _pixels(photo)).mean() < 12


@pytest.mark.parametrize("size", [(64, 48), (400, 60), (60, 400)])
def test_small_and_narrow_photos_can_be_edited(size: tuple[int, int]):
    """No kind asks for more room than there is."""
    odd = picture(6, size)
    for kind in KINDS:
        for strength in STRENGTHS:
            copy = edited(odd, kind, strength, seed=1, name="odd")
            assert min(copy.size) >= 8, (kind, strength)


def test_the_table_says_every_amount():
    """Every kind has a row, every strength its own words."""
    rows = table().rows
    assert [row[0] for row in rows] == list(KINDS)
    assert all(len(set(row[2:])) == len(STRENGTHS) for row in rows)
    assert not any("{" in cell for row in rows for cell in row)


def _pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32)


def _difference(photo: Image.Image, kind: str, strength: str, seed: int) -> float:
    copy = edited(photo, kind, strength, seed=seed, name="a.jpg")
    return float(np.abs(_pixels(copy) - _pixels(photo)).mean())


def test_augly_edits_where_libmagic_is_not_installed():
    """python-magic finds no library on a bare system, and AugLy's edits never need it."""
    program = (
        "import sys; sys.modules['magic'] = None; from PIL import Image;"
        "from benchmarks.quality.augly_edits import AUGLY; print(len(AUGLY))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert int(done.stdout) > 5, done.stderr
