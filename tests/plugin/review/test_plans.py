"""Plans on the page: made of what is listed, looked at whole, thinned out, cleaned up."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import Clock
from tests.plugin.acting import state
from tests.plugin.conftest import Built, Cli
from tests.plugin.review.acting import Desk, overview
from twinlens_plugin.plans import read_plan
from twinlens_plugin.review.drafts import KEPT_SECONDS

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "plan.schema.json").read_text())


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes what a test opens."""
    with ExitStack() as stack:
        yield stack


def file_of(built: Built, url: str) -> Path:
    """Return the plan file of a plan's address."""
    return built.library.folder / "plans" / f"review-{url.rpartition('/')[2]}.json"


def going(file: Path) -> set[str]:
    """Return the names of the photos that a plan file proposes to remove."""
    groups = read_plan(file).groups
    return {
        os.fsdecode(p.path).rpartition("photos/")[2] for group in groups for p in group.removals
    }


ALL = {"backup/best.jpg", "backup/again/best.jpg", "web/small.jpg", "web/crop.jpg"}


def test_a_plan_of_all_that_is_listed_is_the_command_lines(
    built: Built, desk: Desk, twinlens: Cli, tmp_path: Path
):
    """Nothing happens to a photo; the file is a plan that apply takes, of the groups of duplicates."""
    before = state(built.photos)
    file = file_of(built, desk.plan())
    assert going(file) == ALL
    jsonschema.validate(json.loads(file.read_text()), SCHEMA)
    twinlens("duplicates", "--plan", tmp_path / "own.json")
    assert read_plan(file).groups == read_plan(tmp_path / "own.json").groups
    assert state(built.photos) == before
    assert file.stat().st_mode & 0o077 == 0 or file.parent.stat().st_mode & 0o077 == 0


def test_filters_are_those_of_the_list(built: Built, desk: Desk):
    """Kinds, folders and references hold in the plan too; wrong ones are said."""
    assert going(file_of(built, desk.plan(filters="kind=copy"))) == {"web/small.jpg"}
    against = f"under={built.photos}/web&against={built.photos}/2024"
    file = file_of(built, desk.plan(filters=against))
    assert going(file) == {"web/small.jpg"}
    assert read_plan(file).references == (os.fsencode(built.photos / "2024"),)
    assert desk.post("/plans", {"filters": "kind=nonsense"}).status_code == 400
    refused = desk.post("/plans", {"filters": "min-win=1000"})
    assert refused.status_code == 409
    assert "Nothing can go for certain" in refused.json()["error"]


def test_a_plan_of_chosen_groups(built: Built, desk: Desk, twinlens: Cli):
    """Names and cursors find the groups; one that is none any more is counted, not guessed."""
    groups = twinlens.json("duplicates")
    chosen = [
        {"name": g["group"], "cursor": g["cursor"], "filters": ""}
        for g in groups
        if g["kind"] != "identical"
    ]
    chosen.append({"name": "0123456789ab", "cursor": chosen[0]["cursor"], "filters": ""})
    answer = desk.post("/plans", {"groups": chosen})
    assert answer.status_code == 201
    assert answer.json()["missing"] == 1
    assert going(file_of(built, answer.json()["url"])) == {"web/small.jpg", "web/crop.jpg"}
    for wrong in ([], "x", [1], [{"name": "x"}], [{"name": "x", "cursor": "y", "filters": ""}]):
        assert desk.post("/plans", {"groups": wrong}).status_code == 400


def test_the_overview_says_what_would_happen(built: Built, desk: Desk):
    """Photos, bytes, kinds, folders, what to look at first, and each photo with why it goes."""
    url = desk.plan()
    text = " ".join(desk.get(url).text.split())
    assert overview(text)["photos"] == 4
    assert "4 photos</span> would go" in text
    assert "1 photo</b> is only an edit" in text
    assert "1 photo</b> is in a group where a relation is less than 95 % sure" in text
    assert "an edit, 93 % sure: cropped to 42 %" in text
    assert "the very same file" in text
    assert "photos/web" in text
    numbers = re.findall(r'data-shot="(\d+)"', text)
    assert len(numbers) == 4
    thumbs = set(re.findall(r"/photos/(\d+)/thumb", text))
    assert len(thumbs) == 7
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', text)
    assert not any("web" in address or "best" in address for address in addresses)


def test_parts_of_a_plan_are_shown_alone(desk: Desk):
    """By what to look at, kind and folder; a part that there is not is said."""
    url = desk.plan()
    page = desk.get(f"{url}?look=edits").text
    assert page.count('class="planned') == 1
    assert "crop.jpg" in page
    assert desk.get(f"{url}?kind=identical").text.count('class="planned') == 1
    folder = re.search(r"folder=([0-9a-f]{12})#", page)
    assert folder
    assert desk.get(f"{url}?folder={folder[1]}").text.count('class="planned') in (1, 2)
    assert desk.get(f"{url}?look=nonsense").status_code == 404
    assert desk.get(f"{url}?page=x").status_code == 400


