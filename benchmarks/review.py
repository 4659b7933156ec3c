"""The review page at size: `python -m benchmarks.review` prints markdown tables.

Libraries of 100, 1,000 and 100,000 groups are poured in bulk, each group a photo and its copy, with a
thumbnail for each photo; the real `twinlens review` serves them. In one run, in turns:

1. the time to the first and to the last byte of the list and of pages deep in it, against a bare
   `import sqlite3` and against 1,000 groups;
2. the first contentful paint of the list in Chromium, at 100,000 groups against 100;
3. groups held by the page, memory of its scripts and of the server, while 10,000 groups are scrolled
   through, against what they are after 500;
4. a plan of all groups, and its overview.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.photos import picture
from benchmarks.pouring import Poured, pour
from benchmarks.programs import environment, workspace
from benchmarks.tables import Table, megabytes, milliseconds, show
from twinlens.catalogue import Catalogue
from twinlens.thumbnails import thumbnail_path

BARE = [sys.executable, "-c", "import sqlite3"]
DIMENSION = 8
"""Of the made vectors: no page looks at them."""
PICTURES = 8
"""Different thumbnails; the photos take turns."""

PAINT_LIMIT = 1.5
"""First contentful paint at 100,000 groups, of that at 100."""
FIRST_BYTE_LIMIT = 3.0
"""First byte of any page of the list at 100,000 groups, of that at 1,000."""
FLAT_LIMIT = 1.25
"""Memory after 10,000 groups, of that after 500."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    tiny: int = 100
    small: int = 1_000
    large: int = 100_000
    early: int = 500
    scrolled: int = 10_000
    runs: int = 9


QUICK = Sizes(tiny=30, small=60, large=200, early=60, scrolled=120, runs=1)


