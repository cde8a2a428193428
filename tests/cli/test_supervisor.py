"""The supervisor against real processes: what dies comes back, what is stopped stays stopped, nothing is left."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from piranha.cli.supervisor import Program, Supervisor
from piranha.errors import PiranhaError

SAYS_READY = "import signal; print('ready', flush=True); signal.pause()"
LEAVES_A_CHILD = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(sys.argv[1], "w").write(str(child.pid))
print("ready", flush=True)
signal.pause()
"""


class Heard:
    """Collects what the supervisor says, and waits for it."""

    def __init__(self) -> None:
        self.sentences: asyncio.Queue[str] = asyncio.Queue()

    def say(self, sentence: str) -> None:
        self.sentences.put_nowait(sentence)

    async def next(self) -> str:
        return await asyncio.wait_for(self.sentences.get(), 30)


def program(tmp_path: Path, name: str, source: str, *arguments: str, announces: bool = True) -> Program:
    return Program(name, (sys.executable, "-c", source, *arguments), tmp_path / f"{name}.log", announces)


def is_running(pid: int) -> bool:
    """Say whether a process is there and is not a zombie that waits to be collected."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def has_ended(pidfd: int) -> bool:
    """Wait for the end of a process: a pidfd can be read from then on. Closes it."""
    ended, _, _ = select.select([pidfd], [], [], 30)
    os.close(pidfd)
    return bool(ended)


async def test_a_killed_program_is_started_again_and_that_is_said(tmp_path: Path) -> None:
    heard = Heard()
    supervisor = Supervisor([program(tmp_path, "web1", SAYS_READY)], os.environ, heard.say)
    async with supervisor.running():
        await supervisor.start("web1")
        first = supervisor.pid("web1")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert "web1 was killed by signal 9; it is started again now." in await heard.next()
        await supervisor.start("web1")
        second = supervisor.pid("web1")
        assert second is not None
        assert second != first
    assert not is_running(second)


async def test_a_stopped_program_stays_stopped_until_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, started = Heard(), []
    spawn = Supervisor._spawn

    async def noted(self: Supervisor, wanted: Program, *handles: int) -> asyncio.subprocess.Process:
        started.append(wanted.name)
        return await spawn(self, wanted, *handles)

    monkeypatch.setattr(Supervisor, "_spawn", noted)
    both = [program(tmp_path, name, SAYS_READY) for name in ("web1", "web2")]
    supervisor = Supervisor(both, os.environ, heard.say)
    async with supervisor.running():
        await supervisor.start("web1")
        await supervisor.start("web2")
        pid = supervisor.pid("web1")
        assert pid is not None
        await supervisor.stop("web1")
        assert not is_running(pid)
        # Meanwhile others come and go.
        await supervisor.stop("web2")
        await supervisor.start("web2")
        assert supervisor.pid("web1") is None
        await supervisor.start("web1")
        assert supervisor.pid("web1") is not None
    assert started == ["web1", "web2", "web2", "web1"]
    assert heard.sentences.empty()


async def test_a_program_that_does_not_heed_the_request_to_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("piranha.cli.supervisor.STOP_S", 0.1)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SAYS_READY
    supervisor = Supervisor([program(tmp_path, "deaf", deaf)], os.environ, print)
    async with supervisor.running():
        await supervisor.start("deaf")
        pid = supervisor.pid("deaf")
        assert pid is not None
    assert not is_running(pid)


async def test_what_a_killed_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    heard = Heard()
    noted = tmp_path / "child"
    supervisor = Supervisor([program(tmp_path, "gui", LEAVES_A_CHILD, str(noted))], os.environ, heard.say)
    async with supervisor.running():
        await supervisor.start("gui")
        leader = supervisor.pid("gui")
        assert leader is not None
        child = int(noted.read_text())
        assert is_running(child)
        watched = os.pidfd_open(child)
        os.kill(leader, signal.SIGKILL)
        await heard.next()
    assert has_ended(watched)


async def test_a_program_that_never_gets_ready_is_an_error_that_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("piranha.cli.supervisor.START_S", 0.5)
    heard = Heard()
    broken = program(tmp_path, "broken", "import sys; sys.exit('no such thing')")
    supervisor = Supervisor([broken], os.environ, heard.say)
    async with supervisor.running():
        with pytest.raises(PiranhaError, match=r"broken does not start\. Its messages are in .*broken\.log"):
            await supervisor.start("broken")
        assert "ended with exit code 1" in await heard.next()
    assert "no such thing" in (tmp_path / "broken.log").read_text()


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    source = f"""
import asyncio, os, sys
from pathlib import Path
from piranha.cli.supervisor import Program, Supervisor
async def main():
    program = Program("web1", (sys.executable, "-c", {SAYS_READY!r}), Path({str(tmp_path / "web1.log")!r}), True)
    supervisor = Supervisor([program], os.environ, print)
    async with supervisor.running():
        await supervisor.start("web1")
        print(supervisor.pid("web1"), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        watched = os.pidfd_open(child)
        parent.kill()
    assert has_ended(watched)
