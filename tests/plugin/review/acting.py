"""What the tests of plans share: a library with groups to act on, and the page in this process."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn

from tests.plugin.conftest import Built
from twinlens.library import Library
from twinlens.relations import Detail
from twinlens.settings import load_settings
from twinlens_plugin.options import Session
from twinlens_plugin.review.app import create_app
from twinlens_plugin.review.state import State


class Desk:
    """The page, served by a thread of this process, and asked as its own scripts ask."""

    def __init__(self, library: Library, clock: Any = time.time) -> None:
        session = Session(load_settings({}, library=library.folder), None, as_json=False)
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        self.state = State(session, port, clock=clock)
        self.origin = f"http://127.0.0.1:{port}"
        config = uvicorn.Config(create_app(self.state), log_level="error", timeout_keep_alive=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self.http = httpx.Client(base_url=self.origin, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        self._thread.start()
        answer = self.http.get(f"/?token={self.state.tokens.new_token()}")
        assert answer.status_code == 303, answer.text
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()

    def post(self, url: str, body: Any = None) -> httpx.Response:
        """POST JSON as base.js does."""
        headers = {"Origin": self.origin, "X-Twinlens": "1"}
        return self.http.post(url, json=body if body is not None else {}, headers=headers)

    def get(self, url: str) -> httpx.Response:
        """Load a page, as a browser does."""
        return self.http.get(url, headers={"Accept": "text/html"})

    def plan(self, **body: Any) -> str:
        """Make a plan; return its address."""
        answer = self.post("/plans", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["url"])

    def shown(self, url: str) -> dict[str, Any]:
        """Look at the overview of a plan; return what the page knows by it."""
        page = self.get(url)
        assert page.status_code == 200, page.text
        return overview(page.text)

    def apply(self, url: str, action: str = "trash", **more: Any) -> httpx.Response:
        """Look at a plan and confirm it."""
        shown = self.shown(url)
        return self.post(f"{url}/apply", {**shown, "action": action, **more})

    def wait(self, job: str, seconds: float = 40) -> dict[str, Any]:
        """Wait for a job to end; return what is said of it."""
        deadline = time.monotonic() + seconds
        while (said := self.http.get(f"{job}/progress").json())["running"]:
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
        return dict(said)

    def done(self, answer: httpx.Response) -> tuple[str, dict[str, Any]]:
        """Wait for what an answer has started; return its address, and what is said of it."""
        assert answer.status_code == 202, answer.text
        url = str(answer.json()["url"])
        return url, self.wait(url)


def overview(text: str) -> dict[str, Any]:
    """Return the revision and the number of photos that an overview shows."""
    revision = re.search(r'data-revision="([0-9a-f]+)"', text)
    photos = re.search(r'data-photos="(\d+)"', text)
    assert revision, text
    assert photos, text
    return {"revision": revision[1], "photos": int(photos[1])}


def fill(built: Built) -> dict[str, Path]:
    """Add three groups: three files alike; a small copy; an edit. And a photo that is alone."""
    photos = {
        "best": built.photo("2024/best.jpg", data=b"b" * 3000, pixels=(4000, 3000)),
        "twin": built.photo("backup/best.jpg", data=b"b" * 3000, pixels=(4000, 3000)),
        "third": built.photo("backup/again/best.jpg", data=b"b" * 3000, pixels=(4000, 3000)),
        "large": built.photo("2024/large.jpg", data=b"l" * 9000, pixels=(4000, 3000)),
        "small": built.photo("web/small.jpg", data=b"s" * 500, pixels=(800, 600)),
        "whole": built.photo("2025/whole.jpg", data=b"w" * 7000, pixels=(4000, 3000)),
        "crop": built.photo("web/crop.jpg", data=b"c" * 400, pixels=(600, 600)),
        "alone": built.photo("2025/alone.jpg", data=b"a" * 7100, pixels=(4000, 3000)),
    }
    relate(built, photos["large"], photos["small"], "copy", "resized to 20 %", 0.99)
    relate(built, photos["whole"], photos["crop"], "edit", "cropped to 42 %", 0.93)
    return photos


def relate(built: Built, a: Path, b: Path, kind: str, words: str, probability: float) -> None:
    """Store a verified relation, as the worker does."""
    low, high = sorted((built.content_id(a), built.content_id(b)))
    detail = Detail(words=words, overlap=0.98, score=0.95).to_json()
    with built.catalogue.write_tx() as tx:
        tx.execute(
            "INSERT INTO relations (a, b, kind, probability, detail, verifier)"
            " VALUES (?, ?, ?, ?, ?, 1)",
            (low, high, kind, probability, detail),
        )
        tx.execute(
            "INSERT INTO pairs (model_id, a, b, score) VALUES (?, ?, ?, 0.95)",
            (built.model.id, low, high),
        )
