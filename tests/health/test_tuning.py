"""Slow start, and when a load counts."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from piranha.health.load import Formula, Unread
from piranha.health.tuning import (
    STALE_S,
    STEP_S,
    Coming,
    SlowStart,
    Tuned,
    configured_as,
    due,
    heard,
    initial,
    ramp,
    starts_slowly,
    tick,
    unasked,
    untuned,
    up,
)

weights = st.integers(0, 65535)


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (64, [2, 4, 8, 16, 32, 64, 64]),
        (100, [3, 6, 12, 24, 48, 96, 100]),
        (3, [1, 2, 3, 3, 3, 3, 3]),
        (1, [1, 1, 1, 1, 1, 1, 1]),
        (0, [0, 0, 0, 0, 0, 0, 0]),
        (65535, [2047, 4094, 8188, 16376, 32752, 65504, 65535]),
    ],
)
def test_scenario_39_slow_start_doubles_every_20_seconds(configured: int, expected: list[int]) -> None:
    tuned = up(configured, None, 1000.0, slowly=True)
    found = [tuned.weight]
    for step in range(1, 7):
        assert tick(tuned, 1000.0 + step * STEP_S - 0.1).weight == found[-1]
        tuned = tick(tuned, 1000.0 + step * STEP_S)
        found.append(tuned.weight)
    assert found == expected
    assert not tuned.is_starting


@pytest.mark.parametrize(("configured", "first"), [(64, 2), (63, 1), (31, 1), (1, 1), (0, 0), (65535, 2047)])
def test_scenario_38_slow_start_begins_with_a_32nd_but_at_least_1(configured: int, first: int) -> None:
    assert initial(configured) == ramp(configured, 0.0) == first


@settings(deadline=None)
@given(weights, st.lists(st.floats(-10, 1000), min_size=2))
def test_slow_start_only_rises_and_ends_with_the_configured_weight(configured: int, ages: list[float]) -> None:
    found = [ramp(configured, age) for age in sorted(ages)]
    assert found == sorted(found)
    assert all(min(1, configured) <= each <= configured for each in found)
    assert ramp(configured, 16 * STEP_S) == configured


@pytest.mark.parametrize(
    ("policy", "quiesces", "coming", "pool", "expected"),
    [
        (SlowStart.OFF, True, Coming.RETURNS, [0.0], False),
        (SlowStart.OFF, True, Coming.JOINS, [0.0], False),
        (SlowStart.QUIESCE, True, Coming.RETURNS, [0.0], True),
        (SlowStart.QUIESCE, True, Coming.JOINS, [0.0], True),
        (SlowStart.QUIESCE, True, Coming.FIRST, [0.0], False),
        (SlowStart.QUIESCE, False, Coming.RETURNS, [0.0], False),
        (SlowStart.ON, False, Coming.RETURNS, [0.0], True),
        (SlowStart.ON, False, Coming.JOINS, [0.0], True),
        (SlowStart.ON, False, Coming.FIRST, [0.0], False),
        # nobody is there to carry on, or all came back together, as after a broken switch
        (SlowStart.ON, True, Coming.RETURNS, [], False),
        (SlowStart.ON, True, Coming.RETURNS, [90.0, 85.0], False),
        (SlowStart.ON, True, Coming.RETURNS, [90.0, 80.0], True),
        (SlowStart.ORIGINAL, False, Coming.RETURNS, [], True),
        (SlowStart.ORIGINAL, False, Coming.JOINS, [], True),
        (SlowStart.ORIGINAL, False, Coming.FIRST, [], True),
        # a restart of the engine is none of a server
        (SlowStart.ORIGINAL, True, Coming.ADOPTED, [0.0], False),
        (SlowStart.ON, True, Coming.ADOPTED, [0.0], False),
    ],
)
def test_who_starts_slowly(
    policy: SlowStart, quiesces: bool, coming: Coming, pool: list[float], expected: bool
) -> None:
    assert starts_slowly(policy, quiesces, coming, pool, now=100.0) is expected


def test_a_server_that_does_not_start_slowly_has_its_configured_weight_at_once() -> None:
    assert up(64, None, 0.0, slowly=False) == untuned(64)


def test_the_load_counts_when_slow_start_is_over_and_not_before() -> None:
    tuned = up(8, None, 0.0, slowly=True)
    for now, weight in ((5.0, 1), (25.0, 2), (45.0, 4)):
        tuned = heard(tuned, 9.0, Formula.BOUNDED, 0.0, now)
        assert (tuned.weight, tuned.by_load, tuned.load) == (weight, 8, 9.0)
    tuned = heard(tuned, 9.0, Formula.BOUNDED, 0.0, 65.0)
    assert (tuned.weight, tuned.is_starting) == (2, False)


def test_a_question_without_an_answer_leaves_the_load_until_it_is_old() -> None:
    tuned = heard(untuned(8), 9.0, Formula.BOUNDED, 0.0, 100.0)
    assert tuned == Tuned(8, 2, 2, 9.0, 100.0)
    tuned = heard(tuned, Unread("it answered nothing"), Formula.BOUNDED, 0.0, 99.0 + STALE_S)
    assert (tuned.weight, tuned.load, tuned.problem) == (2, 9.0, "it answered nothing")
    tuned = heard(tuned, Unread("it answered nothing"), Formula.BOUNDED, 0.0, 101.0 + STALE_S)
    assert tuned == Tuned(8, 8, 8, problem="it answered nothing")
    tuned = heard(tuned, 0.0, Formula.BOUNDED, 0.0, 102.0 + STALE_S)
    assert (tuned.weight, tuned.problem) == (8, "")


def test_a_load_that_nobody_asked_for_again_is_forgotten_by_time_alone() -> None:
    tuned = heard(untuned(8), 9.0, Formula.BOUNDED, 0.0, 100.0)
    assert tick(tuned, 99.9 + STALE_S) is tuned
    assert tick(tuned, 100.0 + STALE_S) == untuned(8)


def test_a_server_that_comes_back_begins_anew_whatever_its_load_was() -> None:
    before = heard(untuned(64), 9.0, Formula.BOUNDED, 0.0, 100.0)
    assert before.weight == 16
    tuned = up(64, before, 110.0, slowly=True)
    assert (tuned.weight, tuned.by_load, tuned.load) == (2, 64, 9.0)
    assert up(64, before, 110.0, slowly=False).weight == 64


def test_another_configured_weight_takes_slow_start_along() -> None:
    tuned = tick(up(64, None, 0.0, slowly=True), 40.0)
    assert tuned.weight == 8
    tuned = configured_as(tuned, 32, 41.0)
    assert (tuned.weight, tuned.configured, tuned.is_starting) == (4, 32, True)
    assert configured_as(tuned, 32, 42.0) is tuned
    assert configured_as(tuned, 0, 42.0) == untuned(0)


def test_scenario_59_from_answer_to_answer() -> None:
    tuned, found = untuned(8), [8]
    for number, load in enumerate((0.0, 0.0, 0.0, 5.0, 5.0)):
        tuned = heard(tuned, load, Formula.ORIGINAL, load, 20.0 * number)
        found.append(tuned.weight)
    assert found == [8, 12, 16, 20, 13, 8]


def test_a_load_that_nobody_wants_to_know_any_more_is_forgotten_at_once() -> None:
    tuned = heard(untuned(8), 9.0, Formula.BOUNDED, 0.0, 100.0)
    assert unasked(tuned, 101.0) == untuned(8)
    assert unasked(heard(untuned(8), Unread("no"), Formula.BOUNDED, 0.0, 1.0), 2.0) == untuned(8)
    starting = up(64, tuned, 100.0, slowly=True)
    assert unasked(starting, 121.0) == Tuned(64, 4, 64, begins_at=100.0)


events = st.one_of(
    st.tuples(st.just("load"), st.floats(0, 100)),
    st.tuples(st.just("trouble"), st.just(0.0)),
    st.tuples(st.just("up"), st.booleans()),
    st.tuples(st.just("tick"), st.floats(0, 50)),
)


@settings(deadline=None)
@given(st.sampled_from(Formula), st.integers(0, 1000), st.lists(events, max_size=40))
def test_whatever_happens_the_weight_is_never_0_unless_it_is_configured_so(
    formula: Formula, configured: int, happens: list[tuple[str, float]]
) -> None:
    tuned, now = untuned(configured), 0.0
    for kind, value in happens:
        now += 7.0
        match kind:
            case "load":
                tuned = heard(tuned, value, formula, 1.0, now)
            case "trouble":
                tuned = heard(tuned, Unread("no"), formula, 0.0, now)
            case "up":
                tuned = up(configured, tuned, now, slowly=bool(value))
            case _:
                now += value
                tuned = tick(tuned, now)
        assert min(1, configured) <= tuned.weight <= 10 * configured
        until = due(tuned)
        assert until > now
        if not math.isinf(until):
            assert tick(tuned, (now + until) / 2) == tuned != tick(tuned, until)
        assert not tuned.is_starting or tuned.weight < configured
