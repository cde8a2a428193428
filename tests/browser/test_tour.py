"""A tour of all pages in headless Chromium: light, dark, 375 pixels wide, and as they are printed.

Pages are those of the URL map, so one that is added later is looked at too; and what a page says when something is
wrong, when an Apply waits for its confirmation, when nothing is there yet.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from piranha.errors import Busy
from piranha.monitoring import FailoverAnswer
from piranha.status import RunState
from piranha.sync_messages import CopyState, Outcome, SyncAnswer
from tests import pairs
from tests.browser.full_gui import FullGui
from tests.browser.tour import LIGHT, LOOKS, SMALL, Tour
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

OPEN = ("pages.welcome", "pages.about_login", "auth.login")
"""Pages that are the same whoever looks; logged in, they lead on or say less."""
SHORT = (LIGHT, SMALL)
BOTH_EDITED = SyncAnswer(
    Outcome.BOTH_EDITED,
    "192.0.2.12 has serial_no 40, this router 41. Both were edited. Nothing was sent.",
    "192.0.2.12",
    CopyState("a" * 64, 41, "a" * 64, 41, "", "", "d" * 64),
    CopyState("b" * 64, 40, "c" * 64, 39, "", "", "e" * 64),
    diff="--- lvs.cf of 192.0.2.12\n+++ lvs.cf\n@@ -1 +1 @@\n-serial_no = 40\n+serial_no = 41\n",
)


@pytest.fixture
def gui(tmp_path: Path) -> Iterator[FullGui]:
    """Give a GUI that has one of everything; lvs.cf is not what runs, and web1 is drained."""
    with FullGui(tmp_path).serving() as made:
        made.save("keepalive = 6", "keepalive = 7")
        made.client().override("virtual[HTTP].server[web1]", "drain")
        yield made


@pytest.fixture
def tour(gui: FullGui, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Tour]:
    """Give a browser that has not logged in."""
    made = Tour(chromium, gui.url, request.node.name)
    yield made
    made.context.close()


def told(tour: Tour) -> str:
    """Return everything that was wrong, one a line."""
    return "\n".join(tour.problems)


def test_every_page_of_the_url_map_in_every_look(gui: FullGui, tour: Tour) -> None:
    pages = gui.pages()
    for name in OPEN:
        tour.open(pages.pop(name))
        tour.look(name)
    tour.log_in(PASSWORD)
    for name, address in pages.items():
        tour.open(address)
        tour.look(name, SHORT if " " in name else LOOKS)
    assert len(tour.seen) >= 40
    assert tour.problems == [], told(tour)


def sent_wrong(gui: FullGui, tour: Tour) -> None:
    """Send forms that are refused, and one that is not; what was typed stays, and UNDO is offered."""
    tour.open("/secure/virtual_server?virtual=virtual%5BHTTP%5D")
    for label, text in {"Name:": "two\twords", "Application port:": "70000", "Virtual IP Address:": ""}.items():
        tour.tab.get_by_label(label, exact=True).fill(text)
    assert tour.press("ACCEPT") == 422
    tour.look("refused fields", LOOKS)
    tour.open("/secure/virtual_server?virtual=virtual%5BHTTP%5D")
    tour.tab.get_by_label("Re-entry Time:", exact=True).fill("44")
    gui.save("reentry = 15", "reentry = 16")
    assert tour.press("ACCEPT") == 409
    tour.look("conflict", SHORT)
    assert tour.press("ACCEPT") == 200
    tour.look("saved", SHORT)
    tour.open("/secure/plan")
    tour.tab.get_by_label("within").fill("7")
    tour.tab.evaluate("document.querySelector('#confirm_s').form.noValidate = true")
    assert tour.press("Apply, and undo unless I confirm") == 422
    tour.look("refused apply", SHORT)
    tour.open("/secure/adopt")
    tour.tab.get_by_label("Or its text:").fill("primary = nobody\nvirtual HTTP {\n}\n")
    assert tour.press("Look at it") == 200
    tour.look("adopting", SHORT)
    for address, status in {
        "/secure/connections?client=nobody": 422,
        "/secure/events?since=soon": 422,
        "/secure/history/diff?old=nine&new=saved": 422,
        "/secure/virtual_server?virtual=virtual%5Bgone%5D": 404,
        "/secure/control?auto=1&interval=soon": 200,
        "/secure/control?auto=1&interval=3600&text=web&only=trouble": 200,
        "/secure/virtual_servers?text=server": 200,
        "/secure/virtual_servers?text=nobody&status=up": 200,
    }.items():
        tour.open(address, status)
        tour.look(f"asked {re.sub(r'[^a-z0-9]+', ' ', address[8:])}"[:60], SHORT)


def tried(gui: FullGui, tour: Tour) -> None:
    """Try checks before they are saved: against several, one, one that is not there yet; and be refused."""
    tour.open("/secure/monitoring_scripts?virtual=virtual%5BHTTP%5D")
    tour.tab.get_by_label("Send:", exact=True).fill("quit")
    assert tour.press("Try now") == 200
    tour.tab.locator("details:has(pre)").first.evaluate("each => each.open = true")
    tour.look("tried all", LOOKS)
    tour.open("/secure/real_server?server=virtual%5BHTTP%5D.server%5Bweb1%5D")
    assert tour.press("Try now") == 200
    tour.look("tried one", LOOKS)
    tour.open("/secure/real_server/add?virtual=virtual%5BHTTP%5D")
    assert tour.press("Try now") == 422
    tour.look("tried nobody", SHORT)
    tour.tab.get_by_label("Address:", exact=True).fill("10.0.0.77")
    gui.engine.refusing = Busy("2 tries are under way, and there are never more. Try again in a moment.")
    assert tour.press("Try now") == 429
    tour.look("tried too often", SHORT)
    gui.engine.refusing, gui.engine.checked = None, None
    tour.open("/secure/check?server=virtual%5BHTTP%5D.server%5Bweb2%5D")
    tour.look("last check not yet", SHORT)
    tour.open("/secure/control?virtual=virtual%5BHTTP%5D")
    tour.look("one virtual server", SHORT)


def waiting(gui: FullGui, tour: Tour) -> None:
    """Let an Apply wait for its confirmation, and be taken back."""
    tour.open("/secure/plan")
    assert tour.press("Apply, and undo unless I confirm") == 200
    tour.look("waits confirm")
    for address in ("/secure/control", "/secure/plan", "/secure/virtual_servers"):
        tour.open(address)
        tour.look(f"waits {address.rpartition('/')[2]}", SHORT)
    tour.open("/secure/confirm")
    assert tour.press("REVERT NOW") == 200
    tour.look("taken back", SHORT)


def silent_engine(gui: FullGui, tour: Tour) -> None:
    """Let the engine not answer: pages are made from lvs.cf as it is on the disk."""
    gui.engine.is_dead = True
    for address in (
        "control",
        "virtual_servers",
        "global_settings",
        "plan",
        "history",
        "events",
        "connections",
        "confirm",
    ):
        tour.open(f"/secure/{address}")
        tour.look(f"silent {address}", SHORT)


def pair_in_trouble(gui: FullGui, tour: Tour) -> None:
    """Let the two routers not be well, and what is asked of them be refused."""
    for name, status in {"bad": pairs.BAD, "unheard": pairs.UNHEARD, "original": pairs.ORIGINAL}.items():
        gui.engine.beside |= {"redundancy": status, "role": pairs.role_of(status)}
        tour.open("/secure/redundancy")
        tour.look(f"pair {name}")
    status = replace(pairs.passive(), partner=pairs.UNHEARD.partner)
    gui.engine.beside |= {"redundancy": status, "role": pairs.role_of(status)}
    tour.open("/secure/redundancy/failover?do=hold")
    tour.look("pair hold")
    gui.engine.failover = FailoverAnswer(False, ("not held: this router is active",))
    assert tour.press("HOLD") == 409
    tour.look("pair refused", SHORT)
    gui.engine.sync = BOTH_EDITED
    tour.open("/secure/redundancy/sync")
    assert tour.press("SYNC") == 409
    tour.look("pair edited there")
    tour.open("/secure/control")
    tour.look("pair unknown", SHORT)


def stopped(gui: FullGui, tour: Tour) -> None:
    """Let nothing run."""
    gui.engine.state, gui.engine.reason = RunState.IDLE, "no virtual server is active"
    tour.open("/secure/control")
    tour.look("stopped", SHORT)


def nothing_yet(gui: FullGui, tour: Tour) -> None:
    """Let a router be new: first without an lvs.cf, then with an empty one."""
    gui.paths.lvs_cf.unlink()
    tour.open("/secure/virtual_servers", 503)
    tour.look("no lvs.cf")
    assert tour.press("Create") == 200
    gui.paths.lvs_cf.write_text("virtual empty {\n}\n")
    for address in ("redundancy", "real_servers?virtual=virtual%5Bempty%5D", "global_settings"):
        tour.open(f"/secure/{address}")
        tour.look(f"empty {address.partition('?')[0]}", SHORT)
    gui.paths.lvs_cf.write_text("")
    gui.engine.events, gui.engine.audit, gui.engine.connections = [], [], []
    for address in ("virtual_servers", "events", "audit", "connections"):
        tour.open(f"/secure/{address}")
        tour.look(f"empty {address}", SHORT)


def strange_form(gui: FullGui, tour: Tour) -> None:
    """Let a session end while somebody types, and fail at the log-in before it goes on."""
    tour.open("/secure/virtual_server/add")
    tour.tab.get_by_label("Name:", exact=True).fill("shop")
    tour.context.clear_cookies()
    tour.press("ACCEPT")
    tour.look("session over", SHORT)
    if tour.tab.get_by_label("Password:").count() == 0:
        tour.open("/login")
    tour.tab.get_by_label("Password:").fill("wrong")
    tour.press("Login")
    tour.look("wrong password", SHORT)


@pytest.mark.parametrize(
    "situation",
    [sent_wrong, tried, waiting, silent_engine, pair_in_trouble, stopped, nothing_yet, strange_form],
    ids=lambda each: each.__name__,
)
def test_what_a_page_says_when_something_is_unusual(
    gui: FullGui, tour: Tour, situation: Callable[[FullGui, Tour], None]
) -> None:
    tour.log_in(PASSWORD)
    situation(gui, tour)
    assert tour.seen
    assert tour.problems == [], told(tour)


def test_the_tour_finds_what_is_wrong(gui: FullGui, tour: Tour) -> None:
    tour.open("/login")
    tour.tab.set_content("""<!doctype html><html lang="en"><title>Wrong</title><main><h1>Wrong</h1><nav>
        <a href="/">Seen on paper</a></nav><p id="wide">A box.</p><p id="pale">Pale.</p><label>Field</label> <input>
        </main></html>""")
    tour.tab.evaluate("""() => {
        document.querySelector('#wide').style.width = '500px';
        document.querySelector('#pale').style.color = '#cccccc';
        console.error('It failed.');
        new Image().src = 'http://127.0.0.2:9/far.png';
        fetch('/static/css/nowhere.css');
    }""")
    tour.look("wrong")
    tour.tab.wait_for_load_state("networkidle")
    for part in (
        *("another host is asked: http://127.0.0.2:9/far.png", "It failed.", "status of 404", "(light): label:"),
        *("(light): color-contrast:", "(dark): color-contrast:", "(375): 508 px wide", "(print): <a href"),
    ):
        assert part in told(tour), told(tour)


def test_pages_say_the_same_without_scripts(gui: FullGui, chromium: Browser) -> None:
    gui.client().apply(confirm_s=300)
    texts: dict[bool, dict[str, str]] = {}
    for has_scripts in (True, False):
        tour = Tour(chromium, gui.url, "scripts", has_scripts=has_scripts)
        tour.log_in(PASSWORD)
        texts[has_scripts] = {}
        for name, address in gui.pages().items():
            if name not in OPEN and " " not in name:
                tour.open(address)
                shown = " ".join(tour.tab.inner_text("body").split())
                texts[has_scripts][name] = re.sub(r"\d+ seconds are left", "SECONDS are left", shown)
        tour.context.close()
        assert tour.problems == [], told(tour)
    assert len(texts[True]) > 20
    assert texts[True] == texts[False]
