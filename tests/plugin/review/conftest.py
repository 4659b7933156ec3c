"""A library of real photos, read by a real scan, and the real page served from it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, sync_playwright

from tests.plugin.conftest import Built
from tests.plugin.review.acting import Desk, fill
from tests.plugin.review.looking import Eyes, launched
from twinlens.catalogue import Catalogue
from twinlens.library import Library

SIZE = (640, 480)


@dataclass
class Page:
    """The real ``twinlens review`` on a library, in a process of its own."""

    library: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] = field(init=False)
    url: str = field(init=False)
    """With the token, which works once."""
    port: int = field(init=False)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "twinlens_plugin",
                "review",
                "--no-browser",
                "--json",
                *self.options,
            ],
            env={**os.environ, "TWINLENS_LIBRARY": str(self.library)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()
        answer = json.loads(line)
        self.url, self.port = answer["url"], answer["port"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """End it; return its exit code, and what it said after its first line."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        try:
            said, complained = self.process.communicate(timeout=20)
        except ValueError:  # ended before
            said, complained = "", ""
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return self.process.returncode, said, complained

    @property
    def origin(self) -> str:
        """Its address without anything behind it."""
        return f"http://127.0.0.1:{self.port}"

    @functools.cached_property
    def cookies(self) -> dict[str, str]:
        """What a browser that came in has; the token is used up by that."""
        with self.stranger() as browser:
            answer = browser.get(self.url)
            assert answer.status_code == 303, answer.text
            return dict(browser.cookies)

    def stranger(self) -> httpx.Client:
        """Return a client that has no cookie."""
        return httpx.Client(base_url=self.origin, timeout=30, trust_env=False)

    def browser(self) -> Client:
        """Return a client that has the cookie, and sends what the page's own scripts send."""
        return Client(self)


class Client(httpx.Client):
    """A client that came in."""

    def __init__(self, page: Page) -> None:
        super().__init__(base_url=page.origin, timeout=30, trust_env=False, cookies=page.cookies)
        self.own = {"Origin": page.origin, "X-Twinlens": "1", "Sec-Fetch-Site": "same-origin"}
        """Headers of the page's own scripts."""

    def send_json(self, url: str, body: Any) -> httpx.Response:
        """POST JSON as base.js does."""
        return self.post(url, json=body, headers=self.own)


@dataclass
class Read:
    """A library as a scan left it. Photos are not to be touched: it is shared by all tests."""

    library: Library
    photos: Path

    def file_id(self, name: str) -> int:
        """Return the number of a photo, by its path below the folder."""
        with Catalogue.open_to_read(self.library.catalogue) as catalogue:
            found = catalogue.value("SELECT id FROM files WHERE path = ?", (os.fsencode(name),))
        return int(found)


def scan(library: Path, photos: Path) -> None:
    """Read photos into a library by the real command."""
    done = subprocess.run(
        [sys.executable, "-m", "twinlens_plugin", "scan", photos, "--json"],
        env={**os.environ, "TWINLENS_LIBRARY": str(library), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def scene(number: int) -> Image.Image:
    """Return a picture with enough in it to be told from others: 640 x 480, upright."""
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = random.integers(0, SIZE[0]), random.integers(0, SIZE[1])
        side = int(random.integers(8, 70))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if random.integers(2) else draw.rectangle
        shape((x, y, x + side, y + side), fill=colour)
    return image


def make_photos(folder: Path) -> None:
    """Write 12 photos in two folders, and beside them copies of the first ones.

    0: a smaller copy; 1: the same bytes twice; 2: cropped, in another folder; 3: in grey; 4 to 11:
    nothing. The originals have a date.
    """
    (folder / "2024").mkdir(parents=True)
    (folder / "2025").mkdir()
    for number in range(12):
        image = scene(number)
        exif = Image.Exif()
        exif[0x0110] = "Test 1"  # Model
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:{number + 1:02} 12:00:00"  # DateTimeOriginal
        path = folder / "2024" / f"photo-{number}.jpg"
        image.save(path, quality=92, exif=exif)
        if number == 0:
            image.resize((480, 360)).save(folder / "2024" / "photo-0 small.jpg", quality=70)
        elif number == 1:
            shutil.copyfile(path, folder / "2025" / "photo-1 again.jpg")
        elif number == 2:
            image.crop((60, 40, 600, 460)).save(folder / "2025" / "photo-2 cropped.jpg", quality=88)
        elif number == 3:
            image.convert("L").convert("RGB").save(folder / "2025" / "photo-3 grey.jpg", quality=88)
    for path in folder.rglob("*.jpg"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """A library with groups of several kinds."""
    folder = tmp_path_factory.mktemp("review")
    make_photos(folder / "photos")
    scan(folder / "library", folder / "photos")
    return Read(Library(folder / "library"), folder / "photos")


@pytest.fixture(scope="session")
def page(read: Read) -> Iterator[Page]:
    """The page on ``read``, for all tests that leave things as they are."""
    with Page(read.library.folder) as running:
        yield running


@pytest.fixture
def client(page: Page) -> Iterator[Client]:
    """A browser that came in."""
    with page.browser() as opened:
        yield opened


@pytest.fixture
def own(read: Read, tmp_path: Path) -> Read:
    """A copy of the library for the test alone, of the same photos."""
    library = Library(tmp_path / "own-library")
    shutil.copytree(read.library.folder, library.folder, ignore=shutil.ignore_patterns("*.sock"))
    return Read(library, read.photos)


Serve = Callable[..., Page]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve the page from a library: ``serve(folder)``."""
    with contextlib.ExitStack() as running:

        def start(library: Path, *options: str) -> Page:
            return running.enter_context(Page(library, options))

        yield start


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, for the tests of one module: Playwright holds the thread's event loop."""
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture
def eyes(chromium: Browser, serve: Serve) -> Iterator[Eyes]:
    """Look at pages: ``eyes.open(page, "/")``. Nothing may be said on their consoles.

    A test that provokes errors empties ``eyes.complaints`` itself. Windows close before the servers
    end (``serve``): a page whose server is gone complains.
    """
    opened = Eyes(chromium)
    yield opened
    opened.close()
    assert opened.complaints == []


@pytest.fixture
def photos(built: Built) -> dict[str, Path]:
    """Three groups, and a photo that is alone."""
    return fill(built)


@pytest.fixture
def desk(built: Built, photos: dict[str, Path]) -> Iterator[Desk]:
    """The page on them."""
    with Desk(built.library) as opened:
        yield opened
