"""How fast the GUI's pages are with 20,000 real servers beside 20, and with many users beside one.

`python -m tests.bench_gui [--quick] [scale] [load]`. Real processes on loopback: the engine on the embedded data path,
piranha-gui, listeners that the checks find, and clients that keep their connections. Requests are interleaved with
those they are compared with, so that other work on the machine hits both; ratios are judged, never bare times.
"""

import argparse
import contextlib
import http.client
import json
import os
import queue
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from argon2 import PasswordHasher

from piranha.client import EngineClient
from piranha.errors import PiranhaError
from piranha.paths import Paths
from tests.cli.running_gui import started
from tests.plain_browser import PlainBrowser

PASSWORD = "a bridge over 42 fjords"
RATIO_MOST = 3.0
BYTES_MOST = 300_000
BIG = (1000, 20)
"""Virtual servers, and real servers in each of them."""
SMALL = (1, 20)
CHECKED_EVERY_S = 600
"""Of the 20,000: some 33 checks a second, which cost the engine little."""
UP_LEAST = 0.9
"""Of the real servers: all checks begin at once, and not every one finds a free descriptor then."""
READY_WITHIN_S = 180.0
KEPT_S = 4.0
"""gunicorn keeps an idle connection for 5 s."""

MONITORS, CLICKERS = 50, 20
REFRESH_S, THINK_S = 10.0, 1.0
MODEST = (10, 5)
MODEST_CHECKED_EVERY_S = 1


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


def pages(virtual: str, server: str) -> dict[str, str]:
    """Return the address of every page behind the log-in by its name in the table."""
    in_virtual, in_server = f"virtual={quote(virtual, safe='')}", f"server={quote(server, safe='')}"
    return {
        "CONTROL/MONITORING": "/secure/control",
        "with auto update": "/secure/control?auto=1&interval=10&refreshed=1",
        "CONNECTIONS": "/secure/connections",
        "PASSWORD": "/secure/password",
        "GLOBAL SETTINGS": "/secure/global_settings",
        "REDUNDANCY": "/secure/redundancy",
        "RESET asked": "/secure/redundancy/reset",
        "VIRTUAL SERVERS": "/secure/virtual_servers",
        "the last page of it": "/secure/virtual_servers?page=999",
        "a search in it": "/secure/virtual_servers?text=service0&status=up",
        "ADD VIRTUAL SERVER": "/secure/virtual_server/add",
        "EDIT VIRTUAL SERVER": f"/secure/virtual_server?{in_virtual}",
        "DELETE VIRTUAL SERVER": f"/secure/virtual_server/delete?{in_virtual}",
        "REAL SERVER list": f"/secure/real_servers?{in_virtual}",
        "ADD REAL SERVER": f"/secure/real_server/add?{in_virtual}",
        "EDIT REAL SERVER": f"/secure/real_server?{in_server}",
        "DELETE REAL SERVER": f"/secure/real_server/delete?{in_server}",
        "MONITORING SCRIPTS": f"/secure/monitoring_scripts?{in_virtual}",
        "PLAN": "/secure/plan",
        "CONFIRM": "/secure/confirm",
        "HISTORY": "/secure/history",
        "a version": "/secure/history/version?number=1",
        "a comparison": "/secure/history/diff?old=1&new=running",
        "RESTORE asked": "/secure/history/restore?number=1",
        "EVENTS": "/secure/events",
        "AUDIT": "/secure/audit",
        "ADOPT": "/secure/adopt",
        "INTRODUCTION": "/secure/introduction",
        "HELP": "/secure/help",
    }


def p95(taken: Sequence[float]) -> float:
    """Return the 95th percentile: the value that one in twenty is above."""
    return statistics.quantiles(taken, n=20, method="inclusive")[-1]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


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

    @property
    def engine(self) -> EngineClient:
        """Return a client of the engine."""
        return EngineClient(self.paths.socket, user="bench", answer_within_s=60.0)


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
            _, port = start()
            virtual = f"virtual[service{size[0] // 2:04}]"
            made = Router(paths, port, virtual, f"{virtual}.server[web{size[1] // 2}]")
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
            if up >= servers * UP_LEAST:
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


def change_something(made: Router) -> float:
    """Deactivate the real server in the middle, as a person does, so that saved is not applied; return the seconds."""
    browser = browser_of(made.port)
    page = browser.open(f"/secure/real_servers?virtual={quote(made.virtual, safe='')}")
    began = time.perf_counter()
    done = page.press(f"Deactivate {made.server.rpartition('[')[2][:-1]}")
    assert "is deactivated" in done.text, done.text
    return time.perf_counter() - began


@dataclass
class Measured:
    """What one page took, in seconds, and its size in bytes."""

    taken: list[float] = field(default_factory=list)
    size: int = 0


