"""The list of groups: the page, its pieces, its filters."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.plugin.conftest import Built, Cli
from tests.plugin.review.conftest import Client, Read, Serve


def named(html: str) -> list[str]:
    """Return the names of the groups in a piece of the page."""
    return re.findall(r'<article[^>]* data-group="(\w+)"', html)


def listed(read: Read, *words: str) -> list[dict[str, Any]]:
    """Return what ``duplicates`` lists."""
    done = subprocess.run(
        [sys.executable, "-m", "twinlens_plugin", "duplicates", "--json", *words],
        env={**os.environ, "TWINLENS_LIBRARY": str(read.library.folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_page_lists_the_groups_of_duplicates(client: Client, read: Read):
    """The first ones are in the page itself, before any script runs; the same ones, in that order."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    groups = listed(read)
    assert len(groups) >= 3
    assert named(answer.text) == [group["group"] for group in groups]
    assert f"/photos/{read.file_id('2024/photo-0.jpg')}/thumb" in answer.text


def test_a_page_after_another(client: Client, read: Read):
    """By cursors, those of the command line; the last page names no next one."""
    found, after = [], ""
    for _ in range(len(listed(read))):
        html = client.get("/groups", params={"n": 1, **({"after": after} if after else {})}).text
        found += named(html)
        following = re.search(r'data-after="([\d-]+)"', html)
        after = following[1] if following else ""
    assert after == ""
    assert found == [group["group"] for group in listed(read)]


FILTERS = {
    "kinds": (["kind=copy", "kind=edit"], ["--kind", "copy,edit"]),
    "kinds with commas": (["kind=identical,copy"], ["--kind", "identical,copy"]),
    "a score": (["min-score=0.99"], ["--min-score", "0.99"]),
    "bytes to win": (["min-win=0.03"], ["--min-win", "0.03"]),
    "turned": (["rotated=1"], ["--rotated"]),
    "none turned": (["rotated=0"], ["--no-rotated"]),
    "not within a folder": (["ignore-same-folder=1"], ["--ignore-same-folder"]),
    "below a folder": (["under={photos}/2024"], ["--under", "{photos}/2024"]),
    "against a folder": (
        ["under={photos}/2024", "against={photos}/2025"],
        ["--under", "{photos}/2024", "--against", "{photos}/2025"],
    ),
    "lately": (["since=2020-01-01"], ["--since", "2020-01-01"]),
    "never": (["since=2999-01-01"], ["--since", "2999-01-01"]),
    "with a photo in a folder": (["folder={photos}/2025"], ["{photos}/2025"]),
    "another keeper": (["keep=path:*/2025/*"], ["--keep", "path:*/2025/*"]),
    "a reference": (["reference={photos}/2025"], ["--reference", "{photos}/2025"]),
}


@pytest.mark.parametrize("case", FILTERS)
def test_filters_are_those_of_the_command_line(client: Client, read: Read, case: str):
    """The same groups, with the same keepers."""
    query, words = ([part.format(photos=read.photos) for part in parts] for parts in FILTERS[case])
    answer = client.get("/groups?n=50&" + "&".join(quote(part, safe="=") for part in query))
    assert answer.status_code == 200
    expected = listed(read, *words)
    assert named(answer.text) == [group["group"] for group in expected]
    keepers = [Path(group["keeper"]).relative_to(read.photos) for group in expected]
    shown = re.findall(r'data-keeper="(\d+)"', answer.text)
    assert list(map(int, shown)) == [read.file_id(str(keeper)) for keeper in keepers]


def test_filters_left_empty_say_nothing(client: Client):
    """A form sends all of its fields."""
    empty = (
        "kind=&min-score=&min-win=&rotated=&since=&under=&ignore-same-folder=&fields-of-others=1"
    )
    assert named(client.get(f"/?{empty}").text) == named(client.get("/").text)


BAD = {
    "kind=none": "'none' is no kind. Known: identical, same-pixels, copy, edit, burst, similar.",
    "kind=pair": "'pair' is no kind.",
    "min-score=2": "At least this sure: 2.0 must be from 0 to 1.",
    "min-score=x": "At least this sure: 'x' is no number.",
    "min-win=-1": "Wins back at least: -1.0 must be at least 0.",
    "since=someday": "New since: 'someday' is no date. Write 2026-05-01, or 7d for a week ago.",
    "under=/nowhere-at-all": "/nowhere-at-all: not watched.",
    "under=%00": "no name of a folder holds a NUL",
    "under=%ff": "not watched",
    "against=/tmp": "--against DIR needs --under DIR: what is to be compared with it?",
    "keep=prettiest": "prettiest",
    "min-score=--help": "At least this sure: '--help' is no number.",
}


