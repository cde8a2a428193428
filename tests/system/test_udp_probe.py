"""UDP checks against real sockets on loopback, on either event loop (engine.md 4.4, scenarios 49 and 50)."""

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address

import pytest

from piranha.config.model import Address, Protocol, RealServerKey, ServiceKey
from piranha.health.check import RECEIVED_BYTES_MAX, Check, Expectation, Match, Verdict
from piranha.health.datagrams import DATAGRAMS_MAX
from piranha.system import udp_probe
from piranha.system.probes import CannotCheck, Probed, probe

LOOPBACK, LOOPBACK6 = IPv4Address("127.0.0.1"), IPv6Address("::1")
OK = Expectation(Match.PREFIX, b"OK")
NEVER_S = 60.0
"""A limit that no test reaches."""

Answers = Callable[[bytes], tuple[bytes, ...]]


def check(
    port: int,
    expect: Expectation | None = None,
    limit_s: float = NEVER_S,
    send: bytes = b"hello?",
    at: Address = LOOPBACK,
) -> Check:
    return Check(RealServerKey(ServiceKey(fwmark=1), at, port), Protocol.UDP, at, port, send, expect, 60, 1, limit_s)


@contextmanager
def bound(at: Address = LOOPBACK) -> Iterator[socket.socket]:
    """Give a UDP socket with a port of its own."""
    with socket.socket(socket.AF_INET if at.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as server:
        server.bind((str(at), 0))
        server.setblocking(False)
        yield server


@contextmanager
def real_server(answers: Answers, at: Address = LOOPBACK) -> Iterator[int]:
    """Run a server that answers each datagram with these, and give its port."""
    with bound(at) as server:

        def answer() -> None:
            asked, client = server.recvfrom(65536)
            for each in answers(asked):
                server.sendto(each, client)

        loop = asyncio.get_running_loop()
        loop.add_reader(server, answer)
        try:
            yield server.getsockname()[1]
        finally:
            loop.remove_reader(server)


def saying(*datagrams: bytes) -> Answers:
    return lambda _: datagrams


async def probed(answers: Answers, expect: Expectation | None = None, limit_s: float = NEVER_S) -> Probed:
    with real_server(answers) as port:
        return await probe(check(port, expect, limit_s), LOOPBACK)


async def test_any_answer_is_good_if_nothing_is_expected() -> None:
    heard: list[bytes] = []

    def answer(asked: bytes) -> tuple[bytes, ...]:
        heard.append(asked)
        return (b"yes\r\nand more",)

    found = await probed(answer)
    assert heard == [b"hello?"]
    assert found.verdict == Verdict(True, 'answered "yes"')
    assert (found.sent, found.received) == (b"hello?", b"yes\r\nand more")
    assert 0 <= found.took_s < NEVER_S


async def test_an_empty_answer_is_an_answer() -> None:
    assert (await probed(saying(b""))).verdict == Verdict(True, "answered with an empty datagram")


async def test_a_closed_port_is_down_at_once() -> None:
    with bound() as free:
        port = free.getsockname()[1]
    found = await probe(check(port), LOOPBACK)
    assert found.verdict == Verdict(False, f"UDP port 127.0.0.1:{port} is closed (ICMP port unreachable)")
    assert found.sent == b"hello?"


async def test_a_refusal_that_comes_while_the_check_waits_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    with bound() as server:

        async def refused_later(connection: socket.socket, size: int) -> bytes:
            server.close()
            loop.call_soon(connection.send, b"again")
            return await loop.sock_recv(connection, size)

        port = server.getsockname()[1]
        change_loop(monkeypatch, sock_recv=refused_later)
        found = await probe(check(port, OK), LOOPBACK)
    assert found.verdict == Verdict(False, f"UDP port 127.0.0.1:{port} is closed (ICMP port unreachable)")


async def test_a_silent_server_is_down_when_the_limit_is_over() -> None:
    found = await probed(saying(), limit_s=0.05)
    assert found.verdict == Verdict(False, "no answer within 0.05 s")
    assert found.took_s < 10


async def test_a_good_datagram_ends_the_check_after_bad_ones() -> None:
    found = await probed(saying(b"", b"wait", b"OK now\n"), OK)
    assert found.verdict == Verdict(True, 'answered "OK now"')
    assert found.received == b"OK now\n"


async def test_a_bad_answer_is_told_when_the_limit_is_over() -> None:
    found = await probed(saying(b"wait", b"no\n"), OK, limit_s=0.05)
    reason = r'answered "no\n"; expected "OK"; that was the last of 2 datagrams within 0.05 s'
    assert found.verdict == Verdict(False, reason)
    assert found.received == b"no\n"


async def test_only_the_server_that_was_asked_is_heard() -> None:
    """An answer from another port is none, and neither is one from another address."""
    with bound() as other, bound(IPv4Address("127.0.0.2")) as elsewhere, bound() as server:

        def answer() -> None:
            _, client = server.recvfrom(65536)
            other.sendto(b"OK", client)
            elsewhere.sendto(b"OK", client)
            server.sendto(b"no", client)

        asyncio.get_running_loop().add_reader(server, answer)
        found = await probe(check(server.getsockname()[1], OK, 0.05), LOOPBACK)
        asyncio.get_running_loop().remove_reader(server)
    assert found.verdict == Verdict(False, 'answered "no"; expected "OK", within 0.05 s')


async def test_an_ipv6_server_is_checked() -> None:
    with real_server(saying(b"OK"), LOOPBACK6) as port:
        found = await probe(check(port, OK, at=LOOPBACK6), LOOPBACK6)
    assert found.verdict.is_good
    closed = await probe(check(port, OK, at=LOOPBACK6), LOOPBACK6)
    assert closed.verdict == Verdict(False, f"UDP port [::1]:{port} is closed (ICMP port unreachable)")


async def test_a_flood_is_read_to_its_bound_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server sends more whenever the check reads: it would never end by itself."""
    loop = asyncio.get_running_loop()
    sizes: list[int] = []
    with bound() as server:

        async def flooded(connection: socket.socket, size: int) -> bytes:
            sizes.append(size)
            server.sendto(b"no", connection.getsockname())
            return await loop.sock_recv(connection, size)

        change_loop(monkeypatch, sock_recv=flooded)
        found = await probe(check(server.getsockname()[1], OK), LOOPBACK)
    assert sizes == [RECEIVED_BYTES_MAX] * DATAGRAMS_MAX
    assert found.verdict.reason.endswith(f"the last of {DATAGRAMS_MAX} datagrams, no more are read")


@pytest.mark.parametrize(
    ("step", "number", "reason"),
    [
        ("sock_sendall", errno.ECONNREFUSED, "UDP port 127.0.0.1:9 is closed (ICMP port unreachable)"),
        ("sock_sendall", errno.EPERM, "sending to 127.0.0.1:9 failed: Operation not permitted"),
        ("sock_recv", errno.EHOSTUNREACH, "receiving from 127.0.0.1:9 failed: no route to it"),
    ],
)
async def test_every_failure_of_the_network_is_a_sentence(
    step: str, number: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_loop(monkeypatch, **{step: failing(number)})
    assert (await probe(check(9), LOOPBACK)).verdict == Verdict(False, reason)


async def test_a_server_without_a_route_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    change_connect(monkeypatch, refusing(errno.ENETUNREACH))
    assert (await probe(check(9), LOOPBACK)).verdict == Verdict(False, "sending to 127.0.0.1:9 failed: no route to it")


async def test_a_text_that_is_not_taken_ends_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.get_running_loop().create_future()

    change_loop(monkeypatch, sock_sendall=never)
    found = await probe(check(9, limit_s=0.05), LOOPBACK)
    assert found.verdict == Verdict(False, "the text to send was not taken within 0.05 s")
    assert found.sent == b""


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.ENOMEM])
async def test_a_router_without_means_to_send_blames_no_server(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    change_loop(monkeypatch, sock_sendall=failing(number))
    with pytest.raises(CannotCheck, match="this router cannot make the check"):
        await probe(check(9), LOOPBACK)


async def test_a_router_without_a_free_port_blames_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux says EAGAIN when a UDP socket finds no port of its own."""
    change_connect(monkeypatch, refusing(errno.EAGAIN))
    with pytest.raises(CannotCheck, match="Cannot assign requested address"):
        await probe(check(9), LOOPBACK)


async def test_meeting_oneself_on_a_free_port_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a socket sends to its own port comes back, as if somebody had answered."""

    def connect_to_itself(connection: socket.socket, place: tuple[str, int]) -> None:
        connection.bind(place)
        connect(connection, place)

    connect = socket.socket.connect
    with bound() as free:
        port = free.getsockname()[1]
    change_connect(monkeypatch, connect_to_itself)
    found = await probe(check(port), LOOPBACK)
    assert found.verdict == Verdict(False, f"UDP port 127.0.0.1:{port} is closed (ICMP port unreachable)")


async def test_nothing_stays_open_after_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []
    connect = socket.socket.connect

    def remembered(connection: socket.socket, place: tuple[str, int]) -> None:
        opened.append(connection)
        connect(connection, place)

    change_connect(monkeypatch, remembered)
    await probed(saying(b"OK"), OK)
    await probed(saying(), limit_s=0.02)
    assert [each.fileno() for each in opened] == [-1, -1]


def failing(number: int) -> Callable[..., Awaitable[None]]:
    async def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def refusing(number: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def change_connect(monkeypatch: pytest.MonkeyPatch, connect: Callable[..., None]) -> None:
    """Let sockets connect in another way."""
    monkeypatch.setattr(udp_probe.socket, "socket", type("Changed", (socket.socket,), {"connect": connect}))


def change_loop(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Let the check see a loop with these methods changed; uvloop's own cannot be."""
    loop = asyncio.get_running_loop()

    class Changed:
        def __getattr__(self, name: str) -> object:
            return changes.get(name) or getattr(loop, name)

    monkeypatch.setattr(udp_probe.asyncio, "get_running_loop", Changed)
