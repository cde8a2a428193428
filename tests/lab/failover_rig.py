"""What the benchmark of failover is made of: clients, the two kinds of routers, the power switch, and one capture."""

import contextlib
import itertools
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from piranha.monitoring import FailoverCommand
from tests.lab.running_router import RunningRouter
from tests.lab.test_engine import VIP
from tests.lab.test_sync import GATEWAY, NAMES, pair
from tests.lab.topology import Host

EVERY_S, PROMPT_S, FAILED_S = 0.02, 0.3, 5.0
ETH_P_IP = 0x0800
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h, SO_TIMESTAMPNS_OLD
_DROPS = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n"


@dataclass
class Knocks(threading.Thread):
    """Begins a connection every 20 ms; `answered` has the beginnings of those that were answered promptly."""

    client: Host
    answered: list[float] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(name="knocks")

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        with self.client.inside(), selectors.DefaultSelector() as selector:
            waiting: dict[socket.socket, float] = {}
            next_at = time.monotonic()
            while not self._over.is_set() or waiting:
                now = time.monotonic()
                if now >= next_at and not self._over.is_set():
                    next_at = max(next_at + EVERY_S, now)
                    knock = socket.socket()
                    knock.setblocking(False)
                    knock.connect_ex((VIP, NAMES))
                    selector.register(knock, selectors.EVENT_WRITE)
                    waiting[knock] = now
                for key, _ in selector.select(max(0.0, min(0.1, next_at - time.monotonic()))):
                    knock = key.fileobj  # type: ignore[assignment]
                    began = waiting.pop(knock)
                    if problem := knock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        self.fail(os.strerror(problem))
                    elif time.monotonic() - began < PROMPT_S:
                        self.answered.append(began)
                    selector.unregister(knock)
                    knock.close()
                for knock in [each for each, began in waiting.items() if time.monotonic() - began > FAILED_S]:
                    self.fail("no answer")
                    del waiting[knock]
                    selector.unregister(knock)
                    knock.close()

    def fail(self, why: str) -> None:
        self.failed[why] = self.failed.get(why, 0) + 1

    def end(self) -> None:
        self._over.set()
        self.join()

    @property
    def gap_s(self) -> float:
        times = sorted(self.answered)
        return max(after - before for before, after in itertools.pairwise(times))


class Ours:
    """Piranha on one router."""

    name = "piranha"

    def __init__(
        self, host: Host, folder: Path, partner: Host, primary: bool, interval_s: float, extra: str = ""
    ) -> None:
        self.host = host
        self.router = RunningRouter(host, folder / host.name)
        hosts = (host, partner) if primary else (partner, host)
        self.router.write(pair(*hosts))
        times = f"keepalive = {interval_s}\ndeadtime = {3 * interval_s}\n"
        self.router.paths.piranha_toml.write_text(f"[failover]\n{times}{extra}")

    def start(self) -> None:
        self.router.start()

    def is_ready(self) -> bool:
        status = self.router.status().redundancy
        partner = status.partner if status is not None else None
        return status is not None and status.state == "passive" and partner is not None and bool(partner.is_ready)

    def kill(self) -> None:
        if self.router.process is not None and self.router.process.poll() is None:
            self.router.end(signal.SIGKILL)

    def stop(self) -> None:
        self.router.end(signal.SIGTERM)

    def hand_over(self) -> None:
        assert self.router.client.failover(FailoverCommand.HAND_OVER).done

    @staticmethod
    def is_heartbeat(packet: bytes) -> bool:
        return packet[9] == socket.IPPROTO_UDP and packet[22:24] == (539).to_bytes(2, "big")


