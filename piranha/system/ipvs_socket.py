"""A conversation with the kernel's IPVS over generic netlink: orders in batches, dumps, single answers.

Rule 1: many orders, one write. The kernel takes them one after the other while they are written, and reports each
refusal by itself; an empty message at the end asks to be acknowledged, so that silence before it means done. (An order
that asks for it itself may get none: the kernel acknowledges nothing that ended with EINTR, as the stop of a sync
daemon does that had no time yet to begin.)
Rule 2: nothing waits longer than `limit_s`. After that, and after an overflow, the socket is opened anew, so that an
answer that comes late is never taken for another's.
Rule 3: a dump that was disturbed (NLM_F_DUMP_INTR, EINTR, ENOBUFS) is made again, a few times.

One user at a time. Source: linux/netlink.h, linux/genetlink.h. pyroute2's generic netlink socket was not taken: it
runs an event loop of its own, and takes an order at a time, some hundreds a second where this one takes ten thousands.
"""

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import TypeVar

from piranha.errors import PiranhaError
from piranha.system import ipvs_module

LIMIT_S = 5.0
ORDERS_AT_ONCE = 64
"""Even if the kernel refused every one of them, the refusals would fit into the smallest usual receive buffer."""
DUMP_TRIES = 5

_NETLINK_GENERIC = 16
_SOL_NETLINK = 270
_CAP_ACK = 10
_ANSWER_BYTES = 65536

_NOOP, _ERROR, _DONE = 1, 2, 3
_REQUEST, _ACK, _DUMP, _INTERRUPTED = 1, 4, 0x300, 0x10
_CONTROLLER, _GET_FAMILY = 16, 3
_FAMILY_ID, _FAMILY_NAME = 1, 2
_DISTURBED = frozenset({errno.EINTR, errno.ENOBUFS, errno.EAGAIN, errno.EBUSY})

_HEADER = Struct("=IHHII")
_MESSAGE = Struct("=IHHIIBBH")
_CODE = Struct("=i")
_TIME = Struct("@ll")
BODY = _MESSAGE.size
"""Where the attributes of an answer begin, after the headers of netlink (16 bytes) and generic netlink (4)."""

Order = tuple[int, bytes]
"""A command of IPVS (linux/ip_vs.h) and its attributes."""
Span = tuple[bytes, int, int]
"""An answer: the attributes stand in data[start:end]."""
_Answer = TypeVar("_Answer")


class KernelUnavailable(PiranhaError):
    """The kernel's IPVS cannot be asked: not there, not allowed, or it does not answer. Nothing is known then."""


class _Failed(Exception):
    """The kernel answered a question with an error."""

    def __init__(self, code: int) -> None:
        super().__init__(errno.errorcode.get(code, str(code)))
        self.code = code


