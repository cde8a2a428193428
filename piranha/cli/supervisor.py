"""Keeps a few programs running: starts them, starts them again when they end, stops them all.

Each program leads its own process group and dies with this process (`tether`). Its output goes to a file.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from piranha.cli import tether
from piranha.cli.restarts import Restarts, after_end
from piranha.errors import PiranhaError
from piranha.system.boot import monotonic

LOG_BYTES_MAX = 5_000_000
STOP_S = 10.0
"""How long a program may take to stop before it is killed."""
START_S = 20.0
"""How long a program that announces itself may take to do so."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `announces`: it writes one line to standard output when it is ready."""

    name: str
    command: tuple[str, ...]
    log: Path
    announces: bool = False


@dataclass(slots=True)
class _Kept:
    program: Program
    is_wanted: bool = True
    process: asyncio.subprocess.Process | None = None
    restarts: Restarts = field(default_factory=Restarts)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    is_ready: bool = False


class Supervisor:
    """Keeps the programs running inside `async with running()`; `say` gets a sentence at each event."""

    def __init__(self, programs: Sequence[Program], environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._kept = {program.name: _Kept(program) for program in programs}
        self._environment = dict(environment)
        self._say = say
        self._is_closing = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything; at the end stop everything and wait until it is gone."""
        async with asyncio.TaskGroup() as group:
            for kept in self._kept.values():
                group.create_task(self._keep(kept), name=f"keep {kept.program.name}")
            try:
                yield
            finally:
                self._is_closing = True
                for kept in self._kept.values():
                    await self._want(kept, False)
                await asyncio.gather(*(self._end(kept) for kept in self._kept.values()))

    async def stop(self, name: str) -> None:
        """Stop a program until `start`; return when it is gone."""
        kept = self._kept[name]
        await self._want(kept, False)
        await self._end(kept)

    async def start(self, name: str) -> None:
        """Start a program that was stopped; return when it is ready.

        Raises PiranhaError if it does not become ready in time.
        """
        kept = self._kept[name]
        kept.restarts = Restarts()
        await self._want(kept, True)
        try:
            async with asyncio.timeout(START_S), kept.changed:
                await kept.changed.wait_for(lambda: kept.is_ready)
        except TimeoutError:
            raise PiranhaError(f"{name} does not start. Its messages are in {kept.program.log}.") from None

    def pid(self, name: str) -> int | None:
        """Return the process id of a program, None while it does not run."""
        process = self._kept[name].process
        return None if process is None else process.pid

    def kill_all(self) -> None:
        """Kill everything at once; for a person who does not want to wait."""
        for kept in self._kept.values():
            if kept.process is not None:
                _signal_group(kept.process.pid, signal.SIGKILL)

    async def _want(self, kept: _Kept, is_wanted: bool) -> None:
        async with kept.changed:
            kept.is_wanted = is_wanted
            kept.changed.notify_all()

    async def _keep(self, kept: _Kept) -> None:
        while True:
            async with kept.changed:
                await kept.changed.wait_for(lambda: kept.is_wanted or self._is_closing)
            if self._is_closing:
                return
            started_at = monotonic()
            outcome = await self._run_once(kept)
            if not kept.is_wanted:
                continue
            kept.restarts, delay_s = after_end(kept.restarts, started_at, monotonic())
            when = f"in {delay_s:g} s" if delay_s else "now"
            self._say(f"{kept.program.name} {outcome}; it is started again {when}. Its log: {kept.program.log}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s or 0.001), kept.changed:
                    await kept.changed.wait_for(lambda: not kept.is_wanted)

    async def _run_once(self, kept: _Kept) -> str:
        """Run the program to its end; return how it ended, as the predicate of a sentence."""
        _keep_log_small(kept.program.log)
        # An own pipe: asyncio would count a process as running as long as anybody holds its output open.
        announcing, announced = os.pipe()
        with FileIO(announcing, "rb") as announcements:
            try:
                with kept.program.log.open("ab") as log:
                    output = announced if kept.program.announces else log.fileno()
                    process = await self._spawn(kept.program, output, log.fileno())
            except OSError as problem:
                return f"cannot be started ({problem.strerror})"
            finally:
                os.close(announced)
            await self._set(kept, process, not kept.program.announces)
            if not kept.is_wanted:  # stopped while it was being started
                _signal_group(process.pid, signal.SIGTERM)
            async with asyncio.TaskGroup() as group:
                hearing = self._hear(kept, process, announcements)
                reader = group.create_task(hearing, name=f"hear {kept.program.name}")
                code = await process.wait()
                reader.cancel()
        _signal_group(process.pid, signal.SIGKILL)  # what the leader left behind
        await self._set(kept, None, False)
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    async def _spawn(self, program: Program, output: int, errors: int) -> asyncio.subprocess.Process:
        tied = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *program.command)
        return await asyncio.create_subprocess_exec(
            *tied,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=self._environment,
            start_new_session=True,
        )

    async def _hear(self, kept: _Kept, process: asyncio.subprocess.Process, announcements: FileIO) -> None:
        """Wait for the line that says that the program is ready."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), announcements
        )
        try:
            if await reader.readline():
                await self._set(kept, process, True)
        finally:
            transport.close()

    async def _set(self, kept: _Kept, process: asyncio.subprocess.Process | None, is_ready: bool) -> None:
        async with kept.changed:
            kept.process = process
            kept.is_ready = is_ready
            kept.changed.notify_all()

    async def _end(self, kept: _Kept) -> None:
        """Ask the program to end, then make it; return when it is gone."""
        for order, patience_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, None)):
            if kept.process is None:
                return
            _signal_leader(kept.process, order)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s), kept.changed:
                    await kept.changed.wait_for(lambda: kept.process is None)


def _signal_leader(process: asyncio.subprocess.Process, order: signal.Signals) -> None:
    if order is signal.SIGKILL:
        _signal_group(process.pid, order)
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(order)


def _signal_group(group: int, order: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, order)


def _keep_log_small(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(log.suffix + ".1"))
