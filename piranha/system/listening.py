"""Where the embedded data path may listen, and the sentences for where it may not."""

import errno
import socket

from piranha.config.model import Address, Protocol
from piranha.ipvs.schedulers import PICKS
from piranha.ipvs.table import Service, TableKey

BACKLOG = 4096
"""Connections that wait for accept; the system may cap it (net.core.somaxconn)."""


def why_not_served(key: TableKey, service: Service) -> str:
    """Return why this data path can never serve such a service, or ""."""
    if key.fwmark:
        return f"Firewall mark {key.fwmark} is not served: the embedded data path sees connections, not packets."
    if key.protocol is not Protocol.TCP:
        return f"{key.words} is not served: the embedded data path serves TCP only."
    if key.port == 0:
        return f"{key.words} is not served: the embedded data path cannot listen on every port."
    if key.address is None or key.address.is_unspecified or key.address.is_multicast:
        return f"{key.words} is not served: that is not an address of one machine."
    if service.scheduler not in PICKS:
        known = ", ".join(PICKS)
        return f'The embedded data path has no scheduler "{service.scheduler}". Choose one of {known}.'
    return ""


def why_not_bound(key: TableKey, error: OSError) -> str:
    """Return the sentence for an address and port that the system does not let us listen on."""
    match error.errno:
        case errno.EADDRNOTAVAIL:
            return f"Address {key.address} is not on this machine; it is tried again."
        case errno.EACCES | errno.EPERM:
            return f"Port {key.port} of {key.address} needs privileges; choose a port from 1024, or run as root."
        case errno.EADDRINUSE:
            return f"Port {key.port} of {key.address} is taken by another program; it is tried again."
        case _:
            return f"{key.words} cannot be listened on ({error.strerror}); it is tried again."


def open_listener(address: Address, port: int) -> socket.socket:
    """Return a non-blocking listener on exactly this address and port. Raises OSError."""
    listener = socket.socket(family_of(address), socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.version == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind((str(address), port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def family_of(address: Address) -> socket.AddressFamily:
    """Return the socket family of an address."""
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET
