"""A program of which nothing is believed: neither that it ends, nor that it hears, nor that it is ever quiet."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from piranha.system.bounded import Ran, Stopped, TooLate, TooMuch, run

MEGABYTE = 1_000_000


def python(code: str, data: bytes = b"", *, within_s: float = 20.0, output_max: int = 10 * MEGABYTE) -> Ran:
    words = [sys.executable, "-I", "-c", code]
    return run(words, data, within_s=within_s, output_max=output_max, environment={"PATH": "/usr/bin:/bin"})


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_hears_everything_and_is_heard() -> None:
    data = bytes(range(256)) * 20_000
    ran = python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.exit('done')", data)
    assert (ran.status, ran.output, ran.errors) == (1, data, "done\n")


def test_one_that_does_not_hear_is_no_harm() -> None:
    ran = python("import os; os.close(0); print('no')", bytes(MEGABYTE))
    assert (ran.status, ran.output) == (0, b"no\n")


def test_its_signal_is_told_and_its_errors_are_bounded() -> None:
    ran = python("import os, sys; sys.stderr.write('x' * 1_000_000); sys.stderr.flush(); os.kill(os.getpid(), 9)")
    assert (ran.status, ran.output, len(ran.errors)) == (-signal.SIGKILL, b"", 16 * 1024)


@pytest.mark.parametrize(
    "first",
    ["", "exec >&- 2>&-;", "trap '' TERM HUP;"],
    ids=["silent", "closed", "stubborn"],
)
def test_one_that_does_not_end_is_killed_with_its_children(first: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    words = ["/bin/sh", "-c", f'{first} sleep 1000 & echo $! $$ >"$1"; wait', "sh", str(pids)]
    began = time.monotonic()
    with pytest.raises(TooLate, match="did not end within 1 seconds"):
        run(words, b"", within_s=1.0, output_max=10, environment={"PATH": "/usr/bin:/bin"})
    assert time.monotonic() - began < 10
    left = {int(pid) for pid in pids.read_text().split()}
    assert len(left) == 2
    give_up_at, pause = time.monotonic() + 10, threading.Event()
    while left := {pid for pid in left if not is_gone(pid)}:  # whom a signal ends is gone a moment later
        assert time.monotonic() < give_up_at
        pause.wait(0.01)


@pytest.mark.parametrize("closes", ["", "os.close(1); os.close(2); "], ids=["silent", "closed"])
def test_one_that_nobody_waits_for_any_more_is_killed_at_once(closes: str) -> None:
    stop = threading.Event()
    stop.set()
    words = [sys.executable, "-I", "-c", f"import os, select; {closes}select.select([], [], [])"]
    with pytest.raises(Stopped):
        run(words, b"", within_s=100, output_max=10, environment={}, stop=stop)


def test_one_that_says_too_much_is_killed() -> None:
    with pytest.raises(TooMuch, match="more than 1000 bytes"):
        python("while True: print('x' * 1000)", output_max=1000)


def test_one_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError):
        run(["/nowhere/ssh"], b"", within_s=1, output_max=1, environment={})


def test_it_has_no_terminal_and_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
    ran = python("import os; print(os.environ.get('SSH_AUTH_SOCK'), os.getsid(0) == os.getpid(), os.getcwd())")
    assert ran.output == b"None True /\n"
