"""Workers that really run, what they told, and real servers on loopback for them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from piranha.config.model import Protocol, RealServerKey, ServiceKey
from piranha.health.check import Check, Expectation
from piranha.nanny.post import WORDS
from piranha.nanny.rounds import Order, Outcome
from piranha.nanny.workers import Workers

SERVICE = ServiceKey(Protocol.TCP, IPv4Address("192.0.2.1"), 80)
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def order(
    number: int,
    port: int,
    interval_s: float = 0.5,
    expect: Expectation | None = None,
    send: bytes | None = None,
    limit_s: float | None = None,
    protocol: Protocol = Protocol.TCP,
) -> Order:
    """Return an order for a server of its own: every address 127.x.y.z is one here."""
    address = IPv4Address(int(IPv4Address("127.1.0.0")) + number)
    key = RealServerKey(SERVICE, address, port)
    check = Check(key, protocol, address, port, send, expect, interval_s, 30.0, limit_s or interval_s)
    return Order(number, check, address)


@dataclass
class Hired:
    """Workers, and everything they told."""

    workers: Workers
    told: list[Outcome] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, outcome: Outcome) -> None:
        self.told.append(outcome)
        self._news.set()

    async def until(self, is_so: Callable[[], bool], within_s: float = 20.0) -> None:
        """Wait until something is so; look at every outcome, and every 50 ms."""
        async with asyncio.timeout(within_s):
            while not is_so():
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.05)

    async def until_all(self, numbers: range, since: int = 0, within_s: float = 20.0) -> None:
        """Wait until something was told of each of these since the so-and-so-manyth outcome."""
        await self.until(lambda: {each.number for each in self.told[since:]} >= set(numbers), within_s)

    def of(self, number: int) -> list[Outcome]:
        return [each for each in self.told if each.number == number]

    @property
    def pids(self) -> list[int]:
        return list(self.workers.staff)


@contextlib.asynccontextmanager
async def hired(
    most: int = 1,
    words: Sequence[str] = WORDS,
    servers_each: int = 200,
    run_as: Callable[[], Mapping[str, str]] = dict,
) -> AsyncIterator[Hired]:
    """Give workers that run, and none behind that."""
    workers = Workers(lambda outcome: found.hear(outcome), most, run_as=run_as, words=words, servers_each=servers_each)
    found = Hired(workers)
    run = asyncio.get_running_loop().create_task(found.workers.run())
    try:
        yield found
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


@contextlib.asynccontextmanager
async def real_server(talk: Talk) -> AsyncIterator[int]:
    """Give the port of a server on all loopback addresses."""
    talks: set[asyncio.Task[None]] = set()

    async def talked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            talks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(talked, "0.0.0.0", 0, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def passes(seconds: float) -> None:
    """Return after so much real time."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


def is_there(pid: int) -> bool:
    """Say whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids_with(words: bytes) -> list[int]:
    """Return the processes with these words in their command lines (a zero byte between two)."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if words in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
    return found


def status_of(pid: int) -> dict[str, str]:
    """Return what /proc says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def gone_within(pid: int, seconds: float) -> bool:
    """Say whether a process ends within so much time."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if not is_there(pid):
            return True
    return False
