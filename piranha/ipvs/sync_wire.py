"""Connections in the words of the kernel's connection sync, so that a partner's sync daemon takes them over.

The kernel's own master tells of a connection at its third packet, and sends what it gathered up to two seconds later.
Before a planned move, and for a partner that just came, that is too late: the engine tells of them itself.

Source: struct ip_vs_sync_mesg, ip_vs_sync_v4 and ip_vs_sync_v6, version 1 of the protocol, and the numbers of states
and flags in net/ip_vs.h and linux/ip_vs.h of the kernel. All numbers are big endian.

    message     reserved 0, sync id, size of the whole (2 bytes), number of entries, version 1, 2 spare bytes
    entry       type (1: IPv6), protocol, size (2 bytes), flags (4), state and the ports of client, virtual server and
                server (2 each), mark (4), timeout in seconds (4, 0: that of the state), their three addresses
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from piranha.config.model import Address, Forwarding

GROUP, PORT = "224.0.0.81", 8848
"""Where the sync daemons of the kernel listen (IP_VS_SYNC_GROUP, IP_VS_SYNC_PORT)."""
MESSAGE_BYTES = 1400
VERSION = 1

_HEAD = struct.Struct(">BBHBbH")
_ENTRY = struct.Struct(">BBHIHHHHII")
_TEMPLATE, _INACTIVE = 0x1000, 0x0100
_FORWARDING = {Forwarding.NAT: 0, Forwarding.TUNNEL: 2, Forwarding.DIRECT: 3}
_PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132, "IP": 0}
_TCP_STATES = (
    *("NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT"),
    *("LAST_ACK", "LISTEN", "SYNACK"),
)
_STATE_OF = {name: number for number, name in enumerate(_TCP_STATES)}
_ENTRIES_MOST = 255


@dataclass(frozen=True, slots=True)
class Told:
    """A connection, or a template of a persistent client (`is_template`, then `timeout_s` says how long it is kept).

    `protocol` and `state` are the kernel's words, as /proc/net/ip_vs_conn has them.
    """

    protocol: str
    state: str
    client: Address
    client_port: int
    virtual: Address
    virtual_port: int
    server: Address
    server_port: int
    forwarding: Forwarding
    is_template: bool = False
    timeout_s: int = 0
    fwmark: int = 0


def messages(told: Iterable[Told], sync_id: int) -> Iterator[bytes]:
    """Yield the datagrams that tell of these connections; those that the protocol has no words for are left out."""
    entries: list[bytes] = []
    size = _HEAD.size
    for each in told:
        entry = _entry(each)
        if entry is None:
            continue
        if size + len(entry) > MESSAGE_BYTES or len(entries) == _ENTRIES_MOST:
            yield _message(entries, size, sync_id)
            entries, size = [], _HEAD.size
        entries.append(entry)
        size += len(entry)
    if entries:
        yield _message(entries, size, sync_id)


def _message(entries: list[bytes], size: int, sync_id: int) -> bytes:
    return _HEAD.pack(0, sync_id & 0xFF, size, len(entries), VERSION, 0) + b"".join(entries)


def _entry(told: Told) -> bytes | None:
    versions = {each.version for each in (told.client, told.virtual, told.server)}
    protocol = _PROTOCOLS.get(told.protocol)
    if len(versions) != 1 or protocol is None:
        return None
    flags = _FORWARDING[told.forwarding]
    state = 0
    if told.is_template:
        flags |= _TEMPLATE
    elif told.protocol == "TCP":
        if told.state not in _STATE_OF:
            return None
        state = _STATE_OF[told.state]
        flags |= 0 if told.state == "ESTABLISHED" else _INACTIVE
    addresses = b"".join(each.packed for each in (told.client, told.virtual, told.server))
    return (
        _ENTRY.pack(
            int(isinstance(told.client, IPv6Address)),
            protocol,
            _ENTRY.size + len(addresses),
            flags,
            state,
            told.client_port,
            told.virtual_port,
            told.server_port,
            told.fwmark,
            told.timeout_s,
        )
        + addresses
    )
