"""A UDP socket for heartbeats on one of this router's own addresses (engine.md 1.5, contract point 1).

It never waits: what cannot be sent now is not sent, and the next heartbeat comes soon. Bound to the configured address,
so that it is the source of what is sent: a partner believes no other.
"""

import contextlib
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from piranha.errors import PiranhaError

Address: TypeAlias = IPv4Address | IPv6Address

BYTES_MAX = 2048
"""More than any datagram that counts: a longer one is seen to be too long."""
AT_ONCE = 256
"""Datagrams that are read in one go; then everything else has its turn."""
_NETWORK_CONTROL = 0xC0  # class selector 6 (RFC 2474): before the traffic of users, where the network knows priorities
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_RECEIVED_BYTES = 4 * 1024 * 1024
"""So much may wait: a flood of what does not count leaves room for the partner's heartbeats."""
_PRIORITY = 6  # man 7 socket: the highest that needs no privilege


class HeartbeatSocket:
    """One channel's socket. `trouble` is why the last heartbeat was not sent, or ""."""

    def __init__(self, own: Address, port: int) -> None:
        """Bind it. Raises PiranhaError."""
        self.own, self.port = own, port
        self.trouble = ""
        is_six = own.version == 6
        try:
            self._socket = socket.socket(socket.AF_INET6 if is_six else socket.AF_INET, socket.SOCK_DGRAM)
        except OSError as error:
            raise PiranhaError(f"failed to create UDP socket: {error.strerror}.") from error
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)
            with contextlib.suppress(OSError):  # where it is not permitted, it stays as it is
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVED_BYTES)
            if is_six:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _NETWORK_CONTROL)
            else:
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _NETWORK_CONTROL)
            self._socket.bind((str(own), port))
        except OSError as error:
            self._socket.close()
            raise PiranhaError(f"failed to bind to heartbeat address: {own} port {port}: {error.strerror}.") from error

    def fileno(self) -> int:
        """Return the descriptor, for an event loop."""
        return self._socket.fileno()

    def send(self, raw: bytes, partner: Address) -> None:
        """Send a datagram to the partner's address, same port. What the network refuses is in `trouble`."""
        try:
            self._socket.sendto(raw, (str(partner), self.port))
        except OSError as error:
            self.trouble = f"No heartbeat can be sent to {partner}: {error.strerror or error}."
        else:
            self.trouble = ""

    def receive(self) -> list[tuple[bytes, Address]]:
        """Return the datagrams that wait, AT_ONCE at most, each with its sender's address."""
        found: list[tuple[bytes, Address]] = []
        for _ in range(AT_ONCE):
            try:
                raw, sender = self._socket.recvfrom(BYTES_MAX)
            except BlockingIOError:
                break
            except OSError:
                continue  # an error that the network reported about an earlier heartbeat; it is cleared by reading it
            found.append((raw, ip_address(sender[0].partition("%")[0])))
        return found

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
