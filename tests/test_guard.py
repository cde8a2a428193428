"""A fault of ours costs one turn."""

import asyncio

import pytest

from piranha.guard import Turn


def test_a_fault_is_logged_with_its_trace_and_the_program_goes_on(caplog):
    with Turn("Counting") as turn:
        raise ZeroDivisionError("one too many")
    assert turn.has_failed
    assert "Counting failed" in caplog.text and "ZeroDivisionError: one too many" in caplog.text


def test_a_good_turn_has_not_failed(caplog):
    with Turn("Counting") as turn:
        pass
    assert not turn.has_failed and not caplog.text


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_an_end_that_was_asked_for_passes(end):
    with pytest.raises(end), Turn("Counting"):
        raise end
