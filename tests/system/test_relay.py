"""One relay between real sockets on loopback, on both event loops."""

import asyncio
import errno
import hashlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from piranha.system.relay import Relay, Scratch, Tally

BUFFER = 16 * 1024


@dataclass
class Said:
    """An owner that remembers what it was told."""

    bytes_in: Tally = field(default_factory=Tally)
    bytes_out: Tally = field(default_factory=Tally)
    events: list[str] = field(default_factory=list)

    def connected(self, relay: Relay) -> None:
        self.events.append("connected")
        relay.count_into(self.bytes_in, self.bytes_out)

    def refused(self, relay: Relay) -> None:
        self.events.append("refused")

    def half_closed(self, relay: Relay) -> None:
        self.events.append("half closed")

    def ended(self, relay: Relay, is_orderly: bool) -> None:
        self.events.append("ended" if is_orderly else "reset")


@dataclass
class Line:
    """A client, a relay and a server, connected."""

    client: socket.socket
    server: socket.socket
    relay: Relay
    said: Said


def reset(end: socket.socket) -> None:
    """Close with a reset."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


async def turn() -> None:
    """Let the loop look at its sockets once."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(done.set_result, None)
    await done


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():
            await turn()


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected TCP sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    one.setblocking(False)
    other.setblocking(False)
    return one, other


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """A relay that carries bytes already."""
    loop = asyncio.get_running_loop()
    client, accepted = pair()
    said = Said()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(loop, accepted, said, Scratch(BUFFER))
        relay.attempt(socket.AF_INET, listener.getsockname())
        server, _ = listener.accept()
        server.setblocking(False)
    await until(lambda: bool(said.events))
    assert said.events == ["connected"]
    yield Line(client, server, relay, said)
    relay.reset()
    client.close()
    server.close()


async def received(end: socket.socket) -> bytes:
    """Return everything up to the end of data."""
    loop = asyncio.get_running_loop()
    found = bytearray()
    while more := await loop.sock_recv(end, 65536):
        found += more
    return bytes(found)


async def test_bytes_go_both_ways_and_are_counted(line: Line) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(line.client, b"question")
    assert await loop.sock_recv(line.server, 100) == b"question"
    await loop.sock_sendall(line.server, b"a longer answer")
    assert await loop.sock_recv(line.client, 100) == b"a longer answer"
    assert (line.said.bytes_in.bytes, line.said.bytes_out.bytes) == (8, 15)


async def test_an_end_of_data_is_passed_on_and_the_other_direction_goes_on(line: Line) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(line.client, b"everything")
    line.client.shutdown(socket.SHUT_WR)
    assert await received(line.server) == b"everything"
    assert line.said.events == ["connected", "half closed"]
    await loop.sock_sendall(line.server, b"late answer")
    line.server.close()
    assert await received(line.client) == b"late answer"
    await until(lambda: line.relay.is_over)
    assert line.said.events == ["connected", "half closed", "ended"]


async def test_a_server_may_end_first(line: Line) -> None:
    loop = asyncio.get_running_loop()
    line.server.shutdown(socket.SHUT_WR)
    assert await received(line.client) == b""
    await loop.sock_sendall(line.client, b"still here")
    line.client.close()
    assert await received(line.server) == b"still here"
    await until(lambda: line.relay.is_over)
    assert line.said.events == ["connected", "half closed", "ended"]


async def test_a_reset_by_the_client_reaches_the_server_as_one(line: Line) -> None:
    reset(line.client)
    with pytest.raises(ConnectionResetError):
        await received(line.server)
    assert line.said.events == ["connected", "reset"]


async def test_a_reset_by_the_server_reaches_the_client_as_one(line: Line) -> None:
    reset(line.server)
    with pytest.raises(ConnectionResetError):
        await received(line.client)
    assert line.said.events == ["connected", "reset"]


async def test_a_reset_by_ourselves_reaches_both(line: Line) -> None:
    line.relay.reset()
    line.relay.reset()
    for end in (line.client, line.server):
        with pytest.raises(ConnectionResetError):
            await received(end)
    assert line.said.events == ["connected", "reset"]


async def test_a_reset_while_bytes_wait_for_a_slow_reader_is_passed_on(line: Line) -> None:
    await stuffed(line.server)
    reset(line.client)
    with pytest.raises(ConnectionResetError):
        await received(line.server)
    assert line.said.events == ["connected", "reset"]


