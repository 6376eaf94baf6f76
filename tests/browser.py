"""A real headless Chromium for the tests of pages; where none is installed they are skipped, and say so."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Opened:
    """A page that was opened from a file. requests: what it asked for beyond itself. errors: what its console said."""

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextmanager
def chromium(*more: str) -> Iterator[Any]:
    """A browser of its own, with these arguments as well. Skips the test where there is none."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no Chromium ({', '.join(NAMES)}); Debian: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as started:
        # As root, as in a container, Chromium runs only without its sandbox; the pages are our own.
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *more])
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Any, path: Path | str, **how: Any) -> Opened:
    """Open the page at `path`, a file or a URL, and wait until it says that it is ready. how: of the browser's page."""
    page = browser.new_page(**{"viewport": {"width": 1200, "height": 800}} | how)
    seen = Opened(page)
    address = path if isinstance(path, str) else path.resolve().as_uri()
    page.on("request", lambda request: None if request.url == address else seen.requests.append(request.url))
    page.on("console", lambda message: seen.errors.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    return seen
