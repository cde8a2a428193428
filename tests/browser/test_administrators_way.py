"""The administrator's whole way: log in, add, fill in, activate, look at the plan, apply. Traffic is balanced then.

The same steps are taken in headless Chromium and by a client without JavaScript; the file must be the same.
"""

import http.client
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Locator
from playwright.sync_api import Page as Tab

from tests.plain_browser import Page, PlainBrowser, every_page
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.browser

VIP = "127.0.0.3"
ADDED = """\
virtual {name} {{
     active = 1
     address = 127.0.0.3 lo:2
     port = {port}
     send = "GET / HTTP/1.1\\r\\nHost: shop\\r\\nConnection: close\\r\\n\\r\\n"
     expect = "HTTP/1.1 200"
     use_regex = 0
     load_monitor = none
     scheduler = rr
     protocol = tcp
     timeout = 2
     reentry = 15
     quiesce_server = 0
     server first {{
         address = 127.0.0.1
         active = 1
         port = {first}
         weight = 1
     }}
     server second {{
         address = 127.0.0.1
         active = 1
         port = {second}
         weight = 3
     }}
}}
"""


class Hand(Protocol):
    """What a person does with a browser."""

    def fill(self, label: str, value: str) -> None:
        """Type into the field with this label, or choose an option."""

    def press(self, words: str) -> None:
        """Press the button, or follow the link, with these words."""

    @property
    def text(self) -> str:
        """Return the words of the page."""
        ...


class PlainHand:
    """The hand of the client without JavaScript."""

    def __init__(self, browser: PlainBrowser) -> None:
        self.page: Page = browser.open("/")

    def fill(self, label: str, value: str) -> None:
        self.page.fill(label, value)

    def press(self, words: str) -> None:
        buttons = [button.text for form in self.page.read.forms for button in form.buttons]
        self.page = self.page.press(words) if words in buttons else self.page.follow(words)
        assert self.page.status == 200, f"{words}: {self.page.status}\n{self.page.text}"

    @property
    def text(self) -> str:
        return self.page.text


