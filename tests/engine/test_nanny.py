"""The rhythm of the checks, what a reload leaves alone, and whom a crash concerns (scenario 17). No real time."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, ip_address
from itertools import pairwise

import pytest

from piranha.config.model import Address, Host, HostName, Protocol, RealServerKey, ServiceKey
from piranha.engine.nanny import Nanny
from piranha.health.check import Check, Verdict
from piranha.health.machine import Row, ServerHealth
from piranha.nanny.rounds import SPREAD, Order, Outcome
from piranha.status import HealthState
from piranha.system.probes import CannotCheck, Probed
from tests.nanny.stopped_time import Time, settle

UP, DOWN, UNKNOWN = HealthState.UP, HealthState.DOWN, HealthState.UNKNOWN
GOOD, BAD = Verdict(True, "connected"), Verdict(False, "refused")
SERVICE = ServiceKey(Protocol.TCP, IPv4Address("192.0.2.1"), 80)


def check(host: str = "10.0.0.1", interval_s: float = 10.0, **changes: object) -> Check:
    address: Host = HostName(host) if host[0].isalpha() else ip_address(host)
    key = RealServerKey(SERVICE, address, 80)
    made = Check(key, Protocol.TCP, address, 80, None, None, interval_s, 3 * interval_s, interval_s)
    return replace(made, **changes)  # type: ignore[arg-type]


def by_key(*checks: Check) -> dict[RealServerKey, Check]:
    return {each.key: each for each in checks}


@dataclass
class World:
    """Real servers that answer as the test says, and everything that was asked of them and told about them."""

    time: Time = field(default_factory=Time)
    answers: dict[str, Verdict | Exception | list[Verdict]] = field(default_factory=dict)
    takes_s: dict[str, list[float]] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)
    told: list[tuple[float, str, HealthState, str]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    explodes: bool = False

    async def probe(self, check: Check, address: Address) -> Probed:
        began, name = self.time.now, str(address)
        self.asked.append((began, name))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            takes_s = self.takes_s.get(name, [])
            await self.time.pause(takes_s.pop(0) if takes_s else 0.0)
        finally:
            self.running -= 1
        answer = self.answers.get(name, GOOD)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, list):
            answer = answer.pop(0)
        return Probed(answer, self.time.now - began, check.send or b"", b"")

    def hear(self, key: RealServerKey, health: ServerHealth, row: Row | None) -> None:
        if self.explodes:
            raise ValueError("a mistake of whoever listens")
        self.told.append((self.time.now, str(key.address), health.state, row.event if row else ""))

    def asked_at(self, name: str = "10.0.0.1") -> list[float]:
        return [at for at, asked in self.asked if asked == name]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def nanny(world: World) -> AsyncIterator[Nanny]:
    async with asyncio.TaskGroup() as group:
        made = Nanny(group, world.hear, probe=world.probe, clock=lambda: world.time.now, later=world.time.later)
        yield made
        made.stop()


def state(nanny: Nanny, each: Check) -> HealthState:
    return nanny.healths[each.key].state


def is_on_rhythm(starts: list[float], count: int, interval_s: float = 10.0) -> bool:
    """Say whether the first is at once, the second a little early, and every other an interval later."""
    gaps = [late - early for early, late in pairwise(starts)]
    is_early_enough = 0 <= interval_s - gaps[0] <= SPREAD * interval_s
    is_regular = all(abs(gap - interval_s) < 1e-9 for gap in gaps[1:])
    return len(starts) == count and starts[0] == 0.0 and is_early_enough and is_regular


async def test_the_first_check_is_at_once_and_the_next_ones_keep_the_rhythm(nanny: Nanny, world: World) -> None:
    nanny.watch(by_key(check()))
    await world.time.pass_until(45.0)
    assert is_on_rhythm(world.asked_at(), 5)


async def test_the_time_a_check_takes_does_not_shift_the_rhythm(nanny: Nanny, world: World) -> None:
    world.takes_s["10.0.0.1"] = [3.0, 4.0, 5.0, 9.0]
    nanny.watch(by_key(check()))
    await world.time.pass_until(35.0)
    assert is_on_rhythm(world.asked_at(), 4)


async def test_a_check_that_overruns_is_followed_at_once_and_never_overlapped(nanny: Nanny, world: World) -> None:
    world.takes_s["10.0.0.1"] = [25.0, 1.0]
    nanny.watch(by_key(check()))
    await world.time.pass_until(34.9)
    assert world.asked_at() == [0.0, 25.0]
    assert world.most_running == 1


async def test_checks_that_began_together_drift_apart_the_same_way_each_time(nanny: Nanny, world: World) -> None:
    names = [f"10.0.0.{n}" for n in range(1, 41)]
    nanny.watch(by_key(*(check(name) for name in names)))
    await world.time.pass_until(10.0)
    seconds = {world.asked_at(name)[1] for name in names}
    assert len(seconds) > 30
    assert all(10.0 * (1 - SPREAD) <= second <= 10.0 for second in seconds)


async def test_a_server_is_unknown_until_its_first_check_ends(nanny: Nanny, world: World) -> None:
    world.takes_s["10.0.0.1"] = [2.0]
    nanny.watch(by_key(check()))
    await world.time.pass_until(1.9)
    assert state(nanny, check()) is UNKNOWN
    assert check().key not in nanny.probes
    await world.time.pass_until(2.0)
    assert state(nanny, check()) is UP
    assert world.told == [(2.0, "10.0.0.1", UP, "good")]
    assert nanny.probes[check().key] == Probed(GOOD, 2.0, b"", b"")


async def test_a_server_that_the_table_has_already_counts_as_one_that_was_up(nanny: Nanny, world: World) -> None:
    one, two = check("10.0.0.1"), check("10.0.0.2")
    nanny.watch(by_key(one, two), in_table={one.key})
    assert state(nanny, one) is UNKNOWN
    assert [nanny.healths[each.key].was_up for each in (one, two)] == [True, False]
    world.answers = {"10.0.0.1": BAD, "10.0.0.2": BAD}
    await world.time.pass_until(1)
    assert [nanny.healths[each.key].was_up for each in (one, two)] == [True, False]


async def test_every_verdict_is_told_and_a_row_only_with_a_change(
    nanny: Nanny, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "piranha.nanny")
    nanny.watch(by_key(check()))
    await world.time.pass_until(5.0)
    world.answers["10.0.0.1"] = BAD
    await world.time.pass_until(25.0)
    assert [(told[2], told[3]) for told in world.told] == [(UP, "good"), (DOWN, "bad"), (DOWN, "")]
    assert caplog.messages == [
        "[ active ] making 10.0.0.1:80 available",
        "[inactive] shutting down 10.0.0.1:80 due to connection failure: refused",
    ]


async def test_a_server_returns_after_its_reentry_time(nanny: Nanny, world: World) -> None:
    world.answers["10.0.0.1"] = BAD
    nanny.watch(by_key(check()))
    await world.time.pass_until(5.0)
    world.answers["10.0.0.1"] = GOOD
    await world.time.pass_until(25.0)
    assert (state(nanny, check()), nanny.healths[check().key].good_in_row) == (DOWN, 2)
    await world.time.pass_until(30.0)
    assert state(nanny, check()) is UP


async def test_an_equal_check_keeps_health_and_rhythm_over_many_reloads(nanny: Nanny, world: World) -> None:
    nanny.watch(by_key(check()))
    for tenth in range(450):
        await world.time.pass_until(tenth / 10)
        nanny.watch(by_key(check()))
    assert is_on_rhythm(world.asked_at(), 5)
    assert world.told[0] == (0.0, "10.0.0.1", UP, "good")
    assert all(row == "" for _, _, _, row in world.told[1:])


async def test_a_changed_check_is_made_at_once_and_the_health_stays_until_then(nanny: Nanny, world: World) -> None:
    nanny.watch(by_key(check()))
    await world.time.pass_until(3.0)
    world.takes_s["10.0.0.1"] = [1.0]
    nanny.watch(by_key(check(send=b"x")))
    await world.time.pass_until(3.9)
    assert state(nanny, check()) is UP
    await world.time.pass_until(4.0)
    assert world.asked_at() == [0.0, 3.0]
    assert nanny.probes[check().key].sent == b"x"
    assert nanny.checks[check().key].send == b"x"
    assert [row for _, _, _, row in world.told] == ["good", ""]


async def test_a_changed_interval_holds_from_now_on(nanny: Nanny, world: World) -> None:
    nanny.watch(by_key(check(interval_s=1000.0)))
    await world.time.pass_until(1.0)
    nanny.watch(by_key(check(interval_s=10.0)))
    await world.time.pass_until(15.0)
    assert world.asked_at()[:2] == [0.0, 1.0]
    assert len(world.asked_at()) == 3


async def test_the_verdict_of_a_check_that_was_changed_meanwhile_does_not_count(nanny: Nanny, world: World) -> None:
    world.takes_s["10.0.0.1"] = [2.0, 5.0]
    nanny.watch(by_key(check()))
    await world.time.pass_until(1.0)
    nanny.watch(by_key(check(send=b"x")))
    await world.time.pass_until(5.9)
    assert world.told == []
    await world.time.pass_until(6.0)
    assert len(world.told) == 1
    assert world.most_running == 1


async def test_a_removed_check_stops_and_its_health_is_forgotten(nanny: Nanny, world: World) -> None:
    nanny.watch(by_key(check(), check("10.0.0.2")))
    await world.time.pass_until(1.0)
    nanny.watch(by_key(check("10.0.0.2")))
    await world.time.pass_until(25.0)
    assert world.asked_at() == [0.0]
    assert len(world.asked_at("10.0.0.2")) >= 3
    assert set(nanny.healths) == set(nanny.checks) == set(nanny.probes) == {check("10.0.0.2").key}
    world.takes_s["10.0.0.1"] = [1.0]
    nanny.watch(by_key(check()))
    assert state(nanny, check()) is UNKNOWN


async def test_the_process_list_names_who_makes_the_checks(nanny: Nanny, world: World) -> None:
    nanny.watch(by_key(check(), check("10.0.0.2"), check("web1.example")))
    assert nanny.staff == {os.getpid(): 2}
    assert nanny.troubles == ()


async def test_checks_made_elsewhere_are_ordered_and_heard_by_number(nanny: Nanny, world: World) -> None:
    elsewhere = Elsewhere()
    nanny.employ(elsewhere)
    one, two = check("10.0.0.1"), check("10.0.0.2")
    nanny.watch(by_key(one, two))
    first, second = (order.number for order in elsewhere.orders)
    nanny.hear(Outcome(first, Probed(GOOD, 0.1, b"", b""), "", 1.0, 11.0))
    nanny.hear(Outcome(second, None, "too many open files", 1.0, 6.0))
    assert (state(nanny, one), state(nanny, two)) == (UP, UNKNOWN)
    assert nanny.healths[two.key].reason == "not checked: too many open files"
    nanny.watch(by_key(check("10.0.0.1", send=b"x")))
    assert elsewhere.dropped == [second, first] or elsewhere.dropped == [first, second]
    nanny.hear(Outcome(first, Probed(BAD, 0.1, b"", b""), "", 2.0, 12.0))
    assert state(nanny, one) is UP, "the verdict of an order that is no more says nothing"
    assert (nanny.staff, nanny.troubles) == ({4711: 2}, ("Nobody can be started.",))


class Elsewhere:
    """Stands for workers, and keeps what they are told."""

    staff: Mapping[int, int] = {4711: 2}
    troubles = ("Nobody can be started.",)

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.dropped: list[int] = []

    def order(self, orders: Iterable[Order]) -> None:
        self.orders += orders

    def drop(self, numbers: Iterable[int]) -> None:
        self.dropped += numbers


async def test_stop_ends_every_check_and_lets_the_group_end(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        nanny = Nanny(group, world.hear, probe=world.probe, clock=lambda: world.time.now, later=world.time.later)
        nanny.watch(by_key(check(), check("10.0.0.2")))
        await settle()
        nanny.stop()
    assert not nanny.healths


@pytest.mark.parametrize("trouble", [RuntimeError("a mistake"), CannotCheck("too many open files")])
async def test_a_crash_concerns_that_server_alone_and_its_health_stays(
    nanny: Nanny, world: World, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    nanny.watch(by_key(check(), check("10.0.0.2")))
    await world.time.pass_until(1.0)
    world.answers["10.0.0.1"] = trouble
    await world.time.pass_until(25.0)
    health = nanny.healths[check().key]
    assert (health.state, health.checked_at) == (UP, 0.0)
    assert health.reason.startswith("not checked: ")
    assert len(world.asked_at("10.0.0.1")) >= len(world.asked_at("10.0.0.2")) == 3
    assert str(trouble) in caplog.text
    world.answers["10.0.0.1"] = BAD
    await world.time.pass_until(35.0)
    assert state(nanny, check()) is DOWN


async def test_a_crash_of_whoever_listens_stops_no_check(
    nanny: Nanny, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.explodes = True
    nanny.watch(by_key(check()))
    await world.time.pass_until(25.0)
    assert len(world.asked_at()) == 3
    assert "a mistake of whoever listens" in caplog.text


async def test_the_same_trouble_is_logged_once(nanny: Nanny, world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.answers["10.0.0.1"] = CannotCheck("too many open files")
    nanny.watch(by_key(check()))
    await world.time.pass_until(45.0)
    assert len([line for line in caplog.messages if "too many open files" in line]) == 1


async def test_a_name_is_checked_at_its_address_and_never_without_one(nanny: Nanny, world: World) -> None:
    named = check("web1.example")
    nanny.watch(by_key(named))
    await world.time.pass_until(1.0)
    assert world.asked == []
    assert state(nanny, named) is UNKNOWN
    assert nanny.healths[named.key].reason == "not checked: the name web1.example has no address"
    nanny.watch(by_key(named), {HostName("web1.example"): IPv4Address("10.0.0.9")})
    await world.time.pass_until(10.0)
    assert [name for _, name in world.asked] == ["10.0.0.9"]
    assert state(nanny, named) is UP


async def test_a_router_that_stood_still_does_not_blame_its_servers(nanny: Nanny, world: World) -> None:
    nanny.watch(by_key(check()))
    await world.time.pass_until(1.0)
    world.answers["10.0.0.1"] = [BAD, GOOD]
    world.takes_s["10.0.0.1"] = [30.0, 1.0]
    await world.time.pass_until(41.0)
    assert world.answers["10.0.0.1"] == []
    assert [told[2:] for told in world.told] == [(UP, "good"), (UP, "")]


async def test_a_server_that_fails_the_repeated_check_too_is_down(nanny: Nanny, world: World) -> None:
    world.answers["10.0.0.1"] = BAD
    world.takes_s["10.0.0.1"] = [30.0, 30.0]
    nanny.watch(by_key(check()))
    await world.time.pass_until(60.0)
    assert state(nanny, check()) is DOWN
