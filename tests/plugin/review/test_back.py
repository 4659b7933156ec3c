"""The browser's Back and Forward in a real browser: dialogs are places, and leave none behind."""

from __future__ import annotations

import re

from playwright.sync_api import Page as Window
from playwright.sync_api import expect

from tests.plugin.review.conftest import Page, Read, Serve
from tests.plugin.review.looking import Eyes, focused

COMPARED = re.compile(r"/#compare=\d+-\d+$")
LIST = re.compile(r"/$")


def compared(window: Window) -> str:
    """Open a comparison by keys, until its place is there; return its address."""
    window.keyboard.press("ArrowDown")
    window.keyboard.press("Enter")
    expect(window.locator("#theatre .title")).to_be_visible()
    expect(window).to_have_url(COMPARED)
    return window.url


def length(window: Window) -> int:
    """Return how many places the browser remembers."""
    return int(window.evaluate("history.length"))


def test_back_closes_the_comparison_and_forward_opens_it_again(eyes: Eyes, page: Page):
    """One is in the list again, at the photo that one had compared."""
    window = eyes.open(page)
    address = compared(window)
    window.go_back()
    expect(window.locator("#theatre")).to_be_hidden()
    expect(window).to_have_url(LIST)
    assert focused(window).startswith("photo ")
    window.go_forward()
    expect(window.locator("#theatre .title")).to_be_visible()
    expect(window).to_have_url(address)
    window.keyboard.press("w")  # its keys are there again
    expect(window.locator("#theatre .stage")).to_have_attribute("data-mode", "swipe")


def test_closing_goes_back_so_that_no_places_pile_up(eyes: Eyes, page: Page):
    """By Esc, by the button, often: the next Back leaves the list, and the list alone."""
    window = eyes.open(page, "/map")
    window.goto(page.origin + "/")
    before = length(window)
    for _ in range(3):
        compared(window)
        window.keyboard.press("Escape")
        expect(window).to_have_url(LIST)
    compared(window)
    window.click("#theatre .close")
    expect(window).to_have_url(LIST)
    assert length(window) == before + 1  # the last one, ahead
    window.go_back()
    expect(window).to_have_url(re.compile("/map$"))


def test_a_comparison_is_reloaded_and_bookmarked(eyes: Eyes, page: Page):
    """It is open over the list again; without a place below it, the list is put there."""
    window = eyes.open(page)
    address = compared(window)
    window.reload()
    expect(window.locator("#theatre .title")).to_be_visible()
    window.keyboard.press("Escape")
    expect(window).to_have_url(LIST)
    other = eyes.open(page, address.removeprefix(page.origin))
    expect(other.locator("#theatre .title")).to_be_visible()
    expect(other).to_have_url(address)
    other.go_back()
    expect(other.locator("#theatre")).to_be_hidden()
    expect(other).to_have_url(LIST)


def test_two_that_are_not_in_sight_are_compared_on_their_own_page(
    eyes: Eyes, page: Page, read: Read
):
    """Two of no group, or of one far down the list."""
    a, b = (read.file_id(f"2024/photo-{number}.jpg") for number in (5, 6))
    window = eyes.open(page, f"/#compare={a}-{b}")
    expect(window).to_have_url(re.compile(rf"/compare\?a={a}&b={b}$"))
    expect(window.locator(".title")).to_have_text("photo-5.jpg and photo-6.jpg")


def test_back_closes_the_keys_wherever_they_were_asked_for(eyes: Eyes, page: Page):
    """They have no address, and stay over a reload; the page below is not loaded again."""
    window = eyes.open(page, "/search")
    window.evaluate("window.same = true")
    window.keyboard.press("?")
    expect(window.locator("#keys")).to_be_visible()
    window.wait_for_function("history.state !== null")
    window.go_back()
    expect(window.locator("#keys")).to_be_hidden()
    assert window.evaluate("window.same")
    window.go_forward()
    expect(window.locator("#keys")).to_be_visible()
    window.reload()
    expect(window.locator("#keys")).to_be_visible()
    window.keyboard.press("Escape")
    window.wait_for_function("history.state === null")


def test_back_from_another_page_leads_to_the_comparison(eyes: Eyes, page: Page):
    """Who looked for similar photos out of a comparison goes on with it."""
    window = eyes.open(page)
    address = compared(window)
    window.locator("#theatre a", has_text="Similar").first.click()
    expect(window).to_have_url(re.compile(r"/search\?photo="))
    window.go_back()
    expect(window).to_have_url(address)
    expect(window.locator("#theatre .title")).to_be_visible()
    window.go_back()
    expect(window.locator("#theatre")).to_be_hidden()


def test_decisions_and_questions_leave_no_places(eyes: Eyes, own: Read, serve: Serve):
    """A decision that ends the group goes back to the list; Back at a question means no."""
    window = eyes.open(serve(own.library.folder), "/?kind=burst&kind=copy&kind=edit")
    before = length(window)
    compared_here = re.compile(r"#compare=")
    window.keyboard.press("ArrowDown")
    window.keyboard.press("Enter")
    expect(window).to_have_url(compared_here)
    window.keyboard.press("n")
    expect(window.locator("#theatre")).to_be_hidden()
    expect(window).not_to_have_url(compared_here)
    window.evaluate(
        "() => { import('/static/base.js').then(({ ask }) => ask('Really?', 'Yes'))"
        ".then((meant) => { window.meant = meant; }); }"
    )
    expect(window.locator("#asking")).to_be_visible()
    window.wait_for_function("history.state !== null")
    window.go_back()
    expect(window.locator("#asking")).to_have_count(0)
    window.wait_for_function("window.meant === false")
    window.go_forward()  # an answered question is nowhere to be
    window.wait_for_function("history.state === null")
    assert length(window) == before + 1
