"""Two ways to use the GUI: a plain client without JavaScript, and headless Chromium."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.plain_browser import PlainBrowser
from tests.running_demo import RunningDemo

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_WORDS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def plain(demo: RunningDemo) -> PlainBrowser:
    """Give a client without JavaScript, not logged in."""
    return PlainBrowser("127.0.0.1", demo.gui_port)


@pytest.fixture
def another_plain(demo: RunningDemo) -> Callable[[], PlainBrowser]:
    """Give a function that makes one more client, with cookies of its own."""
    return lambda: PlainBrowser("127.0.0.1", demo.gui_port)


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """Give headless Chromium from Debian's package.

    For one test: its driver keeps an event loop running in this thread, which no asynchronous test may meet.
    """
    assert CHROMIUM.exists(), f"{CHROMIUM} is missing: apt-get install chromium (make test does it)"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=CHROMIUM_WORDS)
        yield browser
        browser.close()
