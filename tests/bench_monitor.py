"""How long CONTROL/MONITORING takes with 20 and with 20,000 real servers: `python -m tests.bench_monitor [REQUESTS]`.

Both engines and both GUIs run at the same time, each in a process of its own, and are asked in turns; so whatever else
the machine does meanwhile meets both. The table is one in memory, and the checks answer at once: what is measured is
this program, not the kernel and not a network.
"""

import asyncio
import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

import uvloop

from piranha import passwords
from piranha.client import EngineClient
from piranha.config.model import Address
from piranha.engine import api
from piranha.engine.balancer import Balancer
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.errors import EngineUnavailable, StepRefused
from piranha.health.check import Check, Verdict
from piranha.ipvs.plan import after
from piranha.ipvs.table import Counters, Reading, Step, Table
from piranha.monitoring import StatusQuery
from piranha.paths import Paths
from piranha.system import unix_socket
from piranha.system.probes import Probed

SMALL, LARGE = (1, 20), (1000, 20)
"""Virtual servers, and real servers in each."""
PASSWORD = "a bridge over 42 fjords"
PAGES = ("/secure/control", "/secure/control/fragment", "/secure/control?only=trouble", "/secure/control?text=real7")
GOAL = 3.0
PAUSE = threading.Event()


class MemoryPath:
    """A data path whose table is in memory."""

    name = "kernel"
    shares = False

    def __init__(self) -> None:
        self.table: Table = MappingProxyType({})
        self.started = time.monotonic()

    async def present(self) -> Reading:
        """Return the table; counters grow with time."""
        count = int(time.monotonic() - self.started) * 7
        counted = Counters(3, 1, count, count * 100, count * 1000)
        places = {(key, each): counted for key, entry in self.table.items() for each in entry.destinations}
        return Reading(self.table, places)

    async def apply_many(self, steps: tuple[Step, ...]) -> tuple[StepRefused | None, ...]:
        """Take all of them."""
        self.table = after(self.table, steps)
        return tuple(None for _ in steps)

    async def close(self) -> None:
        """Forget the table."""
        self.table = MappingProxyType({})


def lvs_cf(virtuals: int, servers: int) -> str:
    """Return a file with so many virtual servers and so many real servers in each."""
    lines = ["serial_no = 1", "service = lvs", "network = nat"]
    for number in range(virtuals):
        high, low = divmod(number, 250)
        lines += [f"virtual web{number} {{", "active = 1", f"address = 10.{high}.{low}.1 eth0:{number % 1000}"]
        lines += ["port = 80", "scheduler = wlc", "protocol = tcp", "timeout = 60", "reentry = 60"]
        for each in range(servers):
            place = number * servers + each
            address = f"172.{16 + place // 62500}.{place // 250 % 250}.{place % 250 + 1}"
            lines += [f"server real{each} {{", f"address = {address}", "active = 1", "weight = 1", "}"]
        lines.append("}")
    return "\n".join(lines) + "\n"


async def _answer_at_once(check: Check, address: Address) -> Probed:
    return Probed(Verdict(True, "answered"), 0.0, b"", b"")


async def _serve(root: Path) -> None:
    paths = Paths(root)
    listener = unix_socket.listen(paths.socket, mode=0o600)
    async with asyncio.TaskGroup() as tasks:
        balancer = Balancer(MemoryPath(), tasks, time.monotonic, _answer_at_once)  # type: ignore[arg-type]
        engine = Engine(ConfigKeeper(paths), balancer, time.monotonic)
        tasks.create_task(balancer.run(), name="balancer")
        await engine.start()
        tasks.create_task(engine.sampling.keep_sampling(), name="samples")
        tasks.create_task(engine.keep_watching(), name="history")
        await api.serve(api.application(engine), listener, asyncio.Event())


