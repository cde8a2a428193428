"""Checks by HTTP, HTTPS and TLS against real servers on loopback, good ones and hostile ones."""

import asyncio
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from piranha.config.check_kinds import CheckKind
from piranha.config.model import Protocol, RealServerKey, ServiceKey
from piranha.health.check import RECEIVED_BYTES_MAX, Check, Tls, Verdict
from piranha.health.http import HEADERS_MAX, LINE_MAX, TOTAL_MAX
from piranha.health.kinds import Authorities, of_kind
from piranha.system import probes, tcp, tls
from piranha.system.probes import CannotCheck, Probed, probe
from tests.system import web_servers
from tests.system.web_servers import Authority, Talk, authority, page, serving, silent

LOOPBACK = IPv4Address("127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nall OK"
CA = "/ca.pem"
NO_PATHS = ssl.DefaultVerifyPaths(None, None, "", "", "", "")
LATE_S = 1.0
"""A limit that is reached, and how much later a check may end because this machine is busy."""


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def no_context_is_kept() -> Iterator[None]:
    yield
    tls._context.cache_clear()


def check(port: int, kind: CheckKind, pem: bytes = b"", limit_s: float = 60.0) -> Check:
    key = RealServerKey(ServiceKey(fwmark=1), LOOPBACK, port)
    plain = Check(key, Protocol.TCP, LOOPBACK, port, None, None, limit_s, 1.0, limit_s)
    return of_kind(plain, kind, {CA: Authorities(pem)})


def https(kind: str = "https", **more: object) -> CheckKind:
    return CheckKind(**{"kind": kind, "ca_file": CA, "host": "www.example.com", "warn_days": 0, **more})  # type: ignore[arg-type]


def saying(*pieces: bytes) -> Talk:
    """Return a server that waits for the first word, says these pieces and closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100_000)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return talk


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def by_http(talk: Talk, limit_s: float = 60.0, **kind: object) -> Probed:
    async with serving(talk) as port:
        return await probe(check(port, CheckKind("http", **kind), limit_s=limit_s), LOOPBACK)  # type: ignore[arg-type]


async def test_a_page_is_asked_for_by_its_host_and_its_status_is_good() -> None:
    heard: list[bytes] = []
    found = await by_http(page(OK, heard), path="/health?deep=1", host="www.example.com")
    assert found.verdict == Verdict(True, "HTTP 200")
    assert found.received == OK
    (request,) = heard
    assert found.sent == request
    assert request.startswith(b"GET /health?deep=1 HTTP/1.1\r\nHost: www.example.com\r\n")
    assert b"\r\nConnection: close\r\n" in request


@pytest.mark.parametrize(
    ("answer", "kind", "verdict"),
    [
        (b"HTTP/1.1 503 Busy\r\n\r\n", {"statuses": ((200, 200),)}, Verdict(False, "HTTP 503, expected 200")),
        (b"HTTP/1.1 404 No\r\n\r\n", {"statuses": ((200, 299), (404, 404))}, Verdict(True, "HTTP 404")),
        (OK, {"expect": "OK"}, Verdict(True, 'HTTP 200 with "OK" in the body')),
        (
            OK,
            {"expect": "fine"},
            Verdict(False, 'HTTP 200, but "fine" is not in its body of 6 bytes, "all OK"'),
        ),
        (b"", {}, Verdict(False, "connection closed before anything was received")),
        (b"220 ftp\r\n", {}, Verdict(False, 'answered "220 ftp\\r\\n", which is no HTTP')),
    ],
)
async def test_what_an_answer_means(answer: bytes, kind: dict[str, object], verdict: Verdict) -> None:
    assert (await by_http(page(answer), **kind)).verdict == verdict


async def test_d16_a_page_by_tls_is_good_if_its_certificate_and_its_status_are(signer: Authority) -> None:
    heard: list[bytes] = []
    async with serving(page(OK, heard), signer.server("www.example.com")) as port:
        found = await probe(check(port, https(expect="OK"), signer.pem), LOOPBACK)
    assert found.verdict == Verdict(True, 'HTTP 200 with "OK" in the body')
    assert found.received == OK and heard == [found.sent]
    async with serving(page(b"HTTP/1.1 503 Busy\r\n\r\n"), signer.server("www.example.com")) as port:
        found = await probe(check(port, https(), signer.pem), LOOPBACK)
    assert not found.verdict.is_good and found.verdict.reason.startswith("HTTP 503")


async def test_a_handshake_is_enough_for_tls(signer: Authority) -> None:
    async with serving(silent, signer.server("www.example.com")) as port:
        found = await probe(check(port, https("tls"), signer.pem), LOOPBACK)
    assert found.verdict == Verdict(True, f"TLS with 127.0.0.1:{port}")
    assert (found.sent, found.received) == (b"", b"")


@pytest.mark.parametrize(
    ("names", "kind", "reason"),
    [
        (("*.example.com",), {}, ""),
        (("127.0.0.1",), {"host": ""}, ""),
        (("other.example.com",), {"server_name": "other.example.com"}, ""),
        (("other.example.com",), {"verifies_name": False}, ""),
        (
            ("a.example.com", "192.0.2.7"),
            {},
            "certificate of {at} is for another name: a.example.com, 192.0.2.7, expected www.example.com",
        ),
        (
            ("www.example.com",),
            {"host": ""},
            "certificate of {at} is for another name: www.example.com, expected 127.0.0.1",
        ),
        ((), {}, "certificate of {at} names no host (subjectAltName), expected www.example.com"),
    ],
)
async def test_the_certificate_is_for_the_name(
    names: tuple[str, ...], kind: dict[str, object], reason: str, signer: Authority
) -> None:
    async with serving(silent, signer.server(*names)) as port:
        found = await probe(check(port, https("tls", **kind), signer.pem), LOOPBACK)
    at = f"127.0.0.1:{port}"
    assert found.verdict == Verdict(not reason, reason.format(at=at) or f"TLS with {at}")


async def test_who_signed_it_and_when_it_ends_count(signer: Authority, tmp_path: Path) -> None:
    async def verdict(server: Authority, trusted: bytes, days: float = 90, ago: float = 1, **kind: object) -> Verdict:
        async with serving(page(OK), server.server("www.example.com", days=days, ago=ago)) as port:
            found = await probe(check(port, https(**kind), trusted), LOOPBACK)
        return Verdict(found.verdict.is_good, found.verdict.reason.replace(f"127.0.0.1:{port}", "IT"))

    stranger = authority(tmp_path)
    told = await verdict(stranger, signer.pem)
    assert not told.is_good and told.reason.startswith("certificate of IT is not trusted: ")
    assert await verdict(stranger, stranger.pem + signer.pem) == Verdict(True, "HTTP 200")
    assert await verdict(stranger, signer.pem, verifies=False) == Verdict(True, "HTTP 200")
    assert await verdict(signer, signer.pem, days=3, ago=4) == Verdict(False, "certificate of IT has ended (expired)")
    assert await verdict(signer, signer.pem, ago=-2) == Verdict(False, "certificate of IT is not valid yet")
    soon = {"days": 6.5, "ago": 1.0, "warn_days": 14}
    assert await verdict(signer, signer.pem, **soon) == Verdict(True, "HTTP 200; its certificate ends in 5 days")  # type: ignore[arg-type]


async def test_without_a_file_the_systems_authorities_count(
    signer: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "system.pem"
    file.write_bytes(signer.pem)
    monkeypatch.setattr(tls, "SYSTEM_FILES", (str(tmp_path / "none"), str(file)))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: NO_PATHS)
    async with serving(page(OK), signer.server("www.example.com")) as port:
        assert (await probe(check(port, https(ca_file="")), LOOPBACK)).verdict == Verdict(True, "HTTP 200")
        monkeypatch.setattr(tls, "SYSTEM_FILES", ())
        tls._context.cache_clear()
        with pytest.raises(CannotCheck, match="install ca-certificates, or set ca_file"):
            await probe(check(port, https(ca_file="")), LOOPBACK)


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (Authorities(trouble="/ca.pem cannot be read: permission denied"), "/ca.pem cannot be read: permission denied"),
        (Authorities(b"-----BEGIN CERTIFICATE-----\nMII\n"), "/ca.pem has no certificates in PEM that can be read"),
        (Authorities(b"\xff\xfe# \xc3\xa4"), "/ca.pem has no certificates in PEM that can be read"),
        (None, "/ca.pem was not read"),
    ],
)
async def test_a_file_that_cannot_be_read_says_nothing_about_the_server(read: Authorities | None, reason: str) -> None:
    async with serving(silent) as port:
        made = of_kind(check(port, https("http")), https(), {} if read is None else {CA: read})
        with pytest.raises(CannotCheck, match=re.escape(reason)):
            await probe(made, LOOPBACK)
    with pytest.raises(CannotCheck, match=re.escape(reason)):
        await probe(made, LOOPBACK)  # nobody is there any more, and it is not even asked
    # Who trusts everybody needs no file.
    assert of_kind(made, https(verifies=False), {}).tls == Tls("www.example.com", False, False)


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (saying(b"220 ready\r\n"), "TLS handshake failed: the server does not speak TLS there (wrong version number)"),
        (page(OK), None),
        (saying(), "TLS handshake failed: the server closed the connection"),
        (saying(b"\x15\x03\x03\x00\x02\x02\x28"), "TLS handshake failed: "),
        (saying(b"\x16\x03\x03\xff\xff" + b"\x00" * 2000), "TLS handshake failed: "),
        (web_servers.garbage, "TLS handshake failed: "),
        (reset, "TLS handshake failed: connection reset"),
    ],
)
async def test_what_is_no_tls_is_bad_with_a_reason(talk: Talk, reason: str | None) -> None:
    async with serving(talk) as port:
        found = await probe(check(port, https("tls", verifies=False), limit_s=LATE_S), LOOPBACK)
    assert not found.verdict.is_good
    assert found.verdict.reason.startswith(reason or f"TLS handshake failed: no end of it within {LATE_S:g} s")


async def test_a_handshake_without_end_is_bounded() -> None:
    """Records that say nothing, one after the other."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\x15\x03\x03\x00\x02\x01\x5a" * 1000)  # a warning: user canceled
            await writer.drain()

    async with serving(talk) as port:
        found = await probe(check(port, https("tls", verifies=False)), LOOPBACK)
    assert not found.verdict.is_good and found.verdict.reason.startswith("TLS handshake failed: ")
    assert found.took_s < 30


