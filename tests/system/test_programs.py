"""Programs that check: real ones, on this machine. They are refused, bounded, killed with all that they started."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from piranha.config.model import Protocol, RealServerKey, ServiceKey
from piranha.health.check import Check, Expectation, Match, Verdict
from piranha.health.programs import OUTPUT_MAX
from piranha.system import probes, programs
from piranha.system.confinement import unprivileged
from piranha.system.probes import CannotCheck
from piranha.system.programs import NotRun, end_session, refusal, run

LOOPBACK = IPv4Address("127.0.0.1")
LIMIT_S = 20.0
"""A limit that no test reaches."""


def sh(script: str, *words: str) -> list[bytes]:
    return [b"/bin/sh", b"-c", script.encode(), b"sh", *(word.encode() for word in words)]


def check(program: list[bytes], limit_s: float = LIMIT_S) -> Check:
    key = RealServerKey(ServiceKey(fwmark=1), LOOPBACK, 8080)
    expect = Expectation(Match.WHOLE, b"OK")
    return Check(key, Protocol.TCP, LOOPBACK, 8080, None, expect, limit_s, 1.0, limit_s, program=tuple(program))


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_until(is_so: Callable[[], bool], within_s: float = 10.0) -> bool:
    give_up_at = time.monotonic() + within_s
    while time.monotonic() < give_up_at:
        if is_so():
            return True
    return False


async def test_status_output_and_complaint_are_told() -> None:
    ended = await run(sh("echo OK; echo beware >&2; exit 3"), LIMIT_S)
    assert (ended.status, ended.output, ended.complaint) == (3, b"OK\n", b"beware\n")
    assert 0 < ended.took_s < LIMIT_S
    assert not ended.is_late and not ended.said_too_much


async def test_words_are_words_and_no_shell_reads_them() -> None:
    words = [b"/usr/bin/printf", b"%s|", b"$(id)", b"a  b", b";", b"*", b"'x'", b"\xff"]
    assert (await run(words, LIMIT_S)).output == b"$(id)|a  b|;|*|'x'|\xff|"


async def test_d15_a_long_line_with_many_words_is_run_whole() -> None:
    words = [b"x" * 300, *(b"%d" % number for number in range(200))]
    assert (await run([b"/bin/echo", *words], LIMIT_S)).output == b" ".join(words) + b"\n"


async def test_a_program_without_a_path_is_found_in_the_fixed_folders_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert (await run([b"printf", b"found"], LIMIT_S)).output == b"found"


async def test_it_runs_without_privileges_and_sees_nothing_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "XQSECRET")
    reads, writes = os.pipe()
    os.set_inheritable(reads, True)
    try:
        ended = await run(
            sh('cat /proc/self/status; echo "in: $(readlink /proc/self/fd/0)"; env; pwd; ls -l /proc/$$/fd'), LIMIT_S
        )
    finally:
        os.close(reads)
        os.close(writes)
    said = ended.output.decode()
    user = unprivileged()
    assert f"Uid:\t{user.uid if user else os.getuid()}\t" in said
    assert "Uid:\t0" not in said
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert f"{name}:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert "in: /dev/null" in said
    assert "XQSECRET" not in said
    assert "HOME=/nonexistent" in said and "\n/\n" in said
    assert len([line for line in said.splitlines() if " -> " in line]) <= 5, "its own three, and what sh opens"


@pytest.mark.parametrize("script", ["sleep 60", "sleep 60 & wait", "trap '' TERM HUP INT; sleep 60; sleep 60"])
async def test_d2_one_that_hangs_is_killed_at_its_limit_with_all_that_it_started(script: str, tmp_path: Path) -> None:
    began = time.monotonic()
    task = asyncio.get_running_loop().create_task(run(sh(f"echo $$; {script}"), 0.5))
    ended = await task
    assert time.monotonic() - began < 5.0
    assert ended.is_late and ended.status == -signal.SIGKILL
    leader = int(ended.output.split()[0])
    assert wait_until(lambda: not group(leader))


def group(leader: int) -> list[int]:
    """Return the processes of a process group."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z" and int(fields[2]) == leader:
                found.append(int(folder.name))
    return found


async def test_what_it_leaves_in_the_background_is_killed_and_not_waited_for() -> None:
    began = time.monotonic()
    ended = await run(sh("echo $$; sleep 60 & exit 0"), LIMIT_S)
    assert time.monotonic() - began < 5.0
    assert ended.status == 0 and not ended.is_late
    assert wait_until(lambda: not group(int(ended.output)))


async def test_endless_output_is_bounded_and_ends_it() -> None:
    began = time.monotonic()
    ended = await run([b"/usr/bin/yes", b"x" * 1000], LIMIT_S)
    assert ended.said_too_much and len(ended.output) == OUTPUT_MAX
    assert time.monotonic() - began < 10.0


async def test_endless_complaints_are_read_and_forgotten() -> None:
    ended = await run(sh("i=0; while [ $i -lt 20000 ]; do echo complaint number $i >&2; i=$((i+1)); done; echo OK"), 60)
    assert (ended.status, ended.output, len(ended.complaint)) == (0, b"OK\n", 1024)