def scale(rounds: int) -> bool:
    """Print each page's 95th percentile with 20,000 real servers beside 20; say whether all bounds hold."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(listener())
        routers = [
            stack.enter_context(router(folder / name, size, port, CHECKED_EVERY_S))
            for name, size in (("small", SMALL), ("big", BIG))
        ]
        saves = [change_something(each) for each in routers]
        visitors = []
        for each in routers:
            cookies = logged_in(each.port)
            visitors.append([Visitor(each.port, f"127.0.1.{number + 1}", cookies) for number in range(8)])
        addresses = [pages(each.virtual, each.server) for each in routers]
        found = [defaultdict(Measured), defaultdict(Measured)]
        for turn in range(rounds + 1):
            for name in addresses[0]:
                for which in (0, 1) if turn % 2 else (1, 0):
                    taken, size = visitors[which][turn % 8].get(addresses[which][name])
                    found[which][name].size = max(found[which][name].size, size)
                    if turn:  # the first round warms up
                        found[which][name].taken.append(taken)
    return _tell_scale(found[0], found[1], saves)


def _tell_scale(small: Mapping[str, Measured], big: Mapping[str, Measured], saves: Sequence[float]) -> bool:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds, kilobytes of the bigger page")
    print(f"{'page':24} {'20 servers':>18} {'20,000 servers':>18} {'ratio of':>14}")
    print(f"{'':24} {'median':>9}{'p95':>9} {'median':>9}{'p95':>9} {'median':>7}{'p95':>7} {'kB':>6}")
    broken, ratios = [], {}
    for name in small:
        few, many = small[name].taken, big[name].taken
        medians, tails = (statistics.median(few), statistics.median(many)), (p95(few), p95(many))
        ratios[name] = round(tails[1] / tails[0], 2)
        size = max(small[name].size, big[name].size)
        if ratios[name] > RATIO_MOST or size > BYTES_MOST:
            broken.append(name)
        print(
            f"{name:24} {medians[0] * 1e3:9.1f}{tails[0] * 1e3:9.1f} {medians[1] * 1e3:9.1f}{tails[1] * 1e3:9.1f} "
            f"{medians[1] / medians[0]:7.2f}{ratios[name]:7.2f} {size / 1000:6.0f}{'  !' if name in broken else ''}"
        )
    print(f"a save (Deactivate) until the next page stands: {saves[0] * 1e3:.0f} and {saves[1] * 1e3:.0f} ms")
    print(json.dumps(ratios))
    for name in broken:
        print(f"Broken: {name} is above {RATIO_MOST:g} times or {BYTES_MOST / 1000:.0f} kB.")
    return not broken


@dataclass
class Load:
    """What happens while many people look. `late`: for each look at the status, how much later than its interval the
    latest check was, in seconds."""

    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    late: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    troubles: "queue.Queue[BaseException]" = field(default_factory=queue.Queue)


def load(seconds: float) -> bool:
    """Print what 50 pages with auto update and 20 people cost one page, beside one person alone."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = stack.enter_context(
            router(folder, MODEST, stack.enter_context(listener()), MODEST_CHECKED_EVERY_S)
        )
        alone = _crowd(made, 0, 1, seconds, think_s=0.1)
        crowded = _crowd(made, MONITORS, CLICKERS, seconds, think_s=THINK_S)
    _tell_load(alone, crowded)
    return True


def _crowd(made: Router, monitors: int, clickers: int, seconds: float, think_s: float) -> Load:
    seen, stop = Load(), threading.Event()
    addresses = pages(made.virtual, made.server)
    refreshed = addresses["with auto update"]

    def monitor(number: int) -> None:
        visitor, late = Visitor(made.port, f"127.0.2.{number + 1}", logged_in(made.port)), random.uniform(0, REFRESH_S)
        while not stop.wait(late):
            taken, _ = visitor.get(refreshed)
            with seen.lock:
                seen.taken["with auto update"].append(taken)
            late = REFRESH_S

    def click(number: int) -> None:
        visitor, choice = Visitor(made.port, f"127.0.3.{number + 1}", logged_in(made.port)), random.Random(number)
        while not stop.wait(choice.uniform(0.5, 1.5) * think_s):
            name = choice.choice(sorted(addresses))
            taken, _ = visitor.get(addresses[name])
            with seen.lock:
                seen.taken[name].append(taken)

    def watch(_: int) -> None:
        while not stop.wait(1.0):
            seen.late.append(_latest(made.engine))

    def guarded(work: "threading.Thread | None" = None) -> None:
        raise NotImplementedError

    jobs = [(monitor, n) for n in range(monitors)] + [(click, n) for n in range(clickers)] + [(watch, 0)]
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for work, number in jobs]
    for each in threads:
        each.start()
    threading.Event().wait(seconds)
    stop.set()
    for each in threads:
        each.join(90)
    return seen


def _latest(engine: EngineClient) -> float:
    ages = [
        each.health.source.age_s for virtual in engine.status().virtual_servers for each in virtual.servers
    ]
    return max((age or 0.0) - MODEST_CHECKED_EVERY_S for age in ages)


def _tell_load(alone: Load, crowded: Load) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds")
    for name in sorted(crowded.taken):
        if len(alone.taken.get(name, ())) > 1 and len(crowded.taken[name]) > 1:
            one, many = p95(alone.taken[name]), p95(crowded.taken[name])
            print(f"{name:24} {one * 1e3:9.1f} {many * 1e3:9.1f} {many / one:7.2f}")
    every = [[taken for each in seen.taken.values() for taken in each] for seen in (alone, crowded)]
    print("all", len(every[0]), len(every[1]), p95(every[0]), p95(every[1]), p95(every[1]) / p95(every[0]))
    print("late", max(alone.late), p95(alone.late), max(crowded.late), p95(crowded.late))


def main() -> None:
    """Measure what was asked for; exit code 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description="How fast the GUI's pages are.")
    parser.add_argument("what", nargs="*", choices=[[], "scale", "load"])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    is_good = True
    if "scale" in given.what or not given.what:
        is_good &= scale(6 if given.quick else 40)
    if "load" in given.what or not given.what:
        is_good &= load(10 if given.quick else 60)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
