"""What a real pair endures: its processes are killed, its machines are busy. Run inside the lab:

    python -m tests.lab.endure kills [COUNT]      20: pulse and lvs of the active router in turn
    python -m tests.lab.endure busy [SECONDS]     600: all CPUs busy on both routers, heartbeats every 100 ms

Exit status 1, with what happened, where somebody took over who should not have, or not cleanly.
"""

import contextlib
import importlib.util
import itertools
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.recording import Kind, Seen, now, only, recorded
from tests.lab.running_pair import (
    Pair,
    carries,
    in_step,
    is_active,
    routers_of,
    running,
    text_of,
    times,
    told,
)
from tests.lab.running_router import RealServers, RunningRouter, requests, until
from tests.lab.stalls import Watcher, watched
from tests.lab.test_engine import VIP, everyone, virtual
from tests.lab.test_sync import GATEWAY
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

PORT = 8080
WAIT_S = 40.0
KILLS, BUSY_S = 20, 600.0
LASTS_S = 20.0
"""So long an active router carries on without its lvs."""
KILL_TIMES = times(0.5, 10.0)
"""A killed pulse has to be back within deadtime; in the lab a start takes two to five seconds."""
BUSY_DEADTIME_S = 0.3
BUSY_TIMES = times(0.1, BUSY_DEADTIME_S)
HOGS = 2 * (os.cpu_count() or 1) + 1


@contextlib.contextmanager
def endurance(folder: Path, toml: str) -> Iterator[tuple[Topology, Pair, Watcher]]:
    """Have a pair that serves, and a watcher."""
    lab = Topology(NAT)
    lab.make()
    servers = RealServers(lab, (PORT,))
    servers.start()
    try:
        with watched(lab["client"], folder / "stalls") as watcher:
            routers = routers_of(lab, folder, text_of(lab, virtual(PORT, everyone())), toml)
            with running(routers):
                yield lab, routers, watcher
    finally:
        lab.remove()
        servers.stop()


def roles(routers: Pair) -> Pair:
    """Wait until one of the two is active and the other one ready; return them in that order."""
    found: list[Pair] = []

    def are_found() -> bool:
        for active, passive in (routers, routers[::-1]):
            if carries(active.host) and not carries(passive.host) and in_step(active, passive):
                found.append((active, passive))
        return bool(found)

    until(are_found, WAIT_S, "one is active, the other one ready")
    return found[0]


# kills


def kill_pulse(router: RunningRouter) -> None:
    """Kill pulse alone."""
    assert router.process is not None
    router.process.kill()
    router.process.wait()


def kill_lvs(router: RunningRouter) -> None:
    """Kill lvs alone."""
    (pid,) = router.pids("lvs")
    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def nobody_takes_over(routers: Pair, client_host: Host) -> Iterator[Pair]:
    """Hold what happens during the block against: no address moves, only the active router says RUNNING, no request
    of a client fails. Give the active and the passive router."""
    active, passive = roles(routers)
    since = told(passive).since
    with recorded(active.host) as here, recorded(passive.host) as there:
        with requests(client_host, VIP, PORT, pause_s=0.05) as (client,):
            until(lambda: client.count > 5, WAIT_S, "requests go on")
            yield active, passive
            count = client.count + 5
            until(lambda: client.count > count, WAIT_S, "requests go on")
        assert client.failures == []
        for recording in (here, there):
            assert only(recording.seen(), Kind.ADDRESS) == [], recording
        words = {each.says for each in only(there.seen(), Kind.HEARTBEAT) if each.is_ours}
        assert words == {"STOPPED"}, words
    assert told(passive).since == since
    assert roles(routers) == (active, passive)


