"""What a tour looks for on a page: what axe-core finds, what the console says, who is asked, what does not fit.

A picture of every page in every look stays in `.artefacts/tour` for people, in a folder for each tour.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request

ARTEFACTS = Path(__file__).parents[2] / ".artefacts" / "tour"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ("color-contrast", "link-in-text-block")
PLACES = ("target-size", "scrollable-region-focusable", "region", "empty-table-header", "th-has-data-cells", "label")
AXE_RUNS = "only => axe.run(document, {resultTypes: ['violations'], runOnly: only})"
NARROW, HEIGHT = 375, 800
NARROWEST = 320
"""So narrow is a window that was magnified four times (WCAG 1.4.10)."""
TOO_WIDE = """() => {
    const widest = document.documentElement.scrollWidth;
    return widest <= innerWidth ? '' : `${widest} px wide, the window has ${innerWidth}`;
}"""
PRINTED_WRONG = """() => [...document.querySelectorAll('nav a, button, .btn, .bar')]
    .filter(each => each.checkVisibility()).map(each => each.outerHTML.slice(0, 120))
    .concat(getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)' ? [] : ['no white ground'])"""


@dataclass(frozen=True)
class Look:
    """One way to look at a page. `rules`: those of axe that may say something new in this look; None: all."""

    name: str
    width: int = 1280
    scheme: str = "light"
    media: str = "screen"
    rules: tuple[str, ...] | None = None

    @property
    def axe_runs(self) -> dict[str, Any]:
        if self.rules is None:
            return {"type": "tag", "values": TAGS}
        return {"type": "rule", "values": self.rules}


LIGHT = Look("light")
DARK = Look("dark", scheme="dark", rules=COLOURS)
SMALL = Look("375", width=NARROW, rules=PLACES)
PRINT = Look("print", scheme="dark", media="print", rules=())
LOOKS = (LIGHT, DARK, SMALL, PRINT)


class Tour:
    """A person's browser on the way through all pages of a GUI, and everything that was wrong on it."""

    def __init__(self, browser: Browser, url: str, name: str, *, has_scripts: bool = True) -> None:
        self.url = url
        self.pictures = ARTEFACTS / re.sub(r"[^\w-]+", " ", name).strip()
        shutil.rmtree(self.pictures, ignore_errors=True)
        self.problems: list[str] = []
        self.seen: list[str] = []
        # Colours that fade from one look into the next would be judged half-way.
        self.context: BrowserContext = browser.new_context(java_script_enabled=has_scripts, reduced_motion="reduce")
        self.context.on("request", self._asked)
        self.context.on("requestfailed", self._failed)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.problems.append(f"{self.tab.url}: {error.error}"))
        self.tab = self.context.new_page()

    def _asked(self, request: Request) -> None:
        scheme, host = urlsplit(request.url)[:2]
        if scheme != "data" and f"{scheme}://{host}" != self.url:
            self.problems.append(f"{self.tab.url}: another host is asked: {request.url}")

    def _failed(self, request: Request) -> None:
        # An address that is a file to be kept, or a page that is left, ends like this too.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"{self.tab.url}: {request.url} failed: {request.failure}")

    def _said(self, message: ConsoleMessage) -> None:
        # Chromium says of every page that was refused that it could not load it; the tour knows which ones are.
        is_the_page = message.location["url"] == self.tab.url and message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not is_the_page:
            self.problems.append(f"{self.tab.url}: the console says: {message.text}")

    def log_in(self, password: str) -> None:
        """Log in and be on the first panel."""
        self.tab.goto(f"{self.url}/login")
        self.tab.get_by_label("User:").fill("piranha")
        self.tab.get_by_label("Password:").fill(password)
        self.press("Login")

    def press(self, words: str) -> int:
        """Press the button, or follow the link, of this name; return the status of the page that comes."""
        button = self.tab.get_by_role("button", name=words, exact=True)
        chosen = button if button.count() else self.tab.get_by_role("link", name=words, exact=True)
        with self.tab.expect_navigation() as navigation:
            chosen.first.click()
        answer = navigation.value
        assert answer is not None, words
        return answer.status

    def open(self, address: str, status: int = 200) -> None:
        """Go to a page, which must answer so."""
        answer = self.tab.goto(self.url + address)
        assert answer is not None, address
        assert answer.status == status, f"{address}: {answer.status}\n{self.tab.inner_text('body')}"

    def look(self, name: str, looks: Sequence[Look] = LOOKS) -> None:
        """Look at the page that is there in each of these ways, take its picture, and note what is wrong."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.seen.append(name)
        self.tab.evaluate(AXE)
        for look in looks:
            self.tab.set_viewport_size({"width": look.width, "height": HEIGHT})
            self.tab.emulate_media(color_scheme=look.scheme, media=look.media)  # type: ignore[arg-type]
            self.tab.screenshot(path=self.pictures / f"{len(self.seen):03} {name} {look.name}.png", full_page=True)
            self.problems += [f"{name} ({look.name}): {wrong}" for wrong in self._wrong(look)]
        self.tab.set_viewport_size({"width": LIGHT.width, "height": HEIGHT})
        self.tab.emulate_media(color_scheme="light", media="screen")

    def _wrong(self, look: Look) -> list[str]:
        told = self.tab.evaluate(AXE_RUNS, look.axe_runs)["violations"] if look.rules != () else []
        found = [
            f"{each['id']}: {each['help']}: {node['html'][:200]} {node['failureSummary']}"
            for each in told
            for node in each["nodes"]
        ]
        if look.media == "print":
            return found + self.tab.evaluate(PRINTED_WRONG)
        widths = (look.width, NARROWEST) if look.width == NARROW else (look.width,)
        for width in widths:
            self.tab.set_viewport_size({"width": width, "height": HEIGHT})
            found += filter(None, [self.tab.evaluate(TOO_WIDE)])
        return found
