"""Marks and masks, which the kernel and the table tell differently."""

from ipaddress import ip_address

import pytest

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.table import AddDestination, AddService, Destination, DestinationKey, Service, TableKey
from piranha.system import ipvs_words
from piranha.system.ipvs_netlink import NO_STATS, KernelService

MARK = TableKey(fwmark=9)


def kernel_service(
    version: int = 4, protocol: int = 6, fwmark: int = 0, flags: int = 2, timeout_s: int = 0, prefix: int = 32
) -> KernelService:
    address = ip_address("192.0.2.1" if version == 4 else "2001:db8::1")
    return KernelService(version, protocol, address, 80, fwmark, "rr", flags, timeout_s, prefix, b"", NO_STATS)


def test_a_mask_without_persistence_says_nothing() -> None:
    assert ipvs_words.service_of(kernel_service(timeout_s=60, prefix=24)) == Service("rr")
    assert ipvs_words.service_of(kernel_service(6, prefix=64)) == Service("rr", 0, 128)


def test_persistence_is_told_with_its_prefix() -> None:
    assert ipvs_words.service_of(kernel_service(flags=3, timeout_s=60, prefix=24)) == Service("rr", 60, 24)
    assert ipvs_words.service_of(kernel_service(6, flags=3, timeout_s=60, prefix=64)) == Service("rr", 60, 64)


@pytest.mark.parametrize("version", [4, 6])
def test_each_client_alone_is_32_for_a_mark_of_either_version(version: int) -> None:
    width = 32 if version == 4 else 128
    there = kernel_service(version, 0, 9, 3, 60, width)
    assert ipvs_words.service_of(there) == Service("rr", 60, 32)
    assert ipvs_words.said(MARK, version, Service("rr", 60, 32)).persistence_prefix == width


def test_another_protocol_is_not_for_the_table_and_has_a_name() -> None:
    assert ipvs_words.key_of(kernel_service(protocol=132), {}) is None
    assert ipvs_words.words(kernel_service(protocol=132)) == "SCTP 192.0.2.1:80 (rr)"
    assert ipvs_words.words(kernel_service(6, protocol=99)) == "protocol 99 [2001:db8::1]:80 (rr)"


def test_a_service_of_the_table_keeps_its_key() -> None:
    key = TableKey(Protocol.UDP, ip_address("2001:db8::1"), 80)
    assert ipvs_words.key_of(kernel_service(6, 17), {}) == key


@pytest.mark.parametrize(("known", "ours"), [({}, 4), ({9: 6}, 6), ({9: 4}, 4)])
def test_of_a_marks_two_services_the_known_one_is_ours_else_ipv4(known: dict[int, int], ours: int) -> None:
    both = [kernel_service(6, 0, 9), kernel_service(4, 0, 9)]
    versions = ipvs_words.versions_of_marks(both, known)
    assert versions == {9: ours}
    assert [ipvs_words.key_of(each, versions) for each in both if each.version == ours] == [MARK]
    assert [ipvs_words.key_of(each, versions) for each in both if each.version != ours] == [None]
    other = next(each for each in both if each.version != ours)
    assert ipvs_words.words(other) == f"firewall mark 9 for IPv{other.version} (rr)"


def test_a_marks_only_service_is_ours_whatever_was_known() -> None:
    assert ipvs_words.versions_of_marks([kernel_service(6, 0, 9)], {9: 4}) == {9: 6}


def test_a_new_mark_has_the_ip_version_of_its_first_destination() -> None:
    destination = Destination(Forwarding.NAT, 1)
    steps = [
        AddService(MARK, Service("rr")),
        AddDestination(MARK, DestinationKey(ip_address("fd00::21"), 0), destination),
        AddDestination(MARK, DestinationKey(ip_address("10.0.0.21"), 0), destination),
        AddDestination(TableKey(fwmark=7), DestinationKey(ip_address("fd00::21"), 0), destination),
    ]
    assert ipvs_words.versions_of_new_marks(steps) == {9: 6}