@pytest.mark.parametrize("query", BAD)
def test_filters_that_cannot_be_understood(client: Client, query: str):
    """One line that says what is wrong: on the page where it is one, else as JSON."""
    piece = client.get(f"/groups?{query}")
    assert piece.status_code == 400
    line = piece.json()["error"]
    assert BAD[query] in line
    assert "\n" not in line
    assert "--help" not in line.removeprefix("At least this sure: '--help'")
    page = client.get(f"/?{query}", headers={"Accept": "text/html"})
    assert page.status_code == 400
    assert named(page.text) == []
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nowhere", 404, "There is no such page."),
        ("/plans/0123456789abcdef", 404, "There is no such plan (any more)."),
        ("/compare?a=1&amp;b=&lt;b&gt;", 400, "&lt;b&gt;"),
        ("/photos/999999/full", 404, "There is no such photo in the library."),
    ],
)
def test_what_cannot_be_shown_is_said_within_the_page(
    client: Client, path: str, status: int, said: str
):
    """With the way back to the groups; scripts, which ask for a piece of a page, get the line alone."""
    path = html.unescape(path)
    page = client.get(path, headers={"Accept": "text/html,*/*"})
    assert page.status_code == status
    assert said in page.text
    assert 'href="/">Back to the groups' in page.text
    piece = client.get(path, headers={"Accept": "text/html", "X-Twinlens": "1"})
    assert piece.headers["content-type"].startswith("text/plain")
    assert client.get(path).json()["error"]


@pytest.mark.parametrize("query", ["after=x", "after=1-2", "n=0", "n=201", "n=x", "n=1e3", "n="])
def test_places_that_are_none(client: Client, query: str):
    """Refused in one line."""
    answer = client.get(f"/groups?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_too_many_fields(client: Client):
    """Refused, not worked on."""
    assert client.get("/groups?" + "&".join(["under=/tmp"] * 501)).status_code == 400


def test_one_group_anew(own: Read, serve: Serve):
    """By its name and place, or by a photo that it holds now; 204 where it is no group any more."""
    with serve(own.library.folder).browser() as browser:
        group = listed(own, "--kind", "copy")[0]
        one = browser.get(f"/groups/{group['group']}", params={"near": group["cursor"]})
        assert named(one.text) == [group["group"]]
        assert "<html" not in one.text
        photo = own.file_id("2024/photo-0.jpg")
        assert named(browser.get(f"/groups/other?photo={photo}").text) == [group["group"]]
        assert browser.get(f"/groups/other?near={group['cursor']}").status_code == 204
        assert browser.get(f"/groups/{group['group']}").status_code == 400
        other = own.file_id("2024/photo-0 small.jpg")
        body = {"verdict": "not-duplicates", "photos": [photo, other], "keep": None}
        assert browser.send_json("/decisions", body).status_code == 200
        gone = browser.get(f"/groups/{group['group']}?near={group['cursor']}&photo={photo}")
        assert gone.status_code == 204


def test_a_group_that_a_photo_left(built: Built, serve: Serve, twinlens: Cli):
    """What is left of it is found by its keeper, under its new name."""
    photos = [
        built.photo(f"{name}.jpg", data=b"x" * size)
        for name, size in zip("abc", (9, 8, 7), strict=True)
    ]
    for i, one in enumerate(photos):
        for other in photos[i + 1 :]:
            built.pair(one, other, 0.99)
    (group,) = twinlens.json("duplicates")
    keeper = Path(group["keeper"])
    leaving = next(photo for photo in photos if photo != keeper)
    with serve(built.library.folder).browser() as browser:
        before = named(browser.get("/").text)
        assert before == [group["group"]]
        for staying in photos:
            if staying != leaving:
                ids = [built.file_id(staying), built.file_id(leaving)]
                body = {"verdict": "not-duplicates", "photos": ids, "keep": None}
                assert browser.send_json("/decisions", body).status_code == 200
        query = {"near": group["cursor"], "photo": built.file_id(keeper)}
        after = browser.get(f"/groups/{group['group']}", params=query)
    assert len(named(after.text)) == 1
    assert named(after.text) != before
    assert f'data-photo="{built.file_id(leaving)}"' not in after.text


def test_names_of_any_bytes(built: Built, serve: Serve):
    """Markup in a name is text, other bytes are printable, and a folder of such a name is a filter."""
    folder = b"\xff<b>"
    evil = built.photo(folder + b"/<img src=x onerror=alert(1)>.jpg", data=b"same")
    built.photo(b"\"quoted' \n.jpg", data=b"same")
    under = quote(os.fsencode(built.photos) + b"/" + folder)
    with serve(built.library.folder).browser() as browser:
        html = browser.get("/").text
        assert "<img src=x" not in html
        assert "&lt;img src=x onerror=alert(1)&gt;.jpg" in html
        answer = browser.get(f"/?folder={under}")
        assert answer.status_code == 200, answer.text
        assert len(named(answer.text)) == 1
        assert f"folder={quote(quote(os.fsencode(built.photos), safe=''), safe='%')}" in answer.text
        assert browser.get(f"/photos/{built.file_id(evil)}/full").status_code in (200, 422, 503)


def test_a_photo_that_changed_is_left_out(built: Built, serve: Serve):
    """As ``duplicates`` does: people delete what is listed."""
    built.photo("a.jpg", data=b"same")
    changed = built.photo("b.jpg", data=b"same")
    with serve(built.library.folder).browser() as browser:
        assert len(named(browser.get("/").text)) == 1
        changed.write_bytes(b"other")
        assert named(browser.get("/").text) == []
