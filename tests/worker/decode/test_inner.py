"""The picture within a picture: pages, borders, bars and blurs are cut off, photos left alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from twinlens_worker.decode.decoder import Decoder
from twinlens_worker.decode.inner import find, innermost
from twinlens_worker.decode.request import Box, Decoded, DecodeRequest

NEAR = 0.03
"""How far a side may be off, as a share of the frame's longer side."""


def photo(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """Soft ground and sharp things on it, as a photo has, that reach the frame on all sides."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 255, (9, 12, 3), np.uint8)
    image = Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y = (rng.integers(-20, side) for side in size)
        corners = [(int(x + dx), int(y + dy)) for dx, dy in rng.integers(0, 50, (3, 2))]
        draw.polygon(corners, fill=tuple(map(int, rng.integers(0, 255, 3))))
    grain = np.asarray(image, np.float32) + rng.normal(0, 6, (*size[::-1], 3))
    return Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8))


def page(inner: Image.Image, at: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    """A white page with text, buttons and round faces around a photo."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for row in range(12, at[1] - 12, 14):
        draw.text((10, row), "what somebody wrote", fill="black")
    for column in range(20, size[0] - 30, 60):
        draw.ellipse((column, size[1] - 34, column + 22, size[1] - 12), fill="teal")
    image.paste(inner, at)
    return image


def story(inner: Image.Image, share: float) -> tuple[Image.Image, tuple[int, int]]:
    """Upright, on the photo's own blur; and where the photo's top left is."""
    size = inner.width, inner.width * 16 // 9
    ground = ImageOps.fit(inner, size).filter(ImageFilter.GaussianBlur(size[0] / 12))
    small = inner.resize((round(inner.width * share), round(inner.height * share)))
    at = (size[0] - small.width) // 2, (size[1] - small.height) // 2
    ground.paste(small, at)
    return ground, at


def assert_found(image: Image.Image, expected: tuple[int, int, int, int]) -> None:
    """Fail unless a picture is found where it is expected, give or take NEAR."""
    found = find(image)
    assert found is not None
    assert np.abs(np.subtract(found, expected)).max() <= NEAR * max(image.size) + 2, found


@pytest.mark.parametrize("seed", range(5))
def test_a_photo_that_fills_its_frame_is_left_alone(seed: int) -> None:
    """Most photos are described whole."""
    image = photo(seed)
    assert find(image) is None
    assert innermost(image) is image


@pytest.mark.parametrize("colour", ["white", "black", "orange"])
def test_a_border_is_cut_off(colour: str) -> None:
    """Of any colour."""
    bordered = ImageOps.expand(photo(1), 20, colour)
    assert_found(bordered, (20, 20, 260, 200))


def test_bars_above_and_below_are_cut_off() -> None:
    """The sides without bars are those of the frame."""
    barred = ImageOps.expand(photo(2), (0, 45), "black")
    assert_found(barred, (0, 45, 240, 225))


@pytest.mark.parametrize("seed", range(4))
def test_a_photo_on_a_page_is_found(seed: int) -> None:
    """Whatever else stands on the page."""
    assert_found(page(photo(seed), (60, 120), (360, 400)), (60, 120, 300, 300))


@pytest.mark.parametrize("share", [0.6, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_a_photo_on_its_own_blur_is_found(seed: int, share: float) -> None:
    """As stories show photos of another shape."""
    image, (left, top) = story(photo(seed), share)
    right, bottom = image.width - left, image.height - top
    assert_found(image, (left, top, right, bottom))


def test_a_photo_between_bars_on_a_page_is_found_within_both() -> None:
    """Pictures are looked for within what was found."""
    barred = ImageOps.expand(photo(3), (0, 40), "black")
    found = innermost(page(barred, (60, 90), (360, 420)))
    assert np.abs(np.subtract(found.size, (240, 180))).max() <= 12, found.size


def test_a_thing_on_plain_ground_is_no_picture_of_its_own() -> None:
    """Its outline is no rectangle, though the ground is plain."""
    image = Image.new("RGB", (300, 240), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((60, 40, 240, 200), fill="brown", outline="black", width=4)
    draw.polygon([(100, 60), (200, 90), (150, 180)], fill="gold")
    assert find(image) is None


def test_a_plain_picture_holds_none() -> None:
    """Nothing to see, nothing to cut."""
    assert find(Image.new("RGB", (320, 200), (30, 60, 90))) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_whatever_the_picture_the_answer_lies_within_it(
    width: int, height: int, seed: int, coarse: int
) -> None:
    """Noise, blocks, slivers of one pixel: no error, and nothing outside."""
    rng: Generator = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (max(1, height // coarse), max(1, width // coarse), 3), np.uint8)
    image = Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)
    found = find(image)
    if found is not None:
        assert 0 <= found.left < found.right <= width
        assert 0 <= found.top < found.bottom <= height
    assert min(innermost(image).size) >= 1


def decoded(path: Path, *, inner: bool, box: Box | None = None) -> Decoded:
    """Return what the decoder hands to a model."""
    request = DecodeRequest(os.fsencode(path), 64, None, None, inner=inner, box=box)
    return Decoder(max_megapixels=20).decode(request)


def test_the_decoder_hands_over_the_inner_picture_too(tmp_path: Path) -> None:
    """Beside the whole page: it is nearly the photo alone."""
    alone, shown = tmp_path / "alone.png", tmp_path / "shown.png"
    photo(1, (480, 360)).save(alone)
    page(photo(1, (480, 360)), (60, 160), (600, 640)).save(shown)
    one, other = decoded(alone, inner=True), decoded(shown, inner=True)
    assert one.inner is None
    assert one.pixels is not None
    assert other.pixels is not None
    assert other.inner is not None
    assert other.inner.shape == (64, 64, 3)
    assert np.abs(one.pixels.astype(float) - other.inner).mean() < 20
    assert np.abs(one.pixels.astype(float) - other.pixels).mean() > 40


def test_the_inner_picture_is_looked_for_where_it_is_asked_for(tmp_path: Path) -> None:
    """Neither where only pixels are wanted, nor for the part in a box where the asker wants none."""
    page(photo(1, (480, 360)), (60, 160), (600, 640)).save(tmp_path / "shown.png")
    assert decoded(tmp_path / "shown.png", inner=False).inner is None
    box = Box(0.05, 0.2, 0.9, 0.75)
    assert decoded(tmp_path / "shown.png", inner=False, box=box).inner is None


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_an_inner_picture_keeps_the_pixels_that_a_model_wants(tmp_path: Path, suffix: str) -> None:
    """A photo on half of a page of 10 megapixels is as sharp as the photo alone."""
    large = page(photo(1, (480, 360)), (60, 160), (600, 640)).resize((3000, 3200))
    large.save(tmp_path / f"shown.{suffix}")
    found = decoded(tmp_path / f"shown.{suffix}", inner=True).inner
    assert found is not None
    alone = large.crop((300, 800, 2700, 2600))
    want = np.asarray(alone.resize((64, 64), Image.Resampling.BILINEAR, reducing_gap=2.0))
    assert np.abs(want.astype(float) - found).mean() < 20


@pytest.mark.data
def test_real_photos_are_seldom_cut() -> None:
    """Frames of videos have no frames around them."""
    folder = os.environ.get("TWINLENS_DATA")
    if not folder:
        pytest.skip("TWINLENS_DATA names no photos")
    frames = sorted(Path(folder, "bursts").rglob("*.jpg"))[::13]
    cut = [path for path in frames if find(Image.open(path).convert("RGB"))]
    assert len(cut) <= 0.05 * len(frames), cut
