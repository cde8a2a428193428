"""The bytes of IPVS's generic netlink family: requests packed, answers unpacked. No socket here.

Rule 1: a request holds what the table says and nothing it does not: other flags, thresholds, tunnel details and the
persistence engine are sent back as they were read (`Extras`), so that an edit changes what it names.
Rule 2: whatever the kernel has is unpacked, also what our table has no word for. Unknown attributes are passed over.

Sources: linux/ip_vs.h (commands, attributes, flags), linux/netlink.h and linux/genetlink.h (headers). Numbers are in
the machine's byte order, addresses and ports in the network's. An address takes 16 bytes, IPv4 the first four.
"""

import socket
import sys
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple

from piranha.config.model import Address, Forwarding, Protocol
from piranha.ipvs.table import Destination, DestinationKey, Service, TableKey

NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE = 1, 2, 3, 4
NEW_DEST, SET_DEST, DEL_DEST, GET_DEST = 5, 6, 7, 8
NEW_DAEMON, DEL_DAEMON, GET_DAEMON = 9, 10, 11
SET_CONFIG, GET_CONFIG = 12, 13
GET_INFO = 15

METHOD_OF = {Forwarding.NAT: 0, Forwarding.TUNNEL: 2, Forwarding.DIRECT: 3}
FORWARDING_OF = {method: forwarding for forwarding, method in METHOD_OF.items()}
METHOD_WORDS = {0: "masquerading", 1: "local node", 2: "tunneling", 3: "direct routing", 4: "cache bypass"}
METHOD_MASK = 7
PROTOCOL_OF = {socket.IPPROTO_TCP: Protocol.TCP, socket.IPPROTO_UDP: Protocol.UDP}
PROTOCOL_NUMBER = {protocol: number for number, protocol in PROTOCOL_OF.items()}

PERSISTENT = 1
FALLBACK = 8
WIDTH = {4: 32, 6: 128}

_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_OURS = PERSISTENT | FALLBACK
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF

# First level
_SERVICE, _DESTINATION, _DAEMON, _TCP_S, _TCP_FIN_S, _UDP_S = 1, 2, 3, 4, 5, 6
# Of a service
_AF, _PROTOCOL, _ADDRESS, _PORT, _FWMARK, _SCHEDULER, _FLAGS, _TIMEOUT, _NETMASK, _STATS, _ENGINE, _STATS64 = range(
    1, 13
)
# Of a destination
_D_ADDRESS, _D_PORT, _D_METHOD, _D_WEIGHT, _D_UPPER, _D_LOWER, _D_ACTIVE, _D_INACTIVE, _D_PERSISTENT = range(1, 10)
_D_STATS, _D_FAMILY, _D_STATS64, _D_TUNNEL_TYPE, _D_TUNNEL_PORT, _D_TUNNEL_FLAGS = range(10, 16)
# Of a sync daemon
_STATE, _INTERFACE, _SYNC_ID, _MAXLEN, _GROUP, _GROUP6, _GROUP_PORT, _TTL = range(1, 9)

_HEADER = Struct("=HH")
_U16 = Struct("=H")
_U32 = Struct("=I")
_NUMBER = Struct("=HHI")
_ADDRESSED = Struct("=HHH2x HHH2x HH16s HH2s2x")
_MARKED = Struct("=HHH2x HHI")
_SERVICE_TAIL = Struct("=HHII HHI HHI")
_DESTINATION_KEY = Struct("=HH16s HH2s2x HHH2x")
_DESTINATION_TAIL = Struct("=HHI HHI HHI HHI")
_TUNNEL = Struct("=HHB3x HH2s2x HHH2x")


class Extras(NamedTuple):
    """What a destination has beside the table's words; 0 where nobody set it. Ports in the machine's order."""

    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel_type: int = 0
    tunnel_port: int = 0
    tunnel_flags: int = 0


NO_EXTRAS = Extras()


class Stats(NamedTuple):
    """Totals since the entry is there, and rates for each second (the kernel's averages, renewed every 2 s)."""

    connections: int = 0
    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    connections_ps: int = 0
    packets_in_ps: int = 0
    packets_out_ps: int = 0
    bytes_in_ps: int = 0
    bytes_out_ps: int = 0


NO_STATS = Stats()


