"""Scenarios 13 to 15 beside an original partner, and 36: one real router; the original is a few words on its wire.

K = 0.5 s, D = 3 s. lvs1 is the primary first and the backup at the end; lvs2 runs nothing but a socket.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from piranha.ha.datagram import Said
from tests.lab.recording import HEARTBEAT_PORT, Kind, now, only, recorded
from tests.lab.running_pair import carries, has_checked, hook_runs, routers_of, stop, text_of, times, told
from tests.lab.running_router import RealServers, RunningRouter, until
from tests.lab.stalls import Watcher, watched
from tests.lab.test_engine import VIP, everyone, is_table, virtual
from tests.lab.test_scenarios import DEADTIME_S, KEEPALIVE_S, announces_once, is_silent
from tests.lab.test_sync import GATEWAY
from tests.lab.topologies import NAT
from tests.lab.topology import Topology

PORT = 8080
ORIGINAL = times(KEEPALIVE_S, DEADTIME_S, 'partner = "original"\n')
SERIES_S = 5.5
"""A series of announcements takes 4 s; the original went on for 5 s."""


@dataclass
class Scene:
    """A router, and where its partner speaks."""

    lab: Topology
    router: RunningRouter
    wire: socket.socket
    watcher: Watcher

    def partner_says(self, said: Said) -> None:
        """Say a word as the original does: four bytes, little endian."""
        self.wire.sendto(int(said).to_bytes(4, "little"), (self.router.host.address("dmz"), HEARTBEAT_PORT))

    def partner_repeats(self, said: Said, for_s: float) -> None:
        """Say it every keepalive."""
        ends_at = time.monotonic() + for_s
        while time.monotonic() < ends_at:
            self.partner_says(said)
            select.select([], [], [], KEEPALIVE_S)

    def is_active(self) -> bool:
        return told(self.router).state == "active" and carries(self.router.host)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("router")
    lab = Topology(NAT)
    lab.make()
    servers = RealServers(lab, (PORT,))
    servers.start()
    router, _ = routers_of(lab, folder, text_of(lab, virtual(PORT, everyone())), ORIGINAL)
    wire = lab["lvs2"].socket(kind=socket.SOCK_DGRAM)
    wire.bind((lab["lvs2"].address("dmz"), HEARTBEAT_PORT))
    try:
        with watched(lab["client"], folder / "stalls") as watcher:
            router.start()
            made = Scene(lab, router, wire, watcher)
            until(made.is_active, 30, "it is active where nobody is heard")
            yield made
    finally:
        stop([router])
        print(router.said())
        wire.close()
        lab.remove()
        servers.stop()
    assert "Traceback" not in router.said()


def test_scenario_13_14_a_primary_answers_an_original_at_once_and_announces_until_it_has_yielded(scene: Scene) -> None:
    router = scene.router
    until(lambda: hook_runs(router)[-1:] == ["active"], 10, "active_cmd was run")
    commands = hook_runs(router)
    began = time.monotonic()
    with recorded(router.host) as recording:
        for said in (Said.RUNNING, Said.RUNNING):  # an original has two channels, and says it on both
            scene.partner_says(said)
        scene.partner_repeats(Said.RUNNING, 2.5 * KEEPALIVE_S)
        scene.partner_repeats(Said.STOPPED, SERIES_S)
        seen = recording.taken()
    ours = [each for each in only(seen, Kind.HEARTBEAT) if each.is_ours]
    heard = [each for each in only(seen, Kind.HEARTBEAT) if not each.is_ours]
    assert {each.says for each in ours} == {"RUNNING"}, "it keeps its addresses"
    answer = next(each for each in ours if each.at > heard[0].at)
    assert answer.at - heard[0].at < 0.1 + scene.watcher.longest_s(began), "the original need not wait for keepalive"
    assert only(seen, Kind.ADDRESS) == [] and only(seen, Kind.TABLE) == []
    announces_once(seen, router.host, next(each for each in heard if each.says == "STOPPED"))
    assert hook_runs(router) == commands, "active_cmd is not run again"


def test_scenario_36_a_killed_pulse_that_comes_back_late_finds_nothing_left_of_it(scene: Scene) -> None:
    router = scene.router
    assert router.process is not None
    text = text_of(scene.lab, virtual(PORT, everyone()))
    with recorded(router.host) as recording:
        router.process.kill()
        router.process.wait()
        killed_at = now()
        until(lambda: not carries(router.host) and router.table() == [], 20, "lvs takes addresses and table away")
        addresses = only(recording.taken(), Kind.ADDRESS)
        assert {(each.about, each.says) for each in addresses} == {(VIP, "gone"), (GATEWAY, "gone")}
        assert addresses[-1].at - killed_at < DEADTIME_S, "before the partner takes them"
        router.launch()
        has_begun_anew(scene, text)
        assert [(each.about, each.says) for each in only(recording.taken(), Kind.ADDRESS)] == [
            (VIP, "here"),
            (GATEWAY, "here"),
        ]


def test_scenario_36_what_an_engine_left_behind_that_was_killed_long_ago_is_cleaned_up(scene: Scene) -> None:
    router = scene.router
    text = text_of(scene.lab, virtual(PORT, everyone()))
    with recorded(router.host) as recording:
        router.end(signal.SIGKILL)
        select.select([], [], [], DEADTIME_S + 0.5)
        assert only(recording.taken(), Kind.ADDRESS) == [] and carries(router.host) and is_table(router, text)
        router.launch()
        has_begun_anew(scene, text)
        seen = recording.taken()
    for address in (VIP, GATEWAY):
        gone, here = only(seen, Kind.ADDRESS, address)
        assert (gone.says, here.says) == ("gone", "here")
        silence = [each for each in only(seen, Kind.HEARTBEAT) if each.is_ours and gone.at < each.at < here.at]
        assert {each.says for each in silence} <= {"RUNNING"}, "undecided, it does not say that it is passive"
        assert here.at - gone.at > DEADTIME_S - 0.2, "it listens first"


def has_begun_anew(scene: Scene, text: str) -> None:
    """Wait until one engine runs and serves."""
    router = scene.router
    until(lambda: router.is_there() and router.status().redundancy is not None, 30, "its API answers")
    until(scene.is_active, 30, "it is active again")
    until(lambda: has_checked(router) and is_table(router, text), 20, "the table is the desired one")
    assert router.process is not None
    assert router.pids("pulse") == [router.process.pid] and len(router.pids("lvs")) == 1


def test_scenario_13_15_a_backup_drops_its_addresses_then_says_running_once_and_stopped_and_announces_no_more(
    scene: Scene,
) -> None:
    router = scene.router
    assert router.process is not None
    router.write(text_of(scene.lab, virtual(PORT, everyone()), swapped=True))
    os.kill(router.process.pid, signal.SIGHUP)
    until(lambda: told(router).role == "backup", 20, "it has the other role")
    assert scene.is_active()
    until(lambda: hook_runs(router)[-1:] == ["active"], 10, "active_cmd was run")
    commands = hook_runs(router)
    with recorded(router.host) as recording:
        scene.partner_repeats(Said.RUNNING, SERIES_S)
        seen = recording.taken()
    heard = next(each for each in only(seen, Kind.HEARTBEAT) if not each.is_ours)
    gone = only(seen, Kind.ADDRESS)
    assert {(each.about, each.says) for each in gone} == {(VIP, "gone"), (GATEWAY, "gone")} and len(gone) == 2
    assert gone[-1].at - heard.at < KEEPALIVE_S, "within keepalive"
    words = [each.says for each in seen[seen.index(gone[-1]) :] if each.kind is Kind.HEARTBEAT and each.is_ours]
    assert words[:2] == ["RUNNING", "STOPPED"] and set(words[1:]) == {"STOPPED"} and len(words) > 8
    is_silent(seen[seen.index(gone[0]) :], router.host)
    assert hook_runs(router) == [*commands, "inactive"]
    assert router.table() == []
