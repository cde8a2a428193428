"""A program that is run with a bound on everything: its time, what it may say, and whom it may leave behind."""

import os
import select
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from piranha.errors import PiranhaError
from piranha.system.confinement import User

FIXED_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOOK_S = 0.25
"""Between two looks whether anybody still waits."""
_CHUNK = 65536
_ERRORS_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended: its exit status (negative: the signal that ended it) and what it said."""

    status: int
    output: bytes
    errors: str


class TooLate(PiranhaError):
    """The program did not end within its time, and was killed with everything that it had started."""


class TooMuch(PiranhaError):
    """The program said more than it may, and was killed."""


class Stopped(PiranhaError):
    """Nobody waits for the program any more, so it was killed."""


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a program is waited for: until `ends_at` (monotonic seconds), and while nobody sets `stop`."""

    ends_at: float
    stop: threading.Event

    def next_s(self) -> float:
        """Return how long to wait before looking again. Raises TimeoutError, Stopped."""
        if self.stop.is_set():
            raise Stopped("Nobody waits for it any more.")
        left_s = self.ends_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return min(left_s, LOOK_S)


def run(
    words: Sequence[str],
    data: bytes,
    *,
    within_s: float,
    output_max: int,
    environment: Mapping[str, str],
    stop: threading.Event | None = None,
    user: User | None = None,
) -> Ran:
    """Run an argument vector with `data` on its standard input, in a session of its own; return how it ended.

    Raises TooLate after `within_s` seconds, TooMuch beyond `output_max` bytes of output, Stopped soon after `stop` is
    set, and OSError if it cannot be started. In every case its whole process group is gone behind that. `user`: whom it
    runs as, without any other group; None: as this process.
    """
    patience = _Patience(time.monotonic() + within_s, stop or threading.Event())
    with subprocess.Popen(
        list(words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
    ) as process:
        try:
            output, errors = _heard(process, data, patience, output_max)
            _wait_unreaped(process.pid, patience)
        except TimeoutError:
            raise TooLate(f"{words[0]} did not end within {within_s:g} seconds.") from None
        finally:
            # Not reaped yet, so that the number of the group is still its own.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    return Ran(status, output, errors.decode("utf-8", "replace"))


def _wait_unreaped(pid: int, patience: _Patience) -> None:
    """Wait until a child has ended. Raises TimeoutError, Stopped."""
    handle = os.pidfd_open(pid)
    try:
        while not select.select([handle], [], [], patience.next_s())[0]:
            pass
    finally:
        os.close(handle)


def _heard(
    process: "subprocess.Popen[bytes]", data: bytes, patience: _Patience, output_max: int
) -> tuple[bytes, bytes]:
    """Feed a program and hear it until it closes both outputs. Raises TimeoutError, TooMuch, Stopped."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    output, errors, rest = bytearray(), bytearray(), memoryview(data)
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(pipe.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while len(selector.get_map()) > int(process.stdin in _registered(selector)):
            for key, _ in selector.select(patience.next_s()):
                if key.fileobj is process.stdin:
                    try:
                        rest = rest[os.write(key.fd, rest[:_CHUNK]) :] if rest else rest
                    except BrokenPipeError:
                        rest = rest[:0]  # it does not want to hear the rest
                    if not rest:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                heard = os.read(key.fd, _CHUNK)
                if not heard:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    output += heard
                    if len(output) > output_max:
                        raise TooMuch(f"It said more than {output_max} bytes.")
                elif len(errors) < _ERRORS_MAX:
                    errors += heard
    return bytes(output), bytes(errors[:_ERRORS_MAX])


def _registered(selector: selectors.BaseSelector) -> list[object]:
    return [key.fileobj for key in selector.get_map().values()]
