"""The numbered scenarios of the reference (section 9, column "new") that need a kernel, ARP or traffic: a whole pair.

K = 0.5 s, D = 3 s, a shared key, connection sync. Those with an original partner, and 36, are in test_scenarios_arp.
"""

import contextlib
import itertools
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.lab.recording import Kind, Recording, Seen, longest_gap_s, only, recorded
from tests.lab.running_pair import (
    Pair,
    Talk,
    carries,
    cut_off,
    hook_runs,
    in_step,
    is_active,
    routers_of,
    running,
    swap,
    switch_on,
    text_of,
    times,
    told,
)
from tests.lab.running_router import RealServers, RunningRouter, asked, connected, until
from tests.lab.stalls import Watcher, watched
from tests.lab.test_engine import VIP, everyone, is_table, virtual
from tests.lab.test_pair import known
from tests.lab.test_sync import GATEWAY, printed
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

KEEPALIVE_S, DEADTIME_S = 0.5, 3.0
RHYTHM_S = 0.15
"""How much later than due a heartbeat may be, besides the time for which the kernel stood still."""
VIP2 = "198.51.100.101"
PORTS = (8080, 8081, 8082, 8083)
WEIGHTS = dict(zip(everyone(), (1, 2, 3, 4), strict=True))
FIRST, WEB, SECOND = virtual(8082, everyone()), virtual(8080, WEIGHTS), virtual(8081, everyone(), "wlc")
NEW = virtual(8083, everyone())
ARP_S = 6.0
"""The original went on announcing for 5 s."""


