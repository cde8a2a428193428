"""Real servers that want to harm whoever checks them, in a process of their own that prints their ports.

python -m tests.nanny.hostile_servers
"""

import asyncio
import json
import os
import random
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import cast

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
AB = bytes(random.Random(1).choices(b"ab", k=65_000))
TLS_ALERT = b"\x16\x03\x03\xff\xff" + os.urandom(2000)


async def nothing(seconds: float) -> None:
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"spam " * 10_000)
        await writer.drain()
        await nothing(0.01)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for letter in b"HTTP/1.0 200 OK" * 100:
        writer.write(bytes([letter]))
        await writer.drain()
        await nothing(1.0)


async def huge_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in range(10 * 1024 * 1024 // 65_536):
        writer.write(b"x" * 65_536)
        await writer.drain()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    await nothing(600.0)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def tls_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(TLS_ALERT)
    await writer.drain()


async def bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(AB)
    await writer.drain()
    await nothing(600.0)


class Flood(asyncio.DatagramProtocol):
    """Answers every datagram with a thousand large ones."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for _ in range(1000):
            self._transport.sendto(b"spam" * 300, addr)


TALKS: dict[str, Talk] = {
    "endless": endless,
    "drip": drip,
    "huge line": huge_line,
    "silent": silent,
    "reset": reset,
    "tls garbage": tls_garbage,
    "bomb": bomb,
}


async def serve() -> None:
    async def guarded(talk: Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()

    ports: dict[str, int] = {}
    servers = []
    for name, talk in TALKS.items():
        server = await asyncio.start_server(lambda r, w, talk=talk: guarded(talk, r, w), "0.0.0.0", 0, backlog=1024)
        servers.append(server)
        ports[name] = server.sockets[0].getsockname()[1]
    # Nobody accepts there, and the queue is full: connects are not answered.
    half_open = socket.create_server(("0.0.0.0", 0), backlog=0)
    ports["half-open"] = half_open.getsockname()[1]
    waiting = []
    for _ in range(4):
        fills = socket.socket()
        fills.setblocking(False)
        fills.connect_ex(("127.0.0.1", ports["half-open"]))
        waiting.append(fills)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Flood, ("0.0.0.0", 0))
    ports["flood"] = transport.get_extra_info("sockname")[1]
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve())
