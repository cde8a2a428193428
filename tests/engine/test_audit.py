"""The audit: begun before anything is changed, ended whatever comes of it, never rewritten, told when it cannot be."""

import json
import os
from collections.abc import Iterator

import pytest

from piranha.engine import audit as audit_module
from piranha.engine import questions
from piranha.engine.audit import DIFF_MAX, Audit, AuditLine, Told
from piranha.engine.caller import Caller
from piranha.engine.connections import QueryRefused
from piranha.errors import ConfigConflict, ConfigUnavailable, UnsafePlan
from piranha.messages import SaveAnswer
from piranha.records import AuditEntry, AuditQuery
from piranha.system.record_files import Part

ANN = Caller("ann", "192.0.2.7", 998)


@pytest.fixture
def audit(paths) -> Audit:
    return Audit(paths.audit)


async def entries(audit: Audit, **query: str) -> tuple[AuditEntry, ...]:
    answer = await audit.asked(AuditQuery(**query))
    assert answer.problem == ""
    return answer.entries


def lines(paths) -> list[dict]:
    return [json.loads(line) for line in paths.audit.read_text().splitlines()]


async def test_an_entry_is_begun_on_the_disk_before_and_ended_behind(audit, paths):
    async with audit.entry("save", ANN, "virtual[web]") as told:
        begun = lines(paths)
        assert [(line["result"], line["verb"], line["who"], line["uid"]) for line in begun] == [
            ("unfinished", "save", "ann", 998)
        ]
        told.saved(SaveAnswer(True, "b" * 64, 8, "+ weight = 5\n", (), (), "a" * 64, 12))
    (entry,) = await entries(audit)
    assert entry == AuditEntry(
        2,
        entry.at,
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
        "+ weight = 5\n",
    )
    assert paths.audit.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("error", "result", "reason"),
    [
        (ConfigConflict("virtual[web]", ""), "refused", "changed by somebody else"),
        (UnsafePlan("It would be empty."), "refused", "It would be empty."),
        (ConfigUnavailable("The disk is full."), "failed", "The disk is full."),
        (ZeroDivisionError("ours"), "failed", "a fault of the engine"),
    ],
)
async def test_what_was_refused_or_failed_is_there_with_its_reason(audit, error, result, reason):
    with pytest.raises(type(error)):
        async with audit.entry("apply", ANN):
            raise error
    (entry,) = await entries(audit)
    assert (entry.result, entry.who) == (result, "ann") and reason in entry.reason


async def test_a_long_diff_is_left_to_the_history(audit):
    async with audit.entry("save", ANN) as told:
        told.saved(SaveAnswer(True, "b" * 64, 8, "+" * (DIFF_MAX + 1), (), (), "a" * 64, 12))
    (entry,) = await entries(audit)
    assert (entry.diff, entry.version, entry.before_token, entry.after_token) == ("", 12, "a" * 64, "b" * 64)


async def test_what_a_killed_engine_began_is_unfinished_and_numbers_go_on(audit, paths):
    async with audit.entry("save", ANN):
        assert await entries(audit) == ()  # it is under way here: who asks sees it when it is over
        after_the_kill = Audit(paths.audit)
        (begun,) = await entries(after_the_kill)
        assert (begun.number, begun.result) == (1, "unfinished")
        assert await after_the_kill.note("login", ANN, "done") == 2
        assert [entry.number for entry in await entries(after_the_kill)] == [2, 1]


async def test_a_torn_line_is_skipped_and_the_next_stands_on_its_own(audit, paths):
    await audit.note("login", ANN, "done")
    with paths.audit.open("ab") as file:
        file.write(b'{"number":2,"at"')
    again = Audit(paths.audit)
    assert await again.note("logout", ANN, "done") == 2
    assert [entry.verb for entry in await entries(again)] == ["logout", "login"]


