"""Each error number is a sentence with a reason and a cure."""

import errno
from ipaddress import ip_address

import pytest

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    RemoveDestination,
    RemoveService,
    Service,
    Step,
    TableKey,
)
from piranha.system.ipvs_refusals import general, has_left, sentence

KEY = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80)
SERVER = DestinationKey(ip_address("10.0.0.21"), 80)
SERVER6 = DestinationKey(ip_address("fd00::21"), 80)
NAT = Destination(Forwarding.NAT, 1)
STEPS: list[Step] = [
    AddService(KEY, Service("mh")),
    EditService(KEY, Service("mh")),
    RemoveService(KEY),
    AddDestination(KEY, SERVER, NAT),
    EditDestination(KEY, SERVER, NAT),
    RemoveDestination(KEY, SERVER),
]


def test_every_error_of_every_step_names_the_step_and_ends_with_advice() -> None:
    advice = ("Run ", "Check", "compared again", "See the kernel's log", "Free memory", "Use IPv4", "Give it")
    for step in STEPS:
        for code in errno.errorcode:
            said = sentence(step, code)
            assert "TCP 192.0.2.1:80" in said
            assert said.endswith(".")
            assert "\n" not in said and len(said) < 300
            assert any(word in said for word in advice), said


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        (STEPS[0], errno.ENOENT, "this kernel has no scheduler mh. Run modprobe ip_vs_mh as root"),
        (STEPS[1], errno.ENOENT, "The change of virtual server TCP 192.0.2.1:80"),
        (STEPS[0], errno.EEXIST, "the kernel has it already"),
        (STEPS[3], errno.EEXIST, "has that real server already"),
        (STEPS[3], errno.ESRCH, "does not have that virtual server"),
        (STEPS[5], errno.ENOENT, "does not have that real server"),
        (STEPS[4], errno.EPERM, "CAP_NET_ADMIN"),
        (STEPS[3], errno.ENOMEM, "no memory left"),
        (STEPS[3], errno.ENOBUFS, "no memory left"),
        (STEPS[3], errno.EINVAL, "no multicast"),
        (AddDestination(KEY, SERVER, Destination(Forwarding.NAT, -1)), errno.ERANGE, "no weight of -1"),
        (AddDestination(KEY, SERVER6, NAT), errno.EINVAL, "only tunneling"),
        (AddDestination(KEY, SERVER6, Destination(Forwarding.TUNNEL, 1)), errno.EINVAL, "connection sync"),
        (STEPS[0], errno.EINVAL, "scheduler mh"),
        (STEPS[3], errno.EAFNOSUPPORT, "IPv6"),
    ],
)
def test_the_reason_is_that_of_the_step(step: Step, code: int, words: str) -> None:
    assert words in sentence(step, code)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES])
@pytest.mark.parametrize("step", STEPS)
def test_a_kernel_that_permits_nothing_refuses_each_step_with_what_why_and_what_to_do(step: Step, code: int) -> None:
    what, why, cure = sentence(step, code).partition(" was refused: ")
    assert what.startswith(("Virtual server ", "Real server ", "The change of ", "The removal of ")) and why
    assert cure == (
        "The kernel does not let this process change IPVS. Run pulse as root, or give it the capability CAP_NET_ADMIN."
    )


def test_what_modprobe_said_stands_with_the_missing_scheduler() -> None:
    said = sentence(STEPS[0], errno.ENOENT, "modprobe ip_vs_mh failed: not found.")
    assert "no scheduler mh. modprobe ip_vs_mh failed: not found. Run modprobe" in said


def test_no_command_is_made_of_a_name_that_is_none() -> None:
    said = sentence(AddService(KEY, Service("rr; reboot")), errno.ENOENT)
    assert "modprobe" not in said and said.endswith("Choose another scheduler.")


def test_an_error_without_a_name_is_told_by_its_number() -> None:
    assert "error 9999" in general(9999)


def test_what_is_left_in_a_service_is_named_up_to_four() -> None:
    assert "it still has a, b, which" in has_left(KEY, ["a", "b"])
    assert "it still has a, b, c, d and 2 more, which" in has_left(KEY, list("abcdef"))
