"""A socket to the kernel's interfaces and addresses (rtnetlink, man 7 rtnetlink) that never needs an event loop.

The kernel does what it is asked while `send` runs, so that the answer is there at once: fit for a loop that must not
wait. Messages are pyroute2's; the socket is our own, since pyroute2's wants a loop or a thread of its own. A socket
belongs to the network namespace in which it was made.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from piranha.errors import PiranhaError
from piranha.ipvs.addresses import Held, Link, PresentAddress

if TYPE_CHECKING:
    from types import TracebackType

# linux/netlink.h, linux/rtnetlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x4, 0x10, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
_RTM_DELNEIGH, _NDA_DST = 29, 1
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_NLMSGERR_ATTR_MSG = 1
_IFLA_IFNAME, _IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS = 3, 29, 8
_IFF_UP, _IFF_LOOPBACK, _IFF_NOARP = 0x1, 0x8, 0x80  # linux/if.h
_ARPHRD_ETHER = 1
_IFA_F_SECONDARY = 0x1

HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port."""
LIMIT_S = 2.0
"""How long an answer may take. The kernel answers at once; it may be busy with another's request before."""
_PIECE_BYTES = 64 * 1024
_TRIES = 5


class Refused(Exception):
    """The kernel refused a request. `code` is its errno; `says` its own words, "" for none."""

    def __init__(self, code: int, says: str = "") -> None:
        super().__init__(f"{os.strerror(code)}{f' ({says})' if says else ''}")
        self.code = code
        self.says = says


class RouteSocket:
    """A netlink socket for requests about interfaces and addresses; with `groups` it hears of changes instead."""

    def __init__(self, groups: int = 0) -> None:
        # Loaded when a router starts and not with its first takeover, which must not wait a third of a second for it.
        import pyroute2.netlink.rtnl.ifaddrmsg
        import pyroute2.netlink.rtnl.ifinfmsg  # noqa: F401

        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        except OSError as error:
            raise PiranhaError(f"The network interfaces cannot be asked for: {error.strerror}.") from error
        try:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
            self._socket.bind((0, groups))
            self._socket.settimeout(0 if groups else LIMIT_S)
        except OSError as error:
            self._socket.close()
            raise PiranhaError(f"The network interfaces cannot be asked for: {error.strerror}.") from error
        self._sequence = 0

    def __enter__(self) -> "RouteSocket":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor, for an event loop."""
        return self._socket.fileno()

    def ask(self, requests: Sequence[bytes]) -> tuple[Refused | None, ...]:
        """Do requests (`request`) in one go, and return for each why it was refused, or None.

        All are done, in their order, whatever becomes of the ones before. Raises PiranhaError if no answer comes.
        """
        first = self._sequence + 1
        self._sequence += len(requests)
        data = b"".join(
            HEADER.pack(*HEADER.unpack_from(each)[:3], first + place, 0) + each[HEADER.size :]
            for place, each in enumerate(requests)
        )
        answers: dict[int, Refused | None] = {}
        self._send(data)
        while len(answers) < len(requests):
            for kind, flags, sequence, message in self._receive():
                if kind == NLMSG_ERROR and first <= sequence <= self._sequence:
                    answers[sequence] = _refused(flags, message)
        return tuple(answers[first + place] for place in range(len(requests)))

    def dump(self, request: bytes) -> list[tuple[int, bytes]]:
        """Return the type and the bytes of every message that answers a question. Raises Refused, PiranhaError."""
        found: list[tuple[int, bytes]] = []
        for _ in range(_TRIES):
            found, is_whole = self._dump(request)
            if is_whole:
                break  # else something changed meanwhile: whoever was read may stand twice, or not at all
        return found

    def _dump(self, request: bytes) -> tuple[list[tuple[int, bytes]], bool]:
        self._sequence += 1
        length, kind, flags, _, _ = HEADER.unpack_from(request)
        self._send(HEADER.pack(length, kind, flags, self._sequence, 0) + request[HEADER.size :])
        found: list[tuple[int, bytes]] = []
        is_whole = True
        while True:
            for kind, flags, sequence, message in self._receive():
                if sequence != self._sequence:
                    continue  # a late answer to a request that was given up
                is_whole = is_whole and not flags & NLM_F_DUMP_INTR
                if kind == NLMSG_DONE:
                    return found, is_whole
                if kind == NLMSG_ERROR:
                    refused = _refused(flags, message)
                    if refused is not None:
                        raise refused
                    return found, is_whole  # the end of an answer to a question about one thing
                found.append((kind, message))

    def changes(self) -> list[tuple[int, bytes]] | None:
        """Return the messages that came by themselves, without waiting. None: some were lost, read all anew."""
        found: list[tuple[int, bytes]] = []
        while True:
            try:
                data = self._socket.recv(_PIECE_BYTES)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    return None
                raise PiranhaError(f"The changes of the network interfaces are not heard: {error.strerror}.") from error
            found += [(kind, message) for kind, _, _, message in _messages(data)]

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            raise PiranhaError(f"The network interfaces cannot be asked for: {error.strerror or error}.") from error

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        try:
            return _messages(self._socket.recv(_PIECE_BYTES))
        except OSError as error:
            reason = error.strerror or "no answer came"
            raise PiranhaError(f"The kernel did not answer about the network interfaces: {reason}.") from error


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield type, flags, sequence number and the whole of each message."""
    place = 0
    while place + HEADER.size <= len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, place)
        if length < HEADER.size:
            return
        yield kind, flags, sequence, data[place : place + length]
        place += length + 3 & ~3


