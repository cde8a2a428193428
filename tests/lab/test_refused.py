"""What a real kernel or network refuses: logged once, told in status and GUI, tried again; and the rest goes on."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from piranha.cli.running import status as status_command
from piranha.ipvs.second_owners import FORGET_S
from piranha.paths import Paths
from piranha.status import AddressState
from piranha.system.arp import announce
from piranha.web import create_app
from tests.lab.running_router import RealServers, RunningRouter, asked, connected, requests, until
from tests.lab.topology import Host, Topology
from tests.web.conftest import PASSWORD, InProcessBrowser

VIP, OTHER, VIP6 = "198.51.100.100", "198.51.100.101", "2001:db8:2::100"
HEAD = """serial_no = 1
primary = 198.51.100.11
service = lvs
backup_active = 0
network = nat
nat_nmask = 255.255.255.0
"""
NAT_ROUTER = "nat_router = 10.0.0.254 eth1:1\n"
RS1, RS2 = "10.0.0.21", "10.0.0.22"
TURNS_S = 4.0
"""Several turns of the engine: a refused step was tried again and again."""
WITHOUT_RIGHT = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")


def virtual(name: str, address: str, port: int, *, scheduler: str = "rr", servers: tuple[str, ...] = (RS1, RS2)) -> str:
    """Return a virtual server on an address with its device, `198.51.100.100 eth0:1`."""
    lines = [f"virtual {name} {{", "active = 1", f"address = {address}", f"port = {port}", f"scheduler = {scheduler}"]
    lines += ["vip_nmask = 255.255.255.0"] if ":" not in address.split()[0] else []
    lines += ["timeout = 2", "reentry = 2"]
    for number, server in enumerate(servers, 1):
        lines += [f"server s{number} {{", f"address = {server}", "active = 1", f"port = {port}", "}"]
    return "\n".join([*lines, "}", ""])


WEB = virtual("web", f"{VIP} eth0:1", 8080)


@pytest.fixture(scope="module")
def servers(lab: Topology) -> Iterator[RealServers]:
    found = RealServers(lab, (8080, 8081), ("rs1", "rs2"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def router(lab: Topology, servers: RealServers, tmp_path: Path) -> Iterator[RunningRouter]:
    """Return a router whose engine does not run yet; afterwards nothing of it is left."""
    found = RunningRouter(lab["lvs1"], tmp_path, nannies=False)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.end(signal.SIGTERM)
    print(found.said())
    found.host.run("ipvsadm", "-C")


@dataclass
class Told:
    """What an administrator sees of a running engine."""

    router: RunningRouter
    gui: InProcessBrowser

    def about(self, name: str) -> list[str]:
        """Return what status, its JSON and the GUI tell of a virtual server."""
        (text,) = [part for part in self.status().split("\n\n") if part.startswith(f"{name}  ")]
        (as_json,) = [each for each in json.loads(self.status("--json"))["virtual_servers"] if each["name"] == name]
        sections = re.findall(r'<section class="service">.*?</section>', self.page(), re.DOTALL)
        (section,) = [each for each in sections if f"({name})" in each]
        return [text, json.dumps(as_json), section]

    def in_general(self) -> list[str]:
        """Return the messages that concern everybody, as status, its JSON and the GUI tell them."""
        head, _, _ = self.status().partition("\n\n")
        messages = re.findall(r'<p class="message message-info">.*?</p>', self.page(), re.DOTALL)
        return [head, json.dumps(json.loads(self.status("--json"))["messages"]), "\n".join(messages)]

    def status(self, *words: str) -> str:
        """Return what `piranha status` prints."""
        done = CliRunner().invoke(status_command, words, obj=SimpleNamespace(engine=self.router.client))
        assert done.exit_code == 0, done.output
        return done.output

    def page(self) -> str:
        """Return CONTROL/MONITORING without the markup of characters."""
        return html.unescape(self.gui.open("/secure/control").html)


@pytest.fixture
def told(router: RunningRouter) -> Told:
    paths = router.paths
    paths.passwd.parent.mkdir(parents=True)
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    paths.passwd.write_text(f"piranha:{cheap.hash(PASSWORD)}\n")
    gui = InProcessBrowser(create_app(paths))
    assert gui.log_in(PASSWORD).status == 200
    return Told(router, gui)


def is_in(parts: list[str], sentence: str) -> bool:
    assert len(parts) == 3
    return all(sentence in each for each in parts)


def is_in_none(parts: list[str], sentence: str) -> bool:
    assert len(parts) == 3
    return not any(sentence in each for each in parts)


def turns_pass(router: RunningRouter) -> None:
    """Wait until the engine has taken some turns more."""
    enough_s = router.status().running_for_s + TURNS_S
    until(lambda: router.status().running_for_s > enough_s, 2 * TURNS_S, "the engine takes its turns")


@contextmanager
def served(lab: Topology, router: RunningRouter) -> Iterator[None]:
    """Have a client ask WEB all the time, who is answered each time."""
    until(lambda: VIP in router.addresses(), 15, "the first virtual server is there")
    with requests(lab["client"], VIP, 8080) as (client,):
        yield
        enough = client.count + 5
        until(lambda: client.count >= enough, 10, "requests go on")
    assert client.failures == []
    assert {*client.answers} == {"rs1:8080", "rs2:8080"}


def names_answering(lab: Topology, vip: str, port: int, times: int = 4) -> set[str]:
    """Return who answers a client, each time over a connection of its own."""
    found = set()
    for _ in range(times):
        with connected(lab["client"], vip, port) as connection:
            found.add(asked(connection))
    return found


@contextmanager
def without_scheduler(name: str) -> Iterator[Callable[[], None]]:
    """Have no module of a scheduler; it may be given back before the end."""
    release = subprocess.run(["uname", "-r"], capture_output=True, text=True, check=True).stdout.strip()
    module = Path(f"/lib/modules/{release}/kernel/net/netfilter/ipvs/ip_vs_{name}.ko")
    hidden = module.with_suffix(".hidden")
    subprocess.run(["modprobe", "-r", f"ip_vs_{name}"], check=False)
    module.rename(hidden)
    try:
        yield lambda: hidden.exists() and hidden.rename(module)
    finally:
        if hidden.exists():
            hidden.rename(module)


def test_a_missing_scheduler(lab: Topology, router: RunningRouter, told: Told) -> None:
    hashed = virtual("hashed", f"{OTHER} eth0:2", 8081, scheduler="mh")
    changed = virtual("web", f"{VIP} eth0:1", 8080, scheduler="mh")
    with without_scheduler("mh") as give_back:
        router.write(HEAD + NAT_ROUTER + WEB + hashed)
        router.start()
        with served(lab, router):
            cure = "Run modprobe ip_vs_mh as root, install the kernel's modules, or choose another scheduler."
            until(lambda: router.status().virtual_servers[1].refused, 10, "it is refused")
            refused = router.status().virtual_servers[1].refused
            assert refused.startswith(f"Virtual server TCP {OTHER}:8081 was refused: this kernel has no scheduler mh. ")
            assert refused.endswith(cure)
            assert is_in(told.about("hashed"), refused)
            assert is_in_none(told.about("web"), "was refused")
            assert f"NOT SERVED: {refused}" in told.status()
            # A change that is refused leaves a virtual server as it was, and nobody calls it unserved.
            router.apply(HEAD + NAT_ROUTER + changed + hashed)
            until(lambda: router.status().virtual_servers[0].differs, 10, "the change is refused")
            differs = router.status().virtual_servers[0].differs
            assert differs.startswith(f"The change of virtual server TCP {VIP}:8080 was refused: ")
            assert is_in(told.about("web"), differs)
            assert f"NOT AS lvs.cf ASKS: {differs}" in told.status()
            assert "NOT SERVED" not in told.about("web")[0]
            turns_pass(router)
            for sentence in (refused, differs):
                assert router.said().count(sentence) == 1
            give_back()
            until(lambda: f"-A -t {VIP}:8080 -s mh" in router.table(), 10, "the change is made")
            until(lambda: f"-A -t {OTHER}:8081 -s mh" in router.table(), 10, "it is added")
            until(lambda: not any(v.refused or v.differs for v in router.status().virtual_servers), 5, "all is well")
            for name in ("web", "hashed"):
                assert is_in_none(told.about(name), "was refused")
            until(lambda: OTHER in router.addresses(), 10, "its address is there")
            assert names_answering(lab, OTHER, 8081) <= {"rs1:8081", "rs2:8081"}
            assert f"TCP {OTHER}:8081: nothing is refused any more." in router.said()


@pytest.fixture
def way_back(lab: Topology) -> Iterator[None]:
    """Give the real servers their way out where the engine cannot."""
    lab["lvs1"].ip("address add 10.0.0.254/24 dev eth1")
    yield
    lab["lvs1"].ip("address del 10.0.0.254/24 dev eth1")


def test_a_missing_interface(lab: Topology, router: RunningRouter, told: Told, way_back: None) -> None:
    far = virtual("far", f"{OTHER} eth9:1", 8081)
    # Its address is that of the one before it.
    also = virtual("also", f"{OTHER} eth9:1", 8080)
    sync = "syncdaemon = 1\nsyncd_iface = eth9\nsyncd_id = 7\n"
    router.write(sync + HEAD + "nat_router = 10.0.0.253 eth9:2\n" + WEB + far + also)
    router.start()
    with served(lab, router):
        no_device = "There is no interface eth9 on this router. Make it, or name another one in lvs.cf."
        for name in ("far", "also"):
            until(lambda n=name: is_in(told.about(n), f"{OTHER}/24 is not carried. {no_device}"), 10, "it is told")
        assert is_in_none(told.about("web"), "eth9")
        nat = f"nat_router: 10.0.0.253/24 is not carried. {no_device} Until then the answers of real servers"
        assert is_in(told.in_general(), nat)
        daemon = (
            "The master sync daemon on eth9 was refused: this router has no such interface. Change syncd_iface, or "
            "make it."
        )
        assert is_in(told.in_general(), daemon)
        rows = [each for each in router.status().addresses if each.state is AddressState.REFUSED]
        assert [(each.source, each.sentence) for each in rows] == [
            ("virtual[far]", no_device),
            ("nat_router", no_device),
        ]
        assert told.page().count(no_device) >= 4, "in the rows of the addresses too"
        turns_pass(router)
        assert router.said().count(no_device) == 1
        assert f"virtual[far], nat_router: {no_device}" in router.said()
        assert router.said().count(daemon) == 1
        router.host.ip("link add eth9 type veth peer name eth9b", "address add 192.168.9.1/24 dev eth9")
        router.host.ip("link set eth9b up", "link set eth9 up")
        try:
            carried = f"{OTHER}/24"
            until(lambda: all(each in router.addresses() for each in (carried, "10.0.0.253/24")), 10, "they are there")
            running = "master sync daemon (mcast=eth9, syncid=7"
            until(lambda: running in router.host.run("ipvsadm", "-L", "--daemon"), 25, "the sync daemon runs")
            until(lambda: is_in_none(told.in_general(), "eth9"), 10, "nothing is wrong any more")
            for name in ("far", "also"):
                assert is_in_none(told.about(name), "is not carried")
            assert {each.state for each in router.status().addresses} == {AddressState.CARRIED}
            # And the same again, when it goes again.
            router.host.ip("link del eth9")
            for name in ("far", "also"):
                until(lambda n=name: is_in(told.about(n), no_device), 10, "it is told again")
            assert router.said().count(no_device) == 2
        finally:
            router.host.run("ip", "link", "del", "eth9", check=False)


def started_without_right(router: RunningRouter, data_path: str, *root: str) -> subprocess.Popen[str]:
    words = (*WITHOUT_RIGHT, sys.executable, "-m", "piranha.cli.pulse", *root, "--data-path", data_path)
    return router.host.start(*words, output=router.log)


NO_RIGHT = (
    "The kernel does not let this process see its IPVS table. "
    "Run pulse as root, or give it the capability CAP_NET_ADMIN."
)


def test_no_permission_is_said_at_the_start_which_is_refused(router: RunningRouter) -> None:
    router.write(HEAD + NAT_ROUTER + WEB)
    process = started_without_right(router, "kernel", "--root", str(router.paths.root))
    assert process.wait(30) == 1
    assert router.said() == f"pulse: {NO_RIGHT}\n"
    assert not router.paths.socket.exists()
    assert router.table() == [] and VIP not in router.addresses()


@pytest.fixture
def system(router: RunningRouter) -> Iterator[RunningRouter]:
    """Return a router on the files of the whole machine, which is the lab's own and forgets all of it."""
    root = router.paths
    router.paths = Paths()
    kept = (Paths().lvs_cf.parent, Paths().run, Paths().state, Paths().gui_state)
    assert os.environ.get("PIRANHA_LAB") == "1", "this machine is not the lab's"
    for path in kept:
        shutil.rmtree(path, ignore_errors=True)
    router.paths.lvs_cf.parent.mkdir(parents=True)
    router.client = type(router.client)(router.paths.socket)
    yield router
    if router.process is not None:
        router.end(signal.SIGTERM)
        router.process = None
    router.paths = root
    for path in kept:
        shutil.rmtree(path, ignore_errors=True)


