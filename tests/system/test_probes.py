"""Checks against real sockets on loopback (scenarios 40 and 45 to 48)."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from piranha.config.model import Address, Protocol, RealServerKey, ServiceKey
from piranha.health.check import RECEIVED_BYTES_MAX, Check, Expectation, Match, Verdict
from piranha.system import probes, tcp
from piranha.system.probes import CannotCheck, Probed, probe

LOOPBACK = IPv4Address("127.0.0.1")
HTTP = Expectation(Match.PREFIX, b"HTTP")
ANYTHING = Expectation(Match.ANYTHING)
NEVER_S = 60.0
"""A limit that no test reaches."""

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def check(port: int, expect: Expectation | None, send: bytes | None = None, limit_s: float = NEVER_S) -> Check:
    key = RealServerKey(ServiceKey(fwmark=1), LOOPBACK, port)
    return Check(key, Protocol.TCP, LOOPBACK, port, send, expect, limit_s, 1.0, limit_s)


@asynccontextmanager
async def real_server(talk: Talk, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Run a server that talks so to each client, and give its port."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(served, host, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def probed(talk: Talk, expect: Expectation | None, send: bytes | None = None, limit_s: float = NEVER_S) -> Probed:
    async with real_server(talk) as port:
        return await probe(check(port, expect, send, limit_s), LOOPBACK)


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def saying(*pieces: bytes, and_waits: bool = False) -> Talk:
    """Return a server that says these pieces, each in a segment of its own."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if and_waits:
            await reader.read(-1)

    return talk


async def test_a_server_that_accepts_is_good_if_nothing_is_expected() -> None:
    async with real_server(silent) as port:
        found = await probe(check(port, None), LOOPBACK)
    assert found.verdict == Verdict(True, f"connected to 127.0.0.1:{port}")
    assert (found.sent, found.received) == (b"", b"")
    assert 0 <= found.took_s < NEVER_S


async def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        found = await probe(check(port, None), LOOPBACK)
    assert found.verdict == Verdict(False, f"connect to 127.0.0.1:{port} refused")


async def test_what_is_sent_arrives_and_the_answer_is_kept() -> None:
    heard: list[bytes] = []

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello")

    found = await probed(web, HTTP, b"GET / HTTP/1.0\r\n\r\n")
    assert heard == [b"GET / HTTP/1.0\r\n\r\n"]
    assert found.verdict.is_good
    assert found.sent == b"GET / HTTP/1.0\r\n\r\n"
    assert found.received.startswith(b"HTTP/1.0 200 OK")


