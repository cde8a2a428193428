"""The table itself: printed and reviewed, unambiguous, and harmless where it refuses."""

import string
from pathlib import Path

import pytest

from piranha.ha.machine import row_for
from piranha.ha.states import RANKS, Action, Event, Role, State
from piranha.ha.table import TABLE, printed

REVIEWED = Path(__file__).parents[1] / "data" / "ha_table.txt"
WORDS = {"title", "partner", "state", "settling", "silent", "gap", "pause", "heard", "reason"}


def test_the_table_is_the_reviewed_one() -> None:
    assert printed() == REVIEWED.read_text(encoding="utf-8")


def test_no_two_rows_hold_at_once() -> None:
    keys = [(row.state, row.event, row.role) for row in TABLE]
    assert len(keys) == len(set(keys))
    for row in TABLE:
        if row.role is None:
            assert not any((row.state, row.event, role) in keys for role in Role), row


def test_every_state_event_and_action_is_used() -> None:
    assert {row.state for row in TABLE} == {*State, None}
    assert {row.event for row in TABLE} == set(Event)
    assert {action for row in TABLE for action in row.actions} == set(Action)
    assert set(RANKS) == set(State)


def test_every_change_of_state_is_told() -> None:
    for row in TABLE:
        if row.becomes not in (None, row.state):
            assert row.says, row
        assert {name for _, name, _, _ in string.Formatter().parse(row.says) if name} <= WORDS


@pytest.mark.parametrize("state", State)
def test_a_router_that_is_not_active_never_drops_and_never_takes_without_saying_so(state: State) -> None:
    for row in (row for row in TABLE if row.state is state):
        if row.becomes is State.ACTIVE and state is not State.ACTIVE:
            assert Action.TAKE in row.actions
            assert Action.SAY in row.actions or row.event is Event.ALONE
        if state is State.ACTIVE and row.becomes is not State.ACTIVE:
            assert Action.DROP in row.actions
            assert Action.SAY not in row.actions, "the addresses are still here"
        assert not {Action.TAKE, Action.DROP} <= set(row.actions)


def test_the_row_of_the_state_comes_before_the_one_for_any_state() -> None:
    own = row_for(State.IDLE, Event.DOWN, Role.PRIMARY)
    assert own is not None
    assert Action.FINISH in own.actions
    fallback = row_for(State.HELD, Event.DOWN, Role.PRIMARY)
    assert fallback is not None
    assert (fallback.state, fallback.becomes) == (None, None)
    assert row_for(State.IDLE, Event.OWNER, Role.PRIMARY) is None
