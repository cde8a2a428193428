"""The workers of an engine that is root, on the kernel's table: what they may, and what their deaths change."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from piranha.system.confinement import unprivileged
from tests.lab.running_router import SERVERS, RealServers, RunningRouter, stays, until
from tests.lab.test_engine import BOTH, is_table, serves
from tests.lab.topologies import NAT
from tests.lab.topology import Topology

SECONDS = 10
NONE = "0" * 16


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[RunningRouter]:
    """Return a router that serves both virtual servers."""
    topology = Topology(NAT)
    topology.make()
    servers = RealServers(topology, (8080, 8081))
    servers.start()
    router = RunningRouter(topology["lvs1"], tmp_path)
    router.write(BOTH)
    router.start()
    serves(router)
    yield router
    if router.process is not None and router.process.poll() is None:
        router.end(signal.SIGTERM)
    print(router.said())
    topology.remove()
    servers.stop()


def nannies(router: RunningRouter) -> set[int]:
    return {each.pid for each in router.client.status().processes if each.name == "nanny"}


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_root_makes_no_check_and_a_nannys_death_changes_nothing(serving: RunningRouter) -> None:
    user = unprivileged()
    assert user is not None
    (pid,) = nannies(serving)
    status = status_of(pid)
    assert status["Name"] == "nanny"
    assert status["Uid"].split() == [str(user.uid)] * 4 and status["Gid"].split() == [str(user.gid)] * 4
    assert status["Groups"] == ""
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NONE}
    assert status["NoNewPrivs"] == "1"

    killed: set[int] = set()
    for _ in range(SECONDS):
        for pid in nannies(serving) - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        stays(lambda: is_table(serving, BOTH), 1.0, "the table is as it was")
    assert len(killed) >= 3
    until(lambda: nannies(serving) - killed, 30.0, "another nanny is there")
    healths = [server.health for virtual in serving.client.status().virtual_servers for server in virtual.servers]
    assert [health.state for health in healths] == ["up"] * 2 * len(SERVERS)
    pids = nannies(serving)
    assert serving.end(signal.SIGTERM) == 0
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10.0, "no nanny is left")
