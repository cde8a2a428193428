"""Real traffic through the whole engine: every forwarding method, protocol, IP version and scheduler, persistence,
firewall marks and weights. Each pair of choices is in at least one combination.
"""

import itertools
import math
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.lab.pairwise import pairs, pairwise
from tests.lab.running_router import SERVERS, asked, until
from tests.lab.topologies import DIRECT, NAT
from tests.lab.topology import Topology
from tests.lab.traffic import (
    CLIENTS,
    DESTINATIONS,
    NEIGHBOURS,
    STRANGER,
    Site,
    Virtual,
    carrying_silently,
    load_tunnels,
    named,
    site,
    with_many_addresses,
)

FORWARDINGS = ("nat", "direct", "tunnel")
PROTOCOLS = ("tcp", "udp")
VERSIONS = (4, 6)
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "sh", "dh", "lblc", "lblcr")
COMBINATIONS = pairwise(FORWARDINGS, PROTOCOLS, VERSIONS, SCHEDULERS)
WEIGHTS = {"rs1": 3, "rs2": 2, "rs3": 1, "rs4": 0}
OTHER_WEIGHTS = {"rs1": 1, "rs2": 1, "rs3": 0, "rs4": 1}
HEADS = {
    "nat": "network = nat\nnat_router = 10.0.0.254 eth1:1\nnat_nmask = 255.255.255.0\n",
    "direct": "network = direct\n",
    "tunnel": "network = tunnel\n",
}
# A tunnel's other end may be anywhere; here it is not in the net of the virtual addresses.
NETS = {"nat": "private", "direct": "dmz", "tunnel": "private"}
PERSISTENT = "persistent = 60"


def combined(forwarding: str, protocol: str, version: int, scheduler: str) -> Virtual:
    """Return the virtual server of a combination."""
    port = 8100 + COMBINATIONS.index((forwarding, protocol, version, scheduler))
    weights = WEIGHTS if scheduler in ("wrr", "wlc") else None
    is_net = scheduler in ("dh", "lblc", "lblcr")  # which look at the destination
    return Virtual(port, scheduler, protocol, version, weights, fwmark=port if is_net else 0, is_net=is_net)


def others(forwarding: str) -> dict[str, Virtual]:
    """Return the virtual servers that are no combination; protocols and versions differ with the forwarding."""
    protocol = "udp" if forwarding == "direct" else "tcp"
    version = 6 if forwarding == "tunnel" else 4
    mark, ports = 8203, (8203, 8204)
    return {
        "client": Virtual(8201, "rr", protocol, version, lines=(PERSISTENT,)),
        "net": Virtual(8202, "rr", protocol, 4, lines=(PERSISTENT, "pmask = 255.255.255.0")),
        "mark": Virtual(mark, "rr", protocol, version, fwmark=mark, ports=ports, lines=(PERSISTENT,)),
        "weights": Virtual(8205, "wrr", protocol, version, WEIGHTS),
    }


