"""`piranha check`: every fault with its place, and the exit code."""

import json
import os
import re
from ipaddress import ip_address
from pathlib import Path

import pytest
from click.testing import CliRunner

from piranha.cli import checking
from piranha.cli.checking import check
from piranha.cli.main import Session
from piranha.config.outside import Answers, NameTrouble, Questions
from piranha.paths import Paths

CORPUS = sorted((Path(__file__).parents[1] / "data/corpus").glob("*.cf"))
BROKEN = """\
serial_no = seven
virtual web {
     active = 1
     address = 192.0.2.300 eth0:1
     port = 70000
     server a {
         address = 10.0.0.1
         active = maybe
     }
}
"""


def run(*words: str, root: Path = Path("/nowhere"), stdin: bytes | None = None):
    return CliRunner().invoke(check, list(words), obj=Session(Paths(root)), input=stdin)


@pytest.fixture
def outside_answers(monkeypatch) -> list[Questions]:
    """Let the outside know no name and no program; return what it is asked."""
    asked = []

    def answer(questions: Questions) -> Answers:
        asked.append(questions)
        names = dict.fromkeys(questions.names, NameTrouble.SILENT)
        here = {"lo": (), "eth0": (ip_address("192.0.2.2"),)}
        return Answers(names, here, dict.fromkeys(questions.programs))

    monkeypatch.setattr(checking, "answers_to", answer)
    return asked


def test_every_file_of_the_corpus_passes_and_its_warnings_have_a_place():
    assert CORPUS
    result = run(*map(str, CORPUS))
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.output.splitlines() if ": warning: " in line]
    assert warnings
    for line in warnings:
        place = line.split(": warning: ")[0].split(":")
        assert place[0].endswith(".cf") and int(place[1]) > 0 and int(place[2]) > 0


def test_check_80_a_broken_file_is_exit_code_1_with_every_fault_and_its_line(tmp_path):
    file = tmp_path / "broken.cf"
    file.write_text(BROKEN)
    result = run(str(file))
    assert result.exit_code == 1
    errors = [line.removeprefix(f"{file}:").split(":")[0] for line in result.output.splitlines() if ": error: " in line]
    assert set(errors) >= {"1", "4", "5", "8"}


def test_one_broken_file_among_good_ones_is_exit_code_1_and_all_are_told(tmp_path):
    file = tmp_path / "broken.cf"
    file.write_text(BROKEN)
    result = run(str(CORPUS[0]), str(file), str(CORPUS[1]))
    assert result.exit_code == 1
    assert all(f"{name}: " in result.output for name in (CORPUS[0], file, CORPUS[1]))


def test_a_file_that_cannot_be_read_is_exit_code_1_and_a_sentence(tmp_path):
    result = run(str(tmp_path / "nobody.cf"))
    assert result.exit_code == 1 and "cannot be read" in result.output


def test_json_has_the_same_faults(tmp_path):
    file = tmp_path / "broken.cf"
    file.write_text(BROKEN)
    result = run("--json", str(file))
    (told,) = json.loads(result.output)
    assert result.exit_code == 1
    assert {(fault["line"], fault["severity"]) for fault in told["faults"]} >= {(1, "error"), (5, "error")}


def test_strict_stops_where_the_original_daemons_stopped(tmp_path):
    file = tmp_path / "old.cf"
    file.write_text("keepalive = 6\nsite_word = 1\nanother = 2\n")
    strict = run("--strict", str(file))
    assert strict.exit_code == 1 and f"{file}:2:" in strict.output and "BADCOMMAND" in strict.output
    assert f"{file}:3:" not in strict.output
    assert run(str(file)).exit_code == 0


def test_without_files_it_is_the_lvs_cf_of_this_machine(tmp_path):
    file = Paths(tmp_path).lvs_cf
    missing = run(root=tmp_path)
    assert missing.exit_code == 1 and f"{file} cannot be read: there is no such file." in missing.output
    file.parent.mkdir(parents=True)
    file.write_text(BROKEN)
    assert f"{file}:1:13: error: " in run(root=tmp_path).output


def test_piranha_toml_is_checked_beside_it_and_whether_both_fit_together(tmp_path):
    paths = Paths(tmp_path)
    paths.lvs_cf.parent.mkdir(parents=True)
    paths.lvs_cf.write_text("primary = 192.0.2.1\nkeepalive = 6\ndeadtime = 18\n")
    paths.piranha_toml.write_text("[failover]\nkeepalive = 20\n[sync]\nhost = '-x'\n")
    done = run(root=tmp_path)
    assert done.exit_code == 1
    assert f"{paths.piranha_toml}:2:13: error: deadtime (18) is not longer than keepalive (20)" in done.output
    assert f"{paths.piranha_toml}:4:9: error: " in done.output


