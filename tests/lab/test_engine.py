"""The engine on the kernel's table, with real traffic: reloads, kill -9, others' entries, refusals, orderly stops."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from piranha.config.load import load
from piranha.ipvs.ipvsadm import rules_of
from piranha.status import AddressState
from tests.lab.capture import gone, watching
from tests.lab.running_router import SERVERS, RealServers, RunningRouter, asked, connected, requests, until
from tests.lab.topologies import NAT
from tests.lab.topology import Topology

VIP, VIP6 = "198.51.100.100", "2001:db8:2::100"
HEAD = """serial_no = 1
primary = 198.51.100.11
service = lvs
backup_active = 0
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
"""
FOREIGN = (f"-A -t {VIP}:8443 -s rr", f"-a -t {VIP}:8443 -r 10.0.0.99:443 -m -w 5")
RELOADS = 100
KILLS = 12
FOREIGN_ADDRESSES = (
    "198.51.100.77/32 dev eth0 label eth0:7",
    "198.51.100.78/32 dev eth0 label eth0:1",  # a label of lvs.cf
    "10.0.0.77/24 dev eth1 label eth1:1",
    "2001:db8:2::77/128 dev eth0 nodad",
)
LONG = 50


def virtual(port: int, weights: Mapping[str, int], scheduler: str = "rr", extra: str = "") -> str:
    """Return a virtual server on VIP with real servers by name and weight."""
    lines = [
        f"virtual v{port} {{",
        "active = 1",
        f"address = {VIP} eth0:1",
        f"port = {port}",
        f"scheduler = {scheduler}",
    ]
    lines += ["timeout = 2", "reentry = 2", *extra.splitlines()]
    for name, weight in weights.items():
        address = f"10.0.0.{20 + SERVERS.index(name) + 1}"
        lines += [
            f"server {name} {{",
            f"address = {address}",
            "active = 1",
            f"port = {port}",
            f"weight = {weight}",
            "}",
        ]
    return "\n".join([*lines, "}", ""])


def at(port: int) -> set[str]:
    """Return what the real servers answer on a port."""
    return {f"{name}:{port}" for name in SERVERS}


def everyone(weight: int = 1) -> dict[str, int]:
    return dict.fromkeys(SERVERS, weight)


BOTH = HEAD + virtual(8080, everyone()) + virtual(8081, everyone(), "wlc")


@pytest.fixture(scope="module")
def lab() -> Iterator[Topology]:
    topology = Topology(NAT)
    topology.make()
    servers = RealServers(topology, (8080, 8081, 8082))
    servers.start()
    yield topology
    topology.remove()
    servers.stop()


@pytest.fixture
def router(lab: Topology, tmp_path: Path) -> Iterator[RunningRouter]:
    """Return a router whose engine does not run yet; afterwards nothing of it is left."""
    found = RunningRouter(lab["lvs1"], tmp_path, nannies=False)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.end(signal.SIGTERM)
    print(found.said())
    found.host.run("ipvsadm", "-C")


def rules(text: str) -> list[str]:
    """Return the table that an lvs.cf asks for when every check is good."""
    found = rules_of(load(text).cluster)
    assert not found.left_out
    return list(found.lines)


def is_table(router: RunningRouter, text: str, foreign: tuple[str, ...] = ()) -> bool:
    return sorted(router.table()) == sorted([*rules(text), *foreign])


def serves(router: RunningRouter, text: str = BOTH, foreign: tuple[str, ...] = ()) -> None:
    """Wait until the table is the desired one."""
    until(lambda: is_table(router, text, foreign), 15, "the table is the desired one")


def test_the_table_and_the_addresses_come_without_a_reset_and_are_those_that_lvs_cf_asks_for(
    lab: Topology, router: RunningRouter
) -> None:
    router.write(BOTH)
    with requests(lab["client"], VIP, 8080) as (client,):
        router.start()
        serves(router)
        until(lambda: set(client.answers) == at(8080), 10, "everybody serves")
    assert [failure for failure in client.failures if "Refused" in failure or "Reset" in failure] == []
    words = [sys.executable, "-m", "piranha.cli.main", "--root", str(router.paths.root), "show", "--ipvsadm"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sorted(router.table()) == sorted(shown)
    status = router.status()
    assert (status.data_path, status.messages) == ("kernel", ())
    assert VIP in router.addresses() and "10.0.0.254" in router.addresses()


def edited(dice: random.Random) -> str:
    """Return an lvs.cf with random changes; rs1 is in every virtual server, port 8080 always there."""
    blocks = []
    for port in (8080, 8081):
        names = ["rs1", *dice.sample(SERVERS[1:], dice.randrange(1, 4))]
        dice.shuffle(names)
        weights = {name: 1 if name == "rs1" else dice.randrange(1, 5) for name in names}
        blocks.append(virtual(port, weights, dice.choice(["rr", "wrr", "lc", "wlc", "sh"])))
    if dice.random() < 0.3:
        blocks.pop()
    dice.shuffle(blocks)
    return HEAD + "".join(blocks)


@pytest.mark.timeout(150)
def test_check_79_reloads_break_no_connection_and_no_request(lab: Topology, router: RunningRouter) -> None:
    router.write(BOTH)
    router.start()
    serves(router)
    until(lambda: VIP in router.addresses(), 10, "the address is there")
    long = [connected(lab["client"], VIP, 8080) for _ in range(LONG)]
    names = [asked(each) for each in long]
    assert set(names) == at(8080)
    dice = random.Random(4)
    with requests(lab["client"], VIP, 8080) as (client,):
        for _ in range(RELOADS):
            before = client.count
            router.apply(edited(dice))
            until(lambda enough=before + 8: client.count >= enough, 20, "requests go on")
        router.apply(BOTH)
        serves(router)
    print(f"{client.count} requests over {RELOADS} reloads: {client.answers}")
    assert client.failures == []
    assert [asked(each) for each in long] == names
    for each in long:
        each.close()


@pytest.fixture
def strangers(router: RunningRouter) -> Iterator[str]:
    """Give the router addresses that are not the engine's; return how all its addresses stand."""
    for each in FOREIGN_ADDRESSES:
        router.host.run("ip", "address", "add", *each.split())
    yield standing(router)
    for each in FOREIGN_ADDRESSES:
        router.host.run("ip", "address", "del", *each.split()[:3], check=False)


