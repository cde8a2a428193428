"""Connect to a real server, send, read, and ask `health.check.judge` what the bytes mean; by UDP, see `udp_probe`.

Whatever the network does is a value with a sentence. What says nothing about the real server (this router has
no file handle left, for one) raises CannotCheck instead: a router in need must not take its servers out of
service.
"""

import asyncio
import errno
import socket
import time
from dataclasses import dataclass

from piranha.config.model import Address, Protocol, written_endpoint
from piranha.errors import PiranhaError
from piranha.health.check import (
    RECEIVED_BYTES_MAX,
    Check,
    Match,
    Verdict,
    excerpt,
    judge,
    judge_late,
)
from piranha.system.network_words import words_of
from piranha.system.udp_probe import Exchange

PIECE_BYTES = 16 * 1024
TRANSCRIPT_BYTES = 1024
SEARCHES_AT_ONCE = 64
"""After that many pieces a pattern is searched anew only per SEARCH_STEP_BYTES: a server that answers byte by
byte must not cost this router a search each.
"""
SEARCH_STEP_BYTES = 1024

OUR_OWN_TROUBLE = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
)


class CannotCheck(PiranhaError):
    """The check could not be made, for a reason on this router. Nothing is known about the real server."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What one check did: the verdict, how long it took, what was sent and the first bytes that came."""

    verdict: Verdict
    took_s: float
    sent: bytes
    received: bytes


async def probe(check: Check, address: Address) -> Probed:
    """Do one check against `address` (the check's own, resolved), within the check's limit.

    Raises CannotCheck.
    """
    began = time.monotonic()
    kind = Exchange if check.protocol is Protocol.UDP else _Conversation
    conversation = kind(check, written_endpoint(address, check.port))
    try:
        async with asyncio.timeout(check.limit_s):
            verdict = await conversation.run(address)
    except TimeoutError as error:  # our limit, or the kernel's own patience, which has an errno
        verdict = conversation.late() if error.errno is None else conversation.failed(error)
    except OSError as error:
        if error.errno in OUR_OWN_TROUBLE:
            raise CannotCheck(f"this router cannot make the check: {error.strerror}") from error
        verdict = conversation.failed(error)
    return Probed(
        verdict,
        time.monotonic() - began,
        conversation.sent[:TRANSCRIPT_BYTES],
        bytes(conversation.received[:TRANSCRIPT_BYTES]),
    )


class _Conversation:
    """One TCP connection to a real server, and how far it got."""

    def __init__(self, check: Check, endpoint: str) -> None:
        self._check = check
        self._endpoint = endpoint
        self._is_connected = False
        self.sent = b""
        self.received = bytearray()

    async def run(self, address: Address) -> Verdict:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, (str(address), self._check.port))
            if connection.getsockname()[:2] == (str(address), self._check.port):
                # Nobody listens there: the kernel happened to give us that very port, and we met ourselves.
                raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            self._is_connected = True
            return await self._talk(connection)

    async def _talk(self, connection: socket.socket) -> Verdict:
        loop, expect = asyncio.get_running_loop(), self._check.expect
        if self._check.send:
            await loop.sock_sendall(connection, self._check.send)
            self.sent = self._check.send
        if expect is None:
            return Verdict(True, f"connected to {self._endpoint}")
        pieces = judged = 0
        while True:
            piece = await loop.sock_recv(connection, min(PIECE_BYTES, RECEIVED_BYTES_MAX - len(self.received)))
            self.received += piece
            is_complete = not piece or len(self.received) >= RECEIVED_BYTES_MAX
            pieces += 1
            is_large_step = len(self.received) - judged >= SEARCH_STEP_BYTES
            if expect.match is Match.PATTERN and pieces > SEARCHES_AT_ONCE and not (is_complete or is_large_step):
                continue
            judged = len(self.received)
            verdict = judge(expect, bytes(self.received), is_complete)
            if verdict is not None:
                return verdict

    def late(self) -> Verdict:
        limit_s = self._check.limit_s
        if not self._is_connected:
            return Verdict(False, f"connect to {self._endpoint} timed out after {limit_s:g} s")
        if self._check.send and not self.sent:
            return Verdict(False, f"connected, but the text to send was not taken within {limit_s:g} s")
        return judge_late(self._check.expect, bytes(self.received), limit_s)

    def failed(self, error: OSError) -> Verdict:
        what = words_of(error)
        if not self._is_connected:
            return Verdict(False, f"connect to {self._endpoint} {what}")
        if self._check.send and not self.sent:
            return Verdict(False, f"connection {what} while sending")
        if not self.received:
            return Verdict(False, f"connection {what} before anything was received")
        # What came before may be the answer all the same: a pattern is not searched after every piece.
        verdict = judge(self._check.expect, bytes(self.received), is_complete=True)
        if verdict is not None and verdict.is_good:
            return verdict
        return Verdict(False, f"connection {what} after {excerpt(bytes(self.received))}")
