"""TLS over a connected socket, in memory: no transport, no thread, the same under every loop, and bounded.

What a real server does to a handshake is a `Handshake`, with the sentence for the operator; what this router lacks is
NotReady, which says nothing about the real server.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

from piranha.errors import PiranhaError
from piranha.health.certificates import AlternativeName, name_fault, warning
from piranha.health.check import Tls
from piranha.health.kinds import name_to_ask

PIECE_BYTES = 16 * 1024
RAW_MAX = 512 * 1024
"""Bytes that a whole connection takes from the network; handshakes have some thousand."""
CONTEXTS_KEPT = 256
SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where distributions keep the certificates that they trust; whom OpenSSL was built for comes first."""
_EXPIRED, _NOT_YET_VALID = 10, 9
"""X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_T = TypeVar("_T")


class NotReady(PiranhaError):
    """This router cannot verify anybody: it has not the certificates to do it with."""


class Handshake(Exception):
    """There is no TLS with this real server, or not with the right one; the sentence says why."""


def context_of(tls: Tls) -> ssl.SSLContext:
    """Return what OpenSSL needs for a connection. Raises NotReady."""
    if tls.trouble:
        raise NotReady(tls.trouble)
    return _context(tls.verifies, tls.authorities, tls.authorities_file)


class TlsChannel:
    """One TLS connection over a socket that is connected and does not block.

    `context` is that of `context_of`; `endpoint` names the real server.
    """

    def __init__(self, connection: socket.socket, tls: Tls, context: ssl.SSLContext, endpoint: str) -> None:
        self._connection = connection
        self._tls = tls
        self._endpoint = endpoint
        self._raw = 0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name_to_ask(tls))

    async def shake_hands(self) -> str:
        """Return what is to be said of the certificate, "" if nothing. Raises Handshake, and OSError of the network."""
        try:
            await self._done(self._object.do_handshake)
        except ssl.SSLCertVerificationError as problem:
            raise Handshake(f"certificate of {self._endpoint} {_untrusted(problem)}") from problem
        except ssl.SSLError as problem:
            raise Handshake(f"TLS handshake failed: {_words_of(problem)}") from problem
        if not self._tls.verifies:
            return ""
        told = self._object.getpeercert() or {}
        fault = name_fault(
            self._endpoint, self._tls, cast("tuple[AlternativeName, ...]", told.get("subjectAltName", ()))
        )
        if fault:
            raise Handshake(fault)
        return warning(self._tls, end_of(str(told.get("notAfter", ""))), time.time())

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises Handshake, OSError."""
        try:
            await self._done(lambda: self._object.write(data))  # what does not fit at once stays in the memory
        except ssl.SSLError as problem:
            raise Handshake(f"TLS failed: {_words_of(problem)}") from problem

    async def receive(self) -> bytes:
        """Return the next piece, b"" at the end. Raises Handshake, OSError."""
        try:
            return await self._done(lambda: self._object.read(PIECE_BYTES))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as problem:
            raise Handshake(f"TLS failed: {_words_of(problem)}") from problem

    def close(self) -> None:
        """Say goodbye, as far as that goes without waiting."""
        try:
            self._object.unwrap()
        except (OSError, ValueError):
            pass  # it waits for the other's goodbye; ours is written
        try:
            self._connection.send(self._outgoing.read())
        except OSError:
            pass

    async def _done(self, step: Callable[[], _T]) -> _T:
        """Return what a step of OpenSSL returns; the network gives it what it needs.

        Raises ssl.SSLError of OpenSSL, OSError of the network, and Handshake where that gives too much.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError:
                await self._flush()  # the alert that says why
                raise
            else:
                await self._flush()
                return result
            if self._raw >= RAW_MAX:
                raise Handshake(f"TLS failed: more than {RAW_MAX} bytes came")
            piece = await loop.sock_recv(self._connection, PIECE_BYTES)
            self._raw += len(piece)
            if piece:
                self._incoming.write(piece)
            else:
                self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(self._connection, self._outgoing.read())


@lru_cache(CONTEXTS_KEPT)
def _context(verifies: bool, authorities: bytes, authorities_file: str) -> ssl.SSLContext:
    """Return what OpenSSL needs for every connection of this kind. Raises NotReady.

    The name is looked at behind the handshake, so that the reason can say which names the certificate has.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.set_ciphers("DEFAULT:!kDHE")  # with groups that the server makes up, one handshake takes a second
    if not verifies:
        context.verify_mode = ssl.CERT_NONE
    elif authorities_file:
        try:
            context.load_verify_locations(cadata=authorities.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError) as problem:
            raise NotReady(f"{authorities_file} has no certificates in PEM that can be read") from problem
    else:
        _load_system_authorities(context)
    return context


def _load_system_authorities(context: ssl.SSLContext) -> None:
    chosen = ssl.get_default_verify_paths().cafile
    for name in filter(None, (chosen, *SYSTEM_FILES)):
        try:
            context.load_verify_locations(cafile=Path(name))
        except OSError:  # ssl.SSLError too
            continue
        if context.cert_store_stats()["x509_ca"]:
            return
    raise NotReady("this router has no certificates of authorities; install ca-certificates, or set ca_file")


def end_of(told: str) -> float | None:
    """Return when a certificate ends, wall-clock seconds, as OpenSSL tells it: `Jan  5 09:34:43 2028 GMT`.

    Not by strptime, which loads a module when it is first used: who makes checks can read no files of ours by then.
    """
    try:
        month, day, clock, year, zone = told.split()
        hour, minute, second = map(int, clock.split(":"))
        when = datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return when.timestamp() if zone == "GMT" else None


def _untrusted(problem: ssl.SSLCertVerificationError) -> str:
    if problem.verify_code == _EXPIRED:
        return "has ended (expired)"
    if problem.verify_code == _NOT_YET_VALID:
        return "is not valid yet"
    return f"is not trusted: {problem.verify_message}"


def _words_of(problem: ssl.SSLError) -> str:
    if isinstance(problem, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the server closed the connection"
    reason = (getattr(problem, "reason", None) or "").lower().replace("_", " ")
    if reason in ("wrong version number", "http request", "packet length too long"):
        return f"the server does not speak TLS there ({reason})"
    return reason or str(problem)
