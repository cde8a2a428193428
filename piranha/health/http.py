"""The answer of a web server, judged piece by piece: its status, and a text in its body if one is expected.

Whatever comes, `Answer` raises nothing and keeps less than LINE_MAX + BODY_MAX bytes: it judges as early as it can, and
an answer that goes beyond a bound is bad. RFC 9112 is read tolerantly: lines may end without a carriage return, the
lengths of chunks and of bodies are believed, trailers are not read.
"""

import re
from enum import Enum, auto

from piranha.health.check import RECEIVED_BYTES_MAX, Http, Verdict, excerpt

LINE_MAX = 8 * 1024
HEADERS_MAX = 32 * 1024
"""Bytes of all headers, those of interim answers too."""
BODY_MAX = RECEIVED_BYTES_MAX
"""No more of a body is searched."""
TOTAL_MAX = HEADERS_MAX + 2 * BODY_MAX
"""Bytes of the whole answer: chunks of one byte each have more around them than in them."""

_BEGIN = b"HTTP/"
_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] +([0-9]{3})(?: .*)?", re.DOTALL)
_CHUNK = re.compile(rb"\s*([0-9A-Fa-f]{1,8})\s*(?:;.*)?", re.DOTALL)
_LENGTH = re.compile(rb"\s*([0-9]{1,18})\s*")
_SWITCHING = 101


class _At(Enum):
    STATUS = auto()
    HEADERS = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()


