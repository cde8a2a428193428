"""What two routers send one another over ssh: a line, a header of JSON, and bodies of so many bytes.

    piranha-sync 1 HEADER BODY BODY ...      lengths in bytes, decimal, one blank between two words, a line feed
    {"verb": "put", ...}                     HEADER bytes of JSON
    ...                                      the bodies, one behind the other, and then the end

Nothing of it is trusted: every length has a bound before a byte of it is read, and whatever does not fit to the letter
is refused as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MARK = b"piranha-sync"
VERSION = 1
LINE_MAX = 128
HEADER_MAX = 64 * 1024
BODIES_MAX = 4
BODY_MAX = 10 * 1024 * 1024
"""As much as may be adopted: room for 100,000 real servers."""
FRAME_MAX = LINE_MAX + HEADER_MAX + BODY_MAX + 64 * 1024
"""Of all bodies together no more than one long one and some short ones."""


class FrameProblem(Exception):
    """These bytes are no frame; the sentence says why."""


class OtherVersion(FrameProblem):
    """It is a frame of another version."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A header, JSON that nobody has looked at yet, and bodies."""

    header: bytes
    bodies: tuple[bytes, ...] = ()


def pack(header: bytes, bodies: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of a frame. Raises FrameProblem if it is too long for one."""
    lengths = [len(each) for each in (header, *bodies)]
    line = b" ".join([MARK, *(str(number).encode() for number in (VERSION, *lengths))]) + b"\n"
    _require_bounds(lengths)
    return b"".join([line, header, *bodies])


def unpack(raw: bytes) -> Frame:
    """Return what the bytes of a whole frame hold. Raises FrameProblem, OtherVersion."""
    end = raw.find(b"\n", 0, LINE_MAX)
    if end < 0 or not raw.startswith(MARK + b" "):
        raise FrameProblem(f"It does not begin with {MARK.decode()}.")
    words = raw[:end].split(b" ")[1:]
    if not all(word.isdigit() and len(word) <= 9 and (word == b"0" or word[:1] != b"0") for word in words):
        raise FrameProblem("Its first line is damaged.")
    version, *lengths = [int(word) for word in words]
    if version != VERSION:
        raise OtherVersion(f"It has version {version} of the format, and here is version {VERSION}.")
    if not lengths:
        raise FrameProblem("It has no header.")
    _require_bounds(lengths)
    if len(raw) - end - 1 != sum(lengths):
        raise FrameProblem(f"It says to have {sum(lengths)} bytes behind its first line, and has {len(raw) - end - 1}.")
    at, parts = end + 1, []
    for length in lengths:
        parts.append(raw[at : at + length])
        at += length
    return Frame(parts[0], tuple(parts[1:]))


def _require_bounds(lengths: Sequence[int]) -> None:
    header, *bodies = lengths
    if header > HEADER_MAX or len(bodies) > BODIES_MAX or any(length > BODY_MAX for length in bodies):
        raise FrameProblem("A part of it is too long.")
    if LINE_MAX + sum(lengths) > FRAME_MAX:
        raise FrameProblem("It is too long.")
