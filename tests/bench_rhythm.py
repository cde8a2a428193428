"""Whether heartbeats keep their interval, and the API answers, while the nannies make thousands of checks a second.

    python -m tests.bench_rhythm [SECONDS] [CHECKS]

Everything runs on this machine, as processes of its own: an engine on the embedded data path with CHECKS * 2 real
servers, each checked every 2 s by a TCP connect to a listener on loopback; and pulse, which says a heartbeat every
second to a partner that only listens. The embedded data path has no partner, so that the lvs of that pulse is a
stand-in that says how the pair is configured and that all is well. The kernel notes when each heartbeat arrives. Told
are the checks that were really made, how late heartbeats were (median, 99th percentile, most) without and with the
checks, and how long the API took for a summary and for a page of the status. Exit status 1 if a bound is broken: the
99th percentile of the lateness below a tenth of the interval, each answer of the API within a second.
"""

import asyncio
import contextlib
import itertools
import math
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from piranha.client import EngineClient
from piranha.errors import PiranhaError
from piranha.monitoring import StatusQuery
from piranha.paths import Paths
from piranha.pulse.messages import ChannelRow, Configure, Found, encode
from piranha.pulse.run import Pulse
from piranha.system import punctual, unix_socket
from tests.loopback_router import allow_files, free_port, lvs_cf

OWN, PARTNER = "127.0.0.1", "127.0.0.2"
KEEPALIVE_S, DEADTIME_S = 1.0, 3.0
EVERY_S = 2
EACH = 50
"""Real servers of one virtual server."""
LATE_MOST = 0.1 * KEEPALIVE_S
ANSWER_MOST_S = 1.0
READY_WITHIN_S = 120.0
ASK_EVERY_S = 0.25
_TIMESTAMPS = 35  # SO_TIMESTAMPNS; Python 3.11 has no name for it
_BUFFER_BYTES = 1024 * 1024


@dataclass
class Measured:
    """What a while brought: how late each heartbeat was and how long each answer took, seconds; checks a second."""

    late: list[float]
    answers: dict[str, list[float]] = field(default_factory=dict)
    checks_per_s: float = 0.0


class Partner:
    """Listens where a partner would, and says nothing."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self.socket.bind((PARTNER, 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]

    def heard(self) -> list[float]:
        """Return when the heartbeats since the last call arrived, seconds of the kernel's wall clock."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                _, ancillary, _, _ = self.socket.recvmsg(4096, 64)
                seconds, nanoseconds = struct.unpack("@qq", ancillary[0][2][:16])
                found.append(seconds + nanoseconds / 1e9)
        return found


def lateness(heard: Sequence[float]) -> list[float]:
    """Return how much longer than the interval each pause between two heartbeats was, seconds; 0: not longer."""
    return [max(0.0, after - before - KEEPALIVE_S) for before, after in itertools.pairwise(heard)]


