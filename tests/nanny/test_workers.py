"""Workers as processes: who they are, and what happens when they die, hang, lie or cannot be started."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

from piranha.config.model import Protocol
from piranha.health.check import Expectation, Match
from piranha.nanny import post
from piranha.nanny.rounds import Outcome
from piranha.system.confinement import unprivileged
from tests.nanny.hired import gone_within, hired, is_there, order, passes, real_server, status_of

pytestmark = pytest.mark.end_to_end
HTTP = Expectation(Match.PREFIX, b"HTTP")
FEW_FILES = (
    sys.executable,
    "-P",
    "-c",
    "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300)); "
    "from piranha.cli.nanny import main; main()",
)


def began_at(outcome: Outcome) -> float:
    assert outcome.probed is not None
    return outcome.ended - outcome.probed.took_s


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def stand_still(seconds: float) -> None:
    """Let time pass while this process does nothing at all."""
    select.select([], [], [], seconds)


def links_of(pid: int, descriptor: int | None = None) -> set[str]:
    """Return what the descriptors of a process lead to."""
    folder = Path(f"/proc/{pid}/fd")
    return {str(each.readlink()) for each in folder.iterdir() if descriptor is None or each.name == str(descriptor)}


def variables_of(pid: int) -> set[str]:
    return {each.partition(b"=")[0].decode() for each in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if each}


def limits_of(pid: int) -> str:
    return Path(f"/proc/{pid}/limits").read_text()


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
    await writer.drain()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept and say nothing more."""


async def test_a_worker_has_no_privilege_and_nothing_of_its_parent_but_its_socket() -> None:
    expected = unprivileged()
    open_here, _ = os.pipe()
    os.set_inheritable(open_here, True)
    try:
        async with hired() as found:
            await found.until(lambda: bool(found.pids) and Path(f"/proc/{found.pids[0]}/comm").read_text() == "nanny\n")
            (pid,) = found.pids
            async with real_server(answering) as port:
                found.workers.order([order(1, port, expect=HTTP, send=b"GET /\r\n\r\n")])
                await found.until_all(range(1, 2))
            status = status_of(pid)
            links, variables, mine = links_of(pid), variables_of(pid), links_of(os.getpid(), open_here)
    finally:
        os.close(open_here)
    uid, gid = (expected.uid, expected.gid) if expected is not None else (os.getuid(), os.getgid())
    assert status["Uid"].split() == [str(uid)] * 4 and uid != 0
    assert status["Gid"].split() == [str(gid)] * 4
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert not mine & links
    assert all(link == "/dev/null" or link.startswith(("socket:", "pipe:", "anon_inode:")) for link in links)
    assert variables <= {"PATH", "LC_ALL", *post._KEPT_VARIABLES}


async def test_every_kind_of_check_is_made_as_it_was_in_this_process() -> None:
    async with hired() as found, real_server(answering) as port, real_server(closing) as shut:
        found.workers.order(
            [
                order(1, port, expect=HTTP, send=b"GET /\r\n\r\n"),
                order(2, port, expect=Expectation(Match.PATTERN, b"2.. OK"), send=b"GET /\r\n\r\n"),
                order(3, port),
                order(4, shut, expect=Expectation(Match.ANYTHING)),
                order(5, port, expect=Expectation(Match.PREFIX, b"SMTP\x00\xff"), send=b"\xffx"),
                order(6, 1, expect=HTTP),
                order(7, 1, send=b"x", protocol=Protocol.UDP),
            ]
        )
        await found.until_all(range(1, 8))
    first = {number: found.of(number)[0].probed for number in range(1, 8)}
    told = {
        number: (probed.verdict.is_good, probed.verdict.reason, probed.sent, probed.received)
        for number, probed in first.items()
        if probed is not None
    }
    answer = b"HTTP/1.0 200 OK\r\n\r\n"
    assert told == {
        1: (True, 'answered "HTTP/1.0 200 OK"', b"GET /\r\n\r\n", answer),
        2: (True, told[2][1], b"GET /\r\n\r\n", answer),
        3: (True, f"connected to 127.1.0.3:{port}", b"", b""),
        4: (False, "connection closed before anything was received", b"", b""),
        5: (False, told[5][1], b"\xffx", answer),
        6: (False, "connect to 127.1.0.6:1 refused", b"", b""),
        7: (False, "UDP port 127.1.0.7:1 is closed (ICMP port unreachable)", b"x", b""),
    }
    assert 'expected "SMTP\\x00\\xff"' in told[5][1]


