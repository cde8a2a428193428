"""pulse as a whole, without a kernel to change: how it stops, leaves, and what it makes of what lvs says."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from piranha.paths import Paths
from piranha.pulse.lvs import LEASE_S
from piranha.pulse.messages import Configure, Found, encode
from piranha.pulse.run import Pulse
from piranha.system import unix_socket
from tests.pulse.a_moment import a_moment, until
from tests.pulse.hearts import told

LVS = """
import pathlib, signal, socket, sys, threading
noted = pathlib.Path(sys.argv[2])
def end(number, _):
    with noted.open("a") as note:
        note.write(f"{number}\\n")
    if number != 1:
        sys.exit(0)
for number in (1, 12, 15):
    signal.signal(number, end)
there = socket.socket(socket.AF_UNIX)
there.connect(sys.argv[1])
there.sendall(b'{"type":"found"}\\n')
threading.Thread(target=lambda: [each for each in there.makefile()], daemon=True).start()
while True:
    signal.pause()
"""


class Scene:
    """A pulse that runs. Its lvs does nothing but note which signals it gets."""

    def __init__(self, paths: Paths, folder: Path) -> None:
        program, self.noted = folder / "lvs.py", folder / "noted"
        program.write_text(LVS)
        self.path = paths.pulse_socket
        self.pulse = Pulse(paths, [sys.executable, "-S", "-E", str(program), str(self.path), str(self.noted)])
        self.listener = unix_socket.listen(self.path, mode=0o600, what="pulse")
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self.pulse.serve(self.listener))

    async def runs(self) -> None:
        self.start()
        await until(self.pulse._lvs._connected.is_set)

    async def ended(self) -> None:
        assert self.task is not None
        async with asyncio.timeout(15):
            await self.task

    def signals(self) -> list[str]:
        return self.noted.read_text().split() if self.noted.exists() else []

    def is_alone(self, **changes: object) -> None:
        self.pulse._hear(Configure(1, **{"runs": True, **changes}))  # type: ignore[arg-type]


@pytest.fixture
async def scene(paths: Paths, tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(paths, tmp_path)
    yield made
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        loop.remove_signal_handler(number)
    await made.pulse._floating.stop(yields=False)
    made.listener.close()


def kill(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_ends_lvs_and_leaves_no_socket(
    scene: Scene, number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await scene.runs()
    kill(number)
    kill(number)
    await scene.ended()
    assert scene.signals() == ["15"] and not scene.path.exists()
    assert f"Terminating due to signal {number.value}" in caplog.text


async def test_a_stop_at_the_very_start_leaves_nothing_behind(scene: Scene) -> None:
    scene.start()
    await a_moment(2)
    kill(signal.SIGTERM)
    await scene.ended()
    assert scene.pulse._lvs._process is None and not scene.path.exists()


async def test_leaving_for_another_pulse_tells_lvs_so(scene: Scene) -> None:
    await scene.runs()
    kill(signal.SIGUSR2)
    kill(signal.SIGTERM)
    await scene.ended()
    assert scene.signals() == ["12"]


async def test_who_leaves_speaks_until_its_hooks_have_ended(scene: Scene) -> None:
    """A pulse that is silent and still there keeps its addresses from the partner, who takes them all the same."""
    await scene.runs()
    hooks = scene.pulse._hooks
    assert hooks is not None
    gate = asyncio.Event()
    hook = asyncio.get_running_loop().create_task(gate.wait())
    hooks._started.add(hook)  # type: ignore[arg-type]
    scene.is_alone()
    kill(signal.SIGUSR2)
    await until(scene.pulse._stop.is_set)
    await a_moment(20)
    assert scene.pulse._heart.failover is not None and scene.signals() == []
    gate.set()
    await scene.ended()
    assert scene.pulse._heart.failover is None


async def test_a_socket_of_the_next_pulse_is_left_alone(scene: Scene) -> None:
    await scene.runs()
    hooks = scene.pulse._hooks
    assert hooks is not None
    gate = asyncio.Event()
    hooks._tasks.create_task(gate.wait(), name="inactive_cmd")
    kill(signal.SIGTERM)
    await until(lambda: not scene.path.exists())
    following = unix_socket.listen(scene.path, mode=0o600, what="pulse")
    gate.set()
    await scene.ended()
    assert scene.path.exists()
    following.close()


async def test_a_reload_goes_to_lvs_when_it_can_hear_it(scene: Scene) -> None:
    scene.start()
    await a_moment(2)
    kill(signal.SIGHUP)
    await until(lambda: scene.signals() == ["1"])
    kill(signal.SIGTERM)
    await scene.ended()
    assert scene.signals() == ["1", "15"]


async def test_an_lvs_that_is_silent_for_long_is_a_fault_of_a_router_that_has_a_partner(scene: Scene) -> None:
    await scene.runs()
    scene.pulse._hear(told("127.0.0.11", channels=()))
    failover = scene.pulse._heart.failover
    assert failover is not None and failover.node.report.is_well
    scene.pulse._lvs._silent_s = LEASE_S
    scene.pulse._report()
    assert not failover.node.report.is_well and "lvs said nothing for 20 s" in failover.node.report.reason
    kill(signal.SIGTERM)
    await scene.ended()


async def test_a_router_alone_serves_on_without_its_lvs(scene: Scene) -> None:
    await scene.runs()
    scene.is_alone()
    failover = scene.pulse._heart.failover
    assert failover is not None
    scene.pulse._lvs._silent_s = 1000.0
    scene.pulse._hear(Found(is_well=False, reason="The table cannot be read."))
    assert str(failover.state) == "active"
    kill(signal.SIGTERM)
    await scene.ended()


async def test_lvs_is_told_at_once_and_every_second_how_things_stand(scene: Scene) -> None:
    await scene.runs()
    reader, writer = await asyncio.open_unix_connection(str(scene.path))
    writer.write(encode(Configure(7, True)) + b"\n")
    kinds = []
    async with asyncio.timeout(10):
        while "shown" not in kinds or "stand" not in kinds:
            kinds.append(json.loads(await reader.readline())["type"])
    writer.close()
    kill(signal.SIGTERM)
    await scene.ended()
