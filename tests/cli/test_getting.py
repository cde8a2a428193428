"""`piranha get`: bare values for scripts, and an exit code where there is none."""

import io
import json
import subprocess
import sys

import pytest

from tests.cli.conftest import TEXT


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("keepalive", "6"),
        ("virtual[web].address", "192.0.2.10 eth0:1"),
        ("virtual[web].server[web2].weight", "2"),
        ('virtual["odd name"].port', "81"),
    ],
)
def test_a_value_is_printed_bare(run, file, path, value):
    done = run("get", "--file", file, path)
    assert (done.code, done.out, done.err) == (0, f"{value}\n", "")


def test_texts_come_without_quotes_and_with_their_escapes(run, file):
    file.write_text('virtual a {\n     send = "GET / HTTP/1.0\\r\\n\\r\\n"\n     expect = ""\n}\n')
    assert run("get", "--file", file, "virtual[a].send").out == "GET / HTTP/1.0\\r\\n\\r\\n\n"
    assert run("get", "--file", file, "virtual[a].expect").out == "\n"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("virtual[web].scheduler", "So wlc is in force (--effective prints that)."),
        ("virtual[web].pmask", "There is no default: it is unset."),
        ("virtual[web].server[web1].port", "So 80 is in force"),
        ("virtual[web].prt", "Did you mean port?"),
        ("virtual[wbe].port", "Did you mean virtual[web]?"),
        ("virtual[wbe]", "Did you mean virtual[web]?"),
    ],
)
def test_what_is_not_there_is_exit_code_1_and_a_sentence(run, file, path, sentence):
    done = run("get", "--file", file, path)
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("virtual[web].scheduler", "wlc"),
        ("virtual[web].server[web1].port", "80"),
        ("virtual[web].server[web2].weight", "2"),
        ("keepalive", "6"),
        ("heartbeat_port", "539"),
    ],
)
def test_effective_is_the_default_where_nothing_is_written(run, file, path, value):
    assert run("get", "--file", file, "--effective", path).out == f"{value}\n"


@pytest.mark.parametrize(
    ("text", "keyword", "value"),
    [
        ("primary = 192.0.2.1\n", "primary_private", "192.0.2.1"),
        ("primary_private = 10.0.0.1\n", "primary_private", "10.0.0.1"),
        ("backup = 192.0.2.2\n", "backup_private", "192.0.2.2"),
        ("backup = 192.0.2.2\nbackup_private = 10.0.0.2\n", "backup_private", "192.0.2.2"),
        ("backup = 192.0.2.2\nprimary_private = 10.0.0.1\n", "backup_private", ""),
        ("primary_private = 10.0.0.1\nbackup_private = 10.0.0.2\n", "backup_private", "10.0.0.2"),
        ("backup_private = 10.0.0.2\n", "backup_private", ""),
        ("backup = 192.0.2.2\n", "primary_private", ""),
    ],
)
def test_a_private_address_follows_the_public_ones(run, file, text, keyword, value):
    file.write_text(text)
    done = run("get", "--file", file, "--effective", keyword)
    assert (done.code, done.out) == ((0, f"{value}\n") if value else (1, ""))
    assert done.err.count("\n") == (0 if value else 1)


def test_what_is_unset_has_no_effective_value(run, file):
    done = run("get", "--file", file, "--effective", "virtual[web].pmask")
    assert (done.code, done.out) == (1, "")
    assert run("get", "--file", file, "--effective", "virtual[web]").code == 2


def test_a_block_is_its_text_and_without_a_path_the_file_comes_byte_for_byte(run, file):
    done = run("get", "--file", file, "virtual[web].server[web2]")
    assert done.out == TEXT[TEXT.index("     server web2") : TEXT.index('}\nvirtual "odd')]
    assert run("get", "--file", file).out == TEXT
    assert run("get", "--file", file, "").out == TEXT


def test_json_says_the_place_too(run, file):
    told = json.loads(run("get", "--file", file, "--json", "virtual[web].port").out)
    assert (told["value"], told["is_set"], told["default"], told["line"]) == ("80", True, "80", 10)
    absent = json.loads(run("get", "--file", file, "--json", "--effective", "heartbeat_port").out)
    assert (absent["value"], absent["is_set"], absent["line"]) == ("539", False, 0)
    block = json.loads(run("get", "--file", file, "--json", "virtual[web]").out)
    assert block["values"]["port"] == "80" and block["blocks"][1] == "virtual[web].server[web2]"


def test_an_old_file_keeps_its_bytes_on_the_way_out(file):
    file.write_bytes("virtual café {\n     port = 1\n}\n".encode("latin-1"))
    words = [sys.executable, "-m", "piranha.cli.main", "get", "--file", str(file)]
    done = subprocess.run([*words, 'virtual["café"]'], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, file.read_bytes())


def test_standard_input_is_read_for_a_dash(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert run("get", "--file", "-", "keepalive").out == "6\n"


def test_without_an_engine_lvs_cf_itself_is_read_and_that_is_said(run, tmp_path):
    lvs_cf = tmp_path / "root/etc/sysconfig/ha/lvs.cf"
    none = run("get", "keepalive")
    assert none.code == 3 and "engine" in none.err and "no such file" in none.err
    lvs_cf.parent.mkdir(parents=True)
    lvs_cf.write_text(TEXT)
    done = run("get", "keepalive")
    assert (done.code, done.out) == (0, "6\n") and "no engine answers" in done.err


def test_a_saved_file_is_read_through_the_engine(run, saved):
    done = run("get", "keepalive", root=saved.root)
    assert (done.code, done.out, done.err) == (0, "6\n", "")