class Keepalived:
    """keepalived on one router."""

    name = "keepalived"

    def __init__(
        self, host: Host, folder: Path, partner: Host, primary: bool, interval_s: float, extra: str = ""
    ) -> None:
        self.host, self.folder = host, folder / f"k-{host.name}"
        self.folder.mkdir()
        self.process: subprocess.Popen[str] | None = None
        servers = "".join(
            f"real_server 10.0.0.{number} {NAMES} {{\nweight 1\nTCP_CHECK {{\nconnect_timeout 2\n}}\n}}\n"
            for number in (21, 22, 23, 24)
        )
        (self.folder / "conf").write_text(
            "global_defs {\nvrrp_version 3\n}\n"
            "vrrp_instance lvs {\nstate BACKUP\nnopreempt\ninterface eth0\nvirtual_router_id 51\n"
            f"priority {254 if primary else 253}\n"
            f"advert_int {interval_s:g}\n"
            f"virtual_ipaddress {{\n{VIP}/32 dev eth0\n{GATEWAY}/24 dev eth1\n}}\n}}\n"
            f"virtual_server {VIP} {NAMES} {{\ndelay_loop 2\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n{servers}}}\n"
        )

    def start(self) -> None:
        files = [word for letter in "prc" for word in (f"-{letter}", str(self.folder / f"pid-{letter}"))]
        words = ["keepalived", "-n", "-l", "-f", str(self.folder / "conf"), *files]
        self.process = self.host.start(*words, output=self.folder / "log")

    def is_ready(self) -> bool:
        return self.host.run("ipvsadm", "-Sn").count(" -r ") == 4

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            found = subprocess.run(
                ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
            ).stdout.split()
            self.process.kill()  # the parent first: it would start the others again
            self.process.wait()
            for pid in found:
                subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
            for name in ("pid-p", "pid-r", "pid-c"):
                (self.folder / name).unlink(missing_ok=True)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait()

    hand_over = stop  # it has no command for it

    @staticmethod
    def is_heartbeat(packet: bytes) -> bool:
        return packet[9] == 112  # VRRP


class PowerSwitch:
    """Takes the power of a router away: in one moment nothing comes or goes any more, on whatever interface.

    The program that does it waits from the beginning, since to start one takes a tenth of a second here.
    """

    def __init__(self, router: "Ours | Keepalived") -> None:
        self._router = router
        self._cut: subprocess.Popen[str] | None = None

    def arm(self) -> None:
        """Have the program wait. As long as it does, no other of its kind runs anywhere."""
        with self._router.host.inside():
            self._cut = subprocess.Popen(["iptables-legacy-restore"], stdin=subprocess.PIPE, text=True)
        assert self._cut.stdin is not None
        self._cut.stdin.write(_DROPS)
        self._cut.stdin.flush()

    def off(self) -> None:
        """Be without power."""
        assert self._cut is not None
        self._cut.communicate("COMMIT\n")
        assert self._cut.returncode == 0
        # It says nothing more by ARP either, long before anybody is taken for dead.
        self._router.host.ip("link set eth0 down", "link set eth1 down")
        self._router.kill()

    def on(self) -> None:
        """Have the machine as it is after a boot."""
        host = self._router.host
        host.ip("addr flush dev eth0 scope global", "addr flush dev eth1 scope global")
        host.ip("link set eth0 up", "link set eth1 up")
        host.ip(f"addr add {host.address('dmz')}/24 dev eth0", f"addr add {host.address('private')}/24 dev eth1")
        host.ip("route replace default via 198.51.100.1")
        host.run("ipvsadm", "-C")
        host.run("iptables-legacy-restore", data=_DROPS.replace("DROP", "ACCEPT") + "COMMIT\n")
        if isinstance(self._router, Ours):
            shutil.rmtree(self._router.router.paths.run, ignore_errors=True)


@dataclass
class Way(threading.Thread):
    """Which router the packets of the virtual IP address come through, seen where the client's way begins.

    `seen` has the kernel's time of each packet, seconds, and the router's hardware address; `unreachable` who said by
    ICMP that something cannot be reached.
    """

    upstream: Host
    seen: list[tuple[float, bytes]] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(name="way")
        self._ear = self.upstream.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._ear.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._ear.settimeout(0.2)
        with self.upstream.inside():
            self._ear.bind(("eth1", ETH_P_IP))

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        vip = socket.inet_aton(VIP)
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                frame, ancillary, _, _ = self._ear.recvmsg(128, 64)
                if frame[23] == socket.IPPROTO_ICMP and frame[34] == 3:
                    self.unreachable.append(socket.inet_ntoa(frame[26:30]))
                elif frame[26:30] == vip:
                    seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2][:16])
                    self.seen.append((seconds + nanoseconds / 1e9, frame[6:12]))
        self._ear.close()

    def end(self) -> None:
        self._over.set()
        self.join()

    @property
    def others(self) -> int:
        """Return how many packets came through another router than the first one."""
        return sum(mac != self.seen[0][1] for _, mac in tuple(self.seen))

    @property
    def switch_s(self) -> float:
        """Return the time from the last packet through the first router to the first through another one after it."""
        first = self.seen[0][1]
        last_at = max(at for at, mac in self.seen if mac == first)
        return min((at for at, mac in self.seen if mac != first and at > last_at), default=float("inf")) - last_at
