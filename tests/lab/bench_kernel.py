"""How fast the kernel's table is written and read, beside ipvsadm in the same boot. Run inside the lab:

    python -m tests.lab.bench_kernel

1,000 virtual servers with 4 real servers each. Exit status 1 if a ratio is broken.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from types import MappingProxyType

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.plan import plan
from piranha.ipvs.table import Destination, DestinationKey, Entry, Service, Table, TableKey
from piranha.system.kernel_ipvs import KernelPath

SERVICES = 1000
SERVERS = 4
TRIES = 5


def table(services: int, weight: int = 1) -> Table:
    """Return a table of this many virtual servers with four real servers each."""
    found = {}
    for number in range(services):
        key = TableKey(Protocol.TCP, IPv4Address(0xC6120000 + number), 80)
        servers = {
            DestinationKey(IPv4Address(0x0A000000 + number * 8 + place), 80): Destination(Forwarding.NAT, weight)
            for place in range(1, SERVERS + 1)
        }
        found[key] = Entry(Service("wlc"), MappingProxyType(servers))
    return found


def rules(wanted: Table) -> str:
    """Return a table as `ipvsadm -R` reads it."""
    lines = []
    for key, entry in wanted.items():
        lines.append(f"-A -t {key.address}:{key.port} -s {entry.service.scheduler}")
        lines += [f"-a -t {key.address}:{key.port} -r {server} -m -w 1" for server in entry.destinations]
    return "".join(f"{line}\n" for line in lines)


def reweighed(wanted: Table) -> Table:
    """Return a table with one weight changed."""
    key, entry = next(iter(wanted.items()))
    server, destination = next(iter(entry.destinations.items()))
    servers = {**entry.destinations, server: replace(destination, weight=destination.weight + 1)}
    return {**wanted, key: replace(entry, destinations=MappingProxyType(servers))}


def ipvsadm(*words: str, data: str = "") -> float:
    """Run ipvsadm and return the seconds it took."""
    began = time.perf_counter()
    subprocess.run(["ipvsadm", *words], input=data, stdout=subprocess.DEVNULL, text=True, check=True)
    return time.perf_counter() - began


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def reconcile(path: KernelPath, wanted: Table) -> int:
    """Bring the kernel's table to a wanted one as the engine does; return the number of steps."""
    steps = plan((await path.present()).table, wanted)
    refused = [refusal for refusal in await path.apply_many(steps) if refusal is not None]
    assert not refused, refused[0]
    return len(steps)


async def measured() -> bool:
    """Measure, print and return whether every ratio holds."""
    path = KernelPath()
    wanted = table(SERVICES)
    theirs = min([_restored(wanted) for _ in range(2)])
    read_theirs = min([ipvsadm("-Sn") for _ in range(TRIES)])
    written = []
    for _ in range(2):
        ipvsadm("-C")
        written.append(await seconds(partial(reconcile, path, wanted)))
    ours = min(written)
    reads = [await seconds(partial(reconcile, path, wanted)) for _ in range(TRIES)]
    assert await reconcile(path, wanted) == 0
    changes, writes = [], 0
    present = (await path.present()).table
    for _ in range(TRIES):
        wanted = reweighed(wanted)
        changes.append(await seconds(partial(reconcile, path, wanted)))
        step = plan(present, wanted)[-1]
        before = path.writes
        await path.apply(step)
        writes = max(writes, path.writes - before)
    growth = []
    for services in (SERVICES // 4, SERVICES, SERVICES * 5 // 2):
        ipvsadm("-C")
        grown = table(services)
        took = await seconds(partial(reconcile, path, grown))
        read = min([await seconds(partial(reconcile, path, grown)) for _ in range(3)])
        growth.append((services * SERVERS, took, read))
        print(f"{services * SERVERS:6} real servers: written in {took:.3f} s, read and compared in {read:.3f} s")
    ipvsadm("-C")
    await path.close()
    read_ours = min(reads)
    per_server = [(took / count, read / count) for count, took, read in growth]
    print(f"ipvsadm -R {theirs:.3f} s, ours {ours:.3f} s; ipvsadm -Sn {read_theirs:.3f} s, ours {read_ours:.3f} s")
    return all(
        [
            _holds("from nothing / ipvsadm -R", ours / theirs, 0.5),
            _holds("reading and comparing / ipvsadm -Sn", read_ours / read_theirs, 1.0),
            _holds("one weight changed / reading and comparing", min(changes) / read_ours, 1.5),
            _holds("netlink writes for one weight", writes, 1),
            _holds("writing a server of 10,000 / of 1,000", per_server[2][0] / per_server[0][0], 1.5),
            _holds("reading a server of 10,000 / of 1,000", per_server[2][1] / per_server[0][1], 1.5),
        ]
    )


def _restored(wanted: Table) -> float:
    ipvsadm("-C")
    return ipvsadm("-R", data=rules(wanted))


def _holds(what: str, ratio: float, limit: float) -> bool:
    print(f"{what:45} {ratio:6.2f}  at most {limit:g}{'' if ratio <= limit else '  BROKEN'}")
    return ratio <= limit


def main() -> None:
    """Measure in this kernel."""
    subprocess.run(["modprobe", "-a", "ip_vs", "ip_vs_wlc"], check=True)
    sys.exit(0 if asyncio.run(measured()) else 1)


if __name__ == "__main__":
    main()
