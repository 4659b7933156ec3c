"""Accepting many at once, in a real browser: list, overview, ticks, trash, result, undo."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page as Window
from playwright.sync_api import expect

from tests.plugin.acting import state
from tests.plugin.review.conftest import Page, make_photos, scan
from tests.plugin.review.looking import PHONE, Eyes, grave
from twinlens.library import Library
from twinlens_plugin.acting.journal import read_runs

SLOW = 30_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of the tests' own: nothing may go to the real trash."""
    folder = tmp_path_factory.mktemp("home")
    before = {name: os.environ.get(name) for name in ("HOME", "XDG_DATA_HOME")}
    os.environ["HOME"], os.environ["XDG_DATA_HOME"] = str(folder), str(folder / "data")
    yield folder
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos that are there to be moved: groups of several kinds."""
    folder = tmp_path_factory.mktemp("acting") / "photos"
    make_photos(folder)
    return folder


@pytest.fixture(scope="module")
def served(home: Path, photos: Path) -> Iterator[Page]:
    """The page on them. Each test leaves all photos where they were."""
    library = photos.parent / "library"
    scan(library, photos)
    with Page(library) as running:
        yield running


def going(window: Window) -> int:
    """Return how many photos the overview says would go."""
    return int(window.locator("h1 [data-say=photos]").inner_text().split()[0])


def test_the_whole_way_by_mouse(served: Page, photos: Path, home: Path, eyes: Eyes):
    """Filter, accept all, look, untick one, trash, result, undo; every page passes axe."""
    before = state(photos)
    window = eyes.open(served, "/?kind=identical&kind=copy")
    assert grave(window) == []
    window.get_by_role("button", name="Accept all that is listed").click()
    window.wait_for_url(re.compile(r"/plans/[0-9a-f]{16}$"))
    assert grave(window) == []
    assert going(window) == 2
    assert state(photos) == before
    first = window.locator(".planned").first
    first.get_by_role("checkbox").nth(1).uncheck()
    expect(window.get_by_role("button", name="Move 1 photo to the trash")).to_be_enabled()
    expect(first.get_by_text("Stays: left out")).to_be_visible()
    window.reload()
    assert not window.locator(".planned [data-tick]").first.is_checked()
    window.get_by_role("button", name="Move 1 photo to the trash").click()
    window.wait_for_url("**/plans/jobs/*")
    expect(window.get_by_role("heading", name="1 photo in the trash")).to_be_visible(timeout=SLOW)
    assert grave(window) == []
    assert len(list((home / "data" / "Trash" / "files").iterdir())) == 1
    window.get_by_role("button", name="Undo: bring back 1 photo").click()
    back = window.get_by_role("heading", name="1 photo back where they were")
    expect(back).to_be_visible(timeout=SLOW)
    assert state(photos) == before
    window.goto(served.origin + "/plans")
    assert grave(window) == []
    expect(window.get_by_role("cell", name="undone", exact=True)).to_be_visible()


def test_the_whole_way_by_keyboard(served: Page, photos: Path, eyes: Eyes):
    """A adds a group to the plan; J and X in the overview; D and Enter do it; Enter undoes it."""
    before = state(photos)
    window = eyes.open(served, "/?kind=identical&kind=copy&kind=edit")
    window.keyboard.press("j")
    for _ in range(3):
        window.keyboard.press("a")
    link = window.get_by_role("link", name="Look at the plan")
    link.focus()
    window.keyboard.press("Enter")
    window.wait_for_url(re.compile(r"/plans/[0-9a-f]{16}$"))
    count = going(window)
    assert count == 3
    window.keyboard.press("j")
    window.keyboard.press("j")
    expect(window.locator(".planned").nth(1).locator("[data-tick]")).to_be_focused()
    window.keyboard.press("x")
    expect(window.locator("h1 [data-say=photos]")).to_have_text("2 photos")
    window.keyboard.press("Space")
    expect(window.locator("h1 [data-say=photos]")).to_have_text("3 photos")
    window.keyboard.press("x")
    expect(window.get_by_role("button", name="Move 2 photos to the trash")).to_be_enabled()
    window.keyboard.press("d")
    expect(window.get_by_role("radio", name="Move to the trash")).to_be_focused()
    window.keyboard.press("ArrowDown")
    expect(window.get_by_label("Folder, outside of the watched ones")).to_be_visible()
    window.keyboard.press("ArrowUp")
    window.keyboard.press("Enter")
    result = window.get_by_role("heading", name="2 photos in the trash")
    expect(result).to_be_focused(timeout=SLOW)
    window.keyboard.press("Tab")
    expect(window.get_by_role("button", name="Undo")).to_be_focused()
    window.keyboard.press("Enter")
    back = window.get_by_role("heading", name="2 photos back where they were")
    expect(back).to_be_visible(timeout=SLOW)
    assert state(photos) == before


def test_two_windows_on_one_plan(served: Page, photos: Path, eyes: Eyes):
    """What one left out, the other has not seen: its button is refused, in words, and nothing goes."""
    before = state(photos)
    runs = len(read_runs(Library(photos.parent / "library")))
    window = eyes.open(served, "/plans")
    window.get_by_role("button", name="Of all groups").click()
    window.wait_for_url(re.compile(r"/plans/[0-9a-f]{16}$"))
    other = window.context.new_page()
    other.goto(window.url)
    other.locator("[data-tick]").first.uncheck()
    expect(other.locator("#do")).to_be_enabled()
    expect(other.locator("h1 [data-say=photos]")).not_to_have_text(
        window.locator("h1 [data-say=photos]").inner_text()
    )
    window.locator("#do").click()
    expect(window.get_by_text("This plan was changed since you saw it")).to_be_visible()
    assert state(photos) == before
    assert len(read_runs(Library(photos.parent / "library"))) == runs
    window.locator("[data-tick]").first.uncheck()  # refused as well, and ticked again
    expect(window.locator("[data-tick]").first).to_be_checked()
    eyes.complaints.clear()  # the browser's own words for the two refusals


def test_at_phone_width_and_in_the_dark(served: Page, eyes: Eyes):
    """Nothing is wider than a phone; contrast holds in the dark; parts are left out in one go."""
    window = eyes.open(served, "/plans", viewport=PHONE, color_scheme="dark")
    assert grave(window) == []
    window.get_by_role("button", name="Of all groups").click()
    window.wait_for_url(re.compile(r"/plans/[0-9a-f]{16}$"))
    assert grave(window) == []
    assert window.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    count = going(window)
    window.locator('[data-leave-part="kind"][data-value="edit"]').click()
    expect(window.get_by_role("button", name="Take all in again")).to_be_visible()
    assert going(window) < count
    window.get_by_role("button", name="Take all in again").click()
    expect(window.get_by_role("button", name="Take all in again")).to_have_count(0)
    assert going(window) == count
    window.get_by_role("button", name="Throw this plan away").click()
    window.wait_for_url("**/plans")
