"""Real servers that want to harm this router cost bounded memory and time, and no other server its check."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import count, pairwise

import pytest

from piranha.config.model import Protocol
from piranha.health.check import Expectation, Match
from piranha.nanny.rounds import Order
from tests.nanny.hired import hired, order, passes, real_server, status_of

pytestmark = pytest.mark.end_to_end

EACH = 8
"""Servers of each hostile kind."""
WELL = 60
INTERVAL_S = 0.5
FOR_S = 8.0
BOMB = b"|".join(b"[ab]*a[ab]{%d}c" % number for number in range(100, 130))
ANSWERS = b"HTTP/1.0 200 OK\r\n\r\n"
HTTP = Expectation(Match.PREFIX, b"HTTP/1.0 200")
NEVER = Expectation(Match.PATTERN, b"nobody says this$")
SILENT = "no answer within 0.5 s"
"""What a server is found to be that is busy with doing harm."""
REASONS = {
    "endless": ('answered "spam spam', SILENT),
    "drip": ('answered "H" and no more; expected', SILENT),
    "huge line": ('answered "xxxx', SILENT),
    "silent": (SILENT,),
    "reset": (" reset", SILENT, "timed out after 0.5 s"),
    "tls garbage": ('answered "\\x16\\x03\\x03', SILENT),
    "bomb": ("the answer of ", SILENT),
    "half-open": ("timed out after 0.5 s",),
    "flood": ('answered "spamspam', SILENT),
}
EXPECTS = {"endless": NEVER, "huge line": NEVER, "tls garbage": NEVER, "bomb": Expectation(Match.PATTERN, BOMB)}


@contextlib.contextmanager
def hostile() -> Iterator[dict[str, int]]:
    """Give the ports of hostile servers by their kind."""
    words = [sys.executable, "-m", "tests.nanny.hostile_servers"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def orders_of(ports: dict[str, int]) -> dict[str, list[Order]]:
    numbers = count(1)
    found = {
        kind: [
            order(
                next(numbers),
                port,
                INTERVAL_S,
                expect=EXPECTS.get(kind, HTTP),
                send=b"x" if kind == "flood" else None,
                protocol=Protocol.UDP if kind == "flood" else Protocol.TCP,
            )
            for _ in range(EACH)
        ]
        for kind, port in ports.items()
    }
    # Its answers come from there; from elsewhere they would be nobody's.
    found["flood"] = [replace(one, address=IPv4Address("127.0.0.1")) for one in found["flood"]]
    return found


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(ANSWERS)
    await writer.drain()


async def test_hostile_servers_cost_bounded_memory_and_time_and_all_others_are_checked_in_time() -> None:
    with hostile() as ports:
        harmful = orders_of(ports)
        first = EACH * len(ports) + 1
        async with hired() as found, real_server(answering) as port:
            well = [order(number, port, INTERVAL_S, expect=HTTP, limit_s=3.0) for number in range(first, first + WELL)]
            found.workers.order(well)
            await found.until_all(range(first, first + WELL))
            (pid,) = found.pids
            before_kb = int(status_of(pid)["VmRSS"].split()[0])
            began = len(found.told)
            for some in harmful.values():
                found.workers.order(some)
            await found.until_all(range(1, first), began)
            await passes(FOR_S)
            after_kb = int(status_of(pid)["VmHWM"].split()[0])
            assert found.pids == [pid], "no worker was lost"
    reasons = {
        kind: {each.probed.verdict.reason for one in some for each in found.of(one.number) if each.probed is not None}
        for kind, some in harmful.items()
    }
    assert set(reasons) == set(REASONS)
    for kind, told in reasons.items():
        assert told and all(any(words in reason for words in REASONS[kind]) for reason in told), (kind, told)
        assert any(REASONS[kind][0] in reason for reason in told), (kind, told)
    outcomes = [each for one in well for each in found.of(one.number)]
    assert all(each.probed is not None and each.probed.verdict.is_good for each in outcomes)
    late_s = sorted(
        late.ended - early.ended - INTERVAL_S for one in well for early, late in pairwise(found.of(one.number)[1:])
    )
    assert len(late_s) > WELL * FOR_S
    assert late_s[int(len(late_s) * 0.99)] < 1.0, (
        f"p99 {late_s[int(len(late_s) * 0.99)]:.3f} s, most {late_s[-1]:.3f} s"
    )
    took_s = [
        each.probed.took_s for some in harmful.values() for one in some for each in found.of(one.number) if each.probed
    ]
    assert max(took_s) < INTERVAL_S + 2.0
    assert after_kb - before_kb < 120_000, f"{after_kb - before_kb} KiB more"
