"""`piranha history` and `rollback`: what they print of what the engine keeps."""

import io
import json
import sys
from dataclasses import replace

import pytest

from piranha.cli import report
from piranha.cli.main import main
from piranha.client import EngineClient
from piranha.errors import ConfigConflict, EditRefused
from piranha.messages import History, SaveAnswer, SavedConfig, VersionInfo, VersionText
from tests.cli.conftest import TEXT

SAVED, RUNNING = "b" * 64, "a" * 64
OLD = VersionInfo(1, "2026-01-02T03:04:05+00:00", "found", "", "", None, RUNNING, 10, ())
NEW = VersionInfo(
    2, "2026-01-02T03:05:06+00:00", "save", "ann", "192.0.2.7", 8, SAVED, 11, ("a is 1", "b is 2", "c is 3"), 4
)
KEPT = History((NEW, OLD), SAVED, RUNNING)


@pytest.fixture
def kept(monkeypatch):
    """Let the engine keep these versions."""
    monkeypatch.setattr(EngineClient, "history", lambda client: KEPT)


def row(done, number):
    return next(
        line for line in done.out.splitlines() if line.startswith(f"{number} ") or line.startswith(f"{number}?")
    )


def test_the_newest_is_first_with_who_from_where_and_what_changed(run, kept):
    done = run("history")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == ["NUMBER", "2", "1"]
    for word in ("2026-01-02 03:05:06", "ann", "192.0.2.7", "save", " 8 ", SAVED[:12], "a is 1; b is 2; and 5 more"):
        assert word in row(done, 2)


def test_what_is_saved_and_what_runs_is_marked(run, kept, monkeypatch):
    assert "saved" in row(run("history"), 2) and "runs" in row(run("history"), 1)
    monkeypatch.setattr(EngineClient, "history", lambda client: replace(KEPT, running_token=SAVED))
    assert "saved, runs" in row(run("history"), 2) and "runs" not in row(run("history"), 1)


def test_a_version_that_may_never_have_been_lvs_cf_is_marked_and_the_mark_explained(run, monkeypatch):
    uncertain = replace(KEPT, versions=(replace(NEW, is_certain=False), OLD))
    monkeypatch.setattr(EngineClient, "history", lambda client: uncertain)
    done = run("history")
    assert row(done, 2).startswith("2?") and "nobody knows" in done.out


def test_count_bounds_the_list_and_says_how_many_more_there_are(run, kept):
    done = run("history", "-n", "1")
    assert "1 older" in done.out and [line for line in done.out.splitlines() if line.startswith("1 ")] == []
    assert len(json.loads(run("history", "--json", "-n", "1").out)["versions"]) == 1
    assert len(json.loads(run("history", "--json").out)["versions"]) == 2
    assert run("history", "-n", "0").code == 2


def test_a_damaged_history_is_said_and_nothing_in_it_reaches_the_terminal(run, monkeypatch):
    odd = replace(NEW, changes=("name is \x1b[31m",), who="a\x1bb")
    monkeypatch.setattr(EngineClient, "history", lambda client: History((odd,), "", "", "it is damaged"))
    done = run("history")
    assert "! it is damaged" in done.out and "\x1b" not in done.out
    monkeypatch.setattr(EngineClient, "history", lambda client: History((), "", ""))
    assert run("history").out == "No version is kept.\n"


def test_one_version_is_printed_byte_for_byte(monkeypatch):
    raw = "# café\nkeepalive = 6\r\n".encode("latin-1")
    text = VersionText(OLD, raw.decode("latin-1"), "latin-1")
    monkeypatch.setattr(EngineClient, "version", lambda client, number: text)
    printed = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "argv", ["piranha", "history", "1"])
    monkeypatch.setattr(sys, "stdout", printed)
    with pytest.raises(SystemExit) as left:
        main()
    printed.flush()
    assert not left.value.code and printed.buffer.getvalue() == raw  # type: ignore[attr-defined]


