"""What is easily done by mistake: held keys, double clicks, more than is shown, frames that are no copies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page as Window
from playwright.sync_api import Route, expect

from tests.plugin.conftest import Built
from tests.plugin.review.acting import relate
from tests.plugin.review.conftest import Serve
from tests.plugin.review.looking import Eyes
from twinlens_plugin import decisions
from twinlens_plugin.decisions import Decision
from twinlens_plugin.review.words import MOST_SHOWN

DOT = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
"""The smallest GIF: photos here are bytes of any kind, of which no thumbnail can be made."""


def look(eyes: Eyes, serve: Serve, built: Built, path: str = "/") -> Window:
    """Open the page on a library of photos that are none."""
    window = eyes.open(serve(built.library.folder), "/plans")
    window.route("**/thumb*", _dot)
    window.goto(window.url.replace("/plans", path))
    return window


def _dot(route: Route) -> None:
    route.fulfill(content_type="image/gif", body=DOT)


def decided(built: Built) -> list[Decision]:
    """Return what is decided."""
    return list(decisions.every(built.catalogue))


@pytest.fixture
def burst(built: Built) -> list[Path]:
    """Three frames of a burst, the first one the largest."""
    frames = [
        built.photo(f"frame-{n}.jpg", data=b"f" * (900 - n), pixels=(900 - n, 600))
        for n in range(3)
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        relate(built, frames[one], frames[other], "burst", "", 0.4)
    return frames


def test_a_group_of_which_all_stay_says_that_nothing_is_to_spare(
    serve: Serve, built: Built, burst: list[Path]
):
    """No "0.00 MB to win back", and nothing "kept" from others that stay too: as the command says."""
    with serve(built.library.folder).browser() as browser:
        group = browser.get("/groups?kind=burst").text
    assert f"{len(burst)} photos, nothing to spare" in group
    assert ">First: " in group
    assert "to win back" not in group


def test_a_key_that_is_held_decides_once(eyes: Eyes, serve: Serve, built: Built):
    """The groups that come next are not decided on; what moves goes on while it is held."""
    for n in range(4):
        pair = [built.photo(f"{n}/{name}.jpg", data=f"{n}{name}".encode() * 9) for name in "ab"]
        relate(built, *pair, "copy", "", 0.99)
    window = look(eyes, serve, built)
    window.keyboard.press("ArrowDown")
    window.keyboard.down("n")
    expect(window.locator(".group.done")).to_have_count(1)
    for _ in range(5):
        window.keyboard.down("n")  # as a keyboard repeats a key that is held
    window.keyboard.up("n")
    window.keyboard.down("ArrowDown")
    window.keyboard.down("ArrowDown")
    expect(window.locator(".group:focus-within")).to_have_attribute("aria-posinset", "4")
    assert len(decided(built)) == 1


def test_a_double_click_decides_once(eyes: Eyes, serve: Serve, built: Built):
    """When the second click comes, the next group may stand where the first one was."""
    for n in range(4):
        pair = [built.photo(f"{n}/{name}.jpg", data=f"{n}{name}".encode() * 9) for name in "ab"]
        relate(built, *pair, "copy", "", 0.99)
    window = look(eyes, serve, built)
    button = window.locator(".photo [data-act=apart]").first
    button.evaluate("one => one.dispatchEvent(new MouseEvent('click', {bubbles: true, detail: 1}))")
    expect(window.locator(".group.done")).to_have_count(1)
    button = window.locator(".photo [data-act=apart]").first
    button.evaluate("one => one.dispatchEvent(new MouseEvent('click', {bubbles: true, detail: 2}))")
    window.locator(".group:not(.done) [data-act=apart-all]").last.click()
    expect(window.locator(".group").last).to_have_class(re.compile("done"))
    expect(window.locator(".group.done")).to_have_count(2)
    assert len(decided(built)) == 2


def test_what_was_decided_can_be_taken_back_after_one_left_the_list(
    eyes: Eyes, serve: Serve, built: Built
):
    """U takes back what was decided in this tab, step by step, also after a reload; then there is no more."""
    for n in range(2):
        pair = [built.photo(f"{n}/{name}.jpg", data=f"{n}{name}".encode() * 9) for name in "ab"]
        relate(built, *pair, "copy", "", 0.99)
    window = look(eyes, serve, built)
    for count in (1, 2):
        window.locator(".group:not(.done) [data-act=apart-all]").first.click()
        expect(window.locator(".group.done")).to_have_count(count)
    window.goto(window.url + "map")
    window.goto(window.url.removesuffix("map"))
    expect(window.locator(".group")).to_have_count(0)
    for count in (1, 2):
        window.wait_for_load_state()
        window.keyboard.press("u")
        expect(window.locator(".group")).to_have_count(count)
        assert len(decided(built)) == 2 - count
    window.wait_for_load_state()
    window.keyboard.press("u")
    expect(window.locator(".toast")).to_have_text(re.compile("Nothing to take back"))


def test_frames_that_are_no_copies_are_kept_when_it_was_meant(
    eyes: Eyes, serve: Serve, built: Built, burst: list[Path]
):
    """To keep one of a burst gives the others away: the page asks, and Cancel changes nothing."""
    window = look(eyes, serve, built, "/?kind=burst")
    window.keyboard.press("ArrowDown")
    window.keyboard.press("ArrowRight")
    window.keyboard.press("k")
    asked = window.locator("dialog.asking")
    expect(asked).to_contain_text(
        re.compile(r"Keep frame-\d\.jpg\? The other 2 photos would go then\.")
    )
    asked.get_by_text("Cancel").click()
    expect(asked).to_have_count(0)
    assert decided(built) == []
    window.locator(".photo:not(.keep) [data-act=keep]").first.click()
    asked.get_by_text("Keep it").click()
    expect(window.locator(".toast")).to_contain_text("Keep: 3 photos.")
    assert {one.verdict for one in decided(built)} == {"keep"}
    assert len(burst) == 1 + len(decided(built))


def test_comparing_two_frames_asks_as_well(
    eyes: Eyes, serve: Serve, built: Built, burst: list[Path]
):
    """On the page of two photos too, to which a search leads."""
    first, second, _ = (built.file_id(frame) for frame in burst)
    eyes.complaints.clear()
    window = look(eyes, serve, built, f"/compare?a={first}&b={second}")
    window.click("#keep-b")
    window.get_by_role("button", name="Cancel").click()
    assert decided(built) == []
    eyes.complaints.clear()  # bytes that are no photo cannot be shown at full size


def test_of_a_large_group_all_is_shown_before_it_is_decided_on(
    eyes: Eyes, serve: Serve, built: Built
):
    """What is said of all photos of a group is said once all of them were seen."""
    photos = [built.photo(f"{n:02}.jpg", data=b"p" * (100 + n)) for n in range(MOST_SHOWN + 2)]
    for n, one in enumerate(photos):
        for other in photos[n + 1 :]:
            relate(built, one, other, "copy", "", 0.99)
    window = look(eyes, serve, built)
    expect(window.locator(".photo")).to_have_count(MOST_SHOWN)
    window.click("[data-act=apart-all]")
    expect(window.locator(".photo")).to_have_count(MOST_SHOWN + 2)
    assert decided(built) == []
    window.click("[data-act=apart-all]")
    expect(window.locator(".group.done")).to_have_count(1)
    assert len(decided(built)) == (MOST_SHOWN + 2) * (MOST_SHOWN + 1) // 2
