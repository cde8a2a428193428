"""The frames by which neighbours find an address, as bytes: ARP (RFC 826, 5227), neighbour discovery (RFC 4861, 4862).

Nothing here sends anything. All frames are Ethernet II; the short ones are padded to 60 bytes, the least that goes over
a wire.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from piranha.config.model import Address

ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0806, 0x86DD
REQUEST, REPLY = 1, 2
SOLICITATION, ADVERTISEMENT = 135, 136
BROADCAST = b"\xff" * 6
ALL_NODES = IPv6Address("ff02::1")
NO_IPV4, NO_IPV6 = IPv4Address(0), IPv6Address(0)
_ICMPV6 = 58
_HOP_LIMIT = 255  # else a router may have forwarded it, and it is not believed (RFC 4861 7.1)
_FRAME_MIN = 60
_TARGET_LINK_LAYER = 2
_ROUTER, _OVERRIDE = 0x80000000, 0x20000000
_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_NEIGHBOUR = struct.Struct("!BBHI16s")


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP frame. `destination` and `source` are those of the Ethernet header; MAC addresses are 6 bytes."""

    operation: int
    sender_mac: bytes
    sender: IPv4Address
    target_mac: bytes
    target: IPv4Address
    destination: bytes = BROADCAST
    source: bytes = b""
    """Empty: the sender's."""


class Claim(StrEnum):
    """What another station says of an address."""

    HAS = "has"
    """It uses the address."""
    WANTS = "wants"
    """It asks, as we do, whether it may take it."""


def encode_arp(arp: Arp) -> bytes:
    """Return an ARP frame of 60 bytes."""
    ethernet = _ETHERNET.pack(arp.destination, arp.source or arp.sender_mac, ETHERTYPE_ARP)
    words = (arp.sender_mac, arp.sender.packed, arp.target_mac, arp.target.packed)
    return (ethernet + _ARP.pack(1, 0x0800, 6, 4, arp.operation, *words)).ljust(_FRAME_MIN, b"\0")


def decode_arp(frame: bytes) -> Arp | None:
    """Return an ARP frame for IPv4 on Ethernet, None for anything else."""
    if len(frame) < _ETHERNET.size + _ARP.size:
        return None
    destination, source, ethertype = _ETHERNET.unpack_from(frame)
    hardware, protocol, mac_size, ip_size, operation, *words = _ARP.unpack_from(frame, _ETHERNET.size)
    if (ethertype, hardware, protocol, mac_size, ip_size) != (ETHERTYPE_ARP, 1, 0x0800, 6, 4):
        return None
    sender_mac, sender, target_mac, target = words
    return Arp(operation, sender_mac, IPv4Address(sender), target_mac, IPv4Address(target), destination, source)


def announcements(address: Address, mac: bytes, is_router: bool = False) -> tuple[bytes, ...]:
    """Return the frames that tell all neighbours where an address is now.

    IPv4: a request (RFC 5227, 2.3) and then a reply, since some only learn from the one and some from the other.
    IPv6: an unsolicited advertisement (RFC 4861, 7.2.6); `is_router` is what it says of this machine.
    """
    if isinstance(address, IPv6Address):
        return (encode_advertisement(address, mac, is_router),)
    request = Arp(REQUEST, mac, address, bytes(6), address)
    reply = Arp(REPLY, mac, address, mac, address)
    return encode_arp(request), encode_arp(reply)


def question(address: Address, mac: bytes) -> bytes:
    """Return the frame that asks whether somebody has an address, without claiming it.

    An ARP probe (RFC 5227, 2.1.1), or a neighbour solicitation from nobody (RFC 4862, 5.4.2).
    """
    if isinstance(address, IPv4Address):
        return encode_arp(Arp(REQUEST, mac, NO_IPV4, bytes(6), address))
    group = solicited_node(address)
    body = _NEIGHBOUR.pack(SOLICITATION, 0, 0, 0, address.packed)
    return _icmpv6(NO_IPV6, group, mac, body)


def encode_advertisement(address: IPv6Address, mac: bytes, is_router: bool = False, destination: bytes = b"") -> bytes:
    """Return an unsolicited neighbour advertisement to all nodes that overrides what they know."""
    flags = _OVERRIDE | (_ROUTER if is_router else 0)
    body = _NEIGHBOUR.pack(ADVERTISEMENT, 0, 0, flags, address.packed)
    return _icmpv6(address, ALL_NODES, mac, body + struct.pack("!BB6s", _TARGET_LINK_LAYER, 1, mac), destination)