async def test_a_line_that_the_disk_did_not_confirm_keeps_its_number(audit, paths, monkeypatch):
    await audit.note("login", ANN, "done", "first")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(ConfigUnavailable, match="Input/output error"):
            await audit.note("login", ANN, "done", "second")
    assert await audit.note("login", ANN, "done", "third") == 3
    assert [entry.reason for entry in await entries(audit)] == ["third", "second", "first"]


async def test_where_it_cannot_be_written_nothing_is_done(audit, paths):
    paths.audit.mkdir()
    done = []
    with pytest.raises(ConfigUnavailable, match="The audit cannot be written, so nothing is changed"):
        async with audit.entry("save", ANN):
            done.append("saved")
    assert done == [] and str(paths.audit) in audit.trouble
    paths.audit.rmdir()
    async with audit.entry("save", ANN):
        done.append("saved")
    assert done == ["saved"] and audit.trouble == ""


async def test_a_revert_goes_on_without_it_and_is_in_it_later(audit, paths):
    paths.audit.mkdir()
    async with audit.entry("revert", ANN, must_go_on=True) as told:
        told.reason = "it had to be"
    await audit.note_surely("revert", Caller("engine"), "done", Told(reason="by itself"))
    paths.audit.rmdir()
    await audit.note("login", ANN, "done")
    found = [(entry.verb, entry.result, entry.reason) for entry in await entries(audit)]
    assert found == [("login", "done", ""), ("revert", "done", "by itself"), ("revert", "done", "it had to be")]


async def test_an_end_that_the_disk_refuses_is_written_before_the_next_entry(audit, paths):
    async with audit.entry("save", ANN):
        paths.audit.rename(paths.state / "kept")
        paths.audit.mkdir()
    assert audit.trouble
    paths.audit.rmdir()
    (paths.state / "kept").rename(paths.audit)
    await audit.note("login", ANN, "done")
    assert [(entry.verb, entry.result) for entry in await entries(audit)] == [("login", "done"), ("save", "done")]


async def test_what_is_owed_to_a_disk_that_refuses_for_ever_is_bounded(audit, paths, monkeypatch):
    monkeypatch.setattr(audit_module, "OWED_MAX", 3)
    paths.audit.mkdir()
    for number in range(10):
        await audit.note_surely("read_config", ANN, "refused", Told(reason=str(number)))
    paths.audit.rmdir()
    await audit.note("login", ANN, "done")
    assert [entry.reason for entry in await entries(audit)] == ["", "2", "1", "0"]


async def test_full_files_get_a_number_none_is_removed_and_no_entry_is_split(paths):
    audit = Audit(paths.audit, file_bytes=1500)
    for number in range(40):
        async with audit.entry("save", ANN) as told, audit.entry("apply", ANN):
            told.reason = f"save {number}"
    files = [path for path in paths.state.iterdir() if path.name.startswith("audit")]
    assert len(files) > 10
    before = {path.name: path.read_bytes() for path in files}
    seen, query = [], AuditQuery(limit="7")
    while True:
        answer = await audit.asked(query)
        seen += answer.entries
        if answer.next is None:
            break
        query = AuditQuery(limit="7", before=str(answer.next))
    assert [entry.reason for entry in seen if entry.verb == "save"] == [
        f"save {number}" for number in range(39, -1, -1)
    ]
    assert {entry.result for entry in seen} == {"done"} and len(seen) == 80
    assert {path.name: path.read_bytes() for path in files} == before
    for path in files:
        begun = {json.loads(line)["number"] for line in path.read_text().splitlines() if '"unfinished"' in line}
        ended = {json.loads(line)["of"] for line in path.read_text().splitlines()} - {0}
        assert begun == ended


async def test_it_is_read_forward_too_and_nothing_is_missed(paths):
    audit = Audit(paths.audit, file_bytes=1500)
    for number in range(30):
        await audit.note("login", ANN, "done", str(number))
    seen: list[AuditEntry] = []
    after = "0"
    while True:
        answer = await audit.asked(AuditQuery(after=after, limit="4"))
        seen += answer.entries
        if answer.next is None:
            break
        after = str(answer.next)
    assert [entry.reason for entry in seen] == list(map(str, range(30)))
    assert answer.last_number == 30