class Bench:
    """An engine and a GUI with so many servers, in processes of their own."""

    def __init__(self, root: Path, size: tuple[int, int]) -> None:
        paths = Paths(root)
        for folder in (paths.lvs_cf.parent, paths.run, paths.state, paths.passwd.parent):
            folder.mkdir(parents=True, exist_ok=True)
        paths.lvs_cf.write_text(lvs_cf(*size))
        paths.passwd.write_text(f"piranha:{passwords.hash_of(PASSWORD)}\n")
        self.count = size[0] * size[1]
        self.times: dict[str, list[float]] = {}
        self.sizes: dict[str, int] = {}
        self._root = root
        self._client = EngineClient(paths.socket, answer_within_s=120)
        self._engine = subprocess.Popen([sys.executable, "-m", "tests.bench_monitor", "--engine", str(root)])
        self._gui = subprocess.Popen(
            [sys.executable, "-m", "piranha.cli.gui", "--root", str(root), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.port = 0
        self.cookie = ""

    def wait_until_ready(self) -> None:
        """Wait until every server is up, and log in."""
        give_up_at = time.monotonic() + 300
        while True:
            assert time.monotonic() < give_up_at, "the engine is not ready"
            try:
                if self._client.summary().counts.up == self.count:
                    break
            except EngineUnavailable:
                pass
            PAUSE.wait(0.5)
        assert self._gui.stdout is not None
        for line in self._gui.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(found[1])
                break
        page = self._ask("GET", "/login")
        token = re.search(r'name="csrf_token" value="([^"]+)"', page[1])
        assert token is not None
        typed = urlencode({"csrf_token": token[1], "user": "piranha", "password": PASSWORD})
        assert self._ask("POST", "/login", typed)[0] == 303

    def get(self, address: str) -> None:
        """Ask for a page once, and note how long it took."""
        began = time.perf_counter()
        status, text = self._ask("GET", address)
        self.times.setdefault(address, []).append(time.perf_counter() - began)
        assert status == 200, (status, address)
        self.sizes[address] = max(self.sizes.get(address, 0), len(text.encode()))

    def call(self, name: str) -> None:
        """Make a call of the API once, and note how long it took."""
        began = time.perf_counter()
        match name:
            case "GET /v1/summary":
                self._client.summary()
            case "GET /v1/status, a part":
                self._client.status(StatusQuery(first="1"))
            case _:
                self._client.status()
        self.times.setdefault(name, []).append(time.perf_counter() - began)

    def stop(self) -> None:
        """End both processes."""
        for process in (self._gui, self._engine):
            process.terminate()
            process.wait(30)

    def _ask(self, method: str, address: str, body: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Cookie": self.cookie} if self.cookie else {}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, address, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        for name, given in answer.getheaders():
            if name.lower() == "set-cookie":
                self.cookie = given.split(";")[0]
        connection.close()
        return answer.status, text


def p95(times: list[float]) -> float:
    """Return the 95th percentile, in milliseconds."""
    return statistics.quantiles(times, n=20)[-1] * 1000


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--engine"]:
        uvloop.run(_serve(Path(sys.argv[2])))
        return
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        both = (Bench(Path(small), SMALL), Bench(Path(large), LARGE))
        try:
            for bench in both:
                bench.wait_until_ready()
            for number in range(requests + 5):
                for bench in both:
                    for address in PAGES:
                        bench.get(address)
                    for name in ("GET /v1/summary", "GET /v1/status, a part"):
                        bench.call(name)
                    if number < 5:
                        bench.call("GET /v1/status, the whole")
                if number == 4:
                    for bench in both:  # warm now
                        bench.times = {name: times for name, times in bench.times.items() if name.endswith("whole")}
                PAUSE.wait(0.07)  # not in step with what the engine does each second
        finally:
            for bench in both:
                bench.stop()
    _print(*both)


def _print(small: Bench, large: Bench) -> None:
    print(f"{'':34}{small.count:>12,} servers{large.count:>15,} servers")
    print(f"{'milliseconds':34}{'median':>10}{'p95':>10}{'median':>13}{'p95':>10}{'ratio of p95':>15}{'kB':>8}")
    for name, times in small.times.items():
        others = large.times[name]
        ratio = p95(others) / p95(times)
        medians = (statistics.median(times) * 1000, statistics.median(others) * 1000)
        mark = "" if not name.startswith("/") else "  (goal: 3)" if ratio <= GOAL else "  ABOVE THE GOAL OF 3"
        size = f"{large.sizes[name] / 1000:8.0f}" if name in large.sizes else f"{'':8}"
        print(
            f"{name:34}{medians[0]:10.1f}{p95(times):10.1f}{medians[1]:13.1f}{p95(others):10.1f}{ratio:15.2f}{size}{mark}"
        )


if __name__ == "__main__":
    main()
