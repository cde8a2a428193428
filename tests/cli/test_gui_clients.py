"""Clients that take their time, or send what is no request: they keep nobody out, and are told off politely."""

import select
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from piranha.cli.gui_waits import Waits
from piranha.web.auth import FORM_FIELDS_MAX
from tests.cli.running_gui import IMPATIENT, Started, exchange, get, started

HALVES = [
    pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n", id="head"),
    pytest.param(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nuser=", id="body"),
    pytest.param(b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nus", id="chunked body"),
]


@pytest.mark.parametrize("half", HALVES)
def test_clients_that_say_half_a_request_and_no_more_do_not_keep_others_out(start: Started, half: bytes) -> None:
    _, port = start("--host", "127.0.0.1", program=IMPATIENT)
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(80)]
    try:
        for each in slow:
            each.sendall(half)
        assert get(port, "/")[0] == 200
        # Every one of them is cut, not only those that came first.
        for each in slow:
            each.settimeout(20)
            while each.recv(4096):
                pass
    finally:
        for each in slow:
            each.close()


class Crowd(threading.Thread):
    """Many connections from 127.0.0.1 that each do a little now and then; one that is cut is made anew."""

    def __init__(self, port: int, count: int, act: Callable[[socket.socket], None]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._act = act
        self._connections: list[socket.socket | None] = [None] * count
        self._ends = threading.Event()
        self.went_round = threading.Event()

    def run(self) -> None:
        while not self._ends.wait(0.05):
            for index, connection in enumerate(self._connections):
                try:
                    if connection is None:
                        connection = socket.create_connection(("127.0.0.1", self._port), timeout=5)
                        self._connections[index] = connection
                    self._act(connection)
                except OSError:
                    if connection is not None:
                        connection.close()
                    self._connections[index] = None
            self.went_round.set()

    def end(self) -> None:
        self._ends.set()
        self.join(20)
        for connection in self._connections:
            if connection is not None:
                connection.close()


def dribble_a_head(connection: socket.socket) -> None:
    connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: " if _is_new(connection) else b"a")


def dribble_a_body(connection: socket.socket) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
    connection.send(head if _is_new(connection) else b"a")


def say_nothing(connection: socket.socket) -> None:
    connection.getpeername()


def never_close(connection: socket.socket) -> None:
    if _is_new(connection):
        connection.send(b"GET /about_login HTTP/1.0\r\n\r\n")


def _is_new(connection: socket.socket) -> bool:
    """Say whether nothing was sent yet; a timeout that nobody else sets remembers it."""
    is_new = connection.gettimeout() == 5
    connection.settimeout(6)
    return is_new


@pytest.fixture
def crowd() -> Iterator[Callable[..., Crowd]]:
    """Give a function that lets a crowd loose."""
    made: list[Crowd] = []

    def make(port: int, count: int, act: Callable[[socket.socket], None]) -> Crowd:
        made.append(Crowd(port, count, act))
        made[-1].start()
        assert made[-1].went_round.wait(60)
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.mark.parametrize("act", [dribble_a_head, dribble_a_body, say_nothing, never_close])
def test_one_address_full_of_slow_clients_does_not_slow_down_another(
    start: Started, crowd: Callable[..., Crowd], act: Callable[[socket.socket], None]
) -> None:
    """Fault 24 of section 8; with the limits that hold in production."""
    _, port = start("--host", "127.0.0.1")
    assert b"200 OK" in exchange(port, b"GET / HTTP/1.0\r\n\r\n", "127.0.0.2")
    crowd(port, 100, act)
    took = []
    for _ in range(25):
        began = time.monotonic()
        assert b"200 OK" in exchange(port, b"GET / HTTP/1.0\r\n\r\n", "127.0.0.2")
        took.append(time.monotonic() - began)
    assert statistics.median(took) < 0.5, took
    assert max(took) < 4.0, took


def state_at_the_gui(connection: socket.socket) -> str:
    """Return the state of the other end of a connection, as /proc/net/tcp tells it; 01 is ESTABLISHED."""
    wanted = [f"{number:04X}" for number in (connection.getpeername()[1], connection.getsockname()[1])]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if [end.rpartition(":")[2] for end in words[1:3]] == wanted:
            return words[3]
    return ""


def test_an_answer_that_is_not_fetched_ends_in_time(start: Started) -> None:
    _, port = start("--host", "127.0.0.1", program=IMPATIENT)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(("127.0.0.1", port))
        slow.sendall(b"GET /bootstrap/static/css/bootstrap.min.css HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        assert state_at_the_gui(slow) == "01"
        gives_up_at = time.monotonic() + 20
        while state_at_the_gui(slow) == "01":
            assert time.monotonic() < gives_up_at
            select.select([], [], [], 0.05)


def test_a_request_that_is_answered_slowly_is_not_cut(start: Started) -> None:
    slow_app = IMPATIENT[-1].replace(
        "g.main()",
        "import threading; g.create_app = lambda paths, **settings: lambda environ, reply: "
        "(threading.Event().wait(1.5), reply('200 OK', []))[2:] or [b'late']; g.main()",
    )
    _, port = start("--host", "127.0.0.1", program=[*IMPATIENT[:-1], slow_app])
    assert get(port, "/") == (200, "late")


NO_REQUESTS = [
    (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),
    (b"nonsense\r\n\r\n", b"400"),
    (b"GET / HTTP/9.9\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nA\x01B: x\r\n\r\n", b"400"),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
    (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % number for number in range(80)) + b"\r\n", b"431"),
    (b"GET / HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\n\r\n", b"431"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of one GUI for several tests."""
    with started(tmp_path_factory.mktemp("gui")) as starter:
        yield starter("--host", "127.0.0.1")[1]


@pytest.mark.parametrize(("request_", "status"), NO_REQUESTS)
def test_what_is_no_request_is_answered_shortly_with_all_headers(port: int, request_: bytes, status: bytes) -> None:
    """Fault 22 of section 8: answers that the pages never see carry the headers too."""
    answer = exchange(port, request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == status
    for header in (b"content-security-policy: default-src 'none'", b"nosniff", b"no-referrer", b"no-store"):
        assert header in head.lower(), header
    assert b"nonsense" not in body
    assert len(body) < 100


def test_the_server_says_neither_its_version_nor_what_it_is_made_of(port: int) -> None:
    for request in (b"GET / HTTP/1.0\r\n\r\n", b"GET /static/css/piranha.css HTTP/1.0\r\n\r\n", b"nonsense\r\n\r\n"):
        head = exchange(port, request).partition(b"\r\n\r\n")[0]
        assert b"\r\nServer: piranha\r\n" in head
        assert head.count(b"Server:") == 1
        assert b"unicorn" not in head
        assert b"ython" not in head


def posted(port: int, body: bytes, kind: bytes = b"application/x-www-form-urlencoded") -> bytes:
    head = b"POST /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return exchange(port, head % (kind, len(body)) + body).split()[1]


def test_a_form_with_too_many_fields_or_too_much_in_it_is_refused(port: int) -> None:
    assert posted(port, b"&".join([b"a=1"] * FORM_FIELDS_MAX)) == b"400"  # it has no token
    assert posted(port, b"&".join([b"a=1"] * (FORM_FIELDS_MAX + 1))) == b"413"
    assert posted(port, b"&" * 1_000_000) == b"413"
    assert posted(port, b"a=" + b"x" * 1_100_000) == b"413"
    # Whatever the body is called, it is not taken apart.
    assert posted(port, b"&" * 1_000_000, b"text/plain") == b"413"


def test_whoever_keeps_most_threads_waiting_loses_the_oldest() -> None:
    waits: Waits[str] = Waits(4)
    assert [waits.begin(f"bad{number}", "bad", 10.0) for number in (1, 2, 3)] == [None] * 3
    assert waits.begin("good1", "good", 10.0) is None
    assert waits.begin("good2", "good", 10.0) == "bad1"
    assert waits.begin("bad4", "bad", 10.0) == "bad2"
    assert waits.begin("other", "other", 10.0) == "bad3"  # both have two: the oldest of all
    waits.end("bad4")
    assert waits.begin("good3", "good", 10.0) is None


def test_whose_time_is_up_is_told_once() -> None:
    waits: Waits[str] = Waits(4)
    waits.begin("a", "x", 10.0)
    waits.begin("b", "x", 5.0)
    waits.begin("a", "x", 20.0)  # its next part begins
    assert waits.overdue(4.9) == []
    assert waits.overdue(10.0) == ["b"]
    assert waits.overdue(10.0) == []
    waits.end("b")
    assert waits.overdue(20.0) == ["a"]
