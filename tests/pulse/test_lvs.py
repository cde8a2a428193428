"""lvs as a process and as a voice: started, started again, taken over, ended; heard and told, never waited for."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from piranha.paths import Paths
from piranha.pulse import lvs as lvs_module
from piranha.pulse.lvs import HUNG_S, LOOK_MOST_S, PAUSES_S, START_S, Lvs
from piranha.pulse.messages import Ask, Found, FromLvs, Stand, encode
from piranha.system import unix_socket
from tests.pulse.a_moment import a_moment, until

SAYS = Found(is_ready=True)
STAYS = "import time\nwhile True: time.sleep(60)\n"


class Scene:
    """An Lvs whose clock and words are ours, and what it said and heard."""

    def __init__(self, paths: Paths, words: list[str]) -> None:
        self.now = 1000.0
        self.heard: list[FromLvs] = []
        self.came = 0
        self.lvs = Lvs(words, paths.socket, lambda: self.now, self.heard.append, self._came)
        self.path = paths.pulse_socket
        self.listener = unix_socket.listen(self.path, mode=0o600, what="pulse")

    def _came(self) -> None:
        self.came += 1
        self.lvs.tell(Stand(0, 1, True))

    def look(self, seconds: float) -> None:
        """Look every second for so long."""
        for _ in range(int(seconds)):
            self.now += 1.0
            self.lvs.look()


@pytest.fixture
async def scene(paths: Paths, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """A scene whose lvs is the program that is a test's parameter."""
    program = tmp_path / "lvs.py"
    program.write_text(getattr(request, "param", STAYS))
    made = Scene(paths, [sys.executable, "-S", "-E", str(program), str(paths.pulse_socket)])
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.lvs.accept(made.listener), name="accept")
        await a_moment(2)
        yield made
        task.cancel()


