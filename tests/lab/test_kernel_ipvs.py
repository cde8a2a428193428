"""The kernel's own table: what is ordered is what the kernel has, and what real packets make of it."""

import os
import select
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product
from pathlib import Path
from types import MappingProxyType

import pytest
import pytest_asyncio

from piranha.config.load import decode, load
from piranha.config.model import Cluster, Forwarding, Protocol, RealServerKey
from piranha.errors import StepRefused
from piranha.health.weight import Weighed
from piranha.ipvs.desired import desired
from piranha.ipvs.ipvsadm import rules_of
from piranha.ipvs.plan import plan
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    Entry,
    RemoveDestination,
    RemoveService,
    Service,
    Step,
    Table,
    TableKey,
)
from piranha.system import ipvs_netlink
from piranha.system.ipvs_connections import Wanted
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.ipvs_values import SyncDaemon, SyncRole, Timeouts
from piranha.system.kernel_ipvs import KernelPath
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

CORPUS = sorted((Path(__file__).parents[1] / "data" / "corpus").glob("*.cf"))
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
VIP, VIP6 = "198.51.100.100", "2001:db8:2::100"
WEB = TableKey(Protocol.TCP, ip_address(VIP), 80)
WEB6 = TableKey(Protocol.TCP, ip_address(VIP6), 80)
MARK, MARK6 = TableKey(fwmark=9), TableKey(fwmark=10, mark_version=6)
NAT_1, TUNNEL_1 = Destination(Forwarding.NAT, 1), Destination(Forwarding.TUNNEL, 1)


def at(address: str, port: int = 80) -> DestinationKey:
    return DestinationKey(ip_address(address), port)


RS1 = at("10.0.0.21")
ALL_MODULES = ("ip_vs_pe_sip", *(f"ip_vs_{name}" for name in SCHEDULERS), "ip_vs")


def modules(*words: str) -> None:
    """Load or unload modules of the kernel."""
    subprocess.run(words, check=True)


@contextmanager
def kernel_that_loads_by(program: str) -> Iterator[None]:
    """Have the kernel ask this program for modules: /bin/false loads none."""
    setting = Path("/proc/sys/kernel/modprobe")
    before = setting.read_text()
    setting.write_text(program)
    try:
        yield
    finally:
        setting.write_text(before)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Have no right in the kernel, all threads of this process."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture(scope="module")
def lab() -> Iterator[Topology]:
    modules("modprobe", "-a", *ALL_MODULES)
    topology = Topology(NAT)
    topology.make()
    router = topology["lvs1"]
    router.ip(f"addr add {VIP}/32 dev eth0", "addr add 10.0.0.254/24 dev eth1")
    for address, device in ((f"{VIP6}/128", "eth0"), ("fd00:3::254/64", "eth1")):
        router.run("ip", "addr", "add", address, "dev", device, "nodad")
    for tables, address, mark in (("iptables-legacy", VIP, "9"), ("ip6tables-legacy", VIP6, "10")):
        words = f"-t mangle -A PREROUTING -d {address} -p tcp --dport 81 -j MARK --set-mark {mark}"
        router.run(tables, *words.split())
    yield topology
    topology.remove()


@pytest.fixture
def router(lab: Topology) -> Iterator[Host]:
    yield lab["lvs1"]
    lab["lvs1"].run("ipvsadm", "-C")


@pytest_asyncio.fixture
async def path(router: Host) -> AsyncIterator[KernelPath]:
    opened = router.call(KernelPath)
    yield opened
    await opened.close()


async def taken(path: KernelPath, *steps: Step) -> None:
    """Take steps that must not be refused."""
    assert set(await path.apply_many(steps)) <= {None}


def refused(answers: tuple[StepRefused | None, ...]) -> list[str]:
    return [str(answer) for answer in answers if answer is not None]


def lines(router: Host) -> list[str]:
    """Return the kernel's table as ipvsadm prints it. IP in IP is the only tunnel that our rules know."""
    return sorted(line.removesuffix(" --tun-type ipip") for line in router.run("ipvsadm", "-Sn").splitlines())


def waited(seconds: float) -> None:
    """Wait for the kernel's own clock: it folds the counters every 2 s, and nothing tells when."""
    select.select([], [], [], seconds)


