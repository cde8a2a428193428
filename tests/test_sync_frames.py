"""The frames of a sync: what is packed is unpacked, and whatever a stranger sends is refused or taken to the letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha import sync_frames
from piranha.sync_frames import (
    BODIES_MAX,
    BODY_MAX,
    FRAME_MAX,
    HEADER_MAX,
    Frame,
    FrameProblem,
    OtherVersion,
    pack,
    unpack,
)


@given(st.binary(max_size=300), st.lists(st.binary(max_size=300), max_size=BODIES_MAX))
def test_what_is_packed_is_unpacked(header: bytes, bodies: list[bytes]) -> None:
    assert unpack(pack(header, bodies)) == Frame(header, tuple(bodies))


def test_it_reads_like_this() -> None:
    assert pack(b'{"verb":"put"}', [b"serial_no = 1\n"]) == b'piranha-sync 1 14 14\n{"verb":"put"}serial_no = 1\n'


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "does not begin with piranha-sync"),
        (b"piranha-sync", "does not begin"),
        (b"piranha-sync 1 0", "does not begin"),
        (b"GET / HTTP/1.1\r\n\r\n", "does not begin"),
        (b"piranha-sync \n", "first line is damaged"),
        (b"piranha-sync 1 -1\n", "first line is damaged"),
        (b"piranha-sync 1 +1\nx", "first line is damaged"),
        (b"piranha-sync 1 01\nx", "first line is damaged"),
        (b"piranha-sync 1  1\nx", "first line is damaged"),
        (b"piranha-sync 1 1 \nx", "first line is damaged"),
        (b"piranha-sync 1 1\r\nx", "first line is damaged"),
        ("piranha-sync 1 \u0661\nx".encode(), "first line is damaged"),
        (b"piranha-sync 1 9999999999\n", "first line is damaged"),
        (b"piranha-sync 1\n", "no header"),
        (b"piranha-sync 1 5\nabc", "says to have 5 bytes .* and has 3"),
        (b"piranha-sync 1 1\nabc", "says to have 1 bytes .* and has 3"),
        (b"piranha-sync 1 999999\n", "too long"),
        (b"piranha-sync 1 1 99999999\nx", "too long"),
        (b"piranha-sync 1 0 0 0 0 0 0\n", "too long"),
        (f"piranha-sync 1 {HEADER_MAX} {BODY_MAX} {BODY_MAX}\n".encode(), "It is too long"),
        (b"piranha-sync 1 " + b"1 " * 100 + b"\n", "does not begin"),
    ],
)
def test_what_is_no_frame_is_refused_with_the_reason(raw: bytes, says: str) -> None:
    with pytest.raises(FrameProblem, match=says):
        unpack(raw)


def test_another_version_is_told_as_that() -> None:
    with pytest.raises(OtherVersion, match="has version 2 of the format, and here is version 1"):
        unpack(b"piranha-sync 2 whatever\n".replace(b"whatever", b"7"))


def test_what_is_too_long_is_not_packed() -> None:
    for header, bodies in (
        (bytes(HEADER_MAX + 1), []),
        (b"", [bytes(BODY_MAX + 1)]),
        (b"", [b""] * (BODIES_MAX + 1)),
        (b"", [bytes(BODY_MAX), bytes(BODY_MAX)]),
    ):
        with pytest.raises(FrameProblem):
            pack(header, bodies)
    assert len(pack(b"{}", [bytes(BODY_MAX)])) <= FRAME_MAX


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=100).map(lambda rest: b"piranha-sync 1 " + rest)))
def test_whatever_comes_is_a_frame_or_a_sentence(raw: bytes) -> None:
    try:
        frame = unpack(raw)
    except FrameProblem as problem:
        assert str(problem).endswith(".")
        return
    assert sync_frames.pack(frame.header, frame.bodies) == raw


@given(st.integers(0, 60), st.integers(0, 255))
def test_a_frame_with_a_changed_byte_never_becomes_another_length(at: int, byte: int) -> None:
    good = pack(b'{"verb":"show"}', [b"serial_no = 1\n", b"[failover]\n"])
    raw = good[: at % len(good)] + bytes([byte]) + good[at % len(good) + 1 :]
    try:
        frame = unpack(raw)
    except FrameProblem:
        return
    assert pack(frame.header, frame.bodies) == raw
