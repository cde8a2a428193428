"""STOP, START and drains that end, on a real kernel's table with real traffic."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from piranha.client import EngineClient
from piranha.status import RunState
from tests.lab.running_router import RealServers, RunningRouter, asked, connected, until
from tests.lab.topology import Topology

VIP = "198.51.100.100"
LVS_CF = f"""serial_no = 1
primary = 198.51.100.11
service = lvs
backup_active = 0
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
virtual web {{
active = 1
address = {VIP} eth0:1
vip_nmask = 255.255.255.0
port = 8080
scheduler = rr
timeout = 2
reentry = 2
server rs1 {{
address = 10.0.0.21
active = 1
port = 8080
}}
server rs2 {{
address = 10.0.0.22
active = 1
port = 8080
}}
}}
"""
OURS = [f"-a -t {VIP}:8080 -r 10.0.0.2{number}:8080 -m -w 1" for number in (1, 2)]
FOREIGN = [f"-A -t {VIP}:8443 -s rr", f"-a -t {VIP}:8443 -r 10.0.0.99:443 -m -w 5"]
WEB = "virtual[web]"


@pytest.fixture
def router(lab: Topology, tmp_path: Path) -> Iterator[RunningRouter]:
    """Return a router that runs LVS_CF beside an entry of somebody else; afterwards nothing of it is left."""
    servers = RealServers(lab, (8080,), ("rs1", "rs2"))
    servers.start()
    found = RunningRouter(lab["lvs1"], tmp_path, nannies=False)
    found.client = EngineClient(found.paths.socket, "ann", "192.0.2.7", answer_within_s=60)
    for line in FOREIGN:
        found.host.run("ipvsadm", *line.split())
    found.write(LVS_CF)
    found.start()
    runs(found)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.end(signal.SIGTERM)
    print(found.said())
    found.host.run("ipvsadm", "-C")
    servers.stop()


def runs(router: RunningRouter) -> None:
    """Wait until both real servers and the addresses are there."""
    until(lambda: set(OURS) <= set(router.table()), 20, "both real servers are in the table")
    until(lambda: VIP in router.addresses() and "10.0.0.254" in router.addresses(), 20, "the addresses are there")


def test_a_stop_takes_addresses_and_table_away_and_leaves_what_is_foreign_over_a_crash_until_the_start(
    lab: Topology, router: RunningRouter
) -> None:
    held = connected(lab["client"], VIP, 8080)
    assert asked(held) in ("rs1:8080", "rs2:8080")
    answer = router.client.stop()
    assert answer.changed and answer.sentence.startswith("LVS is stopped: one virtual server was taken down")
    assert sorted(router.table()) == sorted(FOREIGN)
    assert VIP not in router.addresses() and "10.0.0.254" not in router.addresses()
    status = router.status()
    assert status.state is RunState.STOPPED and status.stopped is not None and status.stopped.who == "ann"
    router.end(signal.SIGKILL)
    router.start()
    assert router.status().state is RunState.STOPPED
    until(lambda: "stays so until it is started" in router.said(), 10, "the engine says that it stays stopped")
    assert sorted(router.table()) == sorted(FOREIGN) and VIP not in router.addresses()
    answer = router.client.start()
    assert answer.state is RunState.RUNNING
    runs(router)
    assert set(FOREIGN) <= set(router.table())
    with connected(lab["client"], VIP, 8080) as again:
        assert asked(again) in ("rs1:8080", "rs2:8080")
    held.close()


def test_an_engine_that_dies_while_it_stops_is_stopped_by_the_next_one(router: RunningRouter) -> None:
    # What a killed engine leaves: the order on the disk, and all the rest as it was.
    router.client.stop()
    order = router.paths.standstill.read_bytes()
    router.client.start()
    runs(router)
    router.end(signal.SIGKILL)
    router.paths.standstill.write_bytes(order)
    assert VIP in router.addresses() and set(OURS) <= set(router.table())
    router.start()
    until(lambda: sorted(router.table()) == sorted(FOREIGN), 20, "nothing of ours is in the table")
    until(lambda: VIP not in router.addresses(), 20, "the address is gone")
    assert router.status().state is RunState.STOPPED


def test_a_drain_ends_by_itself_and_what_is_held_goes_on(lab: Topology, router: RunningRouter) -> None:
    client = connected(lab["client"], VIP, 8080)
    name = asked(client)
    server = name.partition(":")[0]
    router.client.override(f"{WEB}.server[{server}]", "drain", for_s=8)
    drained = f"-a -t {VIP}:8080 -r 10.0.0.2{server[-1]}:8080 -m -w 0"
    assert drained in router.table()
    others = [connected(lab["client"], VIP, 8080) for _ in range(4)]
    assert {asked(each) for each in others} == {"rs1:8080", "rs2:8080"} - {name}
    until(lambda: drained not in router.table(), 30, "the drain is over")
    assert set(OURS) <= set(router.table()) and router.status().overrides == ()
    assert asked(client) == name
    for each in (client, *others):
        each.close()


def test_samples_are_those_of_the_kernels_counters(lab: Topology, router: RunningRouter) -> None:
    assert router.client.samples(WEB).name == "web"
    for _ in range(20):
        with connected(lab["client"], VIP, 8080) as client:
            asked(client)

    def has_rate() -> bool:
        return any(
            (each.connections or 0) > 0 and (each.bytes_in or 0) > 0 for each in router.client.samples(WEB).samples
        )

    until(has_rate, 60, "a sample has connections and bytes for each second")
