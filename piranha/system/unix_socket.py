"""Listening on a Unix socket whose path may be longer than the 107 bytes that an address holds.

`client.short_address` finds an address that fits.
"""

import contextlib
import os
import signal
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from piranha.client import short_address
from piranha.errors import PiranhaError


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end, as the kernel vouches for it (SO_PEERCRED); None where it cannot say."""

    pid: int
    uid: int
    gid: int


def listen(path: Path, *, mode: int, gid: int | None = None, what: str = "engine") -> socket.socket:
    """Return a listening socket at `path`, replacing a dead one. `what` is the program's name for people.

    Raises PiranhaError if somebody answers there already, or if the folder does not allow it.
    """
    if is_answered(path):
        raise PiranhaError(f"Another {what} is already running here: somebody answers at {path}.")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        # Made closed to everybody and opened afterwards: nobody gets in between the two.
        before = os.umask(0o777)
        try:
            with short_address(path) as address:
                listener.bind(address)
        finally:
            os.umask(before)
        if gid is not None:
            os.chown(path, -1, gid)
        path.chmod(mode)
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise PiranhaError(f"Cannot listen at {path}: {error.strerror or error}.") from error
    return listener


def is_answered(path: Path) -> bool:
    """Say whether somebody accepts connections at `path`."""
    if not path.exists():
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocker, short_address(path) as address:
            knocker.settimeout(2)
            knocker.connect(address)
    except OSError:
        return False
    return True


def caller(connection: socket.socket) -> Caller | None:
    """Return who is at the other end of a connection: who connected, or who listens there."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    return Caller(*struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))))


def kill_listener(connection: socket.socket) -> None:
    """Kill the process that listens at the other end of a connection, if it is the same user's."""
    listener = caller(connection)
    if listener is None or listener.uid != os.geteuid() or listener.pid == os.getpid():
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(listener.pid, signal.SIGKILL)
