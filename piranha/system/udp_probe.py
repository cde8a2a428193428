"""Ask a real server by UDP and hand each datagram that comes back to `health.datagrams`.

The socket is connected, so that the kernel gives it nothing but what comes from the address and port that were asked,
and says when an ICMP message told that the port is closed (udp(7): ECONNREFUSED).
"""

import asyncio
import errno
import os
import socket

from piranha.config.model import Address
from piranha.health.check import RECEIVED_BYTES_MAX, Check, Verdict
from piranha.health.datagrams import Heard, verdict_late, verdict_of, with_datagram
from piranha.system.network_words import words_of
from piranha.system.searches import considered, late_without


class Exchange:
    """One question to a real server and its answers, and how far it got.

    `received` is the last datagram. `run` raises OSError; `late` and `failed` then say what that means.
    """

    def __init__(self, check: Check, endpoint: str) -> None:
        self._check = check
        self._endpoint = endpoint
        self._heard = Heard()
        self._is_searching = False
        self.sent = b""
        self.received = b""

    async def run(self, address: Address) -> Verdict:
        """Send the check's text and read until the verdict is certain. Raises OSError."""
        assert self._check.send, "without a question there is no answer: check_of"
        loop = asyncio.get_running_loop()
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            connection.setblocking(False)
            self._connect(connection, address)
            await loop.sock_sendall(connection, self._check.send)
            self.sent = self._check.send
            while (verdict := verdict_of(self._heard)) is None:
                self.received = await loop.sock_recv(connection, RECEIVED_BYTES_MAX)
                await self._judge(self.received)
            return verdict

    async def _judge(self, datagram: bytes) -> None:
        heard, expect = self._heard, self._check.expect
        self._is_searching = True
        self._heard = await considered(expect, len(datagram), lambda: with_datagram(heard, expect, datagram))
        self._is_searching = False

    def _connect(self, connection: socket.socket, address: Address) -> None:
        place = (str(address), self._check.port)
        try:
            connection.connect(place)  # chooses a port and a way; nothing is sent, nothing is waited for
        except BlockingIOError as error:  # Linux's word for "no free port" here, where it waits for nothing
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from error
        if connection.getsockname()[:2] == place:
            # Nobody listens there: the kernel happened to give us that very port, and we would answer ourselves.
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def late(self) -> Verdict:
        """Return the verdict if the check's limit ended it."""
        if not self.sent:
            return Verdict(False, f"the text to send was not taken within {self._check.limit_s:g} s")
        if self._is_searching:
            return late_without(self._check.expect, self.received, self._check.limit_s, is_searched=False)
        return verdict_late(self._heard, self._check.limit_s)

    def failed(self, error: OSError) -> Verdict:
        """Return the verdict if the network ended it."""
        if error.errno == errno.ECONNREFUSED:
            return Verdict(False, f"UDP port {self._endpoint} is closed (ICMP port unreachable)")
        return Verdict(False, f"{'receiving from' if self.sent else 'sending to'} {self._endpoint} {words_of(error)}")
