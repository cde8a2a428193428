"""How long nobody serves at a failover, beside keepalived in the same boot and topology. Run inside the lab:

    python -m tests.lab.bench_failover [RUNS] [WORD...]

A client begins a connection every 20 ms. The gap is the longest time between the beginnings of two connections that
were answered promptly (within 0.3 s, so without a retransmitted SYN). The switch is the time from the last packet of
the virtual IP address through one router to the first through the other, in one capture where the client's way begins,
by the kernel's clock. What happens is swept evenly over the time between two heartbeats, which are listened for. Both
have the same time until a silent partner is dead: deadtime here, three times advert_int there. Printed: median,
smallest and largest of each, the ratio of the medians of the gaps, and how many connections failed. Exit status 1 if a
bound is broken: the median of a power loss at most 1.1 times keepalived's; for planned moves a switch of 50 ms in the
median and 200 ms at most, and no connection that fails.
"""

import select
import socket
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.failover_rig import ETH_P_IP, Keepalived, Knocks, Ours, PowerSwitch, Way
from tests.lab.running_router import RealServers, until
from tests.lab.test_sync import NAMES, carries
from tests.lab.topologies import NAT
from tests.lab.topology import Topology

SETTLE_S = 1.0
RATIO_MOST = 1.1
SWITCH_MEDIAN_S, SWITCH_MOST_S = 0.05, 0.2
FAILBACK_AFTER_S = 2.0
Kind = type[Ours] | type[Keepalived]
Router = Ours | Keepalived


@dataclass
class Found:
    """What was measured: the gaps and the switches, seconds, and how many connections failed, by the reason."""

    gaps: list[float] = field(default_factory=list)
    switches: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    unreachable: Counter[str] = field(default_factory=Counter)

    def note(self, knocks: Knocks, way: Way) -> None:
        self.gaps.append(knocks.gap_s)
        self.switches.append(way.switch_s)
        self.failed.update(knocks.failed)
        self.unreachable.update(way.unreachable)


@dataclass(frozen=True)
class Measure:
    """A thing that happens. `begin` makes it happen to the active router, `mend` undoes it before the next time.

    `is_planned`: nobody who means well is hurt. `is_theirs`: keepalived can do it too. `moves`: the addresses go to the
    other router. `failback`: of the primary.
    """

    name: str
    interval_s: float
    begin: Callable[["Scene"], None]
    mend: Callable[["Scene"], None] = lambda scene: None
    is_planned: bool = True
    is_theirs: bool = False
    moves: bool = True
    failback: str = "never"


class Scene:
    """Two routers of one kind: `active` has the addresses. `switch` takes the power of the active one."""

    def __init__(self, lab: Topology, kind: Kind, measure: Measure, folder: Path) -> None:
        one, two = lab["lvs1"], lab["lvs2"]
        extra = f'failback = "{measure.failback}"\nfailback_after = {FAILBACK_AFTER_S}\n'
        self.active: Router = kind(one, folder, two, True, measure.interval_s, extra)
        self.passive: Router = kind(two, folder, one, False, measure.interval_s, extra)
        self.measure = measure
        self.switch: PowerSwitch | None = None

    def start(self) -> None:
        self.active.start()
        until(lambda: carries(self.active.host), 30, "the first router is active")
        self.passive.start()

    def is_ready(self) -> bool:
        table = self.active.host.run("ipvsadm", "-Sn")
        return table.count(" -r ") >= 4 and carries(self.active.host) and self.passive.is_ready()

    def wait_for_phase(self, after_s: float) -> None:
        """Return `after_s` after a heartbeat of the active router was seen at the passive one."""
        with self.passive.host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)) as ear:
            with self.passive.host.inside():
                ear.bind(("eth0", ETH_P_IP))
            ear.settimeout(10)
            source = socket.inet_aton(self.active.host.address("dmz"))
            while True:
                packet = ear.recv(2048)
                if packet[12:16] == source and self.active.is_heartbeat(packet):
                    select.select([], [], [], after_s)
                    return

    def swap(self) -> None:
        self.active, self.passive = self.passive, self.active

    def cut_off(self) -> None:
        """Have the routers not hear each other."""
        host, partner = self.active.host, self.passive.host
        for net in ("dmz", "private"):
            for words in (("INPUT", "-s"), ("OUTPUT", "-d")):
                host.run("iptables-legacy", "-A", *words, partner.address(net), "-j", "DROP")

    def heal(self) -> None:
        self.active.host.run("iptables-legacy", "-F")


def _power_off(scene: Scene) -> None:
    assert scene.switch is not None
    scene.switch.off()


def _power_on(scene: Scene) -> None:
    assert scene.switch is not None
    scene.switch.on()
    scene.passive.start()


def _start_again(scene: Scene) -> None:
    scene.passive.start()


def _restart(scene: Scene) -> None:
    scene.active.stop()
    scene.active.start()


