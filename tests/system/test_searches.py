"""Searches that would hold up everything else are made beside it, and end with the check."""

import asyncio
import os
import random
import threading
import time
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from piranha.config.model import Protocol, RealServerKey, ServiceKey
from piranha.health.check import RECEIVED_BYTES_MAX, Check, Expectation, Match
from piranha.system.probes import Probed, probe
from piranha.system.searches import HERE_MAX, LOWER_PRIORITY, considered, is_costly, late_without
from tests.nanny.hired import real_server

LOOPBACK = IPv4Address("127.0.0.1")
COSTLY = b"|".join(b"[ab]*a[ab]{%d}c" % number for number in range(100, 130))
"""RE2 gives up its tables for this one, and follows thousands of threads for each letter."""
HOSTILE = bytes(random.Random(1).choices(b"ab", k=RECEIVED_BYTES_MAX))


def pattern(text: bytes) -> Expectation:
    return Expectation(Match.PATTERN, text)


def check(port: int, expect: Expectation, limit_s: float = 30.0) -> Check:
    key = RealServerKey(ServiceKey(fwmark=1), LOOPBACK, port)
    return Check(key, Protocol.TCP, LOOPBACK, port, None, expect, limit_s, 1.0, limit_s)


@pytest.mark.parametrize(
    ("expect", "size", "is_so"),
    [
        (pattern(rb"HTTP/1\.[01] 200"), RECEIVED_BYTES_MAX, False),
        (pattern(COSTLY), RECEIVED_BYTES_MAX, True),
        (pattern(COSTLY), 100, False),
        (Expectation(Match.PREFIX, COSTLY), RECEIVED_BYTES_MAX, False),
        (Expectation(Match.ANYTHING), RECEIVED_BYTES_MAX, False),
        (None, RECEIVED_BYTES_MAX, False),
    ],
)
def test_only_a_large_expression_and_a_large_answer_together_cost_much(
    expect: Expectation | None, size: int, is_so: bool
) -> None:
    assert is_costly(expect, size) is is_so


async def longest_stand_s(checked: "asyncio.Task[Probed]") -> float:
    """Return the longest time that the loop stood still while a check was made."""
    clock = time.monotonic
    worst, last = 0.0, clock()
    while not checked.done():
        await asyncio.wait([checked], timeout=0.005)
        worst, last = max(worst, clock() - last), clock()
    return worst


async def test_a_costly_search_holds_up_nothing_else_and_finds_what_is_there() -> None:
    async def all_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HOSTILE[:20_000] + b"a" + b"b" * 110 + b"c")
        await writer.drain()
        await reader.read()

    async with real_server(all_at_once) as port, asyncio.TaskGroup() as group:
        checked = group.create_task(probe(check(port, pattern(COSTLY)), LOOPBACK))
        assert await longest_stand_s(checked) < 0.5
        found = await checked
    assert found.verdict.is_good
    assert found.verdict.reason.startswith("answered ")


@pytest.mark.parametrize("pause_s", [0.0, 0.001])
async def test_a_regular_expression_that_takes_too_long_is_bad_at_the_limit(pause_s: float) -> None:
    async def bombing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for start in range(0, 60_000, 500):
            writer.write(HOSTILE[start : start + 500])
            await writer.drain()
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=pause_s)
        await reader.read()

    async with real_server(bombing) as port, asyncio.TaskGroup() as group:
        checked = group.create_task(probe(check(port, pattern(COSTLY), limit_s=1.5), LOOPBACK))
        assert await longest_stand_s(checked) < 0.5
        found = await checked
    assert not found.verdict.is_good
    assert found.took_s < 2.5
    assert found.verdict.reason.endswith("within 1.5 s")


async def test_a_costly_udp_answer_holds_up_nothing_else() -> None:
    class Bomb(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.DatagramTransport)
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(HOSTILE[:60_000], addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Bomb, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    asked = replace(check(port, pattern(COSTLY), limit_s=0.5), protocol=Protocol.UDP, send=b"x")
    try:
        async with asyncio.TaskGroup() as group:
            checked = group.create_task(probe(asked, LOOPBACK))
            assert await longest_stand_s(checked) < 0.4
            found = await checked
    finally:
        transport.close()
    assert not found.verdict.is_good
    assert found.took_s < 1.5


async def test_a_cheap_search_needs_no_thread() -> None:
    threads: list[str] = []
    priorities: list[int] = []

    def work() -> int:
        threads.append(threading.current_thread().name)
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return 7

    assert await considered(pattern(b"x"), HERE_MAX // 1000, work) == 7
    assert await considered(pattern(COSTLY), HERE_MAX, work) == 7
    assert threads[0] == "MainThread" and threads[1].startswith("search")
    assert priorities == [os.getpriority(os.PRIO_PROCESS, 0), LOWER_PRIORITY], "everything else comes first"


def test_what_is_said_of_an_answer_at_the_limit() -> None:
    assert late_without(pattern(b"x+"), b"abc", 2.0, is_searched=True).reason == (
        'answered "abc"; expected something that matches "x+", within 2 s'
    )
    assert late_without(pattern(b"x+"), b"abc", 2.0, is_searched=False).reason == (
        "the answer of 3 bytes could not be searched for the regular expression within 2 s"
    )
