"""Which settings of the kernel fit what runs."""

from dataclasses import replace

import pytest

from piranha.config.load import load
from piranha.config.model import Forwarding
from piranha.ipvs.settings import (
    CONNTRACK,
    EXPIRE_NODEST,
    EXPIRE_TEMPLATE,
    FORWARD,
    FORWARD_6,
    NAMES,
    REVERSE_PATH,
    TRACKED,
    TRACKED_MAX,
    KernelSettings,
    Use,
    judged,
    to_set,
    use_of,
)
from piranha.status import SettingStatus, SettingVerdict

GOOD = {
    FORWARD: "1",
    FORWARD_6: "1",
    REVERSE_PATH: "0",
    CONNTRACK: "0",
    EXPIRE_NODEST: "1",
    EXPIRE_TEMPLATE: "1",
    TRACKED_MAX: "1000",
    TRACKED: "10",
}
NAT = Use(Forwarding.NAT, has_ipv4=True)
DIRECT = replace(NAT, forwarding=Forwarding.DIRECT)


def settings(devices: dict[str, str] | None = None, **other: str | None) -> KernelSettings:
    return KernelSettings({**GOOD, **{name.replace("__", "."): text for name, text in other.items()}}, devices or {})


def row(name: str, found: KernelSettings, use: Use) -> SettingStatus:
    return next(each for each in judged(found, use) if each.name == name)


@pytest.mark.parametrize("forwarding", Forwarding)
def test_good_settings_fit_every_kind_of_forwarding_and_ask_for_nothing(forwarding: Forwarding) -> None:
    use = Use(forwarding, has_ipv4=True, has_ipv6=True, is_persistent=True, expires_templates=True)
    assert {each.verdict for each in judged(settings(), use)} == {SettingVerdict.FITS}
    assert to_set(settings(), use) == ()


def test_nat_needs_forwarding_and_the_command_is_told() -> None:
    found = KernelSettings({**GOOD, FORWARD: "0"})
    told = row(FORWARD, found, NAT)
    assert (told.verdict, told.command) == (SettingVerdict.WRONG, "sysctl -w net.ipv4.ip_forward=1")
    assert to_set(found, NAT) == ((FORWARD, "1"),)
    assert row(FORWARD, found, DIRECT).verdict is SettingVerdict.FITS
    assert row(FORWARD, found, Use()).verdict is SettingVerdict.FITS


def test_ipv6_is_asked_for_only_where_it_is_used() -> None:
    found = KernelSettings({**GOOD, FORWARD_6: "0"})
    assert FORWARD_6 not in {each.name for each in judged(found, NAT)}
    assert row(FORWARD_6, found, replace(NAT, has_ipv6=True)).verdict is SettingVerdict.WRONG
    assert row(FORWARD_6, found, replace(DIRECT, has_ipv6=True)).verdict is SettingVerdict.FITS


@pytest.mark.parametrize(
    ("for_all", "device", "verdict"),
    [
        ("0", "0", SettingVerdict.FITS),
        ("0", "1", SettingVerdict.ADVISED),
        ("1", "0", SettingVerdict.ADVISED),
        ("2", "1", SettingVerdict.FITS),
        ("1", "2", SettingVerdict.FITS),
    ],
)
def test_the_greater_of_all_and_device_is_what_the_kernel_takes(
    for_all: str, device: str, verdict: SettingVerdict
) -> None:
    found = KernelSettings({**GOOD, REVERSE_PATH: for_all}, {"lo": "1", "eth0": device})
    told = row(REVERSE_PATH, found, DIRECT)
    assert told.verdict is verdict
    assert ("eth0" in (told.value or "")) is (verdict is SettingVerdict.ADVISED)
    assert row(REVERSE_PATH, found, NAT).verdict is SettingVerdict.FITS


def test_what_is_set_for_strict_devices_makes_them_fit() -> None:
    found = KernelSettings({**GOOD, REVERSE_PATH: "1"}, {"eth0": "1"})
    assert to_set(found, DIRECT) == ((REVERSE_PATH, "2"),)
    after = KernelSettings({**GOOD, **dict(to_set(found, DIRECT))}, {"eth0": "1"})
    assert to_set(after, DIRECT) == ()


def test_persistent_clients_of_a_quiesced_server_are_a_fault_and_else_advice() -> None:
    found = KernelSettings({**GOOD, EXPIRE_TEMPLATE: "0"})
    persistent = replace(NAT, is_persistent=True)
    assert row(EXPIRE_TEMPLATE, found, NAT).verdict is SettingVerdict.FITS
    assert row(EXPIRE_TEMPLATE, found, persistent).verdict is SettingVerdict.ADVISED
    assert row(EXPIRE_TEMPLATE, found, replace(persistent, expires_templates=True)).verdict is SettingVerdict.WRONG


def test_a_kernel_without_ipvs_is_unknown_and_says_what_to_load() -> None:
    found = KernelSettings({**GOOD, CONNTRACK: None, EXPIRE_NODEST: None, EXPIRE_TEMPLATE: None})
    for name in (CONNTRACK, EXPIRE_NODEST, EXPIRE_TEMPLATE):
        told = row(name, found, NAT)
        assert told.verdict is SettingVerdict.UNKNOWN and "modprobe ip_vs" in told.why and not told.command


def test_nothing_known_is_never_called_fitting_where_it_is_needed() -> None:
    found = KernelSettings(dict.fromkeys(NAMES))
    wrong = {each.name for each in judged(found, NAT) if each.verdict is SettingVerdict.FITS}
    assert wrong == {TRACKED_MAX}
    assert to_set(found, NAT) == ()


def test_a_table_of_tracked_connections_that_is_nearly_full_is_told_and_never_changed_by_us() -> None:
    found = KernelSettings({**GOOD, TRACKED: "900"})
    assert row(TRACKED_MAX, found, NAT).command == f"sysctl -w {TRACKED_MAX}=2000"
    assert to_set(found, NAT) == ()
    assert row(TRACKED_MAX, KernelSettings({**GOOD, TRACKED: "899"}), NAT).verdict is SettingVerdict.FITS


def test_only_what_is_changed_is_called_managed() -> None:
    managed = {each.name for each in judged(settings(), NAT, is_managed=True) if each.is_managed}
    assert managed == {FORWARD, REVERSE_PATH, EXPIRE_NODEST, EXPIRE_TEMPLATE}


def test_what_a_cluster_uses_is_read_from_its_active_virtual_servers() -> None:
    text = """
network = tunnel
virtual a {
 active = 1
 address = 2001:db8::1 eth0:1
 port = 80
 persistent = 60
 quiesce_server = 1
}
virtual b {
 active = 0
 address = 192.0.2.1 eth0:2
 port = 80
}
"""
    assert use_of(load(text).cluster) == Use(Forwarding.TUNNEL, False, True, True, True)
    assert not use_of(load(text.replace("active = 1", "active = 0")).cluster).is_any
