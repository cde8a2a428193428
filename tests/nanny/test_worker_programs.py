"""Programs that check, in workers: with what, as whom, and what becomes of them when the worker dies."""

import os
import signal
from dataclasses import replace

import pytest

from piranha.health.check import Expectation, Match
from piranha.nanny.rounds import Order
from tests.nanny.hired import gone_within, hired, is_there, order, pids_with

pytestmark = pytest.mark.end_to_end


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def by_program(number: int, *words: bytes, expect: bytes = b"OK", limit_s: float = 5.0) -> Order:
    made = order(number, 8000 + number, limit_s, expect=Expectation(Match.WHOLE, expect))
    return replace(made, check=replace(made.check, program=words))


async def test_a_program_checks_in_a_worker_with_the_servers_address_and_port() -> None:
    async with hired() as found:
        found.workers.order(
            [
                by_program(1, b"/bin/echo", b"%h", b"%p", expect=b"127.1.0.1 8001"),
                by_program(2, b"/bin/false"),
                by_program(3, b"/nonexistent/check"),
                by_program(4, b"id", b"-u", expect=b"0"),
            ]
        )
        await found.until_all(range(1, 5))
    told = {number: found.of(number)[0] for number in range(1, 5)}
    good, bad, none, root = (told[number].probed for number in range(1, 5))
    assert good is not None and good.verdict.is_good
    assert bad is not None and bad.verdict.reason == "the program exited with status 1"
    assert none is None and "There is no program /nonexistent/check" in told[3].trouble
    assert root is not None and not root.verdict.is_good


async def test_a_program_runs_as_the_user_that_root_gave_it_in_a_worker_of_that_user() -> None:
    async with hired(run_as=lambda: {"/usr/bin/id": "daemon", "/bin/other": "root"}) as found:
        found.workers.order(
            [by_program(1, b"/usr/bin/id", b"-un", expect=b"daemon"), by_program(2, b"/bin/echo", b"OK")]
        )
        await found.until_all(range(2, 3))
        if os.geteuid() == 0:
            await found.until_all(range(1, 2))
            (first, *_) = found.of(1)
            assert first.probed is not None and first.probed.verdict.is_good, first
            assert len(found.workers.staff) == 2
        else:
            await found.until(lambda: any("Only root can become daemon" in each for each in found.workers.troubles))
        found.workers.drop([1])
        found.workers.order([by_program(3, b"/bin/other")])
        await found.until(lambda: any("no check is made as root" in each for each in found.workers.troubles))
    assert not found.of(3), "nothing is known of a server whose program may not be run as it should be"


async def test_a_dead_workers_programs_are_gone_with_all_that_they_started() -> None:
    async with hired() as found:
        found.workers.order([by_program(1, b"/bin/sh", b"-c", b"sleep 63.75; sleep 63.75", limit_s=60.0)])
        await found.until(lambda: len(pids_with(b"sleep\x0063.75")) == 1)
        (before,) = pids_with(b"sleep\x0063.75")
        kill(*found.pids)
        await found.until(lambda: not is_there(before))
        await found.until(lambda: len(pids_with(b"sleep\x0063.75")) == 1)  # of the next worker
    assert not [pid for pid in pids_with(b"sleep\x0063.75") if not gone_within(pid, 10.0)]
