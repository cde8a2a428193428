"""The restart policy: at once after a steady run, then slower and slower up to a bound."""

from hypothesis import given
from hypothesis import strategies as st

from piranha.cli.restarts import LONGEST_DELAY_S, STEADY_S, Restarts, after_end


def test_a_program_that_ran_steadily_is_started_again_at_once() -> None:
    assert after_end(Restarts(7), started_at=100.0, now=100.0 + STEADY_S) == (Restarts(1), 0.0)


def test_a_program_that_ends_again_and_again_waits_twice_as_long_each_time() -> None:
    restarts, delays = Restarts(), []
    for _ in range(9):
        restarts, delay_s = after_end(restarts, started_at=0.0, now=1.0)
        delays.append(delay_s)
    assert delays == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@given(st.integers(0, 10**6), st.floats(0, STEADY_S, exclude_max=True))
def test_no_program_is_given_up_and_none_spins(in_row: int, ran_for_s: float) -> None:
    restarts, delay_s = after_end(Restarts(in_row), 50.0, 50.0 + ran_for_s)
    assert 0.0 <= delay_s <= LONGEST_DELAY_S
    assert delay_s > 0.0 or restarts.in_row == 1