def standing(router: RunningRouter) -> str:
    """Return the addresses with their labels and flags, in the kernel's order."""
    return router.host.run("ip", "-o", "address")


def is_ready(router: RunningRouter) -> bool:
    """Say whether every check was heard and every address is carried."""
    status = router.status()
    health = [server.health.state for each in status.virtual_servers for server in each.servers if server.path]
    return {*health} == {"up"} and [each.state for each in status.addresses] == [AddressState.CARRIED] * 2


@pytest.mark.timeout(300)
def test_kill_9_costs_no_request_and_what_is_foreign_stays(
    lab: Topology, router: RunningRouter, strangers: str
) -> None:
    inside = f"-a -t {VIP}:8080 -r 10.0.0.98:8080 -m -w 0"
    foreign = (*FOREIGN, inside)
    router.write(BOTH)
    router.host.run("ipvsadm", "-R", data="\n".join(FOREIGN) + "\n")
    router.start()
    serves(router, BOTH, FOREIGN)
    router.host.run("ipvsadm", *inside.split())
    until(lambda: is_ready(router), 15, "checks are heard, addresses are there")
    long = [connected(lab["client"], VIP, 8080) for _ in range(LONG)]
    names = [asked(each) for each in long]
    table, addresses = router.table(), standing(router)
    dice = random.Random(9)
    with requests(lab["client"], VIP, 8080, 8081, pause_s=0.03) as clients, watching(router.host) as watch:
        for life in range(KILLS):
            router.end(signal.SIGKILL)
            assert (router.table(), standing(router)) == (table, addresses)
            if life % 4 == 1:
                # This one is killed before its API answers, with its first step towards the table.
                starts = router.said().count("starting virtual service")
                router.launch()
                until(lambda: router.said().count("starting virtual service") > starts, 15, "it starts")  # noqa: B023
                continue
            router.start()
            if life % 4 == 3:
                until(lambda: is_ready(router), 15, "checks are heard, addresses are adopted")
            enough = clients[0].count + dice.randrange(20)
            until(lambda: clients[0].count >= enough, 15, "requests go on")  # noqa: B023
        until(lambda: is_ready(router), 15, "checks are heard, addresses are adopted")
        assert gone(router.host, watch) == []
    for client in clients:
        print(f"{client.count} requests over {KILLS} kills")
        assert client.failures == []
        assert client.count > 10 * KILLS
    assert [asked(each) for each in long] == names
    for each in long:
        each.close()
    assert (router.table(), standing(router)) == (table, addresses)
    assert is_table(router, BOTH, foreign)
    assert router.end(signal.SIGTERM) == 0
    # What is foreign stays, and with it the virtual server that holds a foreign destination.
    assert sorted(router.table()) == sorted([*foreign, f"-A -t {VIP}:8080 -s rr"])
    assert standing(router) == strangers