def test_no_permission_is_the_reason_for_the_embedded_path_where_the_choice_is_free(
    lab: Topology, system: RunningRouter, request: pytest.FixtureRequest
) -> None:
    own = lab["lvs1"].address("dmz")
    system.write(HEAD + NAT_ROUTER + virtual("web", f"{own} eth0", 8080))
    system.process = started_without_right(system, "auto")
    until(system.is_there, 30, "the engine answers")
    told: Told = request.getfixturevalue("told")
    assert system.status().data_path == "embedded"
    notice = f"{NO_RIGHT} Until then the embedded data path is used: TCP only, and connections end with the engine."
    assert is_in(told.in_general(), notice)
    assert system.said().count(notice) == 1
    until(lambda: system.status().virtual_servers[0].servers[0].health.state == "up", 10, "it checks")
    assert names_answering(lab, own, 8080) == {"rs1:8080", "rs2:8080"}
    assert system.table() == []


def has_neighbour(lab: Topology, address: str, host: Host) -> bool:
    """Say whether the upstream router takes an address for that host's."""
    table = lab["upstream"].run("ip", "neigh", "show", "dev", lab["upstream"].device("dmz"))
    return f"{address} lladdr {host.mac('dmz')}" in table


@pytest.mark.timeout(180)
def test_an_address_that_another_station_has(lab: Topology, router: RunningRouter, told: Told) -> None:
    other = lab["lvs2"]
    other.ip(f"address add {OTHER}/24 dev eth0")
    router.write(HEAD + NAT_ROUTER + WEB + virtual("taken", f"{OTHER} eth0:2", 8081))
    try:
        router.start()
        with served(lab, router):
            sentence = (
                f"{OTHER} on eth0 is in use already, by {other.mac('dmz')}. Two stations with one address take each "
                "other's traffic: find out who that is and take the address away there."
            )
            until(lambda: is_in(told.about("taken"), sentence), 15, "it is told")
            assert is_in_none(told.about("web"), "in use already")
            (row,) = [each for each in router.status().addresses if each.state is AddressState.CONFLICT]
            assert (row.source, row.mac, row.sentence) == ("virtual[taken]", other.mac("dmz"), sentence)
            assert f"CONFLICT ({other.mac('dmz')})" in told.status()
            turns_pass(router)
            assert router.said().count(sentence) == 1
            assert names_answering(lab, OTHER, 8081) == {"rs1:8081", "rs2:8081"}
            with other.inside():
                announce("eth0", [ip_address(OTHER)])
            until(lambda: has_neighbour(lab, OTHER, other), 5, "the neighbours believe the other station")
            other.ip(f"address del {OTHER}/24 dev eth0")
            until(lambda: is_in_none(told.about("taken"), "in use"), FORGET_S + 20, "nobody else has it any more")
            assert {each.state for each in router.status().addresses} == {AddressState.CARRIED}
            assert f"{OTHER} on eth0: nobody else has it any more." in router.said()
            until(lambda: has_neighbour(lab, OTHER, lab["lvs1"]), 5, "the neighbours know")
            assert names_answering(lab, OTHER, 8081) == {"rs1:8081", "rs2:8081"}
    finally:
        other.run("ip", "address", "del", f"{OTHER}/24", "dev", "eth0", check=False)


