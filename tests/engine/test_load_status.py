"""Load and slow start as the status tells them, over the socket and in the words of `piranha status`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from piranha.cli.report import of_status
from piranha.client import EngineClient
from piranha.config.health_settings import CheckSettings, WeightSettings
from piranha.engine import api
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.engine.weighing import HealthSettings
from piranha.status import LoadStatus, ServerStatus, SlowStartStatus
from piranha.system import unix_socket
from piranha.system.load_queries import NoAnswer

THREE = ("a=127.0.0.11:80*8", "b=127.0.0.12:80*8", "c=127.0.0.13:80*8")
Status = Callable[[], Awaitable[dict[str, ServerStatus]]]


@pytest.fixture
async def client(paths, balancer) -> AsyncIterator[Callable[[str], Awaitable[EngineClient]]]:
    """Start the engine with this lvs.cf; when its servers were checked, return a client. Nobody asks for loads."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:

        async def started(text: str) -> EngineClient:
            paths.lvs_cf.write_text(text)
            balancer.weighing.loads._keep_asking = lambda question: stop.wait()
            engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
            await engine.start()
            while any(health.checked_at is None for health in balancer.nanny.healths.values()):
                balancer._heard.clear()
                await balancer._heard.wait()
            await balancer.turn()
            listener = unix_socket.listen(paths.socket, mode=0o600)
            tasks.create_task(api.serve(api.application(engine), listener, stop), name="api")
            return EngineClient(paths.socket, "piranha", "127.0.0.1")

        yield started
        balancer.weighing.stop()
        stop.set()


async def servers_of(client: EngineClient) -> dict[str, ServerStatus]:
    (virtual,) = (await asyncio.to_thread(client.status)).virtual_servers
    return {server.name: server for server in virtual.servers}


def answer(question, stop, run_as) -> bytes:
    loads = {"127.0.0.11": "0.00", "127.0.0.12": "3.00"}
    if question.words[1] not in loads:
        raise NoAnswer("rup ended with status 1: no route")
    return f"load average: {loads[question.words[1]]}, 1, 1".encode()


async def test_configured_weight_load_and_what_it_makes_of_it_are_told(client, balancer, block) -> None:
    balancer.weighing.loads._ask = answer
    engine = await client(block("web", *THREE, extra="load_monitor = rup"))
    assert {each.explanation for each in (await servers_of(engine)).values()} == {"load not known yet (rup)"}
    for _ in range(2):
        for question in balancer.weighing.loads.questions:
            await balancer.weighing.loads._turn(question)
    await balancer.turn()
    found = await servers_of(engine)
    told = {
        name: (each.configured_weight, each.traffic.weight, each.load and (each.load.load, each.load.weight))
        for name, each in found.items()
    }
    assert told == {"a": (8, 16, (0.0, 16)), "b": (8, 5, (3.0, 5)), "c": (8, 8, (None, 8))}
    assert found["a"].load is not None and (found["a"].load.source.name, found["a"].load.problem) == ("rup", "")
    assert found["a"].load.source.age_s is not None and found["a"].load.source.age_s < 60
    assert found["c"].load == LoadStatus(None, 8, "rup ended with status 1: no route", found["c"].load.source)
    assert found["c"].load.source.age_s is None
    text = of_status(await asyncio.to_thread(engine.status))
    assert "answered; weight 16 because of its load; lvs.cf says 8; load 0 (rup)" in text
    assert "answered; weight 5 because of its load; lvs.cf says 8; load 3 (rup)" in text
    assert "answered; load not known: rup ended with status 1: no route" in text


async def test_a_weight_set_by_hand_is_told_beside_the_load(client, balancer, block) -> None:
    balancer.weighing.loads._ask = answer
    engine = await client(block("web", *THREE, extra="load_monitor = rup"))
    await asyncio.to_thread(engine.override, "virtual[web].server[b]", "weight", 7)
    for question in balancer.weighing.loads.questions:
        await balancer.weighing.loads._turn(question)
    await balancer.turn()
    server = (await servers_of(engine))["b"]
    assert (server.traffic.weight, server.explanation) == (7, "weight 7 set by hand; lvs.cf says 8; load 3 (rup)")


async def test_slow_start_is_told_with_its_end(client, balancer, block) -> None:
    settings = HealthSettings(CheckSettings(), WeightSettings(slow_start="original"))
    balancer.weighing.read_settings = lambda: settings
    engine = await client(block("web", "a=127.0.0.11:80*64"))
    server = (await servers_of(engine))["a"]
    assert (server.configured_weight, server.traffic.weight, server.load) == (64, 2, None)
    assert server.explanation == "weight 2 because of slow start; lvs.cf says 64"
    assert server.slow_start is not None and server.slow_start.weight == 2 and 80 < server.slow_start.ends_in_s <= 100
    assert isinstance(server.slow_start, SlowStartStatus)


async def test_without_either_nothing_is_told_of_them(client, block) -> None:
    engine = await client(block("web", *THREE))
    assert {(each.load, each.slow_start, each.explanation) for each in (await servers_of(engine)).values()} == {
        (None, None, "")
    }