def test_what_a_former_configuration_left_goes_and_drains_go_on(lab: Topology, router: RunningRouter) -> None:
    # Nobody has asked for port 8082 yet: a destination without any connection does not drain.
    both = HEAD + virtual(8080, everyone()) + virtual(8082, everyone())
    router.write(both)
    router.start()
    serves(router, both)
    until(lambda: VIP in router.addresses(), 10, "the address is there")
    connections = [connected(lab["client"], VIP, 8080) for _ in SERVERS]
    held = {asked(each): each for each in connections}
    few = HEAD + virtual(8080, {"rs1": 1, "rs2": 1})
    router.apply(few)
    draining = [f"-a -t {VIP}:8080 -r 10.0.0.{number}:8080 -m -w 0" for number in (23, 24)]
    until(lambda: is_table(router, few, tuple(draining)), 10, "the other virtual server is gone, two servers drain")
    router.end(signal.SIGKILL)
    # As if it had been killed between writing down what was applied and the first step.
    few = HEAD + virtual(8080, {"rs1": 1})
    router.paths.running_cf.write_text(few)
    router.start()
    draining.append(f"-a -t {VIP}:8080 -r 10.0.0.22:8080 -m -w 0")
    until(lambda: is_table(router, few, tuple(draining)), 10, "the third drains too")
    assert {asked(held[name]) for name in at(8080)} == at(8080)
    for connection in held.values():
        connection.close()


def test_an_upgrade_leaves_everything_and_a_stop_takes_ours_away(router: RunningRouter) -> None:
    settings = "tcp_timeout = 700\nudp_timeout = 33\nsyncdaemon = 1\nsyncd_iface = eth1\nsyncd_id = 7\n"
    router.write(settings + BOTH)
    router.start()
    serves(router)
    set_ones = "Timeout (tcp tcpfin udp): 700 120 33"
    until(lambda: set_ones in router.host.run("ipvsadm", "-L", "--timeout"), 10, "the timeouts are set")
    until(lambda: "master sync daemon" in router.host.run("ipvsadm", "-L", "--daemon"), 10, "the sync daemon runs")
    until(lambda: VIP in router.addresses(), 10, "the address is there")
    assert router.end(signal.SIGUSR2) == 0
    assert is_table(router, BOTH) and VIP in router.addresses()
    assert set_ones in router.host.run("ipvsadm", "-L", "--timeout")
    router.start()
    router.apply(BOTH)
    put_back = "Timeout (tcp tcpfin udp): 900 120 300"
    until(lambda: put_back in router.host.run("ipvsadm", "-L", "--timeout"), 10, "the timeouts are put back")
    until(lambda: "master" not in router.host.run("ipvsadm", "-L", "--daemon"), 10, "the sync daemon is stopped")
    router.apply(settings + BOTH)
    until(lambda: set_ones in router.host.run("ipvsadm", "-L", "--timeout"), 10, "they are set again")
    assert router.end(signal.SIGTERM) == 0
    assert router.table() == [] and VIP not in router.addresses()
    assert put_back in router.host.run("ipvsadm", "-L", "--timeout")
    assert "master" not in router.host.run("ipvsadm", "-L", "--daemon")


