"""What checks cost: CPU time of each, memory of each real server, how late they are, and how that grows.

`python -m tests.bench_health [--quick]`. The nanny processes as the engine has them, TCP connects to as many addresses
on loopback, a listener in a process of its own that accepts and closes. Ratios and slopes are judged, never bare times:
exit code 1 if the slope of log(CPU of a check) over log(real servers) is above 0.2, or the 99th percentile of lateness
above a tenth of the interval. Beside keepalived, in one kernel: `make bench-health` runs `tests.lab.bench_health` too.
"""

import argparse
import asyncio
import contextlib
import math
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from piranha.nanny.rounds import Outcome
from piranha.nanny.workers import Workers, cores
from tests.loopback_router import allow_files
from tests.nanny.hired import order

SIZES = ((1_000, 1.0), (5_000, 2.0), (20_000, 6.0))
"""Real servers, and the seconds between two checks of one: up to 3,400 checks a second."""
WARM_ROUNDS, ROUNDS = 2, 6
SLOPE_MOST, LATE_MOST = 0.2, 0.1

LISTENER = """
import select, socket
ear = socket.socket()
ear.bind(("", 0))
ear.listen(65535)
ear.setblocking(False)
print(ear.getsockname()[1], flush=True)
poll = select.poll()
poll.register(ear, select.POLLIN)
while True:
    poll.poll()
    try:
        while True:
            ear.accept()[0].close()
    except BlockingIOError:
        pass
"""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def listener() -> Iterator[int]:
    """Give the port of a process that accepts and closes, at every address of this machine."""
    process = subprocess.Popen([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def cpu_s(pid: int) -> tuple[float, float]:
    """Return the seconds that a process has used in user mode and in the kernel."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) * _TICK_S, int(words[12]) * _TICK_S


def rss_bytes(pid: int) -> int:
    """Return how much memory of a process is in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Heard:
    """What the workers told: how many checks, how many of them bad, and how late each began, seconds."""

    interval_s: float
    count: int = 0
    bad: int = 0
    late: list[float] = field(default_factory=list)
    _due: dict[int, float] = field(default_factory=dict)

    def hear(self, outcome: Outcome) -> None:
        self.count += 1
        self.bad += outcome.probed is None or not outcome.probed.verdict.is_good
        due = self._due.get(outcome.number)
        if due is not None:
            self.late.append(outcome.due - self.interval_s - due)
        self._due[outcome.number] = outcome.due


@dataclass(frozen=True)
class Cost:
    """Of one size: CPU seconds of a check in the workers, user and kernel, and here; bytes for each real server; how
    many checks a second; the 99th percentile of lateness, seconds.
    """

    user_s: float
    kernel_s: float
    here_s: float
    bytes_each: float
    rate: float
    late_s: float


async def cost_of(servers: int, interval_s: float, port: int, rounds: int) -> Cost:
    """Return what so many real servers cost."""
    heard = Heard(interval_s)
    workers = Workers(heard.hear, cores())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(workers.run(), name="workers")
        workers.order([order(0, port, interval_s)])
        await _passed(1.0)
        empty = {pid: rss_bytes(pid) for pid in workers.staff}
        workers.order(order(number, port, interval_s) for number in range(1, servers))
        await _passed(WARM_ROUNDS * interval_s)
        pids = list(workers.staff)
        before, here, count = [cpu_s(pid) for pid in pids], _here_s(), heard.count
        heard.late.clear()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await _passed(rounds * interval_s)
        seconds, checks = loop.time() - began, heard.count - count
        after = [cpu_s(pid) for pid in pids]
        grown = sum(rss_bytes(pid) for pid in pids) - statistics.mean(empty.values()) * len(pids)
        lvs_s = _here_s() - here
        running.cancel()
    if heard.bad:
        raise SystemExit(f"{heard.bad} checks were bad, so nothing is measured.")
    user, kernel = (sum(b[part] - a[part] for a, b in zip(before, after, strict=True)) for part in (0, 1))
    late_s = statistics.quantiles(heard.late, n=100)[-1]
    return Cost(user / checks, kernel / checks, lvs_s / checks, grown / servers, checks / seconds, late_s)


async def _passed(seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


def _here_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def slope(costs: dict[int, Cost]) -> float:
    """Return how log(CPU of a check) grows over log(real servers), by least squares."""
    points = [(math.log(servers), math.log(each.user_s + each.kernel_s)) for servers, each in costs.items()]
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="What checks cost.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 2 if parser.parse_args().quick else ROUNDS
    allow_files()
    broken, costs = [], {}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; microseconds of CPU for each check")
    print(f"{'real servers':>12}{'every':>8}{'checks/s':>10}{'user':>8}{'kernel':>8}{'lvs':>8}", end="")
    print(f"{'kB each':>9}{'p99 late':>10}")
    with listener() as port:
        for servers, interval_s in SIZES:
            cost = costs[servers] = asyncio.run(cost_of(servers, interval_s, port, rounds))
            micros = "".join(f"{each * 1e6:8.1f}" for each in (cost.user_s, cost.kernel_s, cost.here_s))
            row = f"{servers:12}{interval_s:6.0f} s{cost.rate:10.0f}{micros}"
            print(f"{row}{cost.bytes_each / 1000:9.1f}{cost.late_s * 1000:7.0f} ms", flush=True)
            if cost.late_s > LATE_MOST * interval_s:
                broken.append(f"checks of {servers} real servers are late")
    grows = slope(costs)
    print(f"slope of log(CPU of a check) over log(real servers): {grows:.2f}")
    if grows > SLOPE_MOST:
        broken.append(f"a check costs more with more real servers: slope above {SLOPE_MOST:g}")
    for each in broken:
        print(f"Broken: {each}.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
