"""Scenarios 40 to 50 of the reference, from the lines of lvs.cf to the verdict on a real server on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address

import pytest

from piranha.config.load import load
from piranha.health.check import Check, Verdict, check_of
from piranha.health.machine import ServerHealth, step, unheard
from piranha.status import HealthState
from piranha.system.probes import probe

LOOPBACK = IPv4Address("127.0.0.1")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def check(port: int, *lines: str) -> Check:
    """Return the check of a real server on that port whose virtual server has these lines."""
    texts = ["virtual web {", " active = 1", " address = 192.0.2.1 eth0:1", " port = 8080", *lines]
    texts += [" server a {", "  active = 1", "  address = 127.0.0.1", f"  port = {port}", " }", "}", ""]
    (virtual,) = load("\n".join(texts)).cluster.virtual_servers
    found = check_of(virtual, virtual.servers[0])
    assert isinstance(found, Check), found
    return found


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[int]:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass  # the check has what it wants to know
        finally:
            writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def verdict(talk: Talk, *lines: str) -> Verdict:
    async with serving(talk) as port:
        return (await probe(check(port, *lines), LOOPBACK)).verdict


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def closing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def answering(*pieces: bytes) -> Talk:
    """Return a server that says the first piece, then the others when the client had time to read it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            for _ in range(100):  # the client lives in this loop too
                await turn()

    return talk


async def turn() -> None:
    """Let the loop look at its sockets once."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(done.set_result, None)
    await done


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


async def test_scenario_40_a_server_that_refuses_is_out_with_its_next_check() -> None:
    made = check(free_port(), "timeout = 4", "reentry = 10")
    health, _ = step(unheard(0.0), Verdict(True, "connected"), made, 0.0)
    found = (await probe(made, LOOPBACK)).verdict
    health, row = step(health, found, made, made.interval_s)
    assert (health.state, row.is_change) == (HealthState.DOWN, True)
    assert found.reason == f"connect to 127.0.0.1:{made.port} refused"


async def test_scenario_41_it_returns_on_the_second_good_check_with_timeout_4_and_reentry_10() -> None:
    async with serving(closing) as port:
        made = check(port, "timeout = 4", "reentry = 10")
        health = ServerHealth(HealthState.DOWN, 0, 0.0, "refused", 0.0, was_up=True, bad_in_row=1)
        states = []
        for number in (1, 2):
            health, _ = step(health, (await probe(made, LOOPBACK)).verdict, made, 4.0 * number)
            states.append(health.state)
    assert states == [HealthState.DOWN, HealthState.UP]


async def test_scenario_45_an_answer_in_two_pieces_is_good() -> None:
    assert (await verdict(answering(b"HT", b"TP/1.0 200 OK\r\n"), 'expect = "HTTP"')).is_good


@pytest.mark.parametrize(("version", "is_good"), [("1.1", True), ("1x1", False)])
async def test_scenario_46_a_dot_in_a_regular_expression_hangs_nothing(version: str, is_good: bool) -> None:
    answer = f"HTTP/{version} 200 OK\r\n".encode()
    for written in (r"HTTP/1\.1", r"HTTP/1\\.1"):
        found = await verdict(answering(answer), f'expect = "{written}"', "use_regex = 1")
        assert found.is_good is is_good, written


async def test_scenario_47_a_star_is_not_content_with_an_accept_and_a_close() -> None:
    found = await verdict(closing, 'expect = "*"')
    assert found == Verdict(False, "connection closed before anything was received")


async def test_scenario_48_a_star_is_not_content_with_silence() -> None:
    assert await verdict(silent, 'expect = "*"', "timeout = 1") == Verdict(False, "no answer within 1 s")


async def test_scenario_49_by_udp_any_answer_is_good_without_expect() -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            self.transport.sendto(b"pong", address)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        found = await probe(check(port, "protocol = udp", 'send = "ping"'), LOOPBACK)
    finally:
        transport.close()
    assert found.verdict == Verdict(True, 'answered "pong"')


async def test_scenario_50_a_closed_udp_port_is_down() -> None:
    port = free_port(socket.SOCK_DGRAM)
    found = (await probe(check(port, "protocol = udp", 'send = "ping"'), LOOPBACK)).verdict
    assert found == Verdict(False, f"UDP port 127.0.0.1:{port} is closed (ICMP port unreachable)")
