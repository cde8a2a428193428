"""Shake hands with a real server by TLS, ask it for a page, or both; `health.http` judges what comes."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from piranha.config.model import Address
from piranha.health.check import Check, Verdict
from piranha.health.http import Answer
from piranha.system import network_words
from piranha.system.tcp import connection_to
from piranha.system.tls import PIECE_BYTES, Handshake, TlsChannel, context_of

KEPT_BYTES = 1024
"""So much of an answer is kept to be shown."""


class _At(Enum):
    CONNECTING = auto()
    SHAKING_HANDS = auto()
    SENDING = auto()
    RECEIVING = auto()


class Visit:
    """One connection to a real server for a check with `tls` or `http`, and how far it got.

    `received` is what came first, without TLS around it. `run` raises OSError and tls.NotReady; `late` and `failed` say
    what the first means.
    """

    def __init__(self, check: Check, endpoint: str) -> None:
        self._check = check
        self._endpoint = endpoint
        self._at = _At.CONNECTING
        self._answer = Answer(check.http) if check.http is not None else None
        self._remark = ""
        self.sent = b""
        self.received = bytearray()

    async def run(self, address: Address) -> Verdict:
        """Connect, shake hands, ask, and read until the verdict is certain. Raises OSError, NotReady."""
        tls = self._check.tls
        context = None if tls is None else context_of(tls)  # what this router lacks is nobody's connection
        async with connection_to(address, self._check.port) as connection:
            if tls is None or context is None:
                loop = asyncio.get_running_loop()
                return await self._ask(
                    lambda data: loop.sock_sendall(connection, data),
                    lambda: loop.sock_recv(connection, PIECE_BYTES),
                )
            self._at = _At.SHAKING_HANDS
            channel = TlsChannel(connection, tls, context, self._endpoint)
            try:
                self._remark = await channel.shake_hands()
                verdict = await self._ask(channel.send, channel.receive)
            except Handshake as problem:
                return Verdict(False, str(problem))
            channel.close()
            return verdict

    async def _ask(self, send: Callable[[bytes], Awaitable[None]], receive: Callable[[], Awaitable[bytes]]) -> Verdict:
        http, answer = self._check.http, self._answer
        if http is None or answer is None:
            return self._said(Verdict(True, f"TLS with {self._endpoint}"))
        self._at = _At.SENDING
        await send(http.request)
        self._at, self.sent = _At.RECEIVING, http.request
        while True:
            piece = await receive()
            self.received += piece[: KEPT_BYTES - len(self.received)]
            verdict = answer.add(piece) if piece else answer.end()
            if verdict is not None:
                return self._said(verdict)
            await asyncio.sleep(0)  # what is there is read without waiting; all other checks have their turn

    def _said(self, verdict: Verdict) -> Verdict:
        return Verdict(verdict.is_good, verdict.reason + self._remark)

    def late(self) -> Verdict:
        """Return the verdict if the check's limit ended it."""
        limit_s = self._check.limit_s
        match self._at:
            case _At.CONNECTING:
                return Verdict(False, f"connect to {self._endpoint} timed out after {limit_s:g} s")
            case _At.SHAKING_HANDS:
                return Verdict(False, f"TLS handshake failed: no end of it within {limit_s:g} s")
            case _At.SENDING:
                return Verdict(False, f"connected, but the request was not taken within {limit_s:g} s")
        assert self._answer is not None, "nothing is received that was not asked for"
        return self._answer.late(limit_s)

    def failed(self, error: OSError) -> Verdict:
        """Return the verdict if the network ended it."""
        what = network_words.words_of(error)
        match self._at:
            case _At.CONNECTING:
                return Verdict(False, f"connect to {self._endpoint} {what}")
            case _At.SHAKING_HANDS:
                return Verdict(False, f"TLS handshake failed: connection {what}")
            case _At.SENDING:
                return Verdict(False, f"connection {what} while sending")
        assert self._answer is not None, "nothing is received that was not asked for"
        return self._answer.broken(f"connection {what}")