def part(values: Sequence[float], share: float) -> float:
    """Return the value that this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@contextlib.contextmanager
def own_pulse(root: Path, partner: Partner) -> Iterator[None]:
    """Have a pulse that says heartbeats to the partner, as the active router of the pair."""
    words = [sys.executable, "-m", "tests.bench_rhythm", "pulse", str(root), str(partner.port)]
    with (root / "pulse.log").open("w") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _passes(2 * DEADTIME_S)  # nobody answers: it is active then, and says so all the time
        if process.poll() is not None or len(partner.heard()) < 2:
            raise SystemExit(f"pulse says no heartbeats: {(root / 'pulse.log').read_text()}")
        yield
    finally:
        process.terminate()
        process.wait(30)


def be_pulse(root: Path, port: int) -> None:
    """Be pulse, as `piranha.pulse.run.serve`, with the stand-in for lvs."""
    paths = Paths(root)
    paths.run.mkdir(parents=True, exist_ok=True)
    listener = unix_socket.listen(paths.pulse_socket, mode=0o600, what="pulse")
    punctual.prefer_this_process()
    words = [sys.executable, "-m", "tests.bench_rhythm", "lvs", str(paths.pulse_socket), str(port)]
    with listener:
        asyncio.run(Pulse(paths, words).serve(listener))


def be_lvs(path: str, port: int) -> None:
    """Say what the pair is, and every second that all is well, until pulse is gone."""
    channel = ChannelRow("public", OWN, PARTNER)
    configure = Configure(
        1, True, is_alone=False, partner=PARTNER, port=port, channels=(channel,), keepalive_s=KEEPALIVE_S,
        deadtime_s=DEADTIME_S,
    )  # fmt: skip
    with socket.socket(socket.AF_UNIX) as there, contextlib.suppress(OSError):
        there.connect(path)
        there.sendall(encode(configure) + b"\n")
        there.settimeout(1.0)
        while True:
            there.sendall(encode(Found(is_ready=True)) + b"\n")
            with contextlib.suppress(TimeoutError):
                if not there.recv(65536):
                    return


@dataclass
class Listener:
    """The listener that all checks reach, and how many it has accepted."""

    process: "subprocess.Popen[str]"
    port: int

    def accepted(self) -> int:
        """Return how many connections there were so far."""
        return int(self._asked())

    def _asked(self) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """Have a listener on all loopback addresses."""
    words = [sys.executable, "-m", "tests.bench_rhythm", "listen"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Listener(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


def be_listener() -> None:
    """Accept and close whatever comes; print the port, and for each line that is read the count."""
    count = 0
    listener = socket.create_server(("0.0.0.0", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        nonlocal count
        while True:
            connection, _ = listener.accept()
            count += 1
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    for _ in sys.stdin:
        print(count, flush=True)


@contextlib.contextmanager
def engine(root: Path, servers: int, port: int) -> Iterator[EngineClient]:
    """Have an engine that checks so many real servers, all of which are up."""
    paths = Paths(root)
    paths.lvs_cf.parent.mkdir(parents=True)
    paths.lvs_cf.write_text(lvs_cf(math.ceil(servers / EACH), EACH, free_port(), port, EVERY_S))
    words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(root), "--data-path", "embedded"]
    with (root / "engine.log").open("w") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    client = EngineClient(paths.socket, user="bench", answer_within_s=60.0)
    try:
        give_up_at = time.monotonic() + READY_WITHIN_S
        while not _all_up(client):
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise SystemExit(f"not all real servers are up: {(root / 'engine.log').read_text()[-2000:]}")
            _passes(0.5)
        yield client
    finally:
        process.terminate()
        process.wait(60)


def measured(seconds: float, checks_per_s: int) -> tuple[Measured, Measured]:
    """Return what a while without and a while with so many checks a second brought."""
    allow_files()
    with tempfile.TemporaryDirectory() as folder, listening() as listener:
        pulse_root, engine_root = Path(folder, "pulse"), Path(folder, "engine")
        for root in (pulse_root, engine_root):
            root.mkdir()
        partner = Partner()
        with partner.socket, own_pulse(pulse_root, partner):
            _passes(max(3.5, seconds / 4))
            without = Measured(lateness(partner.heard()))
            with engine(engine_root, checks_per_s * EVERY_S, listener.port) as client:
                partner.heard()
                return without, _asked(client, partner, listener, seconds)


def _asked(client: EngineClient, partner: Partner, listener: Listener, seconds: float) -> Measured:
    """Ask the API again and again for so long, and return what that while brought."""
    answers: dict[str, list[float]] = {"summary": [], "status": []}
    page = StatusQuery(limit="1", servers=str(EACH))
    before, began = listener.accepted(), time.monotonic()
    while time.monotonic() < began + seconds:
        at = time.monotonic()
        client.summary()
        between = time.monotonic()
        client.status(page)
        answers["summary"].append(between - at)
        answers["status"].append(time.monotonic() - between)
        _passes(ASK_EVERY_S)
    rate = (listener.accepted() - before) / (time.monotonic() - began)
    return Measured(lateness(partner.heard()), answers, rate)


def _all_up(client: EngineClient) -> bool:
    try:
        shown = client.status().virtual_servers
    except PiranhaError:
        return False
    return bool(shown) and all(server.health.state == "up" for each in shown for server in each.servers)


def _passes(seconds: float) -> None:
    threading.Event().wait(seconds)


def _words(values: Sequence[float]) -> str:
    return ", ".join(f"{each * 1000:.1f}" for each in (statistics.median(values), part(values, 0.99), max(values)))


def main() -> int:
    """Measure and print; return the exit status."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    checks_per_s = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    without, found = measured(seconds, checks_per_s)
    print(f"{found.checks_per_s:.0f} checks a second were made, {checks_per_s} were ordered, for {seconds:g} s")
    for name, one in (("without checks", without), ("with them", found)):
        print(f"{len(one.late)} heartbeats, {name}: late by {_words(one.late)} ms (median, 99 of 100, most)")
    for name, took in found.answers.items():
        print(f"{len(took)} answers of the API, {name}: {_words(took)} ms")
    broken = []
    if part(found.late, 0.99) >= LATE_MOST:
        broken.append("heartbeats do not keep their interval")
    if max(max(took) for took in found.answers.values()) > ANSWER_MOST_S:
        broken.append("the API took too long for an answer")
    for each in broken:
        print(f"Broken: {each}.")
    return 1 if broken else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pulse", root, port]:
            be_pulse(Path(root), int(port))
        case ["lvs", path, port]:
            be_lvs(path, int(port))
        case ["listen"]:
            be_listener()
        case _:
            sys.exit(main())
