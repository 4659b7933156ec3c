"""The map: how duplicates spread by folder and by year, and which folders share them."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect

from tests.conftest import Clock
from tests.plugin.conftest import Built
from tests.plugin.review.conftest import Client, Page, Read, Serve
from tests.plugin.review.looking import PHONE, Eyes, grave
from twinlens import relations
from twinlens.catalogue import Catalogue
from twinlens.relations import Detail, Relation
from twinlens.settings import Settings
from twinlens_plugin import decisions
from twinlens_plugin.relations import Duplicates
from twinlens_plugin.review.clusters import Clusters
from twinlens_plugin.review.problems import Refused
from twinlens_plugin.review.spread import Spreads, _context, measure
from twinlens_plugin.wanted import Wanted

Relate = Callable[..., None]


@pytest.fixture
def relate(built: Built) -> Relate:
    """Store that two photos are duplicates."""

    def relate_two(a: Path, b: Path, kind: str = "copy") -> None:
        low, high = sorted((built.content_id(a), built.content_id(b)))
        with built.catalogue.write_tx() as tx:
            relations.store(tx, Relation(low, high, kind, 0.99, Detail(""), 1))

    return relate_two


def decide(built: Built, verdict: str, *photos: Path, keep: Path | None = None) -> None:
    """Decide as the command does."""

    def digest(path: Path) -> bytes:
        sql = "SELECT sha256 FROM contents WHERE id = ?"
        return bytes(built.catalogue.value(sql, (built.content_id(path),)))

    made = decisions.make([digest(p) for p in photos], verdict, keep and digest(keep), 1.0)
    with built.catalogue.write_tx() as tx:
        decisions.store(tx, made)


def spare(built: Built) -> dict[str, tuple[int, int]]:
    """Return spare photos and their bytes by the folder below the root."""
    spread = measure(built.catalogue)
    root = os.fsencode(built.photos)
    return {
        os.fsdecode(spread.folders[number][len(root) + 1 :]): (tally.photos, tally.bytes)
        for number, tally in spread.by_folder.items()
        if tally.photos
    }


def test_of_files_with_the_same_bytes_the_first_is_kept(built: Built):
    """The others are spare, wherever they are."""
    for name in ("a/1.jpg", "b/1.jpg", "c/1.jpg", "c/2.jpg"):
        built.photo(name, data=bytes(100))
    built.photo("a/other.jpg")
    assert spare(built) == {"b": (1, 100), "c": (2, 200)}


def test_the_largest_is_kept(built: Built, relate: Relate):
    """By pixels, then by bytes; what is spare makes nothing else spare."""
    large = built.photo("a/large.jpg", data=bytes(10), pixels=(400, 300))
    small = built.photo("b/small.jpg", data=bytes(500), pixels=(200, 150))
    smaller = built.photo("c/smaller.jpg", data=bytes(300), pixels=(100, 75))
    relate(large, small)
    relate(small, smaller)
    assert spare(built) == {"b": (1, 500)}
    relate(large, smaller)
    assert spare(built) == {"b": (1, 500), "c": (1, 300)}


def test_bursts_and_look_alikes_are_not_spare(built: Built, relate: Relate):
    """Nor is what was deleted, nor what waits to be read anew."""
    a, b, c, d = (built.photo(f"{name}/1.jpg") for name in "abcd")
    relate(a, b, "burst")
    relate(a, c, "similar")
    relate(a, d, "copy")
    assert len(spare(built)) == 1
    d.write_bytes(b"something else")
    built.record(d)
    assert spare(built) == {}


def test_what_a_person_decided_counts(built: Built, relate: Relate):
    """Apart is apart, chosen is kept, the same is the same, and copies that are wanted stay."""
    a, b, c, d = (
        built.photo(f"{name}/1.jpg", data=bytes([number]) * 100, pixels=(100 * number, 100))
        for number, name in enumerate("abcd", start=1)
    )
    relate(a, b)
    decide(built, "keep", a, b, keep=a)
    assert spare(built) == {"b": (1, 100)}
    decide(built, "same", c, d)
    assert spare(built) == {"b": (1, 100), "c": (1, 100)}
    decide(built, "not-duplicates", a, b)
    assert spare(built) == {"c": (1, 100)}
    built.photo("e/1.jpg", data=bytes([4]) * 100)
    assert spare(built) == {"c": (1, 100), "e": (1, 100)}
    decide(built, "not-duplicates", d, built.photos / "e/1.jpg")
    assert spare(built) == {"c": (1, 100)}


def test_years_are_those_of_the_photos(built: Built):
    """When they were taken; else when the file was changed."""
    for name in ("a/1.jpg", "b/1.jpg"):
        built.photo(name, data=b"dated", taken_at="2019-05-01T12:00:00")
    for name in ("a/2.jpg", "b/2.jpg"):
        path = built.write(name, b"undated")
        os.utime(path, (1_500_000_000, 1_500_000_000))
        built.record(path)
        built.commit(path)
    years = measure(built.catalogue).by_year
    assert {year: tally.photos for year, tally in years.items()} == {"2019": 1, "2017": 1}


def rows(built: Built, folder: str = "") -> dict[str, list[tuple[str, ...]]]:
    """Return what a page shows of a folder below the root."""
    top = os.fsencode(built.photos / folder) if folder else b""
    context = _context(measure(built.catalogue), [os.fsencode(built.photos)], top)
    return {
        "folders": [(row.name, str(row.photos), row.open) for row in context["folders"]],
        "pairs": [(row.name, row.other, str(row.photos), row.groups) for row in context["pairs"]],
    }


def test_folders_that_share_photos(built: Built):
    """Each two of three backups; a folder that holds a photo twice shares it with itself."""
    for name in ("x/1.jpg", "y/1.jpg", "z/1.jpg", "z/again.jpg"):
        built.photo(name, data=bytes(1000))
    for name in ("x/2.jpg", "y/2.jpg"):
        built.photo(name, data=bytes(2000))
    pairs = {(a, b): count for a, b, count, _ in rows(built)["pairs"]}
    assert pairs == {("x", "y"): "2", ("x", "z"): "1", ("y", "z"): "1", ("z", ""): "1"}
    first = rows(built)["pairs"][0]
    query = dict(urllib.parse.parse_qsl(first[3].removeprefix("/?")))
    assert query == {"under": f"{built.photos}/x", "against": f"{built.photos}/y"}


def test_one_goes_down_into_folders(built: Built):
    """To the folders right below, and to what lies in the folder itself."""
    for name in ("a/1.jpg", "a/b/1.jpg", "a/b/c/1.jpg", "ab/1.jpg"):
        built.photo(name, data=bytes(1000))
    assert [name for name, *_ in rows(built)["folders"]] == ["a", "ab"]
    assert rows(built, "a")["folders"] == [
        ("b", "2", f"/map?folder={urllib.parse.quote_plus(str(built.photos / 'a/b'))}")
    ]
    assert {name for name, *_ in rows(built, "a/b")["folders"]} == {"c", "right in this folder"}
    assert rows(built, "ab")["folders"] == [("right in this folder", "1", "")]
    with pytest.raises(Refused, match="not watched"):
        _context(measure(built.catalogue), [os.fsencode(built.photos)], b"/etc")


def test_names_that_are_no_text(built: Built):
    """They are shown with their bytes, and their addresses lead to them."""
    for name in (b"caf\xe9/1.jpg", b"caf\xe9/\n/2.jpg", b"b/1.jpg"):
        built.photo(name, data=bytes(10))
    [row] = [row for row in rows(built)["folders"] if row[0] == "caf\\xe9"]
    assert row[2].endswith("caf%E9")


def test_counting_is_done_when_something_changed(built: Built, clock: Clock):
    """And while all changes all the time, not more than a tenth of the time."""
    built.photo("a/1.jpg", data=b"1")
    built.photo("b/1.jpg", data=b"1")
    spreads = Spreads(clock)
    first = spreads.get(built.catalogue)
    assert spreads.get(built.catalogue) is first
    built.photo("c/1.jpg", data=b"1")
    second = spreads.get(built.catalogue)
    assert second is not first
    assert sum(tally.photos for tally in second.by_folder.values()) == 2


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_a_spare_photo_always_has_one_that_is_kept(edges: list[tuple[int, int]]):
    """Whatever is related to whatever: each cluster keeps exactly one file, no file is in two."""
    clusters = object.__new__(Clusters)
    clusters._apart = set()
    clusters._spots = {n: [(n, n, "2020")] for n in range(8)}
    clusters._ranks = {n: (True, n % 3, 0, n) for n in range(8)}
    related: dict[int, list[int]] = {}
    for a, b in edges:
        if a != b:
            related.setdefault(a, []).append(b)
            related.setdefault(b, []).append(a)
    clusters._edges = related
    seen: list[int] = []
    all_spare: set[int] = set()
    for cluster in clusters:
        [(kept, _, _)] = cluster.kept
        spare = [folder for folder, _, _ in cluster.spare]
        assert all(kept in related[folder] for folder in spare)
        seen += [kept, *spare]
        all_spare.update(spare)
    assert len(seen) == len(set(seen))
    # Who is left out resembles nothing but what is spare itself.
    assert all(set(related[n]) <= all_spare for n in related if n not in seen)


def test_it_counts_what_duplicates_lists(client: Client, read: Read):
    """On real photos that a real scan related: as many as the command would remove."""
    with Catalogue.open_to_read(read.library.catalogue) as catalogue:
        groups = list(Duplicates(catalogue, Settings(library=read.library.folder), Wanted(), None))
    spare = sum(not member.stays for one in groups for member in one.group.members)
    text = client.get("/map").text
    assert re.findall(r"in <b>(\d+)</b> spare", text) == [str(spare)]
    assert spare >= 3
    assert client.get("/map?folder=/etc").status_code == 404
    assert client.get("/map", params={"folder": f"{read.photos}/2025"}).status_code == 200


# In a real browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tiles_and_tables(eyes: Eyes, page: Page, scheme: str):
    """Tiles are areas by bytes, and their folders lead to groups; axe has nothing to say."""
    window = eyes.open(page, "/map", color_scheme=scheme)
    tiles = window.locator(".tile")
    expect(tiles).to_have_count(2)
    sizes = [
        box["width"] * box["height"] for box in (tile.bounding_box() for tile in tiles.all()) if box
    ]
    bytes_ = window.eval_on_selector_all("#folders tbody tr", "rows => rows.map(r => Number(r.dataset.bytes))")  # fmt: skip
    assert sizes[0] / sizes[1] == pytest.approx(bytes_[0] / bytes_[1], rel=0.02)
    assert grave(window) == []
    row = window.get_by_role("row", name=re.compile("^2024 and 2025"))
    photos = int(row.locator("td.number").nth(1).inner_text())
    assert photos >= 2
    row.get_by_role("link", name="Groups of 2024 and 2025").click()
    expect(window.locator(".group")).to_have_count(photos)


def test_a_phone(eyes: Eyes, page: Page):
    """Nothing is wider than the screen; axe has nothing to say."""
    window = eyes.open(page, "/map", viewport=PHONE)
    assert window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert grave(window) == []


def test_no_duplicates_is_no_error(eyes: Eyes, serve: Serve, built: Built):
    """A library of one photo has an empty map."""
    built.photo("a.jpg")
    window = eyes.open(serve(built.library.folder), "/map")
    expect(window.get_by_role("heading", name="No duplicates")).to_be_visible()
    assert grave(window) == []
