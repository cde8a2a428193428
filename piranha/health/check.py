"""What a check sends, what it expects, and whether the bytes that came are the expected ones.

The texts of lvs.cf are read here once and become bytes (`check_of`); the edge connects, sends and reads, and
asks `judge` after each piece. No socket and no clock here: judging the same bytes gives the same verdict.
"""

from dataclasses import dataclass
from enum import StrEnum

import re2

from piranha.config.escapes import translate
from piranha.config.expressions import ANY_REPLY, compiled
from piranha.config.model import Host, Protocol, RealServer, RealServerKey, VirtualServer

RECEIVED_BYTES_MAX = 64 * 1024
"""No more than this is read of an answer, and a pattern is searched in no more."""

REENTRY_DEFAULT_S = 180
"""What `reentry = 0` means (engine.md 4.1)."""

WEB_PORT = 80
WEB_SEND = b"GET / HTTP/1.0\r\n\r\n"
WEB_EXPECT = b"HTTP"
EXCERPT_BYTES = 48


class Match(StrEnum):
    """How an answer is compared (lvs-cf.md 1.4).

    PREFIX: it begins with the text. ANYTHING: at least one byte comes (`*`, with `use_regex` too). PATTERN: the
    regular expression is found anywhere in it (`use_regex`), read by RE2, whose time grows with the text and never
    explodes. WHOLE: it is the text; the output of a program is compared so (`health.programs`).
    """

    PREFIX = "prefix"
    ANYTHING = "anything"
    PATTERN = "pattern"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the answer has to be. `text` is the prefix or the pattern as bytes, empty for ANYTHING."""

    match: Match
    text: bytes = b""


@dataclass(frozen=True, slots=True)
class Http:
    """What is asked of a web server, and what its answer has to be (`health.http`).

    `statuses`: the first and last of each range that is good; `expect`: bytes that the body has, empty: any body.
    """

    request: bytes
    statuses: tuple[tuple[int, int], ...]
    expect: bytes = b""


@dataclass(frozen=True, slots=True)
class Tls:
    """What a TLS handshake needs and its certificate has to be (`health.certificates`).

    `name`: the host name, or IP address, that is asked for; `verifies`: the certificate must be trusted,
    `verifies_name`: and be for that name. `authorities`: PEM of those who are trusted, read from `authorities_file`;
    without such a file those of this router's system. `trouble`: why that could not be read; then no check is made.
    `warn_days`: an end of the certificate within so many days is told, 0: none.
    """

    name: str
    verifies: bool = True
    verifies_name: bool = True
    authorities: bytes = b""
    authorities_file: str = ""
    trouble: str = ""
    warn_days: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one real server; two equal checks are one.

    By TCP a connect is enough where nothing is expected. By UDP there is always something to `send`, an answer is
    always needed, and without `expect` any answer is good.
    `interval_s` from the start of one check to the start of the next; `limit_s` for the whole check: connect,
    send and read together; `reentry_s` how long a failed server must be good before it gets traffic again. `rise`: how
    many good checks in a row bring a failed server back, 0: as many as `reentry_s` says; `fall`: how many bad ones in a
    row take one out. `program`: the words of the program that makes the check, with its marks (`health.programs`);
    without words the check is made here. `tls`: the connection is one of TLS; `http`: a web server is asked, by TLS if
    there is `tls`; then nothing else is sent or expected (`health.kinds`).
    """

    key: RealServerKey
    protocol: Protocol
    address: Host
    port: int
    send: bytes | None
    expect: Expectation | None
    interval_s: float
    reentry_s: float
    limit_s: float
    rise: int = 0
    fall: int = 1
    program: tuple[bytes, ...] = ()
    http: Http | None = None
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found, with the sentence that the operator reads."""

    is_good: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A real server that cannot be checked, and why. Unknown is not up: it never gets traffic."""

    reason: str


def check_of(virtual: VirtualServer, server: RealServer) -> Check | Unchecked:
    """Return the check of a real server as its virtual server describes it.

    A virtual server on port 80 without `send`, `expect` and `send_program` is taken for a web server, by UDP too, as
    the original does (lvs-cf.md 1.4). A program makes the check whatever `send` and `use_regex` say. Empty texts mean
    "nothing to send" and "nothing to expect": then a successful connect is good. By UDP there is no connect, and nobody
    answers who was not asked: a server that is sent nothing cannot be checked, whatever is expected of it; nor can one
    with a program and nothing to compare its output with (the original found both down for ever).
    """
    service = virtual.key
    if service is None:
        return Unchecked(f"{virtual.id} has no address.")
    if server.address is None or str(server.address) in ("0.0.0.0", "::"):
        return Unchecked(f"{server.id} has no address.")
    if virtual.timeout_s < 1:
        return Unchecked(f"{virtual.id} has timeout = {virtual.timeout_s}; checks need at least 1 second.")
    program = tuple(word.encode(virtual.encoding, "replace") for word in (virtual.send_program or "").split())
    if program and not virtual.expect:
        return Unchecked(
            f"{virtual.id} is checked by a program (send_program) and has no expect to compare its output with, so its "
            "servers would never get traffic. Set expect to what the program prints for a healthy server, or to * for "
            "any output."
        )
    if virtual.port == WEB_PORT and virtual.send is virtual.expect is virtual.send_program is None:
        send: bytes | None = WEB_SEND
        expect: Expectation | None = Expectation(Match.PREFIX, WEB_EXPECT)
    else:
        encoding = virtual.encoding
        send, expect = (
            _bytes(virtual.send, encoding),
            _expectation(_bytes(virtual.expect, encoding), virtual.uses_regex),
        )
    if program:
        send, expect = None, _expectation(_bytes(virtual.expect, virtual.encoding), False, Match.WHOLE)
    problem = pattern_problem(expect)
    if problem:
        return Unchecked(
            f"{virtual.id}: expect is not a regular expression: {problem}. Correct it, or set use_regex = 0."
        )
    if virtual.protocol is Protocol.UDP and send is None and not program:
        return Unchecked(
            f"{virtual.id} uses UDP and has nothing to send. UDP servers answer only when they are asked, so its "
            "servers cannot be checked and would never get traffic. Set send to a text that the service answers, and "
            "expect to how the answer begins (or to * for any answer), or deactivate it."
        )
    return Check(
        key=RealServerKey(service, server.address, server.port),
        protocol=virtual.protocol,
        address=server.address,
        port=server.port,
        send=send,
        expect=expect,
        interval_s=float(virtual.timeout_s),
        reentry_s=float(virtual.reentry_s or REENTRY_DEFAULT_S),
        limit_s=float(virtual.timeout_s),
        program=program,
    )


