"""How soon the death of a real server is noticed, beside keepalived's TCP_CHECK in the same boot. Run inside the lab:

    python -m tests.lab.bench_reaction [RUNS]

Both check the same four real servers by a TCP connect every 2 s, which may take 2 s; keepalived with `retry 0`, so that
one bad check is enough for both. They die one after the other: the listener closes, and who connects is refused; or it
falls silent, and who connects hears nothing. The moments are swept evenly over the interval since a server was checked
last, so that both have the same deaths. Noticed is a death when the kernel's table does not have the server any more
(its weight is gone), seen in /proc every 2 ms, without a program that would take the processor away. Then the server
comes back. Printed for both: median, least and most of the time until it was noticed, and how much of it came after the
moment at which the next check was due. Exit status 1 if a bound is broken: each of ours within interval + time limit +
0.2 s, the median at most 1.1 times keepalived's (the goal is 1.0).
"""

import contextlib
import ctypes
import math
import os
import select
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.running_router import SERVERS, RunningRouter, until
from tests.lab.test_engine import HEAD, VIP, everyone, virtual
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

PORT = 8080
INTERVAL_S = LIMIT_S = 2.0
"""As `virtual` says them: `timeout = 2` is both."""
SLACK_S = 0.2
RATIO_GOAL, RATIO_MOST = 1.0, 1.1
LOOK_S = 0.002
BACK_WITHIN_S = 20.0
_DROPS_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: "ret 0", no byte of any packet is taken (linux/filter.h)
_SO_ATTACH_FILTER = 26


class RealServer(threading.Thread):
    """A real server that accepts and closes, and can die in one moment. `checked_at`: when it accepted last."""

    def __init__(self, host: Host) -> None:
        """Listen."""
        super().__init__(name=host.name, daemon=True)
        self.address = host.address("private")
        self.checked_at = math.inf
        self.was_checked = threading.Event()
        self._listener = host.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.address, PORT))
        self._listener.listen(64)

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # it was shut down
            self.checked_at = time.monotonic()
            self.was_checked.set()
            connection.close()

    def refuse(self) -> None:
        """Close the listener: whoever connects from now on is refused."""
        self._listener.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Take no packet any more: whoever connects from now on hears nothing."""
        code = ctypes.create_string_buffer(_DROPS_ALL)
        program = struct.pack("@HP", 1, ctypes.addressof(code))  # struct sock_fprog
        self._listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def end(self) -> None:
        """Be gone for good."""
        with contextlib.suppress(OSError):  # it has died before
            self._listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self._listener.close()


class Table:
    """The kernel's table of a router, read in its namespace without a program."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._file: int | None = None

    def has(self, address: str) -> bool:
        """Say whether a real server is in the table with a weight."""
        if self._file is None:
            with self._host.inside(), contextlib.suppress(FileNotFoundError):  # until IPVS is loaded
                self._file = os.open("/proc/thread-self/net/ip_vs", os.O_RDONLY)
        if self._file is None:
            return False
        os.lseek(self._file, 0, os.SEEK_SET)
        name = f"{int.from_bytes(socket.inet_aton(address), 'big'):08X}:{PORT:04X}"
        for line in os.read(self._file, 65536).decode().splitlines():
            words = line.split()
            if words[:2] == ["->", name]:
                return int(words[3]) > 0
        return False

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)


class Ours:
    """Piranha on the router."""

    name = "piranha"

    def __init__(self, host: Host, folder: Path) -> None:
        self._router = RunningRouter(host, folder / "root")
        self._router.write(HEAD + virtual(PORT, everyone()))

    def start(self) -> None:
        """Begin to check."""
        self._router.start()

    def end(self) -> None:
        """End, and take the table away."""
        self._router.end(signal.SIGTERM)


