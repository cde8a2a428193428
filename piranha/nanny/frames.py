"""What lvs and a worker say to each other, on a stream: four bytes of length, then a message (MessagePack).

lvs is believed. A worker is not: it has read what real servers sent. So its frames have a size, its texts a length and
its numbers a range; whatever is beyond that is a FrameFault, and lvs ends the worker.
"""

import dataclasses
import math
import struct
import typing
from collections.abc import Iterable, Iterator
from functools import cache
from ipaddress import ip_address
from typing import Annotated

import msgspec
from msgspec import Meta

from piranha.config.model import RealServerKey, ServiceKey
from piranha.errors import PiranhaError
from piranha.health.check import Check, Verdict
from piranha.nanny.rounds import Order, Outcome
from piranha.system.probes import TRANSCRIPT_BYTES, Probed

HEARD_MAX = 1024 * 1024
"""Bytes of a worker's frame."""
ORDERED_MAX = 256 * 1024 * 1024
"""Bytes of one of lvs."""
BATCH = 500
"""Orders or outcomes in one frame at most."""
REASON_MAX = 1000
NOTE_MAX = 4000
_NUMBER_MAX = 2**53
_SECONDS_MAX = 1e12
_LENGTH = struct.Struct(">I")

Number = Annotated[int, Meta(ge=0, le=_NUMBER_MAX)]
Seconds = Annotated[float, Meta(ge=0, le=_SECONDS_MAX)]
Reason = Annotated[str, Meta(max_length=REASON_MAX)]
Piece = Annotated[bytes, Meta(max_length=TRANSCRIPT_BYTES)]


class FrameFault(PiranhaError):
    """What came is no frame, or holds what cannot be true."""


class Ordered(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An order: its number, how the log names it, the address, when it is due, and all else that a Check has."""

    number: int
    key: str
    address: str
    due: float | None
    check: msgspec.Raw


class Watch(msgspec.Struct, array_like=True, frozen=True):
    """From lvs: make these checks no more, then those too."""

    dropped: list[int]
    orders: list[Ordered]


class Found(msgspec.Struct, array_like=True, frozen=True, tag=0, gc=False):
    """From a worker: what a check found."""

    number: Number
    ended: Seconds
    due: Seconds
    is_good: bool
    reason: Reason
    took_s: Seconds
    sent: Piece
    received: Piece


class Same(msgspec.Struct, array_like=True, frozen=True, tag=1, gc=False):
    """From a worker: the check found what it found the last time."""

    number: Number
    ended: Seconds
    due: Seconds
    took_s: Seconds


class NotMade(msgspec.Struct, array_like=True, frozen=True, tag=2, gc=False):
    """From a worker: the check could not be made."""

    number: Number
    ended: Seconds
    due: Seconds
    trouble: Reason


class Note(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """From a worker: a line for the log."""

    level: Annotated[int, Meta(ge=0, le=50)]
    text: Annotated[str, Meta(max_length=NOTE_MAX)]


Told = Found | Same | NotMade | Note
"""What a worker tells. A frame without any is a sign of life; the first one says that the worker is there."""

_decode_told = msgspec.msgpack.Decoder(Annotated[list[Told], Meta(max_length=10_000)]).decode
_decode_watch = msgspec.msgpack.Decoder(Watch).decode
_encode = msgspec.msgpack.Encoder().encode


def told_frame(told: list[Told]) -> bytes:
    """Return a worker's frame."""
    return _framed(_encode(told))


def watch_frames(orders: Iterable[Order], dropped: Iterable[int]) -> Iterator[bytes]:
    """Return the frames that order these checks, BATCH orders in each."""
    gone, batch = list(dropped), []
    for order in orders:
        batch.append(_ordered(order))
        if len(batch) == BATCH:
            yield _framed(_encode(Watch(gone, batch)))
            gone, batch = [], []
    if gone or batch:
        yield _framed(_encode(Watch(gone, batch)))


def read_told(body: bytes) -> list[Told]:
    """Return what a worker's frame says. Raises FrameFault."""
    try:
        told: list[Told] = _decode_told(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise FrameFault(str(problem)) from problem
    for each in told:
        if not isinstance(each, Note) and not math.isfinite(each.ended + each.due + getattr(each, "took_s", 0.0)):
            raise FrameFault("a time that is none")
    return told


def read_watch(body: bytes) -> tuple[list[Order], list[int]]:
    """Return what a frame of lvs orders and drops."""
    watch = _decode_watch(body)
    return [_order(each) for each in watch.orders], watch.dropped


def found_of(outcome: Outcome) -> Told:
    """Return what a worker tells of an outcome."""
    probed = outcome.probed
    if probed is None:
        return NotMade(outcome.number, outcome.ended, outcome.due, outcome.trouble[:REASON_MAX])
    return Found(
        outcome.number,
        outcome.ended,
        outcome.due,
        probed.verdict.is_good,
        probed.verdict.reason[:REASON_MAX],
        probed.took_s,
        probed.sent,
        probed.received,
    )


def one_line(text: str) -> str:
    """Return a text as it may stand in the log: what drives a terminal, or makes a line, is spelled."""
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def probed_of(found: Found) -> Probed:
    """Return what a check found, as a worker told it."""
    return Probed(Verdict(found.is_good, one_line(found.reason)), found.took_s, found.sent, found.received)


class Frames:
    """Cuts a stream into frames. `longest`: bytes that one may have."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._unread = bytearray()

    def add(self, data: bytes) -> Iterator[bytes]:
        """Return the bodies of the frames that are complete with this piece. Raises FrameFault."""
        self._unread += data
        at = 0
        try:
            while len(self._unread) - at >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._unread, at)
                if length > self._longest:
                    raise FrameFault(f"a frame of {length} bytes")
                if len(self._unread) - at < _LENGTH.size + length:
                    break
                start = at + _LENGTH.size
                at = start + length
                yield bytes(self._unread[start:at])
        finally:
            del self._unread[:at]


def _framed(body: bytes) -> bytes:
    return _LENGTH.pack(len(body)) + body


@cache
def _wire_check() -> type[msgspec.Struct]:
    """Return the fields of a Check but its key and address, so that a new one is never forgotten here."""
    types = typing.get_type_hints(Check)
    names = [each.name for each in dataclasses.fields(Check) if each.name not in ("key", "address")]
    return msgspec.defstruct("WireCheck", [(name, types[name]) for name in names], array_like=True)


@cache
def _check_decoder() -> "msgspec.msgpack.Decoder[msgspec.Struct]":
    return msgspec.msgpack.Decoder(_wire_check())


def _ordered(order: Order) -> Ordered:
    shape = _wire_check()
    values = [getattr(order.check, name) for name in shape.__struct_fields__]
    return Ordered(
        order.number, str(order.check.key), str(order.address), order.due, msgspec.Raw(_encode(shape(*values)))
    )


@dataclasses.dataclass(frozen=True, slots=True)
class NamedKey(RealServerKey):
    """The key of a server in a worker, which knows how lvs names it and no more."""

    name: str = ""

    def __str__(self) -> str:
        """Return how lvs names the server."""
        return self.name


def _order(told: Ordered) -> Order:
    address = ip_address(told.address)
    found = _check_decoder().decode(told.check)
    values = {name: getattr(found, name) for name in found.__struct_fields__}
    key = NamedKey(ServiceKey(fwmark=told.number), address, values["port"], told.key)
    return Order(told.number, Check(key=key, address=address, **values), address, told.due)