def killed_and_back(routers: Pair, client: Host, program: str) -> None:
    """Kill a process of the active router that is back within the lease: pulse by us, lvs by pulse."""
    with nobody_takes_over(routers, client) as (active, _):
        if program == "pulse":
            kill_pulse(active)
            active.launch()
        else:
            before = active.pids("lvs")
            kill_lvs(active)
            until(lambda: active.pids("lvs") not in ([], before), WAIT_S, "pulse starts another lvs")
        assert active.process is not None
        pid = active.process.pid
        until(lambda: active.is_there() and active.status().redundancy is not None, WAIT_S, "its API answers")
        until(
            lambda: told(active).pid == pid and told(active).state == "active", WAIT_S, "it goes on as the active one"
        )
        until(lambda: len(active.pids("lvs")) == 1, WAIT_S, "there is one lvs")


def goes_on(router: RunningRouter, pid: int) -> bool:
    """Say whether a router is active, by the pulse with this process id, and its lvs tells so."""
    if not router.is_there():
        return False
    status = router.status().redundancy
    return status is not None and (status.pid, status.state) == (pid, "active")


def killed_for_good(routers: Pair) -> None:
    """Kill pulse of the active router: nobody starts it again. Then start it: it is the passive one."""
    active, passive = roles(routers)
    with clean_takeover(active, passive):
        kill_pulse(active)
        until(lambda: is_active(passive), WAIT_S, "the other router takes over")
        until(lambda: active.table() == [], WAIT_S, "nothing is left of the first one")
    active.start()
    assert roles(routers) == (passive, active)


def lvs_cannot_start(routers: Pair) -> None:
    """Kill lvs of the active router, where it cannot be started again, until it can be."""
    active, passive = roles(routers)
    with clean_takeover(active, passive) as began:
        with unstartable():
            kill_lvs(active)
            until(lambda: is_active(passive), LASTS_S + WAIT_S, "the other router takes over")
        took_s = now() - began
        assert took_s > LASTS_S - 1, f"the table works without lvs; taken over after {took_s:.1f} s"
    until(active.is_there, WAIT_S, "it is started again")
    assert roles(routers) == (passive, active)


@contextlib.contextmanager
def clean_takeover(active: RunningRouter, passive: RunningRouter) -> Iterator[float]:
    """Hold a takeover during the block against: each address is gone here before it is there. Give when it begins."""
    with recorded(active.host) as here, recorded(passive.host) as there:
        yield now()
        for address in (VIP, GATEWAY):
            (gone,) = only(here.seen(), Kind.ADDRESS, address)
            (came,) = only(there.seen(), Kind.ADDRESS, address)
            assert (gone.says, came.says) == ("gone", "here")
            assert gone.at < came.at, f"{address} is at both for {gone.at - came.at:.3f} s"


@contextlib.contextmanager
def unstartable() -> Iterator[None]:
    """Hide the program of lvs from everybody who starts it."""
    assert os.environ.get("PIRANHA_LAB") == "1", "elsewhere this would hide a real file"
    found = importlib.util.find_spec("piranha.cli.lvs")
    assert found is not None and found.origin is not None
    program = Path(found.origin)
    hidden = program.with_suffix(".hidden")
    program.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(program)


def kills(count: int) -> None:
    """Kill so many processes in turn; every fifth pulse is not back, and the last lvs cannot be started again."""
    with tempfile.TemporaryDirectory() as folder, endurance(Path(folder), KILL_TIMES) as (lab, routers, watcher):
        for number in range(count):
            program = ("pulse", "lvs")[number % 2]
            began = time.monotonic()
            if number == count - 1:
                program, what = "lvs", "it cannot be started again: the other router took over"
                lvs_cannot_start(routers)
            elif number % 10 == 4:
                what = "it is not started again: the other router took over"
                killed_for_good(routers)
            else:
                what = "back in time: nothing moved, no request failed"
                killed_and_back(routers, lab["client"], program)
            print(f"{number + 1}. {program} killed, {what} ({time.monotonic() - began:.1f} s)", flush=True)
        print(f"the kernel stood still for {watcher.longest_s():.2f} s at most")


# busy


