"""Addresses of this machine, as far as that needs no privilege; the rest is tests/lab/test_addresses.py."""

import errno
import os
import struct
from ipaddress import ip_address

import pytest

from piranha.errors import StepRefused
from piranha.ipvs.addresses import (
    AddAddress,
    AddressStep,
    Held,
    Outcome,
    RemoveAddress,
    ReseatAddress,
    WantedAddress,
)
from piranha.system import addresses
from piranha.system.addresses import Applied, ChangeWatch, RouterAddresses
from piranha.system.route_netlink import Refused

NOWHERE = "nosuchdevice0"
WANTED = WantedAddress(Held(NOWHERE, ip_address("192.0.2.100"), 24), "x:1", None, "virtual[web]")
ON_LO = WantedAddress(Held("lo", ip_address("192.0.2.100"), 24), "lo:1", None, "virtual[web]")


def test_the_interfaces_and_addresses_of_this_machine_are_read() -> None:
    with RouterAddresses() as router:
        present = router.read()
    assert present.links["lo"].is_loopback
    assert Held("lo", ip_address("127.0.0.1"), 8) in {each.held for each in present.addresses}


@pytest.mark.parametrize("step", [AddAddress(WANTED), ReseatAddress(WANTED, 32)])
def test_a_step_on_an_interface_that_is_not_there_is_refused_with_what_to_do(step: AddAddress | ReseatAddress) -> None:
    with RouterAddresses() as router, pytest.raises(StepRefused) as refused:
        router.apply(step)
    assert f"there is no interface {NOWHERE} on this router. Make it, or name another one" in str(refused.value)


def test_a_refused_step_is_an_answer_among_others_and_the_rest_goes_on() -> None:
    steps = (AddAddress(WANTED), RemoveAddress(WANTED.held))
    with RouterAddresses() as router:
        refused, done = router.apply_all(steps)
    assert (refused.step, refused.outcome, done.outcome, done.sentence) == (steps[0], Outcome.REFUSED, Outcome.DONE, "")
    assert f"there is no interface {NOWHERE}" in refused.sentence


def test_an_address_that_went_with_its_interface_is_removed() -> None:
    with RouterAddresses() as router:
        assert router.apply(RemoveAddress(WANTED.held)) is Outcome.DONE


def test_a_watch_tells_nothing_where_nothing_changed() -> None:
    with ChangeWatch() as watch:
        assert watch.fileno() > 0
        assert watch.changes() == ()


def test_what_came_too_fast_is_said_to_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChangeWatch() as watch:
        monkeypatch.setattr(watch._socket, "changes", lambda: None)
        assert watch.changes() == (addresses.ChangesLost(),)


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("192.0.2.1", errno.EPERM, "CAP_NET_ADMIN"),
        ("2001:db8::1", errno.EACCES, "Set net.ipv6.conf.eth0.disable_ipv6 to 0."),
        ("2001:db8::1", errno.EOPNOTSUPP, "this kernel has no IPv6"),
        ("192.0.2.1", errno.ENODEV, "there is no interface eth0"),
        ("::1", errno.EADDRNOTAVAIL, "the kernel takes no such address there (Cannot assign requested address)."),
        ("192.0.2.1", errno.EACCES, "CAP_NET_ADMIN"),
        ("192.0.2.1", errno.ERANGE, "Write a shorter alias than 16 characters."),
        ("192.0.2.1", errno.ENOBUFS, "no memory left for it; it is tried again. Free memory"),
        ("192.0.2.1", errno.EBUSY, "Device or resource busy. It is tried again. See the kernel's log (dmesg)"),
    ],
)
def test_each_refusal_of_the_kernel_has_its_sentence(address: str, code: int, words: str) -> None:
    held = Held("eth0", ip_address(address), 32)
    sentence = addresses._sentence(RemoveAddress(held), held, Refused(code))
    assert sentence.startswith(f"Cannot remove the address {address}/32 on eth0: ")
    assert words in sentence


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES])
@pytest.mark.parametrize(
    ("step", "what"),
    [
        (AddAddress(ON_LO), "add the address 192.0.2.100/24 on lo as lo:1"),
        (ReseatAddress(ON_LO, 32), "put the address 192.0.2.100/24 on lo in its place anew, labelled lo:1"),
        (RemoveAddress(ON_LO.held), "remove the address 192.0.2.100/24 on lo"),
    ],
)
def test_a_kernel_that_permits_nothing_refuses_each_step_with_what_why_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, step: AddressStep, what: str, code: int
) -> None:
    with RouterAddresses() as router:
        monkeypatch.setattr(router._socket, "ask", lambda requests: [Refused(code)] * len(requests))
        (applied,) = router.apply_all([step])
    assert applied == Applied(
        step,
        Outcome.REFUSED,
        f"Cannot {what}: it is not permitted. Start the engine as root, or give it the capability CAP_NET_ADMIN.",
    )


def test_the_setting_that_keeps_others_addresses_changes_no_flag_of_the_interface() -> None:
    """RTM_SETLINK with struct ifinfomsg: flags 0, changed flags 0; IFLA_AF_SPEC, AF_INET, IFLA_INET_CONF, item 20."""
    request = addresses._promoting(7, 1)
    assert request[:8] == struct.pack("=IHH", len(request), 19, 5)
    assert request[16:32] == struct.pack("=BxHiII", 0, 0, 7, 0, 0)
    assert request[32:] == struct.pack("=HHHHHHHHI", 20, 26, 16, 2, 12, 0x8001, 8, 20, 1)


def test_only_a_mask_shorter_than_32_needs_that_setting_and_only_where_it_is_off() -> None:
    for prefix, promotes, count in ((24, False, 3), (24, True, 1), (32, False, 1)):
        held = Held("eth0", ip_address("192.0.2.1"), prefix)
        assert len(addresses._removing(held, 7, promotes)) == count
    assert len(addresses._removing(Held("eth0", ip_address("2001:db8::1"), 128), 7, False)) == 1


def test_no_step_needs_a_descriptor_that_is_never_given_back() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        with RouterAddresses() as router, ChangeWatch():
            router.read()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
