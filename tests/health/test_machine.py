"""When a server is up, down, and back: the scenarios tell it, the printed table is the net under them."""

import re
from collections.abc import Callable
from dataclasses import replace
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


def play(file: Path, check: Make) -> set[tuple[HealthState, Event]]:
    """Play a scenario against the machine; return the rows that it took, by state and event."""
    settings, *lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    words = settings.split()
    told = dict(zip(words[::2], words[1::2], strict=True))
    assert {"timeout", "reentry"} <= told.keys() <= {"timeout", "reentry", "rise", "fall", "adopted"}, settings
    made = check(
        interval_s=float(told["timeout"]),
        reentry_s=float(told["reentry"]),
        rise=int(told.get("rise", 0)),
        fall=int(told.get("fall", 1)),
    )
    health, since = replace(unheard(0.0), was_up=told.get("adopted") == "yes"), 0.0
    taken = set()
    for line in lines:
        found = LINE.fullmatch(line)
        assert found, f"{file.name}: {line}"
        now = float(found["at"])
        before = health.state
        health, row = step(health, Verdict(found["kind"] == "good", found["reason"]), made, now)
        since = now if health.state is not before else since
        says = log_line(row, made, found["reason"]) or "(nothing)"
        assert (health.state, says) == (found["state"], found["says"]), line
        few = f" (bad check {health.bad_in_row} of the {made.fall} that take it out)"
        reason = found["reason"] + (few if row.event is Event.BAD_BUT_FEW else "")
        assert (health.since, health.checked_at, health.reason) == (since, now, reason)
        taken.add((row.state, row.event))
    return taken


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_scenario(file: Path, check: Make) -> None:
    assert play(file, check)


def test_every_row_of_the_table_is_taken_in_a_scenario(check: Make) -> None:
    taken = set().union(*(play(file, check) for file in SCENARIOS))
    assert taken == {(row.state, row.event) for row in TRANSITIONS}


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 5


def healths() -> list[ServerHealth]:
    return [ServerHealth(state, 0, 0.0, "", was_up=was_up) for state in HealthState for was_up in (False, True)]


def test_every_verdict_in_every_state_has_exactly_one_row(check: Make) -> None:
    met = {
        (health.state, event_of(health, verdict, check(reentry_s=reentry_s, fall=fall)))
        for health in healths()
        for verdict in (GOOD, BAD)
        for reentry_s in (0.0, 100.0)
        for fall in (1, 2)
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


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 5), st.integers(0, 5))
def test_rise_and_fall_are_what_haproxy_means_by_them(verdicts: list[bool], fall: int, rise: int) -> None:
    """One counter of checks that contradict the state; the first verdict of all decides alone."""
    check = Check(None, None, None, 0, None, None, 5.0, 15.0, 1.0, rise, fall)  # type: ignore[arg-type]
    needed = {True: rise or 3, False: fall}
    is_up, against = verdicts[0], 0
    health = unheard(0.0)
    for number, is_good in enumerate(verdicts):
        if number:
            against = against + 1 if is_good is not is_up else 0
            if against == needed[is_good] and against:
                is_up, against = is_good, 0
        health, _ = step(health, GOOD if is_good else BAD, check, float(number))
        assert (health.state is HealthState.UP) is is_up


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