def test_an_alias_too_long_for_the_kernel(lab: Topology, router: RunningRouter, told: Told) -> None:
    router.write(HEAD + NAT_ROUTER + WEB + virtual("long", f"{OTHER} eth0:123456789012", 8081))
    router.start()
    with served(lab, router):
        sentence = (
            "The alias eth0:123456789012 is too long: 17 characters, 15 are possible. "
            "Write a shorter one, or eth0 alone."
        )
        until(lambda: is_in(told.about("long"), sentence), 10, "it is told")
        assert is_in_none(told.about("web"), "too long")
        turns_pass(router)
        assert router.said().count(sentence) == 1
        assert f"virtual[long]: {sentence}" in router.said()
        router.apply(HEAD + NAT_ROUTER + WEB + virtual("long", f"{OTHER} eth0:12345", 8081))
        until(lambda: f"{OTHER}/24" in router.addresses(), 10, "it is there")
        until(lambda: is_in_none(told.about("long"), "too long"), 5, "nothing is wrong any more")
        assert names_answering(lab, OTHER, 8081) == {"rs1:8081", "rs2:8081"}


@contextmanager
def named(address: str) -> Iterator[None]:
    """Have a host name for an address; lvs.cf is refused where the two kinds of addresses stand in it openly."""
    hosts = Path("/etc/hosts")
    before = hosts.read_text()
    hosts.write_text(f"{before}\n{address} four.lab.example\n")
    try:
        yield
    finally:
        hosts.write_text(before)


