"""Try now on a running router: the real engine, its nanny for tries, real listeners; nothing comes of it."""

import socket
import threading
from collections.abc import Iterator

import pytest

from piranha.check_messages import TryRequest
from piranha.errors import Busy
from piranha.status import HealthState
from tests.plain_browser import PlainBrowser
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.end_to_end

DEMO = "virtual[demo]"


@pytest.fixture
def greeter() -> Iterator[int]:
    """Give the port of a server that greets everybody with 220 and markup, and says goodbye."""
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.sendall(b"220 <b>ready</b>\r\n")
                line.settimeout(5)
                line.recv(100)

    thread = threading.Thread(target=greet, name="greeter")
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def states(demo: RunningDemo) -> dict[str, tuple[HealthState, str | None, int | None]]:
    found = {name: demo.server(name) for name in ("web1", "web2", "web3")}
    return {name: (each.health.state, each.health.since, each.traffic.weight) for name, each in found.items()}


@pytest.fixture
def all_up(demo: RunningDemo) -> None:
    until(lambda: all(each[0] is HealthState.UP for each in states(demo).values()), 30, "all are up")


def test_a_try_asks_the_real_servers_and_changes_nothing(demo: RunningDemo, greeter: int, all_up: None) -> None:
    before, text = states(demo), demo.paths.lvs_cf.read_bytes()
    good = demo.client.try_checks(TryRequest(DEMO))
    assert [each.found is not None and each.found.is_good for each in good.servers] == [True] * 3
    found = good.servers[0].found
    assert found is not None and found.received.startswith("HTTP/1.") and 0 < found.took_s < 2
    bad = demo.client.try_checks(TryRequest(DEMO, values={"expect": "SSH-2.0"}))
    assert [each.found is not None and each.found.is_good for each in bad.servers] == [False] * 3
    nowhere = TryRequest(DEMO, "", {"send": "quit", "expect": "220"}, {"address": "127.0.0.1", "port": str(greeter)})
    told = demo.client.try_checks(nowhere).servers[0].found
    assert told is not None
    assert (told.is_good, told.sent, told.received) == (True, "quit", r"220 <b>ready</b>\r\n")
    assert states(demo) == before
    assert demo.paths.lvs_cf.read_bytes() == text


def test_the_page_shows_what_a_real_server_answered_and_saves_nothing(
    demo: RunningDemo, greeter: int, all_up: None
) -> None:
    before, text = states(demo), demo.paths.lvs_cf.read_bytes()
    browser = PlainBrowser("127.0.0.1", demo.gui_port)
    browser.log_in(demo.password)
    page = browser.open("/secure/monitoring_scripts?virtual=virtual%5Bdemo%5D").press("Try now")
    assert page.status == 200 and "3 of 3 good." in page.text
    page = browser.open("/secure/real_server/add?virtual=virtual%5Bdemo%5D")
    page = page.fill("Address", "127.0.0.1").fill("Port", str(greeter)).press("Try now")
    assert page.status == 200 and "0 of 1 good." in page.text
    assert "220 <b>ready</b>" in page.text and "<b>ready" not in page.html
    page = browser.open("/secure/check?server=virtual%5Bdemo%5D.server%5Bweb1%5D")
    assert "● good after" in page.text and "Received: HTTP/1." in page.text
    assert states(demo) == before
    assert demo.paths.lvs_cf.read_bytes() == text


def test_a_flood_of_tries_is_refused_and_no_check_is_late(demo: RunningDemo, all_up: None) -> None:
    # Nobody answers there: each of these takes as long as it may.
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    port = str(silent.getsockname()[1])
    request = TryRequest(DEMO, "", {"expect": "220", "send": None}, {"address": "127.0.0.1", "port": port})
    busy, came = [], []
    is_over = threading.Event()

    def flood() -> None:
        while not is_over.is_set():
            try:
                came.append(demo.client.try_checks(request))
            except Busy as refused:
                busy.append(refused)
                is_over.wait(0.02)

    threads = [threading.Thread(target=flood, name=f"flood {n}") for n in range(6)]
    before = states(demo)
    for thread in threads:
        thread.start()
    ages: list[float] = []
    for _ in range(40):
        is_over.wait(0.15)
        ages += [demo.server(name).health.source.age_s or 0.0 for name in before]
    is_over.set()
    for thread in threads:
        thread.join(30)
    silent.close()
    assert len(busy) > 20 and len(came) >= 2
    # Checks begin every 2 seconds, whatever is tried.
    assert max(ages) < 2.0 + 0.5
    assert states(demo) == before
