"""Comparing two photos: which way the transform goes, and each view in a real browser."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page as Window
from playwright.sync_api import expect

from tests.plugin.review.conftest import Client, Page, Read, Serve
from tests.plugin.review.looking import PHONE, WIDE, Eyes, focused, grave
from twinlens.catalogue import Catalogue
from twinlens_plugin.review.compare import inverse

CROP = (60 / 640, 40 / 480, 600 / 640, 460 / 480)
"""What ``photo-2 cropped.jpg`` shows of its original, in shares of the frame."""


def address(read: Read, a: str, b: str) -> str:
    """Return the address that compares two photos."""
    return f"/compare?a={read.file_id(a)}&b={read.file_id(b)}"


def transform(client: Client, where: str) -> np.ndarray:
    """Return the matrix that a page compares by."""
    found = re.search(r"data-transform='?\"?(\[[^\]]*\])", client.get(where + "&fragment=1").text)
    assert found is not None
    return np.array(json.loads(found[1])).reshape(3, 3)


def taken(matrix: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """Return where a point goes."""
    u, v, w = matrix @ (x, y, 1.0)
    return u / w, v / w


def test_the_transform_goes_from_the_first_photo_to_the_second(client: Client, read: Read):
    """Whichever of the two was read first, the corner of the crop is where the crop was made."""
    original, crop = "2024/photo-2.jpg", "2025/photo-2 cropped.jpg"
    there = transform(client, address(read, original, crop))
    back = transform(client, address(read, crop, original))
    assert taken(there, CROP[0], CROP[1]) == pytest.approx((0, 0), abs=0.01)
    assert taken(there, CROP[2], CROP[3]) == pytest.approx((1, 1), abs=0.01)
    assert taken(back, 0, 0) == pytest.approx(CROP[:2], abs=0.01)
    assert taken(back, 1, 1) == pytest.approx(CROP[2:], abs=0.01)


def test_inverse():
    """A matrix times its inverse is no change; one that flattens everything has none."""
    matrix = (0.9, -0.2, 0.1, 0.3, 1.1, -0.2, 0.01, 0.02, 1.0)
    found = inverse(matrix)
    assert found is not None
    product = np.array(matrix).reshape(3, 3) @ np.array(found).reshape(3, 3)
    assert product == pytest.approx(np.eye(3), abs=1e-12)
    assert inverse((1, 2, 3, 2, 4, 6, 0, 0, 1)) is None


def test_same_bytes_lie_over_one_another(client: Client, read: Read):
    """Files with the same bytes are aligned as they are, and none is to be kept by a decision."""
    where = address(read, "2024/photo-1.jpg", "2025/photo-1 again.jpg")
    assert transform(client, where) == pytest.approx(np.eye(3))
    assert 'data-act="keep"' not in client.get(where).text


def test_photos_that_were_never_compared(client: Client, read: Read):
    """Two that have nothing in common can be looked at, unaligned."""
    with Catalogue.open_to_read(read.library.catalogue) as catalogue:
        a, b = catalogue.row(
            "SELECT f.id, g.id FROM files f JOIN files g ON f.content_id < g.content_id"
            " WHERE NOT EXISTS"
            " (SELECT 1 FROM relations WHERE a = f.content_id AND b = g.content_id) LIMIT 1"
        )
    text = client.get(f"/compare?a={a}&b={b}").text
    assert "not compared yet" in text
    assert re.search(r"data-transform='?\"?null", text)


@pytest.mark.parametrize("query", ["", "?a=1", "?a=x&b=1", "?a=1&b=99999999", "?a=-1&b=1"])
def test_no_such_photos(client: Client, query: str):
    """An address that names no two photos is refused in one line."""
    answer = client.get("/compare" + query)
    assert answer.status_code in (400, 404)
    assert "error" in answer.json()


def open_pair(eyes: Eyes, served: Page, read: Read, **options: Any) -> Window:
    """Compare an original with its crop, on a page of its own, both whole."""
    where = address(read, "2024/photo-2.jpg", "2025/photo-2 cropped.jpg")
    window = eyes.open(served, where, **options)
    expect(window.locator(".pane img[src*=full]")).to_have_count(2)
    return window


def corners(window: Window, side: str) -> list[float]:
    """Return the box in which a photo is drawn, within its pane."""
    return list(
        window.evaluate(
            "(side) => { const pane = document.querySelector(`.pane.${side}`).getBoundingClientRect();"
            " const box = document.querySelector(`.pane.${side} img`).getBoundingClientRect();"
            " return [box.left - pane.left, box.top - pane.top, box.right - pane.left,"
            " box.bottom - pane.top]; }",
            side,
        )
    )


def within(outer: list[float]) -> list[float]:
    """Return where the crop lies in a drawn original."""
    left, top, right, bottom = outer
    width, height = right - left, bottom - top
    return [
        left + CROP[0] * width,
        top + CROP[1] * height,
        left + CROP[2] * width,
        top + CROP[3] * height,
    ]


def test_aligned_zoomed_and_moved_in_step(eyes: Eyes, page: Page, read: Read):
    """The crop lies where it was cut out: at first, zoomed at a point, moved, and in every view."""
    window = open_pair(eyes, page, read)
    near = 6  # pixels: alignment is measured on thumbnails
    assert corners(window, "b") == pytest.approx(within(corners(window, "a")), abs=near)
    fitted = corners(window, "a")
    before = window.locator("#zoom-says").inner_text()
    window.mouse.move(500, 400)
    window.mouse.wheel(0, -400)
    expect(window.locator("#zoom-says")).not_to_have_text(before)
    zoomed = corners(window, "a")
    assert zoomed[2] - zoomed[0] > 1.5 * (fitted[2] - fitted[0])
    assert corners(window, "b") == pytest.approx(within(zoomed), abs=2.3 * near)
    window.mouse.down()
    window.mouse.move(560, 430)
    window.mouse.up()
    moved = corners(window, "a")
    assert [m - z for m, z in zip(moved, zoomed, strict=True)] == pytest.approx([60, 30, 60, 30])
    assert corners(window, "b") == pytest.approx(within(moved), abs=2.3 * near)
    window.keyboard.press("1")
    expect(window.locator("#zoom-says")).to_have_text("100 %")
    assert corners(window, "a")[2] - corners(window, "a")[0] == pytest.approx(640, abs=1)
    window.keyboard.press("0")
    assert corners(window, "a") == pytest.approx(fitted, abs=1)


def test_as_they_are(eyes: Eyes, page: Page, read: Read):
    """L shows both as they are: the crop as large as the frame lets it be."""
    window = open_pair(eyes, page, read)
    before = corners(window, "b")
    window.keyboard.press("l")
    after = corners(window, "b")
    assert after[3] - after[1] > before[3] - before[1]
    assert after[3] - after[1] == pytest.approx(
        corners(window, "a")[3] - corners(window, "a")[1], abs=1
    )


def test_swipe(eyes: Eyes, page: Page, read: Read):
    """W lays one over the other; the line is moved by keys, by the slider and by the mouse."""
    window = open_pair(eyes, page, read)
    window.keyboard.press("w")
    pane = window.locator(".pane.b")
    assert pane.evaluate("(e) => e.style.clipPath") == "inset(0px 0px 0px 50%)"
    window.keyboard.press("]")
    assert pane.evaluate("(e) => e.style.clipPath") == "inset(0px 0px 0px 55%)"
    window.focus("#slider")
    window.keyboard.press("ArrowRight")
    assert pane.evaluate("(e) => e.style.clipPath") == "inset(0px 0px 0px 56%)"
    box = window.locator(".divider").bounding_box()
    assert box is not None
    window.mouse.move(box["x"] + 16, box["y"] + 100)
    window.mouse.down()
    window.mouse.move(box["x"] - 200, box["y"] + 100)
    window.mouse.up()
    assert float(window.input_value("#slider")) < 45


def test_blinking_is_for_those_who_want_motion(eyes: Eyes, page: Page, read: Read):
    """B blinks by itself, except for people who want less motion: there Space flips."""
    window = open_pair(eyes, page, read)
    window.keyboard.press("b")
    expect(window.locator(".pane.b")).to_have_css("visibility", "hidden")
    expect(window.locator(".pane.b")).to_have_css("visibility", "visible")
    calm = open_pair(eyes, page, read, reduced_motion="reduce")
    calm.keyboard.press("b")
    assert calm.get_attribute("#blink-auto", "aria-pressed") == "false"
    calm.keyboard.press("Space")
    expect(calm.locator(".pane.b")).to_have_css("visibility", "hidden")
    calm.keyboard.press("Space")
    expect(calm.locator(".pane.b")).to_have_css("visibility", "visible")


def test_difference_is_dark_where_they_agree(eyes: Eyes, page: Page, read: Read):
    """D shows a crop and its original as dark within the crop, and shows nothing beside it."""
    window = open_pair(eyes, page, read)
    window.keyboard.press("d")
    window.keyboard.press("[")
    window.keyboard.press("[")
    window.keyboard.press("[")  # not brightened
    pixels = shown(window)
    assert pixels.mean() < 12
    window.keyboard.press("o")
    assert shown(window).mean() > 60


def shown(window: Window) -> np.ndarray:
    """Return the pixels of the stage."""
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(window.locator(".stage").screenshot())).convert("RGB"))


def test_the_whole_walk_by_keys(eyes: Eyes, own: Read, serve: Serve):
    """From the list: compare, swipe, decide, take back, close; the focus is where it was."""
    window = eyes.open(serve(own.library.folder))
    window.keyboard.press("ArrowDown")
    for _ in range(10):
        if "photo-2" in focused(window):
            break
        window.keyboard.press("ArrowDown")
    window.keyboard.press("Enter")
    title = window.locator("#theatre .title")
    expect(title).to_contain_text("photo-2.jpg and photo-2 cropped.jpg")
    window.keyboard.press("w")
    expect(window.locator("#theatre .stage")).to_have_attribute("data-mode", "swipe")
    window.keyboard.press("k")
    expect(title).to_contain_text("photo-2 cropped.jpg and photo-2.jpg")
    expect(window.locator("#theatre .relation")).to_contain_text("you said: keep the first")
    window.keyboard.press("u")
    expect(title).to_contain_text("photo-2.jpg and photo-2 cropped.jpg")
    window.keyboard.press("Escape")
    expect(window.locator("#theatre")).to_be_hidden()
    assert "photo-2.jpg" in focused(window)
    window.keyboard.press("Enter")
    expect(title).to_be_visible()
    window.keyboard.press("n")
    expect(window.locator("#theatre")).to_be_hidden()
    expect(window.locator(".group.done")).to_have_count(1)
    window.keyboard.press("u")
    expect(window.locator(".group.done")).to_have_count(0)


def test_facts_that_are_the_same_are_folded_away(eyes: Eyes, page: Page, read: Read):
    """Differences are lit and in sight; what is the same is one key away."""
    window = open_pair(eyes, page, read)
    expect(window.locator(".facts .differs", has_text="640")).to_be_visible()
    expect(window.locator("#same-facts")).to_be_hidden()
    window.keyboard.press("i")
    expect(window.locator("#same-facts")).to_be_visible()
    assert window.get_attribute("#same", "aria-expanded") == "true"


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", PHONE)])
def test_nothing_grave_hinders_in_comparing(
    eyes: Eyes, page: Page, read: Read, scheme: str, size: dict[str, int]
):
    """Axe finds nothing serious, in the dialog over the list, and nothing scrolls sideways."""
    window = eyes.open(page, color_scheme=scheme, viewport=size)
    window.locator(".photo:not(.keep) .look").first.click()
    expect(window.locator("#theatre .title")).to_be_visible()
    for mode in ("side", "swipe"):
        window.check(f"#mode-{mode}", force=True)
        assert grave(window) == []
    assert window.evaluate("document.querySelector('#theatre').scrollWidth <= innerWidth")
