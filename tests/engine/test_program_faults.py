"""Checking programs that may not be run: told in the plan, refused by Apply, and mended without touching lvs.cf."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from piranha.engine import applying
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.errors import UnsafePlan
from piranha.messages import ApplyRequest
from piranha.paths import Paths

Block = Callable[..., str]
SOMEBODY = Caller("somebody")


@pytest.fixture
async def engine(paths: Paths, balancer: Balancer, block: Block, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Give an engine that runs one virtual server."""
    monkeypatch.setattr(applying, "PROGRAMS_KEPT_S", 0.0)
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80"))
    found = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
    await found.start()
    return found


def asking(program: str) -> str:
    return f'send_program = "{program} %h"\nexpect = "OK"'


async def told(engine: Engine) -> list[tuple[str, str, int]]:
    faults = (await engine.plan()).faults
    return [(each.severity, each.code, each.line) for each in faults if each.keyword == "send_program"]


async def test_a_program_that_others_may_change_is_refused_before_apply_until_it_is_mended(
    engine: Engine, paths: Paths, balancer: Balancer, block: Block, tmp_path: Path
) -> None:
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\necho OK\n")
    program.chmod(0o777)
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80", extra=asking(str(program))))
    assert await told(engine) == [("error", "unsafe-program", 5)]
    with pytest.raises(UnsafePlan, match=r"lvs\.cf:5:"):
        await engine.apply(ApplyRequest(), SOMEBODY)
    assert not any(each.program for each in balancer.nanny.checks.values()), "what ran goes on"
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80", extra=asking("/bin/echo")))
    assert await told(engine) == []
    await engine.apply(ApplyRequest(), SOMEBODY)
    assert [each.program for each in balancer.nanny.checks.values()] == [(b"/bin/echo", b"%h")]


async def test_a_program_that_comes_is_seen_without_a_change_of_lvs_cf(
    engine: Engine, paths: Paths, block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "/nonexistent/check"
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80", extra=asking(missing)))
    assert await told(engine) == [("error", "no-such-program", 5)]
    monkeypatch.setattr("piranha.system.programs.way_to", lambda program: None)
    monkeypatch.setattr("piranha.system.programs.doubt_of", lambda program, way: None)
    assert await told(engine) == []
    await engine.apply(ApplyRequest(), SOMEBODY)


async def test_a_program_of_an_inactive_virtual_server_stops_nothing(
    engine: Engine, paths: Paths, block: Block
) -> None:
    off = block("off", "a=127.0.0.12:80", extra=asking("/nonexistent"), active=0, port=81)
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80") + off)
    assert await told(engine) == []
    await engine.apply(ApplyRequest(), SOMEBODY)
