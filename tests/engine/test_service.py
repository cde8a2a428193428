"""The engine behind its real socket, with the client that the GUI and the commands use."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from piranha.client import EngineClient
from piranha.config.edits import ExpectedPart, Part, SetValues
from piranha.config.load import load
from piranha.engine import api, service
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused, EngineUnavailable, UnsafePlan
from piranha.status import HealthState, RunState
from piranha.system import unix_socket

WEB = "virtual[web]"


@pytest.fixture
async def start(paths, balancer) -> AsyncIterator[Callable[[str | None], Awaitable[EngineClient]]]:
    """Start the engine with this lvs.cf and return a client."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:

        async def started(text: str | None) -> EngineClient:
            if text is not None:
                paths.lvs_cf.write_text(text)
            engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
            await engine.start()
            listener = unix_socket.listen(paths.socket, mode=0o600)
            tasks.create_task(api.serve(api.application(engine), listener, stop), name="api")
            return EngineClient(paths.socket, "piranha", "127.0.0.1")

        yield started
        stop.set()


def posted(path, target: str, body: bytes) -> tuple[int, bytes]:
    """Send a body as it is; return the status and the answer's body."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        head = f"POST {target} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        with connection.makefile("rb") as answer:
            first, _, rest = answer.read().partition(b"\r\n")
    return int(first.split()[1]), rest.partition(b"\r\n\r\n")[2]


def got(path, target: str) -> tuple[int, bytes]:
    """Return status and body of a plain GET."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            first, _, rest = answer.read().partition(b"\r\n")
    return int(first.split()[1]), rest.partition(b"\r\n\r\n")[2]


async def call(function, *words, **more):
    return await asyncio.to_thread(function, *words, **more)


async def all_checked(balancer) -> None:
    while any(health.checked_at is None for health in balancer.nanny.healths.values()):
        balancer._heard.clear()
        await balancer._heard.wait()
    await balancer.turn()


async def test_saved_is_not_applied_until_apply(start, path, balancer, block):
    engine = await start(block("web", "a=127.0.0.11:80"))
    await all_checked(balancer)
    part = Part(WEB + ".server[a]")
    token = load((await call(engine.config)).text).document.token(part)
    await call(engine.save, [SetValues(path=part.path, values={"weight": "7"})], [ExpectedPart(part, token)])
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 1}
    assert not (await call(engine.status)).config.is_applied
    plan = await call(engine.plan)
    assert "+         weight = 7" in plan.diff
    assert [step.step for step in plan.steps] == [
        "change real server 127.0.0.11:80 of TCP 127.0.0.2:80 to weight 7, masquerading"
    ]
    await call(engine.apply, plan.token)
    assert path.weights() == {"127.0.0.11:80": 7}
    assert (await call(engine.status)).config.is_applied
    assert (await call(engine.running)).text == (await call(engine.config)).text


async def test_apply_refuses_a_version_that_nobody_has_seen(start, paths, path, block):
    engine = await start(block("web", "a=127.0.0.11:80"))
    plan = await call(engine.plan)
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80*9"))
    with pytest.raises(ConfigConflict):
        await call(engine.apply, plan.token)


async def test_apply_refuses_errors_in_an_active_block_and_what_ran_goes_on(start, paths, path, balancer, block):
    engine = await start(block("web", "a=127.0.0.11:80"))
    await all_checked(balancer)
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80", extra="port = 70000"))
    assert (await call(engine.plan)).refusals
    with pytest.raises(UnsafePlan) as refusal:
        await call(engine.apply)
    assert "70000" in str(refusal.value)
    assert path.weights() == {"127.0.0.11:80": 1}


async def test_apply_refuses_to_empty_the_table_unless_forced(start, paths, path, balancer, block):
    engine = await start(block("web", "a=127.0.0.11:80"))
    await all_checked(balancer)
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80", active=0))
    with pytest.raises(UnsafePlan):
        await call(engine.apply)
    assert path.weights() == {"127.0.0.11:80": 1}
    await call(engine.apply, force=True)
    await balancer.turn()
    assert path.entries == {}
    assert (await call(engine.status)).state is RunState.IDLE