async def test_no_more_than_so_much_is_taken_from_the_network(
    signer: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "RAW_MAX", 2000)
    async with serving(page(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000), signer.server("www.example.com")) as port:
        kind = https(expect="nobody says this", verifies=False)
        found = await probe(check(port, kind), LOOPBACK)
        assert (await probe(check(port, https("tls"), signer.pem), LOOPBACK)).verdict.is_good
    assert found.verdict == Verdict(False, "TLS failed: more than 2000 bytes came")


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (web_servers.endless_headers, f"the headers have more than {HEADERS_MAX} bytes"),
        (web_servers.endless_line, f"a line of the answer has more than {LINE_MAX} bytes"),
        (web_servers.endless_body, f"the answer has more than {TOTAL_MAX} bytes"),
        (web_servers.garbage, "which is no HTTP"),
        (page(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000), f"the first {RECEIVED_BYTES_MAX} bytes of its body"),
    ],
)
@pytest.mark.parametrize("by_tls", [False, True])
async def test_hostile_answers_are_bounded(talk: Talk, reason: str, by_tls: bool, signer: Authority) -> None:
    async with serving(talk, signer.server("x") if by_tls else None) as port:
        kind = https("https" if by_tls else "http", expect="OK", verifies=False)
        found = await probe(check(port, kind), LOOPBACK)
    assert not found.verdict.is_good and reason in found.verdict.reason
    assert len(found.received) <= probes.TRANSCRIPT_BYTES
    assert found.took_s < 30