def _icmpv6(source: IPv6Address, target: IPv6Address, mac: bytes, body: bytes, destination: bytes = b"") -> bytes:
    header = _IPV6.pack(6 << 28, len(body), _ICMPV6, _HOP_LIMIT, source.packed, target.packed)
    body = body[:2] + struct.pack("!H", _checksum(source, target, body)) + body[4:]
    return _ETHERNET.pack(destination or group_mac(target), mac, ETHERTYPE_IPV6) + header + body


def _checksum(source: IPv6Address, target: IPv6Address, body: bytes) -> int:
    """Return the checksum of an ICMPv6 message whose own is 0 (RFC 8200, 8.1)."""
    data = source.packed + target.packed + struct.pack("!II", len(body), _ICMPV6) + body
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def group_mac(group: IPv6Address) -> bytes:
    """Return the hardware address of a multicast group (RFC 2464, 7)."""
    return b"\x33\x33" + group.packed[12:]


def solicited_node(address: IPv6Address) -> IPv6Address:
    """Return the group in which whoever has an address listens for questions about it (RFC 4291, 2.7.1)."""
    return IPv6Address(b"\xff\x02" + bytes(9) + b"\x01\xff" + address.packed[13:])


def claim_of(frame: bytes) -> tuple[Address, Claim, bytes] | None:
    """Return which address a frame claims, how, and the hardware address of who does; None if it claims none.

    ARP: whoever sends from an address has it; a probe wants it. IPv6: an advertisement, and a solicitation from nobody.
    """
    arp = decode_arp(frame)
    if arp is not None:
        if arp.sender != NO_IPV4:
            return arp.sender, Claim.HAS, arp.sender_mac
        return (arp.target, Claim.WANTS, arp.sender_mac) if arp.operation == REQUEST else None
    return _claim_of_neighbour(frame)


def _claim_of_neighbour(frame: bytes) -> tuple[Address, Claim, bytes] | None:
    if len(frame) < _ETHERNET.size + _IPV6.size + _NEIGHBOUR.size:
        return None
    _, mac, ethertype = _ETHERNET.unpack_from(frame)
    start, length, following, hop_limit, source, target = _IPV6.unpack_from(frame, _ETHERNET.size)
    if ethertype != ETHERTYPE_IPV6 or start >> 28 != 6 or following != _ICMPV6 or hop_limit != _HOP_LIMIT:
        return None
    place = _ETHERNET.size + _IPV6.size
    body = frame[place : place + length]
    if len(body) < max(length, _NEIGHBOUR.size):
        return None
    # The sum over a message with its right checksum is all ones, so that what is left is 0.
    if _checksum(IPv6Address(source), IPv6Address(target), body) != 0:
        return None
    kind, code, _, _, about = _NEIGHBOUR.unpack_from(body)
    if code != 0:
        return None
    if kind == ADVERTISEMENT:
        return IPv6Address(about), Claim.HAS, _target_mac(body[_NEIGHBOUR.size :]) or mac
    if kind == SOLICITATION and IPv6Address(source) == NO_IPV6:
        return IPv6Address(about), Claim.WANTS, mac
    return None


def _target_mac(options: bytes) -> bytes:
    """Return the target's link-layer address of an advertisement's options, b"" without one."""
    while len(options) >= 8 and options[1]:
        if options[0] == _TARGET_LINK_LAYER:
            return options[2:8]
        options = options[options[1] * 8 :]
    return b""


def mac_from(text: str) -> bytes | None:
    """Return a hardware address written as 12 hexadecimal digits, with or without colons; None for anything else."""
    pairs = text.split(":") if ":" in text else [text[place : place + 2] for place in range(0, len(text), 2)]
    if len(pairs) != 6 or any(len(pair) != 2 or not set(pair) <= set("0123456789abcdefABCDEF") for pair in pairs):
        return None
    return bytes.fromhex("".join(pairs))


def mac_text(mac: bytes) -> str:
    """Return a hardware address as people write it, 02:00:00:00:00:01."""
    return mac.hex(":")