async def test_an_unchanged_verdict_is_told_again_with_its_time_and_transcript() -> None:
    async with hired() as found, real_server(answering) as port:
        found.workers.order([order(1, port, 0.1, expect=HTTP, send=b"GET /\r\n\r\n")])
        await found.until(lambda: len(found.told) >= 5)
    kept = [each.probed for each in found.told if each.probed is not None]
    assert len(kept) == len(found.told)
    assert {(each.verdict.reason, each.received) for each in kept} == {
        ('answered "HTTP/1.0 200 OK"', b"HTTP/1.0 200 OK\r\n\r\n")
    }
    ends = [each.ended for each in found.told]
    assert ends == sorted(ends)
    assert all(late - early < 5.0 for early, late in pairwise(ends))
    assert all(each.due > each.ended - 0.2 for each in found.told)


async def test_a_dropped_check_is_made_no_more_and_a_new_one_is() -> None:
    async with hired() as found, real_server(closing) as port:
        found.workers.order([order(1, port, 0.1), order(2, port, 0.1)])
        await found.until_all(range(1, 3))
        found.workers.drop([1, 77])
        seen = len(found.told)
        found.workers.order([order(3, port, 0.1)])
        await found.until(lambda: len(found.of(3)) >= 5)
        assert {each.number for each in found.told[seen:]} == {2, 3}
        assert sum(found.workers.staff.values()) == 2


async def test_workers_killed_every_second_change_no_verdict_and_miss_nothing_for_longer_than_a_restart() -> None:
    interval_s, numbers = 0.5, range(1, 61)
    restarts_s: list[float] = []
    clock = asyncio.get_running_loop().time
    async with hired(2, servers_each=10) as found, real_server(closing) as port:
        found.workers.order([order(number, port, interval_s) for number in numbers])
        await found.until_all(numbers)
        killed: set[int] = set()
        for _ in range(8):
            await passes(1.0)
            assert len(found.pids) == 2
            killed |= set(found.pids)
            kill(*found.pids)
            seen, began = len(found.told), clock()
            await found.until_all(numbers, seen + len(numbers))
            restarts_s.append(clock() - began)
        assert len(killed) == 16
    assert all(each.probed is not None and each.probed.verdict.is_good for each in found.told)
    for number in numbers:
        gaps = [late - early for early, late in pairwise(map(began_at, found.of(number)))]
        assert max(gaps) <= interval_s + max(restarts_s) + 0.5, f"server {number} was not checked for {max(gaps):.2f} s"
        assert min(gaps) > 0.3, "the rhythm is kept: no check is made twice because of a restart"
    assert max(restarts_s) < 15.0


async def test_a_worker_that_hangs_is_killed_and_another_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(post, "HUNG_S", 2.0)
    async with hired() as found, real_server(closing) as port:
        found.workers.order([order(1, port, 0.2)])
        await found.until_all(range(1, 2))
        (pid,) = found.pids
        os.kill(pid, signal.SIGSTOP)
        seen = len(found.told)
        await passes(1.0)
        assert len(found.told) - seen <= 1
        await found.until_all(range(1, 2), len(found.told))
        assert found.pids and found.pids != [pid]
        assert not is_there(pid)
    assert f"nanny, process {pid}, said nothing for" in caplog.text


