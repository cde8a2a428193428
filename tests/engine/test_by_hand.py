"""Drains and weights set by hand that have an end: they go by themselves, over restarts too."""

import asyncio
from datetime import UTC, datetime

import pytest

from piranha.engine import by_hand
from piranha.engine.caller import Caller
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.errors import ConfigUnavailable, EditRefused
from piranha.messages import OVERRIDE_MOST_S, ClearRequest, OverrideRequest
from piranha.records import EventsQuery

NOW = 1_900_000_000.0
A = "virtual[web].server[a]"
WHO = Caller("anna", "192.0.2.5")


class WallClock:
    """The time of day, which goes when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> WallClock:
    return WallClock()


@pytest.fixture
async def engine_on(paths, balancer, wall):
    """Return a function that starts an engine on this router, as another start would."""

    async def started() -> Engine:
        engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time, wall_clock=wall)
        await engine.start()
        while any(health.checked_at is None for health in balancer.nanny.healths.values()):
            balancer._heard.clear()
            await balancer._heard.wait()
        await balancer.turn()
        return engine

    return started


@pytest.fixture
async def engine(paths, block, engine_on) -> Engine:
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80*3", "b=127.0.0.12:80"))
    return await engine_on()


async def events_of(engine: Engine) -> list[tuple[str, str, str]]:
    told = await engine.events.asked(EventsQuery(kind="override,override-cleared"))
    return [(each.kind, each.about, each.sentence) for each in reversed(told.events)]


async def test_a_drain_with_an_end_goes_by_itself_then_and_says_so(engine, path, wall, caplog):
    caplog.set_level("INFO")
    answer = await engine.override(OverrideRequest(A, "drain", for_s=900), WHO)
    assert path.weights()["127.0.0.11:80"] == 0
    (told,) = (await engine.status()).overrides
    assert told.ends_in_s == 900 and datetime.fromisoformat(told.until).timestamp() == NOW + 900
    assert answer.until == told.until
    wall.now += 899.5
    await engine.end_overrides_due()
    assert path.weights()["127.0.0.11:80"] == 0
    wall.now += 0.5
    await engine.end_overrides_due()
    assert path.weights()["127.0.0.11:80"] == 3
    assert (await engine.status()).overrides == ()
    sentence = f"{A}: the drain by hand, set by anna at {told.since}, is over."
    assert (await events_of(engine))[-1] == ("override-cleared", A, sentence)
    assert sentence in caplog.text


async def test_a_weight_may_have_an_end_at_a_time_of_day(engine, path, wall):
    until = datetime.fromtimestamp(NOW + 3600, UTC).isoformat()
    await engine.override(OverrideRequest("127.0.0.11", "weight", 9, until=until), WHO)
    assert path.weights()["127.0.0.11:80"] == 9
    wall.now += 3600
    await engine.end_overrides_due()
    assert path.weights()["127.0.0.11:80"] == 3


async def test_an_end_survives_a_restart_and_is_the_same_moment(engine, engine_on, balancer, path, wall):
    await engine.override(OverrideRequest(A, "drain", for_s=900), WHO)
    balancer.overrides = ()
    wall.now += 600
    again = await engine_on()
    assert path.weights()["127.0.0.11:80"] == 0
    assert (await again.status()).overrides[0].ends_in_s == 300


async def test_what_was_over_before_a_restart_is_never_in_force_and_is_told(engine, engine_on, balancer, path, wall):
    await engine.override(OverrideRequest(A, "drain", for_s=900), WHO)
    await balancer.turn()
    path.taken.clear()
    wall.now += 901
    again = await engine_on()
    assert [step.destination.weight for step in path.taken] == [3]
    assert (await events_of(again))[-1][0] == "override-cleared"
    balancer.overrides = ()
    assert (await (await engine_on()).status()).overrides == ()


async def test_one_without_an_end_stays_and_a_new_one_takes_the_end_away(engine, path, wall):
    await engine.override(OverrideRequest(A, "drain", for_s=900), WHO)
    await engine.override(OverrideRequest(A, "drain"), WHO)
    wall.now += 10**9
    await engine.end_overrides_due()
    assert path.weights()["127.0.0.11:80"] == 0
    await engine.clear_overrides(ClearRequest(A), WHO)
    assert path.weights()["127.0.0.11:80"] == 3


async def test_a_disk_that_refuses_keeps_no_drain_in_force(engine, path, wall, monkeypatch, caplog):
    await engine.override(OverrideRequest(A, "drain", for_s=900), WHO)

    def refuse(*_: object) -> None:
        raise ConfigUnavailable("The disk is full.")

    monkeypatch.setattr(by_hand.override_store, "write", refuse)
    wall.now += 900
    await engine.end_overrides_due()
    assert path.weights()["127.0.0.11:80"] == 3
    assert "The disk is full." in caplog.text


@pytest.mark.parametrize(
    ("end", "keyword", "why"),
    [
        ({"for_s": -1}, "for_s", "is not between 1 and"),
        ({"for_s": OVERRIDE_MOST_S + 1}, "for_s", "is not between 1 and"),
        ({"until": "soon"}, "until", "is no time"),
        ({"until": "2001-01-01T00:00:00+00:00"}, "until", "is not in the 366 days from now"),
        ({"until": "2999-01-01T00:00:00+00:00"}, "until", "is not in the 366 days from now"),
        ({"until": "9999-12-31T23:59:59-23:59"}, "until", "is no"),
        ({"until": "2031-01-01T00:00:00", "for_s": 5}, "until", "not both"),
    ],
)
async def test_an_end_that_is_none_is_refused_by_name(engine, path, end, keyword, why):
    with pytest.raises(EditRefused, match=why) as refused:
        await engine.override(OverrideRequest(A, "drain", **end), WHO)
    assert refused.value.keyword == keyword
    assert path.weights()["127.0.0.11:80"] == 3