async def test_an_answer_in_pieces_is_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second piece is held back until the first has been read and judged as too short."""
    judged: list[bytes] = []
    was_judged = asyncio.Event()
    real = probes.judge

    def judge(expectation: Expectation | None, received: bytes, is_complete: bool) -> Verdict | None:
        judged.append(received)
        was_judged.set()
        return real(expectation, received, is_complete)

    async def in_pieces(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HT")
        await was_judged.wait()
        writer.write(b"TP/1.0 200 OK\r\n")

    monkeypatch.setattr(probes, "judge", judge)
    found = await probed(in_pieces, HTTP)
    assert judged[0] == b"HT"
    assert found.verdict == Verdict(True, 'answered "HTTP/1.0 200 OK"')


async def test_a_mismatch_is_decided_without_waiting_for_the_limit() -> None:
    found = await probed(saying(b"220 mail\r\n", and_waits=True), HTTP)
    assert found.verdict == Verdict(False, r'answered "220 mail\r\n"; expected "HTTP"')


@pytest.mark.parametrize(
    ("expect", "said", "reason"),
    [
        (HTTP, b"HT", 'answered "HT" and no more; expected "HTTP"'),
        (HTTP, b"", "connection closed before anything was received"),
        (ANYTHING, b"", "connection closed before anything was received"),
        (Expectation(Match.PATTERN, b"ready"), b"x", 'answered "x"; expected something that matches "ready"'),
    ],
)
async def test_an_early_end_is_bad(expect: Expectation, said: bytes, reason: str) -> None:
    found = await probed(saying(said) if said else closing, expect)
    assert found.verdict == Verdict(False, reason)


async def test_a_star_takes_any_byte() -> None:
    assert (await probed(saying(b"\0", and_waits=True), ANYTHING)).verdict.is_good


async def test_a_silent_server_is_bad_when_the_limit_is_over() -> None:
    found = await probed(silent, ANYTHING, limit_s=0.05)
    assert found.verdict == Verdict(False, "no answer within 0.05 s")
    assert found.took_s < 10


async def test_the_limit_holds_for_a_server_that_stops_in_the_middle() -> None:
    async def halting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HT")
        await reader.read(-1)

    found = await probed(halting, HTTP, limit_s=0.05)
    assert found.verdict == Verdict(False, 'answered "HT" and no more; expected "HTTP", within 0.05 s')


async def test_a_connect_that_nobody_answers_ends_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(tcp, "connected", never)
    found = await probe(check(9, None, limit_s=0.05), LOOPBACK)
    assert found.verdict == Verdict(False, "connect to 127.0.0.1:9 timed out after 0.05 s")


async def test_an_endless_answer_is_read_to_64_kib_and_no_further() -> None:
    taken = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            taken += 65536

    async with real_server(endless) as port:
        conversation = probes._Conversation(check(port, Expectation(Match.PATTERN, b"ready")), "it")
        verdict = await conversation.run(LOOPBACK)
    assert not verdict.is_good
    assert len(conversation.received) == RECEIVED_BYTES_MAX


async def test_a_server_that_answers_byte_by_byte_does_not_cost_a_search_each(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = 0
    real = probes.judge

    def counted(expectation: Expectation | None, received: bytes, is_complete: bool) -> Verdict | None:
        nonlocal searches
        searches += 1
        return real(expectation, received, is_complete)

    monkeypatch.setattr(probes, "judge", counted)
    monkeypatch.setattr(probes, "PIECE_BYTES", 1)
    found = await probed(saying(b"x" * 5000 + b"ready"), Expectation(Match.PATTERN, b"ready"))
    assert found.verdict.is_good
    assert 64 < searches < 80


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (b"", Verdict(False, "connection reset before anything was received")),
        (b"HT", Verdict(False, 'connection reset after "HT"')),
    ],
)
async def test_a_reset_is_told_with_what_came_before(
    said: bytes, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [said] if said else []

    async def received(*_: object) -> bytes:
        if answers:
            return answers.pop()
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_recv", received)
    assert (await probed(silent, HTTP)).verdict == verdict


async def test_a_reset_while_sending_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sent(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_sendall", sent)
    found = await probed(silent, HTTP, b"hello")
    assert found.verdict == Verdict(False, "connection reset while sending")
    assert found.sent == b""


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EHOSTUNREACH, "failed: no route to it"),
        (errno.ENETUNREACH, "failed: no route to it"),
        (errno.ETIMEDOUT, "timed out"),
        (errno.EPERM, "failed: Operation not permitted"),
    ],
)
async def test_every_failure_of_the_network_is_a_sentence(
    number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fails_with(number, monkeypatch)
    assert (await probe(check(9, None), LOOPBACK)).verdict == Verdict(False, f"connect to 127.0.0.1:9 {words}")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL])
async def test_a_router_without_means_blames_no_server(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await fails_with(number, monkeypatch)
    with pytest.raises(CannotCheck, match="this router cannot make the check"):
        await probe(check(9, None), LOOPBACK)


async def fails_with(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tcp, "connected", fail)


async def test_meeting_oneself_on_a_free_port_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection from a port to itself succeeds, although nobody listens there."""

    async def connect_to_itself(connection: socket.socket, address: tuple[str, int]) -> None:
        connection.setblocking(True)
        connection.bind(address)
        connection.connect(address)
        connection.setblocking(False)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(tcp, "connected", connect_to_itself)
    found = await probe(check(port, None), LOOPBACK)
    assert found.verdict == Verdict(False, f"connect to 127.0.0.1:{port} refused")


async def test_an_ipv6_server_is_checked() -> None:
    address: Address = IPv6Address("::1")
    async with real_server(saying(b"HTTP/1.0"), "::1") as port:
        found = await probe(replace(check(port, HTTP), address=ip_address("::1")), address)
    assert found.verdict.is_good


async def test_nothing_stays_open_after_a_check(recwarn: pytest.WarningsRecorder) -> None:
    opened: list[socket.socket] = []
    real = socket.socket

    def remembered(*words: int) -> socket.socket:
        opened.append(real(*words))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        async with real_server(silent) as port:
            patch.setattr(probes.socket, "socket", remembered)
            await probe(check(port, ANYTHING, limit_s=0.02), LOOPBACK)
            await probe(check(port, None), LOOPBACK)
    assert [each.fileno() for each in opened] == [-1, -1]
