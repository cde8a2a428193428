"""piranha-passwd, on files below a --root. Numbers are those of the reference for the GUI, 7 (manual 2.2)."""

import fcntl
import os
import pty
import stat
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from piranha.cli import passwd
from piranha.cli.passwd import main
from piranha.passwords import verify

GOOD = "correct horse battery staple"


def file_below(root: Path) -> Path:
    return root / "etc/sysconfig/ha/conf/piranha.passwd"


def run(root: Path, *options: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["--root", str(root), "--stdin", *options], input=typed)


def on_a_terminal(root: Path, *lines: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run the command on a terminal of its own, answer each prompt, and return its status and all that was shown."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "piranha.cli.passwd", "--root", str(root), *options],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(theirs)
        shown = b""
        answers = list(lines)
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # Linux says so when the other side of a terminal is gone
                piece = b""
            if not piece:
                break
            shown += piece
            if answers and shown.endswith(b": "):
                os.write(ours, answers.pop(0).encode() + b"\n")
        status = process.wait()
    os.close(ours)
    assert not answers, "it asked less often than expected"
    return status, shown.decode()


def test_7_3_it_asks_twice_without_showing_and_writes_the_file_for_its_owner_alone(tmp_path: Path) -> None:
    status, shown = on_a_terminal(tmp_path, GOOD, GOOD)
    file = file_below(tmp_path)
    assert (status, shown.count("New password")) == (0, 2)
    assert GOOD not in shown
    assert f"set in {file}" in shown
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert verify(file.read_text(), "piranha", GOOD)


def test_7_4_two_different_entries_change_nothing(tmp_path: Path) -> None:
    run(tmp_path, typed=GOOD)
    before = file_below(tmp_path).read_bytes()
    status, shown = on_a_terminal(tmp_path, "another good phrase 5", "another good phrase 6")
    assert status == 1
    assert "Passwords do not match." in shown
    assert file_below(tmp_path).read_bytes() == before


def test_ctrl_d_at_the_prompt_changes_nothing(tmp_path: Path) -> None:
    status, shown = on_a_terminal(tmp_path, "\x04")
    assert status == 1
    assert "Nothing was changed." in shown
    assert "Traceback" not in shown
    assert not file_below(tmp_path).exists()


def test_without_a_terminal_it_says_what_to_do_and_reads_nothing_visible(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "piranha.cli.passwd", "--root", str(tmp_path)],
        input=f"{GOOD}\n{GOOD}\n",
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 1
    assert "There is no terminal to ask on. Use --stdin." in done.stderr
    assert not file_below(tmp_path).exists()


@pytest.mark.parametrize("line", [GOOD, GOOD + "\n", GOOD + "\r\n", GOOD + "\nnext line\n"])
def test_one_line_of_standard_input_is_the_password(tmp_path: Path, line: str) -> None:
    result = run(tmp_path, typed=line)
    assert result.exit_code == 0, result.output
    assert verify(file_below(tmp_path).read_text(), "piranha", GOOD)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "The password is empty."),
        ("\n", "The password is empty."),
        ("zK4-pw9", "shorter than 10 characters"),
        ("dictionary", "easy to guess"),
        ("tab\tinside it all", "control character"),
        ("x" * 400, "longer than 256"),
    ],
)
def test_7_5_a_bad_password_is_refused_with_the_reason(tmp_path: Path, typed: str, words: str) -> None:
    result = run(tmp_path, typed=typed)
    assert result.exit_code == 1
    assert words in result.output
    assert "Nothing was changed" in result.output
    assert not file_below(tmp_path).exists()


def test_7_5_a_weak_password_is_taken_on_demand_and_warned_of(tmp_path: Path) -> None:
    result = run(tmp_path, "--allow-weak", typed="secret")
    assert result.exit_code == 0
    assert "Warning: The password is shorter than 10 characters." in result.output
    assert verify(file_below(tmp_path).read_text(), "piranha", "secret")


@pytest.mark.parametrize("typed", ["", "\n", "a\0b"])
def test_what_is_no_password_is_refused_on_demand_too(tmp_path: Path, typed: str) -> None:
    assert run(tmp_path, "--allow-weak", typed=typed).exit_code == 1
    assert not file_below(tmp_path).exists()


@pytest.mark.parametrize("options", [(), ("--allow-weak",)])
def test_7_6_a_password_as_argument_is_refused_with_the_reason_and_not_repeated(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    result = run(tmp_path, *options, "my-Secret-77", typed=GOOD)
    assert result.exit_code == 2
    assert "every user could read it in the list of processes" in " ".join(result.output.split())
    assert "my-Secret-77" not in result.output
    assert not file_below(tmp_path).exists()


def test_other_users_lines_stay(tmp_path: Path) -> None:
    file = file_below(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"# \xff\nother:$apr1$x$y\npiranha:old\n")
    assert run(tmp_path, typed=GOOD).exit_code == 0
    lines = file.read_bytes().splitlines()
    assert lines[:2] == [b"# \xff", b"other:$apr1$x$y"]
    assert [line.split(b":")[0] for line in lines[2:]] == [b"piranha"]


def test_a_password_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--root", str(tmp_path), "--stdin"], input=b"\xff" * 12)
    assert result.exit_code == 1
    assert "not UTF-8" in result.output


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file where a folder should be")
    result = run(tmp_path, typed=GOOD)
    assert result.exit_code == 1
    assert result.output.startswith("Error: Cannot write ")
    assert len(result.output.splitlines()) == 1


def test_on_the_real_system_only_root_may_and_is_told_before_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(passwd, "store", lambda *_: pytest.fail("it must not write"))
    monkeypatch.delenv("PIRANHA_ROOT", raising=False)
    result = CliRunner().invoke(main, ["--stdin"], input=GOOD)
    assert result.exit_code == 1
    assert "Only root can set the password" in result.output
