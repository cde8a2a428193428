"""Requests per second through the embedded data path beside a direct connection to the same server.

Same client, same server, same run: `python -m tests.bench_embedded [SECONDS]`. Server, path and client are a process
each, on loopback; so the ratio also says how many cores they have to share.
"""

import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from typing import cast

import uvloop

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.table import AddDestination, AddService, Destination, DestinationKey, Service, TableKey
from piranha.system.embedded import EmbeddedPath

HOST = "127.0.0.1"
BODY = b"<p>web1</p>\n" * 20
KEPT = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
CLOSED = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
CLIENTS = 32
DOWNLOAD_BYTES = 512 * 1024 * 1024
ROUNDS = 3


class _Answer(asyncio.Protocol):
    """Answers every request alike; "/big" sends DOWNLOAD_BYTES."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.left = 0

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /big"):
            self.left = DOWNLOAD_BYTES
            self.resume_writing()
            return
        is_closing = b"close" in data
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY))
        if is_closing:
            self.transport.close()

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        while self.left > 0 and not self.is_paused:
            self.transport.write(bytes(min(self.left, 1 << 20)))
            self.left -= 1 << 20
        if self.left <= 0:
            self.transport.close()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _serve(said: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Answer, HOST, 0, backlog=1024)
        said.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


def _balance(said: Connection, server_port: int) -> None:
    async def run() -> None:
        key = TableKey(Protocol.TCP, IPv4Address(HOST), _free_port())
        async with EmbeddedPath() as path:
            await path.apply(AddService(key, Service("rr")))
            place = DestinationKey(IPv4Address(HOST), server_port)
            await path.apply(AddDestination(key, place, Destination(Forwarding.NAT, 1)))
            said.send(key.port)
            await asyncio.Event().wait()

    uvloop.run(run())


async def _kept_alive(port: int, until: float) -> int:
    reader, writer = await asyncio.open_connection(HOST, port)
    count = 0
    while time.monotonic() < until:
        writer.write(KEPT)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(BODY))
        count += 1
    writer.close()
    return count


async def _one_each(port: int, until: float) -> int:
    count = 0
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(CLOSED)
        await reader.read(-1)
        writer.close()
        count += 1
    return count


async def _rate(work: Callable[[int, float], Awaitable[int]], port: int, seconds: float) -> float:
    start = time.monotonic()
    counts = await asyncio.gather(*(work(port, start + seconds) for _ in range(CLIENTS)))
    return sum(counts) / (time.monotonic() - start)


def _download(port: int) -> float:
    start = time.monotonic()
    buffer = bytearray(1 << 20)
    total = 0
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\n\r\n")
        while count := connection.recv_into(buffer):
            total += count
    assert total == DOWNLOAD_BYTES, total
    return total / (time.monotonic() - start) / 1e6


def _started(target: Callable[..., None], *arguments: object) -> int:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    multiprocessing.get_context("spawn").Process(target=target, args=(theirs, *arguments), daemon=True).start()
    port: int = ours.recv()
    return port


def main() -> None:
    """Print the figures, and a JSON line of the ratios."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    direct = _started(_serve)
    through = _started(_balance, direct)
    ratios: dict[str, float] = {}
    print(f"{os.cpu_count()} cores, {CLIENTS} clients, {ROUNDS} rounds of {seconds:g} s each; the median counts")
    for title, work in (("keep-alive", _kept_alive), ("a connection each", _one_each)):
        found: dict[int, list[float]] = {direct: [], through: []}
        for _ in range(ROUNDS):
            for port in (direct, through):
                found[port].append(uvloop.run(_rate(work, port, seconds)))
        medians = [statistics.median(found[port]) for port in (direct, through)]
        ratios[title] = round(medians[1] / medians[0], 3)
        print(f"{title:18} direct {medians[0]:8.0f}/s   embedded {medians[1]:8.0f}/s   ratio {ratios[title]:.2f}")
    speeds = [statistics.median(_download(port) for _ in range(ROUNDS)) for port in (direct, through)]
    title = "download"
    ratios[title] = round(speeds[1] / speeds[0], 3)
    print(f"{title:18} direct {speeds[0]:6.0f} MB/s   embedded {speeds[1]:6.0f} MB/s   ratio {ratios[title]:.2f}")
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
