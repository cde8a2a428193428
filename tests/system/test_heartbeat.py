"""Sockets for heartbeats: bound to the own address and sent from it, never waiting, bounded in one go."""

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address

import pytest

from piranha.errors import PiranhaError
from piranha.system.heartbeat import AT_ONCE, BYTES_MAX, HeartbeatSocket


def free_port(address: str) -> int:
    """Return a port that nobody has at an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as found:
        found.bind((address, 0))
        return int(found.getsockname()[1])


@pytest.fixture
def open_ones() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, address: str, port: int) -> HeartbeatSocket:
    made = HeartbeatSocket(ip_address(address), port)
    stack.callback(made.close)
    return made


@pytest.mark.parametrize(("one", "other"), [("127.0.0.11", "127.0.0.12"), ("::1", "::1")])
def test_what_is_sent_comes_from_the_own_address_and_port(open_ones: ExitStack, one: str, other: str) -> None:
    port = free_port(one)
    sender = opened(open_ones, one, port)
    receiver = sender if one == other else opened(open_ones, other, port)
    sender.send(b"beat", ip_address(other))
    assert receiver.receive() == [(b"beat", ip_address(one))] and sender.trouble == ""
    assert receiver.receive() == []


def test_it_goes_before_the_traffic_of_users(open_ones: ExitStack) -> None:
    made = opened(open_ones, "127.0.0.11", free_port("127.0.0.11"))
    assert made._socket.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0xC0
    six = opened(open_ones, "::1", free_port("::1"))
    assert six._socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 0xC0


def test_it_hears_nothing_that_was_sent_to_another_address(open_ones: ExitStack) -> None:
    port = free_port("127.0.0.11")
    made = opened(open_ones, "127.0.0.11", port)
    other = opened(open_ones, "127.0.0.12", port)
    other.send(b"beat", ip_address("127.0.0.13"))
    assert made.receive() == []


@pytest.mark.parametrize("missing", ["203.0.113.77", "2001:db8::77"])
def test_an_address_that_is_not_here_is_said_and_leaves_nothing_open(missing: str) -> None:
    with pytest.raises(PiranhaError, match=f"^failed to bind to heartbeat address: {missing} port 5390: "):
        HeartbeatSocket(ip_address(missing), 5390)


def test_a_port_that_somebody_has_is_said(open_ones: ExitStack) -> None:
    port = free_port("127.0.0.11")
    opened(open_ones, "127.0.0.11", port)
    with pytest.raises(PiranhaError, match="Address already in use"):
        HeartbeatSocket(ip_address("127.0.0.11"), port)


def test_a_machine_that_gives_no_socket_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", none)
    with pytest.raises(PiranhaError, match=r"^failed to create UDP socket: Too many open files\.$"):
        HeartbeatSocket(ip_address("127.0.0.11"), 5390)


def test_a_flood_is_read_in_pieces(open_ones: ExitStack) -> None:
    port = free_port("127.0.0.11")
    made = opened(open_ones, "127.0.0.11", port)
    made._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    flood = opened(open_ones, "127.0.0.12", port)
    waiting = 0
    for number in range(AT_ONCE + 50):
        flood.send(struct.pack(">I", number), ip_address("127.0.0.11"))
        waiting += not flood.trouble
    first = made.receive()
    assert len(first) == min(AT_ONCE, waiting) and first[0][0] == struct.pack(">I", 0)
    assert len(first) == AT_ONCE and 0 < len(made.receive()) <= 50


def test_a_datagram_that_is_too_long_is_cut_and_no_more(open_ones: ExitStack) -> None:
    port = free_port("127.0.0.11")
    made = opened(open_ones, "127.0.0.11", port)
    made.send(b"x" * 9000, ip_address("127.0.0.11"))
    ((raw, _),) = made.receive()
    assert len(raw) == BYTES_MAX


def test_what_cannot_be_sent_is_said_and_ends_with_the_next_that_can(open_ones: ExitStack) -> None:
    port = free_port("127.0.0.11")
    made = opened(open_ones, "127.0.0.11", port)
    made.send(b"x" * 70_000, ip_address("127.0.0.11"))
    assert made.trouble == "No heartbeat can be sent to 127.0.0.11: Message too long."
    made.send(b"x", ip_address("127.0.0.11"))
    assert made.trouble == ""


class Broken:
    """A socket whose network reports errors for ever."""

    def recvfrom(self, _: int) -> tuple[bytes, tuple[str, int]]:
        raise ConnectionRefusedError(111, "Connection refused")

    def close(self) -> None: ...


def test_errors_of_earlier_heartbeats_are_read_away_and_never_for_ever(open_ones: ExitStack) -> None:
    made = opened(open_ones, "127.0.0.11", free_port("127.0.0.11"))
    made._socket.close()
    made._socket = Broken()  # type: ignore[assignment]
    assert made.receive() == []
