"""The rounds of announcements, by a clock that is an argument."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from piranha.ipvs.addresses import Link
from piranha.ipvs.announcements import (
    FINISHED,
    REFRESH_S,
    Announcing,
    Carried,
    announce_again,
    carry,
    due,
    link_gone,
    link_seen,
)

WEB = Carried("eth0", ip_address("192.0.2.100"))
MAIL = Carried("eth1", ip_address("2001:db8::100"))
LINK = Link("eth0", 2, "02:00:00:00:00:01", True, True, True)
DARK = replace(LINK, has_carrier=False)


def played(state: Announcing, until: float) -> tuple[Announcing, list[tuple[float, Carried]], list[float]]:
    """Run the clock from one due time to the next; return the rounds with their times and when it said FINISHED."""
    rounds: list[tuple[float, Carried]] = []
    finished = []
    while state.next_at is not None and state.next_at <= until:
        now = state.next_at
        state, announced, said = due(state, now)
        rounds += [(now, each) for each in announced]
        if said:
            assert said == FINISHED
            finished.append(now)
    return state, rounds, finished


def test_a_claimed_address_is_announced_five_times_and_that_is_said_once() -> None:
    _, rounds, finished = played(carry(Announcing(), [WEB], 100), 106)
    assert rounds == [(100 + second, WEB) for second in range(5)]
    assert finished == [105]


def test_it_is_repeated_silently_for_slow_switches_and_then_every_minute() -> None:
    state, rounds, finished = played(carry(Announcing(), [WEB], 0), 300)
    assert [when for when, _ in rounds[5:]] == [10, 20, 40, 100, 160, 220, 280]
    assert finished == [5]
    assert state.next_at == 280 + REFRESH_S
    _, rounds, _ = played(carry(Announcing(refresh_s=0), [WEB], 0), 1e9)
    assert [when for when, _ in rounds[5:]] == [10, 20, 40]


def test_what_is_yielded_is_never_announced_again() -> None:
    state, _, _ = played(carry(Announcing(), [WEB, MAIL], 0), 1.5)
    state = carry(state, [MAIL], 1.6)
    assert {each for _, each in played(state, 300)[1]} == {MAIL}
    state = carry(state, [], 1.7)
    assert state.next_at is None
    assert due(state, 1000) == (state, (), "")


def test_addresses_told_again_go_on_as_they_are_and_a_new_one_begins() -> None:
    state, _, _ = played(carry(Announcing(), [WEB], 0), 6.5)
    state = carry(carry(state, [WEB], 6.6), [WEB, MAIL], 7)
    _, rounds, finished = played(state, 13)
    assert rounds == [
        (7, MAIL), (8, MAIL), (9, MAIL), (10, WEB), (10, MAIL), (11, MAIL),
    ]  # fmt: skip
    assert finished == [12]


def test_what_was_yielded_and_is_claimed_again_is_announced_and_said_again() -> None:
    state, _, _ = played(carry(Announcing(), [WEB], 0), 2.5)
    _, rounds, finished = played(carry(carry(state, [], 3), [WEB], 4), 9.5)
    assert [when for when, _ in rounds] == [4, 5, 6, 7, 8]
    assert finished == [9]


@pytest.mark.parametrize(
    "after",
    [LINK, replace(LINK, mac="02:00:00:00:00:99"), replace(LINK, index=9)],
    ids=["carrier", "hardware address", "made anew"],
)
def test_an_interface_that_is_back_or_changed_is_announced_anew_from_the_first_round_silently(after: Link) -> None:
    state = link_seen(carry(Announcing(), [WEB, MAIL], 0), LINK, 0)
    state, _, _ = played(state, 50)
    if after == LINK:
        state = link_seen(state, DARK, 50)
    state, rounds, finished = played(link_seen(state, after, 51), 56)
    assert rounds == [(51 + second, WEB) for second in range(5)]
    assert finished == []


def test_a_carrier_that_comes_during_the_claim_does_not_say_finished_twice() -> None:
    state = link_seen(carry(Announcing(), [WEB], 0), DARK, 0)
    state, _, finished = played(link_seen(played(state, 2)[0], LINK, 2.5), 30)
    assert finished == [5]


def test_an_interface_seen_for_the_first_time_or_unchanged_or_losing_its_carrier_begins_nothing() -> None:
    state, _, _ = played(carry(Announcing(), [WEB], 0), 50)
    for link in (LINK, LINK, DARK):
        state = link_seen(state, link, 51)
    assert played(state, 60)[1] == []


def test_an_interface_that_went_away_and_came_back_is_announced_anew() -> None:
    state = link_seen(carry(Announcing(), [WEB], 0), LINK, 0)
    state = link_gone(link_gone(played(state, 50)[0], "eth0"), "eth7")
    assert [when for when, _ in played(link_seen(state, LINK, 51), 52)[1]] == [51, 52]


def test_all_are_announced_anew_when_the_partner_claimed_them_too() -> None:
    state, _, _ = played(carry(Announcing(), [WEB, MAIL], 0), 50)
    _, rounds, finished = played(announce_again(state, 51), 51)
    assert rounds == [(51, WEB), (51, MAIL)]
    assert finished == []


def test_a_router_that_stood_still_does_not_make_up_for_missed_rounds() -> None:
    state = carry(Announcing(), [WEB], 0)
    state, announced, _ = due(state, 3.7)
    assert announced == (WEB,)
    state, announced, _ = due(state, 3.71)
    assert announced == ()
    assert state.next_at == pytest.approx(4.2)


def test_a_loop_that_is_a_little_late_keeps_the_beat() -> None:
    state, _, _ = due(carry(Announcing(), [WEB], 0), 0.1)
    assert state.next_at == 1.0
