"""drain, weight, stop and start as a shell sees them: what is asked of the engine, and what is printed."""

import sys
from dataclasses import replace

import pytest

from piranha.cli import report
from piranha.cli.main import main
from piranha.cli.spans import seconds_of
from piranha.client import EngineClient
from piranha.errors import EditRefused
from piranha.messages import OverrideAnswer
from piranha.monitoring import RunAnswer
from piranha.router_status import Counts
from piranha.status import OverrideStatus, RunState
from tests.cli.test_report import STATUS

SERVER = "virtual[http].server[web1]"


def run(monkeypatch, tmp_path, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["piranha", "--root", str(tmp_path), *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.fixture
def asked(monkeypatch) -> list[dict]:
    """What is asked of the engine by `override`, which answers with an end where one was given."""
    found: list[dict] = []

    def override(client, server, kind, weight=0, *, until="", for_s=0):
        found.append({"server": server, "kind": kind, "weight": weight, "until": until, "for_s": for_s})
        return OverrideAnswer((server,), (), "2026-11-28T18:00:00+00:00" if until or for_s else "")

    monkeypatch.setattr(EngineClient, "override", override)
    return found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1D", 86400),
        ("2 h", 7200),
        ("0", None),
        ("0m", None),
        ("-1h", None),
        ("1w", None),
        ("1.5h", None),
        ("soon", None),
        ("٣m", None),
        ("", None),
    ],
)
def test_a_span_of_time_is_a_number_with_a_unit(text, seconds):
    assert seconds_of(text) == seconds


def test_a_drain_may_have_an_end_and_says_it(monkeypatch, tmp_path, capsys, asked):
    assert run(monkeypatch, tmp_path, "drain", SERVER, "--for", "2h") == 0
    assert asked[-1] == {"server": SERVER, "kind": "drain", "weight": 0, "until": "", "for_s": 7200}
    assert capsys.readouterr().out == f"Draining: {SERVER} (until 2026-11-28T18:00:00+00:00)\n"
    assert run(monkeypatch, tmp_path, "drain", SERVER, "--until", "2026-11-28T18:00") == 0
    assert (asked[-1]["until"], asked[-1]["for_s"]) == ("2026-11-28T18:00", 0)
    assert run(monkeypatch, tmp_path, "drain", SERVER) == 0
    assert capsys.readouterr().out.endswith(f"Draining: {SERVER}\n")


def test_a_weight_may_have_an_end_and_a_clear_has_none(monkeypatch, tmp_path, asked):
    assert run(monkeypatch, tmp_path, "weight", SERVER, "4", "--for", "15m") == 0
    assert (asked[-1]["kind"], asked[-1]["weight"], asked[-1]["for_s"]) == ("weight", 4, 900)
    assert run(monkeypatch, tmp_path, "weight", SERVER, "--clear", "--for", "15m") == 2


def test_a_span_that_is_none_is_a_wrong_command_line_and_an_end_that_is_none_is_refused(
    monkeypatch, tmp_path, capsys, asked
):
    assert run(monkeypatch, tmp_path, "drain", SERVER, "--for", "soon") == 2
    assert "is no span of time. Write 90s, 15m, 2h or 1d." in capsys.readouterr().err
    assert asked == []

    def refuse(client, server, kind, weight=0, *, until="", for_s=0):
        raise EditRefused(server, "until", "'soon' is no time.")

    monkeypatch.setattr(EngineClient, "override", refuse)
    assert run(monkeypatch, tmp_path, "drain", SERVER, "--until", "soon") == 1
    assert capsys.readouterr().err == "piranha: 'soon' is no time.\n"


def test_stop_and_start_say_what_they_did_and_warn(monkeypatch, tmp_path, capsys):
    stopped = RunAnswer(True, RunState.STOPPED, "LVS is stopped: 2 virtual servers were taken down, addresses first.")
    monkeypatch.setattr(EngineClient, "stop", lambda client: stopped)
    assert run(monkeypatch, tmp_path, "stop") == 0
    assert capsys.readouterr().out == f"{stopped.sentence}\n"
    started = RunAnswer(True, RunState.RUNNING, "LVS runs what was applied last.", (), ("lvs.cf has errors.",))
    monkeypatch.setattr(EngineClient, "start", lambda client: started)
    assert run(monkeypatch, tmp_path, "start") == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("LVS runs what was applied last.\n", "WARNING: lvs.cf has errors.\n")


def test_the_status_says_how_many_there_are_and_when_something_ends():
    told = report.of_status(STATUS)
    assert "real servers:" not in told
    counts = Counts(2, 1, 9, 5, 1, 2, 1, 1, 3, 44)
    drain = OverrideStatus(1, "drain", "10.0.0.1", "10.0.0.1", 0, "ann", "", "2026-11-28T17:00", "2026-11-28T18:00", 60)
    lines = report.of_status(replace(STATUS, counts=counts, overrides=(drain,))).splitlines()
    assert (
        "2 virtual servers (1 not served), 9 real servers: 5 up, 1 down, 2 not known, 1 drained by hand, "
        "1 not active, 3 leaving; 44 connections" in lines
    )
    assert "set by hand: drain 0 for 10.0.0.1, by ann 2026-11-28T17:00, until 2026-11-28T18:00" in lines
    told = report.of_status(replace(STATUS, state=RunState.STOPPED, reason="stopped by ann"))
    assert told.startswith("LVS is stopped: stopped by ann")