def main() -> int:
    """Measure and print; return 1 where a limit was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small libraries: a smoke test")
    sizes = QUICK if parser.parse_args().quick else Sizes()
    with workspace() as folder, contextlib.ExitStack() as stack:
        tiny, small, large = (
            stack.enter_context(Served(_poured(folder / str(groups), groups)))
            for groups in (sizes.tiny, sizes.small, sizes.large)
        )
        kept = [_answers(small, large, sizes)]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox"] if os.geteuid() == 0 else [],
            )
            kept.append(_painting(browser, tiny, large, sizes))
            kept.append(_scrolling(browser, large, sizes))
            browser.close()
        _planning(small, large)
    return 0 if all(kept) or sizes is QUICK else 1


# --- libraries, and the page on them ---------------------------------------------------------------


def _poured(folder: Path, groups: int) -> Poured:
    folder.mkdir()
    random = np.random.default_rng(1)
    matrix = random.standard_normal((2 * groups, DIMENSION), dtype=np.float32)
    poured = pour(folder, matrix / np.linalg.norm(matrix, axis=1, keepdims=True), share=0.5)
    _add_thumbnails(poured)
    return poured


def _add_thumbnails(poured: Poured) -> None:
    """Give each content a thumbnail: hard links to a few files, since all are told apart by name."""
    made = poured.library.folder / "pictures"
    made.mkdir()
    for number in range(PICTURES):
        image = picture(number, (640, 480)).resize((320, 240), Image.Resampling.LANCZOS)
        image.save(made / f"{number}.jpg", quality=85)
    with Catalogue.open_to_read(poured.library.catalogue) as catalogue:
        hashes = [row[0] for row in catalogue.iterate("SELECT sha256 FROM contents")]
    for number, sha256 in enumerate(hashes):
        path = thumbnail_path(poured.library.thumbnails, sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(made / f"{number % PICTURES}.jpg", path)


class Served:
    """The real review page on a library."""

    def __init__(self, poured: Poured) -> None:
        self.poured = poured
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.cookie = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "twinlens_plugin", "review", "--no-browser", "--json"]
        self._process = subprocess.Popen(
            command,
            env=environment(self.poured.library.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        self.port = answer["port"]
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", answer["url"].partition(str(self.port))[2])
        header = connection.getresponse().getheader("Set-Cookie") or ""
        self.cookie = header.partition(";")[0]
        connection.close()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.communicate(timeout=30)

    @property
    def groups(self) -> int:
        """How many groups the library has."""
        return self.poured.count // 2

    @property
    def memory(self) -> int:
        """What the server holds in memory, in bytes."""
        assert self._process is not None
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def get(self, path: str) -> tuple[float, float, bytes]:
        """Return the seconds to the first and to the last byte of a page, and the page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        start = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": self.cookie, "Accept": "text/html"})
        answer = connection.getresponse()
        body = answer.read(1)
        first = time.perf_counter() - start
        body += answer.read()
        last = time.perf_counter() - start
        connection.close()
        if answer.status != 200:
            sys.exit(f"{path}: {answer.status}: {body[:200].decode(errors='replace')}")
        return first, last, body

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON as the page's own scripts do; return what comes back."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        origin = f"http://127.0.0.1:{self.port}"
        headers = {"Cookie": self.cookie, "Origin": origin, "X-Twinlens": "1"}
        headers["Content-Type"] = "application/json"
        connection.request("POST", path, json.dumps(body), headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return dict(answer)

    def page_at(self, place: int) -> str:
        """Return the address of the page of 20 groups after ``place`` groups of the list."""
        with Catalogue.open_to_read(self.poured.library.catalogue) as catalogue:
            row = catalogue.row(
                "SELECT bytes, content_id FROM to_win ORDER BY bytes DESC, content_id"
                " LIMIT 1 OFFSET ?",
                (place * catalogue.value("SELECT count(*) FROM to_win") // self.groups,),
            )
        assert row is not None
        return f"/groups?n=20&after={row['bytes']}-{row['content_id']}-1"

    def window(self, browser: Browser) -> BrowserContext:
        """Return a window that came in, with nothing in its cache."""
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(60_000)
        name, _, value = self.cookie.partition("=")
        address = f"http://127.0.0.1:{self.port}"
        context.add_cookies([{"name": name, "value": value, "url": address}])
        return context

    def open(self, context: BrowserContext) -> Page:
        """Open the list."""
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{self.port}/")
        return page


# --- 1. how soon pages come ------------------------------------------------------------------------


def _answers(small: Served, large: Served, sizes: Sizes) -> bool:
    """Ask both in turns, so that whatever else the machine does hits all alike."""
    asked: dict[str, Callable[[], tuple[float, float]]] = {}
    for server in (small, large):
        size = f"{server.groups:,} groups"
        asked[f"`/`, {size}"] = lambda server=server: server.get("/")[:2]  # type: ignore[misc]
        for share in (0.5, 0.99):
            address = server.page_at(int(server.groups * share))
            asked[f"20 groups after {share:.0%} of {size}"] = (
                lambda server=server, address=address: server.get(address)[:2]  # type: ignore[misc]
            )
    asked["`python -c 'import sqlite3'`"] = _bare
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for _ in range(sizes.runs + 1):
        for name, ask in asked.items():
            taken[name].append(ask())
    middle = {
        name: [statistics.median(column) for column in zip(*times[1:], strict=True)]
        for name, times in taken.items()
    }
    bare = middle["`python -c 'import sqlite3'`"][1]
    names = list(asked)
    of_small = {name: middle[names[place % 3]] for place, name in enumerate(names[:6])}
    worst = max(middle[name][0] / of_small[name][0] for name in names[3:6])
    show(
        Table(
            "Pages of the list, from the server",
            ["", "first byte", "last byte", "of a bare start", f"of {small.groups:,} groups"],
            [
                [
                    name,
                    *(milliseconds(time) for time in middle[name]),
                    f"{middle[name][1] / bare:.2f}",
                    f"{middle[name][1] / of_small[name][1]:.2f}" if name in of_small else "",
                ]
                for name in names
            ],
            [
                f"Medians of {sizes.runs}, in turns, of a server that has answered before.",
                "A bare start is `python -c 'import sqlite3'`.",
                f"Limit of the first byte: {FIRST_BYTE_LIMIT:g}. The worst is {worst:.2f}.",
            ],
        )
    )
    return worst <= FIRST_BYTE_LIMIT


def _bare() -> tuple[float, float]:
    start = time.perf_counter()
    subprocess.run(BARE, check=True)
    taken = time.perf_counter() - start
    return taken, taken


# --- 2. how soon it is seen ------------------------------------------------------------------------


def _painting(browser: Browser, tiny: Served, large: Served, sizes: Sizes) -> bool:
    times: tuple[list[float], list[float]] = ([], [])
    bare: list[float] = []
    for _ in range(sizes.runs + 1):
        for server, taken in zip((tiny, large), times, strict=True):
            taken.append(_first_paint(browser, server))
        bare.append(_bare()[1])
    few, many = (statistics.median(column[1:]) for column in times)
    start = statistics.median(bare[1:])
    show(
        Table(
            "First contentful paint of the list in Chromium",
            ["", "time", "of a bare start", f"of {tiny.groups:,} groups"],
            [
                [f"{tiny.groups:,} groups", milliseconds(few), f"{few / start:.2f}", "1"],
                [
                    f"{large.groups:,} groups",
                    milliseconds(many),
                    f"{many / start:.2f}",
                    f"{many / few:.2f}",
                ],
            ],
            [
                f"Medians of {sizes.runs}, in turns, each in a new window with an empty cache.",
                f"Limit: within {PAINT_LIMIT:g} times that of {tiny.groups:,} groups.",
            ],
        )
    )
    return many / few <= PAINT_LIMIT


def _first_paint(browser: Browser, server: Served) -> float:
    """Return the seconds from the request to the first contentful paint."""
    with contextlib.closing(server.window(browser)) as context:
        page = server.open(context)
        found = page.evaluate(
            """() => new Promise((done) => new PerformanceObserver((list, observer) => {
                 for (const entry of list.getEntriesByName("first-contentful-paint")) {
                   observer.disconnect();
                   done(entry.startTime);
                 }
               }).observe({ type: "paint", buffered: true }))"""
        )
    return float(found) / 1000


# --- 3. what scrolling takes -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """What is held in memory at one moment."""

    groups: int
    """Groups that were scrolled past."""
    articles: int
    nodes: int
    heap: int
    server: int


def _scrolling(browser: Browser, large: Served, sizes: Sizes) -> bool:
    with contextlib.closing(large.window(browser)) as context:
        page = large.open(context)
        held = [_held(page, large, groups) for groups in _scroll(page, sizes)]
    early, late = held[0], held[-1]
    ratios = [
        getattr(late, name) / max(1, getattr(early, name))
        for name in ("articles", "nodes", "heap", "server")
    ]
    show(
        Table(
            f"Scrolling through {sizes.scrolled:,} of {large.groups:,} groups",
            ["groups scrolled past", "groups in the page", "nodes", "JS heap", "server"],
            [
                *(
                    [
                        f"{one.groups:,}",
                        f"{one.articles:,}",
                        f"{one.nodes:,}",
                        f"{one.heap / 1e6:.2f} MB",
                        megabytes(one.server),
                    ]
                    for one in held
                ),
                ["ratio of the last to the first", *(f"{ratio:.2f}" for ratio in ratios)],
            ],
            [f"After garbage collection. Limit: each ratio within {FLAT_LIMIT:g}."],
        )
    )
    return max(ratios) <= FLAT_LIMIT


def _scroll(page: Page, sizes: Sizes) -> Iterator[int]:
    """Scroll a page of the list at a time, as one who holds Page Down; yield at moments."""
    middle = [sizes.scrolled // 4, sizes.scrolled // 2]
    for moment in (sizes.early, *middle, sizes.scrolled):
        yield page.evaluate(
            """async (moment) => {
                 const list = document.getElementById("list");
                 const settled = (page) => page.dataset.given === undefined;
                 const frame = () => new Promise((done) => requestAnimationFrame(done));
                 window.passed ??= 0;
                 window.place ??= 0;
                 while (window.passed < moment) {
                   const page = list.children[window.place];
                   page.scrollIntoView();
                   const start = performance.now();
                   while (!settled(page)) {
                     if (performance.now() - start > 30000) throw new Error("a page does not come");
                     await frame();
                   }
                   window.passed += page.querySelectorAll("article").length;
                   window.place += 1;
                   while (!list.children[window.place]) await frame();
                 }
                 return window.passed;
               }""",
            moment,
        )


def _held(page: Page, server: Served, groups: int) -> Held:
    page.wait_for_timeout(500)
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {
        one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
    }
    articles = page.evaluate("document.querySelectorAll('article').length")
    nodes = page.evaluate("document.getElementsByTagName('*').length")
    session.detach()
    return Held(groups, articles, nodes, int(metrics["JSHeapUsedSize"]), server.memory)


# --- 4. a plan of everything -----------------------------------------------------------------------


def _planning(small: Served, large: Served) -> None:
    rows = []
    for server in (small, large):
        start = time.perf_counter()
        url = server.post("/plans", {"filters": ""})["url"]
        made = time.perf_counter() - start
        _, shown, _ = server.get(url)
        _, turned, body = server.get(f"{url}?page=2")
        revision = body.partition(b'data-revision="')[2].partition(b'"')[0].decode()
        start = time.perf_counter()
        server.post(f"{url}/leave", {"revision": revision, "leave": True, "group": 1})
        ticked = time.perf_counter() - start
        rows.append(
            [
                f"{server.groups:,}",
                milliseconds(made),
                milliseconds(shown),
                milliseconds(turned),
                milliseconds(ticked),
                megabytes(server.memory),
            ]
        )
    show(
        Table(
            "A plan of all groups",
            ["groups", "made", "overview", "its second page", "a tick", "server"],
            rows,
            ["Once each. An overview shows 40 groups a page and counts all of them."],
        )
    )


if __name__ == "__main__":
    sys.exit(main())
