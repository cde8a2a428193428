"""Traffic of many clients: virtual servers as lvs.cf says them, what their hosts need, one question after the other.

A client asks a virtual server over TCP or UDP and is told the name of the real server. Every question has a connection
of its own, which for IPVS is a new source port over UDP too.
"""

import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from piranha.config.load import load
from piranha.ipvs.ipvsadm import rules_of
from tests.lab.running_router import RealServers, RunningRouter, asked, connected, until
from tests.lab.topology import Host, Topology

VIPS = {4: "198.51.100.100", 6: "2001:db8:2::100"}
# A hash is no chance: these addresses were chosen before anybody looked what it makes of them.
CLIENTS = {4: [f"192.0.2.{n}" for n in range(100, 164)], 6: [f"2001:db8:1::{n}" for n in range(100, 164)]}
NEIGHBOURS = ("192.0.3.10", "192.0.3.200")
STRANGER = "192.0.4.10"
# Whole nets that are routed to the router, which a firewall mark makes one virtual server.
DESTINATION_NETS = {4: "203.0.113.0/26", 6: "2001:db8:64::/122"}
DESTINATIONS = {4: [f"203.0.113.{n}" for n in range(64)], 6: [f"2001:db8:64::{n:x}" for n in range(64)]}
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
READY_S = 30.0


@dataclass(frozen=True)
class Virtual:
    """A virtual server. `fwmark` may stand for more `ports` of VIP than its own, or (`is_net`) for DESTINATIONS."""

    port: int
    scheduler: str = "rr"
    protocol: str = "tcp"
    version: int = 4
    weights: Mapping[str, int] | None = None
    fwmark: int = 0
    ports: tuple[int, ...] = ()
    is_net: bool = False
    lines: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"v{self.port}"

    def block(self, servers: Mapping[str, str]) -> str:
        """Return its block in lvs.cf. `servers`: addresses of real servers by name."""
        lines = [f"virtual {self.name} {{", "active = 1", f"address = {VIPS[self.version]} eth0:{self.version}"]
        lines += [f"port = {self.port}", f"protocol = {self.protocol}", f"scheduler = {self.scheduler}"]
        lines += ['send = "who?"', 'expect = "*"', "timeout = 5", "reentry = 5", *self.lines]
        lines += [f"fwmark = {self.fwmark}"] if self.fwmark else []
        for name, address in servers.items():
            lines += [f"server {name} {{", f"address = {address}", "active = 1"]
            lines += [f"weight = {self.weights[name]}", "}"] if self.weights is not None else ["}"]
        return "\n".join([*lines, "}", ""])

    def marking(self) -> list[str]:
        """Return the words for iptables that set its mark."""
        there = DESTINATION_NETS[self.version] if self.is_net else VIPS[self.version]
        ports = ",".join(str(port) for port in self.ports or (self.port,))
        words = f"-t mangle -A PREROUTING -d {there} -p {self.protocol} -m multiport --dports {ports}"
        return [*words.split(), "-j", "MARK", "--set-mark", str(self.fwmark)]


