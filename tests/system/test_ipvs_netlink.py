"""The bytes that go to the kernel and come from it, one by one; the answers were captured from a 6.1 kernel."""

import struct
import sys
from ipaddress import ip_address

import pytest

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.table import Destination, DestinationKey, Service, TableKey
from piranha.system import ipvs_netlink
from piranha.system.ipvs_netlink import NO_EXTRAS, NO_STATS, Daemon, Extras, KernelDestination, KernelService, Stats

TCP = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80)
UDP6 = TableKey(Protocol.UDP, ip_address("2001:db8::1"), 53)
MARK, MARK6 = TableKey(fwmark=9), TableKey(fwmark=9, mark_version=6)

# AF 2, PROTOCOL 6, ADDR, PORT; and what stands in the place of it for a mark: AF, FWMARK.
TCP_BODY = "0600010002000000 0600020006000000 14000300c0000201000000000000000000000000 0600040000500000"
UDP6_BODY = "060001000a000000 0600020011000000 1400030020010db8000000000000000000000001 0600040000350000"
MARK4_BODY = "0600010002000000 0800050009000000"
MARK6_BODY = "060001000a000000 0800050009000000"

WEB = DestinationKey(ip_address("10.0.0.21"), 8080)
WEB6 = DestinationKey(ip_address("fd00::21"), 80)
WEB_BODY = "140001000a000015000000000000000000000000 060002001f900000 06000b0002000000"
WEB6_BODY = "14000100fd000000000000000000000000000021 0600020000500000 06000b000a000000"
NO_THRESHOLDS = "0800050000000000 0800060000000000"

CAPTURED_SERVICE = (
    "540101000600010002000000060002000600000014000300c0000606000000000000000000000000060004000050000008000600"
    "776c63000c00070002000000ffffffff080008000000000008000900ffffffff60000a0008000100000000000800020000000000"
    "08000300000000000c000400000000000000000004000b000c000500000000000000000008000600000000000800070000000000"
    "0800080000000000080009000000000008000a0000000000a0000c000c000100000000000000000004000b000c00020000000000"
    "0000000004000b000c000300000000000000000004000b000c000400000000000000000004000b000c0005000000000000000000"
    "04000b000c000600000000000000000004000b000c000700000000000000000004000b000c000800000000000000000004000b00"
    "0c000900000000000000000004000b000c000a000000000000000000"
)
CAPTURED_DESTINATION_HEAD = (
    "140001000a00000400000000000000000000000006000200005000000800030000000000080004000400000005000d000000000006"
    "000e000000000006000f0000000000080005000000000008000600000000000800070003000000080008000200000008000900010000"
    "0006000b0002000000"
)


def little(text: str) -> bytes:
    """Return the bytes as they were written down, on a machine of that order."""
    assert sys.byteorder == "little"
    return bytes.fromhex(text)


def nested(kind: int, body: str | bytes) -> bytes:
    inner = little(body) if isinstance(body, str) else body
    return struct.pack("=HH", 4 + len(inner), kind | 0x8000) + inner


@pytest.mark.parametrize(("key", "body"), [(TCP, TCP_BODY), (UDP6, UDP6_BODY), (MARK, MARK4_BODY), (MARK6, MARK6_BODY)])
def test_a_service_is_named_by_protocol_address_and_port_or_by_its_mark(key: TableKey, body: str) -> None:
    assert ipvs_netlink.service_key(key) == nested(1, body)


@pytest.mark.parametrize(
    ("key", "service", "body", "flags", "timeout", "netmask"),
    [
        (TCP, Service("rr"), TCP_BODY, "00000000", "00000000", "ffffffff"),
        (TCP, Service("rr", 300, 32), TCP_BODY, "01000000", "2c010000", "ffffffff"),
        (TCP, Service("rr", 300, 24), TCP_BODY, "01000000", "2c010000", "ffffff00"),
        (TCP, Service("rr", 300, 20), TCP_BODY, "01000000", "2c010000", "fffff000"),
        (TCP, Service("rr", 0, 24), TCP_BODY, "00000000", "00000000", "ffffffff"),
        (UDP6, Service("rr", 0, 128), UDP6_BODY, "00000000", "00000000", "80000000"),
        (UDP6, Service("rr", 60, 64), UDP6_BODY, "01000000", "3c000000", "40000000"),
        (MARK, Service("rr", 120, 24), MARK4_BODY, "01000000", "78000000", "ffffff00"),
        (MARK6, Service("rr", 120, 128), MARK6_BODY, "01000000", "78000000", "80000000"),
    ],
)
def test_a_service_is_described_whole_and_of_its_flags_only_persistence_is_changed(
    key: TableKey, service: Service, body: str, flags: str, timeout: str, netmask: str
) -> None:
    wanted = f"{body} 07000600 72720000 0c000700 {flags} 09000000 08000800 {timeout} 08000900 {netmask}"
    assert ipvs_netlink.service(key, service) == nested(1, wanted)


