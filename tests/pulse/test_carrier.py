"""Orders about the addresses: taken behind their table, dropped at once, and none reported that was taken back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from ipaddress import ip_address

import pytest

from piranha.ipvs.addresses import Held, RefusedAddress, WantedAddress
from piranha.pulse import carrier as carrier_module
from piranha.pulse.carrier import Carrier
from piranha.pulse.messages import Carry, refused_rows_of, rows_of
from tests.pulse.a_moment import a_moment, until

VIP = WantedAddress(Held("eth0", ip_address("192.0.2.1"), 24), "eth0:1", None, "virtual[web]")
REFUSED = RefusedAddress("virtual[mail]", "No interface has that name.", False)


class Floating:
    """The floating addresses: what is there, and what was asked for, in its order."""

    def __init__(self) -> None:
        self.here: tuple[WantedAddress, ...] = ()
        self.diary: list[str] = []
        self.refuses = False
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    @property
    def has_any(self) -> bool:
        return bool(self.here)

    def want_none(self) -> None:
        self.diary.append("want none")

    async def follow(
        self,
        wanted: Sequence[WantedAddress],
        unusable: Sequence[RefusedAddress] = (),
        draining: Collection[object] = (),
        *,
        asks_first: bool = True,
    ) -> None:
        self.diary.append(f"follow {len(wanted)} {len(unusable)} {len(draining)}{' asking' if asks_first else ''}")
        await self.may_go_on.wait()
        if not self.refuses:
            self.here = tuple(wanted)


@pytest.fixture
async def floating() -> Floating:
    return Floating()


class Told:
    def __init__(self) -> None:
        self.down: list[tuple[int, bool]] = []
        self.carried: list[int] = []


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def carrier(floating: Floating, told: Told) -> Carrier:
    return Carrier(floating, lambda order, any_: told.down.append((order, any_)), told.carried.append)  # type: ignore[arg-type]


@pytest.fixture
async def runs(carrier: Carrier) -> AsyncIterator[Callable[[], None]]:
    """Have the carrier run by itself."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(carrier.run(), name="orders")
        yield lambda: None
        task.cancel()


def carry(number: int, order: int, *wanted: WantedAddress) -> Carry:
    return Carry(number, order, rows_of(wanted), refused_rows_of([REFUSED]), ("192.0.2.7",))


async def test_addresses_are_taken_when_lvs_says_that_their_table_is_there(
    carrier: Carrier, floating: Floating, told: Told
) -> None:
    carrier.take(1)
    await carrier.turn()
    assert floating.diary == []
    carrier.carry(carry(5, 1, VIP))
    await carrier.turn()
    assert floating.diary == ["follow 1 1 1"] and floating.here == (VIP,) and told.carried == [5]


async def test_at_a_takeover_nobody_is_asked_first_and_later_everybody(carrier: Carrier, floating: Floating) -> None:
    carrier.take(1)
    for number in (5, 6):
        carrier.carry(carry(number, 1, VIP))
        await carrier.turn()
    carrier.take(3)
    carrier.carry(carry(7, 3, VIP))
    await carrier.turn()
    assert floating.diary == ["follow 1 1 1", "follow 1 1 1 asking", "follow 1 1 1"]


async def test_a_table_of_an_earlier_order_takes_nothing_and_is_acknowledged(
    carrier: Carrier, floating: Floating, told: Told
) -> None:
    carrier.take(3)
    carrier.carry(carry(5, 1, VIP))
    await carrier.turn()
    assert floating.diary == [] and told.carried == [5]


async def test_what_lvs_wants_while_the_router_is_passive_is_not_done(
    carrier: Carrier, floating: Floating, told: Told
) -> None:
    carrier.carry(carry(5, 0, VIP))
    await carrier.turn()
    assert floating.diary == [] and told.carried == [5]


async def test_every_number_is_acknowledged_also_those_of_an_lvs_that_began_anew(carrier: Carrier, told: Told) -> None:
    carrier.carry(carry(57, 0))
    await carrier.turn()
    for number in (1, 2):
        carrier.carry(carry(number, 0))
    await carrier.turn()
    await carrier.turn()
    assert told.carried == [57, 1, 2]


async def test_a_drop_is_reported_with_whether_there_were_any(carrier: Carrier, floating: Floating, told: Told) -> None:
    carrier.drop(1)
    await carrier.turn()
    floating.here = (VIP,)
    carrier.drop(2)
    await carrier.turn()
    await carrier.turn()
    assert told.down == [(1, False), (2, True)] and floating.here == ()


async def test_from_the_moment_of_a_drop_nothing_is_claimed_though_a_turn_is_under_way(
    carrier: Carrier, floating: Floating, runs: object, told: Told
) -> None:
    carrier.take(1)
    floating.may_go_on.clear()
    carrier.carry(carry(5, 1, VIP))
    await until(lambda: floating.diary)
    carrier.drop(2)
    assert floating.diary[-1] == "want none"
    floating.may_go_on.set()
    await until(lambda: told.down)
    assert told.down == [(2, True)] or told.down == [(2, False)]
    assert floating.here == ()


async def test_a_drop_that_was_taken_back_is_not_reported(carrier: Carrier, floating: Floating, told: Told) -> None:
    floating.here = (VIP,)
    carrier.drop(2)
    floating.may_go_on.clear()
    turn = asyncio.get_running_loop().create_task(carrier.turn())
    await a_moment(3)
    carrier.take(3)
    floating.may_go_on.set()
    await turn
    carrier.carry(carry(5, 3, VIP))
    await carrier.turn()
    assert told.down == [] and floating.here == (VIP,)


async def test_addresses_that_could_not_be_removed_are_not_down_and_tried_again(
    carrier: Carrier, floating: Floating, told: Told, runs: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_module, "TRY_AGAIN_S", 0.01)
    floating.here, floating.refuses = (VIP,), True
    carrier.drop(2)
    await until(lambda: floating.diary.count("follow 0 0 0") > 2)
    assert told.down == []
    floating.refuses = False
    await until(lambda: told.down)
    assert told.down == [(2, True)]


async def test_a_fault_costs_one_turn_and_not_the_carrier(
    carrier: Carrier, floating: Floating, told: Told, runs: object, caplog: pytest.LogCaptureFixture
) -> None:
    carrier.take(1)
    carrier.carry(Carry(5, 1, (rows_of([VIP])[0].__class__("eth0", "no address", 24, "", "", ""),)))
    await until(lambda: "the engine goes on" in caplog.text)
    carrier.carry(carry(6, 1, VIP))
    await until(lambda: 6 in told.carried)
    assert floating.here == (VIP,)


async def test_the_partner_is_told_of_connections_between_the_addresses_going_and_the_report_of_it(
    floating: Floating, told: Told
) -> None:
    async def moving() -> None:
        floating.diary.append(f"moving, {len(told.down)} reported")

    def down(order: int, were_any: bool) -> None:
        told.down.append((order, were_any))

    carrier = Carrier(floating, down, told.carried.append, moving)  # type: ignore[arg-type]
    floating.here = ("an address",)  # type: ignore[assignment]
    carrier.drop(3)
    await carrier.turn()
    assert floating.diary[-2:] == ["follow 0 0 0", "moving, 0 reported"] and told.down == [(3, True)]
    carrier.drop(4)
    await carrier.turn()
    assert floating.diary[-1] == "follow 0 0 0", "where there was none, nothing moves"
