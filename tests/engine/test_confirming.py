"""An Apply with confirmation, on a table of the test's own and with a clock that goes when it is told to."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import pytest

from piranha.config.edits import SetValues
from piranha.config.load import token_of
from piranha.config.unconfirmed import Unconfirmed
from piranha.engine import confirming as confirming_module
from piranha.engine.caller import Caller
from piranha.engine.confirming import AGAIN_S
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.errors import (
    ConfigConflict,
    ConfigUnavailable,
    ConfirmationPending,
    EditRefused,
    NothingPending,
    UnsafePlan,
)
from piranha.ipvs.table import Counters
from piranha.messages import ApplyRequest, ConfirmRequest, SaveRequest
from piranha.records import AuditQuery, EventsQuery
from piranha.status import RunState
from piranha.system import confirmation_store, lvs_cf
from piranha.system.boot import BootClock
from piranha.system.files import NotConfirmed

ANN, BOB = Caller("ann", "192.0.2.7"), Caller("bob")
A, B = "127.0.0.11:80", "127.0.0.12:80"
START, CONFIRM_S = 1000.0, 60


@dataclass
class Boot:
    """A boot of the machine and its clock."""

    name: str = "boot 1"
    now: float = START

    @property
    def clock(self) -> BootClock:
        return BootClock(lambda: self.name, lambda: self.now)


@pytest.fixture
def boot() -> Boot:
    return Boot()


@pytest.fixture
def old(block) -> str:
    return "serial_no = 7\n" + block("web", f"a={A}")


@pytest.fixture
def new(block) -> str:
    return "serial_no = 8\n" + block("web", f"a={A}", f"b={B}")


@pytest.fixture
def engine_of(paths, balancer, boot) -> Callable[[], Awaitable[Engine]]:
    """Start an engine, as after a crash if one ran before."""

    async def started() -> Engine:
        engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time, clock=boot.clock)
        await engine.start()
        return engine

    return started


@pytest.fixture
async def engine(engine_of, paths, balancer, old, new) -> Engine:
    """An engine that runs the old text while the new one is saved."""
    paths.lvs_cf.write_text(old)
    found = await engine_of()
    await table(balancer)
    paths.lvs_cf.write_text(new)
    return found


async def table(balancer) -> dict[str, int]:
    """Return the table when every check was made."""
    while any(health.checked_at is None for health in balancer.nanny.healths.values()):
        balancer._heard.clear()
        await balancer._heard.wait()
    await balancer.turn()
    return balancer.path.weights()


async def applied(engine: Engine, confirm_s: int = CONFIRM_S):
    return await engine.apply(ApplyRequest(confirm_s=confirm_s), ANN)


def without_serial(text: str) -> str:
    return text.partition("\n")[2]


async def is_back(engine: Engine, paths, balancer, old: str) -> bool:
    """Say whether the old text runs, is lvs.cf as a new version, and nothing waits any more."""
    text = paths.lvs_cf.read_text()
    return (
        await table(balancer) == {A: 1}
        and text == paths.running_cf.read_text() == engine.running().text
        and text == f"serial_no = 9\n{without_serial(old)}"
        and not paths.unconfirmed.exists()
        and (await engine.status()).confirmation is None
    )


async def kinds(engine: Engine) -> list[str]:
    return [event.kind for event in (await engine.events.asked(EventsQuery())).events]


async def test_what_waits_is_on_the_disk_with_the_text_that_ran_before_anything_is_switched(
    engine, paths, balancer, path, old, monkeypatch
):
    seen: list[Unconfirmed] = []
    switch = balancer.switch

    async def looking(cluster, **more):
        seen.append(msgspec.json.decode(paths.unconfirmed.read_bytes(), type=Unconfirmed))
        return await switch(cluster, **more)

    monkeypatch.setattr(balancer, "switch", looking)
    await applied(engine)
    assert seen[0].before == old.encode() and seen[0].deadline is None
    kept = msgspec.json.decode(paths.unconfirmed.read_bytes(), type=Unconfirmed)
    assert (kept.boot_id, kept.deadline, kept.who, kept.from_address) == ("boot 1", START + 60, "ann", "192.0.2.7")
    assert paths.unconfirmed.stat().st_mode & 0o777 == 0o600


async def test_the_status_says_until_when_who_and_what_comes_back(engine, boot, balancer, old, new, caplog):
    answer = await applied(engine)
    assert await table(balancer) == {A: 1, B: 1}
    boot.now += 18
    waits = (await engine.status()).confirmation
    assert answer.confirmation is not None and answer.confirmation.remaining_s == 60
    assert waits is not None and waits.remaining_s == 42
    assert (waits.token, waits.before_token) == (token_of(new.encode()), token_of(old.encode()))
    assert (waits.serial_no, waits.before_serial_no, waits.who, waits.from_address) == (8, 7, "ann", "192.0.2.7")
    assert abs(datetime.fromisoformat(waits.deadline).timestamp() - time.time() - 42) < 5
    assert "waits for its confirmation until" in caplog.text


async def test_confirmed_in_time_it_stays(engine, engine_of, boot, paths, balancer, new, caplog):
    caplog.set_level("INFO")
    answer = await applied(engine)
    boot.now += CONFIRM_S - 0.1
    done = await engine.confirm(ConfirmRequest(answer.token), BOB)
    assert (done.token, done.serial_no) == (token_of(new.encode()), 8)
    assert "is confirmed. (bob)" in caplog.text and not paths.unconfirmed.exists()
    boot.now += 1000
    await engine.revert_due()
    assert await table(balancer) == {A: 1, B: 1} and paths.lvs_cf.read_text() == new
    assert (await (await engine_of()).status()).confirmation is None
    assert paths.running_cf.read_text() == new


async def test_not_confirmed_the_old_text_runs_again_and_is_lvs_cf_as_a_new_version(
    engine, boot, paths, balancer, old, caplog
):
    await applied(engine)
    boot.now += CONFIRM_S - 0.1
    await engine.revert_due()
    assert await table(balancer) == {A: 1, B: 1}
    boot.now += 0.1
    await engine.revert_due()
    assert await is_back(engine, paths, balancer, old)
    newest = (await engine.history()).versions[0]
    assert (newest.how, newest.who, newest.serial_no) == ("revert", "engine", 9)
    assert "not confirmed" in newest.changes[0]
    assert (await engine.status()).config.is_applied
    (message,) = (await engine.status()).messages
    assert "The Apply by ann from 192.0.2.7" in message and "was not confirmed" in message
    assert message in caplog.text
    with pytest.raises(NothingPending, match="was not confirmed"):
        await engine.confirm(ConfirmRequest(), ANN)


async def test_a_server_that_came_with_an_apply_drains_when_it_is_reverted(engine, boot, path, balancer):
    await applied(engine)
    await table(balancer)
    place = next((key, each) for key, entry in path.entries.items() for each in entry.destinations if str(each) == B)
    path.counters[place] = Counters(active_connections=3)
    boot.now += CONFIRM_S
    await engine.revert_due()
    assert await table(balancer) == {A: 1, B: 0}


async def test_it_is_reverted_at_once_when_somebody_says_so(engine, paths, balancer, old):
    answer = await applied(engine)
    done = await engine.revert(ConfirmRequest(answer.token), BOB)
    assert await is_back(engine, paths, balancer, old)
    assert done.number == (await engine.history()).versions[0].number == 3
    assert (done.serial_no, done.token) == (9, token_of(paths.lvs_cf.read_bytes()))
    assert "was reverted by bob" in done.sentence and (await engine.history()).versions[0].who == "bob"


async def test_what_somebody_saved_meanwhile_stays_saved_and_is_not_applied(engine, boot, paths, balancer, old):
    await applied(engine)
    answer = await engine.save(SaveRequest([SetValues(path="virtual[web].server[b]", values={"weight": "5"})], []), BOB)
    assert answer.changed
    boot.now += CONFIRM_S
    await engine.revert_due()
    assert await table(balancer) == {A: 1}
    assert paths.running_cf.read_text() == old and token_of(paths.lvs_cf.read_bytes()) == answer.token
    status = await engine.status()
    assert not status.config.is_applied and status.confirmation is None
    assert "somebody saved meanwhile" in status.messages[0]


async def test_what_somebody_wrote_by_hand_meanwhile_stays_too_and_so_does_a_missing_file(engine, boot, paths, old):
    await applied(engine)
    paths.lvs_cf.unlink()
    boot.now += CONFIRM_S
    await engine.revert_due()
    assert not paths.lvs_cf.exists() and paths.running_cf.read_text() == old


async def test_a_second_apply_is_refused_with_until_when_and_how(engine, boot, paths, balancer, block):
    await applied(engine)
    paths.lvs_cf.write_text("serial_no = 20\n" + block("web", f"b={B}"))
    boot.now += 20
    for request in (ApplyRequest(), ApplyRequest(force=True), ApplyRequest(confirm_s=60)):
        with pytest.raises(ConfirmationPending) as refused:
            await engine.apply(request, Caller("SIGHUP"))
        for words in ("ann from 192.0.2.7", "(40 s)", "piranha confirm", "piranha revert", "until 20"):
            assert words in str(refused.value)
    assert await table(balancer) == {A: 1, B: 1}
    assert (await engine.plan()).refusals == (str(refused.value),)
    await engine.confirm(ConfirmRequest(), ANN)
    await engine.apply(ApplyRequest(), BOB)
    assert await table(balancer) == {B: 1}


async def test_the_confirmation_of_another_version_than_the_one_that_waits_is_refused(engine, boot, balancer):
    await applied(engine)
    for call in (engine.confirm, engine.revert):
        with pytest.raises(NothingPending, match="another version"):
            await call(ConfirmRequest("c" * 64), ANN)
    assert (await engine.status()).confirmation is not None


async def test_a_confirmation_that_comes_too_late_is_refused_even_before_the_revert(engine, boot):
    await applied(engine)
    boot.now += CONFIRM_S
    with pytest.raises(NothingPending, match="too late"):
        await engine.confirm(ConfirmRequest(), ANN)


async def test_one_that_came_in_time_and_had_to_wait_counts(engine, boot, paths):
    await applied(engine)
    await engine._changing.acquire()
    async with asyncio.TaskGroup() as tasks:
        confirmed = tasks.create_task(engine.confirm(ConfirmRequest(), ANN), name="confirm")
        while not engine._changing._waiters:
            await asyncio.to_thread(lambda: None)
        boot.now += CONFIRM_S + 5
        engine._changing.release()
    assert confirmed.result().serial_no == 8 and not paths.unconfirmed.exists()


@pytest.mark.parametrize("confirm_s", [1, 29, 301, -1])
async def test_seconds_that_are_too_few_or_too_many_are_refused(engine, balancer, confirm_s):
    with pytest.raises(EditRefused, match="30 to 300 seconds") as refused:
        await applied(engine, confirm_s)
    assert refused.value.keyword == "confirm_s"
    assert await table(balancer) == {A: 1}


async def test_without_them_nothing_waits(engine, paths):
    assert (await applied(engine, 0)).confirmation is None
    assert not paths.unconfirmed.exists() and (await engine.status()).confirmation is None
    for call in (engine.confirm, engine.revert):
        with pytest.raises(NothingPending, match="No Apply waits"):
            await call(ConfirmRequest(), ANN)


# an engine that ends meanwhile


async def test_after_a_crash_the_countdown_goes_on(engine, engine_of, boot, paths, balancer, old):
    await applied(engine)
    boot.now += 20
    again = await engine_of()
    waits = (await again.status()).confirmation
    assert waits is not None and (waits.remaining_s, waits.who) == (40, "ann")
    assert await table(balancer) == {A: 1, B: 1}
    boot.now += 40
    await again.revert_due()
    assert await is_back(again, paths, balancer, old)


async def test_after_a_crash_it_can_be_confirmed(engine, engine_of, boot, paths, new):
    await applied(engine)
    boot.now += 20
    again = await engine_of()
    await again.confirm(ConfirmRequest(token_of(new.encode())), ANN)
    boot.now += 1000
    await again.revert_due()
    assert paths.lvs_cf.read_text() == paths.running_cf.read_text() == new


@pytest.mark.parametrize("what", ["deadline", "reboot", "operator"])
async def test_a_start_behind_the_deadline_in_another_boot_or_behind_a_stop_reverts(
    engine, engine_of, boot, paths, balancer, old, what
):
    await applied(engine)
    match what:
        case "deadline":
            boot.now += CONFIRM_S
        case "reboot":
            boot.name, boot.now = "boot 2", 5.0
        case "operator":
            ConfigKeeper(paths).note_stopped_by_operator()
    again = await engine_of()
    assert await is_back(again, paths, balancer, old)
    assert "was not confirmed" in (await again.status()).messages[0]
    assert "reverted" in await kinds(again)
    assert (await again.audit.asked(AuditQuery(verb="revert"))).entries[0].who == "engine"


async def test_an_operators_stop_takes_what_was_saved_meanwhile_for_no_confirmation_either(
    engine, engine_of, paths, balancer, old, block
):
    await applied(engine)
    saved = "serial_no = 20\n" + block("web", f"b={B}")
    paths.lvs_cf.write_text(saved)
    ConfigKeeper(paths).note_stopped_by_operator()
    await engine_of()
    assert await table(balancer) == {A: 1}
    assert paths.lvs_cf.read_text() == saved and paths.running_cf.read_text() == old


async def test_an_engine_that_died_while_it_switched_comes_back_with_the_old_text(
    engine, engine_of, paths, balancer, old, monkeypatch
):
    async def killed(cluster, **more):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(balancer, "switch", killed)
        patch.setattr(confirming_module.Confirming, "count_from_now", lambda self: None)
        with pytest.raises(SystemExit):
            await applied(engine)
    assert await is_back(await engine_of(), paths, balancer, old)


async def test_one_that_died_before_anything_was_switched_has_nothing_to_go_back_from(
    engine, engine_of, paths, balancer, new, old, monkeypatch
):
    def killed(self, version):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(ConfigKeeper, "note_applied", killed)
        with pytest.raises(SystemExit):
            await applied(engine)
    assert paths.unconfirmed.exists()
    again = await engine_of()
    assert (await again.status()).confirmation is None and not paths.unconfirmed.exists()
    assert await table(balancer) == {A: 1}
    assert paths.lvs_cf.read_text() == new and paths.running_cf.read_text() == old


@pytest.mark.parametrize("after", ["lvs.cf", "running.cf", "switch"])
async def test_a_revert_that_is_killed_is_done_by_the_next_engine(
    engine, engine_of, boot, paths, balancer, old, monkeypatch, after
):
    await applied(engine)
    boot.now += CONFIRM_S

    def killed(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch:
        if after == "lvs.cf":
            patch.setattr(ConfigKeeper, "note_applied", killed)
        elif after == "running.cf":
            patch.setattr(balancer, "switch", killed)
        else:
            patch.setattr(confirmation_store, "remove", killed)
        with pytest.raises(SystemExit):
            await engine.revert_due()
    assert await is_back(await engine_of(), paths, balancer, old)


async def test_a_fault_of_ours_in_the_switch_is_reverted_at_the_deadline_all_the_same(
    engine, boot, paths, balancer, old, monkeypatch
):
    async def broken(cluster, **more):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(balancer, "switch", broken)
        with pytest.raises(ZeroDivisionError):
            await applied(engine)
        boot.now += CONFIRM_S
        with pytest.raises(ZeroDivisionError):
            await engine.revert_due()
    with pytest.raises(ConfirmationPending, match="is being reverted"):
        await applied(engine)
    boot.now += AGAIN_S
    await engine.revert_due()
    assert await is_back(engine, paths, balancer, old)


# a disk that refuses


async def test_where_the_record_cannot_be_written_nothing_is_applied(engine, paths, balancer, old):
    paths.unconfirmed.mkdir()
    with pytest.raises(ConfigUnavailable, match=str(paths.unconfirmed)):
        await applied(engine)
    assert await table(balancer) == {A: 1} and paths.running_cf.read_text() == old
    assert (await engine.status()).confirmation is None


async def test_where_the_applied_text_cannot_be_kept_nothing_waits(engine, paths, balancer, monkeypatch):
    write = lvs_cf.write

    def refuse(where, file, raw):
        if file == paths.running_cf:
            raise ConfigUnavailable("The disk is full.")
        write(where, file, raw)

    with monkeypatch.context() as patch:
        patch.setattr(lvs_cf, "write", refuse)
        with pytest.raises(ConfigUnavailable, match="The disk is full"):
            await applied(engine)
    assert not paths.unconfirmed.exists() and (await engine.status()).confirmation is None
    assert await table(balancer) == {A: 1}
    assert (await applied(engine)).confirmation is not None


async def test_an_applied_text_that_the_disk_did_not_confirm_runs(engine, paths, balancer, new, monkeypatch, caplog):
    write = lvs_cf.write

    def unsure(where, file, raw):
        write(where, file, raw)
        raise NotConfirmed(file, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(lvs_cf, "write", unsure)
        await applied(engine)
    assert await table(balancer) == {A: 1, B: 1} and paths.running_cf.read_text() == new
    assert "did not confirm" in caplog.text and (await engine.status()).confirmation is not None


async def test_a_revert_that_the_disk_refuses_runs_what_ran_and_is_written_when_it_can_be(
    engine, boot, paths, balancer, old, monkeypatch, caplog
):
    await applied(engine)
    boot.now += CONFIRM_S

    def refuse(*_, **__):
        raise ConfigUnavailable("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(lvs_cf, "write", refuse)
        patch.setattr(lvs_cf, "replace", refuse)
        await engine.revert_due()
        assert await table(balancer) == {A: 1}
        waits = (await engine.status()).confirmation
        assert waits is not None and waits.problem == "The disk is full."
        assert paths.unconfirmed.exists()  # so that a restart reverts too
        with pytest.raises(ConfirmationPending, match="The disk is full"):
            await applied(engine)
        with pytest.raises(NothingPending, match="too late"):
            await engine.confirm(ConfirmRequest(), ANN)
        boot.now += AGAIN_S - 0.1
        await engine.revert_due()
        boot.now += AGAIN_S
        await engine.revert_due()
        await engine.revert_due()
    boot.now += AGAIN_S
    await engine.revert_due()
    assert await is_back(engine, paths, balancer, old)
    assert len([message for message in caplog.messages if "was not confirmed" in message]) == 1
    assert (await kinds(engine)).count("reverted") == 1
    assert len((await engine.audit.asked(AuditQuery(verb="revert"))).entries) == 1


async def test_a_revert_at_the_start_that_the_disk_refuses_is_tried_again_too(
    engine, engine_of, boot, paths, balancer, old, monkeypatch
):
    await applied(engine)
    boot.name = "boot 2"

    def refuse(*_, **__):
        raise ConfigUnavailable("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(lvs_cf, "replace", refuse)
        again = await engine_of()
        assert await table(balancer) == {A: 1}
    boot.now += AGAIN_S
    await again.revert_due()
    assert await is_back(again, paths, balancer, old)


async def test_a_confirmation_that_cannot_be_written_is_none(engine, boot, paths, balancer, old, monkeypatch):
    await applied(engine)

    def refuse(where):
        raise ConfigUnavailable("The disk is read-only.")

    with monkeypatch.context() as patch:
        patch.setattr(confirmation_store, "remove", refuse)
        with pytest.raises(ConfigUnavailable, match="read-only"):
            await engine.confirm(ConfirmRequest(), ANN)
    assert (await engine.status()).confirmation is not None
    boot.now += CONFIRM_S
    await engine.revert_due()
    assert await is_back(engine, paths, balancer, old)


async def test_a_record_without_sense_is_set_aside_and_said(engine, engine_of, paths, balancer):
    await applied(engine)
    paths.unconfirmed.write_text("{}")
    again = await engine_of()
    (message,) = (await again.status()).messages
    assert str(paths.unconfirmed) in message and "not reverted" in message
    assert paths.unconfirmed.with_suffix(".broken").read_text() == "{}"
    assert await table(balancer) == {A: 1, B: 1}


async def test_where_what_runs_cannot_be_read_the_unconfirmed_text_does_not_run(
    engine, engine_of, paths, balancer, old
):
    await applied(engine)
    paths.running_cf.unlink()
    paths.running_cf.mkdir()
    again = await engine_of()
    assert await table(balancer) == {A: 1}
    assert (await again.status()).confirmation is not None  # running.cf cannot be written: it is tried again
    assert without_serial(paths.lvs_cf.read_text()) == without_serial(old)


# where nothing ran before


async def test_where_nothing_ran_nothing_runs_again_after_a_restart_neither(engine_of, boot, paths, balancer, new):
    engine = await engine_of()
    paths.lvs_cf.write_text(new)
    answer = await applied(engine)
    assert answer.confirmation is not None and answer.confirmation.before_token == ""
    assert await table(balancer) == {A: 1, B: 1}
    boot.now += CONFIRM_S
    await engine.revert_due()
    assert await table(balancer) == {}
    status = await engine.status()
    assert (status.state, status.confirmation) == (RunState.IDLE, None)
    assert "not confirmed" in status.reason and not status.config.is_applied
    assert paths.lvs_cf.read_text() == new
    again = await engine_of()
    assert (await again.status()).state is RunState.IDLE and await table(balancer) == {}
    await again.apply(ApplyRequest(), ANN)
    assert await table(balancer) == {A: 1, B: 1}


# what is told


async def test_all_of_it_is_in_the_events_and_in_the_audit(engine, boot, paths):
    await applied(engine)
    with pytest.raises(ConfirmationPending):
        await applied(engine)
    await engine.confirm(ConfirmRequest(), BOB)
    await applied(engine)
    boot.now += CONFIRM_S
    await engine.revert_due()
    told = [kind for kind in reversed(await kinds(engine)) if not kind.startswith(("server", "drain"))]
    assert told == [
        "hand-edit",  # found at the first start
        "started",
        "hand-edit",
        "applied",
        "waits",
        "confirmed",
        "applied",
        "waits",
        "reverted",
    ]
    events = {event.kind: event for event in (await engine.events.asked(EventsQuery(limit="100"))).events}
    assert (events["applied"].who, events["applied"].from_address) == ("ann", "192.0.2.7")
    assert "version 2, serial_no 8" in events["applied"].sentence
    assert events["confirmed"].who == "bob" and events["reverted"].who == "engine"
    entries = (await engine.audit.asked(AuditQuery())).entries
    assert [(entry.verb, entry.result, entry.who) for entry in reversed(entries)] == [
        ("apply", "done", "ann"),
        ("apply", "refused", "ann"),
        ("confirm", "done", "bob"),
        ("apply", "done", "ann"),
        ("revert", "done", "engine"),
    ]
    assert "piranha confirm" in entries[-2].reason and entries[0].reason.startswith("The Apply by ann")


async def test_a_refused_apply_is_in_the_audit_and_nothing_waits(engine, paths, block):
    with pytest.raises(ConfigConflict):
        await engine.apply(ApplyRequest(token="c" * 64, confirm_s=60), ANN)
    paths.lvs_cf.write_text(block("web", f"a={A}", extra="port = 70000"))
    with pytest.raises(UnsafePlan):
        await applied(engine)
    assert not paths.unconfirmed.exists()
    entries = (await engine.audit.asked(AuditQuery(verb="apply"))).entries
    assert [entry.result for entry in entries] == ["refused", "refused"] and "70000" in entries[0].reason