class IpvsSocket:
    """The socket, and the number of the family. `writes` counts what was written, `orders` what was ordered."""

    def __init__(self, *, loads_module: bool = True, limit_s: float = LIMIT_S, name: str = "IPVS") -> None:
        """Open it and find the family, loading `ip_vs` where that is allowed. Raises KernelUnavailable."""
        self.writes = 0
        self.orders = 0
        self._limit_s = limit_s
        self._loads_module = loads_module
        self._name = name
        self._sequence = 0
        self._socket: socket.socket | None = None
        self._family = 0
        try:
            self.find_family()
        except KernelUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the socket. What is asked afterwards opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def find_family(self) -> bool:
        """Find the number of the family; return whether it is a new one, as after the module was loaded anew.

        Raises KernelUnavailable.
        """
        before = self._family
        why = ""
        self._family = self._ask_family()
        if not self._family and self._loads_module:
            why = ipvs_module.load("ip_vs")
            self._family = self._ask_family()
        if not self._family:
            raise KernelUnavailable(_no_ipvs(why))
        return self._family != before

    def take(self, orders: Sequence[Order]) -> list[int]:
        """Give orders, and return what became of each: 0, or the kernel's errno (ETIMEDOUT: no answer).

        One refused does not stop the others. Raises KernelUnavailable where IPVS went and has not come back.
        """
        self._have_family()
        codes: list[int] = []
        for start in range(0, len(orders), ORDERS_AT_ONCE):
            batch = orders[start : start + ORDERS_AT_ONCE]
            codes += self._take_batch(batch)
        return codes

    def dump(self, command: int, attributes: bytes = b"") -> list[Span]:
        """Return all answers of a dump, repeated if it was disturbed. Raises KernelUnavailable."""
        self._have_family()
        code = 0
        for _ in range(DUMP_TRIES):
            try:
                return self._patiently(lambda: list(self._dumped(command, attributes)))
            except _Failed as failure:
                code = failure.code
                if code == errno.ENOENT:
                    self.find_family()
                elif code not in _DISTURBED:
                    break
                else:
                    self.close()
        raise KernelUnavailable(_not_readable(code))

    def ask(self, command: int, attributes: bytes = b"") -> Span:
        """Return the answer to a question that has one. Raises KernelUnavailable."""
        self._have_family()
        for _ in range(2):
            try:
                return self._patiently(lambda: self._asked(self._family, command, attributes))
            except _Failed as failure:
                code = failure.code
                if code != errno.ENOENT:
                    break
                self.find_family()
        raise KernelUnavailable(_not_readable(code))

    def _have_family(self) -> None:
        # A message without a family would be taken for one of netlink's own, and acknowledged.
        if not self._family:
            self.find_family()

    def _take_batch(self, batch: Sequence[Order]) -> list[int]:
        first = self._sequence + 1
        fence = self._sequence = self._sequence + len(batch) + 1
        parts = [
            _MESSAGE.pack(BODY + len(body), self._family, _REQUEST, number, 0, command, 1, 0) + body
            for number, (command, body) in enumerate(batch, first)
        ]
        try:
            self._write(b"".join((*parts, _HEADER.pack(_HEADER.size, _NOOP, _REQUEST | _ACK, fence, 0))))
        except OSError as error:
            self.close()
            return [error.errno or errno.EIO] * len(batch)
        self.orders += len(batch)
        codes: dict[int, int] = {}
        while fence not in codes:
            try:
                data = self._read()
            except OSError as error:
                # What was not heard of is refused, be it done or not: whoever compares again will see.
                self.close()
                lost = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno or errno.EIO
                return [codes.get(number, lost) for number in range(first, fence)]
            for _, kind, _, number, start, _ in _messages(data):
                if kind == _ERROR and first <= number <= fence:
                    codes[number] = -_CODE.unpack_from(data, start)[0]
        return [codes.get(number, 0) for number in range(first, fence)]

    def _dumped(self, command: int, attributes: bytes) -> Iterator[Span]:
        number = self._question(self._family, command, _REQUEST | _DUMP, attributes)
        while True:
            data = self._read()
            for length, kind, flags, sequence, start, end in _messages(data):
                if sequence != number:
                    continue
                if flags & _INTERRUPTED:
                    raise _Failed(errno.EINTR)
                if kind in (_DONE, _ERROR):
                    code = -_CODE.unpack_from(data, start)[0] if length >= _HEADER.size + _CODE.size else 0
                    if code:
                        raise _Failed(code)
                    return
                yield data, start + BODY - _HEADER.size, end

    def _asked(self, family: int, command: int, attributes: bytes) -> Span:
        number = self._question(family, command, _REQUEST, attributes)
        while True:
            data = self._read()
            for _, kind, _, sequence, start, end in _messages(data):
                if sequence != number:
                    continue
                if kind == _ERROR:
                    raise _Failed(-_CODE.unpack_from(data, start)[0])
                return data, start + BODY - _HEADER.size, end

    def _question(self, family: int, command: int, flags: int, attributes: bytes) -> int:
        self._sequence += 1
        size = BODY + len(attributes)
        self._write(_MESSAGE.pack(size, family, flags, self._sequence, 0, command, 1, 0) + attributes)
        return self._sequence

    def _ask_family(self) -> int:
        """Return the family's number, 0 if the kernel has none. The kernel itself tries to load the module then."""
        name = self._name.encode() + b"\0"
        head = Struct("=HH").pack(4 + len(name), _FAMILY_NAME)
        question = head + name + bytes(-len(name) % 4)
        try:
            data, start, end = self._patiently(lambda: self._asked(_CONTROLLER, _GET_FAMILY, question))
        except _Failed as failure:
            if failure.code == errno.ENOENT:
                return 0
            raise KernelUnavailable(_not_readable(failure.code)) from None
        while start + 6 <= end:
            length, kind, value = Struct("=HHH").unpack_from(data, start)
            if kind == _FAMILY_ID:
                return int(value)
            start += (max(length, 4) + 3) & ~3
        return 0

    def _patiently(self, question: Callable[[], _Answer]) -> _Answer:
        """Return what a question brings. A socket that failed is closed, a disturbance is a `_Failed`."""
        try:
            return question()
        except TimeoutError:
            self.close()
            raise KernelUnavailable(_not_readable(errno.ETIMEDOUT)) from None
        except OSError as error:
            self.close()
            raise _Failed(error.errno or errno.EIO) from None

    def _write(self, data: bytes) -> None:
        if self._socket is None:
            self._socket = self._opened()
        self.writes += 1
        self._socket.send(data)

    def _read(self) -> bytes:
        assert self._socket is not None
        try:
            return self._socket.recv(_ANSWER_BYTES)
        except BlockingIOError:
            raise TimeoutError from None

    def _opened(self) -> socket.socket:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_GENERIC)
        try:
            opened.bind((0, 0))
            # Python's own time limit would cost a system call more for each write and each read.
            limit = _TIME.pack(int(self._limit_s), int(self._limit_s % 1 * 1e6))
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            # A refusal need not repeat what was refused.
            opened.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        except OSError:
            opened.close()
            raise
        return opened


def _messages(data: bytes) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Yield (length, kind, flags, sequence, start of what follows the header, end) of each message of a datagram."""
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, place)
        if length < _HEADER.size:
            return
        yield length, kind, flags, sequence, place + _HEADER.size, place + length
        place += (length + 3) & ~3


def _no_ipvs(why: str) -> str:
    return (
        "This kernel has no IPVS. "
        + (f"{why} " if why else "")
        + "Load the module ip_vs as root (modprobe ip_vs), or start pulse with --data-path embedded."
    )


def _not_readable(code: int) -> str:
    match code:
        case errno.EPERM | errno.EACCES:
            return (
                "The kernel does not let this process see its IPVS table. "
                "Run pulse as root, or give it the capability CAP_NET_ADMIN."
            )
        case errno.ETIMEDOUT:
            return (
                "The kernel's IPVS does not answer; it is asked again. See the kernel's log (dmesg) if that stays so."
            )
        case errno.EPROTONOSUPPORT | errno.EAFNOSUPPORT:
            return "This kernel has no generic netlink, so IPVS cannot be asked. Start pulse with --data-path embedded."
        case errno.ENOBUFS | errno.ENOMEM:
            return "The kernel has no memory left to tell its IPVS table; it is asked again."
        case errno.EINTR | errno.EBUSY | errno.EAGAIN:
            return "The IPVS table changed again and again while it was read; it is read again."
        case _:
            name = errno.errorcode.get(code, str(code))
            return f"The kernel's IPVS table cannot be read ({name}); it is asked again. See the kernel's log (dmesg)."
