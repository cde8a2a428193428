"""What an Apply would do is found out once, as long as it is true, and its impact is that of the last reading."""

from ipaddress import IPv4Address

import pytest

from piranha.config.model import Forwarding, Protocol
from piranha.engine import previews
from piranha.engine.previews import KEPT_S, Previews
from piranha.engine.servers import heard_of_all
from piranha.engine.view import told_steps
from piranha.health.check import Verdict
from piranha.health.machine import step
from piranha.health.overrides import Override
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Counters,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    Entry,
    Reading,
    RemoveDestination,
    RemoveService,
    Service,
    TableKey,
)

WEB = TableKey(Protocol.TCP, IPv4Address("127.0.0.2"), 80)
A, B = (DestinationKey(IPv4Address(f"127.0.0.1{number}"), 80) for number in (1, 2))


class Counted:
    """The previews of a balancer that runs `a` and `b`; counts how often one is found out. `clock` is seconds."""

    def __init__(self, balancer, monkeypatch) -> None:
        self.times, self.clock = 0, 0.0
        self.previews = Previews(balancer, lambda: self.clock)
        whole = balancer.preview

        async def counted(cluster):
            self.times += 1
            return await whole(cluster)

        monkeypatch.setattr(balancer, "preview", counted)

    async def steps(self, cluster) -> list[tuple[str, str]]:
        told = (await self.previews.of(cluster)).steps
        return [(each.step.partition(" 127.")[0], each.impact) for each in told]


@pytest.fixture
async def counted(balancer, cluster_of, block, monkeypatch) -> Counted:
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80")))
    await heard_of_all(list(balancer.nanny.healths), balancer.weighing.is_known, balancer._heard, 5.0)
    await balancer.turn()
    return Counted(balancer, monkeypatch)


@pytest.fixture
def without_b(cluster_of, block):
    return cluster_of(block("web", "a=127.0.0.11:80"))


async def test_it_is_found_out_once_while_nothing_changes(balancer, counted, without_b):
    first = await counted.steps(without_b)
    await balancer.turn()
    assert await counted.steps(without_b) == first == [("remove real server", "")]
    assert counted.times == 1
    counted.clock = KEPT_S + 1
    assert await counted.steps(without_b) == first
    assert counted.times == 2


async def test_its_impact_is_that_of_the_last_reading(balancer, path, counted, without_b):
    for active in (7, 8):
        path.counters[(WEB, B)] = Counters(active_connections=active)
        await balancer.turn()
        drains = f"{active} connections: drains, at most 300 s"
        assert await counted.steps(without_b) == [("change real server", drains)]
    assert counted.times == 1


async def test_without_a_turn_since_then_what_was_read_last_counts(path, counted, without_b):
    path.counters[(WEB, B)] = Counters(active_connections=7)  # the last turn saw none
    told = await counted.steps(without_b)
    assert told == [("change real server", "7 connections: drains, at most 300 s")]
    assert await counted.steps(without_b) == told and counted.times == 1


async def test_a_server_that_empties_leaves_at_once_and_one_with_connections_does_not(
    balancer, path, counted, without_b
):
    for active, does in ((0, "remove"), (1, "change"), (0, "remove")):
        path.counters[(WEB, B)] = Counters(active_connections=active)
        await balancer.turn()
        assert [each for each, _ in await counted.steps(without_b)] == [f"{does} real server"]
    assert counted.times == 3


async def test_another_text_a_verdict_an_override_and_an_apply_are_found_out_anew(
    balancer, counted, without_b, cluster_of, block
):
    await counted.steps(without_b)
    assert await counted.steps(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80"))) == []
    await counted.steps(without_b)
    assert counted.times == 3
    balancer.overrides = (Override(1, "weight", "", "127.0.0.11", 0, 5, "piranha", "", "2026-01-01T00:00:00+00:00"),)
    await balancer.turn()
    await counted.steps(without_b)
    assert counted.times == 4
    key = next(key for key in balancer.nanny.healths if str(key.address) == "127.0.0.12")
    fails = Verdict(False, "refused")
    balancer.nanny._healths[key], row = step(balancer.nanny.healths[key], fails, balancer.nanny.checks[key], 0.0)
    balancer._hear(key, balancer.nanny._healths[key], row)
    await balancer.turn()
    assert await counted.steps(without_b) == []
    assert counted.times == 5
    await balancer.switch(without_b)
    assert await counted.steps(without_b) == []
    assert counted.times == 6


async def test_what_was_done_meanwhile_is_not_told_again(balancer, path, counted, without_b):
    del path.entries[WEB]  # somebody else did that, and the balancer mends it
    assert ("add virtual server TCP", "") in await counted.steps(without_b)
    await balancer.turn()
    assert await counted.steps(without_b) == [("remove real server", "")]


async def test_while_something_is_refused_nothing_is_kept(balancer, path, counted, without_b):
    del path.entries[WEB]
    path.refuses[WEB] = "no room"
    await balancer.turn()
    await counted.steps(without_b)
    await counted.steps(without_b)
    assert counted.times == 2


async def test_what_others_put_into_the_table_is_seen(balancer, counted, without_b, monkeypatch):
    foreign: list[str] = []
    monkeypatch.setattr(previews, "foreign_in", lambda view: tuple(foreign))
    await counted.steps(without_b)
    foreign.append("127.0.0.99:80 of TCP 127.0.0.2:80")
    await balancer.turn()
    await counted.steps(without_b)
    assert counted.times == 2


NAT_1, NAT_0 = Destination(Forwarding.NAT, 1), Destination(Forwarding.NAT, 0)
NONE = Reading({}, {})
EMPTY = Reading({WEB: Entry(Service("rr"))}, {})
FULL = Reading({WEB: Entry(Service("wlc"), {A: NAT_1})}, {})


@pytest.mark.parametrize(
    ("one", "has_sense"),
    [
        (AddService(WEB, Service("rr")), (True, False, False)),
        (EditService(WEB, Service("rr")), (False, False, True)),
        (RemoveService(WEB), (False, True, True)),
        (AddDestination(WEB, A, NAT_1), (True, True, False)),
        (EditDestination(WEB, A, NAT_0), (False, False, True)),
        (EditDestination(WEB, A, NAT_1), (False, False, False)),
        (RemoveDestination(WEB, A), (False, False, True)),
    ],
)
def test_a_step_is_told_again_where_it_would_change_something(one, has_sense):
    told = told_steps([one], NONE, ())
    again = [told.again(reading) for reading in (NONE, EMPTY, FULL)]
    assert tuple(each is not None for each in again) == has_sense
    assert {each[0].step for each in again if each is not None} <= {told[0].step}
