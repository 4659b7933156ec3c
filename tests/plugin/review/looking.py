"""Looking at the page as people do: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect

if TYPE_CHECKING:
    from tests.plugin.review.conftest import Page as Served

WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}

QUICK = ("--in-process-gpu", "--disable-gpu", "--renderer-process-limit=1")
"""Without a process for a graphics card, and one for each window, a page opens in half the time."""

expect.set_options(timeout=15_000)  # of a busy computer; nobody waits where all is well


def launched(playwright: Playwright) -> Browser:
    """Start Debian's Chromium; skip where there is none, and fail there in CI."""
    program = shutil.which("chromium")
    if program is None:
        message = "the program chromium is not installed"
        if os.environ.get("CI"):
            pytest.fail(message + ", and CI must not skip")
        pytest.skip(message)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=program, args=[*QUICK, *sandbox])


@dataclass
class Eyes:
    """A browser that looks at pages, and keeps what their consoles say."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    """Errors, violations of the policy and failed requests, of all pages opened."""

    def open(self, served: Served, path: str = "/", **options: Any) -> Page:
        """Open a page with the cookie of who came in by the token, as a window of its own."""
        with served.browser() as client:
            cookies = dict(client.cookies)
        context = self.browser.new_context(**{"viewport": WIDE, **options})
        context.set_default_timeout(15_000)
        context.add_cookies(
            [{"name": name, "value": str(v), "url": served.origin} for name, v in cookies.items()]
        )
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"thrown: {error}"))
        page.goto(served.origin + path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def close(self) -> None:
        """Close all windows."""
        for context in self.browser.contexts:
            context.close()


def grave(page: Page) -> list[str]:
    """Return what axe finds of serious and critical hindrances."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]} {one['nodes'][0].get('failureSummary', '')[:300]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def focused(page: Page) -> str:
    """Return the name of what has the focus."""
    return str(page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''"))
