"""Rounds of announcements as they are sent. No real time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import pytest

from piranha.config.model import Address
from piranha.ipvs.addresses import Link
from piranha.ipvs.announcements import FINISHED, Carried
from piranha.pulse.announcer import AT_ONCE, Announcer

WEB, MAIL = (Carried("eth0", ip_address(f"192.0.2.{number}")) for number in (100, 101))
THERE = Carried("eth1", ip_address("2001:db8::100"))
LINK = Link("eth0", 2, "02:00:00:00:00:01", True, True, True)


@dataclass
class Wire:
    """A clock, and what was sent at which time."""

    now: float = 100.0
    sent: list[tuple[float, str, tuple[Address, ...]]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now

    def announce(self, device: str, addresses: Sequence[Address]) -> str:
        if device not in self.broken:
            self.sent.append((self.now, device, tuple(addresses)))
        return self.broken.get(device, "")

    async def play(self, announcer: Announcer, until: float) -> None:
        while announcer.next_at is not None and announcer.next_at <= until:
            self.now = max(self.now, announcer.next_at)
            await announcer.send_due()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def announcer(wire: Wire) -> Announcer:
    return Announcer(wire.clock, wire.announce)


async def test_a_claim_is_announced_at_once_and_four_times_more_a_second_apart(
    announcer: Announcer, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    announcer.carry([WEB, THERE])
    await wire.play(announcer, 106)
    assert [at for at, device, _ in wire.sent if device == "eth0"] == [100, 101, 102, 103, 104]
    assert [at for at, device, _ in wire.sent if device == "eth1"] == [100, 101, 102, 103, 104]
    assert caplog.messages == [FINISHED]
    told = announcer.told(WEB)
    assert told is not None
    assert (told.rounds, told.at) == (5, 104)


async def test_addresses_of_one_interface_go_together(announcer: Announcer, wire: Wire) -> None:
    announcer.carry([WEB, THERE, MAIL])
    await announcer.send_due()
    assert [(device, addresses) for _, device, addresses in wire.sent] == [
        ("eth0", (WEB.address, MAIL.address)),
        ("eth1", (THERE.address,)),
    ]


async def test_a_yield_ends_even_a_round_that_is_under_way(announcer: Announcer, wire: Wire) -> None:
    many = [Carried("eth0", ip_address(f"10.0.{number // 250}.{number % 250}")) for number in range(3 * AT_ONCE)]
    announcer.carry(many)
    asyncio.get_running_loop().call_soon(announcer.carry, ())
    await announcer.send_due()
    assert [len(addresses) for _, _, addresses in wire.sent] == [AT_ONCE]
    await wire.play(announcer, 1e6)
    assert len(wire.sent) == 1
    assert announcer.told(many[0]) is None


async def test_what_goes_ends_before_what_comes_begins(announcer: Announcer, wire: Wire) -> None:
    announcer.carry([WEB, MAIL])
    await announcer.send_due()
    wire.sent.clear()
    announcer.keep({MAIL, THERE})
    await wire.play(announcer, 101)
    assert [(device, addresses) for _, device, addresses in wire.sent] == [("eth0", (MAIL.address,))]


async def test_what_is_not_let_through_is_said_once_and_the_rounds_go_on(
    announcer: Announcer, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    wire.broken["eth0"] = "eth0 is down: no frame leaves it."
    announcer.carry([WEB, THERE])
    await wire.play(announcer, 103)
    assert caplog.messages == ["The floating addresses on eth0 are not announced: eth0 is down: no frame leaves it."]
    assert announcer.trouble("eth0") == wire.broken["eth0"]
    assert announcer.told(WEB) is None
    assert [at for at, device, _ in wire.sent if device == "eth1"] == [100, 101, 102, 103]
    wire.broken.clear()
    await wire.play(announcer, 104)
    assert announcer.trouble("eth0") == ""
    assert announcer.told(WEB) is not None


async def test_a_carrier_that_comes_back_and_a_new_interface_of_that_name_begin_anew(
    announcer: Announcer, wire: Wire
) -> None:
    announcer.carry([WEB, THERE])
    assert announcer.present([LINK]) == ()
    await wire.play(announcer, 141)
    for makes_new in (
        lambda: (announcer.seen(replace(LINK, has_carrier=False)), announcer.seen(LINK)),
        lambda: (announcer.present([]) != (), announcer.present([replace(LINK, index=9)]) == ("eth0",)),
    ):
        wire.sent.clear()
        assert makes_new() == (False, True)
        await wire.play(announcer, wire.now)
        assert [(device, addresses) for _, device, addresses in wire.sent] == [("eth0", (WEB.address,))]


async def test_what_is_added_begins_at_once_and_the_others_go_on(announcer: Announcer, wire: Wire) -> None:
    announcer.carry([WEB])
    await announcer.send_due()
    announcer.add([WEB, THERE])
    await announcer.send_due()
    assert [(device, addresses) for _, device, addresses in wire.sent] == [
        ("eth0", (WEB.address,)),
        ("eth1", (THERE.address,)),
    ]
    await wire.play(announcer, 106)
    assert len(wire.sent) == 10
