"""The heartbeat on the wire: the original's words, the trailer, and every way in which one does not count."""

import hmac
import inspect
import re
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.ha import datagram
from piranha.ha.datagram import (
    LENGTH,
    LONGEST,
    NO_KEY,
    OTHER_SERVICE,
    STOPME,
    Flags,
    HealthSummary,
    Heartbeat,
    PartnerKind,
    Rejected,
    Said,
    Trailer,
    decode,
    encode,
)
from piranha.ha.states import Role, State

KEY, OTHER = b"k" * 32, b"o" * 32
TRAILER = Trailer(State.PASSIVE, Role.BACKUP, nonce=5, echo_nonce=6, sequence=7, echo_sequence=8)
BARE = bytes.fromhex("bddabdad")

u64 = st.integers(0, 2**64 - 1)
trailers = st.builds(
    Trailer,
    state=st.sampled_from(State),
    role=st.sampled_from(Role),
    nonce=st.integers(1, 2**64 - 1),
    echo_nonce=u64,
    sequence=st.integers(1, 2**64 - 1),
    echo_sequence=u64,
    let_go=u64,
    is_private=st.booleans(),
    flags=st.builds(Flags, *[st.booleans()] * 5),
    digest=st.binary(min_size=32, max_size=32),
    keepalive_s=st.integers(0, 2**32 - 1).map(lambda ms: ms / 1000),
    deadtime_s=st.integers(0, 2**32 - 1).map(lambda ms: ms / 1000),
    health=st.builds(HealthSummary, *[st.integers(0, 2**16 - 1)] * 4),
)


@pytest.mark.parametrize(
    ("said", "wire"),
    [(Said.RUNNING, "dadbadbd"), (Said.STOPPED, "bddabdad"), (Said.HOLD, "bebaafde"), (Said.HELD, "dadaafde")],
)
def test_the_words_are_the_originals_in_both_byte_orders(said: Said, wire: str) -> None:
    little = bytes.fromhex(wire)
    assert encode(Heartbeat(said)) == little
    assert encode(Heartbeat(said, is_big_endian=True)) == little[::-1]
    assert decode(little) == Heartbeat(said)
    assert decode(little[::-1]) == Heartbeat(said, is_big_endian=True)
    assert decode(little).kind is PartnerKind.ORIGINAL  # type: ignore[union-attr]


def test_no_word_is_another_one_backwards() -> None:
    words = [*map(int, Said), STOPME, *OTHER_SERVICE]
    backwards = [int.from_bytes(word.to_bytes(4, "little"), "big") for word in words]
    assert len({*words, *backwards}) == 2 * len(words) == 14


@given(trailers, st.sampled_from(Said), st.booleans(), st.sampled_from([KEY, NO_KEY]))
def test_what_is_said_is_what_is_heard(trailer: Trailer, said: Said, is_big_endian: bool, key: bytes) -> None:
    heartbeat = Heartbeat(said, trailer, is_big_endian, is_authentic=key != NO_KEY)
    raw = encode(heartbeat, key)
    assert len(raw) == LENGTH
    assert decode(raw, (key,)) == heartbeat


@given(trailers)
def test_an_original_that_reads_four_bytes_sees_its_own_word(trailer: Trailer) -> None:
    assert encode(Heartbeat(Said.STOPPED, trailer), KEY)[:4] == BARE


def test_the_layout_is_the_documented_one() -> None:
    trailer = Trailer(
        State.ACTIVE, Role.PRIMARY, 1, 2, 3, 4, 5, True, Flags(True, False, True, False, True), b"d" * 32, 0.1, 18.0,
        HealthSummary(5, 6, 7, 8),
    )  # fmt: skip
    raw = encode(Heartbeat(Said.RUNNING, trailer), KEY)
    assert raw[4:16] == b"PIHA" + bytes([1, 1, 4, 1, 0, 1 + 4 + 16, 0, 136])
    assert struct.unpack(">5Q", raw[16:56]) == (1, 2, 3, 4, 5)
    assert raw[56:88] == b"d" * 32
    assert struct.unpack(">2I4H", raw[88:104]) == (100, 18000, 5, 6, 7, 8)
    assert raw[104:] == hmac.digest(KEY, raw[:104], "sha256")


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(Heartbeat(Said.RUNNING, replace(TRAILER, nonce=2**64)))
    with pytest.raises(ValueError, match="32 bytes"):
        encode(Heartbeat(Said.RUNNING, replace(TRAILER, digest=b"short")))
    many = encode(Heartbeat(Said.RUNNING, replace(TRAILER, health=HealthSummary(70_000, 1), deadtime_s=1e9)))
    read = decode(many)
    assert isinstance(read, Heartbeat)
    assert read.trailer is not None
    assert (read.trailer.health.servers_up, read.trailer.deadtime_s) == (65535, (2**32 - 1) / 1000)


def signed(raw: bytes, key: bytes = KEY) -> bytes:
    """Return a datagram with its first 104 bytes signed anew."""
    return raw[:104] + hmac.digest(key, raw[:104], "sha256")


