"""An Apply that nobody confirms, with engines that are killed meanwhile: the old configuration comes back by itself.

Two engines wait for the same half minute: the demo's, which is started again at once and counts on, and one of this
test's own, which stays dead until its deadline is over.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from piranha.client import EngineClient
from piranha.config.edits import SetValues
from piranha.errors import ConfirmationPending, NothingPending, PiranhaError
from piranha.paths import Paths
from piranha.records import AuditQuery, EventsQuery
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.end_to_end

CONFIRM_S = 30
SLACK_S = 5.0
"""For processes that share two cores with other tests."""
EVENLY = {(200, b"web1\n"): 10, (200, b"web2\n"): 10, (200, b"web3\n"): 10}
ONLY_WEB1 = {(200, b"web1\n"): 30}


class OwnEngine:
    """An engine of the test's own that is started again by nobody."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.client = EngineClient(self.paths.socket, user="tests", from_="tests")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [sys.executable, "-m", "piranha.cli.pulse", "--root", self.paths.root, "--data-path", "embedded"]
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        until(self.is_up, 30, "the engine has all its servers up")

    def is_up(self) -> bool:
        try:
            servers = [each for group in self.client.status().virtual_servers for each in group.servers]
        except PiranhaError:
            return False
        return bool(servers) and all(each.health.state == "up" for each in servers if each.is_active)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)


@pytest.fixture
def own(tmp_path: Path, demo: RunningDemo) -> Iterator[OwnEngine]:
    """Give an engine with the demo's lvs.cf, on another port of the VIP."""
    engine = OwnEngine(tmp_path)
    engine.paths.lvs_cf.parent.mkdir(parents=True)
    free = demo.vip[1] + 1
    text = demo.paths.lvs_cf.read_text().replace(f"port = {demo.vip[1]}", f"port = {free}", 1)
    engine.paths.lvs_cf.write_text(text)
    engine.start()
    yield engine
    engine.kill()


def only_web1(client: EngineClient) -> float:
    """Apply, to be confirmed, that web1 alone serves; return when it did (monotonic seconds)."""
    others = [f"virtual[demo].server[{name}]" for name in ("web2", "web3")]
    client.save([SetValues(path=path, values={"active": "0"}) for path in others], [])
    waits = client.apply(confirm_s=CONFIRM_S).confirmation
    assert waits is not None and CONFIRM_S - 2 < waits.remaining_s <= CONFIRM_S
    return time.monotonic()


def answers(demo: RunningDemo, vip: tuple[str, int]) -> Counter[tuple[int, bytes]]:
    return Counter(demo.get(vip=vip) for _ in range(30))


def is_counting(demo: RunningDemo) -> bool:
    try:
        return demo.status().confirmation is not None and demo.server("web1").health.state == "up"
    except PiranhaError:
        return False


class Requests(threading.Thread):
    """Sends one request after the other until it is told to end."""

    def __init__(self, demo: RunningDemo) -> None:
        super().__init__(name="requests")
        self.seen: Counter[object] = Counter()
        self.is_over = threading.Event()
        self._demo = demo

    def run(self) -> None:
        while not self.is_over.wait(0.02):
            try:
                self.seen[self._demo.get()] += 1
            except OSError as failure:
                self.seen[repr(failure)] += 1


def test_what_nobody_confirms_is_undone_whatever_happens_to_the_engine(demo: RunningDemo, own: OwnEngine) -> None:
    own_vip = (demo.vip[0], demo.vip[1] + 1)
    old = {engine: engine.paths.lvs_cf.read_text() for engine in (demo, own)}
    assert answers(demo, demo.vip) == answers(demo, own_vip) == EVENLY

    applied_at = only_web1(demo.client)
    own_applied_at = only_web1(own.client)
    assert answers(demo, demo.vip) == answers(demo, own_vip) == ONLY_WEB1
    own.kill()
    os.kill(demo.children()["engine"], signal.SIGKILL)
    demo.wait_for_line(r"engine was killed by signal 9; it is started again now")
    until(lambda: is_counting(demo), 20, "the engine is back and counts on")

    waits = demo.status().confirmation
    assert waits is not None and 0 < waits.remaining_s < CONFIRM_S and waits.who == "tests"
    assert answers(demo, demo.vip) == ONLY_WEB1
    with pytest.raises(ConfirmationPending, match="piranha confirm"):
        demo.client.apply()
    shown = demo.command("status").stdout
    assert "not confirmed yet" in shown and "`piranha confirm`, or serial_no" in shown

    requests = Requests(demo)
    requests.start()
    left_s = applied_at + CONFIRM_S - time.monotonic()
    until(lambda: demo.status().confirmation is None, left_s + SLACK_S, "the demo's engine reverts")
    assert time.monotonic() >= applied_at + CONFIRM_S - 1
    until(lambda: answers(demo, demo.vip) == EVENLY, 20, "all three serve again")
    requests.is_over.set()
    requests.join(30)
    assert set(requests.seen) <= set(EVENLY)  # no request was lost

    until(lambda: time.monotonic() > own_applied_at + CONFIRM_S, CONFIRM_S, "the other deadline is over")
    own.start()
    assert answers(demo, own_vip) == EVENLY

    for engine in (demo, own):
        text = engine.paths.lvs_cf.read_text()
        assert (
            text.replace("serial_no = 3", "serial_no = 1") == old[engine] and engine.client.status().config.is_applied
        )
        newest = engine.client.history().versions[0]
        assert (newest.how, newest.who, newest.serial_no) == ("revert", "engine", 3)
        assert [event.who for event in engine.client.events(EventsQuery(kind="reverted")).events] == ["engine"]
        entries = engine.client.audit(AuditQuery()).entries
        assert [(entry.verb, entry.result) for entry in entries if entry.result == "done"] == [
            ("revert", "done"),
            ("apply", "done"),
            ("save", "done"),
        ]
        with pytest.raises(NothingPending, match="was not confirmed"):
            engine.client.confirm()
