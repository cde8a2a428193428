"""How many checks at once, how many begin in one turn of the loop, and what follows one that could not be made."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import pairwise

import pytest

from piranha.config.model import Address, Protocol, RealServerKey, ServiceKey
from piranha.health.check import Check, Verdict
from piranha.nanny import rounds
from piranha.nanny.rounds import BURST, SLOTS_LEAST, SLOTS_MAX, SPREAD, Order, Outcome, Rounds, slots_here
from piranha.system.probes import CannotCheck, Probed
from tests.nanny.stopped_time import Time, settle

SERVICE = ServiceKey(Protocol.TCP, IPv4Address("192.0.2.1"), 80)
FIRST = int(IPv4Address("10.0.0.0"))
GOOD = Verdict(True, "connected")


def order(number: int, interval_s: float = 10.0, due: float | None = None) -> Order:
    address = IPv4Address(FIRST + number)
    check = Check(
        RealServerKey(SERVICE, address, 80), Protocol.TCP, address, 80, None, None, interval_s, 30.0, interval_s
    )
    return Order(number, check, address, due)


@dataclass
class World:
    """Real servers that need `takes_s` for an answer, and everything that was asked and told."""

    time: Time = field(default_factory=Time)
    takes_s: float = 0.0
    fails: Exception | None = None
    asked: list[tuple[float, int]] = field(default_factory=list)
    told: list[Outcome] = field(default_factory=list)
    running: int = 0
    most: int = 0

    async def probe(self, check: Check, address: Address) -> Probed:
        self.asked.append((self.time.now, int(address) - FIRST))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.time.pause(self.takes_s)
        finally:
            self.running -= 1
        if self.fails is not None:
            raise self.fails
        return Probed(GOOD, self.takes_s, b"", b"")

    def asked_at(self, number: int = 1) -> list[float]:
        return [at for at, asked in self.asked if asked == number]


@pytest.fixture
def world() -> World:
    return World()


Maker = Callable[[int], Rounds]


@pytest.fixture
async def make(world: World) -> AsyncIterator[Maker]:
    made: list[Rounds] = []
    async with asyncio.TaskGroup() as group:

        def make(slots: int = 1000) -> Rounds:
            one = Rounds(
                group,
                world.told.append,
                slots=slots,
                probe=world.probe,
                clock=lambda: world.time.now,
                later=world.time.later,
            )
            made.append(one)
            return one

        yield make
        for one in made:
            one.stop()


async def test_no_more_checks_run_than_there_are_slots_and_all_have_their_turn(
    make: Maker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "SPREAD_WHOLE", 1_000_000)
    world.takes_s = 1.0
    make(100).order(order(number) for number in range(1, 1001))
    await world.time.pass_until(0.5)
    assert (world.running, world.most, len(world.asked)) == (100, 100, 100)
    await world.time.pass_until(9.5)
    assert world.most == 100
    assert len(world.asked) == 1000 == len({number for _, number in world.asked})
    assert [sum(at == second for at, _ in world.asked) for second in range(10)] == [100] * 10


async def test_silent_servers_hold_their_slots_no_longer_than_a_check_takes(make: Maker, world: World) -> None:
    world.takes_s = 10.0
    runs = make(50)
    runs.order(order(number) for number in range(1, 101))
    await world.time.pass_until(100.0)
    counts = Counter(number for _, number in world.asked)
    assert world.most == 50
    assert set(counts) == set(range(1, 101))
    assert max(counts.values()) - min(counts.values()) <= 1
    assert runs.running == 50


async def test_few_checks_begin_in_one_turn_of_the_loop(make: Maker, world: World) -> None:
    calls: list[int] = []

    def later(seconds: float, call: Callable[[], None]) -> object:
        def counted() -> None:
            before = len(tasks_of())
            call()
            calls.append(len(tasks_of()) - before)

        return world.time.later(seconds, counted)

    def tasks_of() -> set[asyncio.Task[object]]:
        return {task for task in asyncio.all_tasks() if task.get_name().startswith("tcp ")}

    async with asyncio.TaskGroup() as group:
        runs = Rounds(
            group,
            world.told.append,
            slots=10_000,
            probe=world.probe,
            clock=lambda: world.time.now,
            later=later,  # type: ignore[arg-type]
        )
        world.takes_s = 1.0
        runs.order(order(number) for number in range(1, 501))
        await world.time.pass_until(0.5)
        assert calls == [BURST] * 7 + [500 - 7 * BURST]
        runs.stop()


async def test_what_this_router_could_not_do_is_tried_again_soon_and_then_less_soon(make: Maker, world: World) -> None:
    world.fails = CannotCheck("too many open files")
    make(10).order([order(1, interval_s=600.0)])
    await world.time.pass_until(400.0)
    assert [late - early for early, late in pairwise(world.asked_at())] == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0]
    assert {(told.probed, told.trouble) for told in world.told} == {(None, "too many open files")}
    world.fails = None
    await world.time.pass_until(700.0)
    assert world.told[-1].probed is not None
    world.fails = CannotCheck("too many open files")
    before = len(world.asked)
    await world.time.pass_until(1_260.0)
    assert len(world.asked) - before >= 2, "behind a check that was made the pauses begin anew"


async def test_a_check_that_cannot_be_made_is_never_repeated_later_than_after_its_interval(
    make: Maker, world: World
) -> None:
    world.fails = CannotCheck("too many open files")
    make(10).order([order(1, interval_s=2.0), order(2, interval_s=12.0)])
    await world.time.pass_until(100.0)
    assert {late - early for early, late in pairwise(world.asked_at(1))} == {2.0}
    assert [late - early for early, late in pairwise(world.asked_at(2))][:4] == [5.0, 10.0, 12.0, 12.0]


async def test_the_outcome_says_when_the_next_check_is_due_and_another_process_goes_on_then(
    make: Maker, world: World
) -> None:
    first, second = make(10), make(10)
    first.order([order(1)])
    await world.time.pass_until(35.0)
    due = world.told[-1].due
    first.stop()
    second.order([order(1, due=due), order(2, due=1.0)])
    await world.time.pass_until(65.0)
    gaps = [late - early for early, late in pairwise(world.asked_at())]
    assert gaps[1:] == pytest.approx([10.0] * (len(gaps) - 1))
    assert world.asked_at(2)[0] == 35.0, "what is overdue is made at once"


async def test_held_rounds_begin_nothing_and_go_on_where_they_were(make: Maker, world: World) -> None:
    runs = make(10)
    world.takes_s = 1.0
    runs.order([order(1), order(2)])
    await world.time.pass_until(0.5)
    runs.hold()
    runs.order([order(3)])
    await world.time.pass_until(30.0)
    assert [number for _, number in world.asked] == [1, 2]
    assert len(world.told) == 2, "those that ran have ended"
    runs.go_on()
    await world.time.pass_until(30.5)
    assert Counter(number for _, number in world.asked) == {1: 2, 2: 2, 3: 1}


async def test_a_dropped_check_ends_and_says_nothing_and_its_slot_is_free(make: Maker, world: World) -> None:
    world.takes_s = 5.0
    runs = make(1)
    runs.order([order(1), order(2)])
    await world.time.pass_until(1.0)
    runs.drop([1, 1, 99])
    await world.time.pass_until(2.0)
    assert [number for _, number in world.asked] == [1, 2]
    await world.time.pass_until(6.5)
    assert [told.number for told in world.told] == [2]


async def test_dropped_checks_leave_nothing_behind(make: Maker, world: World) -> None:
    runs = make(10)
    for number in range(1, 2000):
        runs.order([order(number, interval_s=600.0)])
        await settle()
        runs.drop([number])
    assert len(runs._heap) <= 2
    assert not runs._rounds


async def test_a_crash_of_whoever_is_told_stops_no_check(
    make: Maker, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    runs = make(10)

    def explode(outcome: Outcome) -> None:
        raise ValueError("a mistake of whoever listens")

    runs._tell = explode
    runs.order([order(1)])
    await world.time.pass_until(25.0)
    assert len(world.asked) == 3
    assert "a mistake of whoever listens" in caplog.text


async def test_a_check_with_a_fault_of_ours_is_told_and_goes_on(
    make: Maker, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    world.fails = KeyError("a mistake of ours")
    make(10).order([order(1)])
    await world.time.pass_until(25.0)
    assert [told.trouble for told in world.told] == [rounds.OWN_FAULT] * 3
    assert "a mistake of ours" in caplog.text


@pytest.mark.parametrize(
    ("limit", "part", "slots"),
    [
        (1024, 1.0, 960),
        (1024, 0.5, 448),
        (20, 1.0, SLOTS_LEAST),
        (1_048_576, 1.0, SLOTS_MAX),
        (-1, 0.5, SLOTS_MAX),
    ],
)
def test_there_are_fewer_slots_than_descriptors(
    limit: int, part: float, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds.resource, "getrlimit", lambda which: (limit, limit))
    assert slots_here(part) == slots


async def test_many_checks_that_begin_together_are_spread_over_the_whole_interval(make: Maker, world: World) -> None:
    make(10_000).order(order(number) for number in range(1, 2001))
    await world.time.pass_until(45.0)
    gaps = {number: [b - a for a, b in pairwise(world.asked_at(number))] for number in range(1, 2001, 7)}
    assert all(0 <= each[0] <= 10.0 and set(each[1:]) == {10.0} for each in gaps.values())
    seconds = Counter(int(at) for at, _ in world.asked if 20 <= at < 40)
    assert len(seconds) == 20 and min(seconds.values()) >= 150 and max(seconds.values()) <= 250


async def test_few_checks_keep_nearly_their_rhythm_from_the_beginning(make: Maker, world: World) -> None:
    make(10_000).order(order(number) for number in range(1, 21))
    await world.time.pass_until(45.0)
    for number in range(1, 21):
        first, *others = (b - a for a, b in pairwise(world.asked_at(number)))
        assert 10.0 * (1 - SPREAD) <= first <= 10.0 and set(others) == {10.0}
