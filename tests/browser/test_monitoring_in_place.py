"""CONTROL/MONITORING that refreshes itself: in place with a script, by loading anew without one."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Request
from playwright.sync_api import Page as Tab

from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.browser


class Watched:
    """A page that refreshes itself, its clock in the test's hand, and the fragments that it asked for."""

    def __init__(self, context: BrowserContext, demo: RunningDemo, query: str) -> None:
        self.tab = context.new_page()
        self.tab.clock.install()
        self.asked: list[str] = []
        self.tab.on("request", self._note)
        self.top = f"http://127.0.0.1:{demo.gui_port}"
        log_in(self.tab, self.top, demo)
        self.tab.goto(f"{self.top}/secure/control?{query}")
        self.tab.evaluate("window.isStillThis = true")

    def _note(self, request: Request) -> None:
        if request.url.partition("?")[0].endswith("/secure/control/fragment"):
            self.asked.append(request.url)

    def let_pass(self, seconds: int) -> None:
        """Let time pass for the page."""
        self.tab.clock.run_for(seconds * 1000)

    @property
    def is_still_this(self) -> bool:
        """Say whether the page was not loaded anew."""
        return bool(self.tab.evaluate("window.isStillThis === true"))

    def read_at(self) -> str:
        return self.tab.locator("#read-at time").get_attribute("datetime") or ""


def log_in(tab: Tab, top: str, demo: RunningDemo) -> None:
    tab.goto(f"{top}/login")
    tab.get_by_label("User:").fill("piranha")
    tab.get_by_label("Password:").fill(demo.password)
    tab.get_by_role("button", name="Login").click()
    tab.wait_for_selector("text=CURRENT LVS ROUTING TABLE")


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1000, "height": 500})
    yield made
    made.close()


def test_what_changes_is_refreshed_in_place_and_the_rest_stays(context: BrowserContext, demo: RunningDemo) -> None:
    watched = Watched(context, demo, "auto=1&interval=10")
    tab = watched.tab
    before = watched.read_at()
    tab.get_by_label("A new drain lasts").select_option("4h")
    button = tab.get_by_role("button", name="Drain web2")
    button.scroll_into_view_if_needed()
    button.focus()
    y = tab.evaluate("window.scrollY")
    demo.command("drain", "virtual[demo].server[web1]")

    def is_refreshed() -> bool:
        watched.let_pass(10)
        tab.wait_for_load_state("networkidle")
        return watched.read_at() != before

    until(is_refreshed, 20, "the page shows a later reading")
    assert watched.is_still_this and re.search(r"refreshed=1", watched.asked[0])
    tab.get_by_role("button", name="Undrain web1").wait_for()
    assert tab.evaluate("document.activeElement.value") == "virtual[demo].server[web2]"
    assert tab.get_by_label("A new drain lasts").input_value() == "4h"
    assert tab.evaluate("window.scrollY") == y
    tab.get_by_role("button", name="Drain web2").click()
    tab.wait_for_selector("text=ends in 3 h")
    assert "auto=1" in tab.url


def test_a_page_that_nobody_looks_at_asks_for_nothing(context: BrowserContext, demo: RunningDemo) -> None:
    watched = Watched(context, demo, "auto=1&interval=10")
    hide = "value => Object.defineProperty(document, 'hidden', {value: value, configurable: true})"
    watched.tab.evaluate(hide, True)
    watched.let_pass(60)
    assert watched.asked == []
    watched.tab.evaluate(hide, False)
    with watched.tab.expect_request("**/secure/control/fragment**"):
        watched.tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert watched.is_still_this


def test_marked_text_stays_marked(context: BrowserContext, demo: RunningDemo) -> None:
    watched = Watched(context, demo, "auto=1&interval=10")
    watched.tab.locator("#live tbody th").first.select_text()
    watched.let_pass(30)
    assert watched.asked == []
    assert watched.tab.evaluate("document.getSelection().toString()").strip() == "web1"


def test_after_the_end_of_the_session_it_stops_and_says_so(context: BrowserContext, demo: RunningDemo) -> None:
    watched = Watched(context, demo, "auto=1&interval=10&page=1")
    context.clear_cookies()
    watched.let_pass(10)
    watched.tab.get_by_text("Your session has ended, so nothing is refreshed any more.").wait_for()
    assert len(watched.asked) == 1
    watched.let_pass(60)
    watched.tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert watched.is_still_this and watched.tab.get_by_text("CURRENT LVS ROUTING TABLE").is_visible()
    watched.tab.get_by_role("link", name="Log in again").click()
    watched.tab.wait_for_selector("text=Password:")
    assert "auto%3D1" in watched.tab.url


def test_a_console_that_is_gone_is_told_and_looked_for_again(context: BrowserContext, demo: RunningDemo) -> None:
    watched = Watched(context, demo, "auto=1&interval=10")
    watched.tab.route("**/secure/control/fragment**", lambda route: route.abort())
    watched.let_pass(10)
    note = watched.tab.get_by_text("The console does not answer just now.")
    note.wait_for()
    watched.tab.unroute("**/secure/control/fragment**")
    watched.let_pass(10)
    note.wait_for(state="hidden")
    assert watched.is_still_this


def test_without_a_script_the_page_loads_itself_anew(chromium: Browser, demo: RunningDemo) -> None:
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    top = f"http://127.0.0.1:{demo.gui_port}"
    log_in(tab, top, demo)
    tab.goto(f"{top}/secure/control?auto=1&interval=10&text=demo")
    tab.wait_for_url("**refreshed=1**", timeout=40_000)
    assert "text=demo" in tab.url and "auto=1" in tab.url
    context.close()


def test_the_chart_is_drawn_and_has_the_colours_of_the_page(chromium: Browser, demo: RunningDemo) -> None:
    def corner(scheme: str) -> list[int]:
        context = chromium.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        tab = context.new_page()
        top = f"http://127.0.0.1:{demo.gui_port}"
        log_in(tab, top, demo)
        tab.goto(f"{top}/secure/traffic?virtual=virtual%5Bdemo%5D")
        picture = tab.get_by_alt_text("The curves of the numbers in the table below")
        assert picture.evaluate("each => each.complete && each.naturalWidth") == 800
        found = picture.evaluate(
            """async each => {
                const canvas = document.createElement("canvas");
                canvas.width = canvas.height = 4;
                const pen = canvas.getContext("2d");
                pen.drawImage(each, 0, 0, 4, 4, 0, 0, 4, 4);
                return [...pen.getImageData(1, 1, 1, 1).data];
            }"""
        )
        context.close()
        return list(found)

    assert sum(corner("light")[:3]) > 700 > 120 > sum(corner("dark")[:3])
