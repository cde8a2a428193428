"""Connect to a real server, send, read, and ask `health.check.judge` what the bytes mean; by UDP, see `udp_probe`; a
web server, or by TLS, see `http_probe`.

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
    Expectation,
    Match,
    Verdict,
    excerpt,
    judge,
    judge_late,
)
from piranha.health.programs import verdict_of, words_of
from piranha.system import network_words, programs, searches
from piranha.system.http_probe import Visit
from piranha.system.tcp import connection_to
from piranha.system.tls import NotReady
from piranha.system.udp_probe import Exchange

PIECE_BYTES = 16 * 1024
TRANSCRIPT_BYTES = 1024
SEARCHES_AT_ONCE = 64
"""After that many pieces a pattern is searched anew only per SEARCH_STEP_BYTES, a costly one only when as much came
again: a server that answers byte by byte must not cost this router a search each.
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
    if check.program:
        return await _by_program(check, address)
    began = time.monotonic()
    conversation = _kind_of(check)(check, written_endpoint(address, check.port))
    try:
        async with asyncio.timeout(check.limit_s):
            verdict = await conversation.run(address)
    except TimeoutError as error:  # our limit, or the kernel's own patience, which has an errno
        verdict = conversation.late() if error.errno is None else conversation.failed(error)
    except NotReady as problem:
        raise CannotCheck(str(problem)) from problem
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


def _kind_of(check: Check) -> "type[_Conversation | Exchange | Visit]":
    if check.http is not None or check.tls is not None:
        return Visit
    return Exchange if check.protocol is Protocol.UDP else _Conversation


async def _by_program(check: Check, address: Address) -> Probed:
    """Have a program make the check. Raises CannotCheck where it may not, or cannot, be run."""
    words = words_of(check.program, address, check.port)
    try:
        ended = await programs.run(words, check.limit_s)
    except programs.NotRun as problem:
        raise CannotCheck(str(problem).rstrip(".")) from problem
    verdict = verdict_of(check, ended)
    return Probed(verdict, ended.took_s, b" ".join(words)[:TRANSCRIPT_BYTES], ended.output[:TRANSCRIPT_BYTES])


class _Conversation:
    """One TCP connection to a real server, and how far it got."""

    def __init__(self, check: Check, endpoint: str) -> None:
        self._check = check
        self._endpoint = endpoint
        self._is_connected = self._is_searching = False
        self._judged = 0
        self.sent = b""
        self.received = bytearray()

    async def run(self, address: Address) -> Verdict:
        async with connection_to(address, self._check.port) as connection:
            self._is_connected = True
            return await self._talk(connection)

    async def _talk(self, connection: socket.socket) -> Verdict:
        loop, expect = asyncio.get_running_loop(), self._check.expect
        if self._check.send:
            await loop.sock_sendall(connection, self._check.send)
            self.sent = self._check.send
        if expect is None:
            return Verdict(True, f"connected to {self._endpoint}")
        pieces = 0
        while True:
            piece = await loop.sock_recv(connection, min(PIECE_BYTES, RECEIVED_BYTES_MAX - len(self.received)))
            self.received += piece
            is_complete = not piece or len(self.received) >= RECEIVED_BYTES_MAX
            pieces += 1
            if expect.match is Match.PATTERN and pieces > SEARCHES_AT_ONCE and not (is_complete or self._is_large_step):
                continue
            verdict = await self._searched(expect, is_complete)
            if verdict is not None:
                return verdict

    @property
    def _is_large_step(self) -> bool:
        """Say whether so much came since the last search that one more is worth it."""
        step = self._judged if self._is_costly else 0
        return len(self.received) - self._judged >= max(SEARCH_STEP_BYTES, step)

    async def _searched(self, expect: Expectation, is_complete: bool) -> Verdict | None:
        received = bytes(self.received)
        self._is_searching = True
        verdict = await searches.considered(expect, len(received), lambda: judge(expect, received, is_complete))
        self._is_searching = False
        self._judged = len(received)
        return verdict

    @property
    def _is_costly(self) -> bool:
        """Say whether one more search would hold up everything else."""
        return searches.is_costly(self._check.expect, len(self.received))

    def late(self) -> Verdict:
        limit_s = self._check.limit_s
        if not self._is_connected:
            return Verdict(False, f"connect to {self._endpoint} timed out after {limit_s:g} s")
        if self._check.send and not self.sent:
            return Verdict(False, f"connected, but the text to send was not taken within {limit_s:g} s")
        if self._is_costly:
            is_searched = not self._is_searching and self._judged == len(self.received)
            return searches.late_without(self._check.expect, bytes(self.received), limit_s, is_searched=is_searched)
        return judge_late(self._check.expect, bytes(self.received), limit_s)

    def failed(self, error: OSError) -> Verdict:
        what = network_words.words_of(error)
        if not self._is_connected:
            return Verdict(False, f"connect to {self._endpoint} {what}")
        if self._check.send and not self.sent:
            return Verdict(False, f"connection {what} while sending")
        if not self.received:
            return Verdict(False, f"connection {what} before anything was received")
        # What came before may be the answer all the same: a pattern is not searched after every piece.
        if not self._is_costly:
            verdict = judge(self._check.expect, bytes(self.received), is_complete=True)
            if verdict is not None and verdict.is_good:
                return verdict
        return Verdict(False, f"connection {what} after {excerpt(bytes(self.received))}")
