"""Frames on an interface, as far as that needs no privilege; the rest is tests/lab/test_addresses.py."""

import errno
from ipaddress import ip_address

import pytest

from piranha.ipvs.announcements import Carried
from piranha.system import arp
from piranha.system.arp import Conflict, announce, find_conflicts, send
from piranha.system.arp_frames import Claim, announcements

VIP = ip_address("192.0.2.100")
NOWHERE = "nosuchdevice0"


def refusals() -> tuple[str, ...]:
    """Return what may be said here of an interface that is not there: it depends on who runs the tests."""
    return f"There is no interface {NOWHERE}", f"Frames on {NOWHERE} are not permitted."


def test_an_address_that_cannot_be_announced_is_a_sentence() -> None:
    assert announce(NOWHERE, [VIP]).startswith(refusals())


def test_a_frame_that_cannot_be_sent_is_refused_with_a_sentence() -> None:
    with pytest.raises(arp.CannotSend) as refused:
        send(NOWHERE, announcements(VIP, bytes(6))[0])
    assert str(refused.value).startswith(refusals())


async def test_an_interface_where_nobody_can_be_asked_is_a_trouble_and_the_others_are_asked() -> None:
    asked = await find_conflicts([Carried(NOWHERE, VIP), Carried(f"{NOWHERE}2", VIP)], wait_s=0.01)
    assert asked.conflicts == ()
    assert len(asked.troubles) == 2


async def test_nobody_is_asked_for_nothing() -> None:
    assert await find_conflicts([]) == arp.Asked(())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EPERM, "CAP_NET_RAW"),
        (errno.ENODEV, "There is no interface eth0"),
        (errno.ENETDOWN, "eth0 is down"),
        (errno.ENOBUFS, "eth0 takes no frames"),
        (errno.EAFNOSUPPORT, "no packet sockets"),
        (errno.EMSGSIZE, "Message too long"),
    ],
)
def test_each_refusal_of_the_kernel_has_its_sentence(code: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: str, bind: bool = True) -> None:
        raise OSError(code, "Message too long")

    monkeypatch.setattr(arp, "_open", refuse)
    assert words in announce("eth0", [VIP])


def test_a_conflict_names_the_address_the_interface_and_the_other_station() -> None:
    conflict = Conflict("eth0", VIP, Claim.HAS, "02:00:00:00:00:09")
    assert conflict.sentence.startswith("192.0.2.100 on eth0 is in use already, by 02:00:00:00:00:09.")
    assert "about to take" in Conflict("eth0", VIP, Claim.WANTS, "02:00:00:00:00:09").sentence