class ChromiumHand:
    """The hand in Chromium. Fields are found by label, buttons and links by the name that a screen reader says."""

    def __init__(self, tab: Tab, url: str) -> None:
        self.tab = tab
        tab.goto(url)

    def fill(self, label: str, value: str) -> None:
        control = self._one(self.tab.get_by_label(f"{label}:", exact=True))
        if control.evaluate("each => each.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)

    def press(self, words: str) -> None:
        button = self.tab.get_by_role("button", name=words, exact=True)
        chosen = button if button.count() else self.tab.get_by_role("link", name=words, exact=True)
        with self.tab.expect_navigation() as navigation:
            self._one(chosen).click()
        answer = navigation.value
        assert answer is not None
        assert answer.status == 200, f"{words}: {answer.status}\n{self.text}"

    def _one(self, found: Locator) -> Locator:
        assert found.count() == 1, f"{found} is there {found.count()} times on {self.tab.url}\n{self.text}"
        return found

    @property
    def text(self) -> str:
        return " ".join(self.tab.inner_text("body").split())


@pytest.fixture
def chromium_hand(chromium: Browser, demo: RunningDemo) -> Iterator[ChromiumHand]:
    """Give a fresh tab on the welcome page; no page may write an error to the console."""
    context = chromium.new_context()
    tab = context.new_page()
    errors: list[str] = []
    tab.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield ChromiumHand(tab, f"http://127.0.0.1:{demo.gui_port}/")
    context.close()
    assert errors == []


def log_in(hand: Hand, password: str) -> None:
    hand.press("Login")
    hand.fill("User", "piranha")
    hand.fill("Password", password)
    hand.press("Login")
    assert "CONTROL/MONITORING" in hand.text


def configure_the_shop(hand: Hand, name: str, port: int, servers: dict[str, int]) -> None:
    hand.press("VIRTUAL SERVERS")
    hand.press("ADD")
    for label, value in {
        "Name": name,
        "Application port": str(port),
        "Virtual IP Address": VIP,
        "Device": "lo:2",
        "Service timeout": "2",
        "Scheduling": "rr",
    }.items():
        hand.fill(label, value)
    hand.press("ACCEPT")
    hand.press(f"Edit {name}")
    hand.press("REAL SERVER")
    for server, (server_port, weight) in {"first": (servers["web1"], "1"), "second": (servers["web2"], "3")}.items():
        hand.press("ADD")
        hand.fill("Name", server)
        hand.fill("Address", "127.0.0.1")
        hand.fill("Port", str(server_port))
        hand.fill("Weight", weight)
        hand.press("ACCEPT")
        hand.press(f"Activate {server}")
    hand.press("MONITORING SCRIPTS")
    hand.fill("Send", r"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
    hand.fill("Expect", "HTTP/1.1 200")
    hand.press("ACCEPT")
    hand.press("VIRTUAL SERVERS")
    hand.press(f"Activate {name}")
    assert "lvs.cf is not what runs" in hand.text


def take_the_way(demo: RunningDemo, hand: Hand, name: str) -> None:
    port, servers = free_port(), {name: demo_port(demo, name) for name in ("web1", "web2")}
    before = demo.paths.lvs_cf.read_text()
    log_in(hand, demo.password)
    configure_the_shop(hand, name, port, servers)

    # Saved is not applied: nobody serves the new address yet.
    with pytest.raises(ConnectionRefusedError):
        demo.get("/", (VIP, port))
    hand.press("See the difference, the plan, and apply it")
    assert f"+virtual {name} {{" in hand.text
    assert f"TCP {VIP}:{port}" in hand.text.replace("  ", " ")
    hand.press("Apply")
    assert "is what runs now" in hand.text

    after = demo.paths.lvs_cf.read_text()
    expected = ADDED.format(name=name, port=port, first=servers["web1"], second=servers["web2"])
    # One count for each of the seven saves, the new block behind a blank line, and not one byte else.
    serial = int(re.findall(r"^serial_no = (\d+)$", before, re.MULTILINE)[0])
    assert after == before.replace(f"serial_no = {serial}", f"serial_no = {serial + 7}") + "\n" + expected

    def is_up() -> bool:
        return all(demo.server(server, name).health.state == "up" for server in ("first", "second"))

    until(is_up, 10, "both real servers of the shop are up")
    assert Counter(demo.get("/", (VIP, port)) for _ in range(30)) == {(200, b"web1\n"): 15, (200, b"web2\n"): 15}
    hand.press("CONTROL/MONITORING")
    assert name in hand.text
    assert "lvs.cf is not what runs" not in hand.text

    hand.press("VIRTUAL SERVERS")
    hand.press(f"Delete {name}")
    hand.press(f"DELETE {name}")
    hand.press("See the difference, the plan, and apply it")
    hand.press("Apply")
    assert demo.paths.lvs_cf.read_text() == before.replace(f"serial_no = {serial}", f"serial_no = {serial + 8}")


def free_port() -> int:
    """Return a port that nobody has at the shop's address."""
    with socket.socket() as probe:
        probe.bind((VIP, 0))
        return int(probe.getsockname()[1])


def demo_port(demo: RunningDemo, name: str) -> int:
    return demo.server(name).port


def test_the_whole_way_in_chromium(demo: RunningDemo, chromium_hand: ChromiumHand) -> None:
    take_the_way(demo, chromium_hand, "shop")


def test_the_whole_way_without_javascript(demo: RunningDemo, plain: PlainBrowser) -> None:
    take_the_way(demo, PlainHand(plain), "market")


def test_the_gui_shows_a_dead_server_since_when_and_why(demo: RunningDemo, plain: PlainBrowser) -> None:
    demo.command("demo", "stop", "web2")
    until(lambda: demo.server("web2").health.state == "down", 6, "web2 is seen down")
    page = plain.log_in(demo.password).follow("CONTROL/MONITORING")
    since = demo.server("web2").health.since
    assert since is not None
    assert re.search(r"web2 .*?✖ down .*?refused", page.text)
    assert since[11:19] in page.text
    demo.command("demo", "start", "web2")
    until(lambda: demo.server("web2").health.state == "up", 10, "web2 is back")


def test_looking_at_every_page_changes_nothing(demo: RunningDemo, plain: PlainBrowser, tmp_path: Path) -> None:
    plain.log_in(demo.password)
    before, status = demo.paths.lvs_cf.read_bytes(), demo.paths.lvs_cf.stat()
    pages = every_page(plain)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert demo.paths.lvs_cf.read_bytes() == before
    now = demo.paths.lvs_cf.stat()
    assert (now.st_mtime_ns, now.st_ino) == (status.st_mtime_ns, status.st_ino)
    assert {url: page.read.scripts for url, page in pages.items() if page.read.scripts} == {}


def test_of_two_who_edit_the_same_block_the_second_gets_both_texts(
    demo: RunningDemo, another_plain: Callable[[], PlainBrowser]
) -> None:
    pages = [another_plain().log_in(demo.password).follow("VIRTUAL SERVERS").follow("Edit demo") for _ in range(2)]
    assert pages[0].fill("Re-entry Time", "6").press("ACCEPT").status == 200
    saved = demo.paths.lvs_cf.read_bytes()
    second = pages[1].fill("Re-entry Time", "8").fill("Persistence", "30").press("ACCEPT")
    assert second.status == 409
    assert "Somebody else changed this meanwhile" in second.text
    assert (second.value("Re-entry Time"), second.value("Persistence")) == ("8", "30")
    assert "reentry = 6" in second.html
    assert demo.paths.lvs_cf.read_bytes() == saved


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Virtual IP Address", "300.1.2.3"),
        ("Application port", "70000"),
        ("Device", 'lo"2'),
        ("Name", "two\nlines {"),
        ("Virtual IP Address", "<script>alert(1)</script>"),
        ("Service timeout", "9" * 300),
    ],
)
def test_what_is_wrong_is_told_beside_the_field_and_nothing_is_written(
    demo: RunningDemo, plain: PlainBrowser, label: str, value: str
) -> None:
    page = plain.log_in(demo.password).follow("VIRTUAL SERVERS").follow("Edit demo")
    before, mtime = demo.paths.lvs_cf.read_bytes(), demo.paths.lvs_cf.stat().st_mtime_ns
    refused = page.fill(label, value).fill("Persistence", "77").press("ACCEPT")
    assert refused.status == 422
    assert "Nothing was saved." in refused.text
    assert refused.value(label).replace("_", " ").split() == value.split()
    assert refused.value("Persistence") == "77"
    assert "<script>alert" not in refused.html
    assert (demo.paths.lvs_cf.read_bytes(), demo.paths.lvs_cf.stat().st_mtime_ns) == (before, mtime)


def test_without_a_log_in_no_panel_is_shown(demo: RunningDemo) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", demo.gui_port, timeout=30)
    connection.request("GET", "/secure/control")
    answer = connection.getresponse()
    assert answer.status in (302, 303)
    assert "/login" in answer.headers["Location"]
    assert b"web1" not in answer.read()
    connection.close()
