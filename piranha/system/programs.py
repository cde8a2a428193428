"""Run a program that checks a real server: an argument vector, no shell, no privileges, and a bound on everything.

Rule 1: only a program that nobody but root can change is run (`config.programs`), and never with root's rights.
Rule 2: when it ends, or its time is over, its whole process group is killed: what it leaves in the background is gone.
Rule 3: it never outlives whoever started it, and sees nothing of it: no descriptor, no variable, no terminal.
"""

import asyncio
import os
import resource
import signal
import subprocess
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from piranha.config.programs import Doubt, candidates, doubt_of, is_executable
from piranha.config.values import shown
from piranha.errors import PiranhaError
from piranha.health.programs import COMPLAINT_MAX, OUTPUT_MAX, Ended
from piranha.system.bounded import FIXED_PATH
from piranha.system.confinement import NotConfined, confine, tie_to, unprivileged
from piranha.system.ways import follow, way_to

AT_ONCE = 64
"""So many programs run at once in one process at most; the others wait for their turn, which costs them no time."""
KILLED_WITHIN_S = 2.0
ENVIRONMENT = {"PATH": FIXED_PATH, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
_CHUNK = 64 * 1024
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 16 * 1024**2,
    resource.RLIMIT_NOFILE: 1024,
    resource.RLIMIT_DATA: 1024**3,
}


class NotRun(PiranhaError):
    """The program was not run, for a reason on this router."""


def doubt(program: str) -> Doubt | None:
    """Return why a program may not be run, None if nothing speaks against it."""
    return doubt_of(program, way_to(program))


def refusal(program: str) -> str:
    """Return why a program may not be run, as a sentence, or ""."""
    found = doubt(program)
    return f"{found.what.message} {found.what.advice}" if found is not None else ""


async def run(words: Sequence[bytes], limit_s: float, refusal: Callable[[str], str] = refusal) -> Ended:
    """Run an argument vector for `limit_s` seconds at most; return how it ended. Raises NotRun.

    In every case its process group is gone behind that.
    """
    why = refusal(os.fsdecode(words[0]))
    if why:
        raise NotRun(why)
    async with _turns():
        running = _Running(words)
        try:
            async with asyncio.timeout(limit_s):
                await running.ended.wait()
        except TimeoutError:
            running.is_late = True
        finally:
            running.kill()
        with suppress(TimeoutError):  # a disk that hangs lets nothing end; it is reaped when it does
            async with asyncio.timeout(KILLED_WITHIN_S):
                await running.ended.wait()
        return running.outcome()


def end_session(leader: int) -> None:
    """Kill every process of the session of a process that is gone: what a worker's programs left."""
    for _ in range(3):  # one that forks meanwhile is seen the next time
        members = [pid for pid, session in _sessions() if session == leader]
        if not members or leader in members:  # its number is another process's
            return
        for pid in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


class _Running:
    """One program, and what it has said so far. Made inside a running loop."""

    def __init__(self, words: Sequence[bytes]) -> None:
        """Start it. Raises NotRun."""
        name = os.fsdecode(words[0])
        self._loop = asyncio.get_running_loop()
        self._output, self._complaint = bytearray(), bytearray()
        self.ended = asyncio.Event()
        self._began = self._loop.time()
        self.is_late = self._said_too_much = False
        self._status = 0
        try:
            self._process = subprocess.Popen(
                list(words),
                executable=_found(name),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                process_group=0,
                preexec_fn=_Confinement(),
            )
        except (OSError, subprocess.SubprocessError, NotConfined) as error:
            what = error.strerror if isinstance(error, OSError) else "its privileges cannot be taken away"
            raise NotRun(f"{shown(name)} cannot be run: {what}.") from error
        self._handle = os.pidfd_open(self._process.pid)
        assert self._process.stdout is not None and self._process.stderr is not None
        self._pipes = {self._process.stdout.fileno(): self._output, self._process.stderr.fileno(): self._complaint}
        for descriptor in self._pipes:
            os.set_blocking(descriptor, False)
            self._loop.add_reader(descriptor, self._read, descriptor)
        self._loop.add_reader(self._handle, self._gone)

    def kill(self) -> None:
        """Kill its process group; nothing if it has ended."""
        if not self.ended.is_set():
            self._kill_group()

    def outcome(self) -> Ended:
        """Return how it ended."""
        took_s = self._loop.time() - self._began
        said = bytes(self._output[:OUTPUT_MAX]), bytes(self._complaint)
        return Ended(self._status, *said, took_s, self.is_late, self._said_too_much)

    def _kill_group(self) -> None:
        # It is not reaped yet, so that the number of the group is still its own.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self, descriptor: int) -> bool:
        """Take what it said; say whether there may be more."""
        try:
            piece = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if not piece:
            self._loop.remove_reader(descriptor)
            return False
        said = self._pipes[descriptor]
        if said is self._complaint:
            said += piece[: COMPLAINT_MAX - len(said)]
            return True
        said += piece[: OUTPUT_MAX + 1 - len(said)]
        if len(said) > OUTPUT_MAX and not self._said_too_much:
            self._said_too_much = True
            self._kill_group()
        return True

    def _gone(self) -> None:
        """Take its status, and what it said last; not what others, who have its pipes too, may still say."""
        self._kill_group()
        for descriptor in self._pipes:
            tries = 1 + OUTPUT_MAX // 4096
            while tries and self._read(descriptor):
                tries -= 1
            self._loop.remove_reader(descriptor)
        self._loop.remove_reader(self._handle)
        os.close(self._handle)
        self._status = self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self.ended.set()


class _Confinement:
    """What the forked process does before it becomes the program."""

    def __init__(self) -> None:
        """Choose whom it becomes, while there is a way to say that there is nobody. Raises NotConfined."""
        self._parent = os.getpid()
        self._user = unprivileged()

    def __call__(self) -> None:
        """Give up everything. Raises NotConfined, which ends the process before the program begins."""
        confine(self._user, _LIMITS)
        tie_to(self._parent)


_turns_of: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


def _turns() -> asyncio.Semaphore:
    """Return what lets AT_ONCE programs run at once in this loop."""
    return _turns_of.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))


def _found(program: str) -> str:
    """Return the path of a program that may be run."""
    return next((path for path in candidates(program) if is_executable(follow(path))), program)


def _sessions() -> Iterator[tuple[int, int]]:
    """Yield each process with its session (proc(5): stat; the name in it may hold anything)."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if fields[0] != "Z":
                    yield int(folder.name), int(fields[3])
