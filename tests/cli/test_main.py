"""The command `piranha` as a shell sees it: exit codes, and one sentence instead of a traceback."""

import os
import subprocess
import sys

import pytest

from piranha.cli.main import COMMANDS, main
from piranha.client import EngineClient
from piranha.messages import Plan

PLAN = Plan("new", "old", "", (), (), (), ())


def exit_code(monkeypatch, tmp_path, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["piranha", "--root", str(tmp_path), *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.mark.parametrize(
    ("planned", "code"),
    [
        (PLAN, 0),
        (Plan("new", "old", "", (), (), ("lvs.cf:1:1: error: what",), ()), 1),
        (Plan("new", "old", "", (), (), (), ("nobody left",)), 1),
    ],
)
def test_plan_exits_with_1_when_apply_would_refuse(monkeypatch, tmp_path, capsys, planned, code):
    monkeypatch.setattr(EngineClient, "plan", lambda client: planned)
    assert exit_code(monkeypatch, tmp_path, "plan") == code


def test_without_an_engine_the_exit_code_is_3_and_a_wrong_command_line_is_2(monkeypatch, tmp_path, capsys):
    assert exit_code(monkeypatch, tmp_path, "status") == 3
    assert exit_code(monkeypatch, tmp_path, "weight", "10.0.0.1") == 2
    assert exit_code(monkeypatch, tmp_path, "--help") == 0
    assert "Traceback" not in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "lvs.cf").write_text("no such line\n")
    words = [sys.executable, "-m", "piranha.cli.main", "check", str(tmp_path / "lvs.cf")]
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == "piranha: No space left on device\n"


def test_a_terminal_without_the_letters_of_a_name_shows_them_escaped(tmp_path):
    (tmp_path / "lvs.cf").write_text("\u65e5 line\n", encoding="utf-8")
    words = [sys.executable, "-m", "piranha.cli.main", "check", str(tmp_path / "lvs.cf")]
    environment = {**os.environ, "PYTHONIOENCODING": "iso-8859-1"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, env=environment)
    assert "\\u65e5" in done.stdout and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_there_and_has_a_help_with_its_exit_codes_or_words(command, monkeypatch, tmp_path, capsys):
    assert exit_code(monkeypatch, tmp_path, command, "--help") == 0
    assert f"Usage: piranha {command}" in capsys.readouterr().out


def test_an_unknown_command_is_a_wrong_command_line(monkeypatch, tmp_path, capsys):
    assert exit_code(monkeypatch, tmp_path, "stauts") == 2
    assert "stauts" in capsys.readouterr().err


def test_a_command_that_reads_a_file_loads_no_web_server_and_no_event_loop(tmp_path):
    (tmp_path / "lvs.cf").write_text("keepalive = 6\n")
    code = (
        "import sys; sys.argv = ['piranha', 'set', '--file', sys.argv[1], 'keepalive', '7']\n"
        "from piranha.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code\n"
        "print([name for name in ('flask', 'aiohttp', 'asyncio', 'passlib', 'zxcvbn') if name in sys.modules])"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "lvs.cf")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert (tmp_path / "lvs.cf").read_text() == "serial_no = 1\nkeepalive = 7\n"


def test_what_is_said_cannot_drive_or_flood_the_terminal(monkeypatch, tmp_path, capsys):
    assert exit_code(monkeypatch, tmp_path, "status", "\x1b]0;x\x07", "\u202e", "x" * 100_000) == 2
    said = capsys.readouterr().err
    assert "\\x1b]0;x\\x07" in said and "\\u202e" in said and len(said) < 3000 and said.count("\n") == 4
