"""The simulation notices a router that is wrong beside its table: the faults of nasty.py that it can see soon."""

import pytest

from tests.ha.nasty import NASTY
from tests.ha.simulation import Life
from tests.ha.world import Violation

LIVES = 60
SEEN_SOON = (
    "does not greet a new boot",
    "says stopped while undecided",
    "says stopped to an original while undecided",
    "says stopped before they are down",
    "says running while undecided",
    "never yields",
    "minds the wall clock",
    "never thinks that it is its turn",
    "speaks too seldom",
    "never tries again",
    "does not notice what the partner let go",
    "says no last word",
)
"""The others need rarer accidents, or break what no accident shows: `make mutate` tries them with all tests."""


@pytest.mark.parametrize("name", SEEN_SOON)
def test_the_simulation_sees_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    NASTY[name](monkeypatch)
    with pytest.raises(Violation):
        for seed in range(LIVES):
            Life(seed).run()


def test_there_are_many_ways_to_be_wrong() -> None:
    assert len(NASTY) >= 25
    assert set(SEEN_SOON) < set(NASTY)
