"""The countdown of an Apply that waits, in Chromium with scripts and without: it counts, and sees the end by itself."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Route
from playwright.sync_api import Page as Tab

from piranha.config.edits import SetValues
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.browser

LOOK_S = 5
SLACK_S = 10.0


@pytest.fixture
def tab_of(chromium: Browser, demo: RunningDemo) -> Iterator[Callable[[bool], Tab]]:
    """Give a function that logs in with scripts or without; no page may write an error to the console."""
    errors: list[str] = []

    def make(has_scripts: bool) -> Tab:
        tab = chromium.new_context(java_script_enabled=has_scripts).new_page()
        tab.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(f"http://127.0.0.1:{demo.gui_port}/login")
        tab.get_by_label("User:").fill("piranha")
        tab.get_by_label("Password:").fill(demo.password)
        with tab.expect_navigation():
            tab.get_by_role("button", name="Login").click()
        return tab

    yield make
    assert errors == []


@pytest.fixture
def waits(demo: RunningDemo) -> Iterator[int]:
    """Apply something to be confirmed within 200 seconds, and take it back if the test did not."""
    client = demo.client
    present = next(each for each in client.status().virtual_servers if each.name == "demo")
    other = "wlc" if present.scheduler != "wlc" else "rr"
    client.save([SetValues(path="virtual[demo]", values={"scheduler": other})], [])
    client.apply(confirm_s=200)
    yield 200
    if client.status().confirmation is not None:
        client.revert()


def seconds(tab: Tab) -> int:
    return int(tab.inner_text(".digits"))


def test_with_scripts_the_seconds_go_down_and_the_page_stays_the_same(
    tab_of: Callable[[bool], Tab], demo: RunningDemo, waits: int
) -> None:
    tab = tab_of(True)
    # On the page of the countdown longer than it waits before it looks again: nothing is loaded anew for that.
    for address, for_s in (("/secure/control", 2), ("/secure/confirm", LOOK_S + 2)):
        tab.goto(f"http://127.0.0.1:{demo.gui_port}{address}")
        tab.evaluate("window.isTheSame = true")
        first = seconds(tab)
        assert waits - 60 < first <= waits
        until(lambda least=first - for_s: seconds(tab) <= least, SLACK_S, "the seconds go down")
        assert tab.evaluate("window.isTheSame")
        assert re.match(r"\d+ seconds are left, until ", tab.get_by_role("timer").inner_text())


def test_with_scripts_the_page_of_the_countdown_sees_that_it_is_over(
    tab_of: Callable[[bool], Tab], demo: RunningDemo, waits: int
) -> None:
    tab = tab_of(True)
    tab.goto(f"http://127.0.0.1:{demo.gui_port}/secure/confirm")
    demo.client.revert()
    tab.wait_for_selector("text=The last Apply was taken back.", timeout=(LOOK_S + SLACK_S) * 1000)
    assert tab.url.endswith("/secure/confirm?refreshed=1")
    assert tab.query_selector("[data-look]") is None


def test_at_the_end_of_the_time_another_page_says_so_and_stays(
    tab_of: Callable[[bool], Tab], demo: RunningDemo, waits: int
) -> None:
    tab = tab_of(True)
    page = tab.context.new_page()
    page.route("**/secure/help", in_the_last_second)
    page.goto(f"http://127.0.0.1:{demo.gui_port}/secure/help")
    page.wait_for_selector("text=The time is over: what ran before runs again.", timeout=SLACK_S * 1000)
    assert page.get_by_role("button", name="CONFIRM").count() == 1


def in_the_last_second(route: Route) -> None:
    """Answer with the page as it comes when one second is left."""
    answer = route.fetch()
    route.fulfill(response=answer, body=re.sub('data-seconds="[0-9]+"', 'data-seconds="1"', answer.text()))


def test_without_scripts_the_page_of_the_countdown_is_loaded_anew_until_it_is_over(
    tab_of: Callable[[bool], Tab], demo: RunningDemo, waits: int
) -> None:
    tab = tab_of(False)
    tab.goto(f"http://127.0.0.1:{demo.gui_port}/secure/confirm")
    first = seconds(tab)
    tab.wait_for_url("**/secure/confirm?refreshed=1", timeout=(LOOK_S + SLACK_S) * 1000)
    assert seconds(tab) <= first - LOOK_S + 1
    demo.client.confirm()
    tab.wait_for_selector("text=No Apply waits for a confirmation.", timeout=(LOOK_S + SLACK_S) * 1000)
