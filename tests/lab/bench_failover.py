"""How long nobody serves at a failover, beside keepalived in the same boot and topology. Run inside the lab:

    python -m tests.lab.bench_failover [RUNS] [MEASURE...]

A client begins a connection every 20 ms. The gap is the longest time between the beginnings of two connections that
were answered promptly (within 0.3 s, so without a retransmitted SYN). The cut is swept evenly over the time between two
heartbeats, which are listened for. Both have the same time until a silent partner is dead: deadtime here, three times
advert_int there. Printed: median, smallest and largest gap of each, and the ratio of the medians; also how many
connections failed. Exit status 1 if the median of a power loss is more than 1.1 times keepalived's.
"""

import itertools
import os
import select
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from piranha.monitoring import FailoverCommand
from tests.lab.running_router import RealServers, RunningRouter, until
from tests.lab.test_engine import VIP
from tests.lab.test_sync import NAMES, carries, pair
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

GATEWAY = "10.0.0.254"
EVERY_S, PROMPT_S, FAILED_S = 0.02, 0.3, 5.0
SETTLE_S = 1.0
RATIO_MOST = 1.1
_ETH_P_IP = 0x0800


@dataclass
class Knocks(threading.Thread):
    """Begins a connection every 20 ms; `answered` has the beginnings of those that were answered promptly."""

    client: Host
    answered: list[float] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(name="knocks")

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        with self.client.inside(), selectors.DefaultSelector() as selector:
            waiting: dict[socket.socket, float] = {}
            next_at = time.monotonic()
            while not self._over.is_set() or waiting:
                now = time.monotonic()
                if now >= next_at and not self._over.is_set():
                    next_at = max(next_at + EVERY_S, now)
                    knock = socket.socket()
                    knock.setblocking(False)
                    knock.connect_ex((VIP, NAMES))
                    selector.register(knock, selectors.EVENT_WRITE)
                    waiting[knock] = now
                for key, _ in selector.select(max(0.0, min(0.1, next_at - time.monotonic()))):
                    knock = key.fileobj  # type: ignore[assignment]
                    began = waiting.pop(knock)
                    if problem := knock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        self.fail(os.strerror(problem))
                    elif time.monotonic() - began < PROMPT_S:
                        self.answered.append(began)
                    selector.unregister(knock)
                    knock.close()
                for knock in [each for each, began in waiting.items() if time.monotonic() - began > FAILED_S]:
                    self.fail("no answer")
                    del waiting[knock]
                    selector.unregister(knock)
                    knock.close()

    def fail(self, why: str) -> None:
        self.failed[why] = self.failed.get(why, 0) + 1

    def end(self) -> None:
        self._over.set()
        self.join()

    @property
    def gap_s(self) -> float:
        times = sorted(self.answered)
        return max(after - before for before, after in itertools.pairwise(times))


class Ours:
    """Piranha on one router."""

    name = "piranha"

    def __init__(self, host: Host, folder: Path, partner: Host, primary: bool, interval_s: float) -> None:
        self.host = host
        self.router = RunningRouter(host, folder / host.name)
        hosts = (host, partner) if primary else (partner, host)
        self.router.write(pair(*hosts))
        times = f"keepalive = {interval_s}\ndeadtime = {3 * interval_s}\n"
        self.router.paths.piranha_toml.write_text(f'[failover]\n{times}failback = "never"\n')

    def start(self) -> None:
        self.router.start()

    def is_ready(self) -> bool:
        status = self.router.status().redundancy
        partner = status.partner if status is not None else None
        return status is not None and status.state == "passive" and partner is not None and bool(partner.is_ready)

    def kill(self) -> None:
        if self.router.process is not None and self.router.process.poll() is None:
            self.router.end(signal.SIGKILL)

    def stop(self) -> None:
        self.router.end(signal.SIGTERM)

    def hand_over(self) -> None:
        assert self.router.client.failover(FailoverCommand.HAND_OVER).done

    @staticmethod
    def is_heartbeat(packet: bytes) -> bool:
        return packet[9] == socket.IPPROTO_UDP and packet[22:24] == (539).to_bytes(2, "big")


class Keepalived:
    """keepalived on one router."""

    name = "keepalived"

    def __init__(self, host: Host, folder: Path, partner: Host, primary: bool, interval_s: float) -> None:
        self.host, self.folder = host, folder / f"k-{host.name}"
        self.folder.mkdir()
        self.process: subprocess.Popen[str] | None = None
        servers = "".join(
            f"real_server 10.0.0.{number} {NAMES} {{\nweight 1\nTCP_CHECK {{\nconnect_timeout 2\n}}\n}}\n"
            for number in (21, 22, 23, 24)
        )
        (self.folder / "conf").write_text(
            "global_defs {\nvrrp_version 3\n}\n"
            "vrrp_instance lvs {\nstate BACKUP\nnopreempt\ninterface eth0\nvirtual_router_id 51\n"
            f"priority {254 if primary else 253}\n"
            f"advert_int {interval_s:g}\n"
            f"virtual_ipaddress {{\n{VIP}/32 dev eth0\n{GATEWAY}/24 dev eth1\n}}\n}}\n"
            f"virtual_server {VIP} {NAMES} {{\ndelay_loop 2\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n{servers}}}\n"
        )

    def start(self) -> None:
        files = [word for letter in "prc" for word in (f"-{letter}", str(self.folder / f"pid-{letter}"))]
        words = ["keepalived", "-n", "-l", "-f", str(self.folder / "conf"), *files]
        self.process = self.host.start(*words, output=self.folder / "log")

    def is_ready(self) -> bool:
        return self.host.run("ipvsadm", "-Sn").count(" -r ") == 4

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            found = subprocess.run(
                ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
            ).stdout.split()
            self.process.kill()  # the parent first: it would start the others again
            self.process.wait()
            for pid in found:
                subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
            for name in ("pid-p", "pid-r", "pid-c"):
                (self.folder / name).unlink(missing_ok=True)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait()

    hand_over = stop  # it has no command for it

    @staticmethod
    def is_heartbeat(packet: bytes) -> bool:
        return packet[9] == 112  # VRRP


