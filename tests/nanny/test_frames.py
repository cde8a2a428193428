"""What lvs and a worker say to each other: whole, in pieces, and wrong."""

import dataclasses
import random
from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from piranha.config.model import Protocol
from piranha.health.check import Check, Expectation, Http, Match, Tls, Verdict
from piranha.nanny.frames import (
    BATCH,
    HEARD_MAX,
    ORDERED_MAX,
    REASON_MAX,
    Found,
    FrameFault,
    Frames,
    Note,
    NotMade,
    Same,
    found_of,
    one_line,
    probed_of,
    read_told,
    read_watch,
    told_frame,
    watch_frames,
)
from piranha.nanny.rounds import Order, Outcome
from piranha.system.probes import Probed
from tests.nanny.hired import order

TOLD = [
    Found(1, 10.0, 12.0, True, 'answered "HTTP"', 0.25, b"GET /\xff", b"HTTP\x00"),
    Same(2, 10.0, 12.0, 0.5),
    NotMade(3, 10.0, 12.0, "too many open files"),
    Note(30, "a line"),
]


def bodies(stream: bytes, longest: int = ORDERED_MAX) -> list[bytes]:
    return list(Frames(longest).add(stream))


def told_again(orders: list[Order], dropped: list[int]) -> tuple[list[Order], list[int]]:
    """Return what a worker reads of what lvs writes."""
    read = [read_watch(body) for frame in watch_frames(orders, dropped) for body in bodies(frame)]
    return [each for some, _ in read for each in some], [number for _, some in read for number in some]


def test_every_field_of_a_check_reaches_the_worker() -> None:
    """A field that is added to Check has another value here than its default, or this fails."""
    values = {
        "protocol": Protocol.UDP,
        "port": 53,
        "send": b"\x00\xffping",
        "expect": Expectation(Match.PATTERN, b"\xffpong"),
        "interval_s": 1.5,
        "reentry_s": 2.5,
        "limit_s": 3.5,
        "rise": 2,
        "fall": 3,
        "program": (b"/bin/check", b"%h\xff"),
        "http": Http(b"GET /\xff", ((200, 299), (401, 401)), b"\xffOK"),
        "tls": Tls("www.example.com", False, True, b"PEM\xff", "/ca.pem", "it is broken", 14),
    }
    first = order(7, 80)
    known = {each.name for each in dataclasses.fields(Check)} - {"key", "address"}
    plain = {name: getattr(first.check, name) for name in known}
    changed = {name: value for name, value in values.items() if name in known}
    unlike = known - {name for name, value in changed.items() if value != plain[name]}
    made = replace(first, check=replace(first.check, **changed), due=4.5)  # type: ignore[arg-type]
    ((read,), _) = told_again([made], [])
    assert {name: getattr(read.check, name) for name in known} == {name: getattr(made.check, name) for name in known}
    assert (read.number, read.address, read.due, str(read.check.key)) == (7, made.address, 4.5, str(made.check.key))
    for name in unlike:  # fields of which this test knows no value are carried all the same
        assert type(getattr(read.check, name)) is type(plain[name])


def test_an_order_for_an_ipv6_server_and_the_first_one_of_all() -> None:
    made = replace(order(1, 80), address=IPv6Address("2001:db8::1"))
    ((read,), _) = told_again([made], [])
    assert (read.address, read.due) == (IPv6Address("2001:db8::1"), None)


def test_many_orders_are_cut_into_frames_and_what_is_dropped_comes_first() -> None:
    orders = [order(number, 80) for number in range(1, 2 * BATCH + 10)]
    frames = list(watch_frames(orders, [5, 6]))
    assert len(frames) == 3
    read, dropped = told_again(orders, [5, 6])
    assert [each.number for each in read] == [each.number for each in orders]
    assert dropped == [5, 6]
    assert read_watch(bodies(frames[0])[0])[1] == [5, 6]
    assert list(watch_frames([], [])) == []
    assert told_again([], [9]) == ([], [9])


def test_what_a_worker_tells_is_read_as_it_was() -> None:
    (body,) = bodies(told_frame(TOLD))
    assert read_told(body) == TOLD
    assert read_told(bodies(told_frame([]))[0]) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_in_any_pieces_is_the_same_frames(seed: int) -> None:
    chance = random.Random(seed)
    sent = [told_frame(TOLD[: chance.randrange(5)]) for _ in range(20)]
    stream, frames, heard = b"".join(sent), Frames(HEARD_MAX), []
    while stream:
        size = chance.choice((1, 2, 3, 5, 100, 1000))
        heard += list(frames.add(stream[:size]))
        stream = stream[size:]
    assert [told_frame(read_told(body)) for body in heard] == sent


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_frame_is_a_fault_or_another_message_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)
    (body,) = bodies(told_frame(TOLD))
    damaged = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    if chance.random() < 0.3:
        del damaged[chance.randrange(len(damaged)) :]
    try:
        told = read_told(bytes(damaged))
    except FrameFault:
        return
    for each in told:
        assert isinstance(each, Note) or (each.number >= 0 and each.ended >= 0 and each.due >= 0)


@pytest.mark.parametrize(
    "told",
    [
        Found(-1, 1.0, 1.0, True, "", 0.0, b"", b""),
        Found(1, 1.0, 1.0, True, "x" * (REASON_MAX + 1), 0.0, b"", b""),
        Found(1, 1.0, 1.0, True, "", 0.0, b"x" * 1025, b""),
        Found(1, 1.0, 1.0, True, "", float("nan"), b"", b""),
        Found(1, float("inf"), 1.0, True, "", 0.0, b"", b""),
        Same(1, float("nan"), 1.0, 0.0),
        Same(1, 1.0, float("nan"), 0.0),
        Same(2**60, 1.0, 1.0, 0.0),
        NotMade(1, 1.0, -1.0, ""),
        Note(51, ""),
        Note(30, "x" * 4001),
    ],
)
def test_what_cannot_be_true_is_a_fault(told: Found | Same | NotMade | Note) -> None:
    with pytest.raises(FrameFault):
        read_told(bodies(told_frame([told]))[0])


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91" * 100_000, b"\x90\x90", b"\xa4text", b"\x91\x92\x63\x01"])
def test_what_is_no_message_is_a_fault(body: bytes) -> None:
    with pytest.raises(FrameFault):
        read_told(body)


def test_a_frame_has_a_longest_and_is_refused_by_its_length_alone() -> None:
    frames = Frames(100)
    assert list(frames.add((100).to_bytes(4, "big"))) == []
    assert [len(body) for body in frames.add(b"x" * 100)] == [100]
    with pytest.raises(FrameFault):
        list(frames.add((101).to_bytes(4, "big")))


def test_an_outcome_is_told_within_its_bounds() -> None:
    probed = Probed(Verdict(False, "x" * 5000), 0.5, b"sent", b"received")
    found = found_of(Outcome(1, probed, "", 2.0, 3.0))
    assert isinstance(found, Found)
    assert read_told(bodies(told_frame([found]))[0]) == [found]
    assert probed_of(found) == Probed(Verdict(False, "x" * REASON_MAX), 0.5, b"sent", b"received")
    assert found_of(Outcome(1, None, "y" * 5000, 2.0, 3.0)) == NotMade(1, 2.0, 3.0, "y" * REASON_MAX)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("fine, été", "fine, été"),
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u2028", "\\u2028"),
        ("\u202e", "\\u202e"),
    ],
)
def test_a_text_for_the_log_is_one_line_and_drives_no_terminal(text: str, line: str) -> None:
    assert one_line(text) == line
