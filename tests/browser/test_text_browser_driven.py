"""A text browser does the administrator's work: log in, add, apply with confirmation, confirm, log out."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lynx import Lynx
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.browser

VIP, DEVICE = "127.0.0.4", "lo:3"

# Every word that is looked for on a screen stands here, or is the name of what is added.
WELCOME, LOGIN, LOGGED_IN = "Welcome to Piranha", "Login", "CURRENT LVS ROUTING TABLE"
SERVERS, ADD, ACCEPT, SAVED = "VIRTUAL SERVERS", "ADD", "ACCEPT", "Done:"
NEW_SERVER, NEW_REAL_SERVER = "ADD VIRTUAL SERVER", "ADD REAL SERVER"
TO_PLAN, PLAN = "See the difference, the plan, and apply it", "WHAT APPLY DOES"
SECONDS, APPLY = "within so many seconds", "Apply, and undo unless I confirm"
WAITS, CONFIRM, CONFIRMED = "Applied, but not confirmed yet.", "CONFIRM", "Done: Confirmed:"
LOG_OUT, LOGGED_OUT = "LOG OUT", "You are logged out."


@pytest.fixture
def lynx(demo: RunningDemo, tmp_path: Path) -> Iterator[Lynx]:
    """Give somebody who has opened the welcome page in lynx."""
    made = Lynx(f"http://127.0.0.1:{demo.gui_port}/", tmp_path, WELCOME)
    yield made
    made.terminal.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((VIP, 0))
        return int(probe.getsockname()[1])


def test_a_virtual_server_is_added_applied_and_confirmed_in_lynx(demo: RunningDemo, lynx: Lynx) -> None:
    port, real_port = free_port(), demo.server("web1").port
    lynx.press(LOGIN, leads_to="Password:")
    lynx.fill("User", "piranha")
    lynx.fill("Password", demo.password)
    lynx.press(LOGIN, leads_to=LOGGED_IN)

    lynx.press(SERVERS, leads_to="Click here to add a virtual server")
    lynx.press(ADD, leads_to=NEW_SERVER)
    for label, value in {"Name": "shop", "Application port": str(port), "Virtual IP Address": VIP}.items():
        lynx.fill(label, value)
    lynx.fill("Device", DEVICE)
    lynx.choose("Scheduling", "Weighted round robin")
    lynx.press(ACCEPT, leads_to=SAVED)

    lynx.press("Real servers (0) of shop", leads_to="shop has no real servers yet.")
    lynx.press(ADD, leads_to=NEW_REAL_SERVER)
    for label, value in {"Name": "first", "Address": "127.0.0.1", "Port": str(real_port), "Weight": "3"}.items():
        lynx.fill(label, value)
    lynx.press(ACCEPT, leads_to=SAVED)
    lynx.press("Activate first", leads_to="Deactivate first")
    lynx.press(SERVERS, leads_to="Activate shop")
    lynx.press("Activate shop", leads_to="Deactivate shop")

    before = demo.paths.running_cf.read_bytes()
    lynx.press(TO_PLAN, leads_to=PLAN)
    assert "+virtual shop {" in lynx.text
    lynx.fill(SECONDS, "200")
    lynx.press(APPLY, leads_to=WAITS)
    waits = demo.status().confirmation
    assert waits is not None
    assert (waits.who, waits.confirm_s) == ("piranha", 200)
    lynx.press(CONFIRM, leads_to=CONFIRMED)
    lynx.press(LOG_OUT, leads_to=LOGGED_OUT)
    assert "shop" not in lynx.text

    added = re.search(r"^virtual shop \{.*?^\}$", demo.paths.lvs_cf.read_text(), re.MULTILINE | re.DOTALL)
    assert added is not None
    for line in (f"address = {VIP} {DEVICE}", f"port = {port}", "scheduler = wrr", "server first {", "weight = 3"):
        assert f" {line}\n" in added[0]
    assert demo.paths.running_cf.read_bytes() == demo.paths.lvs_cf.read_bytes() != before
    status = demo.status()
    assert status.confirmation is None
    assert [(each.name, each.port, each.is_active) for each in status.virtual_servers][-1] == ("shop", port, True)
    until(lambda: demo.server("first", "shop").health.state == "up", 10, "the real server of the shop is up")
    assert demo.get("/", (VIP, port)) == (200, b"web1\n")