def test_a_refused_step_is_told_and_tried_again_and_the_rest_goes_on(router: RunningRouter) -> None:
    release = router.host.run("uname", "-r").strip()
    module = Path(f"/lib/modules/{release}/kernel/net/netfilter/ipvs/ip_vs_mh.ko")
    hidden = module.with_suffix(".hidden")
    subprocess.run(["modprobe", "-r", "ip_vs_mh"], check=False)
    module.rename(hidden)
    try:
        text = (
            "syncdaemon = 1\nsyncd_iface = eth9\n" + HEAD + virtual(8080, everyone()) + virtual(8081, everyone(), "mh")
        )
        router.write(text)
        router.start()
        until(lambda: is_table(router, HEAD + virtual(8080, everyone())), 15, "the other virtual server is served")
        refused = {each.name: each.refused for each in router.status().virtual_servers}
        assert refused["v8080"] == "" and "scheduler mh" in refused["v8081"]
        (about_sync,) = [message for message in router.status().messages if "eth9" in message]
        assert "Change syncd_iface" in about_sync
        assert router.said().count(refused["v8081"]) == 1
    finally:
        hidden.rename(module)
    until(lambda: is_table(router, text), 15, "it is served as soon as it can be")
    until(lambda: not any(each.refused for each in router.status().virtual_servers), 5, "nothing is refused")


def test_check_78_a_backup_router_is_passive_until_its_partner_is_silent(router: RunningRouter) -> None:
    pair = BOTH.replace("backup_active = 0", "backup_active = 1\nbackup = 198.51.100.11\nheartbeat = 1")
    text = pair.replace("primary = 198.51.100.11", "primary = 198.51.100.12")
    router.write(text)
    router.start()
    until(lambda: router.status().redundancy, 5, "pulse tells how the pair stands")
    status = router.status()
    assert status.redundancy is not None and status.redundancy.partner is not None
    assert (status.redundancy.role, status.redundancy.state) == ("backup", "settling")
    assert status.redundancy.partner.state == "unknown"
    (message,) = [each for each in status.messages if "198.51.100.12" in each]
    assert message.startswith("Undecided")
    assert router.table() == [] and VIP not in router.addresses()
    until(lambda: VIP in router.addresses(), 10, "it takes over")
    serves(router)
    assert "partner dead: activating lvs" in router.said()


def test_a_router_with_neither_address_of_the_pair_stays_passive_and_says_so(router: RunningRouter) -> None:
    text = BOTH.replace("primary = 198.51.100.11", "primary = 198.51.100.8").replace(
        "backup_active = 0", "backup_active = 1\nbackup = 198.51.100.9"
    )
    router.write(text)
    router.start()
    until(lambda: any("neither the address" in each for each in router.status().messages), 10, "it says so")
    assert router.table() == [] and VIP not in router.addresses()
    router.host.ip("address add 198.51.100.9/24 dev eth0")
    try:
        until(lambda: VIP in router.addresses(), 15, "it takes over once it has its address")
    finally:
        router.end(signal.SIGTERM)
        router.host.ip("address del 198.51.100.9/24 dev eth0")


def marked(fwmark: int, vip: str, prefix: str, network: str = "") -> str:
    """Return a virtual server of a mark whose real servers are checked on port 8080."""
    lines = [f"virtual m{fwmark} {{", "active = 1", f"address = {vip} eth0:2", "port = 8080", f"fwmark = {fwmark}"]
    lines += ["scheduler = rr", "timeout = 2", "reentry = 2"]
    for number in (21, 22):
        lines += [f"server rs{number} {{", f"address = {prefix}{number}", "active = 1", "}"]
    return "\n".join([*lines, "}", ""])


def test_a_mark_keeps_the_clients_port_and_may_be_of_ipv6(lab: Topology, router: RunningRouter) -> None:
    lab["lvs1"].run("ip", "address", "add", "fd00:3::254/64", "dev", "eth1", "nodad")
    for tables, vip, mark in (("iptables-legacy", VIP, "9"), ("ip6tables-legacy", VIP6, "10")):
        words = f"-t mangle -A PREROUTING -d {vip} -p tcp -m multiport --dports 8080,8081 -j MARK --set-mark {mark}"
        router.host.run(tables, *words.split())
    text = HEAD + marked(9, VIP, "10.0.0.") + marked(10, VIP6, "fd00:3::")
    router.write(text)
    router.start()
    serves(router, text)
    until(lambda: VIP in router.addresses() and VIP6 in router.addresses(), 10, "the addresses are there")
    for vip in (VIP, VIP6):
        for port in (8080, 8081):
            found = set()
            for _ in range(4):
                with connected(lab["client"], vip, port) as connection:
                    found.add(asked(connection))
            assert found == {f"rs{number}:{port}" for number in (1, 2)}
    before = router.status()
    assert not any(each.refused for each in before.virtual_servers)
    said = router.said().count("\n")
    router.client.apply()
    assert router.said().count("\n") <= said + 1, "an Apply of the same text changes nothing"