def test_one_version_as_json_has_its_facts(run, monkeypatch):
    monkeypatch.setattr(EngineClient, "version", lambda client, number: VersionText(NEW, "a = 1\n", "utf-8"))
    told = json.loads(run("history", "2", "--json").out)
    assert told["text"] == "a = 1\n" and told["info"]["who"] == "ann"
    assert run("history", "2", "-n", "3").code == 2


@pytest.fixture
def asked(monkeypatch):
    """Let the engine roll back, and collect what it is asked."""
    calls = []

    def rollback(client, number, token="", *, dry_run=False):
        calls.append((number, token, dry_run))
        if number == 9:
            raise EditRefused("", "", "Version 9 is not kept.")
        if number == 8:
            raise ConfigConflict("", "keepalive = 1\n")
        return SaveAnswer(True, "c" * 64, 9, "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n", ())

    monkeypatch.setattr(EngineClient, "rollback", rollback)
    monkeypatch.setattr(EngineClient, "config", lambda client: SavedConfig("lvs.cf", "a = 1\n", SAVED, True, ""))
    monkeypatch.setattr(EngineClient, "save", lambda client, *_, **__: SaveAnswer(False, SAVED, 8, "", ()))
    return calls


def test_a_rollback_is_of_the_text_that_was_read_and_shows_the_diff(run, asked):
    done = run("rollback", "1")
    assert done.code == 0 and "+b" in done.out and "serial_no 9" in done.out and "`piranha apply`" in done.out
    dry = run("rollback", "1", "--dry-run")
    assert dry.code == 0 and "Nothing was written" in dry.err and dry.out.startswith("--- a")
    assert asked == [(1, SAVED, False), (1, SAVED, True)]


@pytest.mark.parametrize(("number", "words"), [("9", "Version 9 is not kept."), ("8", "changed by somebody else")])
def test_a_refused_rollback_is_exit_code_1(run, asked, number, words):
    done = run("rollback", number)
    assert (done.code, done.out) == (1, "") and words in done.err


@pytest.mark.parametrize("word", ["", "x", "0", "-1", "1.5", "9" * 40, "\x1b"])
def test_what_is_no_number_is_a_wrong_command_line(run, word):
    assert run("rollback", word).code == 2
    assert run("history", word).code == 2


def test_a_file_written_by_hand_is_said_to_be_none_of_the_versions(run, monkeypatch):
    assert "by hand" not in report.of_history(KEPT, KEPT.versions)
    told = report.of_history(replace(KEPT, saved_token="c" * 64, running_token="d" * 64), KEPT.versions[:1])
    assert "somebody wrote it by hand" in told and "What runs is none of them" in told and "1 older" in told


def test_without_an_engine_rollback_is_exit_code_3_and_so_is_history_where_the_disk_has_none(run):
    assert run("history").code == 3 and run("history", "1").code == 3
    done = run("rollback", "1")
    assert done.code == 3 and "Start the engine (pulse)." in done.err and "--file" not in done.err


@pytest.mark.end_to_end
def test_a_change_becomes_a_version_that_can_be_read_compared_and_brought_back(run, saved):
    before = saved.lvs_cf.read_bytes()
    assert run("set", "keepalive", "7", root=saved.root).code == 0
    numbers = [each["number"] for each in json.loads(run("history", "--json", root=saved.root).out)["versions"]]
    newest, first = str(numbers[0]), str(numbers[1])
    assert "keepalive: 6 -> 7" in row(run("history", root=saved.root), newest)
    assert run("history", first, root=saved.root).out == before.decode()
    assert "-keepalive = 6\n+keepalive = 7\n" in run("diff", first, newest, root=saved.root).out
    dry = run("rollback", first, "--dry-run", root=saved.root)
    assert "-keepalive = 7\n+keepalive = 6\n" in dry.out and "keepalive = 7" in saved.lvs_cf.read_text()
    assert run("rollback", first, root=saved.root).code == 0
    assert saved.lvs_cf.read_text() == TEXT.replace("serial_no = 7", "serial_no = 9")
    assert run("rollback", "99999", root=saved.root).code == 1
    assert run("set", "keepalive", "9", "--dry-run", root=saved.root).code == 0
    assert "keepalive = 6" in saved.lvs_cf.read_text()
