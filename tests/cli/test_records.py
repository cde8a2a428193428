"""`piranha events` and `audit`: what they print, as text, JSON and CSV; following."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from piranha.cli import records
from piranha.client import EngineClient
from piranha.errors import EditRefused, EngineUnavailable
from piranha.records import AuditAnswer, AuditEntry, AuditQuery, EngineEvent, EventsAnswer, EventsQuery

SAVED = EngineEvent(
    1, "2026-05-31T14:00:00.000+00:00", "saved", "virtual[web]", "lvs.cf was saved.", "ann", "192.0.2.7"
)
DOWN = EngineEvent(2, "2026-05-31T14:00:01.000+00:00", "server-down", "virtual[web].server[a]", "no answer\x1b[2J")
DONE = AuditEntry(
    3,
    "2026-05-31T14:00:00.000+00:00",
    "ann",
    "192.0.2.7",
    998,
    "save",
    "done",
    "",
    "virtual[web]",
    "a" * 64,
    "b" * 64,
    12,
    "+=1\n",
)
REFUSED = replace(DONE, number=4, uid=None, verb="apply", result="refused", reason="It would be empty.", version=None)


@pytest.fixture
def asked(monkeypatch) -> list[object]:
    """Answer with two events and two entries; return the queries."""
    seen: list[object] = []

    def events(client: EngineClient, query: EventsQuery) -> EventsAnswer:
        seen.append(query)
        found = (SAVED, DOWN) if query.after else (DOWN, SAVED)
        return EventsAnswer(found, None, 2, "")

    def audit(client: EngineClient, query: AuditQuery) -> AuditAnswer:
        seen.append(query)
        return AuditAnswer((DONE, REFUSED) if query.after else (REFUSED, DONE), None, 4, "")

    monkeypatch.setattr(EngineClient, "events", events)
    monkeypatch.setattr(EngineClient, "audit", audit)
    return seen


def test_the_newest_event_is_at_the_end_with_who_did_it_and_nothing_drives_the_terminal(run, asked):
    done = run("events")
    assert done.code == 0 and done.out.splitlines() == [
        f"{SAVED.at}  saved             virtual[web]: lvs.cf was saved. [ann from 192.0.2.7]",
        f"{DOWN.at}  server-down       virtual[web].server[a]: no answer\\x1b[2J",
    ]


def test_the_options_are_the_question(run, asked):
    run("events", "--kind", "saved", "--kind", "applied", "--about", "virtual[web]", "--since", "2h", "-n", "7")
    run("events", "--until", "1d", "--text", "no answer")
    run("audit", "--who", "ann", "--verb", "save", "--result", "refused", "--since", "1d")
    assert asked == [
        EventsQuery(kind="saved,applied", about="virtual[web]", since="2h", limit="7"),
        EventsQuery(until="1d", text="no answer", limit="50"),
        AuditQuery(who="ann", verb="save", result="refused", since="1d", limit="50"),
    ]


@pytest.mark.parametrize("command", ["events", "audit"])
def test_json_is_a_line_for_each_of_all_that_match_the_newest_at_the_end(run, asked, command):
    found = [json.loads(line)["number"] for line in run(command, "--json").out.splitlines()]
    assert found == ([1, 2] if command == "events" else [3, 4])
    assert asked[0].after == "0" and asked[0].limit == "1000"
    assert [json.loads(line)["number"] for line in run(command, "--json", "-n", "2").out.splitlines()] == found
    assert asked[1].limit == "2"


@pytest.mark.parametrize(("command", "columns"), [("events", 9), ("audit", 13)])
def test_csv_is_for_a_spreadsheet_and_harmless(run, asked, command, columns):
    rows = list(csv.reader(io.StringIO(run(command, "--csv").out)))
    assert [len(row) for row in rows] == [columns] * 3
    assert command == "events" or rows[1][-1] == "'+=1\n"


@pytest.mark.parametrize(
    "words", [("events", "--json", "--csv"), ("events", "--csv", "--follow"), ("audit", "--json", "--csv")]
)
def test_two_forms_at_once_are_a_wrong_command_line(run, asked, words):
    assert run(*words).code == 2 and asked == []


def test_the_audit_shows_who_from_where_as_which_user_and_what_came_of_it(run, asked):
    done = run("audit")
    first, second = done.out.splitlines()[1:]
    for words in ("ann", "192.0.2.7", "998", "save", "done", "version 12", f"{'a' * 12} -> {'b' * 12}"):
        assert words in first
    assert "refused" in second and "It would be empty." in second and " - " in second


def test_an_empty_audit_says_so(run, monkeypatch):
    monkeypatch.setattr(EngineClient, "audit", lambda client, query: AuditAnswer((), None, 0, "", "It is damaged."))
    done = run("audit")
    assert (done.code, done.out, done.err) == (0, "There is no entry.\n", "piranha: It is damaged.\n")


@pytest.mark.parametrize("command", ["events", "audit"])
def test_what_the_engine_does_not_understand_is_one_sentence(run, monkeypatch, command):
    def refuse(client: EngineClient, query: object) -> object:
        raise EditRefused("", "since", "'x' is no time.")

    monkeypatch.setattr(EngineClient, command, refuse)
    assert run(command, "--since", "x").err == "piranha: 'x' is no time.\n"


def test_following_goes_on_behind_the_last_one_over_a_restart_of_the_engine(run, monkeypatch):
    late = replace(SAVED, number=5, sentence="late")
    turns: Iterator[object] = iter(
        [
            EventsAnswer((DOWN, SAVED), None, 4, ""),
            EventsAnswer((), None, 4, ""),
            EngineUnavailable("The engine does not answer."),
            EngineUnavailable("The engine does not answer."),
            EventsAnswer((late,), None, 5, ""),
            EventsAnswer((), None, 5, ""),
        ]
    )
    seen: list[EventsQuery] = []
    pauses: list[float] = []

    def events(client: EngineClient, query: EventsQuery) -> EventsAnswer:
        seen.append(query)
        turn = next(turns)
        if isinstance(turn, EngineUnavailable):
            raise turn
        assert isinstance(turn, EventsAnswer)
        return turn

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(EngineClient, "events", events)
    monkeypatch.setattr(records.time, "sleep", pause)
    done = run("events", "--follow", "--kind", "saved")
    assert done.code == 130 and pauses == [1.0] * 5
    assert [line.split("  ")[0] for line in done.out.splitlines()] == [SAVED.at, DOWN.at, late.at]
    assert [query.after for query in seen] == ["", "4", "4", "4", "4", "5"]
    assert {query.kind for query in seen} == {"saved"}
    assert done.err.count("does not answer") == 1
