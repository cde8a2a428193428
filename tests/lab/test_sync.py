"""Connection sync between two routers: the passive one knows the connections, and they go on where the addresses go."""

import contextlib
import hashlib
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from piranha.messages import ClientConnection, ConnectionsQuery
from piranha.monitoring import FailoverCommand
from piranha.status import SyncDaemonStatus
from tests.lab.running_router import SERVERS, RealServers, RunningRouter, asked, connected, until
from tests.lab.test_engine import VIP, everyone, virtual
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

GATEWAY = "10.0.0.254"
ECHO, NAMES = 8090, 8080
ENOUGH = 400_000
DEADTIME_S = 10
"""Longer than a killed engine needs to be back."""
HALF_S = 15.0
"""Long enough for TCP to try again, whose pauses double."""


def pair(primary: Host, backup: Host) -> str:
    """Return what both routers' lvs.cf says."""
    return f"""serial_no = 1
primary = {primary.address("dmz")}
service = lvs
deadtime = {DEADTIME_S}
backup_active = 1
backup = {backup.address("dmz")}
heartbeat = 1
network = nat
nat_router = {GATEWAY} eth1:1
nat_nmask = 255.255.255.0
syncdaemon = 1
syncd_iface = eth1
syncd_id = 7
{virtual(NAMES, everyone())}{virtual(ECHO, everyone())}"""


class EchoServers(RealServers):
    """Real servers that send everything back."""

    def _answer(self, connection: socket.socket, name: str) -> None:
        try:
            data = connection.recv(65536)
        except ConnectionError:
            data = b""
        if data:
            connection.setblocking(True)
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            connection.setblocking(False)
        else:
            self._selector.unregister(connection)
            connection.close()


class Transfer:
    """A client that sends random bytes all the time, about half a megabyte a second, and gets them back."""

    def __init__(self, client: Host) -> None:
        self.received = 0
        self.failures: list[str] = []
        self._sums = hashlib.sha256(), hashlib.sha256()
        self._is_enough = threading.Event()
        self._connection = connected(client, VIP, ECHO)
        self._connection.settimeout(30)
        self._threads = [threading.Thread(target=each) for each in (self._send, self._receive)]
        for each in self._threads:
            each.start()

    @property
    def client_port(self) -> int:
        port: int = self._connection.getsockname()[1]
        return port

    def _send(self) -> None:
        dice = random.Random(5)
        try:
            while not self._is_enough.wait(0.02):
                data = dice.randbytes(10_000)
                self._sums[0].update(data)
                self._connection.sendall(data)
            self._connection.shutdown(socket.SHUT_WR)
        except OSError as failure:
            self.failures.append(f"sending: {failure!r}")

    def _receive(self) -> None:
        try:
            while data := self._connection.recv(65536):
                self._sums[1].update(data)
                self.received += len(data)
        except OSError as failure:
            self.failures.append(f"receiving: {failure!r}")

    def goes_on(self, within_s: float) -> None:
        """Wait until there is some more of it."""
        enough = self.received + ENOUGH
        until(lambda: self.received >= enough or self.failures, within_s, "the transfer goes on")
        assert self.failures == []

    def finish(self) -> None:
        """End it, and hold what came back against what was sent."""
        self._is_enough.set()
        for each in self._threads:
            each.join()
        self._connection.close()
        sent, received = self._sums
        assert (self.failures, received.hexdigest()) == ([], sent.hexdigest())


@pytest.fixture
def lab() -> Iterator[Topology]:
    topology = Topology(NAT)
    topology.make()
    servers = [RealServers(topology, (NAMES,)), EchoServers(topology, (ECHO,))]
    for each in servers:
        each.start()
    yield topology
    topology.remove()
    for each in servers:
        each.stop()


@pytest.fixture
def routers(lab: Topology, tmp_path: Path) -> Iterator[tuple[RunningRouter, RunningRouter]]:
    """Return two routers with the same lvs.cf: the primary is active, the backup stands by."""
    found = RunningRouter(lab["lvs1"], tmp_path / "lvs1"), RunningRouter(lab["lvs2"], tmp_path / "lvs2")
    for each in found:
        each.write(pair(lab["lvs1"], lab["lvs2"]))
        each.start()
    until(lambda: carries(found[0].host), 30, "the primary is active")
    until(lambda: daemons(found[1]) == daemon("backup"), 10, "the backup listens")
    until(lambda: are_checked(found[1]), 10, "the backup has checked everybody")
    yield found
    for each in found:
        if each.process is not None and each.process.poll() is None:
            each.end(signal.SIGTERM)
        print(each.said())


def are_checked(router: RunningRouter) -> bool:
    return all(server.health.state == "up" for each in router.status().virtual_servers for server in each.servers)


def carries(host: Host) -> bool:
    shown = host.run("ip", "-br", "address")
    return f" {VIP}/" in shown and f" {GATEWAY}/" in shown


def daemon(role: str) -> tuple[SyncDaemonStatus, ...]:
    return (SyncDaemonStatus(role, "eth1", 7),)


def daemons(router: RunningRouter) -> tuple[SyncDaemonStatus, ...] | None:
    kernel = router.status().kernel
    assert kernel is not None
    return kernel.sync_daemons


def printed(host: Host) -> list[str]:
    """Return the sync daemons as ipvsadm prints them."""
    return host.run("ipvsadm", "-L", "--daemon").splitlines()


def known(router: RunningRouter, port: int) -> dict[int, tuple[str, str, str]]:
    """Return the open connections to a virtual server that a router knows: virtual and real server, by client port."""
    query = ConnectionsQuery(client="192.0.2.10", vip=f"{VIP}:{port}", state="ESTABLISHED")
    return {each.client_port: _told(each) for each in router.client.connections(query).shown}


