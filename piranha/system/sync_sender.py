"""Sends messages of the kernel's connection sync to the group that the sync daemons of a network listen to."""

import socket
import struct
from collections.abc import Iterable

from piranha.errors import PiranhaError
from piranha.ipvs.sync_wire import GROUP, PORT

_BUFFER_BYTES = 4 * 1024 * 1024


def send(interface: str, messages: Iterable[bytes]) -> int:
    """Send them by an interface; return how many. It waits for the network card: call it in a thread.

    Raises PiranhaError.
    """
    count = 0
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            index = socket.if_nametoindex(interface)
            # struct ip_mreqn: the group, an address (any), the interface.
            sender.setsockopt(
                socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index)
            )
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            for message in messages:
                sender.sendto(message, (GROUP, PORT))
                count += 1
    except OSError as error:
        reason = error.strerror or error
        raise PiranhaError(f"Connections cannot be told to the partner on {interface}: {reason}.") from error
    return count