class Voice:
    """Somebody on pulse's socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def said(self) -> object:
        """Return the next thing that pulse says."""
        async with asyncio.timeout(10):
            return json.loads(await self.reader.readline())

    async def is_ended(self) -> bool:
        """Say whether pulse ends the connection."""
        try:
            async with asyncio.timeout(10):
                while line := await self.reader.readline():
                    assert line
        except ConnectionResetError:
            pass
        return True

    def say(self, line: bytes) -> None:
        self.writer.write(line + b"\n")


async def connect(scene: Scene) -> Voice:
    return Voice(*await asyncio.open_unix_connection(str(scene.path)))


async def lvs_there(scene: Scene) -> Voice:
    """Return an lvs that was heard."""
    voice, before = await connect(scene), len(scene.heard)
    voice.say(encode(SAYS))
    await until(lambda: len(scene.heard) > before)
    return voice


async def test_what_lvs_says_is_heard_and_it_is_told_at_once_how_things_stand(scene: Scene) -> None:
    voice = await lvs_there(scene)
    assert scene.heard == [SAYS] and scene.came == 1
    assert await voice.said() == {"type": "stand", "number": 0, "order": 1, "is_active": True, "reason": ""}
    voice.say(encode(Ask(1, "hold")))
    await until(lambda: len(scene.heard) == 2)
    assert scene.came == 1
    voice.writer.close()


async def test_whoever_knocks_and_says_nothing_takes_nobodys_place(scene: Scene) -> None:
    voice = await lvs_there(scene)
    pid = scene.lvs._pid
    for _ in range(3):
        assert await asyncio.to_thread(unix_socket.is_answered, scene.path)
    other = await connect(scene)
    other.say(b"garbage")
    voice.say(encode(SAYS))
    await until(lambda: len(scene.heard) == 2)
    assert scene.came == 1 and scene.lvs._pid == pid
    other.writer.close()
    voice.writer.close()


async def test_an_lvs_that_comes_anew_takes_the_place_of_the_old_one(scene: Scene) -> None:
    old = await lvs_there(scene)
    new = await lvs_there(scene)
    assert scene.came == 2 and await old.is_ended()
    await a_moment(5)
    await new.said()
    scene.lvs.tell(Stand(7, 1, True))
    assert (await new.said())["number"] == 7  # type: ignore[index]
    old.writer.close()
    new.writer.close()


async def test_somebody_who_is_not_root_is_not_heard(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = unix_socket.caller

    def stranger(connection: socket.socket) -> unix_socket.Caller | None:
        found = real(connection)
        return found and unix_socket.Caller(found.pid, 4711, found.gid)

    monkeypatch.setattr(unix_socket, "caller", stranger)
    voice = await connect(scene)
    voice.say(encode(SAYS))
    assert await voice.is_ended()
    assert scene.heard == [] and scene.came == 0 and "uid 4711" in caplog.text
    voice.writer.close()


@pytest.mark.parametrize("garbage", [b"garbage", b"\xff\x00\xfe", b"{}", b'{"type":"carry"}', b"[" * 100_000])
async def test_garbage_costs_a_line_in_the_log_and_nothing_else(
    scene: Scene, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    voice = await lvs_there(scene)
    voice.say(garbage)
    voice.say(encode(SAYS))
    await until(lambda: len(scene.heard) == 2)
    assert "lvs said what pulse does not understand" in caplog.text or "the engine goes on" in caplog.text
    voice.writer.close()


async def test_a_line_without_end_ends_the_connection_and_not_pulse(scene: Scene) -> None:
    voice = await lvs_there(scene)
    voice.writer.write(b"x" * (17 * 1024 * 1024))
    assert await voice.is_ended()
    again = await lvs_there(scene)
    again.writer.close()
    voice.writer.close()


async def test_an_lvs_that_does_not_read_does_not_make_pulse_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lvs_module, "_UNSENT_BYTES_MAX", 100_000)
    voice = await lvs_there(scene)
    voice.reader._transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(2000):
        scene.lvs.tell(Stand(0, 1, True, "x" * 1000))
    await until(lambda: not scene.lvs._connected.is_set())
    voice.writer.close()
    scene.lvs.tell(Stand(0, 1, True))


async def test_without_an_lvs_nothing_is_told_and_no_signal_is_sent(scene: Scene) -> None:
    scene.lvs.tell(Stand(0, 1, True))
    scene.lvs.send(signal.SIGKILL)
    scene.look(2 * START_S)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return the signals that would have been sent."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: found.append((pid, number)))
    return found


async def test_one_that_hangs_is_killed_once(
    scene: Scene, sent: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    voice = await lvs_there(scene)
    scene.look(HUNG_S)
    assert sent == [] and scene.lvs.silent_s == HUNG_S
    scene.look(HUNG_S)
    assert sent == [(os.getpid(), signal.SIGKILL)] and caplog.text.count("and is killed") == 1
    voice.writer.close()


async def test_one_that_speaks_is_not_killed(scene: Scene, sent: list[tuple[int, int]]) -> None:
    voice = await lvs_there(scene)
    for number in range(2, 6):
        scene.look(HUNG_S - 1)
        voice.say(encode(SAYS))
        await until(lambda number=number: len(scene.heard) == number)
        assert scene.lvs.silent_s == 0
    assert sent == []
    voice.writer.close()


async def test_time_that_pulse_stood_still_is_not_the_silence_of_lvs(scene: Scene, sent: list[tuple[int, int]]) -> None:
    voice = await lvs_there(scene)
    scene.now += 3600.0
    scene.lvs.look()
    assert sent == [] and scene.lvs.silent_s <= LOOK_MOST_S
    voice.writer.close()


async def test_the_number_of_a_process_that_is_gone_gets_no_signal(scene: Scene, sent: list[tuple[int, int]]) -> None:
    voice = await lvs_there(scene)
    voice.writer.close()
    await until(lambda: not scene.lvs._connected.is_set())
    scene.lvs.send(signal.SIGHUP)
    scene.look(2 * START_S)
    assert sent == []


async def test_a_reload_waits_for_an_lvs_that_can_hear_it(scene: Scene, sent: list[tuple[int, int]]) -> None:
    scene.lvs.reload()
    assert sent == []
    voice = await lvs_there(scene)
    assert sent == [(os.getpid(), signal.SIGHUP)]
    scene.lvs.reload()
    assert len(sent) == 2
    voice.writer.close()


ENDS = "import sys; sys.exit(3)"
SPEAKS_AND_ENDS = """
import socket, sys
with socket.socket(socket.AF_UNIX) as there:
    there.connect(sys.argv[1])
    there.sendall(b'{"type":"found"}\\n')
    there.recv(10)
"""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long was waited before each start; nobody waits."""
    found: list[float] = []

    async def pause(seconds: float) -> None:
        found.append(seconds)
        await a_moment()

    monkeypatch.setattr(lvs_module.asyncio, "sleep", pause)
    return found


@pytest.mark.parametrize("scene", [ENDS], indirect=True)
async def test_one_that_ends_at_once_is_started_again_with_longer_and_longer_pauses(
    scene: Scene, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scene.lvs.keep(), name="lvs")
        await until(lambda: len(pauses) > len(PAUSES_S))
        await scene.lvs.end(signal.SIGKILL)
    assert pauses[: len(PAUSES_S) + 1] == [*PAUSES_S, PAUSES_S[-1]]
    assert "exited with status 3" in caplog.text and scene.lvs._pid == 0


@pytest.mark.parametrize("scene", [SPEAKS_AND_ENDS], indirect=True)
async def test_after_one_that_was_heard_the_pauses_begin_anew(scene: Scene, pauses: list[float]) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scene.lvs.keep(), name="lvs")
        await until(lambda: len(pauses) > 2)
        await scene.lvs.end(signal.SIGKILL)
    assert set(pauses) == {0.0} and scene.came >= 3


async def test_a_program_that_cannot_be_started_is_tried_again(
    paths: Paths, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(paths, ["/nowhere/lvs"])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scene.lvs.keep(), name="lvs")
        await until(lambda: len(pauses) > 2)
        await scene.lvs.end(signal.SIGKILL)
    assert "lvs cannot be started: No such file or directory" in caplog.text
    scene.listener.close()


async def test_it_is_ended_with_the_signal_and_not_started_again(scene: Scene, pauses: list[float]) -> None:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(scene.lvs.keep(), name="lvs")
        await until(lambda: scene.lvs._pid)
        await scene.lvs.end(signal.SIGUSR2)
        await task
    assert scene.lvs._pid == 0 and pauses == []


IGNORES = "import signal, sys, time, pathlib\nfor number in (15, 12): signal.signal(number, signal.SIG_IGN)\n"


@pytest.mark.parametrize(
    "scene", [f"{IGNORES}pathlib.Path(sys.argv[1]).with_name('deaf').touch()\ntime.sleep(600)"], indirect=True
)
async def test_one_that_does_not_end_is_killed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lvs_module, "END_S", 0.05)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(scene.lvs.keep(), name="lvs")
        await until(scene.path.with_name("deaf").exists)
        await scene.lvs.end()
        await task
    assert "did not end within 0.05 s and is killed" in caplog.text and "terminated with signal 9" in caplog.text


async def test_an_end_without_an_lvs_is_over_at_once(scene: Scene) -> None:
    await scene.lvs.end()
    await scene.lvs.keep()
    assert scene.lvs._process is None


async def test_an_lvs_that_outlived_an_earlier_pulse_is_taken_over_and_followed_by_a_new_one(
    scene: Scene, paths: Paths, pauses: list[float]
) -> None:
    api = unix_socket.listen(paths.socket, mode=0o600)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(scene.lvs.keep(), name="lvs")
        first = await lvs_there(scene)
        second = await lvs_there(scene)
        await a_moment(5)
        assert scene.lvs._process is None and scene.lvs._pid == os.getpid()
        first.writer.close()
        second.writer.close()
        await until(lambda: scene.lvs._process is not None)
        await scene.lvs.end(signal.SIGKILL)
        await task
    api.close()