@pytest.mark.parametrize(("has_fallback", "flags"), [(True, "08000000"), (False, "00000000")])
def test_the_fallback_is_set_and_cleared_and_goes_with_the_scheduler(has_fallback: bool, flags: str) -> None:
    made = ipvs_netlink.service(TCP, Service("sh", 0, 32, has_fallback))
    assert little(f"0c000700 {flags} 09000000") in made
    assert little("0c000700 00000000 09000000") in ipvs_netlink.service(TCP, Service("mh"))


def test_a_persistence_engine_goes_back_with_the_service() -> None:
    plain = ipvs_netlink.service(TCP, Service("rr", 60))
    wanted = plain[4:] + little("08000b00 73697000")
    assert ipvs_netlink.service(TCP, Service("rr", 60), b"sip") == nested(1, wanted)


@pytest.mark.parametrize(
    ("key", "destination", "body"),
    [
        (WEB, Destination(Forwarding.NAT, 1), f"{WEB_BODY} 0800030000000000 0800040001000000 {NO_THRESHOLDS}"),
        (WEB, Destination(Forwarding.TUNNEL, 0), f"{WEB_BODY} 0800030002000000 0800040000000000 {NO_THRESHOLDS}"),
        (WEB, Destination(Forwarding.DIRECT, 65535), f"{WEB_BODY} 0800030003000000 08000400ffff0000 {NO_THRESHOLDS}"),
        (WEB6, Destination(Forwarding.TUNNEL, 2), f"{WEB6_BODY} 0800030002000000 0800040002000000 {NO_THRESHOLDS}"),
    ],
)
def test_a_destination_is_described_whole_with_its_own_address_family(
    key: DestinationKey, destination: Destination, body: str
) -> None:
    assert ipvs_netlink.destination(key, destination) == nested(2, body)


def test_a_destination_is_named_by_address_and_port() -> None:
    assert ipvs_netlink.destination_key(WEB) == nested(2, WEB_BODY)


def test_thresholds_and_tunnel_details_go_back_with_a_destination() -> None:
    sent = ipvs_netlink.destination(WEB, Destination(Forwarding.TUNNEL, 1), Extras(500, 400, 1, 6080, 2))
    thresholds = "08000500f4010000 0800060090010000"
    tunnel = "05000d0001000000 06000e0017c00000 06000f0002000000"
    assert sent == nested(2, f"{WEB_BODY} 0800030002000000 0800040001000000 {thresholds} {tunnel}")


def test_a_sync_daemon_is_started_with_interface_and_id_and_stopped_by_its_state() -> None:
    assert ipvs_netlink.daemon(1, "eth1", 7) == nested(3, "0800010001000000 09000200 6574683100000000 0800030007000000")
    assert ipvs_netlink.daemon(2) == nested(3, "0800010002000000")


def test_a_timeout_of_0_is_not_sent() -> None:
    assert ipvs_netlink.timeouts(900, 0, 300) == little("0800040084030000 080006002c010000")
    assert ipvs_netlink.timeouts(0, 120, 0) == little("0800050078000000")


def test_a_captured_service_is_understood() -> None:
    data = bytes(20) + little(CAPTURED_SERVICE)
    assert ipvs_netlink.read_service(data, 20, len(data)) == KernelService(
        4, 6, ip_address("192.0.6.6"), 80, 0, "wlc", 2, 0, 32, b"", NO_STATS
    )


@pytest.mark.parametrize("service", [Service("sh", 0, 128), Service("wrr", 60, 64)])
def test_what_is_sent_for_an_ipv6_service_is_read_as_the_same(service: Service) -> None:
    data = ipvs_netlink.service(UDP6, service)
    read = ipvs_netlink.read_service(data, 0, len(data))
    assert (read.version, read.protocol, read.address, read.port) == (6, 17, UDP6.address, 53)
    assert (read.scheduler, read.timeout_s, read.prefix) == (
        service.scheduler,
        service.persistent_s,
        service.persistence_prefix,
    )


def test_a_mark_has_neither_protocol_nor_address() -> None:
    data = ipvs_netlink.service(MARK6, Service("rr", 60, 128), b"sip")
    read = ipvs_netlink.read_service(data, 0, len(data))
    assert (read.version, read.protocol, read.fwmark, read.engine) == (6, 0, 9, b"sip")