def leave(desk: Desk, url: str, revision: str, **what: object) -> dict[str, object]:
    """Leave something out; return what is said."""
    answer = desk.post(f"{url}/leave", {"revision": revision, "leave": True, **what})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_leaving_out_and_taking_in_again(built: Built, desk: Desk, opened: ExitStack):
    """A photo, a group, a part; the sums follow, and survive another server."""
    url = desk.plan()
    shown = desk.shown(url)
    said = leave(desk, url, shown["revision"], part={"kind": "identical"})
    assert (said["photos"], said["groups"], said["bytes"]) == (2, 2, 900)
    again = opened.enter_context(Desk(built.library))
    assert again.shown(url) == {"revision": said["revision"], "photos": 2}
    page = again.get(f"{url}?left=1").text
    number = re.search(r'data-number="(\d+)"', page)
    shots = re.findall(r'data-shot="(\d+)"', page)
    assert number
    assert len(shots) == 2
    taken = again.post(
        f"{url}/leave",
        {
            "revision": said["revision"],
            "leave": False,
            "group": int(number[1]),
            "photo": int(shots[0]),
        },
    ).json()
    assert (taken["photos"], taken["groups"], taken["bytes"]) == (3, 3, 3900)
    all_out = leave(again, url, taken["revision"], part={})
    assert (all_out["photos"], all_out["groups"], all_out["bytes"]) == (0, 0, 0)
    refused = again.apply(url)
    assert refused.status_code == 409
    assert "Everything was left out" in refused.json()["error"]


def test_a_tick_in_a_window_that_is_behind_is_refused(desk: Desk):
    """Two windows on one plan: the second has not seen what the first left out."""
    url = desk.plan()
    revision = desk.shown(url)["revision"]
    leave(desk, url, revision, group=0)
    answer = desk.post(f"{url}/leave", {"revision": revision, "leave": True, "group": 1})
    assert answer.status_code == 409
    assert "another window" in answer.json()["error"]
    assert desk.post(f"{url}/leave", {"leave": True, "group": 1}).status_code == 428


@pytest.mark.parametrize(
    "what",
    [
        {"group": 99},
        {"group": -1},
        {"group": True},
        {"group": 0, "photo": 0},  # the keeper
        {"group": 0, "photo": 99},
        {"group": "0"},
        {"part": {"look": "nonsense"}},
        {},
    ],
)
def test_what_is_not_in_the_plan_cannot_be_left_out(desk: Desk, what: dict[str, object]):
    """Nothing else can be ticked: neither a keeper nor what is not there."""
    url = desk.plan()
    shown = desk.shown(url)
    answer = desk.post(f"{url}/leave", {"revision": shown["revision"], "leave": False, **what})
    assert answer.status_code in (400, 404), answer.text
    assert desk.shown(url) == shown


def test_a_plan_file_that_was_changed_by_hand_has_to_be_shown_anew(built: Built, desk: Desk):
    """What is carried out is what was shown: an editor's changes are a new revision."""
    url = desk.plan()
    before = desk.shown(url)
    file = file_of(built, url)
    file.write_text(file.read_text().replace('"proposal": "remove"', '"proposal": "keep"', 1))
    refused = desk.post(f"{url}/apply", {**before, "action": "trash"})
    assert refused.status_code == 409
    assert desk.shown(url)["photos"] == 3


def test_plans_that_there_are_not(built: Built, desk: Desk):
    """Ids that are none, of others, with dots and slashes: 404, and nothing is read or written."""
    desk.plan()
    (built.library.folder / "plans" / "mine.json").write_text("{}")
    for name in (
        "0" * 16,
        "mine",
        "..%2f..%2fcatalogue",
        "review-" + "0" * 16,
        "%2e%2e",
        "a" * 16 + ".json",
    ):
        assert desk.get(f"/plans/{name}").status_code == 404, name
        for act in ("apply", "leave", "discard"):
            body = {"revision": "0" * 16, "photos": 1, "action": "trash", "leave": True, "group": 0}
            assert desk.post(f"/plans/{name}/{act}", body).status_code == 404, (name, act)
        assert desk.http.get(f"/plans/jobs/{name}").status_code == 404, name


def test_old_plans_are_cleaned_up_and_the_users_never(
    built: Built, photos: dict[str, Path], opened: ExitStack
):
    """After a week, unless it was carried out; a plan that the user put there stays for ever."""
    clock = Clock(now=1_900_000_000.0)
    desk = opened.enter_context(Desk(built.library, clock))
    old = file_of(built, desk.plan())
    mine = old.with_name("mine.json")
    mine.write_bytes(old.read_bytes())
    for file in (old, mine):
        os.utime(file, (clock.now, clock.now))
    clock.advance(KEPT_SECONDS - 10)
    young = file_of(built, desk.plan())
    assert old.exists()
    os.utime(young, (clock.now, clock.now))
    clock.advance(20)
    desk.plan()
    assert not old.exists()
    assert not list(old.parent.glob(f"{old.stem}*"))
    assert young.exists()
    assert mine.exists()


def test_a_plan_is_thrown_away_on_request(built: Built, desk: Desk):
    """Both its files go, and it is listed no more."""
    url = desk.plan()
    assert url in desk.get("/plans").text
    assert desk.post(f"{url}/discard").status_code == 200
    assert not list((built.library.folder / "plans").iterdir())
    assert url not in desk.get("/plans").text
    assert desk.get(url).status_code == 404


def test_a_full_disk_is_said_in_one_line(built: Built, desk: Desk):
    """The plan cannot be written: which folder, why, and what to do."""
    folder = built.library.folder / "plans"
    folder.write_bytes(b"")  # no folder can be made there
    answer = desk.post("/plans")
    assert answer.status_code == 507
    assert str(folder) in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