async def test_the_history_is_asked_over_the_api_and_a_version_comes_back_as_a_new_one(start, paths, block):
    text = block("web", "a=127.0.0.11:80")
    engine = await start(text)
    await call(engine.save, [SetValues(path=WEB + ".server[a]", values={"weight": "7"})], [])
    history = await call(engine.history)
    assert [(each.number, each.how, each.who) for each in history.versions] == [
        (2, "save", "piranha"),
        (1, "found", ""),
    ]
    assert history.versions[0].from_address == "127.0.0.1"
    assert history.versions[0].changes == (WEB + ".server[a].weight: 1 -> 7",)
    assert (history.versions[0].token, history.versions[1].token) == (history.saved_token, history.running_token)
    assert (await call(engine.version, 1)).text == text
    would = await call(engine.rollback, 1, history.saved_token, dry_run=True)
    assert "-         weight = 7" in would.diff and (await call(engine.history)) == history
    done = await call(engine.rollback, 1, history.saved_token)
    assert done.serial_no == would.serial_no == 2
    assert paths.lvs_cf.read_text() == f"serial_no = 2\n{text}"
    assert not (await call(engine.rollback, 1)).changed
    with pytest.raises(ConfigConflict):
        await call(engine.rollback, 2, history.saved_token)


async def test_a_version_that_is_not_kept_is_not_found(start, paths, block):
    engine = await start(block("web", "a=127.0.0.11:80"))
    with pytest.raises(EditRefused, match="Version 9 is not in the history"):
        await call(engine.version, 9)
    with pytest.raises(EditRefused, match="Version 9 is not in the history"):
        await call(engine.rollback, 9)
    status, answer = await call(posted, paths.socket, "/v1/rollback", b'{"number": 9}')
    assert (status, json.loads(answer)["code"]) == (404, "not_found")
    for target in ("/v1/history/x", "/v1/history/-1", "/v1/history/" + "9" * 40):
        status, answer = await call(got, paths.socket, target)
        assert (status, json.loads(answer)["code"]) == (400, "bad_request")


async def test_hand_edits_are_versions_before_a_start_and_before_an_apply(start, paths, balancer, block):
    engine = await start(block("web", "a=127.0.0.11:80"))
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80*9"))
    await call(engine.apply)
    assert [each.how for each in (await call(engine.history)).versions] == ["hand edit", "found"]
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80*8"))
    await Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time).start()
    assert [each.how for each in (await call(engine.history)).versions] == ["hand edit", "hand edit", "found"]


async def test_a_history_that_cannot_be_written_stops_no_start_and_no_apply_and_is_logged_once(
    start, paths, block, caplog
):
    paths.history.write_text("in the way")
    engine = await start(block("web", "a=127.0.0.11:80"))
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80*9"))
    await call(engine.apply)
    assert (await call(engine.status)).config.is_applied
    assert "cannot be read" in (await call(engine.history)).problem
    assert caplog.text.count("cannot be kept in the history") == 1
    with pytest.raises(ConfigUnavailable, match="nothing is saved without its record"):
        await call(engine.save, [SetValues(path=WEB + ".server[a]", values={"weight": "7"})], [])


async def test_the_watch_goes_on_whatever_happens_to_it(paths, balancer, block, monkeypatch, caplog):
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80"))
    keeper = ConfigKeeper(paths)
    engine = Engine(keeper, balancer, asyncio.get_running_loop().time)
    monkeypatch.setattr(service, "WATCH_S", 0)
    looks = []
    taken = asyncio.Event()
    loop = asyncio.get_running_loop()
    watch = keeper.watch

    def look():
        looks.append(len(looks))
        if len(looks) == 1:
            raise ZeroDivisionError("a fault of ours")
        if watch() is not None:
            loop.call_soon_threadsafe(taken.set)

    monkeypatch.setattr(keeper, "watch", look)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(engine.keep_watching())
        await taken.wait()
        watching.cancel()
    assert [each.how for each in keeper.history().versions] == ["found"]
    assert "ZeroDivisionError" in caplog.text


async def test_without_a_file_the_engine_is_idle_and_says_why(start):
    engine = await start(None)
    status = await call(engine.status)
    assert status.state is RunState.IDLE and "there is no" in status.reason
    with pytest.raises(ConfigUnavailable):
        await call(engine.plan)
    await call(engine.create)
    assert (await call(engine.config)).exists


