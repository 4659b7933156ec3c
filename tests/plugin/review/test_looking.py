"""The list in a real browser: keys, decisions, undo, filters, the way back; axe finds nothing grave."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Window

from tests.plugin.review.conftest import Page, Read, Serve
from tests.plugin.review.looking import PHONE, WIDE, Eyes, focused, grave
from twinlens.catalogue import Catalogue
from twinlens.library import Library


def group_of(window: Window, name: str) -> Locator:
    """Return the group that shows a photo of this name."""
    return window.locator(".group", has=window.locator(f'.photo[data-name="{name}"]'))


def go_to(window: Window, name: str) -> None:
    """Go to a photo by keys alone."""
    for _ in range(30):
        for key in ("ArrowDown", "ArrowRight"):
            window.keyboard.press(key)
            if focused(window).endswith(name):
                return
    raise AssertionError(f"{name} is not reached by keys")


def test_arrows_go_through_groups_and_photos(eyes: Eyes, page: Page):
    """Down and up go from group to group, right and left from photo to photo; one is in the Tab order."""
    window = eyes.open(page)
    window.keyboard.press("ArrowDown")
    assert focused(window) == window.locator(".look").first.get_attribute("aria-label")
    window.keyboard.press("ArrowRight")
    assert focused(window).startswith("photo 2 of 2, ")
    assert window.locator('.look[tabindex="0"]').count() == 1
    first = window.evaluate("document.activeElement.closest('.group').id")
    window.keyboard.press("j")
    assert window.evaluate("document.activeElement.closest('.group').id") != first
    window.keyboard.press("ArrowUp")
    assert window.evaluate("document.activeElement.closest('.group').id") == first


def test_a_photo_is_described_to_who_cannot_see_it(eyes: Eyes, page: Page):
    """A screen reader hears place, relation, how sure, size, bytes and what would happen."""
    window = eyes.open(page)
    go_to(window, "photo-0 small.jpg")
    assert re.fullmatch(
        r"photo 2 of 2, copy, 0\.\d\d, resized to \d+ %, 480 by 360, 0\.\d\d MB, would go, photo-0 small\.jpg",
        focused(window),
    )


def test_keep_this_one_instead_and_undo(eyes: Eyes, own: Read, serve: Serve):
    """K keeps another photo, at once and for good; U gives the choice back to the rules."""
    served = serve(own.library.folder)
    window = eyes.open(served)
    keeper = group_of(window, "photo-0 small.jpg").locator(".photo").first
    go_to(window, "photo-0 small.jpg")
    window.keyboard.press("k")
    expect(window.locator(".toast")).to_contain_text("Undo")
    expect(keeper).to_have_attribute("data-name", "photo-0 small.jpg")
    expect(group_of(window, "photo-0 small.jpg").locator(".reason")).to_have_text(
        "Kept: you chose it"
    )
    assert eyes.open(served).locator('.photo.keep[data-name="photo-0 small.jpg"]').count() == 1
    window.keyboard.press("u")
    expect(keeper).to_have_attribute("data-name", "photo-0.jpg")


def test_no_duplicates_and_undo(eyes: Eyes, own: Read, serve: Serve):
    """N closes the group and goes on to the next one; Ctrl+Z brings it back in its place."""
    window = eyes.open(serve(own.library.folder))
    places = [one.get_attribute("id") for one in window.locator(".group").all()]
    go_to(window, "photo-0 small.jpg")
    window.keyboard.press("n")
    expect(group_of(window, "photo-0 small.jpg")).to_have_count(0)
    expect(window.locator(".group.done")).to_have_text("Not duplicates.")
    assert focused(window).startswith("photo 1 of 2, kept")
    window.keyboard.press("Control+z")
    expect(group_of(window, "photo-0 small.jpg")).to_have_count(1)
    assert [one.get_attribute("id") for one in window.locator(".group").all()] == places
    expect(window.locator(".group.done")).to_have_count(0)


def test_a_refused_decision_is_taken_back_on_the_page(eyes: Eyes, page: Page):
    """Where the server says no, the group is as it was, and the line says why."""
    window = eyes.open(page)
    window.route(
        "**/decisions",
        lambda route: route.fulfill(status=503, json={"error": "The disk is full. Make space."}),
    )
    go_to(window, "photo-0 small.jpg")
    before = group_of(window, "photo-0 small.jpg").inner_html()
    window.keyboard.press("k")
    expect(window.locator(".toast.bad")).to_contain_text("The disk is full. Make space.")
    expect(group_of(window, "photo-0 small.jpg").locator(".photo").first).to_have_attribute(
        "data-name", "photo-0.jpg"
    )
    assert group_of(window, "photo-0 small.jpg").inner_html() == before
    assert [c for c in eyes.complaints if "503" in c] == eyes.complaints != []
    eyes.complaints.clear()


def test_same_bytes_are_no_choice(eyes: Eyes, page: Page):
    """Of two files with the same bytes none can be preferred by a decision, and the page says so."""
    window = eyes.open(page)
    go_to(window, "photo-1 again.jpg")
    if focused(window).startswith("photo 1"):
        window.keyboard.press("ArrowRight")
    window.keyboard.press("k")
    expect(window.locator(".toast")).to_contain_text("the same, byte for byte")


def test_accepted_groups_are_kept_for_the_plan(eyes: Eyes, page: Page):
    """A adds a group and goes on; what was chosen is there after a reload, and can be emptied."""
    window = eyes.open(page)
    window.keyboard.press("ArrowDown")
    window.keyboard.press("a")
    expect(window.locator("#chosen-words")).to_contain_text("1 group in the plan: 1 photo would go")
    window.reload()
    expect(window.locator("#chosen-words")).to_contain_text("1 group in the plan")
    expect(window.locator(".group.accepted button[aria-pressed=true]")).to_have_text(
        "✓ In the plan"
    )
    window.click("#chosen-clear")
    expect(window.locator("#chosen")).to_be_hidden()


def test_filters_stand_in_the_address(eyes: Eyes, page: Page):
    """F opens the filters; what is asked for is in the address and nothing else is."""
    window = eyes.open(page)
    window.keyboard.press("f")
    expect(window.locator("#filters input").first).to_be_focused()
    for kind in ("identical", "same-pixels", "copy"):
        window.uncheck(f'#filters input[value="{kind}"]')
    window.click("#filters button.main")
    expect(window).to_have_url(re.compile(r"/\?kind=edit$"))
    relations = window.locator(".photo:not(.keep)")
    expect(relations).not_to_have_count(0)
    assert {one.get_attribute("data-relation") for one in relations.all()} == {"edit"}
    window.click("text=No filters")
    expect(window).to_have_url(re.compile(r"/$"))


def test_letters_can_be_switched_off(eyes: Eyes, page: Page):
    """Who speaks to the computer switches single letters off; arrows and the rest stay."""
    window = eyes.open(page)
    window.keyboard.press("?")
    window.uncheck("#letters")
    window.keyboard.press("Escape")
    window.keyboard.press("f")
    assert window.locator("#filters[open]").count() == 0
    window.keyboard.press("ArrowDown")
    assert focused(window).startswith("photo 1")


def test_the_theme_is_switched_and_remembered(eyes: Eyes, page: Page):
    """The switch goes from the system's theme to light to dark, and the next page has it."""
    window = eyes.open(page, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = window.evaluate(ground)
    window.click("#theme")
    window.click("#theme")
    assert window.evaluate(ground) != light
    window.reload()
    assert window.get_attribute("html", "data-theme") == "dark"


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", PHONE)])
def test_nothing_grave_hinders_in_the_list(
    eyes: Eyes, page: Page, scheme: str, size: dict[str, int]
):
    """Axe finds nothing serious in the list with its filters open, and nothing scrolls sideways."""
    window = eyes.open(page, "/?kind=copy&kind=edit", color_scheme=scheme, viewport=size)
    window.keyboard.press("ArrowDown")
    window.keyboard.press("a")
    assert grave(window) == []
    assert window.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_nothing_grave_hinders_in_an_empty_library(eyes: Eyes, serve: Serve, tmp_path: Path):
    """A library that holds nothing yet says how to fill it."""
    library = Library(tmp_path / "empty")
    library.create()
    Catalogue.open(library.catalogue).close()
    window = eyes.open(serve(library.folder), color_scheme="dark")
    expect(window.locator("#main")).to_contain_text("twinlens scan ~/Pictures")
    assert grave(window) == []


@pytest.mark.parametrize("path", ["/?since=1h&under=/", "/?since=nonsense"])
def test_nothing_grave_hinders_where_nothing_is_listed(eyes: Eyes, page: Page, path: str):
    """A list that filters emptied, and a filter that is not understood, say so accessibly."""
    window = eyes.open(page, path)
    assert grave(window) == []
    eyes.complaints = [c for c in eyes.complaints if "400" not in c]