def _lose_the_primary(scene: Scene) -> None:
    """Have the backup serve, and the primary come back: it takes over again by itself."""
    scene.active.stop()
    until(lambda: carries(scene.passive.host), 20, "the backup takes over")
    scene.swap()


def _both_own(scene: Scene) -> None:
    scene.cut_off()
    until(lambda: carries(scene.passive.host), 20, "both own the addresses")


MEASURES = (
    Measure("power loss, 1 s / 3 s", 1.0, _power_off, _power_on, is_planned=False, is_theirs=True),
    Measure("power loss, 100 ms / 300 ms", 0.1, _power_off, _power_on, is_planned=False, is_theirs=True),
    Measure("orderly stop", 1.0, lambda scene: scene.active.stop(), _start_again, is_theirs=True),
    Measure("hand-over", 1.0, lambda scene: scene.active.hand_over()),
    Measure("fail-back", 1.0, lambda scene: scene.passive.start(), failback="auto"),
    Measure("restart of pulse", 1.0, _restart),
    Measure("heal of a partition", 1.0, lambda scene: scene.heal(), moves=False),
)
"""What happens in each, (a) to (g)."""


def measured(lab: Topology, kind: Kind, measure: Measure, runs: int) -> Found:
    """Return what so many times brought."""
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(lab, kind, measure, Path(folder))
        scene.start()
        for number in range(runs):
            until(scene.is_ready, 40, "both routers are ready")
            if measure.failback == "auto":
                _lose_the_primary(scene)
            if not measure.moves:
                _both_own(scene)
            scene.switch = PowerSwitch(scene.active)
            if not measure.is_planned:
                scene.switch.arm()
            knocks, way = Knocks(lab["client"]), Way(lab["upstream"])
            way.start()
            knocks.start()
            select.select([], [], [], SETTLE_S)
            if measure.moves:
                scene.wait_for_phase(measure.interval_s * number / runs)
            measure.begin(scene)
            _wait_for_the_end(scene, way)
            select.select([], [], [], SETTLE_S)
            knocks.end()
            way.end()
            found.note(knocks, way)
            if measure.moves:
                scene.swap()
            measure.mend(scene)
        for each in (scene.active, scene.passive):
            each.kill()
            PowerSwitch(each).on()
    return found


def _wait_for_the_end(scene: Scene, way: Way) -> None:
    """Wait until it is over, without a program that would take the processor away from it."""
    within_s = 3 * scene.measure.interval_s + 5 + (20 if scene.measure.failback == "auto" else 0)
    if scene.measure.moves:
        until(lambda: way.others, within_s, "packets come through the other router")
    else:
        until(lambda: carries(scene.active.host) != carries(scene.passive.host), within_s, "one of them yields")
        if not carries(scene.active.host):
            scene.swap()


def _words(values: list[float]) -> str:
    return ", ".join(f"{each * 1000:.0f}" for each in (statistics.median(values), min(values), max(values)))


def _told(measure: Measure, kind: Kind, found: Found) -> None:
    print(f"{measure.name}: {kind.name}: median, least, most: gap {_words(found.gaps)} ms", end="")
    if measure.moves:
        print(f"; switch {_words(found.switches)} ms", end="")
    unreachable = f"; ICMP from {dict(found.unreachable)}" if found.unreachable else ""
    print(f"; failed: {dict(found.failed) or 'none'}{unreachable}", flush=True)


def _broken(measure: Measure, ours: Found, theirs: Found | None) -> list[str]:
    """Print the ratio, and return what is not as it should be."""
    broken = []
    if theirs is not None:
        ratio = statistics.median(ours.gaps) / statistics.median(theirs.gaps)
        print(f"{measure.name}: ratio of the medians of the gaps {ratio:.2f}", flush=True)
        if not measure.is_planned and ratio > RATIO_MOST:
            broken.append(f"{measure.name}: above {RATIO_MOST:g} times")
    if measure.is_planned and ours.failed:
        broken.append(f"{measure.name}: connections failed")
    is_quick = statistics.median(ours.switches) <= SWITCH_MEDIAN_S and max(ours.switches) <= SWITCH_MOST_S
    if measure.is_planned and measure.moves and not is_quick:
        broken.append(f"{measure.name}: above {SWITCH_MEDIAN_S * 1000:g} ms, or {SWITCH_MOST_S * 1000:g} ms once")
    return broken


def main() -> int:
    """Print the table; return the exit status."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    chosen = [each for each in MEASURES if not sys.argv[2:] or any(word in each.name for word in sys.argv[2:])]
    lab = Topology(NAT)
    lab.make()
    servers = RealServers(lab, (NAMES, 8090))
    servers.start()
    broken = []
    try:
        for measure in chosen:
            ours = measured(lab, Ours, measure, runs)
            _told(measure, Ours, ours)
            theirs = measured(lab, Keepalived, measure, runs) if measure.is_theirs else None
            if theirs is not None:
                _told(measure, Keepalived, theirs)
            broken += _broken(measure, ours, theirs)
    finally:
        lab.remove()
        servers.stop()
    for each in broken:
        print(f"Broken: {each}.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
