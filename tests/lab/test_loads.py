"""Loads that real programs tell, rstatd with rup and rwhod with ruptime, and what becomes of them in the kernel."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from piranha.health.tuning import STEP_S
from piranha.status import HealthState, ServerStatus
from tests.lab.running_router import SERVERS, RealServers, RunningRouter, until
from tests.lab.test_engine import HEAD, virtual
from tests.lab.topologies import NAT
from tests.lab.topology import Topology

RUP, RUPTIME, OWN, SLOW = 8501, 8502, 8503, 8504
PROGRAM = Path("/usr/local/bin/load-of-the-lab")
ROUND_S = 30.0
"""A question is asked every 20 s; the first answer of all is weighed with itself alone."""
TEXT = (
    HEAD
    + virtual(RUP, {"rs1": 8, "rs2": 8}, "wlc", "load_monitor = rup")
    + virtual(RUPTIME, {"rs1": 8, "rs2": 8}, "wlc", "load_monitor = ruptime")
    + virtual(OWN, dict.fromkeys(SERVERS, 8), "wlc", f"load_monitor = {PROGRAM}")
    + virtual(SLOW, {"rs1": 64, "rs2": 64}, "wlc", "quiesce_server = 1")
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Topology]:
    topology = Topology(NAT)
    topology.make()
    servers = RealServers(topology, (RUP, RUPTIME, OWN, SLOW))
    servers.start()
    yield topology
    servers.stop()
    topology.remove()


@pytest.fixture(scope="module")
def router(lab: Topology, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    """A router whose real servers tell their loads: rs1 by rstatd and rwhod, all of them by a program of root's."""
    folder = tmp_path_factory.mktemp("loads")
    # In the lab's throw-away layer: who may run it, and who may change it, is looked at.
    PROGRAM.write_text("#!/bin/sh\ncase $1 in 10.0.0.24) echo 3,00;; *) echo 0,00;; esac\n")
    PROGRAM.chmod(0o755)
    Path("/run/rpcbind").mkdir(exist_ok=True)
    for host, device in (("lvs1", "eth1"), ("rs1", "eth0")):
        address = lab[host].address("private")
        lab[host].ip(f"addr del {address}/24 dev {device}", f"addr add {address}/24 brd + dev {device}")
    lab["rs1"].ip("route add default via 10.0.0.254")
    lab["rs1"].start("rpcbind", "-f", "-w", output=folder / "rpcbind.log")
    until(lambda: "portmapper" in lab["rs1"].run("rpcinfo", "-p", "127.0.0.1", check=False), 20, "rpcbind answers")
    lab["rs1"].start("rpc.rstatd", output=folder / "rstatd.log")  # which goes on behind its parent
    lab["lvs1"].start("rwhod", "-f", "-i", "eth1", output=folder / "rwhod1.log")
    under_its_name = ("unshare", "--uts", "sh", "-c", "hostname rs1; exec rwhod -f -i eth0")
    lab["rs1"].start(*under_its_name, output=folder / "rwhod2.log")
    until(lambda: "rs1" in lab["lvs1"].run("ruptime", check=False), 60, "rwhod of rs1 was heard")
    found = RunningRouter(lab["lvs1"], folder / "root")
    found.write(TEXT)
    found.start()
    yield found
    found.end(signal.SIGTERM)
    for process in Path("/proc").glob("[0-9]*"):
        if (process / "comm").exists() and (process / "comm").read_text().strip() == "rpc.rstatd":
            os.kill(int(process.name), signal.SIGKILL)


def server(router: RunningRouter, port: int, name: str) -> ServerStatus:
    (found,) = [each for each in router.status().virtual_servers if each.port == port]
    return next(each for each in found.servers if each.name == name)


def up_for_s(found: ServerStatus) -> float:
    assert found.health.state is HealthState.UP and found.health.since is not None
    return (datetime.now(UTC) - datetime.fromisoformat(found.health.since)).total_seconds()


def is_known(router: RunningRouter, port: int, name: str) -> bool:
    load = server(router, port, name).load
    return load is not None and load.load is not None


@pytest.mark.parametrize(("port", "monitor"), [(RUP, "rup"), (RUPTIME, "ruptime")])
def test_the_load_of_a_real_server_is_known_by(router: RunningRouter, port: int, monitor: str) -> None:
    until(lambda: is_known(router, port, "rs1"), ROUND_S, f"{monitor} tells the load of rs1")
    load = server(router, port, "rs1").load
    assert load is not None and load.load is not None and load.source.name == monitor
    # All hosts of the lab are one machine with one load.
    assert 0 <= load.load < 100
    print(load)


@pytest.mark.parametrize(
    ("port", "reason"), [(RUP, "rup answered nothing: rup: RPC: "), (RUPTIME, "ruptime does not know this real server")]
)
def test_a_real_server_that_tells_nothing_keeps_its_weight_and_says_why(
    router: RunningRouter, port: int, reason: str
) -> None:
    def has_problem() -> bool:
        load = server(router, port, "rs2").load
        return load is not None and bool(load.problem)

    until(has_problem, ROUND_S, "it is told why")
    found = server(router, port, "rs2")
    assert found.load is not None and found.load.problem.startswith(reason), found.load
    assert (found.traffic.weight, found.load.load) == (8, None)
    assert f"load not known: {reason}" in found.explanation


def weights(router: RunningRouter, port: int) -> dict[str, int]:
    """Return the weights in the kernel's table by real server."""
    lines = [line.split() for line in router.table() if line.startswith("-a") and f":{port} -r" in line]
    return {words[words.index("-r") + 1].rpartition(":")[0]: int(words[-1]) for words in lines}


def test_the_kernels_table_follows_the_loads(router: RunningRouter) -> None:
    wanted = {f"10.0.0.{number}": 8 for number in (21, 22, 23)} | {"10.0.0.24": 2}
    until(lambda: weights(router, OWN) == wanted, 2 * ROUND_S, "the one that is busy beside the others has a quarter")


def test_scenarios_39_and_42_a_server_that_returns_starts_slowly(lab: Topology, router: RunningRouter) -> None:
    until(lambda: weights(router, SLOW) == {"10.0.0.21": 64, "10.0.0.22": 64}, ROUND_S, "both are up")
    drop = ("INPUT", "-p", "tcp", "--dport", str(SLOW), "-j", "DROP")
    lab["rs2"].run("iptables-legacy", "-A", *drop)
    until(lambda: weights(router, SLOW)["10.0.0.22"] == 0, 10, "it is quiesced")
    until(lambda: (server(router, SLOW, "rs1").health.source.age_s or 0) < 5, 5, "rs1 is checked")
    until(lambda: up_for_s(server(router, SLOW, "rs1")) > STEP_S + 1, STEP_S + 10, "the other one carries on")
    lab["rs2"].run("iptables-legacy", "-D", *drop)
    seen: list[int] = []

    def has_doubled() -> bool:
        weight = weights(router, SLOW)["10.0.0.22"]
        if not seen or seen[-1] != weight:
            seen.append(weight)
        return weight == 4

    until(has_doubled, 90, "its weight has doubled once")
    assert seen == [0, 2, 4]
    found = server(router, SLOW, "rs2")
    assert found.slow_start is not None and found.slow_start.weight == 4
    assert found.explanation == "weight 4 because of slow start; lvs.cf says 64"
