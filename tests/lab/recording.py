"""All that a router sends, hears and changes, in the order in which it happened: one queue of the kernel for it all.

Frames and netlink messages come through the same packet socket, the latter by a device of the kernel that mirrors them
(nlmon). So it is told, and not guessed from clocks, whether an address was gone before the next heartbeat went out.
"""

import contextlib
import itertools
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from piranha.ha.datagram import Said
from piranha.system.arp_frames import REQUEST, decode_arp, mac_text
from tests.lab.topology import Host

HEARTBEAT_PORT = 539
_ALL_PROTOCOLS = 3
_PACKET, _STATISTICS = 263, 6  # linux/if_packet.h
_BIGGER_BUFFER, _TIMESTAMPS = 33, 35  # SO_RCVBUFFORCE, SO_TIMESTAMPNS; Python 3.11 has no names for them
_NETLINK_DEVICE = 824  # ARPHRD_NETLINK
_OUTGOING = 4
_BUFFER_BYTES = 64 * 1024 * 1024
_ROUTE, _GENERIC = 0, 16  # the families of netlink
_NEW_ADDRESS, _DEL_ADDRESS = 20, 21
_ADDRESSES = 0x10  # RTMGRP_IPV4_IFADDR
_IS_REQUEST, _IS_ANSWER = 1, 2  # NLM_F_REQUEST; NLM_F_MULTI, a part of a dump
_FIRST_FAMILY = 17  # 16 is the controller of generic netlink
_WORDS = {int(each): each.name for each in Said}
_ORDERS = {
    1: "new service", 2: "set service", 3: "delete service", 5: "new server", 6: "set server", 7: "delete server",
    9: "new daemon", 10: "delete daemon", 12: "set timeouts", 16: "zero", 17: "flush",
}  # fmt: skip
"""What changes IPVS, by its command (linux/ip_vs.h); the others ask."""


class Kind(StrEnum):
    """What was seen."""

    HEARTBEAT = "heartbeat"
    """`about`: from which address; `says`: its word."""
    ARP = "announcement"
    """`about`: which address; `says`: whose hardware address. By a request, with which each round begins."""
    ARP_REPLY = "announcement by a reply"
    """The same."""
    ADDRESS = "address"
    """`about`: which address; `says`: "here" or "gone"."""
    TABLE = "order to IPVS"
    """`about`: the port of the virtual server, "" for none; `says`: one of _ORDERS."""


@dataclass(frozen=True)
class Seen:
    """Something that happened. `at`: seconds of the wall clock, by the kernel."""

    at: float
    kind: Kind
    about: str
    says: str
    is_ours: bool = True
    """Whether this router sent it."""


class Recording:
    """What happens in a router's namespace from now on. `taken` gives what was seen since it was asked before."""

    def __init__(self, host: Host) -> None:
        self._host = host
        host.ip("link add nlmon0 type nlmon", "link set nlmon0 up")
        # The kernel tells of addresses only where somebody listens.
        self._listener = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, _ROUTE)
        self._listener.bind((0, _ADDRESSES))
        self._listener.setblocking(False)
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        self._socket.setsockopt(socket.SOL_SOCKET, _BIGGER_BUFFER, _BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        self._socket.setblocking(False)
        self._all: list[Seen] = []
        self._addresses: dict[str, str] = {}

    def taken(self) -> list[Seen]:
        """Return what was seen since the last call, oldest first. Fails if the kernel had to drop anything."""
        found: list[Seen] = []
        while True:
            try:
                raw, ancillary, _, source = self._socket.recvmsg(65536, 64)
            except BlockingIOError:
                break
            seconds, nanoseconds = struct.unpack("@qq", ancillary[0][2])
            at = seconds + nanoseconds / 1e9
            if source[3] == _NETLINK_DEVICE:
                found += (each for each in _messages(at, source[1], raw) if self._is_news(each))
            else:
                found += _frame(at, raw, source[2] == _OUTGOING)
        with contextlib.suppress(BlockingIOError):
            while self._listener.recv(65536):
                pass
        _, lost = struct.unpack("@II", self._socket.getsockopt(_PACKET, _STATISTICS, 8))
        assert lost == 0, f"the recording of {self._host.name} misses {lost} packets"
        self._all += found
        return found

    def _is_news(self, seen: Seen) -> bool:
        """Say whether it is the first copy: the kernel tells each listener of an address by a message of its own."""
        before = self._addresses.get(seen.about)
        if seen.kind is Kind.ADDRESS:
            self._addresses[seen.about] = seen.says
        return seen.kind is not Kind.ADDRESS or before != seen.says

    def seen(self) -> list[Seen]:
        """Return all that was seen from the beginning."""
        self.taken()
        return list(self._all)

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._listener.close()
        self._host.ip("link del nlmon0")


@contextmanager
def recorded(host: Host) -> Iterator[Recording]:
    """Record what a router does during the block."""
    recording = Recording(host)
    try:
        yield recording
    finally:
        recording.close()


def now() -> float:
    """Return the time on the clock of what is seen."""
    return time.time()


def only(seen: Iterable[Seen], kind: Kind, about: object = "", says: str = "") -> list[Seen]:
    """Return what is of a kind, and about something, and says something."""
    return [each for each in seen if each.kind is kind and str(about) in ("", each.about) and says in ("", each.says)]


def longest_gap_s(heartbeats: Sequence[Seen]) -> float:
    """Return the longest time between two heartbeats, seconds."""
    times = [each.at for each in heartbeats]
    return max(after - before for before, after in itertools.pairwise(times))


def _frame(at: float, frame: bytes, is_ours: bool) -> Iterator[Seen]:
    arp = decode_arp(frame)
    if arp is not None:
        if arp.sender == arp.target:  # who asks for another's address, or answers, announces nothing
            kind = Kind.ARP if arp.operation == REQUEST else Kind.ARP_REPLY
            yield Seen(at, kind, str(arp.sender), mac_text(arp.sender_mac), is_ours)
        return
    is_udp = len(frame) > 42 and frame[12:15] == b"\x08\x00\x45" and frame[23] == socket.IPPROTO_UDP
    if is_udp and int.from_bytes(frame[36:38], "big") == HEARTBEAT_PORT:
        word = int.from_bytes(frame[42:46], "little")
        yield Seen(at, Kind.HEARTBEAT, str(IPv4Address(frame[26:30])), _WORDS.get(word, frame[42:46].hex()), is_ours)


def _messages(at: float, family: int, data: bytes) -> Iterator[Seen]:
    """Yield what netlink messages, one behind the other, told (route) or ordered (generic)."""
    while len(data) >= 16:
        length, kind, flags = struct.unpack_from("=IHH", data)
        body, data = data[16:length], data[(max(length, 16) + 3) & ~3 :]
        if family == _ROUTE and kind in (_NEW_ADDRESS, _DEL_ADDRESS) and not flags & (_IS_REQUEST | _IS_ANSWER):
            if body[0] == socket.AF_INET:
                address = _attributes(body[8:])[2]
                says = "here" if kind == _NEW_ADDRESS else "gone"
                yield Seen(at, Kind.ADDRESS, str(IPv4Address(address)), says)
        elif family == _GENERIC and kind >= _FIRST_FAMILY and flags & _IS_REQUEST and body[0] in _ORDERS:
            service = _attributes(_attributes(body[4:]).get(1, b""))
            port = str(int.from_bytes(service[4], "big")) if 4 in service else ""
            yield Seen(at, Kind.TABLE, port, _ORDERS[body[0]])


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found
