"""How `piranha demo stop web2` reaches the demo that runs: one JSON line each way over a Unix socket.

A lock file says that a demo runs here, and which process it is. The lock ends with the process,
however that ends.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec

from piranha.client import short_address
from piranha.errors import PiranhaError
from piranha.paths import Paths
from piranha.system.unix_socket import listen

ANSWER_S = 40.0
LINE_BYTES_MAX = 65536


class Order(msgspec.Struct, frozen=True):
    """Stop or start a web server of the demo. `order` is "stop" or "start"."""

    order: str
    server: str


class Outcome(msgspec.Struct, frozen=True):
    """What came of it: a sentence for the person."""

    is_done: bool
    sentence: str


def control_socket(paths: Paths) -> Path:
    """Return where the running demo listens."""
    return paths.run / "demo.sock"


@contextlib.contextmanager
def only_one(paths: Paths) -> Iterator[None]:
    """Hold the demo's root for this process. Raises PiranhaError, naming the process that has it already."""
    file = paths.run / "demo.pid"
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise PiranhaError(f"Cannot write {file}: {problem.strerror}.") from problem
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            raise PiranhaError(
                f"A demo is already running on {paths.root} (process {pid}). "
                "Stop it with Ctrl-C there, or choose another folder: piranha demo --root DIR"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(handle)


@contextlib.asynccontextmanager
async def serving(paths: Paths, obey: Callable[[Order], Awaitable[Outcome]]) -> AsyncIterator[None]:
    """Answer orders inside the `async with`."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.closing(writer):
            line = await reader.readline()  # ValueError: longer than the limit
            try:
                outcome = await obey(msgspec.json.decode(line, type=Order))
            except msgspec.MsgspecError as problem:
                outcome = Outcome(False, f"That is no order for the demo: {problem}.")
            writer.write(msgspec.json.encode(outcome) + b"\n")
            await writer.drain()

    place = control_socket(paths)
    listener = listen(place, mode=0o600)
    server = await asyncio.start_unix_server(converse, sock=listener, limit=LINE_BYTES_MAX)
    try:
        async with server:
            yield
    finally:
        place.unlink(missing_ok=True)


def send_order(paths: Paths, order: Order) -> Outcome:
    """Hand an order to the running demo and return what came of it. Raises PiranhaError if there is none."""
    place = control_socket(paths)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(ANSWER_S)
        try:
            with short_address(place) as address:
                line.connect(address)
            line.sendall(msgspec.json.encode(order) + b"\n")
            answer = line.makefile("rb").readline(LINE_BYTES_MAX)
        except TimeoutError:
            raise PiranhaError(f"The demo on {paths.root} did not answer within {ANSWER_S:g} seconds.") from None
        except OSError as problem:
            raise PiranhaError(
                f"No demo runs on {paths.root}. Start it: piranha demo (or, in a checkout, make run)."
            ) from problem
    try:
        return msgspec.json.decode(answer, type=Outcome)
    except msgspec.MsgspecError as problem:
        raise PiranhaError("The demo ended before it answered.") from problem
