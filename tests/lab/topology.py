"""Networks and hosts from a description of a few lines: bridges, namespaces, addresses, routes.

    net public   192.0.2     2001:db8:1
    host client  public.10   via public.1
    host lvs1    dmz.11 private.11   via dmz.1   forwards

A net is a bridge in a namespace of its own, with an IPv4 /24 and an IPv6 /64. A host is a namespace; its interfaces are
eth0, eth1, ... in the order of its legs, `public.10` is 192.0.2.10 and 2001:db8:1::10 there. `via` is its default
route, `forwards` makes it a router. MAC addresses follow from net and number, so that they are the same in every run.
"""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Net:
    """A bridge with its prefixes, "192.0.2" and "2001:db8:1"."""

    name: str
    ipv4: str
    ipv6: str
    number: int


@dataclass
class Host:
    """A namespace. `legs` are the nets it stands in with its number there."""

    name: str
    legs: list[tuple[Net, int]]
    via: tuple[Net, int] | None = None
    forwards: bool = False
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def address(self, net: str = "", version: int = 4) -> str:
        """Return the host's address in a net; without one, in its first."""
        for leg, number in self.legs:
            if net in ("", leg.name):
                return address_in(leg, number, version)
        raise KeyError(f"{self.name} is not in {net}")

    def device(self, net: str) -> str:
        """Return the name of the interface in a net."""
        return next(f"eth{place}" for place, (leg, _) in enumerate(self.legs) if leg.name == net)

    def mac(self, net: str) -> str:
        """Return the hardware address in a net."""
        return next(mac_of(leg, number) for leg, number in self.legs if leg.name == net)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be in this namespace, this thread only. What is opened inside stays in it."""
        here = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(here)
            os.close(here)
            os.close(there)

    def call(self, function: Callable[[], _Answer]) -> _Answer:
        """Return what a function answers inside of this namespace."""
        with self.inside():
            return function()

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        """Return a socket of this host."""
        with self.inside():
            return socket.socket(family, kind, protocol)

    def run(self, *words: str, data: str | None = None, check: bool = True) -> str:
        """Run a program here to its end and return its output. A fork costs 20 to 50 ms in the lab."""
        with self.inside():
            done = subprocess.run(words, input=data, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Give commands to `ip`, all in one process."""
        self.run("ip", "-batch", "-", data="".join(f"{line}\n" for line in lines))

    def start(self, *words: str, output: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a program here that is ended with the topology; it writes to `output`."""
        with self.inside(), output.open("a") as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, text=True, env=environment
            )
        self.processes.append(process)
        return process

    def sysctl(self, name: str, value: str) -> None:
        """Set a kernel parameter of this namespace, `net.ipv4.ip_forward`."""
        with self.inside():
            Path("/proc/sys", *name.split(".")).write_text(value)


def address_in(net: Net, number: int, version: int = 4) -> str:
    """Return the address with this number in a net."""
    return f"{net.ipv4}.{number}" if version == 4 else f"{net.ipv6}::{number}"


def mac_of(net: Net, number: int) -> str:
    """Return the hardware address of the host with this number in a net."""
    return f"02:00:00:00:{net.number:02x}:{number:02x}"


class Topology:
    """The networks and hosts of a description, from `make` to `remove`."""

    def __init__(self, description: str) -> None:
        self.nets: dict[str, Net] = {}
        self.hosts: dict[str, Host] = {}
        for line in description.splitlines():
            words = line.partition("#")[0].split()
            if words and words[0] == "net":
                self.nets[words[1]] = Net(words[1], words[2], words[3], len(self.nets) + 1)
            elif words:
                self._host(words[1:])

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def address(self, leg: str, version: int = 4) -> str:
        """Return the address of "net.number", be it a host's or a floating one."""
        return address_in(*self._leg(leg), version)

    def _leg(self, text: str) -> tuple[Net, int]:
        net, number = text.split(".")
        return self.nets[net], int(number)

    def _host(self, words: list[str]) -> None:
        host = Host(words.pop(0), [])
        while words:
            word = words.pop(0)
            if word == "via":
                host.via = self._leg(words.pop(0))
            elif word == "forwards":
                host.forwards = True
            else:
                host.legs.append(self._leg(word))
        self.hosts[host.name] = host

    def make(self) -> None:
        """Make namespaces, bridges, cables, addresses and routes."""
        names = [f"net-{name}" for name in self.nets] + list(self.hosts)
        _ip([f"netns add {name}" for name in names])
        cables, bridges = [], {name: ["link set lo up"] for name in self.nets}
        for name in self.nets:
            bridges[name] += ["link add br0 type bridge mcast_snooping 0 forward_delay 0", "link set br0 up"]
        for host in self.hosts.values():
            for place, (net, number) in enumerate(host.legs):
                port = f"{host.name}-{place}"[:15]
                cables.append(
                    f"link add eth{place} netns {host.name} address {mac_of(net, number)} type veth "
                    f"peer name {port} netns net-{net.name}"
                )
                bridges[net.name] += [f"link set {port} master br0", f"link set {port} up"]
        _ip(cables)
        for name, lines in bridges.items():
            _ip(lines, f"net-{name}")
        for host in self.hosts.values():
            self._configure(host)

    def _configure(self, host: Host) -> None:
        # Duplicate address detection would keep IPv6 addresses unusable for a second.
        host.sysctl("net.ipv6.conf.default.accept_dad", "0")
        host.sysctl("net.ipv6.conf.all.accept_dad", "0")
        lines = ["link set lo up"]
        for place, (net, number) in enumerate(host.legs):
            host.sysctl(f"net.ipv6.conf.eth{place}.accept_dad", "0")
            lines += [
                f"addr add {address_in(net, number)}/24 dev eth{place}",
                f"addr add {address_in(net, number, 6)}/64 dev eth{place}",
                f"link set eth{place} up",
            ]
        if host.via is not None:
            lines += [f"route add default via {address_in(*host.via)}"]
            lines += [f"-6 route add default via {address_in(*host.via, 6)}"]
        if host.forwards:
            host.sysctl("net.ipv4.ip_forward", "1")
            host.sysctl("net.ipv6.conf.all.forwarding", "1")
        plain = [line for line in lines if not line.startswith("-6 ")]
        host.ip(*plain)
        for line in lines:
            if line.startswith("-6 "):
                host.run("ip", *line.split())

    def remove(self) -> None:
        """End what was started and remove everything."""
        for host in self.hosts.values():
            for process in host.processes:
                process.kill()
                process.wait()
        _ip([f"netns del {name}" for name in (*self.hosts, *(f"net-{name}" for name in self.nets))])


def _ip(lines: list[str], namespace: str = "") -> None:
    words = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    done = subprocess.run(
        words, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: {done.stderr}\n" + "\n".join(lines))


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
