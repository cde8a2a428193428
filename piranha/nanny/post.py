"""One worker as lvs sees it: a process that is started, heard, and replaced when it ends, hangs or says nonsense.

Rule 1: a dead worker says nothing about a real server. The one that follows it goes on where it was: each check is made
when it is due, those that are overdue at once. Rule 2: one that is silent for HUNG_S is as good as dead, and is killed;
the time that lvs stood still itself is no silence. Rule 3: what a worker says is read as what a stranger says.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast

from piranha.guard import Turn
from piranha.nanny.frames import (
    HEARD_MAX,
    Found,
    FrameFault,
    Frames,
    Note,
    NotMade,
    Told,
    one_line,
    probed_of,
    read_told,
    watch_frames,
)
from piranha.nanny.rounds import Order, Outcome
from piranha.system.bounded import FIXED_PATH
from piranha.system.probes import Probed
from piranha.system.programs import end_session

log = logging.getLogger("piranha.nanny")

WORDS = (sys.executable, "-P", "-m", "piranha.cli.nanny")
"""What starts a worker; its descriptor and our process id follow."""
HUNG_S = 5.0
"""A worker that was heard and says nothing for so long is killed."""
START_S = 30.0
"""One that was never heard is killed after so long."""
LOOK_MOST_S = 1.0
"""So much silence is counted between two looks at most."""
SHORT_S = 0.5
"""Between two starts at least."""
PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Before it is started again; from the beginning after one that was heard."""
UNREAD_BYTES_MAX = 256 * 1024 * 1024
SAID_MAX, SAID_MAX_EACH = 10_000, 20
"""So much may be said between two looks, and so much more for each check: a worker that talks without end is killed."""
NOTES_MAX, NOTES_S = 20, 60.0
"""So many lines for the log are taken of one worker within that time."""
_SAID_BYTES = 16 * 1024
_KEPT_VARIABLES = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV")


@dataclass(slots=True, eq=False)
class Standing:
    """An order, where it stands: when its check is due, and what it found last."""

    order: Order
    due: float | None
    last: Probed | None = None


