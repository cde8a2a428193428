"""What becomes of an Apply that waits: unconfirmed means back, whatever is not known."""

from dataclasses import replace

import pytest

from piranha.config.load import token_of
from piranha.config.unconfirmed import Fate, Unconfirmed, fate, remaining_s

BOOT = "boot 1"
KEPT = Unconfirmed(
    BOOT, 1060.0, 60, "b" * 64, 8, b"serial_no = 7\n", 7, "ann", "192.0.2.7", "2026-05-31T14:00:00+00:00"
)


def decided(kept: Unconfirmed | None = KEPT, running: str | None = KEPT.token, boot: str = BOOT, now: float = 1010.0):
    return fate(kept, running, boot, now)


def test_without_a_record_there_is_nothing_to_decide():
    assert decided(None) is Fate.NONE


@pytest.mark.parametrize("now", [1000.0, 1010.0, 1059.9])
def test_it_waits_until_its_deadline(now):
    assert decided(now=now) is Fate.WAIT


@pytest.mark.parametrize("now", [1060.0, 1060.1, 99999.0])
def test_from_its_deadline_on_it_is_reverted(now):
    assert decided(now=now) is Fate.REVERT


@pytest.mark.parametrize("boot", ["boot 2", ""])
def test_another_boot_reverts_before_the_deadline_too_and_so_does_one_that_cannot_be_told(boot):
    assert decided(boot=boot) is Fate.REVERT


def test_two_boots_that_cannot_be_told_are_not_the_same():
    assert decided(replace(KEPT, boot_id=""), boot="") is Fate.REVERT


def test_a_stop_by_an_operator_is_no_confirmation():
    assert fate(KEPT, KEPT.token, BOOT, 1010.0, was_stopped=True) is Fate.REVERT


def test_an_engine_that_died_while_it_switched_has_not_confirmed():
    assert decided(replace(KEPT, deadline=None)) is Fate.REVERT


@pytest.mark.parametrize("now", [999.9, -5.0])
def test_a_deadline_that_is_further_away_than_it_can_be_is_none(now):
    assert decided(now=now) is Fate.REVERT


@pytest.mark.parametrize("running", ["a" * 64, ""])
def test_a_record_of_something_else_than_what_runs_is_forgotten(running):
    assert decided(running=running) is Fate.FORGET
    assert decided(running=running, boot="boot 2") is Fate.FORGET


def test_where_nobody_knows_what_runs_it_is_reverted():
    assert decided(running=None) is Fate.REVERT


def test_what_is_left_never_is_less_than_nothing_and_all_of_it_during_the_switch():
    assert remaining_s(KEPT, 1010.0) == 50.0
    assert remaining_s(KEPT, 2000.0) == 0.0
    assert remaining_s(replace(KEPT, deadline=None), 2000.0) == 60.0


def test_the_token_of_what_ran_is_that_of_its_text():
    assert KEPT.before_token == token_of(b"serial_no = 7\n")
    assert replace(KEPT, before=None).before_token == ""
