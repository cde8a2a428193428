"""active_cmd and inactive_cmd: once for each change, in the background, with a time limit (engine.md 1.14).

An argument vector, split at blanks as the original does; no shell. Only a program that nobody but root can change is
run. The whole process group is ended when the time is over; what a command leaves in the background when it ends in
time goes on, as with the original. Its exit status and what it says go to the log.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable

from piranha.config.programs import doubt_of
from piranha.config.values import shown
from piranha.guard import Turn
from piranha.system.outside import way_to

log = logging.getLogger("pulse")

LIMIT_S = 60.0
TOLD_BYTES = 2000


def _doubt(program: str) -> str:
    """Return why root may not run a program that a file names, or ""."""
    if not program.startswith("/"):
        return f"{shown(program)} is no absolute path. Write the program with its whole path."
    doubt = doubt_of(program, way_to(program))
    return f"{doubt.what.message} {doubt.what.advice}" if doubt is not None else ""


class Hooks:
    """Runs the commands of one router, one after the other: what follows an earlier change waits for its end."""

    def __init__(
        self, tasks: asyncio.TaskGroup, limit_s: float = LIMIT_S, doubt: Callable[[str], str] = _doubt
    ) -> None:
        """`limit_s`: seconds a command may take; `doubt` says why a program may not be run, or ""."""
        self.active_cmd = ""
        self.inactive_cmd = ""
        self._tasks = tasks
        self._limit_s = limit_s
        self._doubt = doubt
        self._turn = asyncio.Lock()
        self._started: set[asyncio.Task[None]] = set()
        self._is_active: bool | None = None

    def changed(self, is_active: bool) -> None:
        """The router is active from now on, or it is not; what it was already starts nothing."""
        if is_active is self._is_active:
            return
        self._is_active = is_active
        keyword, command = ("active_cmd", self.active_cmd) if is_active else ("inactive_cmd", self.inactive_cmd)
        words = command.split()
        if words:
            task = self._tasks.create_task(self._run(keyword, words), name=keyword)
            self._started.add(task)
            task.add_done_callback(self._started.discard)

    def resumed(self) -> None:
        """The router goes on as the active one that it was before this process: nothing is run for that."""
        self._is_active = True

    def stopping(self) -> None:
        """The router stops: inactive_cmd is run once for that, also where the router is inactive already."""
        if self._is_active is False:
            self._is_active = None
            self.changed(False)

    async def end(self) -> None:
        """Wait until those that were started have ended."""
        if self._started:
            await asyncio.wait(self._started)

    async def _run(self, keyword: str, words: list[str]) -> None:
        async with self._turn:
            with Turn(keyword):
                await self._run_now(keyword, words)

    async def _run_now(self, keyword: str, words: list[str]) -> None:
        doubt = self._doubt(words[0])
        if doubt:
            log.error("%s is not run. %s", keyword, doubt)
            return
        with _Said() as said:
            try:
                running = await asyncio.create_subprocess_exec(
                    *words,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=said.descriptor,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                log.error("%s %s cannot be run: %s.", keyword, words[0], error.strerror)
                return
            said.begin()
            try:
                async with asyncio.timeout(self._limit_s):
                    status = await running.wait()
            except TimeoutError:
                log.error("%s %s is ended: it ran for more than %g s.", keyword, words[0], self._limit_s)
                return
            finally:
                if running.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(running.pid, signal.SIGKILL)
                    await running.wait()
            told = said.so_far()
        log.log(logging.WARNING if status else logging.INFO, "%s exited with status %d. %s", keyword, status, told)


class _Said:
    """What a command says, its last TOLD_BYTES. Not waited for: a daemon that it started may keep its output open."""

    def __init__(self) -> None:
        self._reads, self.descriptor = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(self.descriptor, True)
        self._said = b""

    def __enter__(self) -> "_Said":
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._reads)
        os.close(self._reads)
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def begin(self) -> None:
        """Read from now on; the command has its end."""
        os.close(self.descriptor)
        self.descriptor = -1
        asyncio.get_running_loop().add_reader(self._reads, self._read)

    def so_far(self) -> str:
        """Return what was said until now."""
        self._read()
        return self._said.decode(errors="replace").strip()

    def _read(self) -> None:
        try:
            piece = os.read(self._reads, 65536)
        except BlockingIOError:
            return
        if not piece:
            asyncio.get_running_loop().remove_reader(self._reads)
        self._said = (self._said + piece)[-TOLD_BYTES:]