class Post:
    """One worker's place. `tell` hears what came of each check, `clock` is monotonic seconds. `user`: whom the worker
    becomes, "": as `confinement.unprivileged` says.
    """

    def __init__(
        self, tell: Callable[[Outcome], None], clock: Callable[[], float], words: Sequence[str], user: str = ""
    ) -> None:
        self.standing: dict[int, Standing] = {}
        self.pid = 0
        self.trouble = ""
        self._tell = tell
        self._clock = clock
        self._words = tuple(words)
        self._user = (user,) if user else ()
        self._line: _Line | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._silent_s = 0.0
        self._looked_at = clock()
        self._was_heard = self._runs_programs = False
        self._notes, self._notes_until, self._said = 0, 0.0, 0

    def order(self, standings: Iterable[Standing]) -> None:
        """Have these checks made too."""
        new = list(standings)
        self.standing.update((each.order.number, each) for each in new)
        self._send(new, ())

    def drop(self, numbers: Iterable[int]) -> None:
        """Have these made no more."""
        gone = [number for number in numbers if self.standing.pop(number, None) is not None]
        self._send((), gone)

    async def keep(self) -> None:
        """Have a worker that runs, until cancelled; then it is gone."""
        loop, tries = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            with Turn("Running a nanny"):
                await self._run_one()
            tries = 0 if self._was_heard else min(tries + 1, len(PAUSES_S) - 1)
            await asyncio.sleep(max(PAUSES_S[tries], began + SHORT_S - loop.time()))

    def look(self) -> None:
        """Count its silence, and kill one that hangs."""
        now = self._clock()
        self._silent_s += min(now - self._looked_at, LOOK_MOST_S)
        self._looked_at, self._said = now, 0
        if self.pid and self._silent_s > (HUNG_S if self._was_heard else START_S):
            self._kill(f"said nothing for {self._silent_s:.0f} s")
            self._silent_s = 0.0

    def hear(self, line: "_Line", bodies: Iterable[bytes]) -> None:
        """Hear the worker at the other end of a line, unless that was given up."""
        if line is not self._line:
            return
        self._silent_s, self._was_heard, self.trouble = 0.0, True, ""
        try:
            for body in bodies:
                told = read_told(body)
                self._said += 1 + len(told)
                if self._said > SAID_MAX + SAID_MAX_EACH * len(self.standing):
                    raise FrameFault("more than there is to say")
                for each in told:
                    self._hear(each)
        except FrameFault as fault:
            self._kill(f"said what no nanny says ({one_line(str(fault))[:200]})")
            self._hang_up()

    async def _run_one(self) -> None:
        """Run one worker until it ends; it is gone behind that."""
        self._was_heard, self._silent_s, self._looked_at = False, 0.0, self._clock()
        reads, writes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(writes, True)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                words = (*self._words, str(theirs.fileno()), str(os.getpid()), *self._user)
                self._process = process = await _started(words, theirs.fileno(), writes)
        except OSError as error:
            ours.close()
            os.close(reads)
            self._say_trouble(f"The checks cannot be made: nanny cannot be started: {error.strerror}.")
            return
        finally:
            os.close(writes)
        try:
            self.pid = process.pid
            self._line = line = _Line(self)
            await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=ours)
            self._send(self.standing.values(), ())
            status = await process.wait()
            self._say_ended(status, _rest_of(reads))
        finally:
            self._hang_up()
            ours.close()
            os.close(reads)
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            if self._runs_programs:
                end_session(process.pid)
            self._process, self.pid = None, 0

    def _send(self, orders: Iterable[Standing], dropped: Sequence[int]) -> None:
        """Tell the worker, if one is there; the next one is told everything anyway."""
        told = [replace(each.order, due=each.due) for each in orders]
        self._runs_programs = self._runs_programs or any(each.check.program for each in told)
        transport = self._line.transport if self._line is not None else None
        if transport is None or not (told or dropped):
            return
        for frame in watch_frames(told, dropped):
            transport.write(frame)
        if transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._kill("does not hear what it is to check")

    def _hear(self, told: Told) -> None:
        if isinstance(told, Note):
            self._note(told)
            return
        standing = self.standing.get(told.number)
        if standing is None:
            return  # it was dropped meanwhile
        now = self._clock()
        ended = min(told.ended, now)
        standing.due = due = min(told.due, now + standing.order.check.interval_s)
        if isinstance(told, NotMade):
            self._tell(Outcome(told.number, None, one_line(told.trouble), ended, due))
            return
        if isinstance(told, Found):
            standing.last = probed_of(told)
        elif standing.last is None:
            raise FrameFault("the same as nothing")
        else:
            standing.last = replace(standing.last, took_s=told.took_s)
        self._tell(Outcome(told.number, standing.last, "", ended, due))

    def _note(self, told: Note) -> None:
        now = self._clock()
        if now >= self._notes_until:
            self._notes, self._notes_until = 0, now + NOTES_S
        self._notes += 1
        if self._notes <= NOTES_MAX:
            text = "\n    ".join(map(one_line, told.text.splitlines()))
            log.log(told.level, "nanny, process %d: %s", self.pid, text)

    def _kill(self, why: str) -> None:
        log.error("nanny, process %d, %s and is killed.", self.pid, why)
        with suppress(ProcessLookupError):
            self._signal()

    def _signal(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None and line.transport is not None:
            line.transport.abort()

    def _say_ended(self, status: int, said: bytes) -> None:
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
        last = one_line(lines[-1])[:500] if lines else ""
        if self._was_heard:
            log.warning("nanny, process %d, %s; another one goes on with its checks. %s", self.pid, how, last)
        else:
            self._say_trouble(f"The checks cannot be made: nanny {how}. {last}".rstrip())

    def _say_trouble(self, sentence: str) -> None:
        if sentence != self.trouble:
            log.error("%s", sentence)
        self.trouble = sentence


class _Line(asyncio.Protocol):
    """The socket to one worker; the next worker has another one."""

    def __init__(self, post: Post) -> None:
        self.transport: asyncio.Transport | None = None
        self._post = post
        self._frames = Frames(HEARD_MAX)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are no children of it

    def data_received(self, data: bytes) -> None:
        self._post.hear(self, self._frames.add(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None  # the worker is just ending, or is silent from now on, and killed for that


async def _started(words: Sequence[str], talk: int, writes: int) -> asyncio.subprocess.Process:
    """Start a worker that gets this socket, and whose complaints go into this pipe. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=writes,
        pass_fds=(talk,),
        start_new_session=True,
        env=_environment(os.environ),
    )


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return a worker's environment: of ours what finds its modules, and nothing else."""
    kept = {name: ours[name] for name in _KEPT_VARIABLES if name in ours}
    return {"PATH": FIXED_PATH, "LC_ALL": "C.UTF-8", **kept}


def _rest_of(descriptor: int) -> bytes:
    """Return what is in a pipe."""
    try:
        return os.read(descriptor, _SAID_BYTES)
    except BlockingIOError:
        return b""