@dataclass
class Endured:
    """What came of a busy time. `moves`: when somebody became active, and whether a standstill explains it."""

    seconds: float
    deadtime_s: float
    gaps: dict[str, list[float]] = field(default_factory=dict)
    moves: list[tuple[str, float, bool]] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)
    load: float = 0.0

    @property
    def unexplained(self) -> list[tuple[str, float, bool]]:
        """Return the failovers that should not have been."""
        return [each for each in self.moves if not each[2]]

    def told(self) -> str:
        """Return it in lines for people."""
        lines = [f"{self.seconds:.0f} s, load {self.load:.1f}"]
        for name, gaps in self.gaps.items():
            ordered = sorted(gaps)
            most = ", ".join(f"{each * 1000:.0f}" for each in ordered[-3:])
            middle, high = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.999))
            apart = f"{middle:.0f} ms (median), {high:.0f} ms (99.9 %), most {most} ms"
            lines.append(f"{name}: {len(gaps)} times between two heartbeats: {apart}")
        longest = max((length for _, length in self.stalls), default=0.0)
        over = sum(length > self.deadtime_s for _, length in self.stalls)
        lines.append(
            f"the kernel stood still {len(self.stalls)} times, {longest * 1000:.0f} ms at most, "
            f"{over} times longer than deadtime"
        )
        lines.append(f"failovers: {len(self.moves)}, not explained by a standstill: {len(self.unexplained)}")
        return "\n".join(lines)


@contextlib.contextmanager
def hogs(routers: Pair, folder: Path) -> Iterator[None]:
    """Have more processes that do nothing but reckon than there are CPUs, on each router."""
    started = [
        each.host.start(sys.executable, "-c", "while True: pass", output=folder / "hogs.log")
        for each in routers
        for _ in range(HOGS)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def busy(routers: Pair, watcher: Watcher, folder: Path, seconds: float, tell: Callable[[str], None] = print) -> Endured:
    """Keep a pair with BUSY_TIMES busy; return what came of it."""
    active, passive = roles(routers)
    with recorded(active.host) as here, recorded(passive.host) as there:
        began, clock = time.monotonic(), now() - time.monotonic()
        with hogs(routers, folder):
            says_at = began + 60
            while time.monotonic() < began + seconds:
                select.select([], [], [], 1)
                here.taken(), there.taken()
                if time.monotonic() > says_at:
                    says_at += 60
                    tell(f"{time.monotonic() - began:.0f} s: {active.host.name} is active: {carries(active.host)}")
            load = os.getloadavg()[0]
        found = Endured(time.monotonic() - began, BUSY_DEADTIME_S, load=load)
        found.stalls = [(at + clock, length) for at, length in watcher.stalls() if at >= began]
        for router, recording in ((active, here), (passive, there)):
            words = [each for each in only(recording.seen(), Kind.HEARTBEAT) if each.is_ours]
            found.gaps[router.host.name] = [b.at - a.at for a, b in itertools.pairwise(words)]
            for each in became_active(words):
                found.moves.append((router.host.name, each.at, _is_explained(each.at, found)))
    return found


def became_active(words: list[Seen]) -> list[Seen]:
    """Return the heartbeats that say RUNNING behind one that did not."""
    return [b for a, b in itertools.pairwise(words) if b.says == "RUNNING" != a.says]


def _is_explained(at: float, found: Endured) -> bool:
    """Say whether the kernel stood still for longer than deadtime just before."""
    return any(length > found.deadtime_s and 0 <= at - end < 1 for end, length in found.stalls)


def main() -> int:
    """Do what the command line says; return the exit status."""
    if os.environ.get("PIRANHA_LAB") != "1":
        sys.exit(
            "On a machine's own kernel this would do harm: python -m tests.lab.boot python -m tests.lab.endure ..."
        )
    match sys.argv[1:]:
        case ["kills", *more]:
            kills(int(more[0]) if more else KILLS)
            return 0
        case ["busy", *more]:
            with tempfile.TemporaryDirectory() as name, endurance(Path(name), BUSY_TIMES) as (_, routers, watcher):
                found = busy(routers, watcher, Path(name), float(more[0]) if more else BUSY_S)
            print(found.told())
            return 1 if found.unexplained else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
