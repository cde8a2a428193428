"""The API as calls, against a server on a real Unix socket that says what it is told to say."""

import http.server
import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from piranha.check_messages import LastCheck, TryAnswer, TryRequest
from piranha.client import EngineClient
from piranha.config.edits import ExpectedPart, Part, SetValues
from piranha.errors import (
    Busy,
    ConfigConflict,
    ConfigUnavailable,
    ConfirmationPending,
    EditRefused,
    EngineUnavailable,
    NothingPending,
    NotPermitted,
    PiranhaError,
    UnsafePlan,
)
from piranha.messages import (
    ApplyRequest,
    ClearRequest,
    ConfirmRequest,
    ConnectionsAnswer,
    ConnectionsQuery,
    OverrideRequest,
    Refusal,
    SavedConfig,
    SaveRequest,
)
from piranha.records import AuditAnswer, AuditQuery, EngineEvent, EventsAnswer, EventsQuery, LoginNote
from piranha.status import HealthState, Source


@dataclass
class Wire:
    """What the server answers, and what it was asked."""

    path: Path
    status: int = 200
    body: bytes = b"{}"
    is_silent: bool = False
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


def serve(wire: Wire) -> socketserver.UnixStreamServer:
    """Return a server on the wire's path, which may be longer than an address may be."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            wire.asked.append((self.command, self.path, dict(self.headers.items()), body))
            if wire.is_silent:
                wire.released.wait(30)
                return
            self.send_response(wire.status)
            self.send_header("Content-Length", str(len(wire.body)))
            self.end_headers()
            self.wfile.write(wire.body)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "socket"

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

        def server_bind(self) -> None:
            folder = os.open(wire.path.parent, os.O_RDONLY)
            try:
                self.socket.bind(f"/proc/self/fd/{folder}/{wire.path.name}")
            finally:
                os.close(folder)

    return Server(str(wire.path), Handler)


@pytest.fixture
def make_wire(tmp_path: Path) -> Iterator[Callable[..., Wire]]:
    """Give a function that starts a server on a socket in a folder."""
    started: list[tuple[socketserver.UnixStreamServer, Wire]] = []

    def make(folder: Path = tmp_path) -> Wire:
        folder.mkdir(parents=True, exist_ok=True)
        wire = Wire(folder / "lvs.sock")
        server = serve(wire)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        started.append((server, wire))
        return wire

    yield make
    for server, wire in started:
        wire.released.set()
        server.shutdown()
        server.server_close()


def test_a_call_is_one_request_on_behalf_of_somebody(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire()
    config = SavedConfig("lvs.cf", 'send = "grüße"\n', "ab", True, "")
    wire.body = msgspec.json.encode(config)
    assert EngineClient(wire.path, "piranha", "192.0.2.7").config() == config
    ((method, path, headers, body),) = wire.asked
    assert (method, path, body) == ("GET", "/v1/config", b"")
    assert (headers["X-User"], headers["X-From"]) == ("piranha", "192.0.2.7")


def test_names_cannot_break_out_of_their_header(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire()
    wire.body = msgspec.json.encode(SavedConfig("", "", "", True, ""))
    EngineClient(wire.path, "eve\r\nX-Evil: 1", "größe").config()
    headers = wire.asked[0][2]
    assert headers["X-User"] == "eve%0D%0AX-Evil%3A 1"
    assert headers["X-From"] == "gr%C3%B6%C3%9Fe"
    assert "X-Evil" not in headers


def test_every_call_sends_what_the_engine_reads(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire()
    wire.status, wire.body = 503, msgspec.json.encode(Refusal("unavailable", "the disk is full"))
    client = EngineClient(wire.path)
    edits = [SetValues(path="virtual[http]", values={"port": "81", "send": None})]
    expected = [ExpectedPart(Part("virtual[http]", ("port",)), "t")]
    calls: list[tuple[Callable[[], object], str, str, object]] = [
        (client.config, "GET", "/v1/config", None),
        (client.running, "GET", "/v1/running", None),
        (client.plan, "GET", "/v1/plan", None),
        (client.status, "GET", "/v1/status", None),
        (client.create, "POST", "/v1/config/create", {}),
        (lambda: client.save(edits, expected), "POST", "/v1/config", SaveRequest(list(edits), expected)),
        (lambda: client.apply("t", True, True), "POST", "/v1/apply", ApplyRequest("t", True, True)),
        (lambda: client.apply(confirm_s=60), "POST", "/v1/apply", ApplyRequest(confirm_s=60)),
        (lambda: client.confirm("t"), "POST", "/v1/confirm", ConfirmRequest("t")),
        (lambda: client.revert("t"), "POST", "/v1/revert", ConfirmRequest("t")),
        (lambda: client.audit_login("login", "no"), "POST", "/v1/audit/login", LoginNote("login", "no")),
        (lambda: client.override("a", "weight", 3), "POST", "/v1/overrides", OverrideRequest("a", "weight", 3)),
        (lambda: client.clear("a", "drain"), "POST", "/v1/overrides/clear", ClearRequest("a", "drain")),
    ]
    for call, method, path, message in calls:
        with pytest.raises(ConfigUnavailable, match="the disk is full"):
            call()
        asked = wire.asked.pop()
        assert asked[:2] == (method, path)
        if message is not None:
            assert json.loads(asked[3]) == json.loads(msgspec.json.encode(message))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "conflict", ConfigConflict),
        (422, "edit_refused", EditRefused),
        (404, "not_found", EditRefused),
        (400, "bad_request", EditRefused),
        (503, "unavailable", ConfigUnavailable),
        (422, "unsafe", UnsafePlan),
        (409, "confirmation_pending", ConfirmationPending),
        (409, "nothing_pending", NothingPending),
        (429, "busy", Busy),
        (403, "not_permitted", NotPermitted),
        (500, "internal", EngineUnavailable),
        (418, "a code of a later version", EngineUnavailable),
    ],
)
def test_each_refusal_comes_out_as_its_error(
    make_wire: Callable[..., Wire], status: int, code: str, kind: type[PiranhaError]
) -> None:
    wire = make_wire()
    wire.status = status
    wire.body = msgspec.json.encode(Refusal(code, "why", "virtual[http]", "port", "port = 81\n"))
    with pytest.raises(kind) as raised:
        EngineClient(wire.path).status()
    match raised.value:
        case ConfigConflict(part=part, current_text=text):
            assert (part, text) == ("virtual[http]", "port = 81\n")
        case EditRefused(path=path, keyword=keyword, sentence=sentence):
            assert (path, keyword, sentence) == ("virtual[http]", "port", "why")
        case _:
            assert str(raised.value) == "why"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"file": 1}', b"\xff", json.dumps("x").encode()])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_nonsense_is_an_engine_that_is_not_available(
    make_wire: Callable[..., Wire], body: bytes, status: int
) -> None:
    wire = make_wire()
    wire.status, wire.body = status, body
    with pytest.raises(EngineUnavailable):
        EngineClient(wire.path).config()


def test_a_path_longer_than_an_address_may_be_is_reached_all_the_same(
    make_wire: Callable[..., Wire], tmp_path: Path
) -> None:
    wire = make_wire(tmp_path / ("a" * 100) / ("b" * 100))
    assert len(str(wire.path)) > 200
    wire.body = msgspec.json.encode(SavedConfig("lvs.cf", "", "", False, ""))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        assert EngineClient(wire.path).config().exists is False
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_without_a_socket_the_sentence_says_that_the_engine_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="is not running"):
        EngineClient(tmp_path / "lvs.sock").status()
    with pytest.raises(EngineUnavailable, match="is not running"):
        EngineClient(tmp_path / ("a" * 120) / "lvs.sock").status()


def test_a_socket_that_nobody_listens_on_says_so(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "lvs.sock"))
    with pytest.raises(EngineUnavailable, match="nobody listens there"):
        EngineClient(tmp_path / "lvs.sock").status()


def test_an_engine_that_says_nothing_is_waited_for_only_so_long(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire()
    wire.is_silent = True
    with pytest.raises(EngineUnavailable, match=r"did not answer GET /v1/status within 0.05 seconds"):
        EngineClient(wire.path, answer_within_s=0.05).status()


def test_a_question_about_connections_goes_into_the_address(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire()
    answer = ConnectionsAnswer((), 0, 0, True, 100, Source("kernel data path", 0.0), "")
    wire.body = msgspec.json.encode(answer)
    client = EngineClient(wire.path)
    assert client.connections(ConnectionsQuery()) == answer
    client.connections(ConnectionsQuery(client="192.0.2.0/24", vip="mark 9&limit=1", limit="5"))
    paths = [path for _, path, _, _ in wire.asked]
    assert paths == ["/v1/connections", "/v1/connections?client=192.0.2.0%2F24&vip=mark+9%26limit%3D1&limit=5"]


def test_a_question_that_is_not_understood_names_its_field(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire()
    wire.status, wire.body = 400, msgspec.json.encode(Refusal("bad_request", "no client", "", "client"))
    with pytest.raises(EditRefused) as refused:
        EngineClient(wire.path).connections(ConnectionsQuery(client="x"))
    assert (refused.value.keyword, refused.value.sentence) == ("client", "no client")


def test_questions_about_events_and_the_audit_go_into_the_address(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire()
    client = EngineClient(wire.path)
    wire.body = msgspec.json.encode(EventsAnswer((), None, 7, ""))
    assert client.events(EventsQuery(kind="applied,saved", about="virtual[a b]")).last_number == 7
    wire.body = msgspec.json.encode(AuditAnswer((), None, 8, ""))
    assert client.audit(AuditQuery(who="ann")).last_number == 8
    paths = [path for _, path, _, _ in wire.asked]
    assert paths == ["/v1/events?kind=applied%2Csaved&about=virtual%5Ba+b%5D", "/v1/audit?who=ann"]


def test_a_try_and_the_last_check_are_asked_for_as_the_api_takes_them(make_wire: Callable[..., Wire]) -> None:
    wire, request = make_wire(), TryRequest("virtual[web]", "", {"send": "quit", "expect": None}, {"port": "81"})
    answer = TryAnswer("virtual[web]", "tcp", 6.0, 6.0, (), 0)
    wire.body = msgspec.json.encode(answer)
    assert EngineClient(wire.path).try_checks(request) == answer
    told = LastCheck("x", "", "", 0, HealthState.UNKNOWN, "", "", None, "", None, "", 0.0, 0.0, "gone")
    wire.body = msgspec.json.encode(told)
    assert EngineClient(wire.path).last_check("virtual[web].server[a b]") == told
    assert [(method, path) for method, path, _, _ in wire.asked] == [
        ("POST", "/v1/try"),
        ("GET", "/v1/checks?server=virtual%5Bweb%5D.server%5Ba+b%5D"),
    ]
    assert msgspec.json.decode(wire.asked[0][3], type=TryRequest) == request


@pytest.mark.parametrize(("field", "after"), [("before", ""), ("after", "0")])
def test_all_events_are_asked_for_page_by_page(make_wire: Callable[..., Wire], field: str, after: str) -> None:
    wire = make_wire()
    event = EngineEvent(1, "", "saved", "", "")
    pages = [EventsAnswer((event, event), 5, 9, ""), EventsAnswer((event,), None, 9, "")]
    client = EngineClient(wire.path)
    wire.body = msgspec.json.encode(pages[0])
    found = client.all_events(EventsQuery(after=after, limit="3"))
    assert [next(found), next(found)] == [event, event]
    wire.body = msgspec.json.encode(pages[1])
    assert list(found) == [event]
    first, second = (path for _, path, _, _ in wire.asked)
    assert first == f"/v1/events?{'after=0&' if after else ''}limit=1000"
    assert second == f"/v1/events?{field}=5&limit=1000"
