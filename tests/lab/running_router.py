"""The engine as a process on a router of the lab, real servers that say their names, and clients that never rest."""

import contextlib
import itertools
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from piranha.client import EngineClient
from piranha.errors import EngineUnavailable
from piranha.paths import Paths
from piranha.status import EngineStatus
from tests.lab.topology import Host, Topology

SERVERS = ("rs1", "rs2", "rs3", "rs4")
START_S = 30.0
REQUEST_S = 8.0
IP_PKTINFO = 8  # from linux/in.h; Python 3.11 has no name for it


def until(condition: Callable[[], object], within_s: float, what: str) -> None:
    """Ask until the condition holds. Fails after `within_s`, saying what."""
    ends_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_at, f"not within {within_s:g} s: {what}"
        select.select([], [], [], 0.05)


def stays(condition: Callable[[], object], for_s: float, what: str) -> None:
    """Ask all the time, and fail as soon as the condition does not hold, saying what."""
    ends_at = time.monotonic() + for_s
    while time.monotonic() < ends_at:
        assert condition(), f"not for {for_s:g} s: {what}"
        select.select([], [], [], 0.05)


class RunningRouter:
    """`pulse` in a host's namespace, on a root of its own.

    Without `nannies` the engine makes its checks itself: it starts in two thirds of the time, of which there is little.
    """

    def __init__(self, host: Host, root: Path, *, nannies: bool = True) -> None:
        self.host = host
        self.paths = Paths(root)
        self.client = EngineClient(self.paths.socket)
        self.log = root / "pulse.log"
        self.process: subprocess.Popen[str] | None = None
        self.paths.lvs_cf.parent.mkdir(parents=True)
        if not nannies:
            self.paths.piranha_toml.write_text("[checks]\nworkers = 0\n")

    def write(self, text: str) -> None:
        """Put a text into lvs.cf, as an editor does."""
        self.paths.lvs_cf.write_text(text)

    def start(self, data_path: str = "kernel") -> None:
        """Start the engine and wait until its API answers."""
        self.launch(data_path)
        until(self.is_there, START_S, "the engine answers")

    def launch(self, data_path: str = "kernel") -> None:
        """Start the engine, whose API does not answer yet."""
        words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(self.paths.root), "--data-path", data_path]
        self.process = self.host.start(*words, output=self.log, environment=dict(os.environ))

    def is_there(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        with contextlib.suppress(EngineUnavailable):
            self.client.status()
            return True
        return False

    def end(self, order: signal.Signals) -> int:
        """Send a signal to pulse and return its exit status; SIGKILL is for lvs too, as when a machine dies."""
        assert self.process is not None
        if order is not signal.SIGKILL:
            self.process.send_signal(order)
            return self.process.wait(30)
        for pid in (self.process.pid, *self.pids("lvs")):
            os.kill(pid, order)
        status = self.process.wait(30)
        until(lambda: not self.pids("lvs"), 10, "lvs is gone")
        return status

    def pids(self, program: str) -> list[int]:
        """Return the processes of a program of this router that run: "pulse" or "lvs"."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_text(errors="replace").split("\0")
                state = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
                if f"piranha.cli.{program}" in words and str(self.paths.root) in words and state != "Z":
                    found.append(int(folder.name))
        return found

    def said(self) -> str:
        """Return the engine's log."""
        return self.log.read_text() if self.log.exists() else ""

    def status(self) -> EngineStatus:
        return self.client.status()

    def apply(self, text: str) -> None:
        """Run a text."""
        self.write(text)
        self.client.apply()

    def table(self) -> list[str]:
        """Return the kernel's table as ipvsadm prints it, in its order."""
        lines = self.host.run("ipvsadm", "-Sn").splitlines()
        return [line.removesuffix(" --tun-type ipip") for line in lines]

    def addresses(self) -> str:
        return self.host.run("ip", "-br", "address")


class RealServers(threading.Thread):
    """Real servers in one thread, TCP and UDP, IPv4 and IPv6, at every address that their hosts have or get.

    Whoever sends anything is told their name and port each time.
    """

    def __init__(self, lab: Topology, ports: Collection[int], names: Collection[str] = SERVERS) -> None:
        super().__init__(name="real servers")
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        for name, port, family, kind in itertools.product(names, ports, (socket.AF_INET, socket.AF_INET6), kinds):
            found = lab[name].socket(family, kind)
            if family == socket.AF_INET6:
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_STREAM:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            elif family == socket.AF_INET6:
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                found.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            found.bind(("", port))
            if kind == socket.SOCK_STREAM:
                found.listen(512)
            found.setblocking(False)
            serve = self._accept if kind == socket.SOCK_STREAM else self._answer_datagram
            self._selector.register(found, selectors.EVENT_READ, (serve, f"{name}:{port}"))

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                serve, name = key.data
                with contextlib.suppress(BlockingIOError):
                    serve(key.fileobj, name)

    def _accept(self, listener: socket.socket, name: str) -> None:
        connection, _ = listener.accept()
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, (self._answer, name))

    def _answer_datagram(self, endpoint: socket.socket, name: str) -> None:
        _, ancillary, _, sender = endpoint.recvmsg(4096, 256)
        # Back from the address it was sent to: a virtual IP address, where there is no NAT.
        endpoint.sendmsg([name.encode()], [_way_back(each) for each in ancillary], 0, sender)

    def _answer(self, connection: socket.socket, name: str) -> None:
        try:
            data = connection.recv(4096)
        except ConnectionError:
            data = b""
        if data:
            connection.sendall(name.encode())
        else:
            self._selector.unregister(connection)
            connection.close()

    def stop(self) -> None:
        self._wake.send(b"x")
        self.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._wake.close()


