"""What the parts of the engine see becomes events, once, with the written path that it is about."""

import asyncio

import pytest

from piranha.config.load import load
from piranha.config.model import Forwarding
from piranha.engine.caller import Caller
from piranha.engine.events import Events
from piranha.engine.happenings import Happenings
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.role import ACTIVE, Standing
from piranha.engine.servers import checks_of
from piranha.engine.service import Engine
from piranha.health.machine import TRANSITIONS
from piranha.ipvs.desired import Desired, desired
from piranha.ipvs.drain import Draining
from piranha.ipvs.table import Counters, Service
from piranha.messages import ApplyRequest
from piranha.records import EventsQuery
from piranha.status import AddressState, AddressStatus, HealthState

WEB, A, B = "virtual[web]", "virtual[web].server[a]", "virtual[web].server[b]"
PASSIVE = Standing(False, "This router is passive: the other one has the address.")
UP = next(row for row in TRANSITIONS if row.state is HealthState.DOWN and row.becomes is HealthState.UP)
DOWN = next(row for row in TRANSITIONS if row.state is HealthState.UP and row.becomes is HealthState.DOWN)


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def seen(events) -> Happenings:
    return Happenings(events)


@pytest.fixture
def both(block) -> str:
    return block("web", "a=127.0.0.11:80", "b=127.0.0.12:80")


async def told(events: Events) -> list[tuple[str, str]]:
    return [(event.kind, event.about) for event in reversed((await events.asked(EventsQuery())).events)]


def target(text: str) -> Desired:
    return desired(load(text).cluster, {}, {})


async def test_a_server_that_goes_down_and_up_is_told_with_its_path_and_reason(events, seen, both):
    cluster = load(both).cluster
    seen.runs(cluster)
    check = next(iter(checks_of(cluster).values()))
    seen.checked(check, DOWN, "connection refused")
    seen.checked(check, UP, "it answered")
    assert await told(events) == [("server-down", A), ("server-up", A)]
    sentence = (await events.asked(EventsQuery(kind="server-down"))).events[0].sentence
    assert "127.0.0.11:80" in sentence and "connection refused" in sentence


async def test_a_server_that_left_lvs_cf_is_still_known_by_its_path(events, seen, both, block):
    seen.runs(load(both).cluster)
    seen.runs(load(block("web", "a=127.0.0.11:80")).cluster)
    check = next(each for key, each in checks_of(load(both).cluster).items() if str(key.address) == "127.0.0.12")
    seen.checked(check, DOWN, "x")
    assert await told(events) == [("server-down", B)]


async def test_drains_are_told_when_they_begin_and_when_they_end(events, seen, both, block):
    before, after = target(both), target(block("web", "a=127.0.0.11:80"))
    seen.runs(load(both).cluster)
    seen.turned(ACTIVE, before, (), {})
    place = next(place for key, place in before.links.items() if str(key.address) == "127.0.0.12")
    service = Service("rr")
    draining = Draining(*place, Forwarding.NAT, service, ends_at=300.0)
    for _ in range(3):
        seen.turned(ACTIVE, after, (draining,), {})
    seen.turned(ACTIVE, after, (), {})
    seen.turned(ACTIVE, after, (), {})
    assert await told(events) == [("drain", B), ("drained", B)]
    assert place[0].words in (await events.asked(EventsQuery(kind="drain"))).events[0].sentence


async def test_what_is_refused_is_told_once_and_when_it_works_again(events, seen, both):
    now = target(both)
    key = now.services[WEB]
    seen.turned(ACTIVE, now, (), {})
    for reason in ("The port is taken.", "The port is taken.", "No such device.", ""):
        seen.turned(ACTIVE, now, (), {key: reason} if reason else {})
    assert await told(events) == [("refused", WEB), ("refused", WEB), ("works-again", WEB)]


async def test_a_router_that_is_active_from_the_start_is_no_news(events, seen, both):
    now = target(both)
    for standing in (ACTIVE, ACTIVE, PASSIVE, PASSIVE, ACTIVE):
        seen.turned(standing, now, (), {})
    assert await told(events) == [("passive", ""), ("active", "")]
    assert (await events.asked(EventsQuery(kind="passive"))).events[0].sentence == PASSIVE.reason


async def test_a_router_that_is_passive_from_the_start_is(events, seen, both):
    seen.turned(PASSIVE, target(both), (), {})
    assert await told(events) == [("passive", "")]


def address(state: AddressState, host: str = "192.0.2.1/24", sentence: str = "") -> AddressStatus:
    return AddressStatus(host, "eth0", "eth0:1", WEB, state, sentence)


async def test_addresses_are_told_when_they_come_go_and_meet_a_second_owner(events, seen):
    carried = address(AddressState.CARRIED)
    conflict = address(AddressState.CONFLICT, sentence="Another station has it too.")
    for standings in ([], [carried], [carried], [conflict], [conflict], [carried], []):
        seen.addresses(standings)
    assert await told(events) == [
        ("address-claimed", WEB),
        ("address-conflict", WEB),
        ("address-claimed", WEB),
        ("address-yielded", WEB),
    ]
    assert "Another station" in (await events.asked(EventsQuery(kind="address-conflict"))).events[0].sentence


async def test_one_that_could_not_be_added_is_told_and_nobody_gave_it_up(events, seen):
    refused = address(AddressState.REFUSED, sentence="There is no device eth0.")
    for standings in ([], [refused], [refused], []):
        seen.addresses(standings)
    assert await told(events) == [("address-refused", WEB)]


async def test_addresses_that_others_brought_are_no_news_at_the_start(events, seen):
    seen.addresses([address(AddressState.WAS_THERE), address(AddressState.CARRIED, "192.0.2.2/24")])
    assert await told(events) == [("address-claimed", WEB)]


async def test_troubles_of_the_router_as_a_whole_are_told_when_they_begin_and_end(events, seen):
    for troubles in ([], ["The table cannot be read."], ["The table cannot be read."], []):
        seen.troubles(troubles)
    assert await told(events) == [("refused", ""), ("works-again", "")]


async def test_an_engine_tells_what_its_parts_see(paths, balancer, path, both, block):
    troubles = ["The table cannot be read."]
    paths.lvs_cf.write_text(both)
    engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time, lambda: tuple(troubles))
    await engine.start()
    while any(health.checked_at is None for health in balancer.nanny.healths.values()):
        balancer._heard.clear()
        await balancer._heard.wait()
    await balancer.turn()
    place = next(
        (key, each) for key, entry in path.entries.items() for each in entry.destinations if "12:" in str(each)
    )
    path.counters[place] = Counters(active_connections=1)
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80"))
    await engine.apply(ApplyRequest(), Caller("ann"))
    engine.tell_troubles()
    troubles.clear()
    engine.tell_troubles()
    assert sorted((await told(engine.events))[2:]) == [
        ("applied", ""),
        ("drain", B),
        ("hand-edit", ""),
        ("refused", ""),
        ("server-up", A),
        ("server-up", B),
        ("works-again", ""),
    ]
