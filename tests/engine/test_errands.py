"""Tries in a nanny of their own: it is a process without the engine's rights, comes when needed, and goes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from piranha.engine.errands import Errands, Hire, hire_for
from piranha.health.check import Expectation, Match
from piranha.nanny.workers import Workers
from piranha.paths import Paths
from piranha.system.probes import CannotCheck
from tests.nanny.hired import is_there, order, passes, real_server

HOST = IPv4Address("127.0.0.1")
ACCEPTED_S = 0.1
"""By then a server here has taken every connection, and has seen its end."""


class Hiring:
    """Makes nannies, and keeps them to look at."""

    def __init__(self, paths: Paths) -> None:
        self.hire: Hire = hire_for(paths)
        self.made: list[Workers] = []

    def __call__(self, tell) -> Workers:
        self.made.append(self.hire(tell))
        return self.made[-1]

    @property
    def pids(self) -> list[int]:
        return [pid for each in self.made for pid in each.staff]


@pytest.fixture
def hiring(paths: Paths) -> Hiring:
    return Hiring(paths)


@pytest.fixture
async def errands(hiring: Hiring) -> AsyncIterator[Errands]:
    """Errands whose nanny leaves soon."""
    async with asyncio.TaskGroup() as tasks:
        made = Errands(tasks, hiring, idle_s=0.3)
        yield made
        made.stop()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 ready\r\n")
    await writer.drain()


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(20):
        while any(map(is_there, pids)):
            await passes(0.02)


async def test_a_check_is_made_once_by_another_process_which_goes_when_nobody_needs_it(
    errands: Errands, hiring: Hiring
) -> None:
    connections = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await greet(reader, writer)

    async with real_server(counted) as port:
        check = order(1, port, interval_s=0.1, limit_s=5.0, expect=Expectation(Match.PREFIX, b"220")).check
        good = await errands.probe(check, HOST)
        (pid,) = hiring.pids
        assert (good.verdict.is_good, good.received) == (True, b"220 ready\r\n")
        assert pid != os.getpid() and is_there(pid)
        await passes(0.25)
        assert connections == 1
        bad = await errands.probe(order(2, port, 0.5, Expectation(Match.PREFIX, b"HTTP"), limit_s=5.0).check, HOST)
        assert not bad.verdict.is_good
        assert hiring.pids == [pid]
        await passes(ACCEPTED_S)
    await until_gone([pid])
    async with real_server(greet) as port:
        again = await errands.probe(order(3, port, limit_s=5.0).check, HOST)
        assert again.verdict.is_good
        await passes(ACCEPTED_S)
    assert len(hiring.made) == 2


async def test_many_at_once_are_made_at_once_and_what_one_waits_for_holds_up_no_other(errands: Errands) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    loop = asyncio.get_running_loop()
    async with real_server(silent) as quiet, real_server(greet) as port:
        expect = Expectation(Match.ANYTHING)
        await errands.probe(order(99, port, limit_s=5.0).check, HOST)
        began = loop.time()
        slow = [errands.probe(order(n, quiet, 1.0, expect).check, HOST) for n in range(40)]
        quick = [errands.probe(order(n, port, 1.0, expect).check, HOST) for n in range(40, 60)]
        found = await asyncio.gather(*slow, *quick)
        assert loop.time() - began < 4.0
        await passes(ACCEPTED_S)
    assert [each.verdict.is_good for each in found] == [False] * 40 + [True] * 20


async def test_a_nanny_that_dies_meanwhile_is_replaced_and_the_check_is_made(errands: Errands, hiring: Hiring) -> None:
    came, go_on = asyncio.Event(), asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await go_on.wait()
        await greet(reader, writer)

    async with real_server(late) as port:
        expect = Expectation(Match.PREFIX, b"220")
        trying = asyncio.get_running_loop().create_task(errands.probe(order(1, port, 5.0, expect).check, HOST))
        await came.wait()
        os.kill(hiring.pids[0], signal.SIGKILL)
        go_on.set()
        assert (await asyncio.wait_for(trying, 20)).verdict.is_good
        await passes(ACCEPTED_S)


async def test_one_that_is_given_up_leaves_nothing(errands: Errands, hiring: Hiring) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with real_server(silent) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await errands.probe(order(1, port, 60.0, Expectation(Match.ANYTHING)).check, HOST)
        pids = hiring.pids
        assert pids
        await passes(ACCEPTED_S)
    await until_gone(pids)


async def test_what_may_not_be_run_is_told_as_a_trouble_of_this_router(errands: Errands, tmp_path: Path) -> None:
    program = (str(tmp_path / "none").encode(), b"%h")
    check = replace(order(1, 80).check, program=program, expect=Expectation(Match.WHOLE, b"OK"))
    with pytest.raises(CannotCheck):
        await errands.probe(check, HOST)


async def test_a_nanny_that_cannot_be_started_is_said_in_time_and_not_held_against_the_server() -> None:
    def hire(tell) -> Workers:
        return Workers(tell, 1, words=("/no/such/nanny",))

    async with asyncio.TaskGroup() as tasks:
        errands = Errands(tasks, hire, patience_s=0.3)
        with pytest.raises(CannotCheck, match="nanny cannot be started"):
            await errands.probe(order(1, 80, limit_s=0.2).check, HOST)
        errands.stop()
