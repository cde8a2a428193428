"""When the demo counts as ready, and what it says where something is not as usual."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from piranha.cli import demo_ready
from piranha.cli.demo_ready import notes_of, wait_until_ready
from piranha.cli.demo_setup import Demo, Kept
from piranha.paths import Paths
from piranha.status import (
    ConfigStatus,
    EngineStatus,
    Health,
    HealthState,
    RunState,
    ServerStatus,
    Source,
    Traffic,
    VirtualServerStatus,
)

PORTS = {"web1": 20001, "web2": 20002, "web3": 20003}
HEARD = Source("tests", 0.0)


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(Paths(tmp_path), Kept("secret", PORTS), ("127.0.0.2", 8080))


def server(name: str, state: HealthState = HealthState.UP, reason: str = "answered") -> ServerStatus:
    health = Health(state, reason, None, HEARD)
    traffic = Traffic(1, 0, 0, 0, 0, 0, HEARD)
    path = f"virtual[demo].server[{name}]"
    return ServerStatus(path, name, "server", "127.0.0.1", PORTS[name], True, 1, health, traffic)


def status(*servers: ServerStatus, refused: str = "", state: RunState = RunState.RUNNING) -> EngineStatus:
    path = "virtual[demo]"
    virtual = VirtualServerStatus(path, "demo", "127.0.0.2", 8080, "tcp", 0, "rr", 0, True, refused, servers)
    config = ConfigStatus("lvs.cf", "", None, "", None, None, True, "")
    return EngineStatus(state, "nothing is active", "embedded", "here", "", 1.0, config, (virtual,), (), (), ())


def test_three_servers_that_are_up_need_no_note(demo: Demo) -> None:
    assert notes_of(demo, status(*map(server, PORTS))) == []


def test_a_server_that_is_not_up_is_told_with_its_reason(demo: Demo) -> None:
    down = server("web2", HealthState.DOWN, "connection refused")
    assert notes_of(demo, status(server("web1"), down, server("web3"))) == ["web2 is down: connection refused"]
    unknown = server("web2", HealthState.UNKNOWN, "not checked yet")
    assert notes_of(demo, status(server("web1"), unknown, server("web3"))) == ["web2 is unknown: not checked yet"]


def test_a_server_that_is_no_longer_configured_is_told(demo: Demo) -> None:
    off = replace(server("web3"), is_active=False)
    assert notes_of(demo, status(server("web1"), off)) == [
        "web2 (127.0.0.1:20002) is not in what runs.",
        "web3 (127.0.0.1:20003) is not in what runs.",
    ]


def test_a_refused_virtual_server_and_an_idle_engine_are_told(demo: Demo) -> None:
    told = notes_of(demo, status(*map(server, PORTS), refused="the port is taken"))
    assert told == ["The virtual server demo is refused: the port is taken"]
    told = notes_of(demo, status(state=RunState.IDLE))
    assert told == ["The engine runs nothing: nothing is active"]


async def test_programs_that_never_answer_end_the_start_with_a_sentence(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_ready, "PROGRAMS_WITHIN_S", 0.0)
    readiness = await wait_until_ready(demo, 1, asyncio.Event())
    assert readiness.failure.startswith("No answer from the engine and the GUI within")
    assert str(demo.paths.root) in readiness.failure


async def test_somebody_who_does_not_want_to_wait_does_not_have_to(demo: Demo) -> None:
    stopping = asyncio.Event()
    stopping.set()
    assert await wait_until_ready(demo, 1, stopping) == demo_ready.Readiness()
