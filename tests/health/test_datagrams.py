"""Which datagram is the answer of a UDP server, and what is said when none is (engine.md 4.4, row D6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.health.check import RECEIVED_BYTES_MAX, Expectation, Match, Verdict
from piranha.health.datagrams import (
    DATAGRAMS_MAX,
    Heard,
    judge_datagram,
    verdict_late,
    verdict_of,
    with_datagram,
)

OK = Expectation(Match.PREFIX, b"OK")
ANYTHING = Expectation(Match.ANYTHING)
SIP = Expectation(Match.PATTERN, rb"^SIP/2\.0 (200|405)")
LIMIT_S = 6.0


def heard(expectation: Expectation | None, *datagrams: bytes) -> Heard:
    """Return what a check has heard after these datagrams, none of which may have ended it before the last."""
    found = Heard()
    for datagram in datagrams:
        assert verdict_of(found) is None
        found = with_datagram(found, expectation, datagram)
    return found


@pytest.mark.parametrize(
    ("expectation", "datagram", "is_good"),
    [
        (OK, b"OK 5\r\n", True),
        (OK, b"NO", False),
        (OK, b"O", False),
        (OK, b"ok", False),
        (ANYTHING, b"\0", True),
        (SIP, b"SIP/2.0 405 Method Not Allowed\r\n", True),
        (SIP, b"\r\nSIP/2.0 200 OK\r\n", False),
        (None, b"anything", True),
        (None, b"\0", True),
    ],
)
def test_a_datagram_is_judged_as_a_whole_answer(
    expectation: Expectation | None, datagram: bytes, is_good: bool
) -> None:
    assert judge_datagram(expectation, datagram).is_good is is_good


def test_without_expect_an_empty_datagram_is_an_answer_too() -> None:
    assert verdict_of(heard(None, b"")) == Verdict(True, "answered with an empty datagram")


@pytest.mark.parametrize("expectation", [OK, ANYTHING, Expectation(Match.PATTERN, b"")])
def test_with_expect_an_empty_datagram_is_none(expectation: Expectation) -> None:
    wrong = "answered with an empty datagram; expected at least 1 byte"
    assert judge_datagram(expectation, b"") == Verdict(False, wrong)


def test_nothing_is_certain_before_the_first_datagram() -> None:
    assert verdict_of(Heard()) is None
    assert verdict_late(Heard(), LIMIT_S) == Verdict(False, "no answer within 6 s")


def test_a_bad_datagram_before_the_good_one_does_no_harm() -> None:
    found = heard(SIP, b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 200 OK\r\nVia: a\r\n")
    verdict = verdict_of(found)
    assert verdict is not None
    assert verdict.is_good
    assert "200 OK" in verdict.reason


def test_pieces_in_two_datagrams_are_no_answer() -> None:
    assert verdict_of(heard(OK, b"O", b"K")) is None


def test_a_bad_datagram_is_told_when_the_limit_is_over() -> None:
    assert verdict_late(heard(OK, b"NO"), LIMIT_S) == Verdict(False, 'answered "NO"; expected "OK", within 6 s')


def test_of_several_bad_datagrams_the_last_is_told_with_their_count() -> None:
    assert verdict_late(heard(OK, b"A", b"B", b"C"), 0.5) == Verdict(
        False, 'answered "C"; expected "OK"; that was the last of 3 datagrams within 0.5 s'
    )


def test_a_flood_of_bad_datagrams_ends_the_check() -> None:
    found = heard(OK, *[b"NO"] * DATAGRAMS_MAX)
    reason = f'answered "NO"; expected "OK"; that was the last of {DATAGRAMS_MAX} datagrams, no more are read'
    assert verdict_of(found) == Verdict(False, reason)


def test_a_flood_of_empty_datagrams_ends_the_check() -> None:
    verdict = verdict_of(heard(ANYTHING, *[b""] * DATAGRAMS_MAX))
    assert verdict is not None
    assert not verdict.is_good


def test_a_flood_of_large_datagrams_ends_the_check_sooner() -> None:
    half = b"x" * (RECEIVED_BYTES_MAX // 2)
    verdict = verdict_of(heard(OK, half, half))
    assert verdict is not None
    assert verdict.reason.endswith("the last of 2 datagrams, no more are read")


def test_the_last_datagram_of_a_flood_may_be_the_good_one() -> None:
    assert verdict_of(heard(OK, *[b"NO"] * (DATAGRAMS_MAX - 1), b"OK")) == Verdict(True, 'answered "OK"')


@given(st.sampled_from([None, OK, ANYTHING, SIP]), st.lists(st.binary(max_size=12), max_size=20))
def test_a_good_datagram_ends_a_check_and_nothing_else_does(
    expectation: Expectation | None, datagrams: list[bytes]
) -> None:
    found = Heard()
    for datagram in datagrams:
        found = with_datagram(found, expectation, datagram)
        is_good = judge_datagram(expectation, datagram).is_good
        assert (verdict_of(found) is not None) is is_good
        if is_good:
            return
    assert not verdict_late(found, LIMIT_S).is_good
