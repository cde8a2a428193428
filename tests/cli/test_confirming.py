"""`piranha apply --confirm`, `confirm`, `revert`, and what the status says meanwhile."""

from dataclasses import replace

import pytest

from piranha.cli import report
from piranha.client import EngineClient
from piranha.errors import ConfirmationPending, NothingPending
from piranha.messages import ApplyAnswer, ConfirmAnswer, PlannedStep, RevertAnswer
from piranha.status import ConfirmationStatus
from tests.cli.test_report import STATUS

WAITS = ConfirmationStatus(
    "b" * 64,
    8,
    "a" * 64,
    7,
    "ann",
    "192.0.2.7",
    "2026-05-31T14:00:00+00:00",
    60,
    42.4,
    "2026-05-31T14:01:00+00:00",
)


def test_apply_asks_for_the_confirmation_and_says_how_to_give_it(run, monkeypatch):
    asked = []

    def apply(client: EngineClient, **more: object) -> ApplyAnswer:
        asked.append(more)
        return ApplyAnswer("b" * 64, 8, (), (), WAITS if more["confirm_s"] else None)

    monkeypatch.setattr(EngineClient, "apply", apply)
    done = run("apply", "--confirm", "60")
    assert done.code == 0 and "`piranha confirm` within 42 s, until 2026-05-31T14:01:00+00:00" in done.out
    assert "confirm" not in run("apply").out
    assert [each["confirm_s"] for each in asked] == [60, 0]


@pytest.mark.parametrize("seconds", ["29", "301", "0", "x"])
def test_seconds_that_are_too_few_or_too_many_are_a_wrong_command_line(run, seconds):
    assert run("apply", "--confirm", seconds).code == 2


def test_confirm_says_what_runs_on(run, monkeypatch):
    monkeypatch.setattr(EngineClient, "confirm", lambda client: ConfirmAnswer("b" * 64, 8))
    assert run("confirm").out == f"Confirmed: serial_no 8, {'b' * 12} runs on.\n"


def test_revert_says_what_was_done(run, monkeypatch):
    answer = RevertAnswer("a" * 64, 9, (PlannedStep("remove real server b", ""),), 3, "What ran before runs again.")
    monkeypatch.setattr(EngineClient, "revert", lambda client: answer)
    assert run("revert").out == "What ran before runs again.\n  remove real server b\n"


@pytest.mark.parametrize("command", ["confirm", "revert"])
def test_where_nothing_waits_it_is_one_sentence(run, monkeypatch, command):
    def refuse(client: EngineClient) -> None:
        raise NothingPending("No Apply waits for a confirmation.")

    monkeypatch.setattr(EngineClient, command, refuse)
    done = run(command)
    assert (done.code, done.out, done.err) == (1, "", "piranha: No Apply waits for a confirmation.\n")


def test_a_second_apply_is_one_sentence_too(run, monkeypatch):
    def refuse(client: EngineClient, **more: object) -> None:
        raise ConfirmationPending("The Apply by ann waits.")

    monkeypatch.setattr(EngineClient, "apply", refuse)
    assert run("apply").err == "piranha: The Apply by ann waits.\n"


def line(waits: ConfirmationStatus | None) -> list[str]:
    return [each for each in report.of_status(replace(STATUS, confirmation=waits)).splitlines() if "confirm" in each]


def test_the_status_counts_down():
    assert line(None) == []
    assert line(WAITS) == [
        "! Applied by ann from 192.0.2.7 at 2026-05-31T14:00:00+00:00 and not confirmed yet: 42 s are left, until "
        f"2026-05-31T14:01:00+00:00. `piranha confirm`, or serial_no 7, {'a' * 12} runs again."
    ]
    assert "or nothing runs again" in line(replace(WAITS, before_token="", before_serial_no=None))[0]


def test_a_revert_that_the_disk_refuses_is_said():
    assert line(replace(WAITS, problem="The disk is full.")) == [
        f"! Applied by ann from 192.0.2.7 and not confirmed: serial_no 7, {'a' * 12} runs again. The disk is full."
    ]
