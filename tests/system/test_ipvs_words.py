"""Keys and masks, which the kernel and the table tell differently."""

from ipaddress import ip_address

import pytest

from piranha.config.model import Protocol
from piranha.ipvs.table import Service, TableKey
from piranha.system import ipvs_words
from piranha.system.ipvs_netlink import NO_STATS, KernelService


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


def test_another_protocol_is_not_for_the_table_and_has_a_name() -> None:
    assert ipvs_words.key_of(kernel_service(protocol=132)) is None
    assert ipvs_words.words(kernel_service(protocol=132)) == "SCTP 192.0.2.1:80 (rr)"
    assert ipvs_words.words(kernel_service(6, protocol=99)) == "protocol 99 [2001:db8::1]:80 (rr)"


def test_a_service_of_the_table_keeps_its_key() -> None:
    key = TableKey(Protocol.UDP, ip_address("2001:db8::1"), 80)
    assert ipvs_words.key_of(kernel_service(6, 17)) == key


@pytest.mark.parametrize("version", [4, 6])
def test_a_mark_has_two_services_one_for_each_ip_version(version: int) -> None:
    there = kernel_service(version, 0, 9, 3, 60, 24)
    assert ipvs_words.key_of(there) == TableKey(fwmark=9, mark_version=version)
    assert ipvs_words.service_of(there) == Service("rr", 60, 24)
