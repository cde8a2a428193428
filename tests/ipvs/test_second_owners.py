"""Who else has an address of ours, by a clock that is an argument."""

from ipaddress import ip_address

from piranha.ipvs.announcements import Carried
from piranha.ipvs.second_owners import ASK_S, FORGET_S, SAID_S, SecondOwners, due, heard, keep

WEB = Carried("eth0", ip_address("192.0.2.100"))
MAIL = Carried("eth1", ip_address("2001:db8::100"))
ONE, TWO = "02:00:00:00:00:01", "02:00:00:00:00:02"


def test_a_second_owner_is_news_once() -> None:
    state, is_news = heard(SecondOwners(), WEB, ONE, 100)
    assert is_news
    for now in (100, 105, 1000):
        state, is_news = heard(state, WEB, ONE, now)
        assert not is_news
    assert state.owners[WEB].mac == ONE


def test_another_station_is_news_but_a_flood_of_them_is_not() -> None:
    state, _ = heard(SecondOwners(), WEB, ONE, 100)
    said = 0
    for number in range(1000):
        state, is_news = heard(state, WEB, f"02:00:00:00:{number // 256:02x}:{number % 256:02x}", 100 + number / 100)
        said += is_news
    assert said == 0
    state, is_news = heard(state, WEB, TWO, 100 + SAID_S)
    assert is_news
    assert len(state.owners) == 1
    assert state.owners[WEB].mac == TWO


def test_it_is_asked_again_and_forgotten_when_it_answers_no_more() -> None:
    state, _ = heard(SecondOwners(), WEB, ONE, 100)
    asked, ended = [], []
    while state.next_at is not None:
        now = state.next_at
        state, to_ask, gone = due(state, now)
        assert now < 1000
        asked += [(now, each) for each in to_ask]
        ended += [(now, each) for each in gone]
    assert asked == [(100 + ASK_S, WEB), (100 + 2 * ASK_S, WEB)]
    assert ended == [(100 + FORGET_S, WEB)]


def test_one_that_answers_stays() -> None:
    state, _ = heard(SecondOwners(), WEB, ONE, 0)
    for turn in range(1, 50):
        state, asked, ended = due(state, turn * ASK_S)
        assert (asked, ended) == ((WEB,), ())
        state, is_news = heard(state, WEB, ONE, turn * ASK_S + 0.01)
        assert not is_news


def test_what_is_carried_no_more_has_no_second_owner() -> None:
    state, _ = heard(SecondOwners(), WEB, ONE, 0)
    state, _ = heard(state, MAIL, TWO, 0)
    assert keep(state, [MAIL]).owners.keys() == {MAIL}
    assert keep(state, []).next_at is None
