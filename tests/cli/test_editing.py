"""The commands that change lvs.cf, on a plain file: one change is its own lines, and every refusal says what to do."""

import difflib
import json
import os
import pty
import subprocess
import sys

import pytest

from piranha.cli.editing import proposed
from piranha.config.fields import NEW_REAL_SERVER, NEW_VIRTUAL_SERVER, Scope
from piranha.config.load import load
from tests.cli.conftest import TEXT

WEB1 = "virtual[web].server[web1]"


def changed_lines(file, before=TEXT):
    """Return the lines that went and the lines that came."""
    marked = list(difflib.ndiff(before.splitlines(), file.read_text().splitlines()))
    return [line[2:] for line in marked if line[0] == "-"], [line[2:] for line in marked if line[0] == "+"]


def test_set_changes_its_line_and_the_serial_number(run, file):
    done = run("set", "--file", file, f"{WEB1}.weight", "5")
    assert done.code == 0
    assert changed_lines(file) == (
        ["serial_no = 7", "         weight = 1"],
        ["serial_no = 8", "         weight = 5"],
    )
    assert "+         weight = 5" in done.out and f"{file} is saved, serial_no 8." in done.out


def test_set_takes_several_pairs_and_does_all_or_none(run, file):
    done = run("set", "--file", file, "keepalive", "7", f"{WEB1}.weight", "70000000")
    assert done.code == 1 and f"{WEB1}.weight: " in done.err
    assert file.read_text() == TEXT
    assert run("set", "--file", file, "keepalive", "7", f"{WEB1}.weight", "9").code == 0
    assert (
        "keepalive = 7" in file.read_text() and "weight = 9" in file.read_text() and "serial_no = 8" in file.read_text()
    )


def test_what_the_file_says_already_writes_nothing(run, file):
    before = file.stat()
    done = run("set", "--file", file, "keepalive", "6")
    assert done.code == 0 and "Nothing was changed" in done.out
    assert file.stat().st_mtime_ns == before.st_mtime_ns and file.stat().st_ino == before.st_ino