def stats64(values: tuple[int, ...], pads: str) -> bytes:
    """Return STATS64 of a destination; `pads`: the alignment "all", "later" (all but the first) or "none"."""
    body = b""
    for kind, value in enumerate(values, 1):
        if pads == "all" or (pads == "later" and kind > 1):
            body += struct.pack("=HH", 4, 11)
        body += struct.pack("=HHQ", 12, kind, value)
    return struct.pack("=HH", 4 + len(body), 12) + body


COUNTED = (7, 70, 60, 2**40, 2**41, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("pads", ["all", "later", "none"])
@pytest.mark.parametrize("more", [b"", struct.pack("=HHQ", 12, 12, 99)])
def test_a_captured_destination_is_understood_however_its_counters_are_aligned(pads: str, more: bytes) -> None:
    stats = stats64(COUNTED, pads)
    stats = struct.pack("=HH", len(stats) + len(more), 12) + stats[4:] + more
    data = nested(2, little(CAPTURED_DESTINATION_HEAD) + stats)
    assert ipvs_netlink.read_destination(data, 0, len(data), 4) == KernelDestination(
        DestinationKey(ip_address("10.0.0.4"), 80), 0, 4, 3, 2, 1, NO_EXTRAS, Stats(*COUNTED)
    )


def test_an_old_kernel_has_narrow_counters_and_no_family_of_destinations() -> None:
    narrow = b"".join(
        struct.pack("=HHQ", 12, kind, value) if kind in (4, 5) else struct.pack("=HHI", 8, kind, value)
        for kind, value in enumerate(COUNTED, 1)
    )
    head = little(CAPTURED_DESTINATION_HEAD)[:-8]
    data = nested(2, head + struct.pack("=HH", 4 + len(narrow), 10) + narrow)
    read = ipvs_netlink.read_destination(data, 0, len(data), 6)
    assert read.key.address == ip_address("a00:4::")
    assert read.stats == Stats(*COUNTED)


@pytest.mark.parametrize("extras", [Extras(5, 2), Extras(0, 0, 1, 6080, 1), Extras(0, 0, 2, 0, 1)])
def test_what_the_table_has_no_word_for_is_read_and_sent_alike(extras: Extras) -> None:
    sent = ipvs_netlink.destination(WEB, Destination(Forwarding.TUNNEL, 1), extras)
    counts = b"".join(struct.pack("=HHI", 8, kind, 0) for kind in (7, 8, 9))
    data = nested(2, sent[4:] + counts)
    assert ipvs_netlink.read_destination(data, 0, len(data), 4).extras == extras


@pytest.mark.parametrize(("bits", "method"), [(0x100, 0), (1, 1), (0x182, 2), (4, 4)])
def test_every_forwarding_method_is_told_whatever_other_flags_stand_with_it(bits: int, method: int) -> None:
    head = little(CAPTURED_DESTINATION_HEAD).replace(struct.pack("=HHI", 8, 3, 0), struct.pack("=HHI", 8, 3, bits))
    data = nested(2, head)
    assert ipvs_netlink.read_destination(data, 0, len(data), 4).method == method


def test_a_sync_daemon_of_an_old_kernel_is_understood_too() -> None:
    body = "0800010001000000 09000200 6574683100000000 0800030007000000"
    old, new = nested(3, body), nested(3, f"{body} 06000400c0050000 08000500e0000051 0600070090220000 0500080001000000")
    assert ipvs_netlink.read_daemon(old, 0, len(old)) == Daemon(1, "eth1", 7)
    assert ipvs_netlink.read_daemon(new, 0, len(new)) == Daemon(1, "eth1", 7, ip_address("224.0.0.81"), 8848, 1, 1472)


def test_timeouts_and_version_are_understood() -> None:
    data = little("0800040084030000 0800050078000000 080006002c010000")
    assert ipvs_netlink.read_timeouts(data, 0, len(data)) == (900, 120, 300)
    data = little("0800010001020100 0800020000100000")
    assert ipvs_netlink.read_info(data, 0, len(data)) == (0x010201, 4096)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        nested(2, ""),
        nested(1, ""),
        nested(1, MARK4_BODY),
        little("0400 0180"),
        little("0200 0100"),
        little("ff00 0180 0600010002000000"),
        nested(1, "ff00010002000000"),
    ],
)
def test_a_broken_answer_is_a_value_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ValueError, match="the kernel's answer"):
        ipvs_netlink.read_service(data, 0, len(data))
    with pytest.raises(ValueError, match="the kernel's answer"):
        ipvs_netlink.read_destination(data, 0, len(data), 4)
