"""Chromium, driven by Playwright, on pages that lie on disk."""

from __future__ import annotations

import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60_000  # milliseconds, on a busy machine
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of this machine. The test is skipped where there is none."""
    why = "opens pages in Chromium, and Playwright, which drives it, is not installed"
    playwright = pytest.importorskip("playwright.sync_api", reason=why)
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"opens pages in Chromium, and none of {', '.join(NAMES)} is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        yield browser
        browser.close()


def expect(locator: Any) -> Any:
    """What a part of a page must come to be. `wait_for_function` would evaluate text in the page, which its
    policy forbids.
    """
    from playwright.sync_api import expect as expectation

    expectation.set_options(timeout=PATIENCE)
    return expectation(locator)


class Watched:
    """Opens pages, each in a window of its own, and knows what they complained of and asked for.

    ready: what a page has when it can be used. chatter: kinds of messages on its console that do not count.
    """

    def __init__(
        self, browser: Any, ready: str = "html[data-ready]", chatter: Container[str] = ()
    ) -> None:
        self.browser, self.ready, self.chatter = browser, ready, chatter
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open(self, path: Path, address: str = "", **window: Any) -> Any:
        """path: of the page. address: what stands behind it, such as `#w=1,0`."""
        page = self.browser.new_context(**window).new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri() + address)
        page.wait_for_selector(self.ready, state="attached")
        return page

    def _heard(self, said: Any) -> None:
        if said.type not in self.chatter:
            self.complaints.append(said.text)