async def stuffed(end: socket.socket) -> bytes:
    """Send until nothing more is taken; return what was taken."""
    taken = bytearray()
    tries = 0
    while tries < 100:
        block = hashlib.sha256(str(len(taken)).encode()).digest() * 2048
        with suppress(BlockingIOError):
            taken += block[: end.send(block)]
            tries = 0
        tries += 1
        await turn()
    return bytes(taken)


@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_slow_reader_costs_one_buffer_and_gets_every_byte_in_order(line: Line, who: str) -> None:
    slow, fast = (line.client, line.server) if who == "client" else (line.server, line.client)
    tally = line.said.bytes_out if who == "client" else line.said.bytes_in
    taken = await stuffed(fast)
    kernel = sum(
        end.getsockopt(socket.SOL_SOCKET, option)
        for end in (slow, fast, line.relay.client, line.relay.server)
        if end is not None
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF)
    )
    assert tally.bytes <= kernel + BUFFER
    assert len(taken) <= 2 * (kernel + BUFFER)
    fast.shutdown(socket.SHUT_WR)
    assert await received(slow) == taken
    assert tally.bytes == len(taken)


async def test_a_slow_reader_in_one_direction_does_not_hold_up_the_other(line: Line) -> None:
    loop = asyncio.get_running_loop()
    taken = await stuffed(line.server)
    await loop.sock_sendall(line.client, b"!" * BUFFER)
    heard = 0
    while heard < BUFFER:
        heard += len(await loop.sock_recv(line.server, BUFFER))
    line.server.shutdown(socket.SHUT_WR)
    assert await received(line.client) == taken


async def test_what_a_client_says_before_the_server_is_connected_is_not_lost() -> None:
    loop = asyncio.get_running_loop()
    client, accepted = pair()
    said = Said()
    await loop.sock_sendall(client, b"early")
    client.shutdown(socket.SHUT_WR)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(loop, accepted, said, Scratch(BUFFER))
        relay.attempt(socket.AF_INET, listener.getsockname())
        server, _ = listener.accept()
        server.setblocking(False)
    with client, server:
        assert await received(server) == b"early"
    await until(lambda: relay.is_over)


async def test_a_server_that_refuses_is_told_and_another_can_be_attempted() -> None:
    loop = asyncio.get_running_loop()
    client, accepted = pair()
    said = Said()
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    relay = Relay(loop, accepted, said, Scratch(BUFFER))
    relay.attempt(socket.AF_INET, address)
    await until(lambda: said.events == ["refused"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay.attempt(socket.AF_INET, listener.getsockname())
        server, _ = listener.accept()
        server.setblocking(False)
    with client, server:
        await loop.sock_sendall(client, b"hello")
        assert await loop.sock_recv(server, 100) == b"hello"
    await until(lambda: relay.is_over)


async def test_a_server_that_cannot_be_reached_at_all_is_refused_at_once() -> None:
    client, accepted = pair()
    said = Said()
    relay = Relay(asyncio.get_running_loop(), accepted, said, Scratch(BUFFER))
    relay.attempt(socket.AF_INET, ("255.255.255.255", 9))
    assert said.events == ["refused"]
    relay.reset()
    client.close()
    assert said.events == ["refused", "reset"]


async def test_a_connection_to_itself_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may choose the very port that we connect to where nobody listens (RFC 9293, 3.5)."""
    loop = asyncio.get_running_loop()
    client, accepted = pair()
    said = Said()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()

    class Bound(socket.socket):
        def connect(self, to: object) -> None:
            self.bind(address)
            super().connect(address)

    monkeypatch.setattr("piranha.system.relay.socket.socket", Bound)
    relay = Relay(loop, accepted, said, Scratch(BUFFER))
    relay.attempt(socket.AF_INET, address)
    await until(lambda: bool(said.events))
    assert said.events == ["refused"]
    relay.reset()
    client.close()


async def test_a_process_without_free_descriptors_resets_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    client, accepted = pair()
    said = Said()

    def exhausted(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    relay = Relay(asyncio.get_running_loop(), accepted, said, Scratch(BUFFER))
    with monkeypatch.context() as patched:
        patched.setattr("piranha.system.relay.socket.socket", exhausted)
        relay.attempt(socket.AF_INET, ("127.0.0.1", 9))
    assert said.events == ["reset"]
    with client, pytest.raises(ConnectionResetError):
        await received(client)