class Keepalived:
    """The checkers of keepalived on the router, without its VRRP."""

    name = "keepalived"

    def __init__(self, host: Host, folder: Path) -> None:
        self._host, self._folder = host, folder
        self._process: subprocess.Popen[str] | None = None
        check = f"TCP_CHECK {{\nconnect_timeout {LIMIT_S:g}\nretry 0\n}}\n"
        servers = "".join(
            f"real_server 10.0.0.{21 + number} {PORT} {{\nweight 1\n{check}}}\n" for number, _ in enumerate(SERVERS)
        )
        (folder / "conf").write_text(
            f"virtual_server {VIP} {PORT} {{\ndelay_loop {INTERVAL_S:g}\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n"
            f"{servers}}}\n"
        )

    def start(self) -> None:
        """Begin to check."""
        files = [word for letter in "pc" for word in (f"-{letter}", str(self._folder / f"pid-{letter}"))]
        words = ["keepalived", "-n", "-C", "-f", str(self._folder / "conf"), *files]
        self._process = self._host.start(*words, output=self._folder / "log")

    def end(self) -> None:
        """End, and take the table away."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)


@dataclass
class Found:
    """What was measured, seconds: the times until deaths were noticed, and the parts after the next check was due."""

    noticed: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)


DEATHS: dict[str, Callable[[RealServer], None]] = {
    "its listener closes": RealServer.refuse,
    "it falls silent": RealServer.fall_silent,
}


class Scene:
    """A router, its table, and real servers that die and come back."""

    def __init__(self, lab: Topology) -> None:
        self._lab = lab
        self._table = Table(lab["lvs1"])
        self._servers = {name: _living(lab[name]) for name in SERVERS}

    def measured(self, die: Callable[[RealServer], None], runs: int) -> Found:
        """Return what so many deaths, swept evenly over the interval, brought."""
        found = Found()
        for number in range(runs):
            name = SERVERS[number % len(SERVERS)]
            self._wait_until_served()
            server = self._servers[name]
            server.was_checked.clear()
            assert server.was_checked.wait(2 * INTERVAL_S + 5), f"{name} is not checked"
            checked_at = server.checked_at
            _pause_until(checked_at + INTERVAL_S * (number + 0.5) / runs)
            died_at = time.monotonic()
            die(server)
            noticed_at = self._gone_at(server, died_at + INTERVAL_S + LIMIT_S + 10)
            due_at = checked_at + INTERVAL_S + (LIMIT_S if die is RealServer.fall_silent else 0)
            found.noticed.append(noticed_at - died_at)
            found.behind.append(noticed_at - due_at)
            server.end()
            self._servers[name] = _living(self._lab[name])
        return found

    def close(self) -> None:
        """End the real servers."""
        for each in self._servers.values():
            each.end()
        self._table.close()

    def _wait_until_served(self) -> None:
        until(
            lambda: all(self._table.has(each.address) for each in self._servers.values()),
            BACK_WITHIN_S,
            "all real servers are in the table",
        )

    def _gone_at(self, server: RealServer, give_up_at: float) -> float:
        while self._table.has(server.address):
            assert time.monotonic() < give_up_at, f"the death of {server.name} was not noticed"
            select.select([], [], [], LOOK_S)
        return time.monotonic()


def _living(host: Host) -> RealServer:
    server = RealServer(host)
    server.start()
    return server


def _pause_until(moment: float) -> None:
    select.select([], [], [], max(0.0, moment - time.monotonic()))


@contextlib.contextmanager
def checking(lab: Topology, kind: type[Ours] | type[Keepalived]) -> Iterator[Scene]:
    """Have one of both check four real servers on the first router."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(lab)
        router = kind(lab["lvs1"], Path(folder))
        try:
            router.start()
            yield scene
        finally:
            router.end()
            scene.close()
            lab["lvs1"].run("ipvsadm", "-C")


def _words(values: list[float]) -> str:
    return ", ".join(f"{each * 1000:.0f}" for each in (statistics.median(values), min(values), max(values)))


def main() -> int:
    """Print the table; return the exit status."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    counts = dict(zip(DEATHS, (runs, max(1, runs // 5)), strict=True))
    found: dict[tuple[str, str], Found] = {}
    lab = Topology(NAT)
    lab.make()
    try:
        for kind in (Ours, Keepalived):
            with checking(lab, kind) as scene:
                for death, die in DEATHS.items():
                    one = found[kind.name, death] = scene.measured(die, counts[death])
                    print(
                        f"{death}, {counts[death]} times: {kind.name}: median, least, most: noticed after "
                        f"{_words(one.noticed)} ms; behind the next check {_words(one.behind)} ms",
                        flush=True,
                    )
    finally:
        lab.remove()
    broken = []
    for death in DEATHS:
        ours, theirs = (found[kind.name, death].noticed for kind in (Ours, Keepalived))
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"{death}: ratio of the medians {ratio:.3f}; the goal is {RATIO_GOAL:g}", flush=True)
        if ratio > RATIO_MOST:
            broken.append(f"{death}: above {RATIO_MOST:g} times keepalived's")
        if max(ours) > INTERVAL_S + LIMIT_S + SLACK_S:
            broken.append(f"{death}: one was noticed after {max(ours):.2f} s")
    for each in broken:
        print(f"Broken: {each}.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
