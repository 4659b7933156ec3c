"""Progress: how far the library is, whoever reads it, and what stands in the way."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.plugin.conftest import Built
from tests.plugin.review.conftest import Page, Read, Serve, scene
from tests.plugin.review.looking import Eyes, grave
from twinlens import relations, roots
from twinlens.events import add_event
from twinlens.relations import Detail, Relation
from twinlens.settings import Settings
from twinlens_plugin.options import Session
from twinlens_plugin.review.progress import Meter, count, routes
from twinlens_plugin.review.state import State


class Asked:
    """The address of progress alone, over a library that is built row by row."""

    def __init__(self, built: Built, clock: Clock, **settings: Any) -> None:
        session = Session(Settings(library=built.library.folder, **settings), None, as_json=False)
        self.state = State(session, port=1, clock=clock)
        self.app = Starlette(routes=list(routes(self.state)))

    def __call__(self, since: int | None = None) -> dict[str, Any]:
        answer = asyncio.run(self.get({} if since is None else {"since": str(since)}))
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, query: dict[str, str]) -> httpx.Response:
        """Ask, in this process."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/progress", params=query)


@pytest.fixture
def asked(built: Built, clock: Clock) -> Asked:
    """Ask for progress."""
    return Asked(built, clock)


def test_a_library_at_rest_says_nothing(built: Built, asked: Asked):
    """No words, no problems, nothing new."""
    built.photo("a.jpg")
    found = asked()
    assert found["photos"] == 1
    assert found["waiting"] == 0
    assert found["words"] == ""
    assert found["problems"] == []
    assert not found["busy"]
    assert found["running"] == []


def test_the_index_of_the_twinlens_before(built: Built, asked: Asked):
    """After an upgrade it answers on; the header says so, and what makes the new one."""
    built.photo("a.jpg")
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE models SET weights = NULL")
    [problem] = asked()["problems"]
    assert problem.startswith("The index is of another version of pocket than this twinlens has")
    assert problem.endswith("Make it: twinlens scan")


def test_photos_that_nobody_reads(built: Built, asked: Asked):
    """It is said what to run."""
    for name in ("a.jpg", "b.jpg"):
        built.record(built.write(name))
    assert asked()["words"] == "2 photos wait to be read. Run: twinlens scan"
    assert not asked()["busy"]


