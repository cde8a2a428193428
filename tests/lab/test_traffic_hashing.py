"""sh, mh and dh lead a client to weight 0 and refuse it, unless somebody thinks of that: real traffic over an Apply."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.lab.running_router import SERVERS, until
from tests.lab.topologies import NAT
from tests.lab.topology import Topology
from tests.lab.traffic import CLIENTS, DESTINATIONS, Site, Virtual, named, site, with_many_addresses

HEAD = """serial_no = 1
primary = 198.51.100.11
service = lvs
backup_active = 0
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
"""
BY_CLIENT = (Virtual(8301, "sh"), Virtual(8303, "mh"))
BY_DESTINATION = Virtual(8302, "dh", fwmark=8302, is_net=True)
REST = ("rs1", "rs2", "rs4")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lab = Topology(NAT)
    lab.make()
    with_many_addresses(lab)
    servers = {4: {name: lab[name].address("private") for name in SERVERS}}
    with site(lab, tmp_path_factory.mktemp("hashing"), HEAD, servers, (*BY_CLIENT, BY_DESTINATION)) as found:
        yield found


def without(served: Site, virtual: Virtual, gone: str) -> str:
    """Return the lvs.cf with one real server less in one virtual server."""
    kept = {name: address for name, address in served.servers[4].items() if name != gone}
    blocks = [each.block(kept if each == virtual else served.servers[4]) for each in served.virtuals]
    return served.head + "".join(blocks)


def restored(served: Site) -> None:
    served.router.apply(served.text())
    until(served.has_table, 15, "the table is the first one again")


@pytest.mark.parametrize("virtual", BY_CLIENT, ids=lambda each: each.scheduler)
def test_clients_of_weight_0_go_elsewhere(served: Site, virtual: Virtual) -> None:
    text = served.text(replace(virtual, weights={"rs1": 1, "rs2": 1, "rs3": 0, "rs4": 1}))
    served.router.apply(text)
    until(lambda: served.has_table(text), 10, "the table is the one with weight 0")
    assert [
        line
        for line in served.router.table()
        if line.endswith(f"-s {virtual.scheduler} -b {virtual.scheduler}-fallback")
    ]
    assert {served.ask(virtual, source=each) for each in CLIENTS[4]} == set(REST)
    restored(served)
    assert {served.ask(virtual, source=each) for each in CLIENTS[4]} == set(SERVERS)


@pytest.mark.parametrize("virtual", BY_CLIENT, ids=lambda each: each.scheduler)
def test_no_client_is_refused_while_a_removed_server_drains(served: Site, virtual: Virtual) -> None:
    on_rs3 = next(each for each in CLIENTS[4] if served.ask(virtual, source=each) == "rs3")
    with served.open(virtual, source=on_rs3) as held:
        assert named(held) == "rs3"
        served.router.apply(without(served, virtual, "rs3"))
        draining = f"-r {served.servers[4]['rs3']}:{virtual.port} -m -w 0"
        until(lambda: any(line.endswith(draining) for line in served.router.table()), 10, "rs3 drains")
        assert {served.ask(virtual, source=each) for each in CLIENTS[4]} == set(REST)
        assert named(held) == "rs3", "the connection goes on"
    restored(served)


def test_no_destination_is_refused_when_a_server_is_removed_under_dh(served: Site) -> None:
    assert {served.ask(BY_DESTINATION, address=each) for each in DESTINATIONS[4]} == set(SERVERS)
    text = without(served, BY_DESTINATION, "rs3")
    served.router.apply(text)
    until(lambda: served.has_table(text), 10, "rs3 is gone from the table")
    assert {served.ask(BY_DESTINATION, address=each) for each in DESTINATIONS[4]} == set(REST)
    restored(served)
