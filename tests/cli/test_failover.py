"""`piranha failover`, and the pair in `piranha status`: what is asked, what is printed, what the exit code says."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from piranha.cli import report
from piranha.cli.failover import COMMANDS
from piranha.client import EngineClient
from piranha.errors import EditRefused, EngineUnavailable
from piranha.monitoring import FailoverAnswer, FailoverCommand
from piranha.router_status import ONLY_ROUTER, RedundancyStatus, RoleStatus
from piranha.status import EngineStatus
from tests import pairs
from tests.cli.conftest import Run
from tests.cli.test_report import STATUS

DONE = FailoverAnswer(True, ("handing over by command",))
REFUSED = FailoverAnswer(False, ("not handed over: the partner is not ready",))


class Terminal(io.StringIO):
    """Standard input of a person who types these words."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[FailoverCommand]:
    """Let the engine of this pair do what it is asked for, and remember it."""
    found: list[FailoverCommand] = []

    def failover(client: EngineClient, command: FailoverCommand) -> FailoverAnswer:
        found.append(command)
        return DONE

    monkeypatch.setattr(EngineClient, "failover", failover)
    return found


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, RedundancyStatus | None], None]:
    """Give a function that lets a person type something at a terminal, before an engine with this pair."""

    def typed(words: str, pair: RedundancyStatus | None = pairs.WELL) -> None:
        monkeypatch.setattr("sys.stdin", Terminal(words))
        monkeypatch.setattr(EngineClient, "status", lambda client, query=None: replace(STATUS, redundancy=pair))

    return typed


def test_every_command_of_the_api_has_its_word() -> None:
    assert set(COMMANDS.values()) == set(FailoverCommand)
    assert set(COMMANDS) == {"hand-over", "take-over", "hold", "release"}


@pytest.mark.parametrize("word", COMMANDS)
def test_with_yes_it_is_done_and_nobody_is_asked(run: Run, asked: list[FailoverCommand], word: str) -> None:
    done = run("failover", word, "--yes")
    assert (done.code, done.out, asked) == (0, "Handing over by command.\n", [COMMANDS[word]])


def test_at_a_terminal_it_says_what_will_happen_and_asks(run: Run, asked: list[FailoverCommand], types: Any) -> None:
    types("y\n")
    done = run("failover", "hand-over")
    assert done.code == 0 and asked == [FailoverCommand.HAND_OVER]
    assert "Serves now: this router\nServes afterwards: 192.0.2.12\n- This router takes the floating" in done.out
    assert "Hand over? [y/N]" in done.out and done.out.endswith("Handing over by command.\n")


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_an_answer_that_is_not_yes_does_nothing(
    run: Run, asked: list[FailoverCommand], types: Any, answer: str
) -> None:
    types(answer)
    done = run("failover", "hand-over")
    assert (done.code, done.err, asked) == (1, "Nothing was done.\n", [])


def test_a_command_that_will_be_refused_says_so_before_it_asks(
    run: Run, asked: list[FailoverCommand], types: Any
) -> None:
    types("n\n", pairs.SILENT)
    done = run("failover", "hand-over")
    assert "As it looks this will be refused: 192.0.2.12 is not heard" in done.out
    assert "! ERROR: 192.0.2.12 has not been heard for 25 s" in done.out
    assert "Serves afterwards" not in done.out


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_without_a_terminal_it_needs_yes(run: Run, asked: list[FailoverCommand], more: tuple[str, ...]) -> None:
    done = run("failover", "hold", *more)
    assert done.code == 2 and "It cannot ask here: say --yes." in done.err and asked == []


def test_what_pulse_refused_is_said_and_the_exit_code_is_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineClient, "failover", lambda client, command: REFUSED)
    done = run("failover", "hand-over", "--yes")
    assert (done.code, done.out, done.err) == (1, "", "Not handed over: the partner is not ready.\n")
    done = run("failover", "hand-over", "--yes", "--json")
    assert (done.code, json.loads(done.out)["done"]) == (1, False)


@pytest.mark.parametrize(
    ("problem", "code"),
    [(EditRefused("", "command", "There is no failover here."), 1), (EngineUnavailable("Nobody listens."), 3)],
)
def test_an_engine_without_failover_and_none_at_all(
    run: Run, monkeypatch: pytest.MonkeyPatch, problem: Exception, code: int
) -> None:
    def failover(client: EngineClient, command: FailoverCommand) -> FailoverAnswer:
        raise problem

    monkeypatch.setattr(EngineClient, "failover", failover)
    assert run("failover", "hold", "--yes").code == code


def test_a_word_that_is_no_command_is_a_wrong_command_line(run: Run, asked: list[FailoverCommand]) -> None:
    assert run("failover", "stop", "--yes").code == 2 and asked == []


# The pair in `piranha status`


def lines(pair: RedundancyStatus | None, **changes: Any) -> list[str]:
    status: EngineStatus = replace(STATUS, redundancy=pair, **changes)
    return report.of_status(status).splitlines()


def test_the_status_tells_the_pair_as_a_person_reads_it() -> None:
    told = lines(pairs.WELL)
    assert f"This router is the primary, active since {pairs.AT}; serves: this router" in told
    assert (
        "The other router, 192.0.2.12 (backup), is passive: heard 1.2 s ago; new Piranha, signed with the shared key; "
        "same configuration; ready; 3 of 4 real servers up there"
    ) in told
    assert "  public: 192.0.2.11 to 192.0.2.12 (eth0, link up), heard 1.2 s ago, 0 % lost" in told
    assert f"  {pairs.AT} Partner dead: activating lvs (nothing heard for 18.0 s)." in told
    assert not [line for line in told if line.startswith("! ")]


def test_the_status_warns_of_all_that_is_not_well() -> None:
    told = lines(pairs.BAD)
    assert "! ERROR: Both routers say that they are active." in " ".join(told)
    assert "! What runs on 192.0.2.12 is another configuration than what runs here." in told
    assert [line for line in told if "did not count: 1234 datagrams, signed with another key" in line]
    assert [line for line in told if "NOT authenticated; ANOTHER configuration; NOT ready" in line]


def test_what_is_not_known_is_not_told_as_known() -> None:
    told = lines(pairs.UNHEARD)
    assert "The other router, 192.0.2.12, is unknown: never heard" in told
    told = lines(pairs.SILENT)
    (partner,) = [line for line in told if line.startswith("The other router")]
    assert "is unknown: heard 25.0 s ago" in partner and "same configuration" not in partner
    told = lines(replace(pairs.WELL, age_s=60.0))
    assert "This router is the primary, unknown, it was active; serves: unknown: 192.0.2.12 is not heard" in told


def test_an_original_partner_and_a_fail_back_that_is_due_are_told() -> None:
    assert "  192.0.2.12 is an original router:" in " ".join(lines(pairs.ORIGINAL))
    assert "  fail-back: the addresses go back to the primary in 12 s" in lines(replace(pairs.WELL, failback_in_s=12.0))


def test_without_a_second_router_nothing_is_told_of_one_and_without_failover_that_there_is_none() -> None:
    assert lines(pairs.ALONE) == lines(None, role=ONLY_ROUTER)
    told = lines(None, role=RoleStatus(True, "192.0.2.12"), data_path="embedded")
    assert "! The embedded data path has no second router: nothing is known of 192.0.2.12." in told
    told = lines(None, role=RoleStatus(False, "192.0.2.12"), data_path="kernel")
    assert "! pulse has told nothing yet: nobody knows how it stands with 192.0.2.12." in told


def test_words_of_the_partner_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in "".join(lines(pairs.with_partner(address="192.0.2.12\x1b[2J")))