def judge(expectation: Expectation | None, received: bytes, is_complete: bool) -> Verdict | None:
    """Return the verdict on an answer, or None as long as more of it is needed.

    `received` is everything that came so far; `is_complete`: nothing more will come. A verdict comes as early
    as it is certain, so an answer in many pieces is judged as one (the original read once and failed those).
    With `is_complete` there is always one.
    """
    received = received[:RECEIVED_BYTES_MAX]
    is_complete = is_complete or len(received) == RECEIVED_BYTES_MAX
    if expectation is None:
        return Verdict(True, "connected")
    if not received:
        return Verdict(False, "connection closed before anything was received") if is_complete else None
    answered = f"answered {excerpt(received)}"
    # What is good is told by its first line; what is not, byte by byte.
    first_line = received.split(b"\n", 1)[0].rstrip(b"\r")
    greeted = f"answered {excerpt(first_line)}"
    match expectation.match:
        case Match.ANYTHING:
            return Verdict(True, greeted)
        case Match.PREFIX:
            wanted = expectation.text
            if received.startswith(wanted):
                return Verdict(True, greeted)
            if wanted.startswith(received) and not is_complete:
                return None
            if wanted.startswith(received):
                return Verdict(False, f"{answered} and no more; expected {excerpt(wanted)}")
            place = next(n for n, (a, b) in enumerate(zip(received, wanted, strict=False)) if a != b)
            start = max(0, place - EXCERPT_BYTES // 2) if place >= EXCERPT_BYTES else 0
            return Verdict(False, f"answered {excerpt(received, start)}; expected {excerpt(wanted, start)}")
        case Match.WHOLE:
            if not is_complete:
                return None
            is_it = received == expectation.text
            return Verdict(is_it, greeted if is_it else f"{answered}; expected {excerpt(expectation.text)}")
        case Match.PATTERN:
            found = compiled(expectation.text).search(received)
            if found is not None:
                start, end = found.span()
                what = f" with {excerpt(received[start:end])} in it" if start or end > EXCERPT_BYTES else ""
                return Verdict(True, answered + what)
            if not is_complete:
                return None
            return Verdict(False, f"{answered}; expected something that matches {excerpt(expectation.text)}")


def judge_late(expectation: Expectation | None, received: bytes, limit_s: float) -> Verdict:
    """Return the verdict on what came until a check's limit ended it, the sentence saying so."""
    verdict = judge(expectation, received, is_complete=True)
    assert verdict is not None
    if verdict.is_good:
        return verdict
    if not received:
        return Verdict(False, f"no answer within {limit_s:g} s")
    return Verdict(False, f"{verdict.reason}, within {limit_s:g} s")


def excerpt(data: bytes, start: int = 0) -> str:
    """Return the bytes from `start` in quotes, spelled as in lvs.cf, `...` where some were left out."""
    shown = data[start : start + EXCERPT_BYTES].decode("latin-1").encode("unicode_escape").decode("ascii")
    quoted = shown.replace('"', '\\"')
    return f'{"..." if start else ""}"{quoted}"{"..." if len(data) > start + EXCERPT_BYTES else ""}'


def pattern_problem(expectation: Expectation | None) -> str:
    """Return why a pattern cannot be read, or ""."""
    if expectation is None or expectation.match is not Match.PATTERN:
        return ""
    try:
        compiled(expectation.text)
    except re2.error as error:
        (reason,) = error.args
        return reason.decode("utf-8", "backslashreplace") if isinstance(reason, bytes) else str(reason)
    return ""


def _bytes(text: str | None, encoding: str) -> bytes | None:
    return translate(text, encoding)[0] if text else None


def _expectation(text: bytes | None, uses_regex: bool, otherwise: Match = Match.PREFIX) -> Expectation | None:
    if text is None:
        return None
    if text == ANY_REPLY.encode():
        return Expectation(Match.ANYTHING)
    return Expectation(Match.PATTERN if uses_regex else otherwise, text)