def _told(connection: ClientConnection) -> tuple[str, str, str]:
    return connection.virtual, connection.server, connection.state


@contextlib.contextmanager
def clients(lab: Topology, count: int) -> Iterator[dict[int, tuple[str, str, str]]]:
    """Have open connections that have sent a few packets; give where they are, as `known` does."""
    with contextlib.ExitStack() as stack:
        found = {}
        for connection in [stack.enter_context(connected(lab["client"], VIP, NAMES)) for _ in range(count)]:
            name, port = [asked(connection) for _ in range(3)][-1].split(":")
            server = f"{lab[name].address('private')}:{port}"
            found[connection.getsockname()[1]] = (f"{VIP}:{NAMES}", server, "ESTABLISHED")
        yield found


def test_the_passive_router_knows_every_connection_and_its_daemon_is_the_engines(
    lab: Topology, routers: tuple[RunningRouter, RunningRouter]
) -> None:
    active, passive = routers
    assert (daemons(active), daemons(passive)) == (daemon("master"), daemon("backup"))
    with clients(lab, 8) as open_ones:
        assert len({server for _, server, _ in open_ones.values()}) == len(SERVERS)
        assert known(active, NAMES) == open_ones
        until(lambda: known(passive, NAMES) == open_ones, 10, "the passive router knows them all")
        assert passive.table() == [] and not carries(passive.host)
    until(lambda: known(passive, NAMES) == {}, 10, "who ends them here, ends them there")

    before = [printed(each.host) for each in routers]
    for each in routers:
        each.end(signal.SIGKILL)
    assert [printed(each.host) for each in routers] == before
    for each in routers:
        each.start()
        until(lambda router=each: are_checked(router), 15, "every check was heard")
    until(lambda: active.status().addresses, 10, "a turn has ended")
    assert [starts(each) for each in routers] == [2, 1], "what runs is taken over: settling, it listened once"

    made_anew(passive.host, "private")
    until(lambda: starts(passive) == 2, 10, "it listens on the new device")
    with clients(lab, 2) as open_ones:
        until(lambda: known(passive, NAMES) == open_ones, 10, "and hears")

    passive.end(signal.SIGUSR2)
    assert [printed(each.host) for each in routers] == before
    passive.start()
    for each in routers:
        each.end(signal.SIGTERM)
        assert printed(each.host) == [], "what the engine started it stops"


def starts(router: RunningRouter) -> int:
    return router.said().count("sync daemon on eth1 started")


def made_anew(host: Host, net: str) -> None:
    """Remove a network device of a host and make it anew, with the IPv4 address that it had."""
    device, port = host.device(net), f"{host.name}-{host.device(net).removeprefix('eth')}"
    host.ip(
        f"link del {device}",
        f"link add {device} address {host.mac(net)} type veth peer name {port} netns net-{net}",
        f"addr add {host.address(net)}/24 dev {device}",
        f"link set {device} up",
    )
    subprocess.run(["ip", "-n", f"net-{net}", "link", "set", port, "master", "br0", "up"], check=True)


def stopped_in_order(here: RunningRouter, there: RunningRouter) -> None:
    """Stop the active router's engine; the other router hears it and takes over."""
    here.end(signal.SIGTERM)
    assert here.table() == [] and not carries(here.host)
    until(lambda: carries(there.host), 2, "the other router takes over")


def handed_over(here: RunningRouter, there: RunningRouter) -> None:
    """Have the active router hand over."""
    assert here.client.failover(FailoverCommand.HAND_OVER).done
    until(lambda: carries(there.host), 2, "the other router takes over")
    until(lambda: here.table() == [] and not carries(here.host), 2, "the first one is passive")
    until(lambda: daemons(here) == daemon("backup"), 2, "and listens")


def without_power(here: RunningRouter, there: RunningRouter) -> None:
    """Cut the active router off; the other one takes over when it heard nothing for deadtime."""
    here.end(signal.SIGKILL)
    here.host.ip("link set eth0 down", "link set eth1 down")
    until(lambda: carries(there.host), DEADTIME_S + 2, "the other router takes over")


def by_hand(here: RunningRouter, there: RunningRouter) -> None:
    """End both engines, and move what they leave as an administrator does it without them."""
    for each in (here, there):
        each.end(signal.SIGUSR2)
    rules = "\n".join([*here.table(), ""])
    here.host.ip(f"addr del {VIP}/32 dev eth0", f"addr del {GATEWAY}/24 dev eth1")
    there.host.run("ipvsadm", "-R", data=rules)
    there.host.ip(f"addr add {VIP}/32 dev eth0", f"addr add {GATEWAY}/24 dev eth1")
    there.host.run("arping", "-U", "-c", "1", "-I", "eth0", VIP)
    there.host.run("arping", "-U", "-c", "1", "-I", "eth1", GATEWAY)


@pytest.mark.parametrize("move", [stopped_in_order, handed_over, without_power, by_hand])
def test_a_transfer_goes_on_over_the_other_router(
    lab: Topology,
    routers: tuple[RunningRouter, RunningRouter],
    move: Callable[[RunningRouter, RunningRouter], None],
) -> None:
    here, there = routers
    transfers = [Transfer(lab["client"]) for _ in range(2)]
    for each in transfers:
        each.goes_on(HALF_S)
    ports = {each.client_port for each in transfers}
    until(lambda: known(there, ECHO).keys() == ports, 10, "the passive router knows the transfers")
    move(here, there)
    for each in transfers:
        each.goes_on(HALF_S)
    assert carries(there.host)
    for each in transfers:
        each.finish()
