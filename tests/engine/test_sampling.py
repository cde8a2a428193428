"""Samples of the traffic, from what the balancer sees to what the API answers."""

import asyncio

import pytest

from piranha.client import EngineClient
from piranha.engine import api, openapi, sampling
from piranha.engine.balancer import Balancer
from piranha.engine.connections import QueryRefused
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.sampling import Sampling
from piranha.engine.service import Engine
from piranha.errors import EditRefused
from piranha.ipvs.table import Counters, Reading
from piranha.monitoring import SamplesQuery, StatusQuery
from piranha.system import unix_socket
from piranha.system.ipvs_netlink import Stats
from piranha.system.ipvs_values import KernelReading

WEB = "virtual[web]"


class Clock:
    """Monotonic seconds that go when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def balancer(path, probes, clock, cluster_of, block):
    async with asyncio.TaskGroup() as tasks:
        found = Balancer(path, tasks, clock, probes)
        await found.switch(cluster_of(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80")))
        while any(health.checked_at is None for health in found.nanny.healths.values()):
            found._heard.clear()
            await found._heard.wait()
        await found.turn()
        yield found
        found.nanny.stop()


def count(path, connections: int, bytes_in: int, active: int) -> None:
    """Have each of the real servers counted so much."""
    for key, entry in path.entries.items():
        for each in entry.destinations:
            path.counters[key, each] = Counters(active, 0, connections, bytes_in, bytes_in * 10)


async def test_samples_are_what_the_counters_grew_by_and_what_there_is(path, balancer, clock):
    samples = Sampling(balancer, clock)
    for connections in (0, 15, 45):
        count(path, connections, connections * 100, 3)
        await balancer.turn()
        await samples.sample()
        clock.now += 15
    told = await samples.asked(SamplesQuery(WEB))
    assert (told.virtual, told.name, told.interval_s, told.kept_s) == (WEB, "web", 15, 3600)
    assert [(each.connections, each.bytes_in, each.bytes_out, each.active) for each in told.samples] == [
        (None, None, None, 6),
        (2.0, 200.0, 2000.0, 6),
        (4.0, 400.0, 4000.0, 6),
    ]
    assert [each.at for each in told.samples] == sorted(each.at for each in told.samples)


async def test_a_table_that_cannot_be_read_is_a_gap(path, balancer, clock):
    samples = Sampling(balancer, clock)
    count(path, 0, 0, 1)
    for trouble in ("", "The kernel does not answer.", ""):
        path.unavailable = trouble
        await balancer.turn()
        await samples.sample()
        clock.now += 15
    told = (await samples.asked(SamplesQuery(WEB))).samples
    assert [each.active for each in told] == [2, None, 2]
    assert [each.connections for each in told] == [None, None, None]


async def test_where_the_data_path_counts_the_virtual_server_as_a_whole_that_counts(path, balancer, clock, monkeypatch):
    fine = path.present

    async def present() -> Reading:
        reading = await fine()
        totals = {key: Stats(int(clock.now) - 1000, 0, 0, 30, 60) for key in reading.table}
        return KernelReading(reading.table, reading.counters, service_stats=totals)

    monkeypatch.setattr(path, "present", present)
    samples = Sampling(balancer, clock)
    for _ in range(2):
        await balancer.turn()
        await samples.sample()
        clock.now += 15
    assert [each.connections for each in (await samples.asked(SamplesQuery(WEB))).samples] == [None, 1.0]


async def test_a_virtual_server_that_does_not_run_has_none_and_none_at_all_is_refused(balancer, clock):
    samples = Sampling(balancer, clock)
    await samples.sample()
    told = await samples.asked(SamplesQuery("virtual[gone]"))
    assert (told.name, told.samples) == ("", ())
    with pytest.raises(QueryRefused, match="Say of which virtual server"):
        await samples.asked(SamplesQuery(" "))


async def test_the_sampling_goes_on_whatever_happens_to_it(balancer, clock, monkeypatch, caplog):
    samples = Sampling(balancer, clock)
    monkeypatch.setattr(sampling, "SAMPLE_S", 0.0)
    done = asyncio.Event()
    looks: list[int] = []

    async def sample() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise ZeroDivisionError("a fault of ours")
        done.set()

    monkeypatch.setattr(samples, "sample", sample)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(samples.keep_sampling())
        await done.wait()
        keeping.cancel()
    assert "ZeroDivisionError" in caplog.text


async def test_samples_parts_summary_stop_and_start_are_calls_of_the_api(paths, path, probes, block):
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80"))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        now = asyncio.get_running_loop().time
        balancer = Balancer(path, tasks, now, probes)
        engine = Engine(ConfigKeeper(paths), balancer, now)
        await engine.start()
        await engine.sampling.sample()
        listener = unix_socket.listen(paths.socket, mode=0o600)
        tasks.create_task(api.serve(api.application(engine), listener, stop), name="api")
        client = EngineClient(paths.socket, "ann", "192.0.2.7")

        def use() -> None:
            assert client.samples(WEB).name == "web"
            with pytest.raises(EditRefused) as refused:
                client.samples("")
            assert refused.value.keyword == "virtual"
            assert client.status().part is None
            told = client.status(StatusQuery(text="web"))
            assert told.part is not None and told.part.matching == 1
            with pytest.raises(EditRefused) as refused:
                client.status(StatusQuery(first="none"))
            assert refused.value.keyword == "first"
            assert client.summary().counts.virtual_servers == 1
            assert client.stop().state == "stopped"
            stopped = client.summary()
            assert stopped.state == "stopped" and stopped.stopped is not None and stopped.stopped.who == "ann"
            assert client.start().changed

        await asyncio.to_thread(use)
        balancer.nanny.stop()
        stop.set()


def test_the_description_says_what_each_call_takes() -> None:
    paths = openapi.description()["paths"]
    assert {each["name"] for each in paths["/v1/status"]["get"]["parameters"]} == {
        "path",
        "text",
        "only",
        "first",
        "limit",
        "servers",
    }
    assert [each["name"] for each in paths["/v1/samples"]["get"]["parameters"]] == ["virtual"]
    assert {"200", "503"} <= paths["/v1/stop"]["post"]["responses"].keys()
    assert "/v1/summary" in paths