@dataclass
class Scene:
    """The pair and what watches it; `active` and `passive` are the routers as they are at the beginning of a test."""

    lab: Topology
    routers: Pair
    watcher: Watcher
    connections: dict[str, socket.socket] = field(default_factory=dict)

    @property
    def start(self) -> str:
        """Return the lvs.cf that every test begins with."""
        return text_of(self.lab, FIRST, WEB, SECOND)

    @property
    def active(self) -> RunningRouter:
        return next(each for each in self.routers if carries(each.host))

    @property
    def passive(self) -> RunningRouter:
        return next(each for each in self.routers if not carries(each.host))

    def reload(self, text: str) -> None:
        """Have both routers read a text, by SIGHUP to their pulse."""
        before = [each.said().count("lvs.cf applied by") for each in self.routers]
        self.hang_up(text)
        for router, count in zip(self.routers, before, strict=True):
            until(lambda: router.said().count("lvs.cf applied by") > count, 20, "it is applied")  # noqa: B023
        until(lambda: in_step(self.active, self.passive), 20, "both run the same and have checked everybody")

    def hang_up(self, text: str) -> None:
        for each in self.routers:
            each.write(text)
            assert each.process is not None
            each.process.send_signal(signal.SIGHUP)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Give a pair that runs, with open connections to two of its virtual servers."""
    folder = tmp_path_factory.mktemp("pair")
    lab = Topology(NAT)
    lab.make()
    servers = RealServers(lab, PORTS)
    servers.start()
    try:
        with contextlib.ExitStack() as stack:
            watcher = stack.enter_context(watched(lab["client"], folder / "stalls"))
            routers = routers_of(lab, folder, text_of(lab, FIRST, WEB, SECOND), times(KEEPALIVE_S, DEADTIME_S))
            scene = Scene(lab, stack.enter_context(running(routers)), watcher)
            for port in (8080, 8081):
                for _ in everyone():
                    connection = stack.enter_context(connected(lab["client"], VIP, port))
                    scene.connections[asked(connection)] = connection
            yield scene
    finally:
        lab.remove()
        servers.stop()


@pytest.fixture
def scene(begun: Scene) -> Scene:
    """Give the pair with both routers running and in step."""
    for each in begun.routers:
        assert each.process is not None
        if each.process.poll() is not None:
            each.start()
    until(lambda: sum(carries(each.host) for each in begun.routers) == 1, 20, "one is active")
    until(lambda: in_step(begun.active, begun.passive), 30, "the other one is ready")
    return begun


@contextlib.contextmanager
def nothing_moves(scene: Scene, *, restores: bool = True) -> Iterator[tuple[Recording, Recording]]:
    """Look at what a reload does: heartbeats keep their rhythm, nobody changes state, open connections go on.

    Give the recordings of the active and the passive router; at the end what runs is what ran before: `restores` it,
    or the block changed nothing of it.
    """
    active, passive = scene.active, scene.passive
    since = told(active).since, told(passive).since
    began = time.monotonic()
    assert {*scene.connections} == {f"{name}:{port}" for name in everyone() for port in (8080, 8081)}
    with recorded(active.host) as here, recorded(passive.host) as there:
        yield here, there
        if restores:
            scene.reload(scene.start)
        until(lambda: is_table(active, scene.start), 15, "all is as before")
        for router, recording, word in ((active, here, "RUNNING"), (passive, there, "STOPPED")):
            until(lambda: len(spoken(recording)) > 2, 10, "heartbeats go on")  # noqa: B023
            heartbeats = spoken(recording)
            assert {each.says for each in heartbeats} == {word}
            assert longest_gap_s(heartbeats) < KEEPALIVE_S + RHYTHM_S + scene.watcher.longest_s(began), router.host.name
        assert only(there.seen(), Kind.TABLE) == [] and only(there.seen(), Kind.ADDRESS) == []
    assert (told(active).since, told(passive).since) == since
    for name, connection in scene.connections.items():
        assert asked(connection) == name


def spoken(recording: Recording) -> list[Seen]:
    """Return the heartbeats that a router sent."""
    return [each for each in only(recording.seen(), Kind.HEARTBEAT) if each.is_ours]


def orders(recording: Recording) -> list[tuple[str, str]]:
    """Return what was ordered of IPVS since the last look: the port of the virtual server, and the order."""
    return [(each.about, each.says) for each in only(recording.taken(), Kind.TABLE)]


def test_scenario_55_the_active_router_is_the_master_of_the_connection_sync(scene: Scene) -> None:
    for router, role in ((scene.active, "master"), (scene.passive, "backup")):
        (daemon,) = printed(router.host)
        assert daemon.startswith(f"{role} sync daemon (mcast=eth1, syncid=7, ")


def test_scenario_19_20_a_real_server_that_leaves_concerns_nobody_else(scene: Scene) -> None:
    few = text_of(scene.lab, FIRST, virtual(8080, {name: WEIGHTS[name] for name in ("rs1", "rs2", "rs3")}), SECOND)
    drained = f"-a -t {VIP}:8080 -r 10.0.0.24:8080 -m -w 0"
    with nothing_moves(scene) as (here, _):
        scene.reload(few)
        until(lambda: is_table(scene.active, few, (drained,)), 15, "it gets no new connections")
        assert orders(here) == [("8080", "set server")], "its weight is 0, and its connection goes on"
        assert asked(scene.connections["rs4:8080"]) == "rs4:8080"


def test_scenario_21_another_order_of_the_sections_changes_nothing(scene: Scene) -> None:
    with nothing_moves(scene, restores=False) as (here, _):
        scene.reload(text_of(scene.lab, SECOND, WEB, FIRST))
        assert orders(here) == []


def test_scenario_21a_the_first_section_leaves_and_only_that_virtual_server_goes(scene: Scene) -> None:
    text = text_of(scene.lab, WEB, SECOND)
    with nothing_moves(scene) as (here, _):
        scene.reload(text)
        until(lambda: is_table(scene.active, text), 15, "it is gone")
        found = orders(here)
        assert ("8082", "delete service") in found and {port for port, _ in found} == {"8082"}


def test_scenario_21b_a_section_in_front_of_the_others_is_added_and_nothing_else(scene: Scene) -> None:
    text = text_of(scene.lab, NEW, FIRST, WEB, SECOND)
    with nothing_moves(scene) as (here, _):
        scene.reload(text)
        until(lambda: is_table(scene.active, text), 15, "it is there")
        assert sorted(orders(here)) == [*[("8083", "new server")] * 4, ("8083", "new service")]


def test_scenario_22_weight_and_scheduler_are_changed_in_place(scene: Scene) -> None:
    text = text_of(scene.lab, FIRST, WEB, virtual(8081, everyone() | {"rs2": 5}, "wrr"))
    with nothing_moves(scene) as (here, _):
        scene.reload(text)
        until(lambda: is_table(scene.active, text), 15, "both are changed")
        assert sorted(orders(here)) == [("8081", "set server"), ("8081", "set service")]


def test_scenario_23_a_file_with_an_error_is_told_with_its_line_and_what_runs_goes_on(scene: Scene) -> None:
    broken = scene.start.replace("scheduler = wlc", "scheduler = nonsense")
    line = broken.splitlines().index("scheduler = nonsense") + 1
    with nothing_moves(scene, restores=False) as (here, _):
        before = [len(each.said()) for each in scene.routers]
        scene.hang_up(broken)
        for router, length in zip(scene.routers, before, strict=True):
            until(lambda: f"lvs.cf:{line}" in router.said()[length:], 20, "it is refused with its line")  # noqa: B023
        assert orders(here) == []
        assert is_table(scene.active, scene.start)


def test_scenario_24_a_section_with_a_new_address_gets_table_address_and_announcements(scene: Scene) -> None:
    text = text_of(scene.lab, FIRST, WEB, SECOND, virtual(8083, everyone()).replace(VIP, VIP2))
    active, mac = scene.active, scene.active.host.mac("dmz")
    with nothing_moves(scene) as (here, there):
        scene.reload(text)
        until(lambda: only(here.seen(), Kind.ARP, VIP2, mac)[1:], 15, "two rounds of announcements")
        seen = here.seen()
        table, address = only(seen, Kind.TABLE), only(seen, Kind.ADDRESS)
        assert {each.about for each in table} == {"8083"}
        assert [(each.about, each.says) for each in address] == [(VIP2, "here")]
        assert seen.index(table[0]) < seen.index(address[0]) < seen.index(only(seen, Kind.ARP, VIP2)[0])
        assert only(there.seen(), Kind.ARP, VIP2, mac), "the neighbours hear them"
        with pytest.raises(ConnectionRefusedError):  # the router answers, and no connection has to drain
            connected(scene.lab["client"], VIP2, 9)
    until(lambda: VIP2 not in active.addresses(), 10, "and goes with its section")


def drop_heartbeats(here: RunningRouter, there: RunningRouter) -> None:
    for each, partner in ((here, there), (there, here)):
        each.host.run("iptables-legacy", "-A", "INPUT", "-p", "udp", "-s", partner.host.address("dmz"), "-j", "DROP")


def test_scenario_13_14_15_when_both_hear_each_other_again_the_backup_lets_go_and_the_primary_announces_once(
    scene: Scene,
) -> None:
    primary, backup = scene.routers
    if not carries(primary.host):
        swap((backup, primary))
    commands = hook_runs(primary), hook_runs(backup)
    drop_heartbeats(primary, backup)
    until(lambda: is_active(backup), 3 * DEADTIME_S, "both are active")
    until(lambda: hook_runs(backup) == [*commands[1], "active"], 10, "the backup's active_cmd was run")
    with recorded(backup.host) as recording:
        for each in (primary, backup):
            each.host.run("iptables-legacy", "-F", "INPUT")
        until(lambda: told(backup).state == "passive", 10, "the backup yields")
        select.select([], [], [], ARP_S)
        seen = recording.taken()
    (gone,) = only(seen, Kind.ADDRESS, VIP, "gone")
    ours = [each for each in seen if each.is_ours]
    words = [each.says for each in ours[ours.index(gone) :] if each.kind is Kind.HEARTBEAT]
    assert words[0] == "STOPPED" and set(words) == {"STOPPED"}, "first the address goes, then it is said"
    heard = next(each for each in seen if each.kind is Kind.HEARTBEAT and not each.is_ours)
    assert gone.at - heard.at < KEEPALIVE_S, "it yields as soon as it hears the primary"
    announces_once(seen, primary.host, next(each for each in ours[ours.index(gone) :] if each.says == "STOPPED"))
    is_silent(seen[seen.index(gone) :], backup.host)
    assert hook_runs(primary) == commands[0], "active_cmd is not run again"
    assert hook_runs(backup) == [*commands[1], "active", "inactive"]


def announces_once(seen: list[Seen], host: Host, stopped: Seen) -> None:
    """Hold the announcements of the one that keeps the addresses against one series, begun anew when the other let go.

    `stopped`: the other's first heartbeat behind its addresses.
    """
    for address, net in ((VIP, "dmz"), (GATEWAY, "private")):
        times = [each.at for each in only(seen, Kind.ARP, address, host.mac(net))]
        after = [at for at in times if at >= stopped.at]
        assert 4 <= len(after) <= 6, "a series of five, or the end of it"
        assert len(times) <= 7
        assert all(later - before > 0.5 for before, later in itertools.pairwise(after)), times
        assert after[0] - stopped.at < 1, "those who believed the other one hear of it at once"


def is_silent(seen: list[Seen], host: Host) -> None:
    """Say that a router announced none of the floating addresses."""
    for address, net in ((VIP, "dmz"), (GATEWAY, "private")):
        for kind in (Kind.ARP, Kind.ARP_REPLY):
            assert only(seen, kind, address, host.mac(net)) == []


def test_scenario_4_56_58_a_passive_router_that_is_stopped_leaves_nothing_and_a_trial_start_touches_nothing(
    scene: Scene,
) -> None:
    active, passive = scene.active, scene.passive
    commands = hook_runs(passive)
    with recorded(passive.host) as recording:
        assert passive.end(signal.SIGTERM) == 0
        assert hook_runs(passive) == [*commands, "inactive"]
        assert printed(passive.host) == [] and passive.table() == []
        stopped = only(recording.taken(), Kind.HEARTBEAT, passive.host.address("dmz"))
        assert {each.says for each in stopped} == {"STOPPED"}

        before = everything(passive)
        words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(passive.paths.root), "--test-start"]
        printed_plan = passive.host.run(*words)
        assert everything(passive) == before
        seen = recording.taken()
        assert [each for each in seen if each.is_ours and each.kind is not Kind.HEARTBEAT] == []
        assert only(seen, Kind.HEARTBEAT, passive.host.address("dmz")) == []
    assert f"{VIP}/32 on eth0:1" in printed_plan and f"{GATEWAY}/24 on eth1:1" in printed_plan
    assert sorted(line for line in printed_plan.splitlines() if line.startswith("-")) == sorted(active.table())
    assert is_active(active)
    starts_beside(scene, active, passive)


def starts_beside(scene: Scene, active: RunningRouter, passive: RunningRouter) -> None:
    """Start a router beside an active one: it touches neither table nor addresses, and its sync daemon listens."""
    with recorded(passive.host) as recording:
        passive.start()
        until(lambda: in_step(active, passive), 30, "it is ready")
        seen = recording.taken()
    assert only(seen, Kind.ADDRESS) == []
    assert [each.says for each in only(seen, Kind.TABLE)] == ["new daemon"]
    words = [each.says for each in only(seen, Kind.HEARTBEAT) if each.is_ours]
    assert set(words) <= {"HELD", "STOPPED"} and words[-1] == "STOPPED"


def everything(router: RunningRouter) -> tuple[object, ...]:
    """Return what a start could touch: files, addresses, table, sync daemons, processes."""
    files = {path: path.stat().st_mtime_ns for path in router.paths.root.rglob("*") if path.name != "pulse.log"}
    return files, router.addresses(), router.table(), printed(router.host), router.pids("pulse"), router.pids("lvs")


@contextlib.contextmanager
def talking(scene: Scene) -> Iterator[Talk]:
    """Have a connection that both routers know; at the end it goes on, with the same real server."""
    talk = Talk(scene.lab["client"], 8080)
    talk.start()
    try:
        passive = scene.passive.host
        until(lambda: talk.port in known(passive), 15, "the passive router knows it")
        yield talk
        count = len(talk.answered_at) + 10
        until(lambda: len(talk.answered_at) > count or talk.failure, 25, "it goes on")
    finally:
        talk.end()
    assert (talk.failure, len(talk.names)) == ("", 1)


def test_scenario_60b_an_open_connection_lives_on_over_an_orderly_stop_within_a_second(scene: Scene) -> None:
    active, passive = scene.active, scene.passive
    with talking(scene) as talk:
        began = time.monotonic()
        assert active.end(signal.SIGTERM) == 0
        until(lambda: is_active(passive), 15, "the other router takes over")
    print(f"orderly stop: the connection stood still for {talk.stall_s:.2f} s")
    assert talk.stall_s < 1 + scene.watcher.longest_s(began)


def test_scenario_60a_an_open_connection_lives_on_over_a_loss_of_power(scene: Scene) -> None:
    active, passive = scene.active, scene.passive
    with talking(scene) as talk:
        began = time.monotonic()
        until_after_a_heartbeat(active, passive)
        cut_off(active)
        until(lambda: is_active(passive), 15, "the other router takes over")
    switch_on(active)
    print(f"loss of power: the connection stood still for {talk.stall_s:.2f} s, deadtime is {DEADTIME_S:g} s")
    assert DEADTIME_S - 2 * KEEPALIVE_S < talk.stall_s < DEADTIME_S + 1 + scene.watcher.longest_s(began)


def until_after_a_heartbeat(active: RunningRouter, passive: RunningRouter) -> None:
    """Wait until most of a keepalive is over: TCP tries again after 3.1 s, and has to find the new router then."""
    with recorded(passive.host) as recording:
        until(lambda: any(each.kind is Kind.HEARTBEAT and not each.is_ours for each in recording.taken()), 10, "heard")
        select.select([], [], [], 0.6 * KEEPALIVE_S)
