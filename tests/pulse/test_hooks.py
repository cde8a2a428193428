"""active_cmd and inactive_cmd: once for each change, in order, never longer than the limit, only root's programs."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from piranha.pulse.hooks import TOLD_BYTES, Hooks, _doubt
from tests.pulse.a_moment import a_moment, until


@pytest.fixture
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    async with asyncio.TaskGroup() as group:
        yield group


@pytest.fixture
async def hooks(tasks: asyncio.TaskGroup) -> Hooks:
    return Hooks(tasks, doubt=lambda program: "")


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    """Return the path of a program."""
    path = folder / f"hook{len(list(folder.iterdir()))}"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


def read(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def test_each_change_runs_its_command_once_and_in_order(hooks: Hooks, tmp_path: Path) -> None:
    out, gate = tmp_path / "out", tmp_path / "gate"
    os.mkfifo(gate)
    hooks.active_cmd = script(tmp_path, f'read line < {gate}; echo "$1" >> {out}') + " up"
    hooks.inactive_cmd = script(tmp_path, f'echo "$1" >> {out}') + "  down"
    for is_active in (True, True, False, False, True):
        hooks.changed(is_active)
    await a_moment(5)
    assert read(out) == [], "the second waits for the first"
    opened = os.open(gate, os.O_RDWR)
    os.write(opened, b"go\ngo\n")
    await hooks.end()
    os.close(opened)
    assert read(out) == ["up", "down", "up"]


@pytest.mark.parametrize(("states", "runs"), [([], ["down"]), ([False], ["down", "down"]), ([True], ["up", "down"])])
async def test_scenario_56_a_stop_runs_inactive_cmd_once_also_where_it_is_inactive(
    hooks: Hooks, tmp_path: Path, states: list[bool], runs: list[str]
) -> None:
    out = tmp_path / "out"
    hooks.active_cmd, hooks.inactive_cmd = (script(tmp_path, f'echo "$1" >> {out}') + word for word in (" up", " down"))
    for is_active in states:
        hooks.changed(is_active)
    hooks.stopping()
    hooks.changed(False)  # what failover orders on its way down
    await hooks.end()
    assert read(out) == runs


async def test_the_command_is_that_of_the_moment_of_the_change(hooks: Hooks, tmp_path: Path) -> None:
    out = tmp_path / "out"
    hooks.active_cmd = script(tmp_path, f"echo old >> {out}")
    hooks.changed(True)
    hooks.active_cmd = script(tmp_path, f"echo new >> {out}")
    await hooks.end()
    assert read(out) == ["old"]


async def test_an_empty_command_is_none(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    hooks.active_cmd = "   "
    hooks.changed(True)
    hooks.changed(False)
    await hooks.end()
    assert not caplog.records


async def test_exit_status_and_words_are_logged(hooks: Hooks, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hooks.active_cmd = script(tmp_path, "echo all is bad; echo really >&2; exit 3")
    hooks.changed(True)
    await hooks.end()
    assert "active_cmd exited with status 3. all is bad\nreally" in caplog.text


async def test_no_shell_reads_the_command(hooks: Hooks, tmp_path: Path) -> None:
    out = tmp_path / "out"
    hooks.active_cmd = script(tmp_path, f'echo "$#" "$1" "$2" > {out}') + " $(id) ;x"
    hooks.changed(True)
    await hooks.end()
    assert read(out) == ["2", "$(id)", ";x"]


async def test_at_the_limit_the_whole_process_group_is_ended_and_the_next_one_runs(
    tasks: asyncio.TaskGroup, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = Hooks(tasks, limit_s=0.3, doubt=lambda program: "")
    pids, out = tmp_path / "pids", tmp_path / "out"
    hooks.active_cmd = script(tmp_path, f"sleep 600 & echo $! > {pids}; wait")
    hooks.inactive_cmd = script(tmp_path, f"echo down > {out}")
    hooks.changed(True)
    hooks.changed(False)
    await until(lambda: read(out) == ["down"])
    await hooks.end()
    assert "ran for more than 0.3 s" in caplog.text
    (child,) = read(pids)
    await until(lambda: is_gone(int(child)))


async def test_a_daemon_that_a_command_starts_goes_on_and_nobody_waits_for_it(
    hooks: Hooks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pid, out = tmp_path / "pid", tmp_path / "out"
    hooks.active_cmd = script(tmp_path, f"sleep 600 & echo $! > {pid}; echo started")
    hooks.inactive_cmd = script(tmp_path, f"echo down > {out}")
    before = open_descriptors()
    hooks.changed(True)
    hooks.changed(False)
    await hooks.end()
    assert read(out) == ["down"] and "active_cmd exited with status 0. started" in caplog.text
    (daemon,) = read(pid)
    assert not is_gone(int(daemon)) and open_descriptors() == before
    os.kill(int(daemon), signal.SIGKILL)


async def test_a_command_that_says_much_is_heard_to_its_end_and_its_last_words_are_logged(
    hooks: Hooks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks.active_cmd = script(tmp_path, "head -c 300000 /dev/zero | tr '\\0' x; echo the end; exit 1")
    hooks.changed(True)
    await hooks.end()
    (line,) = [each.getMessage() for each in caplog.records]
    assert line.endswith("xxx" + "the end") and len(line) < TOLD_BYTES + 100


def open_descriptors() -> int:
    """Return how many descriptors this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def is_gone(pid: int) -> bool:
    """Say whether a process is no more, or waits for nobody but whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def test_a_program_that_does_not_exist_costs_a_line(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    hooks.active_cmd = "/nowhere/hook"
    hooks.changed(True)
    await hooks.end()
    assert "active_cmd /nowhere/hook cannot be run: No such file or directory." in caplog.text


async def test_a_program_that_is_not_roots_alone_is_not_run(
    tasks: asyncio.TaskGroup, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks, out = Hooks(tasks), tmp_path / "out"
    hooks.active_cmd = script(tmp_path, f"echo up > {out}", 0o777)
    hooks.changed(True)
    await hooks.end()
    assert "active_cmd is not run." in caplog.text and not out.exists()


@pytest.mark.parametrize("program", ["hook", "./hook", "bin/sh"])
def test_a_program_needs_its_whole_path(program: str) -> None:
    assert "no absolute path" in _doubt(program)


def test_a_program_of_the_system_is_fine() -> None:
    assert _doubt("/bin/true") == ""


async def test_a_router_that_goes_on_after_a_crash_runs_nothing_until_it_changes(hooks: Hooks, tmp_path: Path) -> None:
    out = tmp_path / "out"
    hooks.active_cmd, hooks.inactive_cmd = (script(tmp_path, f'echo "$1" >> {out}') + word for word in (" up", " down"))
    hooks.resumed()
    hooks.changed(True)
    await hooks.end()
    assert read(out) == []
    hooks.changed(False)
    hooks.changed(True)
    await hooks.end()
    assert read(out) == ["down", "up"]