def _way_back(ancillary: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """Return what sends a datagram from the address that another one came to, by whatever device."""
    level, kind, data = ancillary
    # The device's number stands in the last four bytes for IPv6, in the first four for IPv4.
    return level, kind, data[:16] + bytes(4) if level == socket.IPPROTO_IPV6 else bytes(4) + data[4:]


def connected(client: Host, vip: str, port: int, kind: int = socket.SOCK_STREAM, source: str = "") -> socket.socket:
    """Return a new connection of a client to a virtual server; by SOCK_DGRAM a socket that sends it datagrams.

    `source`: the client's address; without one routing chooses.
    """
    connection = client.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, kind)
    connection.settimeout(REQUEST_S)
    try:
        if source:
            connection.bind((source, 0))
        connection.connect((vip, port))
    except OSError:
        connection.close()
        raise
    return connection


def asked(connection: socket.socket) -> str:
    """Return the name and the port of the real server at the other end of a connection, `rs1:8080`."""
    connection.sendall(b"who?")
    return connection.recv(100).decode()


class Requests(threading.Thread):
    """A client that sends one request after the other, each over a connection of its own, until it is told to end.

    Between two of them it waits for `pause_s`.
    """

    def __init__(self, client: Host, vip: str, port: int, pause_s: float = 0.005) -> None:
        super().__init__(name=f"requests to {port}")
        self.answers: dict[str, int] = {}
        self.failures: list[str] = []
        self.answered_at: list[float] = []
        self.is_over = threading.Event()
        self._client, self._vip, self._port, self._pause_s = client, vip, port, pause_s

    @property
    def count(self) -> int:
        return sum(self.answers.values()) + len(self.failures)

    def run(self) -> None:
        with self._client.inside():
            while not self.is_over.is_set():
                began = time.monotonic()
                try:
                    with socket.create_connection((self._vip, self._port), REQUEST_S) as connection:
                        name = asked(connection)
                    self.answers[name] = self.answers.get(name, 0) + 1
                    self.answered_at.append(time.monotonic())
                    if not name:
                        self.failures.append("closed without an answer")
                except OSError as failure:
                    self.failures.append(f"{failure!r} after {time.monotonic() - began:.2f} s")
                self.is_over.wait(self._pause_s)


@contextlib.contextmanager
def requests(client: Host, vip: str, *ports: int, pause_s: float = 0.005) -> Iterator[list[Requests]]:
    """Have clients that send requests all the time; they end with the block."""
    found = [Requests(client, vip, port, pause_s) for port in ports]
    for each in found:
        each.start()
    try:
        yield found
    finally:
        for each in found:
            each.is_over.set()
        for each in found:
            each.join()