@pytest.mark.parametrize("words", [("set", "keepalive", "7"), ("create",), ("remove", "keepalive")])
def test_standard_input_cannot_be_edited_and_no_file_of_its_name_appears(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    done = run(*words, "--file", "-")
    assert done.code == 2 and "Write ./- for a file of that name." in done.err
    assert not (tmp_path / "-").exists()
    assert run("create", "--file", "./-").code == 0 and (tmp_path / "-").exists()
    assert run("set", "--file", "./-", "keepalive", "7").code == 0
    assert run("get", "--file", "./-", "keepalive").out == "7\n"


def test_a_dry_run_prints_a_diff_that_patch_takes_and_writes_nothing(run, file, tmp_path):
    done = run("set", "--file", file, "--dry-run", "keepalive", "7")
    assert done.code == 0 and file.read_text() == TEXT
    assert "--dry-run" in done.err and "serial_no 8" in done.err
    assert done.out.startswith("---") and {line[0] for line in done.out.splitlines()} <= set("-+@ ")
    wanted = run("set", "--file", file, "keepalive", "7") and file.read_text()
    assert [line for line in wanted.splitlines() if f"+{line}" in done.out.splitlines()] == [
        "serial_no = 8",
        "keepalive = 7",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("set", "keepalive", "seven"), 'keepalive: "seven" is not a whole number.'),
        (("set", "keepalive", ""), "keepalive: A value is missing."),
        (("set", "keepalive", "-5"), "keepalive: -5 is out of range."),
        (("set", "kepalive", "5"), "Did you mean keepalive?"),
        (("set", "virtual[web].weight", "5"), "It stands in a server block."),
        (("set", "virtual[wbe].port", "5"), "Did you mean virtual[web]?"),
        (("set", "virtual[web].send", 'GET "x" y'), "double quote"),
        (("set", "virtual[web].expect", "a\x1b[31mb"), "cannot be printed"),
        (("set", "--unset", "deadtimes"), "Did you mean deadtime?"),
        (("add", "virtual[web]"), 'There is a virtual block named "web" already.'),
        (("add", 'virtual["two words"]'), "There is a blank in the name."),
        (("add", "vritual[new]"), "write virtual, failover or server"),
        (("add", "server[new]"), "cannot stand in lvs.cf"),
        (("add", "virtual[wbe].server[new]"), "Did you mean virtual[web]?"),
        (("add", "virtual[new]", "wieght=1"), "wieght is no keyword of a virtual block."),
        (("add", "virtual[new]", "port=http!"), "virtual[new].port: "),
        (("remove", "virtual[web].server[web3]"), "Did you mean"),
        (("remove", "virtual[web].pmask"), "virtual[web].pmask is not in the file."),
        (("rename", WEB1, "web2"), 'There is a server block named "web2" already.'),
        (("rename", WEB1, "a b"), "There is a blank in the name."),
        (("move", WEB1, "--to", "virtual[no]"), "virtual[no] is not in the file."),
        (("move", WEB1, "--before", "virtual[web]"), "cannot stand"),
        (("activate", "virtual[no]"), "virtual[no] is not in the file."),
    ],
)
def test_a_refused_change_is_exit_code_1_with_the_reason_and_the_file_as_it_was(run, file, words, sentence):
    command, *rest = words
    done = run(command, "--file", file, *rest)
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err and done.err.count("\n") == 1
    assert file.read_text() == TEXT


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("set", "keepalive"), "PATH VALUE"),
        (("set", "keepalive", "5", "deadtime"), "PATH VALUE"),
        (("set", "keepalive", "5", "keepalive", "6"), "keepalive is given twice"),
        (("set", "virtual[web]", "5"), "Write for example virtual[web].port."),
        (("set", WEB1, "5"), f"Write for example {WEB1}.weight."),
        (("set", "", "5"), "names no keyword"),
        (("set", "virtual[web", "5"), 'is not a path: expected KEYWORD or KIND[NAME] at "virtual[web"'),
        (("set", "--dryrun", "keepalive", "5"), "PATH VALUE"),
        (("add", "keepalive"), "is no block"),
        (("add", ""), "is no block"),
        (("add", "virtual[new#2]"), "no number"),
        (("add", "virtual[new]", "port"), '"port" is not KEYWORD=VALUE'),
        (("add", "virtual[new]", "port=1", "port=2"), "port is given twice"),
        (("remove", ""), "cannot be removed"),
        (("remove",), "Missing argument"),
        (("rename", WEB1, "server[x]"), "write x instead"),
        (("rename", "keepalive", "x"), "is no block"),
        (("move", WEB1, "--before", WEB1, "--to", "virtual[web]"), "--before or --to"),
        (("move", WEB1, "--to", "keepalive"), "not a block"),
        (("deactivate", "keepalive"), "is no block"),
        (("format",), "--canonical"),
        (("format", "--canonical"), "--yes"),
        (("create", "--dry-run"), "--dry-run"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_with_what_to_write(run, file, words, sentence):
    command, *rest = words
    done = run(command, "--file", file, *rest)
    assert done.code == 2 and sentence in done.err
    assert file.read_text() == TEXT


def test_unset_and_remove_take_the_lines_of_keywords_away(run, file):
    assert run("set", "--file", file, "--unset", "deadtime", f"{WEB1}.weight").code == 0
    assert changed_lines(file)[0] == ["serial_no = 7", "deadtime = 18", "         weight = 1"]
    assert run("remove", "--file", file, "keepalive").code == 0
    assert "keepalive" not in file.read_text() and "serial_no = 9" in file.read_text()


def test_a_new_virtual_server_has_what_the_gui_proposes_and_over_that_what_is_given(run, file):
    assert run("add", "--file", file, "virtual[new]", "address=192.0.2.12 eth0:3", "scheduler=rr").code == 0
    document = load(file.read_text()).document
    (path,) = [path for path in document.blocks() if path[-1].name == "new"]
    values = {keyword: document.get(path, keyword) for keyword in document.keywords(path)}
    assert values == {**NEW_VIRTUAL_SERVER, "address": "192.0.2.12 eth0:3", "scheduler": "rr"}
    assert file.read_text().startswith(TEXT.replace("serial_no = 7", "serial_no = 8"))


def test_a_new_real_server_stands_behind_the_others_and_is_not_active(run, file):
    assert run("add", "--file", file, "virtual[web].server[web3]", "address=10.0.0.3").code == 0
    virtual = load(file.read_text()).cluster.virtual_servers[0]
    assert [server.name for server in virtual.servers] == ["web1", "web2", "web3"]
    assert not virtual.servers[2].is_active


def test_a_bare_block_has_the_given_keywords_alone_in_the_canonical_order(run, file):
    assert run("add", "--file", file, "--bare", "virtual[web].server[web3]", "weight=4", "address=10.0.0.3").code == 0
    block = '     server web3 {\n         address = 10.0.0.3\n         weight = 4\n     }\n}\nvirtual "odd'
    assert block in file.read_text()


@pytest.mark.parametrize(
    ("given", "has_check"),
    [
        ({}, True),
        ({"port": "80"}, True),
        ({"port": "25"}, False),
        ({"protocol": "udp"}, False),
        ({"send_program": "/bin/check %h"}, False),
        ({"expect": "220"}, False),
    ],
)
def test_the_http_check_is_proposed_only_where_http_can_be(given, has_check):
    assert ("send" in proposed(Scope.VIRTUAL, given)) == has_check
    assert ("expect" in proposed(Scope.VIRTUAL, given)) == has_check
    assert proposed(Scope.SERVER, given) == NEW_REAL_SERVER
    assert proposed(Scope.FAILOVER, given) == {}


def test_a_removed_block_takes_the_comments_along_that_describe_it(run, file):
    assert run("remove", "--file", file, WEB1).code == 0
    assert "web1" not in file.read_text() and "the old machine" not in file.read_text()
    assert "# the site's balancer" in file.read_text()


def test_blocks_of_one_name_are_removed_by_the_numbers_they_have_now(run, file):
    twins = "".join(f"virtual twin {{\n     port = {port}\n}}\n" for port in (1, 2, 3))
    file.write_text(twins)
    assert run("remove", "--file", file, "virtual[twin]", "virtual[twin#2]", "virtual[twin#2].port").code == 0
    assert file.read_text() == "serial_no = 1\nvirtual twin {\n     port = 3\n}\n"


def test_a_block_is_renamed_in_its_header_alone(run, file):
    assert run("rename", "--file", file, WEB1, "web01").code == 0
    assert changed_lines(file) == (["serial_no = 7", "     server web1 {"], ["serial_no = 8", "     server web01 {"])


def test_an_odd_name_is_reached_in_quotes(run, file):
    assert run("set", "--file", file, 'virtual["odd name"].port', "82").code == 0
    assert "port = 82" in file.read_text()
    assert run("rename", "--file", file, 'virtual["odd name"]', "even").code == 0
    assert "virtual even {" in file.read_text()


def test_a_block_moves_in_front_of_another_behind_the_last_and_into_another(run, file):
    def names(place=0):
        return [server.name for server in load(file.read_text()).cluster.virtual_servers[place].servers]

    assert run("move", "--file", file, "virtual[web].server[web2]", "--before", WEB1).code == 0
    assert names() == ["web2", "web1"]
    assert run("move", "--file", file, "virtual[web].server[web2]").code == 0
    assert names() == ["web1", "web2"]
    assert run("move", "--file", file, WEB1, "--to", 'virtual["odd name"]').code == 0
    assert (names(), names(1)) == (["web2"], ["web1"])
    assert "# the old machine" in file.read_text()


def test_blocks_are_activated_and_deactivated_together(run, file):
    assert run("deactivate", "--file", file, WEB1, "virtual[web].server[web2]").code == 0
    assert [server.is_active for server in load(file.read_text()).cluster.virtual_servers[0].servers] == [False, False]
    assert run("activate", "--file", file, 'virtual["odd name"]').code == 0
    assert load(file.read_text()).cluster.virtual_servers[1].is_active


def test_faults_that_the_change_brought_are_told_with_their_place_and_old_ones_are_not(run, file):
    file.write_text(TEXT.replace("10.0.0.2\n", "10.0.0.300\n"))
    done = run("set", "--file", file, "keepalive", "20")
    (fault,) = [line for line in done.out.splitlines() if line.startswith(f"{file}:")]
    assert fault.startswith(f"{file}:5:12: warning: ") and "deadtime" in fault
    assert run("set", "--file", file, "--quiet", "keepalive", "21").out == ""


def test_json_is_the_answer_of_a_save(run, file):
    done = run("set", "--file", file, "--json", "keepalive", "7")
    told = json.loads(done.out)
    assert told["changed"] and told["serial_no"] == 8 and "+keepalive = 7" in told["diff"]


def test_a_file_from_windows_is_edited_and_what_went_is_said(run, file):
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    done = run("set", "--file", file, "keepalive", "7")
    assert done.code == 0 and "byte-order mark" in done.err and "Carriage returns" in done.err
    assert "\r" not in file.read_text() and file.read_text() == TEXT.replace("= 7", "= 8").replace(
        "alive = 6", "alive = 7"
    )


def test_a_long_diff_is_cut_and_a_dry_run_shows_all_of_it(run, file):
    long = TEXT + "".join(f"virtual v{n} {{\n     port = 1\n}}\n" for n in range(100))
    file.write_bytes(long.replace("\n", "\r\n").encode())
    whole = run("set", "--file", file, "--dry-run", "keepalive", "7").out
    brief = run("set", "--file", file, "keepalive", "7").out
    assert len(whole.splitlines()) > 600 and len(brief.splitlines()) < 80 and "more lines" in brief


def test_the_canonical_form_names_what_goes_and_is_written_with_yes(run, file):
    dry = run("format", "--file", file, "--canonical", "--dry-run")
    assert dry.code == 0 and "# the site's balancer" in dry.err and file.read_text() == TEXT
    done = run("format", "--file", file, "--canonical", "--yes")
    assert done.code == 0 and "#" not in file.read_text() and "serial_no = 8" in file.read_text()
    again = run("format", "--file", file, "--canonical", "--yes")
    assert again.code == 0 and "Nothing was changed" in again.out


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_on_a_terminal_the_canonical_form_shows_the_diff_and_asks(file, answer, code):
    terminal, end = pty.openpty()
    words = [sys.executable, "-m", "piranha.cli.main", "format", "--canonical", "--file", str(file)]
    os.write(terminal, answer.encode())
    done = subprocess.run(words, stdin=end, capture_output=True, text=True, timeout=60)
    os.close(end)
    os.close(terminal)
    assert done.returncode == code
    assert "-# the site's balancer" in done.stdout and "Write this?" in done.stdout
    assert (file.read_text() == TEXT) == (code == 1)
    assert done.stdout.count("-# the site's balancer") == 1


def test_a_file_without_a_canonical_form_is_refused_with_the_lines_to_mend(run, file):
    file.write_text(TEXT + "what is this\n")
    done = run("format", "--file", file, "--canonical", "--yes")
    assert done.code == 1 and "line 28" in done.err
    assert file.read_text() == TEXT + "what is this\n"


def test_create_makes_a_file_to_edit_and_never_overwrites_one(run, file, tmp_path):
    new = tmp_path / "new.cf"
    assert run("set", "--file", new, "keepalive", "7").code == 1 and not new.exists()
    assert run("create", "--file", new).code == 0
    assert new.read_text() == "serial_no = 1\n"
    done = run("create", "--file", file)
    assert done.code == 1 and "exists already" in done.err and file.read_text() == TEXT
