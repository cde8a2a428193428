"""Fifty reloads under constant requests and a long download: nobody notices."""

import hashlib
import http.client
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from piranha.cli.demo_web_server import WebServer, download
from piranha.config.edits import AddBlock, Edit, RemoveBlock, SetValues
from piranha.status import HealthState
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.end_to_end

RELOADS = 50
DOWNLOAD_BYTES = 200_000_000
STEP_BYTES = DOWNLOAD_BYTES // (RELOADS + 2)
VIRTUAL = "virtual[demo]"


class Requests(threading.Thread):
    """Sends one request after the other until it is told to end, and counts the answers."""

    def __init__(self, send: Callable[[], tuple[int, bytes]]) -> None:
        super().__init__(name="requests")
        self.answers: Counter[tuple[int, bytes]] = Counter()
        self.failures: list[str] = []
        self.is_over = threading.Event()
        self._send = send

    def run(self) -> None:
        while not self.is_over.is_set():
            try:
                self.answers[self._send()] += 1
            except (OSError, http.client.HTTPException) as failure:
                self.failures.append(repr(failure))


class Download(threading.Thread):
    """A client that reads only as much as it is allowed to: so it lasts exactly as long as the reloads."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(name="download")
        self.allowed = threading.Semaphore(0)
        self.digest = hashlib.sha256()
        self.received = 0
        self.failure = ""
        self._connection = http.client.HTTPConnection(*address, timeout=60)
        self._connection.request("GET", f"/bytes/{DOWNLOAD_BYTES}")
        self._answer = self._connection.getresponse()
        self.server = self._answer.headers["Server"]

    def run(self) -> None:
        try:
            while self.received < DOWNLOAD_BYTES and self.allowed.acquire(timeout=60):
                self._read(STEP_BYTES)
        except (OSError, http.client.HTTPException) as failure:
            self.failure = repr(failure)
        finally:
            self._connection.close()

    def _read(self, size: int) -> None:
        while size and (piece := self._answer.read(min(size, 65536))):
            self.digest.update(piece)
            self.received += len(piece)
            size -= len(piece)


@pytest.fixture
def more_servers() -> Iterator[dict[str, int]]:
    """Give two more real servers, web4 and web5, with their ports."""
    servers = [WebServer(name, ("127.0.0.1", 0)) for name in ("web4", "web5")]
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}) for server in servers]
    for thread in threads:
        thread.start()
    yield {server.name: server.server_address[1] for server in servers}
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def edits(stays: str, ports: dict[str, int]) -> Iterator[list[Edit]]:
    """Yield for ever: weights up and down, servers added and removed; `stays` is never removed."""
    others = [name for name in ("web1", "web2", "web3") if name != stays]
    for turn in itertools.count():
        name = ("web4", "web5")[turn // 4 % 2]
        block = {"address": "127.0.0.1", "active": "1", "port": str(ports[name]), "weight": "1"}
        other = f"{VIRTUAL}.server[{others[turn // 4 % 2]}]"
        yield [AddBlock(parent=VIRTUAL, kind="server", name=name, values=block)]
        yield [
            SetValues(path=f"{VIRTUAL}.server[{stays}]", values={"weight": str(2 + turn % 3)}),
            SetValues(path=other, values={"active": "0"}),
        ]
        yield [RemoveBlock(path=f"{VIRTUAL}.server[{name}]"), SetValues(path=other, values={"active": "1"})]
        yield [SetValues(path=VIRTUAL, values={"scheduler": "rr" if turn % 2 else "wrr"})]


@pytest.mark.timeout(300)
def test_check_79_fifty_reloads_cost_no_request_and_no_byte_of_a_download(
    demo: RunningDemo, more_servers: dict[str, int]
) -> None:
    download_ = Download(demo.vip)
    download_.start()
    clients = [Requests(demo.get) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        engine = demo.client
        for made in itertools.islice(edits(download_.server, more_servers), RELOADS):
            before = sum(sum(client.answers.values()) for client in clients)
            download_.allowed.release()
            assert engine.save(made, []).changed
            engine.apply()
            until(
                lambda enough=before + 40: sum(sum(client.answers.values()) for client in clients) >= enough,
                30,
                "requests go on",
            )
        assert download_.received < DOWNLOAD_BYTES
    finally:
        for client in clients:
            client.is_over.set()
        for _ in range(4):
            download_.allowed.release()
        for thread in (*clients, download_):
            thread.join(60)
    answers = sum((client.answers for client in clients), Counter[tuple[int, bytes]]())
    assert [failure for client in clients for failure in client.failures] == []
    assert {status for status, _ in answers} == {200}
    assert {body for _, body in answers} >= {b"web1\n", b"web2\n", b"web3\n"}
    assert download_.failure == ""
    assert download_.received == DOWNLOAD_BYTES
    expected = hashlib.sha256()
    for piece in download(DOWNLOAD_BYTES):
        expected.update(piece)
    assert download_.digest.hexdigest() == expected.hexdigest()
    assert demo.server(download_.server).health.state is HealthState.UP
    print(f"{sum(answers.values())} requests over {RELOADS} reloads, none failed")