@dataclass(frozen=True)
class Site:
    """A lab whose first router runs an lvs.cf under one forwarding method; `servers` are real servers' addresses."""

    lab: Topology
    router: RunningRouter
    head: str
    servers: Mapping[int, Mapping[str, str]]
    virtuals: tuple[Virtual, ...]

    @property
    def forwarding(self) -> str:
        """Return `network` as lvs.cf has it: nat, direct or tunnel."""
        return load(self.head).cluster.forwarding

    def text(self, *changed: Virtual) -> str:
        """Return the lvs.cf, with some virtual servers changed."""
        by_port = {each.port: each for each in (*self.virtuals, *changed)}
        return self.head + "".join(each.block(self.servers[each.version]) for each in by_port.values())

    def has_table(self, text: str = "") -> bool:
        """Say whether `ipvsadm -Sn` prints what `piranha show --ipvsadm` does for a text, or for the lvs.cf."""
        rules = rules_of(load(text or self.text()).cluster)
        assert not rules.left_out
        return sorted(self.router.table()) == sorted(rules.lines)

    def shown(self) -> list[str]:
        """Return what `piranha show --ipvsadm` prints. It takes a second."""
        words = [sys.executable, "-m", "piranha.cli.main", "--root", str(self.router.paths.root), "show", "--ipvsadm"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()

    def open(self, virtual: Virtual, source: str = "", address: str = "", port: int = 0) -> socket.socket:
        """Return a new connection of the client to a virtual server, or to another address or port of its mark."""
        vip = address or VIPS[virtual.version]
        return connected(self.lab["client"], vip, port or virtual.port, KINDS[virtual.protocol], source)

    def ask(self, virtual: Virtual, source: str = "", address: str = "", port: int = 0) -> str:
        """Return the name of the real server that a new connection gets."""
        with self.open(virtual, source, address, port) as connection:
            return named(connection)

    def shares(self, virtual: Virtual, count: int) -> Counter[str]:
        """Ask so often, and return how often each real server answered."""
        return Counter(self.ask(virtual) for _ in range(count))

    def connections(self, virtual: Virtual) -> dict[str, int]:
        """Return how many connections each real server has now, as the engine reads them from the kernel."""
        (found,) = [each for each in self.router.status().virtual_servers if each.name == virtual.name]
        # Without a handshake the kernel calls none of UDP active.
        traffic = {each.name: each.traffic for each in found.servers}
        if virtual.protocol == "udp":
            return {name: each.inactive_connections for name, each in traffic.items()}
        return {name: each.active_connections for name, each in traffic.items()}


def named(connection: socket.socket) -> str:
    """Return the name of the real server at the other end of a connection."""
    return asked(connection).partition(":")[0]


@contextmanager
def site(
    lab: Topology, folder: Path, head: str, servers: Mapping[int, Mapping[str, str]], virtuals: Sequence[Virtual]
) -> Iterator[Site]:
    """Have a site that serves: real servers that answer, a router that has its table and its addresses.

    The topology is made already; it is removed here.
    """
    answering = RealServers(lab, {port for each in virtuals for port in (each.port, *each.ports)}, servers[4])
    answering.start()
    router = RunningRouter(lab["lvs1"], folder, nannies=False)
    found = Site(lab, router, head, servers, tuple(virtuals))
    try:
        for each in virtuals:
            if each.fwmark:
                router.host.run("iptables-legacy" if each.version == 4 else "ip6tables-legacy", *each.marking())
        router.write(found.text())
        router.start()
        until(found.has_table, READY_S, "the table is the desired one")
        vips = {VIPS[each.version] for each in virtuals}
        until(lambda: all(vip in router.addresses() for vip in vips), READY_S, "the addresses are there")
        yield found
        assert router.end(signal.SIGTERM) == 0
        assert router.table() == []
    finally:
        print(router.said())
        lab.remove()
        answering.stop()


def with_many_addresses(lab: Topology) -> None:
    """Give the client its addresses, and its router and upstream the ways to them and to DESTINATIONS."""
    lines = [f"addr add {each}/24 dev eth0" for each in (*CLIENTS[4], *NEIGHBOURS, STRANGER)]
    lab["client"].ip(*lines, *(f"addr add {each}/64 dev eth0" for each in CLIENTS[6]))
    ways = [f"route add {net} via {lab['lvs1'].address('dmz', version)}" for version, net in DESTINATION_NETS.items()]
    lab["upstream"].ip("route add 192.0.3.0/24 dev eth0", "route add 192.0.4.0/24 dev eth0", *ways)
    # Packets for these go in, where IPVS is, and not through.
    lab["lvs1"].ip(*(f"route add local {net} dev lo" for net in DESTINATION_NETS.values()))


def carrying_silently(host: Host, *devices: str) -> None:
    """Give a real server the virtual addresses without anybody in its net hearing of it.

    `devices`: for IPv4 and for IPv6; lo for direct routing, the tunnels' ends for tunneling.
    """
    for name, value in (("arp_ignore", "1"), ("arp_announce", "2"), ("rp_filter", "0")):
        host.sysctl(f"net.ipv4.conf.all.{name}", value)
    lines = [f"link set {device} up" for device in devices]
    for (version, addresses), device in zip(DESTINATIONS.items(), devices, strict=True):
        width = 32 if version == 4 else 128
        lines += [f"addr add {each}/{width} dev {device}" for each in (VIPS[version], *addresses)]
    host.ip(*lines)


def load_tunnels() -> None:
    """Load what ends tunnels; every namespace gets tunl0 and ip6tnl0."""
    subprocess.run(["modprobe", "-a", "ipip", "ip6_tunnel"], check=True)