def changed(offset: int, byte: int) -> bytes:
    raw = bytearray(encode(Heartbeat(Said.RUNNING, TRAILER), KEY))
    raw[offset] = byte
    return bytes(raw)


GOOD = encode(Heartbeat(Said.RUNNING, TRAILER), KEY)
BAD = [
    (b"", Rejected.TOO_SHORT),
    (BARE[:3], Rejected.TOO_SHORT),
    (BARE + bytes(LONGEST - 3), Rejected.TOO_LONG),
    (b"\0\0\0\0", Rejected.UNKNOWN_WORD),
    (bytes.fromhex("dadaadde"), Rejected.STOPME),
    (bytes.fromhex("deadbeef"), Rejected.OTHER_SERVICE),
    (BARE, Rejected.BARE),
    (BARE + bytes(16), Rejected.BARE),
    (GOOD[:-1], Rejected.TRAILER_LENGTH),
    (GOOD + b"\0", Rejected.TRAILER_LENGTH),
    (GOOD[:8], Rejected.TRAILER_LENGTH),
    (signed(changed(8, 2)), Rejected.VERSION),
    (signed(GOOD, OTHER), Rejected.SIGNATURE),
    (signed(GOOD, NO_KEY), Rejected.SIGNATURE),
    (signed(changed(9, 2)), Rejected.VALUE),
    (signed(changed(10, 0)), Rejected.VALUE),
    (signed(changed(11, 3)), Rejected.VALUE),
    (signed(changed(15, 135)), Rejected.VALUE),
    (signed(changed(23, 0)), Rejected.VALUE),
    (signed(changed(39, 0)), Rejected.VALUE),
]


@pytest.mark.parametrize(("raw", "why"), BAD, ids=[f"{number}-{why.name}" for number, (_, why) in enumerate(BAD)])
def test_what_does_not_count_says_why(raw: bytes, why: Rejected) -> None:
    assert decode(raw, (KEY,)) is why


def test_every_bit_is_signed() -> None:
    for offset in range(4, LENGTH):
        for bit in range(8):
            assert isinstance(decode(changed(offset, GOOD[offset] ^ 1 << bit), (KEY,)), Rejected)


@given(st.binary(max_size=200))
def test_nothing_random_is_believed_where_there_is_a_key(raw: bytes) -> None:
    assert isinstance(decode(raw, (KEY,)), Rejected)
    assert isinstance(decode(BARE + b"PIHA\1" + raw, (KEY,)), Rejected)


def test_an_original_partner_may_be_bare_though_there_is_a_key() -> None:
    assert decode(BARE, (KEY,), is_original=True) == Heartbeat(Said.STOPPED)
    assert decode(GOOD, (KEY,), is_original=True) == Heartbeat(Said.RUNNING), "its trailer, if any, means nothing"
    assert decode(BARE[:3], (KEY,), is_original=True) is Rejected.TOO_SHORT


def test_without_a_key_a_trailer_that_cannot_be_read_leaves_its_four_bytes() -> None:
    assert decode(GOOD) == Heartbeat(Said.RUNNING, unread=Rejected.SIGNATURE)
    assert decode(GOOD[:100]) == Heartbeat(Said.RUNNING, unread=Rejected.TRAILER_LENGTH)
    assert decode(changed(8, 2)) == Heartbeat(Said.RUNNING, unread=Rejected.VERSION)


def test_while_a_key_changes_both_count() -> None:
    raw = encode(Heartbeat(Said.RUNNING, TRAILER), OTHER)
    read = decode(raw, (KEY, OTHER))
    assert isinstance(read, Heartbeat)
    assert read.is_authentic
    first = decode(encode(Heartbeat(Said.RUNNING, TRAILER)), (KEY, NO_KEY))
    assert isinstance(first, Heartbeat)
    assert (first.trailer, first.is_authentic) == (TRAILER, False)
    assert decode(BARE, (KEY, NO_KEY)) == Heartbeat(Said.STOPPED)


def test_signatures_are_compared_in_constant_time() -> None:
    assert "compare_digest" in inspect.getsource(datagram._trailer)


def test_the_page_about_heartbeats_agrees() -> None:
    page = (Path(__file__).parents[2] / "docs" / "heartbeat.md").read_text(encoding="utf-8")
    assert re.findall(r"whole(?: is|:) (\d+)", page) == [str(LENGTH)] * 2
    places = [(int(at), int(size)) for at, size in re.findall(r"^\| (\d+) \| (\d+) \|", page, re.MULTILINE)]
    assert places[0][0] == 4
    for (at, size), (after, _) in pairwise([*places, (LENGTH, 0)]):
        assert at + size == after
    for number, state in enumerate(State, start=1):
        assert f"{number} {state}" in page
    for reason in Rejected:
        assert f"| {reason} |" in page


def test_the_page_about_heartbeats_knows_every_state() -> None:
    page = (Path(__file__).parents[2] / "docs" / "heartbeat.md").read_text(encoding="utf-8")
    for state in State:
        assert f"| {state} |" in page
