"""What a check costs beside keepalived's TCP_CHECK, in one kernel: CPU time of all processes for each check.

    python -m tests.lab.bench_health [SECONDS]

200 and 1,000 real servers on loopback of one router, each checked every 2 s, none of them balancing anything. User and
system time of pulse, lvs and the nannies, and of all processes of keepalived, over so many seconds; a check is a
connect that is accepted and closed. Exit status 1 if ours is above 1.5 times theirs.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from ipaddress import IPv4Address
from pathlib import Path

from piranha.status import HealthState
from tests.bench_health import LISTENER, cpu_s
from tests.lab.running_router import RunningRouter, until
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

SIZES = (200, 1000)
EVERY_S = 2
SECONDS = 30.0
RATIO_MOST = 1.5
VIRTUAL = "198.51.100.100"
_FIRST = int(IPv4Address("127.1.0.1"))


def addresses(count: int) -> list[str]:
    return [str(IPv4Address(_FIRST + number)) for number in range(count)]


def listener(host: Host) -> tuple[subprocess.Popen[str], int]:
    """Start a process that accepts and closes, and return it and its port."""
    with host.inside():
        process = subprocess.Popen([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def measured(pids: Callable[[], Collection[int]], seconds: float) -> tuple[float, float]:
    """Return the user and system time of processes over so many seconds."""
    found = pids()
    before = [cpu_s(pid) for pid in found]
    ends_at = time.monotonic() + seconds
    until(lambda: time.monotonic() >= ends_at, seconds + 60, "time passes")
    after = [cpu_s(pid) for pid in found]
    user, kernel = (sum(b[part] - a[part] for a, b in zip(before, after, strict=True)) for part in (0, 1))
    return user, kernel


def children(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found = [pid]
    for each in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in each.read_text().split():
            found += children(int(child))
    return found


def ours(host: Host, count: int, port: int, seconds: float) -> tuple[float, float]:
    servers = "".join(
        f"server s{number} {{\naddress = {each}\nactive = 1\nweight = 1\n}}\n"
        for number, each in enumerate(addresses(count))
    )
    with tempfile.TemporaryDirectory() as folder:
        router = RunningRouter(host, Path(folder) / "router")
        router.write(
            f"service = lvs\nprimary = {host.address('dmz')}\nnetwork = nat\nvirtual web {{\nactive = 1\n"
            f"address = {VIRTUAL} eth0:1\nport = {port}\nprotocol = tcp\nscheduler = rr\ntimeout = {EVERY_S}\n"
            f"reentry = 4\n{servers}}}\n"
        )
        router.start()
        until(lambda: up(router) == count, 120, "every real server is up")
        assert router.process is not None
        parent = router.process.pid
        found = measured(lambda: children(parent), seconds)
        assert up(router) == count
        router.process.terminate()
        router.process.wait(30)
    return found


def up(router: RunningRouter) -> int:
    (virtual,) = router.status().virtual_servers
    return sum(each.health.state is HealthState.UP for each in virtual.servers)


def theirs(host: Host, count: int, port: int, seconds: float) -> tuple[float, float]:
    servers = "".join(
        f"real_server {each} {port} {{\nweight 1\nTCP_CHECK {{\nconnect_timeout {EVERY_S}\n}}\n}}\n"
        for each in addresses(count)
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "conf"
        file.write_text(
            f"virtual_server {VIRTUAL} {port} {{\ndelay_loop {EVERY_S}\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n"
            f"{servers}}}\n"
        )
        names = [word for letter in "prc" for word in (f"-{letter}", f"{folder}/pid-{letter}")]
        process = host.start("keepalived", "-n", "-l", "-f", str(file), *names, output=Path(folder) / "log")
        until(lambda: host.run("ipvsadm", "-Sn").count(" -r ") == count, 120, "every real server is there")
        found = measured(lambda: children(process.pid), seconds)
        process.terminate()
        process.wait()
    return found


def main() -> int:
    """Print the table; return the exit status."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    lab = Topology(NAT)
    lab.make()
    host = lab["lvs1"]
    process, port = listener(host)
    broken = False
    try:
        for count in SIZES:
            totals = {}
            for name, cost in (("piranha", ours), ("keepalived", theirs)):
                user, kernel = (each / (count * seconds / EVERY_S) for each in cost(host, count, port, seconds))
                totals[name] = user + kernel
                told = f"user {user * 1e6:.0f}, system {kernel * 1e6:.0f} microseconds for each check"
                print(f"{count} real servers: {name}: {told}", flush=True)
            ratio = totals["piranha"] / totals["keepalived"]
            print(f"{count} real servers: ratio {ratio:.2f}", flush=True)
            broken = broken or ratio > RATIO_MOST
    finally:
        process.kill()
        lab.remove()
    if broken:
        print(f"Broken: above {RATIO_MOST:g} times.")
    return 1 if broken else 0


if __name__ == "__main__":
    os.environ.setdefault("LANG", "C")
    sys.exit(main())
