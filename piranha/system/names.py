"""Asking the resolver for the addresses of host names, never longer than a fixed time."""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import ip_address

from piranha.config.model import Address, HostName

LIMIT_S = 5.0


async def resolve(names: Iterable[HostName]) -> dict[HostName, Address]:
    """Return the address of each name that the resolver knows; IPv4 is preferred. The others are absent."""
    wanted = sorted(set(names))
    found = await asyncio.gather(*(_address_of(name) for name in wanted))
    return {name: address for name, address in zip(wanted, found, strict=True) if address is not None}


async def _address_of(name: HostName) -> Address | None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LIMIT_S):
            answers = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return None
    addresses = [ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
    return min(addresses, key=lambda address: address.version) if addresses else None