def test_a_check_of_another_kind_is_looked_at_beside_the_virtual_servers(tmp_path):
    paths = Paths(tmp_path)
    paths.lvs_cf.parent.mkdir(parents=True)
    paths.lvs_cf.write_text("virtual web {\nactive = 0\n}\n")
    paths.piranha_toml.write_text("[checks.virtual.web]\nkind = 'tls'\n[checks.virtual.wbe]\nkind = 'tls'\n")
    done = run(root=tmp_path)
    assert f'{paths.piranha_toml}:3:1: warning: lvs.cf has no virtual server "wbe"' in done.output
    assert f"{paths.piranha_toml}: 1 warning" in done.output and done.exit_code == 0
    paths.piranha_toml.write_text("[checks.virtual.web]\nkind = 'tls'\nca_file = '/our.pem'\n")
    done = run(root=tmp_path)
    assert f"{paths.piranha_toml}:3:12: warning: {tmp_path}/our.pem cannot be read: there is no" in done.output
    (tmp_path / "our.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert f"{paths.piranha_toml}: no faults" in run(root=tmp_path).output
    paths.piranha_toml.write_text("[checks.virtual.web]\nkind = 'tls'\nverify = 1\n")
    done = run(root=tmp_path)
    assert f"{paths.piranha_toml}:3:10: error: " in done.output and done.exit_code == 1


def test_a_dash_is_standard_input():
    result = run("-", stdin=b"keepalive = five\n")
    assert result.exit_code == 1 and "<stdin>:1:13: error: " in result.output


@pytest.mark.parametrize("words", [(), ("--strict",), ("--json",), ("--outside",)])
def test_what_is_no_file_is_exit_code_1_and_a_sentence(tmp_path, words):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        result = run(*words, str(path))
        assert result.exit_code == 1 and "cannot be read" in result.output, path
        assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    "raw", [b"", b"\0", b"\0\xff\xfe" * 1000, b"\xef\xbb\xbf", b"{" * 5000, b"virtual a {\n" * 3000, b"x" * 100_000]
)
@pytest.mark.parametrize("words", [(), ("--strict",), ("--outside", "--json")])
def test_any_bytes_have_faults_or_none_and_never_a_traceback(tmp_path, raw, words):
    (tmp_path / "odd.cf").write_bytes(raw)
    result = run(*words, str(tmp_path / "odd.cf"))
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)


OUTSIDE = """\
primary = 192.0.2.2
network = direct
virtual web {
     active = 1
     address = 192.0.2.80 eth3:1
     send_program = "/usr/local/bin/check %h"
     expect = "OK"
     server a {
         address = a.example
         active = 1
     }
}
"""


def test_the_outside_is_asked_only_if_asked_for_and_nothing_it_says_fails_the_check(tmp_path, outside_answers):
    (tmp_path / "lvs.cf").write_text(OUTSIDE)
    assert run(str(tmp_path / "lvs.cf")).output == f"{tmp_path}/lvs.cf: no faults\n"
    assert outside_answers == []
    result = run("--outside", str(tmp_path / "lvs.cf"))
    assert result.exit_code == 0
    found = re.findall(r"lvs\.cf:([0-9]+):([0-9]+): warning: (.*)", result.output)
    assert [(int(line), int(column)) for line, column, _ in found] == [(5, 27), (6, 21), (9, 20)]
    assert "eth3" in found[0][2] and "/usr/local/bin/check" in found[1][2] and "a.example" in found[2][2]


def test_all_files_are_asked_about_at_once_so_that_the_limit_holds_for_all(tmp_path, outside_answers):
    (tmp_path / "one.cf").write_text(OUTSIDE)
    (tmp_path / "two.cf").write_text(OUTSIDE.replace("a.example", "b.example"))
    result = run("--outside", str(tmp_path / "one.cf"), str(tmp_path / "none.cf"), str(tmp_path / "two.cf"))
    (asked,) = outside_answers
    assert asked.names == {"a.example", "b.example"} and asked.programs == {"/usr/local/bin/check"}
    assert "one.cf:9:20" in result.output and "two.cf:9:20" in result.output and result.exit_code == 1


def test_json_has_the_faults_of_the_outside_with_their_codes(tmp_path, outside_answers):
    (tmp_path / "lvs.cf").write_text(OUTSIDE)
    (told,) = json.loads(run("--json", "--outside", str(tmp_path / "lvs.cf")).output)
    assert [fault["code"] for fault in told["faults"]] == ["no-such-device", "no-such-program", "name-not-answered"]
    assert told["faults"][2]["path"] == "virtual[web].server[a]" and told["faults"][2]["keyword"] == "address"


def test_the_real_outside_answers_for_every_file_of_the_corpus():
    result = run("--outside", *map(str, CORPUS))
    assert result.exit_code == 0 and result.exception is None
    assert result.output.count(": warning: ") >= len(CORPUS), "this machine is none of those routers"