class Answer:
    """One answer to `http.request`; `add` each piece that comes, then `end`, `late` or `broken`."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._at = _At.STATUS
        self._unread = bytearray()
        self._looked = self._headers = self._total = 0
        self._status = 0
        self._left: int | None = None
        self._is_chunked = False
        self._body = bytearray()
        self._verdict: Verdict | None = None

    def add(self, piece: bytes) -> Verdict | None:
        """Take the next piece, and return the verdict as soon as it is certain."""
        self._total += len(piece)
        if self._verdict is None:
            self._unread += piece
            while self._verdict is None and self._step():
                pass
        if self._verdict is None and self._total >= TOTAL_MAX:
            self._bad(f"the answer has more than {TOTAL_MAX} bytes")
        return self._verdict

    def end(self) -> Verdict:
        """Return the verdict: nothing more will come."""
        return self._verdict or self._cut_off("connection closed", ended=True)

    def late(self, limit_s: float) -> Verdict:
        """Return the verdict at the end of the check's time."""
        if self._verdict is None and not self._total:
            return Verdict(False, f"no answer within {limit_s:g} s")
        return self._verdict or self._cut_off(f"the answer did not end within {limit_s:g} s")

    def broken(self, why: str) -> Verdict:
        """Return the verdict where the network ended the connection. `why`: "connection reset"."""
        return self._verdict or self._cut_off(why)

    def _cut_off(self, why: str, *, ended: bool = False) -> Verdict:
        if not self._total:
            return Verdict(False, f"{why} before anything was received")
        if not self._status:
            return Verdict(False, f"{why}; all that came is {excerpt(bytes(self._unread))}")
        if self._at is _At.HEADERS:
            return Verdict(False, f"HTTP {self._status}, but {why}; its headers were not complete")
        if ended and self._at is _At.BODY and self._left is None:
            return self._without_it()
        return Verdict(False, f"{self._without_it().reason}; {why}")

    def _step(self) -> bool:
        """Read one thing more, and say whether there may be another."""
        if self._at in (_At.BODY, _At.CHUNK):
            return self._read_body()
        end = self._unread.find(b"\n", self._looked)
        if end < 0:
            self._looked = len(self._unread)
            if self._at is _At.STATUS and self._unread[: len(_BEGIN)] != _BEGIN[: self._looked]:
                self._no_http()
            elif self._looked > LINE_MAX:
                self._bad(f"a line of the answer has more than {LINE_MAX} bytes")
            return False
        line = bytes(self._unread[:end]).removesuffix(b"\r")
        if self._at is _At.STATUS and not _STATUS_LINE.fullmatch(line):
            self._no_http()  # shown with all that came
            return False
        del self._unread[: end + 1]
        self._looked = 0
        if end > LINE_MAX:
            self._bad(f"a line of the answer has more than {LINE_MAX} bytes")
        elif self._at in (_At.STATUS, _At.HEADERS):
            self._headers += end + 1
            if self._headers > HEADERS_MAX:
                self._bad(f"the headers have more than {HEADERS_MAX} bytes")
            else:
                self._read_head(line)
        elif self._at is _At.CHUNK_END:
            self._at = _At.CHUNK_SIZE
        else:
            self._read_size(line)
        return True

    def _read_head(self, line: bytes) -> None:
        if self._at is _At.STATUS:
            found = _STATUS_LINE.fullmatch(line)
            assert found is not None, "_step looked"
            self._status, self._at = int(found[1]), _At.HEADERS
            self._judge_status()
        elif not line:
            self._end_head()
        else:
            name, _, value = line.partition(b":")
            match name.strip().lower():
                case b"content-length" if (length := _LENGTH.fullmatch(value)) is not None:
                    self._left = int(length[1])
                case b"transfer-encoding":
                    self._is_chunked = value.strip().lower().endswith(b"chunked")

    def _judge_status(self) -> None:
        if self._is_interim:
            return
        statuses = self._http.statuses
        if not any(first <= self._status <= last for first, last in statuses):
            wanted = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in statuses)
            self._verdict = Verdict(False, f"HTTP {self._status}, expected {wanted}")
        elif not self._http.expect:
            self._verdict = Verdict(True, f"HTTP {self._status}")

    @property
    def _is_interim(self) -> bool:
        """Say whether another answer follows this one (RFC 9110 15.2)."""
        return 100 <= self._status < 200 and self._status != _SWITCHING

    def _end_head(self) -> None:
        if self._is_interim:
            self._at, self._status, self._left, self._is_chunked = _At.STATUS, 0, None, False
        elif self._is_chunked:
            self._at, self._left = _At.CHUNK_SIZE, None
        else:
            self._at = _At.BODY
            if self._left == 0 or self._status in (204, 304):
                self._verdict = self._without_it()

    def _read_size(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        if found is None:
            self._bad(f"HTTP {self._status}, but a chunk of its body begins with {excerpt(line)}")
        elif size := int(found[1], 16):
            self._left, self._at = size, _At.CHUNK
        else:
            self._verdict = self._without_it()

    def _read_body(self) -> bool:
        """Take what there is of the body, and say whether something else may follow it."""
        new = self._unread if self._left is None else self._unread[: self._left]
        new = new[: BODY_MAX - len(self._body)]
        if not new:
            return False
        expect = self._http.expect
        start = max(0, len(self._body) - len(expect) + 1)
        self._body += new
        del self._unread[: len(new)]
        if self._left is not None:
            self._left -= len(new)
        if self._body.find(expect, start) >= 0:
            self._verdict = Verdict(True, f"HTTP {self._status} with {excerpt(expect)} in the body")
        elif len(self._body) >= BODY_MAX or (self._left == 0 and self._at is _At.BODY):
            self._verdict = self._without_it()
        elif self._left == 0:
            self._at = _At.CHUNK_END
            return True
        return False

    def _without_it(self) -> Verdict:
        """Return the verdict on a body that has not what is expected."""
        body = bytes(self._body)
        size = f"the first {BODY_MAX} bytes of its body" if len(body) >= BODY_MAX else f"its body of {len(body)} bytes"
        shown = f", {excerpt(body)}" if body else ""
        return Verdict(False, f"HTTP {self._status}, but {excerpt(self._http.expect)} is not in {size}{shown}")

    def _no_http(self) -> None:
        self._bad(f"answered {excerpt(bytes(self._unread))}, which is no HTTP")

    def _bad(self, reason: str) -> None:
        self._verdict = Verdict(False, reason)
