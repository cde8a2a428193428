"""Which trailers are fresh words of the partner's present boot."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from piranha.ha.datagram import Rejected, Trailer
from piranha.ha.session import Accepted, Session, accept
from piranha.ha.states import Role, State

OWN, PARTNER, NEXT_BOOT = 11, 22, 33


def trailer(
    sequence: int, echo: int, nonce: int = PARTNER, echo_nonce: int = OWN, *, is_private: bool = False
) -> Trailer:
    return Trailer(State.PASSIVE, Role.BACKUP, nonce, echo_nonce, sequence, echo, is_private=is_private)


def known() -> Session:
    session, outcome = accept(Session(OWN), trailer(5, 3), 9)
    assert outcome is Accepted.FIRST
    return session


def test_who_does_not_echo_this_boot_is_a_stranger_that_can_be_answered() -> None:
    session, outcome = accept(Session(OWN), trailer(5, 0, echo_nonce=0), 0)
    assert outcome is Rejected.ECHO
    assert (session.partner, session.stranger, session.stranger_heard) == (0, PARTNER, 5)
    session, _ = accept(session, trailer(4, 0, echo_nonce=0), 0)
    assert session.stranger_heard == 5
    session, _ = accept(session, trailer(2, 0, nonce=NEXT_BOOT, echo_nonce=0), 0)
    assert (session.stranger, session.stranger_heard) == (NEXT_BOOT, 2)


def test_the_first_that_echoes_this_boot_counts() -> None:
    session = known()
    assert (session.partner, session.heard, session.floor) == (PARTNER, 5, 9)


def test_an_echo_of_what_was_never_said_is_worth_nothing() -> None:
    assert accept(Session(OWN), trailer(5, 10), 9)[1] is Rejected.ECHO
    assert accept(known(), trailer(6, 10), 9)[1] is Rejected.ECHO
    assert accept(Session(OWN), trailer(5, 0), 9)[1] is Rejected.ECHO


def test_newer_ones_count_and_repeated_ones_do_not() -> None:
    session, outcome = accept(known(), trailer(6, 4), 9)
    assert outcome is Accepted.NEW
    assert accept(session, trailer(6, 4), 9) == (session, Rejected.OLD)
    assert accept(session, trailer(5, 4), 9) == (session, Rejected.OLD)


def test_the_same_on_the_other_channel_is_a_copy_once() -> None:
    session, outcome = accept(known(), trailer(5, 3, is_private=True), 9)
    assert outcome is Accepted.COPY
    assert session.heard == 5
    assert accept(session, trailer(5, 3, is_private=True), 9)[1] is Rejected.OLD


def test_what_comes_late_on_a_slower_channel_is_no_news() -> None:
    session, _ = accept(known(), trailer(8, 4), 9)
    session, outcome = accept(session, trailer(6, 4, is_private=True), 9)
    assert (outcome, session.heard) == (Accepted.COPY, 8)


def test_its_own_datagram_comes_back() -> None:
    assert accept(known(), trailer(9, 0, nonce=OWN), 9)[1] is Rejected.OWN


def test_a_partner_that_restarted_counts_when_it_echoes_what_was_said_since() -> None:
    session = known()
    assert accept(session, trailer(1, 9, nonce=NEXT_BOOT), 12)[1] is Rejected.ECHO, "said before the last boot counted"
    session, outcome = accept(session, trailer(2, 10, nonce=NEXT_BOOT), 12)
    assert outcome is Accepted.FIRST
    assert (session.partner, session.heard, session.floor, session.on_channel) == (NEXT_BOOT, 2, 12, (2, 0))


def test_a_recording_of_an_earlier_boot_of_the_partner_never_counts_again() -> None:
    session, _ = accept(known(), trailer(2, 10, nonce=NEXT_BOOT), 12)
    for sequence in range(1, 20):
        for echo in range(13):
            assert accept(session, trailer(sequence, echo), 12)[1] is Rejected.ECHO


def test_a_recording_from_an_earlier_boot_of_this_router_never_counts() -> None:
    session = replace(known(), own=77)
    assert accept(session, trailer(9, 9), 9)[1] is Rejected.ECHO


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=60))
def test_each_sequence_is_news_at_most_once_and_in_order(arrivals: list[tuple[int, bool]]) -> None:
    session, news = known(), [5]
    for sequence, is_private in arrivals:
        session, outcome = accept(session, trailer(sequence, 4, is_private=is_private), 9)
        news += [sequence] if outcome is Accepted.NEW else []
    assert news == sorted(set(news))
    assert session.heard == news[-1]