class KernelService(NamedTuple):
    """A service as the kernel tells it. `version`: 4 or 6; `prefix`: of the persistence mask; `protocol`: a number,
    0 with a mark; `engine`: the persistence engine, b"" for none.
    """

    version: int
    protocol: int
    address: Address
    port: int
    fwmark: int
    scheduler: str
    flags: int
    timeout_s: int
    prefix: int
    engine: bytes
    stats: Stats


class KernelDestination(NamedTuple):
    """A destination as the kernel tells it. `method`: the forwarding method's number, of which we use three."""

    key: DestinationKey
    method: int
    weight: int
    active: int
    inactive: int
    persistent: int
    extras: Extras
    stats: Stats


class Daemon(NamedTuple):
    """A sync daemon. `state`: 1 master, 2 backup. `group`, `port`, `ttl`, `maxlen`: None where the kernel is too old
    to tell.
    """

    state: int
    interface: str
    sync_id: int
    group: Address | None = None
    port: int | None = None
    ttl: int | None = None
    maxlen: int | None = None


def service_key(key: TableKey) -> bytes:
    """Return the attribute that names a service."""
    body = _key_body(key)
    return _HEADER.pack(4 + len(body), _SERVICE | _NESTED) + body


def service(key: TableKey, wanted: Service, engine: bytes = b"") -> bytes:
    """Return the attribute that describes a whole service, for NEW_SERVICE and SET_SERVICE.

    Of the flags, persistence and the fallback are set or cleared. IPv6 has a prefix length as its netmask.
    """
    name, version = wanted.scheduler.encode() + b"\0", key.version
    flags = (PERSISTENT if wanted.persistent_s else 0) | (FALLBACK if wanted.has_fallback else 0)
    prefix = wanted.persistence_prefix if wanted.persistent_s else WIDTH[version]
    body = b"".join(
        (
            _key_body(key),
            _HEADER.pack(4 + len(name), _SCHEDULER) + _padded(name),
            _SERVICE_TAIL.pack(
                12, _FLAGS, flags, _OURS, 8, _TIMEOUT, wanted.persistent_s, 8, _NETMASK, _netmask(prefix, version)
            ),
            _HEADER.pack(5 + len(engine), _ENGINE) + _padded(engine + b"\0") if engine else b"",
        )
    )
    return _HEADER.pack(4 + len(body), _SERVICE | _NESTED) + body


def destination_key(key: DestinationKey) -> bytes:
    """Return the attribute that names a destination within its service."""
    body = _destination_body(key)
    return _HEADER.pack(4 + len(body), _DESTINATION | _NESTED) + body


def destination(key: DestinationKey, wanted: Destination, extras: Extras = NO_EXTRAS) -> bytes:
    """Return the attribute that describes a whole destination, for NEW_DEST and SET_DEST."""
    upper, lower, tunnel_type, tunnel_port, tunnel_flags = extras
    body = _destination_body(key) + _DESTINATION_TAIL.pack(
        8, _D_METHOD, METHOD_OF[wanted.forwarding], 8, _D_WEIGHT, wanted.weight, 8, _D_UPPER, upper, 8, _D_LOWER, lower
    )
    if tunnel_type:
        port = tunnel_port.to_bytes(2, "big")
        body += _TUNNEL.pack(5, _D_TUNNEL_TYPE, tunnel_type, 6, _D_TUNNEL_PORT, port, 6, _D_TUNNEL_FLAGS, tunnel_flags)
    return _HEADER.pack(4 + len(body), _DESTINATION | _NESTED) + body


def daemon(state: int, interface: str = "", sync_id: int = 0) -> bytes:
    """Return the attribute that describes a sync daemon; its state alone is enough to stop it."""
    body = _NUMBER.pack(8, _STATE, state)
    if interface:
        name = interface.encode() + b"\0"
        body += _HEADER.pack(4 + len(name), _INTERFACE) + _padded(name) + _NUMBER.pack(8, _SYNC_ID, sync_id)
    return _HEADER.pack(4 + len(body), _DAEMON | _NESTED) + body


def timeouts(tcp_s: int, tcp_fin_s: int, udp_s: int) -> bytes:
    """Return the attributes that set the connection timeouts; 0 leaves one as it is."""
    values = ((_TCP_S, tcp_s), (_TCP_FIN_S, tcp_fin_s), (_UDP_S, udp_s))
    return b"".join(_NUMBER.pack(8, kind, value) for kind, value in values if value)