async def test_with_errors_at_the_first_start_the_engine_is_idle_with_the_reasons(start, block):
    engine = await start(block("web", "a=127.0.0.11:80", extra="port = 70000"))
    status = await call(engine.status)
    assert status.state is RunState.IDLE
    assert any("70000" in message for message in status.messages)


async def test_after_a_crash_what_ran_runs_again_and_after_an_ordered_stop_what_is_saved(
    start, paths, path, block, balancer
):
    keeper = ConfigKeeper(paths)
    await start(block("web", "a=127.0.0.11:80"))
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80*9"))
    again = Engine(keeper, balancer, asyncio.get_running_loop().time)
    await again.start()
    await all_checked(balancer)
    assert path.weights() == {"127.0.0.11:80": 1}
    keeper.note_stopped_by_operator()
    await again.start()
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 9}


async def test_status_says_which_server_is_down_and_why_and_since_when(start, probes, balancer, block):
    probes.bad.add("127.0.0.12:80")
    engine = await start(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80"))
    await all_checked(balancer)
    (web,) = (await call(engine.status)).virtual_servers
    up, down = web.servers
    assert (up.health.state, up.traffic.weight) == (HealthState.UP, 1)
    assert (down.health.state, down.traffic.weight) == (HealthState.DOWN, None)
    assert down.health.reason == "refused" and down.health.since
    assert down.health.source.name == "check" and down.health.source.age_s is not None


async def test_drain_weight_and_clear_by_path_and_by_address(start, path, balancer, block):
    engine = await start(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80") + block("api", "a=127.0.0.11:80", port=81))
    await all_checked(balancer)
    answer = await call(engine.override, "127.0.0.11", "drain")
    assert answer.servers == ("virtual[web].server[a]", "virtual[api].server[a]")
    await call(engine.override, "virtual[web].server[b]", "weight", 4)
    assert sorted(each.weight for entry in path.entries.values() for each in entry.destinations.values()) == [0, 0, 4]
    status = await call(engine.status)
    assert [(each.kind, each.who) for each in status.overrides] == [("drain", "piranha"), ("weight", "piranha")]
    assert "drained by hand" in status.virtual_servers[0].servers[0].explanation
    with pytest.raises(EditRefused):
        await call(engine.clear, "virtual[web].server[a]", "drain")
    await call(engine.clear, "127.0.0.11", "drain")
    await call(engine.clear, "virtual[web].server[b]")
    assert sorted(each.weight for entry in path.entries.values() for each in entry.destinations.values()) == [1, 1, 1]


async def test_a_drain_that_leaves_nobody_is_done_and_warned_of(start, path, balancer, block):
    engine = await start(block("web", "a=127.0.0.11:80", "b=127.0.0.12:80"))
    await all_checked(balancer)
    assert (await call(engine.override, "127.0.0.11", "drain")).notices == ()
    notices = (await call(engine.override, "127.0.0.12", "drain")).notices
    assert notices == ("virtual[web] has no real server left that takes new connections.",)


async def test_an_override_survives_a_restart(start, path, balancer, block, paths):
    engine = await start(block("web", "a=127.0.0.11:80"))
    await all_checked(balancer)
    await call(engine.override, "virtual[web].server[a]", "drain")
    balancer.overrides = ()
    again = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
    await again.start()
    assert path.weights() == {"127.0.0.11:80": 0}


@pytest.mark.parametrize(
    ("server", "kind", "weight"), [("nobody", "drain", 0), ("127.0.0.11", "weight", 65536), ("127.0.0.11", "kill", 0)]
)
async def test_a_senseless_override_is_refused(start, block, server, kind, weight):
    engine = await start(block("web", "a=127.0.0.11:80"))
    with pytest.raises(EditRefused):
        await call(engine.override, server, kind, weight)
    assert (await call(engine.status)).overrides == ()


async def test_nonsense_on_the_socket_gets_a_sentence_and_no_traceback(start, paths, block):
    await start(block("web", "a=127.0.0.11:80"))
    for request, status in (
        (b"POST /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{{{{{", b"400"),
        (b'POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{"token": 17}', b"400"),
        (b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"DELETE /v1/config HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
    ):
        reader, writer = await asyncio.open_unix_connection(str(paths.socket))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        assert head.split()[1] == status and body["message"] and "Traceback" not in body["message"]
        writer.close()
        await writer.wait_closed()


async def test_the_description_names_every_call(start, paths, block):
    await start(block("web", "a=127.0.0.11:80"))
    reader, writer = await asyncio.open_unix_connection(str(paths.socket))
    writer.write(b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    described = json.loads((await reader.read()).split(b"\r\n\r\n", 1)[1])
    writer.close()
    await writer.wait_closed()
    assert described["openapi"].startswith("3.1")
    assert {"/v1/history", "/v1/rollback"} <= described["paths"].keys()
    (number,) = described["paths"]["/v1/history/{number}"]["get"]["parameters"]
    assert (number["name"], number["in"], number["required"]) == ("number", "path", True)
    assert {"/v1/config", "/v1/plan", "/v1/apply", "/v1/status", "/v1/overrides"} <= described["paths"].keys()


async def test_state_that_cannot_be_read_or_written_is_told_and_stops_nothing(start, paths, path, balancer, block):
    paths.overrides.mkdir()
    paths.running_cf.mkdir()
    engine = await start(block("web", "a=127.0.0.11:80"))
    await all_checked(balancer)
    status = await call(engine.status)
    assert status.state is RunState.RUNNING and path.weights() == {"127.0.0.11:80": 1}
    assert [name in message for name, message in zip(("overrides", "running.cf"), status.messages, strict=False)] == [
        True,
        True,
    ]
    assert "not kept" in status.messages[-1]


async def test_a_start_after_a_crash_does_not_write_anew_what_was_applied_last(start, paths, block):
    text = block("web", "a=127.0.0.11:80")
    paths.running_cf.write_text(text)
    os.utime(paths.running_cf, (1_000_000_000, 1_000_000_000))
    engine = await start(text)
    applied_at = (await call(engine.status)).config.applied_at
    assert applied_at is not None and applied_at.startswith("2001-09-")


async def test_a_file_of_another_kind_is_refused_with_its_first_faults_only(start, paths, block):
    engine = await start(block("web", "a=127.0.0.11:80"))
    paths.lvs_cf.write_text("no such line\n" * 900)
    with pytest.raises(UnsafePlan, match="And 895 more") as refused:
        await call(engine.apply)
    assert len(str(refused.value)) < 2000


@pytest.mark.parametrize("body", [b'{"server":"\xff"}', b'{"server":' * 5000, b"[]", b'{"server":1}'])
async def test_a_body_that_is_not_understood_is_the_callers_fault(start, paths, body):
    await start("")
    status, answer = await call(posted, paths.socket, "/v1/overrides", body)
    assert (status, json.loads(answer)["code"]) == (400, "bad_request")


async def test_a_fault_of_the_engine_is_told_as_one_and_the_engine_goes_on(start, paths, monkeypatch):
    engine = await start("")
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "apply", None)
        status, answer = await call(posted, paths.socket, "/v1/apply", b"{}")
    assert (status, json.loads(answer)["code"]) == (500, "internal")
    assert (await call(engine.status)).state is RunState.IDLE


async def test_a_fault_of_ours_costs_one_call_and_is_told_without_its_trace(start, paths, block, monkeypatch, caplog):
    engine = await start(block("web", "a=127.0.0.11:80"))

    async def broken(_engine):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Engine, "plan", broken)
    with pytest.raises(EngineUnavailable) as told:
        await call(engine.plan)
    assert "its log says more" in str(told.value) and "fault of ours" not in str(told.value)
    assert "ZeroDivisionError" in caplog.text
    assert (await call(engine.status)).state is RunState.RUNNING


async def test_a_text_that_trips_the_engine_up_at_its_start_leaves_the_api_up(start, block, balancer, monkeypatch):
    async def broken(*_words, **_more):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(balancer, "switch", broken)
    engine = await start(block("web", "a=127.0.0.11:80"))
    assert any("could not be run" in message for message in (await call(engine.status)).messages)
    assert (await call(engine.config)).exists