@pytest.mark.parametrize(
    ("talk", "kind", "reason"),
    [
        (silent, "http", "no answer within 1 s"),
        (silent, "https", "TLS handshake failed: no end of it within 1 s"),
        (web_servers.drip, "http", "the answer did not end within 1 s; all that came is "),
        (web_servers.drip, "tls", "TLS handshake failed: "),
    ],
)
async def test_the_limit_holds_for_everything(talk: Talk, kind: str, reason: str) -> None:
    async with serving(talk) as port:
        began = time.monotonic()
        found = await probe(check(port, https(kind, verifies=False), limit_s=LATE_S), LOOPBACK)
    assert not found.verdict.is_good and reason in found.verdict.reason
    assert time.monotonic() - began < LATE_S + 2.0


async def test_a_body_that_does_not_come_is_late_with_what_was_missing() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstarting")
        await writer.drain()
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=3 * LATE_S)

    found = await by_http(talk, LATE_S, expect="OK")
    reason = 'HTTP 200, but "OK" is not in its body of 8 bytes, "starting"; the answer did not end within 1 s'
    assert found.verdict == Verdict(False, reason)


async def test_nobody_there_and_a_connect_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        for kind in ("http", "https", "tls"):
            found = await probe(check(port, https(kind, verifies=False)), LOOPBACK)
            assert found.verdict == Verdict(False, f"connect to 127.0.0.1:{port} refused")

    async def never(*_: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(tcp, "connected", never)
    found = await probe(check(1, https("tls", verifies=False), limit_s=0.05), LOOPBACK)
    assert found.verdict == Verdict(False, "connect to 127.0.0.1:1 timed out after 0.05 s")


async def test_a_reset_in_the_middle_is_told() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await writer.drain()
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.3)
        await reset(reader, writer)

    found = await by_http(talk, expect="OK")
    reason = 'HTTP 200, but "OK" is not in its body of 4 bytes, "half"; connection reset'
    assert found.verdict == Verdict(False, reason)


def test_the_end_is_read_as_openssl_writes_it() -> None:
    assert tls.end_of("Jan  5 09:34:43 2028 GMT") == datetime(2028, 1, 5, 9, 34, 43, tzinfo=UTC).timestamp()
    assert tls.end_of("Dec 31 23:59:59 9999 GMT") == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    for wrong in ("", "Jan 5", "Foo  5 09:34:43 2028 GMT", "Jan 32 09:34:43 2028 GMT", "Jan  5 09:34:43 2028 CET"):
        assert tls.end_of(wrong) is None
