"""An explorer in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moa.reporting.explorer.content import content
from moa.reporting.explorer.packing import packed
from moa.reporting.explorer.page import page
from support.browser import Watched, chromium
from support.made_up_responses import Made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def explore(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a task's explorer. No page may complain, or ask for anything but itself."""
    watched = Watched(browser)
    file = tmp_path / "explorer.html"

    def opened(made: Made, address: str = "", **window: Any) -> Any:
        file.write_text(page(packed(content(made.metrics, made.responses, made.judged))), "utf-8")
        return watched.open(file, address, **window)

    yield opened
    assert watched.complaints == []
    assert {url.split("#")[0] for url in watched.requests} <= {file.as_uri()}
    for context in browser.contexts:
        context.close()
