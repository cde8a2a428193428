"""When a server is up, down, and back: the scenarios tell it, the printed table is the net under them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.health.check import Check, Verdict
from piranha.health.machine import (
    TRANSITIONS,
    Action,
    Event,
    ServerHealth,
    checks_needed,
    event_of,
    log_line,
    printed,
    step,
    unheard,
)
from piranha.status import HealthState

HERE = Path(__file__).parent
SCENARIOS = sorted((HERE / "scenarios").glob("*.txt"))
LINE = re.compile(r"at (?P<at>\d+) +(?P<kind>good|bad) (?P<reason>.*?) +-> (?P<state>\w+) +(?P<says>.*)")
Make = Callable[..., Any]
GOOD, BAD = Verdict(True, "connected"), Verdict(False, "refused")


def test_the_table_is_the_reviewed_one() -> None:
    assert printed() == (HERE / "transitions.txt").read_text()


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_scenario(file: Path, check: Make) -> None:
    settings, *lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    _, timeout, _, reentry = settings.split()
    made = check(interval_s=float(timeout), reentry_s=float(reentry))
    health, since = unheard(0.0), 0.0
    for line in lines:
        found = LINE.fullmatch(line)
        assert found, f"{file.name}: {line}"
        now = float(found["at"])
        before = health.state
        health, row = step(health, Verdict(found["kind"] == "good", found["reason"]), made, now)
        since = now if health.state is not before else since
        says = log_line(row, made, found["reason"]) or "(nothing)"
        assert (health.state, says) == (found["state"], found["says"]), line
        assert (health.since, health.checked_at, health.reason) == (since, now, found["reason"])


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 5


def healths(good_in_row: int = 0) -> list[ServerHealth]:
    return [ServerHealth(state, good_in_row, 0.0, "") for state in HealthState]


def test_every_verdict_in_every_state_has_exactly_one_row(check: Make) -> None:
    met = {
        (health.state, event_of(health, verdict, check(reentry_s=reentry_s)))
        for health in healths()
        for verdict in (GOOD, BAD)
        for reentry_s in (0.0, 100.0)
    }
    assert sorted(met) == sorted((row.state, row.event) for row in TRANSITIONS)


def test_a_row_tells_exactly_if_the_state_changes() -> None:
    for row in TRANSITIONS:
        assert (row.state is not row.becomes) == row.is_change == (Action.TELL in row.actions) == bool(row.says)


@pytest.mark.parametrize(
    ("interval_s", "reentry_s", "needed"), [(4, 10, 2), (6, 15, 2), (5, 15, 3), (10, 3, 1), (3, 3, 1), (6, 180, 30)]
)
def test_the_checks_needed_are_reentry_by_interval(check: Make, interval_s: int, reentry_s: int, needed: int) -> None:
    assert checks_needed(check(interval_s=float(interval_s), reentry_s=float(reentry_s))) == needed


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 5), st.integers(0, 30))
def test_the_original_loop_says_the_same(verdicts: list[bool], interval: int, reentry: int) -> None:
    """Compare with engine.md 4.2 told as one loop over a counter, check by check."""
    check = Check(None, None, None, 0, None, None, float(interval), float(reentry), 1.0)  # type: ignore[arg-type]
    threshold = count = reentry // interval
    is_active = False
    health = unheard(0.0)
    for number, is_good in enumerate(verdicts):
        if is_good:
            count += 1
            is_active = is_active or count >= threshold
        else:
            is_active, count = False, 0
        health, _ = step(health, GOOD if is_good else BAD, check, float(number))
        assert (health.state is HealthState.UP) is is_active


def test_a_server_that_was_up_once_is_remembered(check: Make) -> None:
    health = unheard(0.0)
    health, _ = step(health, BAD, check(), 0.0)
    assert not health.was_up
    health, _ = step(health, GOOD, check(reentry_s=0.0), 4.0)
    health, _ = step(health, BAD, check(), 8.0)
    assert health.was_up


def test_a_shorter_reentry_counts_from_the_next_check_on(check: Make) -> None:
    health, _ = step(unheard(0.0), BAD, check(reentry_s=400.0), 0.0)
    health, row = step(health, GOOD, check(reentry_s=400.0), 4.0)
    assert row.event is Event.GOOD_BUT_MORE
    health, row = step(health, GOOD, check(reentry_s=8.0), 8.0)
    assert health.state is HealthState.UP


def test_a_reason_with_braces_stays_as_it_is(check: Make) -> None:
    _, row = step(unheard(0.0), BAD, check(), 0.0)
    assert log_line(row, check(), "answered {server}") == "[inactive] leaving out 10.0.0.1:80: answered {server}"