def switch_off(router: Ours | Keepalived) -> None:
    """Take the power away: first the cables, so that nothing is said any more."""
    router.host.ip("link set eth0 down", "link set eth1 down")
    router.kill()


def switch_on(router: Ours | Keepalived) -> None:
    """Have the machine as it is after a boot."""
    host = router.host
    host.ip("addr flush dev eth0 scope global", "addr flush dev eth1 scope global")
    host.ip("link set eth0 up", "link set eth1 up")
    host.ip(f"addr add {host.address('dmz')}/24 dev eth0", f"addr add {host.address('private')}/24 dev eth1")
    host.ip("route replace default via 198.51.100.1")
    host.run("ipvsadm", "-C")
    if isinstance(router, Ours):
        shutil.rmtree(router.router.paths.run, ignore_errors=True)


def wait_for_phase(active: Ours | Keepalived, passive: Ours | Keepalived, after_s: float) -> None:
    """Return `after_s` after a heartbeat of the active router was seen at the passive one."""
    with passive.host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP)) as ear:
        with passive.host.inside():
            ear.bind(("eth0", _ETH_P_IP))
        ear.settimeout(10)
        source = socket.inet_aton(active.host.address("dmz"))
        while True:
            packet = ear.recv(2048)
            if packet[12:16] == source and active.is_heartbeat(packet):
                select.select([], [], [], after_s)
                return


MEASURES: dict[str, tuple[float, Callable[[Ours | Keepalived], None]]] = {
    "power loss, 1 s / 3 s": (1.0, switch_off),
    "power loss, 100 ms / 300 ms": (0.1, switch_off),
    "orderly stop": (1.0, lambda router: router.stop()),
    "hand-over": (1.0, lambda router: router.hand_over()),
}


def gaps_of(
    lab: Topology, kind: type[Ours] | type[Keepalived], runs: int, measure: str
) -> tuple[list[float], Counter[str]]:
    """Return the gaps of so many moves, seconds, and how many connections failed in all."""
    interval_s, move = MEASURES[measure]
    gaps, failed = [], Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        one, two = lab["lvs1"], lab["lvs2"]
        active = kind(one, Path(folder), two, True, interval_s)
        passive = kind(two, Path(folder), one, False, interval_s)
        active.start()
        until(lambda: carries(active.host), 30, "the first router is active")
        passive.start()
        for number in range(runs):
            until(lambda: passive.is_ready() and active_serves(active), 30, "both are ready")  # noqa: B023
            knocks = Knocks(lab["client"])
            knocks.start()
            select.select([], [], [], SETTLE_S)
            wait_for_phase(active, passive, interval_s * number / runs)
            move(active)
            until(lambda: carries(passive.host), 3 * interval_s + 5, "the other router takes over")  # noqa: B023
            select.select([], [], [], SETTLE_S)
            knocks.end()
            gaps.append(knocks.gap_s)
            failed.update(knocks.failed)
            if move is switch_off:
                switch_on(active)
            if measure != "hand-over" or kind is Keepalived:
                active.start()
            active, passive = passive, active
        for each in (active, passive):
            each.kill()
            switch_on(each)
    return gaps, failed


def active_serves(active: Ours | Keepalived) -> bool:
    return active.host.run("ipvsadm", "-Sn").count(" -r ") >= 4 and carries(active.host)


def main() -> int:
    """Print the table; return the exit status."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    chosen = [each for each in MEASURES if not sys.argv[2:] or any(word in each for word in sys.argv[2:])]
    lab = Topology(NAT)
    lab.make()
    servers = RealServers(lab, (NAMES, 8090))
    servers.start()
    status = 0
    try:
        for measure in chosen:
            medians = {}
            for kind in (Ours, Keepalived):
                gaps, failed = gaps_of(lab, kind, runs, measure)
                medians[kind.name] = statistics.median(gaps)
                told = ", ".join(f"{each * 1000:.0f}" for each in (medians[kind.name], min(gaps), max(gaps)))
                print(
                    f"{measure}: {kind.name}: median, least, most {told} ms; failed: {dict(failed) or 'none'}",
                    flush=True,
                )
            ratio = medians["piranha"] / medians["keepalived"]
            print(f"{measure}: ratio of the medians {ratio:.2f}", flush=True)
            if measure.startswith("power") and ratio > RATIO_MOST:
                status = 1
    finally:
        lab.remove()
        servers.stop()
    return status


if __name__ == "__main__":
    sys.exit(main())