def test_pairs_that_nobody_compares(built: Built, asked: Asked):
    """The same; pairs that were put off are nobody's work."""
    photos = [built.photo(name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    built.pair(photos[0], photos[1], 0.95)
    built.pair(photos[0], photos[2], 0.95)
    assert asked()["words"] == "2 pairs of photos wait to be compared. Run: twinlens scan"
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE unverified SET not_before = 5")
    assert count(built.catalogue).unverified == 0


def test_another_process_reads(built: Built, asked: Asked, clock: Clock):
    """With how many a second, and how long it takes still."""
    paths = [built.write(f"{number}.jpg") for number in range(100)]
    for path in paths:
        built.record(path)
    with built.library.lock("worker"):
        first = asked()
        assert first["words"] == "0 of 100 photos read"
        assert (first["rate"], first["eta_seconds"]) == (None, None)
        for path in paths[:20]:
            built.commit(path)
        clock.advance(10)
        found = asked()
        assert found["words"] == "20 of 100 photos read, 2 a second, 40 s left"
        assert (found["rate"], found["eta_seconds"]) == (2.0, 40)
        assert found["busy"]
        assert found["running"] == ["worker"]
        for path in paths[20:]:
            built.commit(path)
        built.pair(paths[0], paths[1], 0.95)
        clock.advance(10)
        assert asked()["words"] == "Comparing: 1 pair left"


def test_with_a_broker_workers_may_be_anywhere(built: Built, clock: Clock):
    """Nobody is told to run a scan."""
    built.record(built.write("a.jpg"))
    assert Asked(built, clock, broker="redis://nowhere")()["words"] == "0 of 1 photo read"


def test_what_stands_in_the_way(built: Built, asked: Asked):
    """Disks that are away, photos that cannot be read, a broker that does not answer."""
    bad = built.write("bad.jpg")
    built.record(bad)
    built.quarantine(bad, "damaged")
    roots.set_online(built.catalogue, built.root, reason="its marker is missing", now=1.0)
    with built.catalogue.write_tx() as tx:
        tx.execute("INSERT INTO meta VALUES ('broker_problem', 'Redis is full. Make space.')")
    broker, away, unread = asked()["problems"]
    assert broker == "Redis is full. Make space."
    assert str(built.photos) in away
    assert "its marker is missing" in away
    assert unread == "1 photo cannot be read. List them: twinlens quarantine"


def test_groups_that_changed(built: Built, asked: Asked):
    """The number grows with duplicates that come and photos that go, not with any other event."""
    built.photo("a.jpg")

    def happen(kind: str) -> None:
        with built.catalogue.write_tx() as tx:
            add_event(tx, 1.0, kind, root_id=built.root.id, path=b"a.jpg")

    happen("duplicate")
    first = asked()["changed"]
    happen("added")
    assert asked()["changed"] == first
    happen("duplicate")
    happen("duplicate")
    assert asked(since=first)["new"] == 2
    grown = asked()["changed"]
    assert grown > first
    happen("deleted")
    assert asked()["changed"] > grown


def test_what_is_no_number_is_refused(asked: Asked):
    """As an address that someone made up."""
    from twinlens_plugin.review.problems import Refused

    with pytest.raises(Refused, match="no number"):
        asyncio.run(asked.get({"since": "x"}))


def test_counting_is_seldom_where_it_takes_long(built: Built):
    """Asked by ten pages at once, a large catalogue is counted once in a while."""
    times = iter([0.0, 0.2, 5.0, 6.1, 6.2])
    meter = Meter(lambda: next(times))
    built.photo("a.jpg")
    assert meter.read(built.catalogue)[0].photos == 1  # took 0.2 s: not before 6 s
    built.photo("b.jpg")
    assert meter.read(built.catalogue)[0].photos == 1
    assert meter.read(built.catalogue)[0].photos == 2


def test_a_rate_starts_again_when_all_is_read_anew(built: Built, clock: Clock):
    """A change of model is no negative rate."""
    meter = Meter(clock)
    path = built.photo("a.jpg")
    meter.read(built.catalogue)
    path.write_bytes(b"other")
    built.record(path)
    clock.advance(10)
    counts, rate = meter.read(built.catalogue)
    assert counts.waiting == 1
    assert rate is None


def test_a_scan_in_another_process_is_seen(own: Read, serve: Serve, tmp_path: Path):
    """The real command on new photos: they wait or are read, then all is done and groups changed."""
    served = serve(own.library.folder)
    more = tmp_path / "more"
    more.mkdir()
    for number in range(8):
        scene(number).resize((400, 300)).save(more / f"{number}.png")
    with served.browser() as client:
        before = client.get("/progress").json()
        scan = subprocess.Popen(
            [sys.executable, "-m", "twinlens_plugin", "scan", more],
            env={**os.environ, "TWINLENS_LIBRARY": str(own.library.folder), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        seen = set()
        while scan.poll() is None:
            seen.update(client.get("/progress").json()["running"])
            time.sleep(0.1)
        time.sleep(0.6)  # counts are kept for half a second
        after = client.get(f"/progress?since={before['changed']}").json()
    assert "worker" in seen
    assert after["photos"] == before["photos"] + 8
    assert (after["waiting"], after["unverified"], after["words"]) == (0, 0, "")
    assert after["new"] >= 8
    assert after["changed"] > before["changed"]


# In a real browser


def test_news_are_shown_when_asked_for(own: Read, serve: Serve, eyes: Eyes):
    """What one looks at stays where it is until the button is pressed; axe has nothing to say."""
    from twinlens.catalogue import Catalogue

    window = eyes.open(serve(own.library.folder), "/")
    groups = window.locator(".group")
    before = groups.count()
    expect(window.locator("#progress")).to_be_empty()
    with Catalogue.open(own.library.catalogue) as catalogue, catalogue.write_tx() as tx:
        a, b = sorted(own_content(catalogue, name) for name in ("photo-8.jpg", "photo-9.jpg"))
        relations.store(tx, Relation(a, b, "copy", 0.99, Detail("resized"), 1))
        add_event(tx, 1.0, "duplicate", root_id=1, path=b"2024/photo-9.jpg")
    button = window.get_by_role("button", name="1 new duplicate: show")
    expect(button).to_be_visible()
    assert groups.count() == before
    assert grave(window) == []
    button.click()
    expect(groups).to_have_count(before + 1)
    expect(window.get_by_role("button", name="new duplicate")).to_have_count(0)


def own_content(catalogue: Any, name: str) -> int:
    """Return the number of a photo's content."""
    sql = "SELECT content_id FROM files WHERE path = ?"
    return int(catalogue.value(sql, (f"2024/{name}".encode(),)))


def test_problems_open_below_the_header(eyes: Eyes, page: Page):
    """In words, and only when they are asked for; a line that is long does not push the tabs away."""
    answer = {
        "photos": 1000,
        "waiting": 400,
        "words": "600 of 1,000 photos read, 25 a second, 16 s left",
        "busy": True,
        "problems": ["/photos: is away (its marker is missing). Its photos are remembered."],
        "changed": 0,
        "new": 0,
    }
    window = eyes.open(page, "/search")
    window.route("**/progress*", lambda route: route.fulfill(body=json.dumps(answer)))
    expect(window.locator("#progress")).to_contain_text("600 of 1,000 photos read")
    assert window.get_by_role("progressbar", name="Photos read").evaluate("one => one.value") == 600
    problem = window.get_by_text("is away")
    expect(problem).to_be_hidden()
    window.get_by_text("1 problem").click()
    expect(problem).to_be_visible()
    assert grave(window) == []
    expect(problem).to_be_visible()  # the next answer leaves it open