def read_service(data: bytes, start: int, end: int) -> KernelService:
    """Return the service of an answer whose attributes stand in data[start:end]. Raises ValueError."""
    found = _nested(data, start, end, _SERVICE)
    family = _u16(data, found[_AF])
    version = 6 if family == socket.AF_INET6 else 4
    mark = _u32(data, found[_FWMARK]) if _FWMARK in found else 0
    packed = bytes(16) if mark else data[found[_ADDRESS] : found[_ADDRESS] + 16]
    return KernelService(
        version,
        0 if mark else _u16(data, found[_PROTOCOL]),
        _address(packed, family),
        0 if mark else _port(data, found[_PORT]),
        mark,
        _text(data, found[_SCHEDULER]).decode("ascii", "replace"),
        _u32(data, found[_FLAGS]),
        _u32(data, found[_TIMEOUT]),
        _prefix(data, found[_NETMASK], version),
        _text(data, found[_ENGINE]) if _ENGINE in found else b"",
        _stats(data, found, _STATS64, _STATS),
    )


def read_destination(data: bytes, start: int, end: int, version: int) -> KernelDestination:
    """Return the destination of an answer. `version` is its service's, which kernels before 3.18 mean by saying none.

    Raises ValueError.
    """
    found = _nested(data, start, end, _DESTINATION)
    place = found[_D_ADDRESS]
    family = _u16(data, found[_D_FAMILY]) if _D_FAMILY in found else _FAMILY[version]
    extras = NO_EXTRAS
    upper, lower = _u32(data, found[_D_UPPER]), _u32(data, found[_D_LOWER])
    tunnel_type = data[found[_D_TUNNEL_TYPE]] if _D_TUNNEL_TYPE in found else 0
    if upper or lower or tunnel_type:
        port = _port(data, found[_D_TUNNEL_PORT]) if tunnel_type else 0
        extras = Extras(upper, lower, tunnel_type, port, _u16(data, found[_D_TUNNEL_FLAGS]) if tunnel_type else 0)
    return KernelDestination(
        _destination_key_of(data[place : place + 16], family, _port(data, found[_D_PORT])),
        _u32(data, found[_D_METHOD]) & METHOD_MASK,
        _u32(data, found[_D_WEIGHT]),
        _u32(data, found[_D_ACTIVE]),
        _u32(data, found[_D_INACTIVE]),
        _u32(data, found[_D_PERSISTENT]),
        extras,
        _stats(data, found, _D_STATS64, _D_STATS),
    )


def read_daemon(data: bytes, start: int, end: int) -> Daemon:
    """Return the sync daemon of an answer. Raises ValueError."""
    found = _nested(data, start, end, _DAEMON)
    group: Address | None = None
    if _GROUP in found:
        group = IPv4Address(data[found[_GROUP] : found[_GROUP] + 4])
    elif _GROUP6 in found:
        group = IPv6Address(data[found[_GROUP6] : found[_GROUP6] + 16])
    return Daemon(
        _u32(data, found[_STATE]),
        _text(data, found[_INTERFACE]).decode("ascii", "replace"),
        _u32(data, found[_SYNC_ID]),
        group,
        # Unlike every other port of this family, this one is in the machine's order.
        _u16(data, found[_GROUP_PORT]) if _GROUP_PORT in found else None,
        data[found[_TTL]] if _TTL in found else None,
        _u16(data, found[_MAXLEN]) if _MAXLEN in found else None,
    )


