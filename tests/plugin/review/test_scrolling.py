"""A list of many groups in a real browser: few of them are in the page at a time, and none is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page as Window
from playwright.sync_api import expect

from tests.plugin.review.conftest import Page, scene
from tests.plugin.review.looking import Eyes
from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.roots import add_root
from twinlens.thumbnails import thumbnail_path

GROUPS = 300
MOST_ARTICLES = 9 * 20 + 40
"""Nine pages of 20, and those that are near while they come."""
NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of a library with many groups of two files each, as a scan would leave it."""
    folder = tmp_path_factory.mktemp("many")
    library = Library(folder / "library")
    library.create()
    small = scene(1).resize((32, 24))
    small.save(folder / "picture.jpg")
    picture = (folder / "picture.jpg").read_bytes()
    with Catalogue.open(library.catalogue) as catalogue:
        (folder / "photos").mkdir()
        root = add_root(catalogue, folder / "photos", now=NOW)
        names = [f"{number:04}{end}.jpg" for number in range(GROUPS) for end in "ab"]
        for name in names:
            (folder / "photos" / name).write_bytes(picture)
        seen = [(name.encode(), FileStat.of((folder / "photos" / name).stat())) for name in names]
        ledger.record(catalogue, root.id, seen, now=NOW)
        with catalogue.write_tx() as tx:
            for number in range(GROUPS):
                # Other bytes by what the catalogue says: it is the list that is looked at.
                digest = hashlib.sha256(str(number).encode()).digest()
                content = tx.execute(
                    "INSERT INTO contents (sha256, bytes, width, height, format)"
                    " VALUES (?, ?, 32, 24, 'JPEG')",
                    (digest, len(picture)),
                ).lastrowid
                path = thumbnail_path(library.thumbnails, digest)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture)
                for end in "ab":
                    (file,) = tx.execute(
                        "SELECT id FROM files WHERE path = ?", (f"{number:04}{end}.jpg".encode(),)
                    ).fetchone()
                    tx.execute("UPDATE files SET content_id = ? WHERE id = ?", (content, file))
                    ledger.finish(tx, file)
    with Page(library.folder) as running:
        yield running


def articles(window: Window) -> int:
    """Return how many groups are in the page."""
    return window.locator("article.group").count()


def in_sight(window: Window) -> list[str]:
    """Return the names of the groups in the window, and how far down each begins."""
    return list(
        window.evaluate(
            "() => [...document.querySelectorAll('article.group')].map((group) =>"
            " [group.dataset.group, Math.round(group.getBoundingClientRect().top)])"
            ".filter(([, top]) => top > 0 && top < innerHeight).map(String)"
        )
    )


def scroll_to_the_end(window: Window) -> int:
    """Scroll down until there is no more; return the most groups that were in the page at a time."""
    most = 0
    for _ in range(300):
        window.mouse.wheel(0, 6000)
        window.wait_for_timeout(40)
        most = max(most, articles(window))
        if window.locator("#end").is_visible() and window.evaluate(
            "() => scrollY + innerHeight > document.documentElement.scrollHeight - 80"
        ):
            return most
    raise AssertionError("the end of the list is not reached by scrolling")


def test_few_groups_are_in_the_page_and_the_way_back_shows_the_same(eyes: Eyes, many: Page):
    """Scrolled to the end and back, a list of hundreds never holds more than some pages of them."""
    window = eyes.open(many)
    expect(window.locator("article.group").first).to_be_visible()
    first = in_sight(window)
    height = window.evaluate("document.querySelector('article.group').offsetHeight")
    most = scroll_to_the_end(window)
    assert most <= MOST_ARTICLES
    assert articles(window) <= MOST_ARTICLES
    last = window.locator("article.group").last
    assert last.get_attribute("aria-posinset") == str(GROUPS)
    whole = window.evaluate("document.querySelector('#list').offsetHeight")
    assert whole == pytest.approx(GROUPS * height, rel=0.03)
    while window.evaluate("scrollY") > 0:
        window.mouse.wheel(0, -8000)
        window.wait_for_timeout(30)
        assert articles(window) <= MOST_ARTICLES
    expect(window.locator("article.group").first).to_have_attribute("aria-posinset", "1")
    assert in_sight(window) == first
    names = window.locator("article.group").evaluate_all("(all) => all.map((one) => one.id)")
    assert len(names) == len(set(names))


def test_back_leads_to_where_one_was(eyes: Eyes, many: Page):
    """Gone to another page from deep in the list, Back shows the same groups at the same height."""
    window = eyes.open(many)
    for _ in range(12):
        window.mouse.wheel(0, 3000)
        window.wait_for_timeout(60)
    expect(window.locator("article.group[aria-posinset='60']")).to_have_count(1)
    window.wait_for_timeout(300)
    name, _, top = in_sight(window)[0].partition(",")
    window.evaluate("location.assign('/search')")
    expect(window).to_have_url(f"{many.origin}/search")
    window.go_back()
    expect(window.locator(f"article.group[data-group='{name}']")).to_be_in_viewport()
    window.wait_for_timeout(300)
    now, _, there = in_sight(window)[0].partition(",")
    assert now == name
    assert float(there) == pytest.approx(float(top), abs=2)


def test_a_decision_leaves_the_place_as_it_is(eyes: Eyes, many: Page):
    """Said no of a group in the middle, what is above it does not move."""
    window = eyes.open(many, viewport={"width": 1280, "height": 1500})
    for _ in range(6):
        window.keyboard.press("ArrowDown")
    window.keyboard.press("ArrowUp")
    window.keyboard.press("ArrowRight")
    above = in_sight(window)[0]
    window.keyboard.press("n")
    expect(window.locator(".group.done")).to_have_count(1)
    assert in_sight(window)[0] == above
    window.keyboard.press("u")
    expect(window.locator(".group.done")).to_have_count(0)
