"""What a real pair endures: killed processes, busy machines, and a hundred thousand datagrams that do not count.

The long versions are `python -m tests.lab.endure kills` and `busy`, in the lab.
"""

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from piranha.system import heartbeat_key
from tests.lab.endure import BUSY_DEADTIME_S, BUSY_TIMES, KILL_TIMES, busy, endurance, killed_and_back, roles
from tests.lab.hostile import REASONS, counted, heard, heard_by, lost, memory_kib, nasty, send, wires
from tests.lab.recording import Kind, longest_gap_s, only, recorded
from tests.lab.running_pair import Pair, told
from tests.lab.running_router import until
from tests.lab.stalls import Watcher
from tests.lab.topology import Topology

KEEPALIVE_S = 0.5
EACH, WARM = 50_000, 2_000
"""Datagrams to each of the two routers, behind some that are not counted here."""
RHYTHM_S = 0.15
"""How much later than due a heartbeat may be, besides the time for which the kernel stood still."""
GROWS_KIB = 512
BUSY_S = 10.0


@dataclass(frozen=True)
class Scene:
    """A pair and what belongs to it."""

    lab: Topology
    routers: Pair
    watcher: Watcher


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with endurance(tmp_path_factory.mktemp("endurance"), KILL_TIMES) as (lab, routers, watcher):
        yield Scene(lab, routers, watcher)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("target", ["active", "passive"])
def test_point_6_what_does_not_count_is_counted_and_moves_nothing(scene: Scene, target: str) -> None:
    active, passive = roles(scene.routers)
    router, partner = (active, passive) if target == "active" else (passive, active)
    dice = random.Random(target)
    said = list(nasty(dice, heard_by(router.host), heartbeat_key.read(router.paths)[0], EACH + WARM))
    since = told(active).since, told(passive).since
    with wires(scene.lab, router.host, partner.host) as (forged, strange):
        before, lost_before = counted(router), lost(router)
        send(router, said[:WARM], forged, strange)
        memory, began = memory_kib(router), time.monotonic()
        with recorded(partner.host) as recording:
            heard_before = heard(router)
            send(router, said[WARM:], forged, strange)
            took_s = time.monotonic() - began
            missed = lost(router) - lost_before
            until(lambda: counted(router) - before == EACH + WARM - missed, 20, "each one is counted")
            # What is told is a second old, which is two heartbeats.
            sent = len([each for each in only(recording.seen(), Kind.HEARTBEAT) if each.is_ours])
            assert heard(router) - heard_before >= sent - missed - 3, "the partner was heard all the time"
            heartbeats = [each for each in only(recording.seen(), Kind.HEARTBEAT) if not each.is_ours]
    print(f"{target}: {EACH} datagrams in {took_s:.1f} s, {missed} lost, memory {memory} -> {memory_kib(router)} KiB")
    print(f"heartbeats at most {longest_gap_s(heartbeats) * 1000:.0f} ms apart")
    assert missed < EACH / 100, "these were not tested"
    assert {each.says for each in heartbeats} == {"RUNNING" if target == "active" else "STOPPED"}
    assert longest_gap_s(heartbeats) < KEEPALIVE_S + RHYTHM_S + scene.watcher.longest_s(began)
    assert memory_kib(router) - memory < GROWS_KIB
    assert (told(active).since, told(passive).since) == since
    assert roles(scene.routers) == (active, passive)
    assert {each.reason for each in told(router).rejected} == {*REASONS}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("program", ["pulse", "lvs"])
def test_point_7_a_process_of_the_active_router_is_killed_and_back_in_time(scene: Scene, program: str) -> None:
    killed_and_back(scene.routers, scene.lab["client"], program)


@pytest.mark.timeout(240)
def test_point_5_busy_machines_with_timers_of_100_ms_do_not_fail_over(scene: Scene, tmp_path: Path) -> None:
    for each in scene.routers:
        each.paths.piranha_toml.write_text(BUSY_TIMES)
        assert each.process is not None
        each.process.send_signal(signal.SIGHUP)
    until(lambda: {told(each).deadtime_s for each in scene.routers} == {BUSY_DEADTIME_S}, 20, "they have other timers")
    found = busy(scene.routers, scene.watcher, tmp_path, BUSY_S)
    print(found.told())
    assert found.unexplained == []
    assert all(len(gaps) > 0.5 * found.seconds / 0.1 for gaps in found.gaps.values())
