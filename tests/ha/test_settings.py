"""The times of failover."""

import pytest

from piranha.ha.settings import Settings
from piranha.ha.states import Role


def settings(**changes: object) -> Settings:
    return Settings(Role.PRIMARY, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"keepalive_s": 0.0},
        {"keepalive_s": 5.0, "deadtime_s": 5.0},
        {"retry_first_s": 0.0},
        {"retry_most_s": 1.0},
        {"failback_after_s": -1.0},
    ],
)
def test_times_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"deadtime|pause"):
        settings(**wrong)


def test_times_may_be_shorter_than_a_second() -> None:
    fast = settings(keepalive_s=0.1, deadtime_s=0.3)
    assert (fast.settling_s, fast.offering_every_s, fast.offer_s(False)) == (0.3, 0.025, 0.1)
    assert fast.offer_s(True) == 0.3
    assert fast.hand_over_s(False) == pytest.approx(0.4)
    assert fast.known_after_s == pytest.approx(0.4)


def test_pauses_double_up_to_the_longest() -> None:
    assert [settings().pause_s(failures) for failures in (1, 2, 3, 6, 7, 10_000)] == [2, 4, 8, 60, 60, 60]
