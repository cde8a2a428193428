"""The command `piranha` as a shell sees it: exit codes, and one sentence instead of a traceback."""

import os
import subprocess
import sys

import pytest

from piranha.cli.main import main
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
