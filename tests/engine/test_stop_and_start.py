"""STOP and START of LVS: the engine stays up, what it finds after a crash is what an operator left."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from piranha.config.model import Cluster
from piranha.engine import standstill
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.confirming import AGAIN_S
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.role import ACTIVE, Standing
from piranha.engine.service import Engine
from piranha.engine.table_store import TableStore
from piranha.errors import ConfigUnavailable, ConfirmationPending, UnsafePlan
from piranha.messages import ApplyRequest, ClearRequest, ConfirmRequest, OverrideRequest
from piranha.records import AuditQuery, EventsQuery
from piranha.status import RunState
from piranha.system.boot import BootClock

ANN = Caller("ann", "192.0.2.7")
A, B = "127.0.0.11:80", "127.0.0.12:80"


@dataclass
class Boot:
    name: str = "boot 1"
    now: float = 1000.0

    @property
    def clock(self) -> BootClock:
        return BootClock(lambda: self.name, lambda: self.now)


Started = Callable[[], Awaitable[Engine]]


@pytest.fixture
def boot() -> Boot:
    return Boot()


@pytest.fixture
def engine_of(paths, balancer, boot) -> Started:
    """Start an engine, as after a crash if one ran before."""

    async def started() -> Engine:
        engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time, clock=boot.clock)
        await engine.start()
        await checked(balancer)
        return engine

    return started


async def checked(balancer: Balancer) -> None:
    while any(health.checked_at is None for health in balancer.nanny.healths.values()):
        balancer._heard.clear()
        await balancer._heard.wait()
    await balancer.turn()


@pytest.fixture
async def engine(paths, block, engine_of) -> Engine:
    paths.lvs_cf.write_text("serial_no = 7\n" + block("web", f"a={A}"))
    return await engine_of()


async def kinds(engine: Engine) -> list[str]:
    return [each.kind for each in reversed((await engine.events.asked(EventsQuery())).events)]


async def test_a_stop_runs_nothing_says_who_and_when_and_a_start_runs_again(engine, path, balancer, probes):
    assert path.weights() == {A: 1}
    answer = await engine.stop(ANN)
    assert (answer.changed, answer.state) == (True, RunState.STOPPED)
    assert answer.sentence == "LVS is stopped: one virtual server was taken down, addresses first."
    assert path.entries == {} and balancer.nanny.checks == {}
    status = await engine.status()
    assert status.state is RunState.STOPPED and status.virtual_servers == ()
    assert status.stopped is not None and (status.stopped.who, status.stopped.from_address) == ("ann", "192.0.2.7")
    assert status.reason == f"by ann from 192.0.2.7 at {status.stopped.at}"
    await balancer.turn()
    assert path.entries == {}
    answer = await engine.start_again(ANN)
    assert (answer.changed, answer.state, answer.messages) == (True, RunState.RUNNING, ())
    assert answer.sentence == "LVS runs lvs.cf, serial_no 7."
    await checked(balancer)
    assert path.weights() == {A: 1}
    status = await engine.status()
    assert (status.state, status.stopped, status.reason) == (RunState.RUNNING, None, "")
    assert [each for each in await kinds(engine) if each.startswith("lvs-")] == ["lvs-stopped", "lvs-started"]
    entries = (await engine.audit.asked(AuditQuery())).entries
    assert [(each.verb, each.result, each.who) for each in entries] == [
        ("start", "done", "ann"),
        ("stop", "done", "ann"),
    ]


async def test_a_second_stop_and_a_start_of_what_runs_change_nothing(engine, path):
    assert not (await engine.start_again(ANN)).changed
    await engine.stop(ANN)
    again = await engine.stop(Caller("bob"))
    assert not again.changed and "stopped already: stopped by ann" in again.sentence


async def test_after_a_crash_it_stays_stopped_and_says_so(engine, engine_of, path, balancer, caplog):
    await engine.stop(ANN)
    again = await engine_of()
    assert path.entries == {}
    status = await again.status()
    assert status.state is RunState.STOPPED and "by ann" in status.reason
    assert "LVS was stopped by ann from 192.0.2.7" in caplog.text and "stays so until it is started" in caplog.text
    await again.start_again(ANN)
    await checked(balancer)
    assert path.weights() == {A: 1}
    assert (await (await engine_of()).status()).state is RunState.RUNNING


async def test_a_stop_that_was_killed_in_the_middle_is_finished_by_the_next_start(engine, engine_of, path, monkeypatch):
    async def killed(_: Balancer) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(Balancer, "halt", killed)
        with pytest.raises(asyncio.CancelledError):
            await engine.stop(ANN)
    assert path.weights() == {A: 1}
    again = await engine_of()
    assert path.entries == {} and (await again.status()).state is RunState.STOPPED


async def test_another_boot_and_an_operators_start_of_the_engine_end_it(engine, engine_of, paths, boot, path):
    await engine.stop(ANN)
    boot.name = "boot 2"
    second = await engine_of()
    assert (await second.status()).state is RunState.RUNNING and not paths.standstill.exists()
    assert (await second.stop(ANN)).changed
    ConfigKeeper(paths).note_stopped_by_operator()
    assert (await (await engine_of()).status()).state is RunState.RUNNING
    assert (await (await engine_of()).status()).state is RunState.RUNNING, "and it is over for good"


async def test_a_revert_that_the_disk_refused_is_tried_again_and_starts_nothing(
    engine, paths, block, path, boot, monkeypatch
):
    old = paths.lvs_cf.read_text()
    paths.lvs_cf.write_text("serial_no = 8\n" + block("web", f"a={A}*5"))
    await engine.apply(ApplyRequest(confirm_s=60), ANN)

    def refuse(*_: object, **__: object) -> None:
        raise ConfigUnavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(ConfigKeeper, "note_applied", refuse)
        await engine.stop(ANN)
        assert (await engine.status()).confirmation.problem
        boot.now += AGAIN_S
        await engine.revert_due()
        assert path.entries == {}
    boot.now += AGAIN_S
    await engine.revert_due()
    assert path.entries == {} and (await engine.status()).confirmation is None
    assert paths.running_cf.read_text() == old.replace("serial_no = 7", "serial_no = 9")


async def test_what_is_set_by_hand_keeps_its_names_while_it_is_stopped_and_can_be_set_and_cleared(
    engine, path, balancer, paths
):
    server = "virtual[web].server[a]"
    await engine.stop(ANN)
    await engine.override(OverrideRequest(server, "drain"), ANN)
    assert [each.target for each in (await engine.status()).overrides] == [server]
    await engine.start_again(ANN)
    await checked(balancer)
    assert path.weights() == {A: 0}
    await engine.stop(ANN)
    assert (await engine.clear_overrides(ClearRequest(server), ANN)).servers == (server,)
    assert (await engine.status()).overrides == ()


async def test_a_start_takes_what_is_saved(engine, paths, block, path, balancer):
    await engine.stop(ANN)
    paths.lvs_cf.write_text("serial_no = 8\n" + block("web", f"a={A}*5", f"b={B}"))
    answer = await engine.start_again(ANN)
    assert answer.sentence == "LVS runs lvs.cf, serial_no 8."
    await checked(balancer)
    assert path.weights() == {A: 5, B: 1}
    assert (await engine.status()).config.is_applied
    assert paths.running_cf.read_bytes() == paths.lvs_cf.read_bytes()


async def test_a_start_with_errors_in_lvs_cf_runs_what_was_applied_last_and_says_so_loudly(
    engine, paths, block, path, balancer, caplog
):
    await engine.stop(ANN)
    paths.lvs_cf.write_text(block("web", f"a={A}", extra="port = 70000"))
    answer = await engine.start_again(ANN)
    assert answer.sentence == "LVS runs what was applied last, serial_no 7; lvs.cf is not what runs."
    assert any("lvs.cf has errors in what would run" in message for message in answer.messages)
    assert any("lvs.cf has errors in what would run" in message for message in (await engine.status()).messages)
    assert "lvs.cf has errors in what would run" in caplog.text
    await checked(balancer)
    assert path.weights() == {A: 1}


async def test_a_start_where_there_is_nothing_says_why_nothing_runs(engine_of, paths, path):
    engine = await engine_of()
    assert "there is no" in (await engine.status()).reason
    await engine.stop(ANN)
    answer = await engine.start_again(ANN)
    assert answer.state is RunState.IDLE and "nothing runs: there is no" in answer.sentence
    assert (await engine.status()).state is RunState.IDLE


async def test_a_start_of_an_idle_engine_is_an_operators_start_too(engine_of, paths, block, path, balancer):
    engine = await engine_of()
    paths.lvs_cf.write_text(block("web", f"a={A}"))
    assert (await engine.start_again(ANN)).state is RunState.RUNNING
    await checked(balancer)
    assert path.weights() == {A: 1}


async def test_nothing_is_applied_while_it_is_stopped(engine, paths, block, path):
    await engine.stop(ANN)
    paths.lvs_cf.write_text(block("web", f"a={A}*5"))
    assert any("LVS is stopped by ann" in each for each in (await engine.plan()).refusals)
    with pytest.raises(UnsafePlan, match="START on CONTROL/MONITORING"):
        await engine.apply(ApplyRequest(), ANN)
    assert path.entries == {}


async def test_a_stop_takes_an_apply_back_that_waits_for_its_confirmation(
    engine, engine_of, paths, block, path, balancer, boot
):
    old = paths.lvs_cf.read_text()
    paths.lvs_cf.write_text("serial_no = 8\n" + block("web", f"a={A}*5"))
    await engine.apply(ApplyRequest(confirm_s=60), ANN)
    with pytest.raises(ConfirmationPending):
        await engine.apply(ApplyRequest(), ANN)
    answer = await engine.stop(ANN)
    assert path.entries == {}
    assert any("LVS is stopped, and what ran before is lvs.cf again" in each for each in answer.messages)
    assert (await engine.status()).confirmation is None
    boot.now += 120
    await engine.revert_due()
    assert path.entries == {}, "the time that was given is over, and nothing starts by itself"
    again = await engine_of()
    assert path.entries == {} and (await again.status()).state is RunState.STOPPED
    await again.start_again(ANN)
    await checked(balancer)
    assert path.weights() == {A: 1}
    assert paths.lvs_cf.read_text() == old.replace("serial_no = 7", "serial_no = 9")


async def test_a_crash_between_the_stop_and_the_revert_starts_nothing(
    engine, engine_of, paths, block, path, balancer, monkeypatch
):
    paths.lvs_cf.write_text("serial_no = 8\n" + block("web", f"a={A}*5"))
    await engine.apply(ApplyRequest(confirm_s=60), ANN)

    async def killed(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(type(engine._applying), "go_back", killed)
        with pytest.raises(asyncio.CancelledError):
            await engine.stop(ANN)
    again = await engine_of()
    status = await again.status()
    assert path.entries == {} and status.state is RunState.STOPPED and status.confirmation is None
    await again.start_again(ANN)
    await checked(balancer)
    assert path.weights() == {A: 1}


async def test_a_start_while_an_apply_waits_in_an_idle_engine_is_refused(engine_of, paths, block):
    paths.lvs_cf.write_text(block("web", f"a={A}", active=0))
    engine = await engine_of()
    await engine.apply(ApplyRequest(confirm_s=60, force=True), ANN)
    with pytest.raises(ConfirmationPending):
        await engine.start_again(ANN)
    await engine.confirm(ConfirmRequest(), ANN)
    assert (await engine.start_again(ANN)).changed


async def test_a_disk_that_refuses_stops_nothing_and_starts_nothing(engine, path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise ConfigUnavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(standstill.files, "write_atomically", refuse)
        with pytest.raises(ConfigUnavailable, match="The disk is full"):
            await engine.stop(ANN)
    assert path.weights() == {A: 1} and (await engine.status()).state is RunState.RUNNING
    await engine.stop(ANN)
    with monkeypatch.context() as patched:
        patched.setattr(standstill.files, "remove", refuse)
        with pytest.raises(ConfigUnavailable, match="The disk is full"):
            await engine.start_again(ANN)
    assert path.entries == {} and (await engine.status()).state is RunState.STOPPED


async def test_a_record_that_makes_no_sense_starts_loudly(engine, engine_of, paths, path):
    await engine.stop(ANN)
    paths.standstill.write_text("{")
    again = await engine_of()
    status = await again.status()
    assert status.state is RunState.RUNNING and any("cannot be read" in each for each in status.messages)


async def test_a_stop_of_a_shared_table_takes_addresses_first_and_leaves_what_is_foreign(
    paths, path, probes, block, cluster_of
):
    path.shares = True
    seen: list[tuple[int, int]] = []

    async def follow(carried: Cluster, resolved: object) -> None:
        seen.append((len(carried.virtual_servers), len(path.entries)))

    async with asyncio.TaskGroup() as tasks:
        now = asyncio.get_running_loop().time
        balancer = Balancer(path, tasks, now, probes, store=TableStore(paths), after_turn=follow)
        await balancer.switch(cluster_of(block("web", f"a={A}") + block("api", f"b={B}", port=81)))
        await checked(balancer)
        foreign = next(iter(cluster_of(block("other", port=99)).active_virtual_servers))
        other = type(next(iter(path.entries)))(foreign.protocol, foreign.address.host, 99)
        path.entries[other] = next(iter(path.entries.values()))
        seen.clear()
        await balancer.halt()
        assert seen[0] == (0, 3), "no address any more while the table is whole"
        assert list(path.entries) == [other]
        await balancer.turn()
        assert list(path.entries) == [other]
        balancer.nanny.stop()


async def test_a_stop_of_a_passive_router_makes_it_not_active(path, probes, block, cluster_of, caplog):
    passive = Standing(False, "This router is the backup.")

    def standing(cluster: Cluster, resolved: object) -> Standing:
        return passive if cluster.virtual_servers else ACTIVE

    async with asyncio.TaskGroup() as tasks:
        balancer = Balancer(path, tasks, asyncio.get_running_loop().time, probes, standing_in=standing)
        await balancer.switch(cluster_of(block("web", f"a={A}")))
        await balancer.halt()
        await balancer.turn()
        assert balancer.standing is passive and "becomes active" not in caplog.text
        balancer.nanny.stop()
