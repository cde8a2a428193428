"""Apply with confirmation in the GUI, then browser and GUI are gone, or the engine is killed: what ran comes back.

Both demos wait for the same half minute. That engines revert which are started only after the deadline is tested in
`test_unconfirmed`.
"""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from piranha.errors import PiranhaError
from tests.plain_browser import Page, PlainBrowser
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.end_to_end

CONFIRM_S = 30
SLACK_S = 6.0
"""For two demos that share two cores with other tests."""
EVENLY = {(200, b"web1\n"): 4, (200, b"web2\n"): 4, (200, b"web3\n"): 4}
ONLY_WEB1 = {(200, b"web1\n"): 12}


class Applied:
    """A demo in which somebody applied in the GUI that web1 alone serves, to be confirmed within CONFIRM_S seconds."""

    def __init__(self, demo: RunningDemo) -> None:
        self.demo = demo
        self.text = demo.paths.lvs_cf.read_text()
        assert self.answers() == EVENLY
        page = logged_in(demo).open("/secure/real_servers?virtual=virtual%5Bdemo%5D")
        for name in ("web2", "web3"):
            page = page.press(f"Deactivate {name}")
        page = page.follow("See the difference, the plan, and apply it")
        page = page.fill("within so many seconds", str(CONFIRM_S)).press("Apply, and undo unless I confirm")
        self.applied_at = time.monotonic()
        assert "Applied, but not confirmed yet." in page.text
        assert self.answers() == ONLY_WEB1

    def answers(self) -> Counter[tuple[int, bytes]]:
        return Counter(self.demo.get() for _ in range(12))

    def is_reverted(self) -> bool:
        try:
            return self.demo.get() != (200, b"web1\n")
        except OSError:
            return False

    def is_counting(self) -> bool:
        try:
            return self.demo.status().confirmation is not None and self.demo.server("web1").health.state == "up"
        except PiranhaError:
            return False

    def wait_for_the_old(self) -> None:
        """Wait until others than web1 answer: at the deadline, not before and not much later."""
        due_s = self.applied_at + CONFIRM_S - time.monotonic()
        until(self.is_reverted, due_s + SLACK_S, "what ran before runs again")
        assert time.monotonic() > self.applied_at + CONFIRM_S - 1
        until(lambda: self.answers() == EVENLY, 10, "all three serve again")
        assert uncounted(self.demo.paths.lvs_cf.read_text()) == uncounted(self.text)

    def what_the_gui_says(self) -> Page:
        """Return the page of the countdown, as somebody sees it who comes back later."""
        return logged_in(self.demo).open("/secure/confirm")


def has_gui(demo: RunningDemo) -> bool:
    try:
        return demo.get("/", ("127.0.0.1", demo.gui_port))[0] == 200
    except OSError:
        return False


def logged_in(demo: RunningDemo) -> PlainBrowser:
    until(lambda: has_gui(demo), 30, "the GUI answers")
    browser = PlainBrowser("127.0.0.1", demo.gui_port)
    assert browser.log_in(demo.password).status == 200
    return browser


def uncounted(text: str) -> str:
    return re.sub(r"(?m)^serial_no = \d+$", "serial_no", text)


def kill_the_gui(demo: RunningDemo) -> int:
    """Kill the GUI, and hold the one that the demo starts in its place; return that one's process group."""
    os.kill(demo.children()["GUI"], signal.SIGKILL)
    demo.wait_for_line(r"GUI was killed by signal 9; it is started again now")
    until(lambda: "GUI" in demo.children(), 10, "the demo starts another GUI")
    group = demo.children()["GUI"]
    os.killpg(group, signal.SIGSTOP)
    return group


def test_what_is_not_confirmed_in_the_gui_comes_back_without_gui_and_after_a_crash_of_the_engine(
    start_demo: Callable[..., RunningDemo],
) -> None:
    demos = [start_demo(), start_demo()]
    without_gui, with_crash = (Applied(demo.wait_until_ready()) for demo in demos)
    held = kill_the_gui(without_gui.demo)
    try:
        os.kill(with_crash.demo.children()["engine"], signal.SIGKILL)
        with_crash.demo.wait_for_line(r"engine was killed by signal 9; it is started again now")
        until(with_crash.is_counting, 20, "the engine is back and counts on")
        assert with_crash.answers() == without_gui.answers() == ONLY_WEB1
        assert "Applied, but not confirmed yet." in with_crash.what_the_gui_says().text
        without_gui.wait_for_the_old()
        with_crash.wait_for_the_old()
    finally:
        os.killpg(held, signal.SIGCONT)

    for applied in (without_gui, with_crash):
        page = applied.what_the_gui_says()
        assert "The last Apply was taken back." in page.text
        assert re.search(r"The Apply by piranha from 127\.0\.0\.1 of \S+ was not confirmed\.", page.text)
        assert "active = 0" in page.follow("See what it changes").text
        first = re.search(r"<tbody>.*?</tr>", page.follow("HISTORY").html, re.DOTALL)
        assert first is not None and "engine" in first[0] and "Apply taken back" in first[0] and "running" in first[0]