def _refused(flags: int, message: bytes) -> Refused | None:
    (code,) = struct.unpack_from("=i", message, HEADER.size)
    if code == 0:
        return None
    # struct nlmsgerr: the code, the request's header, the rest of the request unless capped, then attributes.
    place = 2 * HEADER.size + 4
    if not flags & NLM_F_CAPPED:
        place += (HEADER.unpack_from(message, HEADER.size + 4)[0] - HEADER.size) + 3 & ~3
    says = ""
    while flags & NLM_F_ACK_TLVS and place + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, place)
        if length < 4:
            break
        if kind == _NLMSGERR_ATTR_MSG:
            says = message[place + 4 : place + length].rstrip(b"\0").decode("utf-8", "replace")
        place += length + 3 & ~3
    return Refused(-code, says)


def attribute(kind: int, data: bytes) -> bytes:
    """Return a netlink attribute, padded to four bytes."""
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """Return a request; `RouteSocket` numbers it."""
    return HEADER.pack(HEADER.size + len(body), kind, flags | NLM_F_REQUEST, 0, 0) + body


def address_message(kind: int, flags: int, fields: Mapping[str, int], attributes: Mapping[str, Any]) -> bytes:
    """Return a request about an address (struct ifaddrmsg of linux/if_addr.h)."""
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

    made = ifaddrmsg()
    for name, value in fields.items():
        made[name] = value
    made["header"] = {"type": kind, "flags": flags | NLM_F_REQUEST, "sequence_number": 0, "pid": 0}
    made["attrs"] = [[name, value] for name, value in attributes.items()]
    made.encode()
    return bytes(made.data)


def forget_neighbour(address: IPv4Address | IPv6Address, index: int) -> bytes:
    """Return a request to forget which neighbour has an address (struct ndmsg of linux/neighbour.h)."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    body = struct.pack("=BxHiHBB", family, 0, index, 0, 0, 0) + attribute(_NDA_DST, address.packed)
    return message(_RTM_DELNEIGH, NLM_F_ACK, body)


def links_request(name: str = "") -> bytes:
    """Return a question for one interface, or for all; without its counters, which are most of an answer."""
    attributes = attribute(_IFLA_EXT_MASK, struct.pack("=I", _RTEXT_FILTER_SKIP_STATS))
    if not name:
        return message(RTM_GETLINK, NLM_F_DUMP, bytes(16) + attributes)
    return message(RTM_GETLINK, NLM_F_ACK, bytes(16) + attributes + attribute(_IFLA_IFNAME, name.encode() + b"\0"))


def addresses_request() -> bytes:
    """Return a question for all addresses."""
    return message(RTM_GETADDR, NLM_F_DUMP, bytes(8))


def read_link(data: bytes) -> tuple[Link, bool]:
    """Return an interface from RTM_NEWLINK or RTM_DELLINK, and whether it hands a primary's place on.

    (`promote_secondaries` of the interface alone; that of all interfaces is not in the message.)
    """
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    said = ifinfmsg(data)
    said.decode()
    flags = said["flags"]
    kind_of_hardware = said["ifi_type"]
    link = Link(
        name=str(said.get_attr("IFLA_IFNAME")),
        index=said["index"],
        mac=said.get_attr("IFLA_ADDRESS") or "",
        is_up=bool(flags & _IFF_UP),
        has_carrier=said.get_attr("IFLA_CARRIER") == 1,
        announces=kind_of_hardware == _ARPHRD_ETHER and not flags & _IFF_NOARP,
        is_loopback=bool(flags & _IFF_LOOPBACK),
    )
    families = said.get_attr("IFLA_AF_SPEC")
    settings = families.get_attr("AF_INET") if families is not None else None
    return link, bool(settings and settings.get("promote_secondaries"))


def read_address(data: bytes, device: str) -> PresentAddress | None:
    """Return an address from RTM_NEWADDR or RTM_DELADDR; None for what is no address of IPv4 or IPv6."""
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

    said = ifaddrmsg(data)
    said.decode()
    # On a point-to-point link IFA_ADDRESS is the other end.
    text = said.get_attr("IFA_LOCAL") or said.get_attr("IFA_ADDRESS")
    if said["family"] not in (socket.AF_INET, socket.AF_INET6) or not text:
        return None
    flags = said.get_attr("IFA_FLAGS")
    broadcast = said.get_attr("IFA_BROADCAST")
    return PresentAddress(
        Held(device, ip_address(text), said["prefixlen"]),
        label=said.get_attr("IFA_LABEL") or "",
        broadcast=IPv4Address(broadcast) if broadcast and said["family"] == socket.AF_INET else None,
        # Of an IPv6 address the same bit says that it is a temporary one.
        is_secondary=said["family"] == socket.AF_INET and bool((flags or said["flags"]) & _IFA_F_SECONDARY),
    )


def index_of_address(data: bytes) -> int:
    """Return the number of the interface of RTM_NEWADDR or RTM_DELADDR."""
    index: int = struct.unpack_from("=I", data, HEADER.size + 4)[0]
    return index
