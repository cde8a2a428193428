"""The frames, byte for byte, against the documented layout and the RFCs."""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.system.arp_frames import (
    REPLY,
    Arp,
    Claim,
    announcements,
    claim_of,
    decode_arp,
    encode_advertisement,
    encode_arp,
    group_mac,
    mac_from,
    mac_text,
    question,
    solicited_node,
)

VIP = IPv4Address("192.0.2.100")
VIP6 = IPv6Address("2001:db8::1:2345")
MAC = bytes.fromhex("020000000102")
OTHER = bytes.fromhex("0200000003ff")
ALL = b"\xff" * 6


def test_an_announcement_is_a_request_and_then_a_reply_laid_out_as_documented() -> None:
    request, reply = announcements(VIP, MAC)
    head = "ffffffffffff 020000000102 0806  0001 0800 06 04"
    assert request == bytes.fromhex(f"{head} 0001 020000000102 c0000264 000000000000 c0000264") + bytes(18)
    assert reply == bytes.fromhex(f"{head} 0002 020000000102 c0000264 020000000102 c0000264") + bytes(18)
    assert len(request) == len(reply) == 60


def test_an_arp_probe_has_no_sender_address() -> None:
    expected = "ffffffffffff 020000000102 0806  0001 0800 06 04 0001 020000000102 00000000 000000000000 c0000264"
    assert question(VIP, MAC) == bytes.fromhex(expected) + bytes(18)


@pytest.mark.parametrize(("is_router", "flags"), [(False, "20000000"), (True, "a0000000")])
def test_an_ipv6_announcement_is_an_unsolicited_advertisement_that_overrides(is_router: bool, flags: str) -> None:
    (frame,) = announcements(VIP6, MAC, is_router)
    assert frame[:14] == bytes.fromhex("333300000001 020000000102 86dd")
    assert frame[14:22] == bytes.fromhex("60000000 0020 3a ff")
    assert frame[22:54] == VIP6.packed + IPv6Address("ff02::1").packed
    assert frame[54:56] + frame[58:] == bytes.fromhex(f"88 00 {flags}") + VIP6.packed + bytes.fromhex("0201") + MAC
    assert summed(frame) == 0xFFFF


def test_an_ipv6_probe_is_a_solicitation_from_nobody_to_the_group_of_the_address() -> None:
    frame = question(VIP6, MAC)
    assert frame[:14] == bytes.fromhex("3333ff012345 020000000102 86dd")
    assert frame[14:22] == bytes.fromhex("60000000 0018 3a ff")
    assert frame[22:54] == bytes(16) + IPv6Address("ff02::1:ff01:2345").packed
    assert frame[54:56] + frame[58:] == bytes.fromhex("87 00 00000000") + VIP6.packed
    assert summed(frame) == 0xFFFF


def summed(frame: bytes) -> int:
    """Return the ones' complement sum over the pseudo header and the message: all ones if the checksum is right."""
    body = frame[54:]
    data = frame[22:54] + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_a_group_of_ipv6_has_its_hardware_address() -> None:
    assert solicited_node(IPv6Address("fe80::aabb:ccdd")) == IPv6Address("ff02::1:ffbb:ccdd")
    assert group_mac(IPv6Address("ff02::1:ffbb:ccdd")) == bytes.fromhex("3333ffbbccdd")


def test_what_is_encoded_is_decoded_and_other_frames_are_not_arp() -> None:
    arp = Arp(REPLY, MAC, VIP, OTHER, IPv4Address("192.0.2.9"), OTHER, MAC)
    frame = encode_arp(arp)
    assert decode_arp(frame) == arp
    for broken in (frame[:41], b"", frame[:12] + b"\x08\x00" + frame[14:], frame[:18] + b"\x08" + frame[19:]):
        assert decode_arp(broken) is None


def test_a_sender_has_its_address_and_a_probe_wants_one() -> None:
    reply, answer = announcements(VIP, OTHER)[1], encode_arp(Arp(REPLY, OTHER, VIP, MAC, IPv4Address(0), MAC))
    assert claim_of(reply) == claim_of(answer) == (VIP, Claim.HAS, OTHER)
    assert claim_of(question(VIP, OTHER)) == (VIP, Claim.WANTS, OTHER)
    assert claim_of(encode_arp(Arp(REPLY, OTHER, IPv4Address(0), MAC, VIP))) is None
    # Who asks for an address that it does not have claims its own, not the one it asks for.
    assert claim_of(encode_arp(Arp(1, OTHER, IPv4Address("192.0.2.9"), bytes(6), VIP))) == (
        IPv4Address("192.0.2.9"),
        Claim.HAS,
        OTHER,
    )


def test_an_advertisement_has_its_address_and_a_solicitation_from_nobody_wants_one() -> None:
    assert claim_of(encode_advertisement(VIP6, OTHER)) == (VIP6, Claim.HAS, OTHER)
    assert claim_of(question(VIP6, OTHER)) == (VIP6, Claim.WANTS, OTHER)


def test_an_ipv6_frame_that_was_forwarded_or_broken_is_not_believed() -> None:
    frame = encode_advertisement(VIP6, OTHER)
    forwarded = frame[:21] + b"\xfe" + frame[22:]
    broken = frame[:-1] + b"\x00"
    for each in (forwarded, broken, frame[:77], frame[:20] + b"\x11" + frame[21:]):
        assert claim_of(each) is None


def test_the_hardware_address_of_an_advertisement_without_option_is_the_frame_s() -> None:
    frame = encode_advertisement(VIP6, OTHER)
    short = bytearray(frame[:78])
    short[18:20] = (24).to_bytes(2, "big")
    short[56:58] = bytes(2)
    short[56:58] = (~summed(bytes(short)) & 0xFFFF).to_bytes(2, "big")
    assert claim_of(bytes(short)) == (VIP6, Claim.HAS, OTHER)


@given(st.binary(max_size=120))
def test_any_bytes_are_a_claim_or_none(data: bytes) -> None:
    for head in (b"", ALL + OTHER + b"\x08\x06", ALL + OTHER + b"\x86\xdd\x60\0\0\0\0\x20\x3a\xff"):
        claim = claim_of(head + data)
        assert claim is None or len(claim[2]) == 6


@pytest.mark.parametrize("text", ["02:00:00:00:03:ff", "0200000003ff", "0200000003FF"])
def test_a_hardware_address_is_written_with_or_without_colons(text: str) -> None:
    assert mac_from(text) == OTHER
    assert mac_text(OTHER) == "02:00:00:00:03:ff"


@pytest.mark.parametrize(
    "text", ["", "02", "02:00:00:00:03:f", "0200:0000:03ff", "02-00-00-00-03-ff", "+2:00:00:00:03:ff"]
)
def test_anything_else_is_no_hardware_address(text: str) -> None:
    assert mac_from(text) is None


def test_an_address_is_announced_by_its_family() -> None:
    assert [len(announcements(ip_address(text), MAC)) for text in ("192.0.2.1", "2001:db8::1")] == [2, 1]