async def test_silence_while_this_process_itself_stands_still_is_not_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(post, "HUNG_S", 2.0)
    async with hired() as found, real_server(closing) as port:
        found.workers.order([order(1, port, 0.2)])
        await found.until_all(range(1, 2))
        before = found.pids
        stand_still(4.0)
        await found.until_all(range(1, 2), len(found.told))
        assert found.pids == before


async def test_a_worker_that_cannot_be_started_is_said_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with hired(words=("/nonexistent/nanny",)) as found:
        found.workers.order([order(1, 9)])
        await found.until(lambda: bool(found.workers.troubles))
    assert found.workers.troubles == ("The checks cannot be made: nanny cannot be started: No such file or directory.",)
    assert found.told == []


async def test_a_worker_that_ends_at_once_is_said_with_its_last_words() -> None:
    words = (sys.executable, "-c", "import sys; sys.exit('Nobody is there.')")
    async with hired(words=words) as found:
        await found.until(lambda: bool(found.workers.troubles))
    assert found.workers.troubles == ("The checks cannot be made: nanny ended with status 1. Nobody is there.",)


async def test_nothing_is_left_when_the_engine_ends_or_is_killed() -> None:
    async with hired(2, servers_each=1) as found, real_server(closing) as port:
        found.workers.order([order(number, port) for number in range(1, 9)])
        await found.until_all(range(1, 9))
        pids = found.pids
        assert len(pids) == 2
    assert not any(map(is_there, pids))
    pid = worker_of_a_killed_engine()
    assert gone_within(pid, 10.0)


def worker_of_a_killed_engine() -> int:
    """Run workers in a process that is killed then; return who its worker was."""
    code = """
        import asyncio
        from piranha.nanny.workers import Workers
        async def run():
            workers = Workers(print, 1)
            async with asyncio.TaskGroup() as group:
                group.create_task(workers.run())
                while not workers.staff:
                    await asyncio.sleep(0.01)
                print(*workers.staff, flush=True)
        asyncio.run(run())
    """
    engine = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert engine.stdout is not None
    pid = int(engine.stdout.readline())
    engine.kill()
    engine.communicate()
    return pid


async def test_more_servers_have_more_workers_and_those_that_move_keep_their_rhythm() -> None:
    async with hired(2, servers_each=20) as found, real_server(closing) as port:
        found.workers.order([order(number, port, 1.0) for number in range(1, 11)])
        await found.until_all(range(1, 11))
        assert len(found.workers.staff) == 1
        found.workers.order([order(number, port, 1.0) for number in range(11, 41)])
        await found.until_all(range(11, 41))
        assert len(found.workers.staff) == 2
        await found.until(lambda: min(len(found.of(number)) for number in range(1, 41)) >= 3)
        shares = found.workers.staff.values()
        assert sum(shares) == 40 and min(shares) >= 5
    for number in range(1, 11):
        gaps = [late - early for early, late in pairwise(map(began_at, found.of(number)))]
        assert min(gaps) > 0.85 and max(gaps) < 10.0


async def test_a_thousand_first_checks_with_few_descriptors_come_one_after_the_other() -> None:
    numbers = range(1, 1001)
    async with hired(words=FEW_FILES) as found, real_server(closing) as port:
        found.workers.order([order(number, port, 600.0, limit_s=30.0) for number in numbers])
        await found.until_all(numbers)
        assert "300" in limits_of(found.pids[0])
    assert {each.trouble for each in found.told} == {""}
    assert all(each.probed is not None and each.probed.verdict.is_good for each in found.told)


async def test_a_worker_whose_words_nobody_reads_waits_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process stands still for three seconds while fifty servers are checked every 50 ms."""
    async with hired() as found, real_server(closing) as port:
        found.workers.order([order(number, port, 0.05) for number in range(1, 51)])
        await found.until_all(range(1, 51))
        before = found.pids
        stand_still(3.0)
        await found.until_all(range(1, 51), len(found.told) + 500)
        assert found.pids == before
    for number in (1, 50):
        ends = [each.ended for each in found.of(number)]
        assert ends == sorted(ends)