def test_a_real_server_of_another_ip_version(lab: Topology, router: RunningRouter, told: Told) -> None:
    router.host.run("ip", "address", "add", "fd00:3::254/64", "dev", "eth1", "nodad")
    six = virtual("six", f"{VIP6} eth0:2", 8081, servers=("four.lab.example", "fd00:3::22"))
    try:
        with named(RS1):
            router.write(HEAD + NAT_ROUTER + WEB + six)
            router.start()
            with served(lab, router):
                sentence = (
                    f"Real server {RS1}:8081 for TCP [{VIP6}]:8081 was refused: it has no IPv6 address as the virtual "
                    "server has, and only tunneling can change that. Give the real server an IPv6 address."
                )
                until(lambda: is_in(told.about("six"), sentence), 10, "it is told")
                assert is_in_none(told.about("web"), "was refused")
                text, _, page = told.about("six")
                assert "NOT SERVED" not in text and "Not served" not in page, "the other real server serves"
                (row,) = [line for line in text.splitlines() if sentence in line]
                assert row.split()[:2] == ["s1", "four.lab.example:8081"]
                pending = [each.refused for each in router.status().pending]
                assert pending == [sentence]
                turns_pass(router)
                assert router.said().count(sentence) == 1
                assert names_answering(lab, VIP6, 8081) == {"rs2:8081"}
        with named("fd00:3::21"), served(lab, router):
            router.client.apply()
            until(lambda: is_in_none(told.about("six"), "was refused"), 15, "nothing is refused any more")
            until(lambda: f"-a -t [{VIP6}]:8081 -r [fd00:3::21]:8081 -m -w 1" in router.table(), 15, "it serves")
            assert names_answering(lab, VIP6, 8081) == {"rs1:8081", "rs2:8081"}
    finally:
        router.host.run("ip", "address", "del", "fd00:3::254/64", "dev", "eth1")