async def test_a_choice_with_few_matches_looks_at_so_much_and_says_where_to_go_on(paths, monkeypatch):
    monkeypatch.setattr(questions, "LOOKED_MAX", 10)
    audit = Audit(paths.audit, file_bytes=1500)
    await audit.note("logout", ANN, "done")
    for _ in range(35):
        await audit.note("login", ANN, "done")
    pages = 0
    query = AuditQuery(verb="logout")
    while True:
        answer = await audit.asked(query)
        pages += 1
        if answer.next is None:
            break
        query = AuditQuery(verb="logout", before=str(answer.next))
    assert [entry.number for entry in answer.entries] == [1] and pages == 4
    pages, query = 0, AuditQuery(verb="logout", after="0")
    found = []
    while True:
        answer = await audit.asked(query)
        pages += 1
        found += answer.entries
        if answer.next is None:
            break
        query = AuditQuery(verb="logout", after=str(answer.next))
    assert [entry.number for entry in found] == [1] and 1 < pages < 6


def test_only_the_parts_with_something_wanted_are_read():
    def unreadable() -> Iterator[AuditLine]:
        raise AssertionError("it was read")

    line = AuditLine(20, "", "ann", "", None, "login", "done")
    parts = [Part(1, unreadable), Part(10, lambda: iter([line])), Part(30, unreadable)]
    back = questions.page(parts[1:], questions.Choice(limit=1, before=30), lambda _: True, str)
    forward = questions.page(parts[:2], questions.Choice(limit=1, after=9), lambda _: True, str)
    assert back.records == forward.records == (line,)


async def test_entries_are_chosen_by_user_verb_result_and_words(audit):
    await audit.note("login", ANN, "refused", "wrong password")
    await audit.note("login", Caller("bob", "192.0.2.8"), "done")
    async with audit.entry("save", ANN) as told:
        told.saved(SaveAnswer(True, "b" * 64, 8, "+ Weight = 5\n", (), (), "a" * 64, 12))
    assert [entry.verb for entry in await entries(audit, who="ann")] == ["save", "login"]
    assert [entry.who for entry in await entries(audit, verb="login")] == ["bob", "ann"]
    assert [entry.who for entry in await entries(audit, result="refused")] == ["ann"]
    assert [entry.verb for entry in await entries(audit, text="weight = 5")] == ["save"]
    assert [entry.verb for entry in await entries(audit, text="192.0.2.8")] == ["login"]
    with pytest.raises(QueryRefused):
        await entries(audit, result="perhaps")


async def test_a_clock_that_was_set_back_hides_nothing(paths):
    times = iter(f"2026-05-31T{time}:00+00:00" for time in ("12:20", "00:00", "12:30", "12:01"))
    audit = Audit(paths.audit, at=lambda: next(times))
    for _ in range(4):
        await audit.note("login", ANN, "done")
    assert [entry.number for entry in await entries(audit, since="2026-05-31T12:10:00+00:00")] == [3, 1]
    assert [entry.number for entry in await entries(audit, until="2026-05-31 12:01:00+00:00")] == [4, 2]


async def test_the_last_hour_is_found_without_reading_the_years_before(paths, monkeypatch):
    monkeypatch.setattr(questions, "LOOKED_MAX", 1)
    times = iter(["2026-05-29T12:00:00+00:00"] * 50 + ["2026-05-31T12:00:00+00:00"])
    audit = Audit(paths.audit, at=lambda: next(times))
    for _ in range(51):
        await audit.note("login", ANN, "done")
    answer = await audit.asked(AuditQuery(since="2026-05-31T11:00:00+00:00", before="51"))
    assert (answer.entries, answer.next) == ((), None)


async def test_a_file_that_cannot_be_read_is_told(audit, paths, monkeypatch):
    await audit.note("login", ANN, "done")
    monkeypatch.setattr(os, "pread", lambda *words: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    answer = await audit.asked(AuditQuery())
    assert answer.entries == () and "Input/output error" in answer.problem