def read_timeouts(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """Return the timeouts of TCP, TCP after FIN, and UDP in seconds. Raises ValueError."""
    found = _places(data, start, end)
    return _u32(data, found[_TCP_S]), _u32(data, found[_TCP_FIN_S]), _u32(data, found[_UDP_S])


def read_info(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return IPVS's version (0x010201 is 1.2.1) and the size of its connection table. Raises ValueError."""
    found = _places(data, start, end)
    return _u32(data, found[1]), _u32(data, found[2])


class _Places(dict[int, int]):
    """Where the value of each attribute stands. Asking for one that an answer must have and has not is a fault."""

    def __missing__(self, kind: int) -> int:
        raise ValueError(f"the kernel's answer lacks attribute {kind}")


def attributes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, start of its value, end of its value) of each attribute. Raises ValueError."""
    unpack = _HEADER.unpack_from
    while start + 4 <= end:
        length, kind = unpack(data, start)
        if length < 4 or start + length > end:
            raise ValueError(f"the kernel's answer has an attribute of {length} bytes where {end - start} are left")
        yield kind & _TYPE_MASK, start + 4, start + length
        start += (length + 3) & ~3


def _places(data: bytes, start: int, end: int) -> _Places:
    return _Places((kind, place) for kind, place, _ in attributes(data, start, end))


def _nested(data: bytes, start: int, end: int, wanted: int) -> _Places:
    for kind, place, stop in attributes(data, start, end):
        if kind == wanted:
            return _places(data, place, stop)
    raise ValueError(f"the kernel's answer lacks attribute {wanted}")


# The ten values of STATS64 stand in order, 64 bits each, and are aligned by an empty attribute (kind 11) where the
# machine wants that: everywhere, everywhere but before the first, or nowhere. The length says which.
_SHAPES64 = {160: Struct("=" + "4xIQ" * 10), 156: Struct("=IQ" + "4xIQ" * 9), 120: Struct("=" + "IQ" * 10)}
_HEADERS64 = tuple(kind << 16 | 12 if sys.byteorder == "little" else 12 << 16 | kind for kind in range(1, 11))


def _stats(data: bytes, found: _Places, wide: int, narrow: int) -> Stats:
    if wide in found:
        start = found[wide]
        end = start - 4 + _u16(data, start - 4)
        shape = _SHAPES64.get(end - start)
        if shape is not None:
            values = shape.unpack_from(data, start)
            if values[0::2] == _HEADERS64:
                return Stats._make(values[1::2]) if any(values[1::2]) else NO_STATS
        return _walked_stats(data, start, end)
    if narrow in found:
        start = found[narrow]
        return _walked_stats(data, start, start - 4 + _u16(data, start - 4))
    return NO_STATS


def _walked_stats(data: bytes, start: int, end: int) -> Stats:
    values = [0] * 10
    for kind, place, stop in attributes(data, start, end):
        if 1 <= kind <= 10:
            values[kind - 1] = int.from_bytes(data[place:stop], sys.byteorder)
    return Stats._make(values)


def _key_body(key: TableKey) -> bytes:
    if key.fwmark:
        return _MARKED.pack(6, _AF, _FAMILY[key.version], 8, _FWMARK, key.fwmark)
    assert key.address is not None and key.protocol is not None
    return _ADDRESSED.pack(
        6, _AF, _FAMILY[key.version], 6, _PROTOCOL, PROTOCOL_NUMBER[key.protocol],
        20, _ADDRESS, key.address.packed, 6, _PORT, key.port.to_bytes(2, "big"),
    )  # fmt: skip


def _destination_body(key: DestinationKey) -> bytes:
    family = _FAMILY[key.address.version]
    port = key.port.to_bytes(2, "big")
    return _DESTINATION_KEY.pack(20, _D_ADDRESS, key.address.packed, 6, _D_PORT, port, 6, _D_FAMILY, family)


def _netmask(prefix: int, version: int) -> int:
    if version == 6:
        return prefix
    mask = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    return int.from_bytes(mask.to_bytes(4, "big"), sys.byteorder)


def _prefix(data: bytes, place: int, version: int) -> int:
    number = _u32(data, place)
    return number if version == 6 else number.bit_count()


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _u16(data: bytes, place: int) -> int:
    number: int = _U16.unpack_from(data, place)[0]
    return number


def _u32(data: bytes, place: int) -> int:
    number: int = _U32.unpack_from(data, place)[0]
    return number


def _port(data: bytes, place: int) -> int:
    return data[place] << 8 | data[place + 1]


def _text(data: bytes, place: int) -> bytes:
    return data[place : data.index(0, place)]


@lru_cache(maxsize=65536)
def _address(packed: bytes, family: int) -> Address:
    return IPv6Address(packed) if family == socket.AF_INET6 else IPv4Address(packed[:4])


@lru_cache(maxsize=65536)
def _destination_key_of(packed: bytes, family: int, port: int) -> DestinationKey:
    return DestinationKey(_address(packed, family), port)