def every_kind() -> Table:
    """Return a table with every scheduler, forwarding method and address family there is."""
    table: dict[TableKey, Entry] = {}
    for number, (scheduler, forwarding, version) in enumerate(product(SCHEDULERS, Forwarding, (4, 6)), 1):
        width = 32 if version == 4 else 128
        persistence = {0: (0, width), 1: (300, width), 2: (60, width * 3 // 4)}[number % 3]
        vip = ip_address(f"192.0.2.{number}" if version == 4 else f"2001:db8:7::{number}")
        key = TableKey(Protocol.UDP if number % 2 else Protocol.TCP, vip, number)
        servers = {}
        for place in (1, 2, 3):
            # A tunnel can change the IP version.
            crosses = forwarding is Forwarding.TUNNEL and place == 2
            is_6 = (version == 6) != crosses
            server = at(f"fd00:9::{place}" if is_6 else f"10.9.0.{place}", number)
            servers[server] = Destination(forwarding, (place - 1) * 32767)
        table[key] = Entry(Service(scheduler, *persistence), MappingProxyType(servers))
    table[MARK] = Entry(Service("wlc", 120, 24), MappingProxyType({at("10.9.0.1", 0): NAT_1}))
    table[MARK6] = Entry(Service("wlc", 120, 128), MappingProxyType({at("fd00:9::1", 0): NAT_1}))
    # The other packets of the same marks; a tunnel carries them in the other IP version.
    table[TableKey(fwmark=10)] = Entry(Service("rr"), MappingProxyType({at("fd00:9::1", 0): TUNNEL_1}))
    table[TableKey(fwmark=9, mark_version=6)] = Entry(
        Service("rr", 60, 64), MappingProxyType({at("10.9.0.1", 0): TUNNEL_1})
    )
    return MappingProxyType(table)


async def test_every_scheduler_forwarding_and_family_is_in_the_kernel_as_it_was_ordered(path: KernelPath) -> None:
    wanted = every_kind()
    await taken(path, *plan({}, wanted))
    reading = await path.present()
    assert reading.table == wanted
    assert reading.foreign == ()
    assert plan(reading.table, wanted) == ()
    assert reading.counters.keys() == {(key, server) for key, entry in wanted.items() for server in entry.destinations}


async def test_the_table_is_edited_and_emptied_step_by_step(path: KernelPath) -> None:
    before = every_kind()
    await taken(path, *plan({}, before))
    after = {}
    for number, (key, entry) in enumerate(before.items()):
        width = 32 if key.version == 4 else 128
        service = Service("rr", 0, width) if number % 2 else Service("wrr", 77, width - 8)
        servers = dict(list(entry.destinations.items())[1:])
        after[key] = Entry(service, {server: replace(each, weight=each.weight + 1) for server, each in servers.items()})
    await taken(path, *plan(before, after))
    assert plan((await path.present()).table, after) == ()
    await taken(path, *plan(after, {}))
    assert (await path.present()).table == {}
    await path.close()
    await path.close()


def cluster_of(data: bytes) -> Cluster:
    return load(decode(data)).cluster


def wanted_of(cluster: Cluster) -> Table:
    """Return the table of a cluster whose servers are all well."""
    weighed = {}
    for virtual in cluster.virtual_servers:
        for server in virtual.servers:
            if virtual.key is not None and server.address is not None:
                weighed[RealServerKey(virtual.key, server.address, server.port)] = Weighed(server.weight, True, "")
    return desired(cluster, weighed, {}).table


MADE = """
network = {network}
virtual web {{
  active = 1
  address = 198.51.100.80 eth0:1
  port = 80
  persistent = 300
  pmask = 255.255.255.0
  scheduler = wrr
  server a {{
    address = 10.20.0.21
    active = 1
    port = 8080
    weight = 3
  }}
  server b {{
    address = 10.20.0.22
    active = 1
  }}
}}
virtual dns {{
  active = 1
  address = 2001:db8::53 eth0:2
  port = 53
  protocol = udp
  scheduler = lblcr
  persistent = 60
  server a {{
    address = fd00::21
    active = 1
  }}
}}
virtual mark {{
  active = 1
  address = 198.51.100.81 eth0:1
  fwmark = 9
  scheduler = sh
  server a {{
    address = 10.20.0.21
    active = 1
  }}
}}
virtual mark6 {{
  active = 1
  address = 2001:db8::81 eth0:1
  fwmark = 10
  persistent = 60
  scheduler = dh
  server a {{
    address = fd00::21
    active = 1
    weight = 0
  }}
}}
"""


@pytest.mark.parametrize("network", ["nat", "direct", "tunnel"])
async def test_ipvsadm_prints_the_table_as_our_rules_say_it(path: KernelPath, router: Host, network: str) -> None:
    cluster = cluster_of(MADE.format(network=network).encode())
    await taken(path, *plan({}, wanted_of(cluster)))
    rules = rules_of(cluster)
    assert lines(router) == sorted(rules.lines)
    assert len(rules.lines) == 9


async def test_ipvsadm_prints_the_table_of_every_file_of_the_corpus_as_our_rules_say_it(
    path: KernelPath, router: Host
) -> None:
    assert CORPUS
    for file in CORPUS:
        cluster = cluster_of(file.read_bytes())
        wanted = wanted_of(cluster)
        await taken(path, *plan((await path.present()).table, wanted))
        assert plan((await path.present()).table, wanted) == (), file.name
        assert lines(router) == sorted(rules_of(cluster).lines), file.name


async def test_five_thousand_real_servers_of_one_service_are_written_and_read(path: KernelPath) -> None:
    servers = {at(f"10.1.{number >> 8}.{number & 255}"): Destination(Forwarding.NAT, number) for number in range(5000)}
    wanted = {WEB: Entry(Service("rr"), servers)}
    before = path.writes
    await taken(path, *plan({}, wanted))
    assert path.writes - before == -(-5001 // 64)
    reading = await path.present()
    assert reading.table == wanted
    assert list(reading.table[WEB].destinations) == list(servers)[::-1], "the kernel goes round the other way"


async def test_what_the_table_has_no_word_for_is_named_and_stays(path: KernelPath, router: Host) -> None:
    await taken(path, AddService(WEB, Service("rr")), AddDestination(WEB, RS1, NAT_1))
    with router.inside():
        foreign = ipvs_netlink.destination(at("10.0.0.99"), NAT_1)
        bypass = foreign.replace(b"\x08\0\x03\0\0\0\0\0", b"\x08\0\x03\0\x04\0\0\0")
    assert path._socket.take([(ipvs_netlink.NEW_DEST, ipvs_netlink.service_key(WEB) + bypass)]) == [0]
    router.run("ipvsadm", "-A", "--sctp-service", f"{VIP}:99", "-s", "rr")
    reading = await path.present()
    assert reading.table == {WEB: Entry(Service("rr"), {RS1: NAT_1})}
    assert set(reading.foreign) == {f"SCTP {VIP}:99 (rr)", f"10.0.0.99:80 of TCP {VIP}:80 (cache bypass)"}
    answers = await path.apply_many(plan(reading.table, {}))
    assert len(refused(answers)) == 1
    assert f"TCP {VIP}:80 was not removed: it still has 10.0.0.99:80" in refused(answers)[0]
    left = lines(router)
    assert [line.split(" -s ")[0] for line in left if line.startswith("-A")] == [
        f"-A --sctp-service {VIP}:99",
        f"-A -t {VIP}:80",
    ]


async def test_a_mark_of_both_ip_versions_is_two_services_and_each_is_edited_alone(
    path: KernelPath, router: Host
) -> None:
    router.run("ipvsadm", "-A", "-f", "9", "-s", "rr")
    router.run("ipvsadm", "-A", "-f", "9", "-6", "-s", "wlc")
    six = replace(MARK, mark_version=6)
    before = (await path.present()).table
    assert before == {MARK: Entry(Service("rr")), six: Entry(Service("wlc", 0, 128))}
    await taken(path, EditService(six, Service("sh", 60, 64)), AddDestination(six, at("fd00:3::21", 0), NAT_1))
    assert lines(router) == ["-A -f 9 -6 -s sh -p 60 -M 64", "-A -f 9 -s rr", "-a -f 9 -6 -r [fd00:3::21]:0 -m -w 1"]
    await taken(path, RemoveService(MARK))
    assert (await path.present()).table == {six: Entry(Service("sh", 60, 64), {at("fd00:3::21", 0): NAT_1})}


MIXED = """
network = tunnel
virtual mark {
  active = 1
  address = 198.51.100.81 eth0:1
  fwmark = 9
  scheduler = rr
  server a {
    address = fd00::21
    active = 1
  }
  server b {
    address = fd00::22
    active = 1
  }
}
"""


async def test_a_mark_with_an_ipv4_vip_and_ipv6_tunnels_is_one_for_ipv4_packets_from_lvs_cf_to_the_kernel(
    path: KernelPath, router: Host
) -> None:
    cluster = cluster_of(MIXED.encode())
    wanted = wanted_of(cluster)
    assert [key.version for key in wanted] == [4]
    await taken(path, *plan({}, wanted))
    assert plan((await path.present()).table, wanted) == ()
    assert lines(router) == sorted(rules_of(cluster).lines)
    assert lines(router)[0] == "-A -f 9 -s rr"
    # Nobody is up: the service stays and is the same one.
    down = desired(cluster, {}, {}).table
    await taken(path, *plan((await path.present()).table, down))
    assert lines(router) == ["-A -f 9 -s rr"]


async def test_what_was_set_by_hand_beside_our_words_survives_an_edit(path: KernelPath, router: Host) -> None:
    gue = at("10.0.0.22")
    sip = TableKey(Protocol.UDP, ip_address(VIP), 5060)
    await taken(path, AddService(WEB, Service("rr")), AddDestination(WEB, RS1, NAT_1))
    router.run("ipvsadm", "-e", "-t", f"{VIP}:80", "-r", "10.0.0.21:80", "-m", "-w", "1", "-x", "500", "-y", "400")
    router.run(*f"ipvsadm -a -t {VIP}:80 -r 10.0.0.22:80 -i --tun-type gue --tun-port 6080".split())
    router.run(*f"ipvsadm -A -u {VIP}:5060 -s rr -p 60 --pe sip -o".split())
    await path.present()
    await taken(
        path,
        EditDestination(WEB, RS1, Destination(Forwarding.NAT, 2)),
        EditDestination(WEB, gue, Destination(Forwarding.TUNNEL, 3)),
        EditService(sip, Service("wrr", 90)),
    )
    thresholds = router.run("ipvsadm", "-Ln", "--thresholds", "-t", f"{VIP}:80")
    assert ["10.0.0.21:80", "500", "400"] in [line.split()[1:4] for line in thresholds.splitlines()]
    assert router.run("ipvsadm", "-Sn").splitlines() == [
        f"-A -t {VIP}:80 -s rr",
        f"-a -t {VIP}:80 -r 10.0.0.21:80 -m -w 2",
        f"-a -t {VIP}:80 -r 10.0.0.22:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-nocsum",
        f"-A -u {VIP}:5060 -s wrr -p 90 --pe sip -o",
    ]


async def test_one_weight_is_one_write(path: KernelPath) -> None:
    await taken(path, AddService(WEB, Service("rr")), AddDestination(WEB, RS1, NAT_1))
    before = path.writes
    await path.apply(EditDestination(WEB, RS1, Destination(Forwarding.NAT, 0)))
    assert path.writes - before == 1


REFUSALS: list[tuple[Step, str]] = [
    (AddService(WEB, Service("rr")), "has it already"),
    (
        AddService(TableKey(Protocol.TCP, ip_address(VIP), 81), Service("nosuch")),
        "no scheduler nosuch. modprobe ip_vs_",
    ),
    (EditService(WEB, Service("nosuch")), "no scheduler nosuch"),
    (AddService(TableKey(Protocol.TCP, ip_address(VIP), 82), Service("s" * 16)), "does not take these values"),
    (EditService(WEB6, Service("rr", 60, 129)), "does not take these values"),
    (EditService(MARK, Service("rr")), "does not have that virtual server"),
    (RemoveService(MARK), "does not have that virtual server"),
    (RemoveService(WEB), "it still has 10.0.0.21:80"),
    (AddDestination(WEB, RS1, NAT_1), "has that real server already"),
    (AddDestination(MARK, RS1, NAT_1), "does not have that virtual server"),
    (EditDestination(WEB, at("10.0.0.22"), NAT_1), "does not have that real server"),
    (RemoveDestination(WEB, at("10.0.0.22")), "does not have that real server"),
    (AddDestination(WEB, at("10.0.0.23"), Destination(Forwarding.NAT, -1)), "no weight of -1"),
    (AddDestination(WEB, at("10.0.0.23"), Destination(Forwarding.NAT, 2**31)), "no weight of 2147483648"),
    (AddDestination(WEB, at("224.0.0.1"), NAT_1), "no multicast"),
    (AddDestination(WEB6, at("fe80::1"), NAT_1), "no link-local"),
    (AddDestination(WEB6, RS1, NAT_1), "only tunneling"),
]


async def test_a_refused_step_is_a_sentence_and_stops_no_other(path: KernelPath) -> None:
    await taken(
        path, AddService(WEB, Service("rr")), AddService(WEB6, Service("rr", 60, 64)), AddDestination(WEB, RS1, NAT_1)
    )
    last = AddDestination(WEB, at("10.0.0.29"), NAT_1)
    answers = await path.apply_many([*(step for step, _ in REFUSALS), last])
    assert answers[-1] is None
    for (step, words), answer in zip(REFUSALS, answers, strict=False):
        assert words in str(answer), step
    table = (await path.present()).table
    assert table[WEB].destinations.keys() == {RS1, last.destination_key}
    with pytest.raises(StepRefused, match="has it already"):
        await path.apply(REFUSALS[0][0])


async def test_a_destination_of_another_ip_version_is_refused_while_connections_are_synced(path: KernelPath) -> None:
    await taken(path, AddService(WEB6, Service("rr", 0, 128)))
    await path.start_sync(SyncRole.MASTER, "eth1", 7)
    step = AddDestination(WEB6, RS1, Destination(Forwarding.TUNNEL, 1))
    with pytest.raises(StepRefused, match="connection sync"):
        await path.apply(step)
    await path.stop_sync(SyncRole.MASTER)
    await path.apply(step)
    with pytest.raises(StepRefused, match="does not go with"):
        await path.start_sync(SyncRole.MASTER, "eth1", 7)


async def test_without_the_right_everything_is_refused_with_the_cure(router: Host) -> None:
    path = router.call(KernelPath)
    step = AddService(WEB, Service("rr"))
    with as_nobody():
        answers = await path.apply_many([step])
        with pytest.raises(KernelUnavailable, match="CAP_NET_ADMIN"):
            await path.present()
        with pytest.raises(StepRefused, match="CAP_NET_ADMIN"):
            await path.set_timeouts(Timeouts(1, 1, 1))
        with pytest.raises(StepRefused, match="CAP_NET_ADMIN"):
            await path.start_sync(SyncRole.MASTER, "eth1", 7)
    assert "CAP_NET_ADMIN" in str(answers[0])
    await path.apply(step)
    await path.close()


@pytest.mark.parametrize("loader", ["/sbin/modprobe", "/bin/false"], ids=["by the kernel", "by us"])
async def test_a_missing_schedulers_module_is_loaded_and_what_hangs_on_it_is_taken_too(
    path: KernelPath, loader: str
) -> None:
    modules("rmmod", "ip_vs_mh")
    with kernel_that_loads_by(loader):
        await taken(path, AddService(WEB, Service("mh")), AddDestination(WEB, RS1, NAT_1))
    assert (await path.present()).table == {WEB: Entry(Service("mh"), {RS1: NAT_1})}


async def test_a_module_that_may_not_be_loaded_is_named_and_may_come_later(router: Host) -> None:
    path = router.call(lambda: KernelPath(loads_modules=False))
    modules("rmmod", "ip_vs_mh")
    with kernel_that_loads_by("/bin/false"):
        answers = await path.apply_many([AddService(WEB, Service("mh")), AddDestination(WEB, RS1, NAT_1)])
    assert "no scheduler mh. Run modprobe ip_vs_mh as root" in str(answers[0])
    assert "does not have that virtual server" in str(answers[1])
    modules("modprobe", "ip_vs_mh")
    await taken(path, AddService(WEB, Service("mh")), AddDestination(WEB, RS1, NAT_1))
    await path.close()


async def test_ipvs_that_was_unloaded_is_loaded_again(path: KernelPath) -> None:
    with kernel_that_loads_by("/bin/false"):
        modules("modprobe", "-r", *ALL_MODULES)
        with pytest.raises(KernelUnavailable, match="modprobe ip_vs"):
            await path.connections()
        assert (await path.present()).table == {}
        modules("modprobe", "-r", *ALL_MODULES)
        await taken(path, AddService(WEB, Service("rr")), AddDestination(WEB, RS1, NAT_1))
    modules("modprobe", "-a", *ALL_MODULES)


async def test_where_ipvs_may_not_be_loaded_a_sentence_says_what_to_do(router: Host) -> None:
    path = router.call(lambda: KernelPath(loads_modules=False))
    with kernel_that_loads_by("/bin/false"):
        modules("modprobe", "-r", *ALL_MODULES)
        with pytest.raises(KernelUnavailable, match="modprobe ip_vs"):
            await path.present()
        with pytest.raises(StepRefused, match="modprobe ip_vs"):
            await path.apply(AddService(WEB, Service("rr")))
        with pytest.raises(KernelUnavailable, match="--data-path embedded"):
            KernelPath(loads_modules=False)
        modules("modprobe", "-a", *ALL_MODULES)
        await path.apply(AddService(WEB, Service("rr")))
    await path.close()


async def test_timeouts_are_set_one_by_one_and_put_back(path: KernelPath) -> None:
    before = await path.timeouts()
    assert before == Timeouts(900, 120, 300)
    await path.set_timeouts(Timeouts(0, 0, 0))
    await path.set_timeouts(Timeouts(100, 0, 33))
    assert await path.timeouts() == Timeouts(100, 120, 33)
    for wrong in (Timeouts(-1, 0, 0), Timeouts(2**31, 0, 0), Timeouts(2**40, 0, 0)):
        with pytest.raises(StepRefused, match="seconds from 1"):
            await path.set_timeouts(wrong)
    await path.set_timeouts(before)
    assert await path.timeouts() == before


async def test_the_kernel_tells_its_version_and_the_size_of_its_connection_table(path: KernelPath) -> None:
    assert await path.info() == ("1.2.1", 4096)


async def test_sync_daemons_are_those_of_their_router(lab: Topology, path: KernelPath) -> None:
    partner = lab["lvs2"].call(KernelPath)
    await path.start_sync(SyncRole.MASTER, "eth1", 7)
    await partner.start_sync(SyncRole.BACKUP, "eth1", 7)
    assert await path.sync_daemons() == (SyncDaemon(SyncRole.MASTER, "eth1", 7),)
    assert await partner.sync_daemons() == (SyncDaemon(SyncRole.BACKUP, "eth1", 7),)
    await partner.start_sync(SyncRole.MASTER, "eth0", 255)
    assert {daemon.role for daemon in await partner.sync_daemons()} == set(SyncRole)
    for role, interface, sync_id, words in (
        (SyncRole.MASTER, "eth1", 8, "one runs already"),
        (SyncRole.BACKUP, "eth9", 8, "no such interface"),
        (SyncRole.BACKUP, "eth1", 256, "not from 0 to 255"),
        (SyncRole.BACKUP, "e" * 16, 8, "no interface can have that name"),
    ):
        with pytest.raises(StepRefused, match=words):
            await path.start_sync(role, interface, sync_id)
    for each in (path, partner):
        for role in (*SyncRole, *SyncRole):
            await each.stop_sync(role)
        assert await each.sync_daemons() == ()
    await partner.close()


def accepted(lab: Topology, family: int, server: str, vip: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a client's connection through the virtual server, and the real server's end of it."""
    with lab["rs1"].socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((server, port))
        listener.listen()
        listener.settimeout(5)
        client = lab["client"].socket(family)
        client.settimeout(5)
        client.connect((vip, port))
        there, _ = listener.accept()
        there.settimeout(5)
        return client, there


def copied(router: Host, folder: Path) -> Path:
    """Return a folder with the router's connection table: which namespace /proc/net is depends on the thread."""
    (folder / "ip_vs_conn").write_text(router.run("cat", "/proc/net/ip_vs_conn"))
    return folder


async def test_counters_rates_and_connections_are_those_of_real_traffic(
    lab: Topology, path: KernelPath, tmp_path: Path
) -> None:
    await taken(
        path,
        *(AddService(key, Service("rr", 60, 24)) for key in (WEB, MARK)),
        AddService(WEB6, Service("rr", 60, 64)),
        AddService(MARK6, Service("rr", 60, 128)),
        AddDestination(WEB, RS1, NAT_1),
        AddDestination(MARK, at("10.0.0.21", 0), NAT_1),
        AddDestination(WEB6, at("fd00:3::21"), NAT_1),
        AddDestination(MARK6, at("fd00:3::21", 0), NAT_1),
    )
    ends = []
    for family, server, vip, port in (
        (socket.AF_INET, "10.0.0.21", VIP, 80),
        (socket.AF_INET, "10.0.0.21", VIP, 81),
        (socket.AF_INET6, "fd00:3::21", VIP6, 80),
        (socket.AF_INET6, "fd00:3::21", VIP6, 81),
    ):
        client, there = accepted(lab, family, server, vip, port)
        client.sendall(b"x" * 1000)
        assert len(there.recv(1000, socket.MSG_WAITALL)) == 1000
        there.sendall(b"y" * 5000)
        assert len(client.recv(5000, socket.MSG_WAITALL)) == 5000
        ends += [client, there]
    reading = await path.present()
    assert {counters.active_connections for counters in reading.counters.values()} == {1}
    waited(2.2)
    reading = await path.present()
    for place, counters in reading.counters.items():
        assert counters.connections == 1
        assert 1000 < counters.bytes_in < 3000
        assert 5000 < counters.bytes_out < 7000
        stats = reading.stats[place]
        assert (stats.connections, stats.bytes_in) == (counters.connections, counters.bytes_in)
        assert stats.packets_in >= 4 and stats.bytes_out_ps > 0
        assert reading.service_stats[place[0]].bytes_out == counters.bytes_out
    proc_net = copied(lab["lvs1"], tmp_path)
    found = await path.connections(proc_net=proc_net)
    assert (found.matching, found.is_whole) == (8, True)
    templates = [each for each in found.shown if each.is_template]
    assert sorted(each.fwmark for each in templates) == [0, 0, 9, 10]
    assert {str(each.client.address) for each in templates} == {"192.0.2.0", "2001:db8:1::", "2001:db8:1::10"}
    client_port = ends[0].getsockname()[1]
    wanted = Wanted(client=ip_network("192.0.2.10"), virtual=ip_address(VIP), virtual_port=80, state="ESTABLISHED")
    (one,) = (await path.connections(wanted, proc_net=proc_net)).shown
    assert (one.client, one.virtual, one.server) == (at("192.0.2.10", client_port), at(VIP), RS1)
    assert 800 < one.expires_s <= 900
    for end in ends:
        end.close()


async def test_a_removal_silences_connections_and_adding_back_lets_them_go_on(lab: Topology, path: KernelPath) -> None:
    """What the docstring of kernel_ipvs says about RemoveDestination."""
    await taken(path, AddService(WEB, Service("rr")), AddDestination(WEB, RS1, NAT_1))
    client, there = accepted(lab, socket.AF_INET, "10.0.0.21", VIP, 80)
    await taken(path, EditDestination(WEB, RS1, Destination(Forwarding.NAT, 0)))
    client.sendall(b"drained")
    assert there.recv(100) == b"drained"
    await taken(path, RemoveDestination(WEB, RS1, ends_connections=True))
    client.sendall(b"removed")
    there.settimeout(0.5)
    with pytest.raises(TimeoutError):
        there.recv(100)
    await taken(path, AddDestination(WEB, RS1, NAT_1))
    there.settimeout(10)
    assert there.recv(100) == b"removed"
    client.close()
    there.close()