async def test_output_of_up_to_the_bound_is_taken_whole() -> None:
    ended = await run(sh(f"head -c {OUTPUT_MAX} /dev/zero"), LIMIT_S)
    assert (ended.status, len(ended.output), ended.said_too_much) == (0, OUTPUT_MAX, False)


async def test_a_dropped_check_ends_its_program() -> None:
    task = asyncio.get_running_loop().create_task(run(sh("sleep 61.25; echo"), LIMIT_S))
    found: list[int] = []

    def sleeper() -> bool:
        found[:] = [int(each) for each in pids_with(b"sleep\x0061.25")]
        return bool(found)

    async with asyncio.timeout(10.0):
        while not sleeper():
            await asyncio.wait([task], timeout=0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert wait_until(lambda: not is_there(found[0]))


def pids_with(words: bytes) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if words in (folder / "cmdline").read_bytes():
                    found.append(folder.name)
            except OSError:
                continue
    return [pid for pid in found if b"/bin/sh" not in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_many_at_once_have_their_turns() -> None:
    least = programs.AT_ONCE
    all_of_them = await asyncio.gather(*(run([b"/bin/echo", str(n).encode()], LIMIT_S) for n in range(least * 2)))
    assert [int(each.output) for each in all_of_them] == list(range(least * 2))
    assert not any(each.is_late for each in all_of_them)


def program(folder: Path, mode: int = 0o755) -> Path:
    made = folder / "check"
    made.write_text("#!/bin/sh\necho OK\n")
    made.chmod(mode)
    return made


async def test_a_program_that_others_may_change_is_refused_and_never_started(tmp_path: Path) -> None:
    made = program(tmp_path, 0o777)
    with pytest.raises(NotRun, match=r"may write to|belongs to uid"):
        await run([str(made).encode()], LIMIT_S)
    with pytest.raises(NotRun, match="no program"):
        await run([b"/nonexistent/check"], LIMIT_S)
    with pytest.raises(NotRun, match="relative path"):
        await run([b"bin/check"], LIMIT_S)
    assert refusal("/bin/sh") == ""


async def test_a_program_that_cannot_be_executed_is_said(tmp_path: Path) -> None:
    made = program(tmp_path)
    made.write_text("#!/nonexistent/interpreter\n")
    with pytest.raises(NotRun, match="cannot be run: "):
        await run([str(made).encode()], LIMIT_S, lambda program: "")


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ('[ "$1 $2" = "127.0.0.1 8080" ] && echo OK', Verdict(True, 'the program answered "OK"')),
        ("echo OK; exit 1", Verdict(False, 'the program exited with status 1 after "OK"')),
        ("echo FAIL", Verdict(False, 'the program answered "FAIL"; expected "OK"')),
        ("kill -SEGV $$", Verdict(False, "the program was ended by signal 11")),
    ],
)
async def test_scenario_43_the_check_of_a_server_by_a_program(script: str, verdict: Verdict) -> None:
    found = await probes.probe(check(sh(script, "%h", "%p")), LOOPBACK)
    assert found.verdict == verdict
    assert found.sent.endswith(b"127.0.0.1 8080")


async def test_scenario_44_one_that_sleeps_30_s_is_killed_at_2_s_and_the_server_is_down() -> None:
    found = await probes.probe(check([b"/bin/sleep", b"30"], limit_s=2.0), LOOPBACK)
    assert found.verdict == Verdict(False, "the program did not end within 2 s and was killed")
    assert 2.0 <= found.took_s < 4.0


async def test_a_program_that_is_not_there_says_nothing_about_the_server() -> None:
    with pytest.raises(CannotCheck, match="There is no program /nonexistent/check"):
        await probes.probe(check([b"/nonexistent/check"]), LOOPBACK)


async def test_nothing_stays_open_behind_a_program() -> None:
    before = descriptors()
    for script in ("echo OK", "exit 1", "sleep 60"):
        await run(sh(script), 0.3)
    assert len(list(Path("/proc/self/fd").iterdir())) == before  # noqa: ASYNC240


def test_a_session_without_its_leader_is_ended_and_no_other() -> None:
    code = """
        import os, subprocess
        subprocess.Popen(["/bin/sleep", "62.5"], process_group=0)
        print(os.getpid(), flush=True)
        os._exit(0)
    """
    leader = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    other = subprocess.Popen(["/bin/sleep", "62.5"], start_new_session=True)
    try:
        assert leader.stdout is not None
        assert int(leader.stdout.readline()) == leader.pid
        leader.wait(10)
        leader.stdout.close()
        # A program is released by its parent a moment before its words are to be seen.
        assert wait_until(lambda: len(pids_with(b"sleep\x0062.5")) == 2)
        (left,) = [int(pid) for pid in pids_with(b"sleep\x0062.5") if int(pid) != other.pid]
        end_session(leader.pid)
        assert wait_until(lambda: not is_there(left))
        assert other.poll() is None
        end_session(other.pid)
        assert other.poll() is None, "its leader is there, so it is not a session that was left"
    finally:
        other.kill()
        other.wait()
