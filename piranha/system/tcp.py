"""Connect to a real server by TCP, in any loop, and never to ourselves."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from piranha.config.model import Address


@asynccontextmanager
async def connection_to(address: Address, port: int) -> AsyncIterator[socket.socket]:
    """Give a socket that is connected to an address and port, and does not block. Raises OSError."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        place = (str(address), port)
        await connected(connection, place)
        if connection.getsockname()[:2] == place:
            # Nobody listens there: the kernel happened to give us that very port, and we met ourselves.
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        yield connection


async def connected(connection: socket.socket, place: tuple[str, int]) -> None:
    """Return when a socket is connected to an address and port. Raises OSError.

    The loop's own `sock_connect` would do; uvloop's asks the resolver first, in a thread, even for an address.
    """
    number = connection.connect_ex(place)
    if number == errno.EINPROGRESS:
        loop = asyncio.get_running_loop()
        is_decided: asyncio.Future[None] = loop.create_future()
        loop.add_writer(connection, _decide, is_decided)
        try:
            await is_decided
        finally:
            loop.remove_writer(connection)
        number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number == errno.EAGAIN:  # Linux's word for "no free port" here, where it waits for nothing
        number = errno.EADDRNOTAVAIL
    if number:
        raise OSError(number, os.strerror(number))


def _decide(is_decided: asyncio.Future[None]) -> None:
    if not is_decided.done():
        is_decided.set_result(None)
