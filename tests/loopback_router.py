"""A router whose whole world is loopback, in processes of its own, and visitors of its GUI that take the time.

For `bench_gui`: the engine on the embedded data path, piranha-gui, and listeners that the checks find.
"""

import contextlib
import http.client
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher

from piranha.client import EngineClient
from piranha.errors import PiranhaError
from piranha.paths import Paths
from tests.cli.running_gui import started
from tests.plain_browser import PlainBrowser

PASSWORD = "a bridge over 42 fjords"
FILES = 65_536
READY_WITHIN_S = 180.0
KEPT_S = 4.0
"""gunicorn keeps an idle connection for 5 s."""


def lvs_cf(virtual_servers: int, real_servers: int, vip_port: int, port: int, every_s: int) -> str:
    """Return an lvs.cf whose addresses are all on loopback; everything is active and checked by TCP connect."""
    lines = ["serial_no = 1", "primary = 127.0.0.1", "service = lvs", "network = nat", "nat_router = 127.0.0.1 lo:0"]
    for number in range(virtual_servers):
        lines += [
            f"virtual service{number:04} {{",
            "     active = 1",
            f"     address = 127.{64 + number // 250}.{number % 250}.1 lo:{number + 1}",
            "     vip_nmask = 255.255.255.255",
            f"     port = {vip_port}",
            "     load_monitor = none",
            "     scheduler = wlc",
            "     protocol = tcp",
            f"     timeout = {every_s}",
            "     reentry = 15",
            "     quiesce_server = 0",
        ]
        for server in range(real_servers):
            place = number * real_servers + server
            lines += [
                f"     server web{server + 1} {{",
                f"         address = 127.{128 + place // 62500}.{place // 250 % 250}.{place % 250 + 1}",
                "         active = 1",
                f"         port = {port}",
                "         weight = 1",
                "     }",
            ]
        lines.append("}")
    return "\n".join([*lines, ""])


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def allow_files() -> None:
    """Let this process and those it starts have a descriptor for each check, as far as the system allows that."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(most, FILES), most):
        with contextlib.suppress(ValueError, OSError):  # more than the system gave is for root alone
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return


@contextlib.contextmanager
def listener() -> Iterator[int]:
    """Give a port on which every loopback address accepts connections, in a process of its own."""
    code = (
        "import asyncio\n"
        "async def run():\n"
        "    server = await asyncio.start_server(lambda r, w: w.close(), '0.0.0.0', 0, backlog=4096)\n"
        "    print(server.sockets[0].getsockname()[1], flush=True)\n"
        "    await server.serve_forever()\n"
        "asyncio.run(run())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@dataclass
class Router:
    """An engine and a GUI in processes of their own. `virtual` and `server` are paths of blocks in the middle."""

    paths: Paths
    port: int
    virtual: str
    server: str
    processes: tuple[int, int]

    def cpu_s(self) -> float:
        """Return how much CPU time engine and GUI have used."""
        engine, master = self.processes
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return sum(_cpu_s(pid) for pid in (str(engine), *workers))

    @property
    def engine(self) -> EngineClient:
        """Return a client of the engine."""
        return EngineClient(self.paths.socket, user="bench", answer_within_s=60.0)


def _cpu_s(pid: str) -> float:
    """Return the CPU time of a process's threads in nanosecond steps; `times` would tell hundredths of a second."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@contextlib.contextmanager
def router(root: Path, size: tuple[int, int], listens_on: int, every_s: int) -> Iterator[Router]:
    """Give a router with so many virtual servers and real servers in each, checked once and up."""
    paths = Paths(root)
    for file in (paths.lvs_cf, paths.passwd):
        file.parent.mkdir(parents=True, exist_ok=True)
    paths.lvs_cf.write_text(lvs_cf(*size, free_port(), listens_on, every_s))
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    paths.passwd.write_text(f"piranha:{cheap.hash(PASSWORD)}\n")
    words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(root), "--data-path", "embedded"]
    with (root / "pulse.log").open("w") as log, started(root) as start:
        process = subprocess.Popen(words, stderr=log)
        try:
            gui, port = start()
            virtual = f"virtual[service{size[0] // 2:04}]"
            made = Router(paths, port, virtual, f"{virtual}.server[web{size[1] // 2}]", (process.pid, gui.pid))
            _wait_until_up(made.engine, size[0] * size[1], process)
            yield made
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_up(engine: EngineClient, servers: int, process: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    up, problem = 0, ""
    pause = threading.Event()
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            told = engine.status()
        except PiranhaError as error:
            problem = str(error)
        else:
            up = sum(each.health.state == "up" for virtual in told.virtual_servers for each in virtual.servers)
            if up == servers:
                return
        pause.wait(0.5)
    raise SystemExit(f"{up} of {servers} real servers are up after {READY_WITHIN_S:g} s. {problem}")


class Visitor:
    """A browser that keeps its connection, as far as speed is concerned. The GUI counts requests by `address`."""

    def __init__(self, port: int, address: str, cookies: Mapping[str, str]) -> None:
        self._port = port
        self._source = (address, 0)
        self._headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def get(self, url: str) -> tuple[float, int]:
        """Fetch a page; return how long that took, in seconds, and how many bytes it has."""
        began = time.perf_counter()
        if self._connection is None or time.monotonic() - self._used_at > KEPT_S:
            self.close()
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=60, source_address=self._source
            )
        self._connection.request("GET", url, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        taken = time.perf_counter() - began
        self._used_at = time.monotonic()
        if answer.status != 200:
            raise SystemExit(f"{url} was answered {answer.status}: {body[:300]!r}")
        return taken, len(body)

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def logged_in(port: int) -> dict[str, str]:
    """Return the cookies of somebody who has logged in."""
    return browser_of(port).cookies


def browser_of(port: int) -> PlainBrowser:
    """Return a browser that has logged in."""
    browser = PlainBrowser("127.0.0.1", port)
    page = browser.open("/login?next=/secure/introduction")
    page = page.fill("User", "piranha").fill("Password", PASSWORD).press("Login")
    if page.status != 200:
        raise SystemExit(f"log-in: {page.status} {page.text}")
    return browser