@pytest.fixture(scope="module", params=FORWARDINGS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site under each forwarding method, with all its virtual servers."""
    forwarding = request.param
    load_tunnels()
    lab = Topology(NAT if forwarding == "nat" else DIRECT)
    lab.make()
    with_many_addresses(lab)
    if forwarding == "nat":
        # lvs.cf has room for one NAT router address; that of IPv6 is the administrator's business.
        lab["lvs1"].ip("addr add fd00:3::254/64 dev eth1")
    for name in SERVERS if forwarding != "nat" else ():
        carrying_silently(lab[name], *(("lo", "lo") if forwarding == "direct" else ("tunl0", "ip6tnl0")))
    servers = {each: {name: lab[name].address(NETS[forwarding], each) for name in SERVERS} for each in VERSIONS}
    head = f"serial_no = 1\nprimary = 198.51.100.11\nservice = lvs\nbackup_active = 0\n{HEADS[forwarding]}"
    mine = [combined(*each) for each in COMBINATIONS if each[0] == forwarding]
    with site(lab, tmp_path_factory.mktemp(forwarding), head, servers, [*mine, *others(forwarding).values()]) as found:
        yield found


def test_every_pair_of_choices_is_in_a_combination() -> None:
    every = set().union(*(pairs(each) for each in itertools.product(FORWARDINGS, PROTOCOLS, VERSIONS, SCHEDULERS)))
    assert set().union(*(pairs(each) for each in COMBINATIONS)) == every
    assert len(every) == 3 * (2 + 2 + 8) + 2 * (2 + 8) + 2 * 8
    assert len(set(COMBINATIONS)) == len(COMBINATIONS) == len(FORWARDINGS) * len(SCHEDULERS), "as few as there can be"


def evenly(site: Site, virtual: Virtual) -> None:
    """Each gets as many, one after the other."""
    assert site.shares(virtual, 12) == Counter(dict.fromkeys(SERVERS, 3))


def by_weight(site: Site, virtual: Virtual) -> None:
    """In a round of as many connections as the weights' sum each gets its weight, 0 nothing."""
    assert site.shares(virtual, 12) == Counter({"rs1": 6, "rs2": 4, "rs3": 2})


def by_open_connections(site: Site, virtual: Virtual) -> None:
    """Each has as many open connections; who loses some gets the next ones."""
    with ExitStack() as stack:
        held: dict[str, list[socket.socket]] = {name: [] for name in SERVERS}
        for _ in range(8):
            connection = stack.enter_context(site.open(virtual))
            held[named(connection)].append(connection)
        assert {name: len(each) for name, each in held.items()} == dict.fromkeys(SERVERS, 2)
        assert site.connections(virtual) == dict.fromkeys(SERVERS, 2)
        if virtual.protocol == "udp":
            return  # its connections have no end that anybody could see
        for connection in held["rs3"]:
            connection.close()
        until(lambda: site.connections(virtual)["rs3"] == 0, 5, "the end of two connections is seen")
        assert [named(stack.enter_context(site.open(virtual))) for _ in range(2)] == ["rs3", "rs3"]


def by_open_connections_and_weight(site: Site, virtual: Virtual) -> None:
    """Open connections are as the weights; 0 gets none."""
    with ExitStack() as stack:
        found = Counter(named(stack.enter_context(site.open(virtual))) for _ in range(12))
        assert found == Counter({"rs1": 6, "rs2": 4, "rs3": 2})
        assert site.connections(virtual) == {"rs1": 6, "rs2": 4, "rs3": 2, "rs4": 0}


def is_fair(found: Counter[str]) -> bool:
    """Say whether equal shares can be had by chance: within three standard deviations of a binomial one.

    A hash is no chance: for addresses that nobody chose for their hashes it has to look like it, always the same.
    """
    count, part = found.total(), 1 / len(SERVERS)
    return all(abs(found[name] - count * part) <= 3 * math.sqrt(count * part * (1 - part)) for name in SERVERS)


def by_client(site: Site, virtual: Virtual) -> None:
    """A client has its real server, again and again."""
    clients = CLIENTS[virtual.version]
    mapping = {each: site.ask(virtual, source=each) for each in clients}
    # Not in the same order: a round would look like a mapping.
    assert {each: site.ask(virtual, source=each) for each in reversed(clients)} == mapping
    shares = Counter(mapping.values())
    print(shares)
    assert shares.total() == 64 and is_fair(shares)


def by_destination(site: Site, virtual: Virtual) -> None:
    """An address that is asked for has its real server, again and again, whoever asks."""
    addresses, clients = DESTINATIONS[virtual.version], CLIENTS[virtual.version]
    mapping = {each: site.ask(virtual, address=each) for each in addresses}
    asked_by = zip(reversed(addresses), clients, strict=True)
    assert {each: site.ask(virtual, source=client, address=each) for each, client in asked_by} == mapping
    shares = Counter(mapping.values())
    print(shares)
    assert shares.total() == 64 and is_fair(shares)


def by_locality(site: Site, virtual: Virtual) -> None:
    """Each new destination gets the real server with the fewest connections, and keeps it, whoever asks."""
    addresses = DESTINATIONS[virtual.version][: len(SERVERS)]
    with ExitStack() as stack:
        mapping = {each: named(stack.enter_context(site.open(virtual, address=each))) for each in addresses}
        assert sorted(mapping.values()) == list(SERVERS)
        for each, name in mapping.items():
            found = {site.ask(virtual, source=client, address=each) for client in CLIENTS[virtual.version][:3]}
            assert found == {name}


PROMISES: Mapping[str, Callable[[Site, Virtual], None]] = {
    "rr": evenly,
    "wrr": by_weight,
    "lc": by_open_connections,
    "wlc": by_open_connections_and_weight,
    "sh": by_client,
    "dh": by_destination,
    "lblc": by_locality,
    "lblcr": by_locality,
}


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_scheduler_balances_as_it_promises(served: Site, scheduler: str) -> None:
    (virtual,) = [combined(*each) for each in COMBINATIONS if (each[0], each[3]) == (served.forwarding, scheduler)]
    print(virtual.protocol, virtual.version)
    PROMISES[scheduler](served, virtual)
    assert served.has_table()
    assert [line for line in served.router.table() if f"{virtual.port} -" in line and line.endswith(f" -s {scheduler}")]


def test_the_table_is_what_show_prints(served: Site) -> None:
    shown = served.shown()
    assert sorted(served.router.table()) == sorted(shown)
    assert len(shown) == (1 + len(SERVERS)) * len(served.virtuals)


def test_a_persistent_client_stays_with_its_real_server(served: Site) -> None:
    virtual = others(served.forwarding)["client"]
    clients = CLIENTS[virtual.version][:4]
    found = [{served.ask(virtual, source=each) for _ in range(3)} for each in clients]
    assert sorted(found, key=sorted) == [{name} for name in SERVERS], "each client is one turn of the round"
    assert [{served.ask(virtual, source=each)} for each in clients[1:]] == found[1:]


def test_a_persistent_net_stays_with_its_real_server(served: Site) -> None:
    virtual = others(served.forwarding)["net"]
    clients = (*NEIGHBOURS, STRANGER, *CLIENTS[4][:2])
    found = [[served.ask(virtual, source=each) for each in clients] for _ in range(3)]
    first, second, stranger, third, fourth = found[0]
    assert first == second and third == fourth
    assert len({first, stranger, third}) == 3
    assert found[1:] == [found[0]] * 2


def test_a_mark_is_one_virtual_server_of_several_ports(served: Site) -> None:
    virtual = others(served.forwarding)["mark"]
    clients = CLIENTS[virtual.version][:4]
    found = [{served.ask(virtual, source=each, port=port) for port in virtual.ports} for each in clients]
    assert sorted(found, key=sorted) == [{name} for name in SERVERS], "a client's ports reach one real server"
    for port in virtual.ports:
        with served.open(virtual, source=clients[0], port=port) as connection:
            assert {asked(connection)} == {f"{name}:{port}" for name in found[0]}


def test_weights_change_in_place_and_weight_0_gets_no_new_connection(served: Site) -> None:
    virtual = others(served.forwarding)["weights"]
    changed = served.text(replace(virtual, weights=OTHER_WEIGHTS))
    with ExitStack() as stack:
        held = [stack.enter_context(served.open(virtual)) for _ in range(6)]
        names = [named(each) for each in held]
        assert Counter(names) == Counter({"rs1": 3, "rs2": 2, "rs3": 1})
        served.router.apply(changed)
        until(lambda: served.has_table(changed), 10, "the weights are the new ones")
        assert served.shares(virtual, 9) == Counter({"rs1": 3, "rs2": 3, "rs4": 3})
        assert [named(each) for each in held] == names, "weight 0 ends no connection"
    served.router.apply(served.text())
    until(served.has_table, 10, "the weights are the old ones")
    by_weight(served, virtual)
