"""Connections that ended a short while ago."""

from hypothesis import given
from hypothesis import strategies as st

from piranha.ipvs.recent import RecentlyEnded


@given(gaps=st.lists(st.floats(0, 30), max_size=50))
def test_the_count_is_that_of_the_window_to_a_second(gaps: list[float]) -> None:
    recent = RecentlyEnded(120)
    now = 0.0
    moments = []
    for gap in gaps:
        now += gap
        recent.add(now)
        moments.append(now)
    recent.forget(now)
    assert (
        sum(now - moment < 119 for moment in moments) <= recent.count <= sum(now - moment < 121 for moment in moments)
    )


def test_nothing_is_remembered_in_a_window_of_nothing() -> None:
    recent = RecentlyEnded(0)
    recent.add(5)
    assert recent.count == 0


def test_endings_are_forgotten_when_the_window_has_passed() -> None:
    recent = RecentlyEnded(120)
    for _ in range(1000):
        recent.add(7.5)
    assert recent.count == 1000
    recent.forget(126.9)
    assert recent.count == 1000
    recent.forget(127)
    assert recent.count == 0
