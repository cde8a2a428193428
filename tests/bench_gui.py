"""How fast the GUI's pages are with 20,000 real servers beside 20, and with many users beside one.

`python -m tests.bench_gui [--quick] [scale | load | all]`. Real processes on loopback: the engine on the embedded data
path, piranha-gui, listeners that the checks find, and clients that keep their connections. Requests are interleaved
with those they are compared with, so that other work on the machine hits both; ratios are judged, never bare times.
Every page of the GUI's own list of addresses is there, or the program says which one is not.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from piranha.client import EngineClient
from piranha.paths import Paths
from piranha.web import create_app
from tests.loopback_router import Router, Visitor, allow_files, browser_of, listener, logged_in, router

RATIO_MOST = 3.0
BYTES_MOST = 300_000
BIG = (1000, 20)
"""Virtual servers, and real servers in each of them."""
SMALL = (1, 20)
CHECKED_EVERY_S = 600
"""Of the 20,000: some 33 checks a second, which cost the engine little."""

SAVES_TRIED = 5
"""The engine may not answer in time while other work keeps the machine busy."""

MONITORS, CLICKERS = 50, 20
REFRESH_S, THINK_S = 10.0, 1.0
REFRESHED = "with auto update"
NEEDS_PARTNER = {"/secure/redundancy/failover", "/secure/redundancy/sync"}
"""Pages that a router alone does not have."""
LATE_MOST_S = 1.0
"""How much later than its interval the most overdue check may be, at 19 of 20 looks."""
MODEST = (10, 5)
MODEST_CHECKED_EVERY_S = 1


def pages(virtual: str, server: str) -> dict[str, str]:
    """Return the address of every page behind the log-in by its name in the table."""
    in_virtual, in_server = f"virtual={quote(virtual, safe='')}", f"server={quote(server, safe='')}"
    return {
        "CONTROL/MONITORING": "/secure/control",
        REFRESHED: "/secure/control?auto=1&interval=10&refreshed=1",
        "its changing part": "/secure/control/fragment?auto=1&interval=10&refreshed=1",
        "monitoring, last page": "/secure/control?page=999",
        "what is not well": "/secure/control?only=trouble",
        "monitoring, a search": "/secure/control?text=web7",
        "one virtual server": f"/secure/control?{in_virtual}",
        "STOP asked": "/secure/control/stop",
        "TRAFFIC": f"/secure/traffic?{in_virtual}",
        "its chart": f"/secure/chart.svg?{in_virtual}",
        "its large chart": f"/secure/chart.svg?{in_virtual}&size=large",
        "LAST CHECK": f"/secure/check?{in_server}",
        "CONNECTIONS": "/secure/connections",
        "a choice of them": "/secure/connections?client=127.0.0.0/8&state=ESTABLISHED&limit=1000",
        "PASSWORD": "/secure/password",
        "GLOBAL SETTINGS": "/secure/global_settings",
        "REDUNDANCY": "/secure/redundancy",
        "RESET asked": "/secure/redundancy/reset",
        "VIRTUAL SERVERS": "/secure/virtual_servers",
        "virtual servers, last": "/secure/virtual_servers?page=999",
        "virtual servers found": "/secure/virtual_servers?text=service0&status=up",
        "ADD VIRTUAL SERVER": "/secure/virtual_server/add",
        "EDIT VIRTUAL SERVER": f"/secure/virtual_server?{in_virtual}",
        "DELETE VIRTUAL SERVER": f"/secure/virtual_server/delete?{in_virtual}",
        "REAL SERVER list": f"/secure/real_servers?{in_virtual}",
        "real servers found": f"/secure/real_servers?{in_virtual}&text=web1&status=up",
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
        "events found": "/secure/events?kind=server-up&text=web7&limit=50",
        "older events": "/secure/events?before=40",
        "AUDIT": "/secure/audit",
        "audit found": "/secure/audit?text=saved&limit=50",
        "ADOPT": "/secure/adopt",
        "INTRODUCTION": "/secure/introduction",
        "HELP": "/secure/help",
    }


def unmeasured() -> list[str]:
    """Return the GUI's addresses behind the log-in that no page of the table has."""
    measured = {address.partition("?")[0] for address in pages("", "").values()}
    with tempfile.TemporaryDirectory() as folder:
        rules = create_app(Paths(Path(folder))).url_map.iter_rules()
        found = {each.rule for each in rules if "GET" in (each.methods or ()) and each.rule.startswith("/secure/")}
    # The addresses of the original GUI lead to these.
    return sorted(each for each in found - measured - NEEDS_PARTNER if not each.endswith((".php", ".html", "/")))


def p95(taken: Sequence[float]) -> float:
    """Return the 95th percentile: the value that one in twenty is above."""
    return statistics.quantiles(taken, n=20, method="inclusive")[-1]


def change_something(made: Router) -> float:
    """Deactivate the real server in the middle, as a person does, so that saved is not applied; return the seconds."""
    for _ in range(SAVES_TRIED):
        page = browser_of(made.port).open(f"/secure/real_servers?virtual={quote(made.virtual, safe='')}")
        button = f"Deactivate {made.server.rpartition('[')[2][:-1]}"
        began = time.perf_counter()
        # A save that the GUI did not wait for may have come to its end all the same.
        if f"{button} " not in page.text or "is deactivated" in page.press(button).text:
            return time.perf_counter() - began
    raise SystemExit(f"Nothing could be saved, {SAVES_TRIED} times.")


@dataclass
class Measured:
    """What one page took: wall-clock and CPU seconds (of engine and GUI together), and its size in bytes.

    `first`: the very first request, which finds nothing kept from an earlier one.
    """

    first: float = 0.0
    taken: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
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
        found: list[defaultdict[str, Measured]] = [defaultdict(Measured), defaultdict(Measured)]
        waits = [stack.enter_context(_waits(each)) for each in routers]
        for turn in range(rounds + 1):
            for name in addresses[0]:
                for which in (0, 1) if turn % 2 else (1, 0):
                    seen, before = found[which][name], routers[which].cpu_s()
                    taken, size = visitors[which][turn % 8].get(addresses[which][name])
                    if turn:
                        seen.taken.append(taken)
                        seen.cpu.append(routers[which].cpu_s() - before)
                    else:
                        seen.first = taken
                    seen.size = max(seen.size, size)
    is_good = _tell_scale(found[0], found[1], saves)
    for words, waited in zip(("20 servers", "20,000 servers"), waits, strict=True):
        middle, tail, worst = (each * 1e3 for each in (statistics.median(waited), p95(waited), max(waited)))
        told = f"median {middle:.1f}, p95 {tail:.1f}, most {worst:.0f} ms"
        print(f"the engine's smallest answer meanwhile, {words}: {told}")
    for address in unmeasured():
        print(f"Broken: nothing of {address} is measured.")
        is_good = False
    return is_good


@contextlib.contextmanager
def _waits(made: Router) -> Iterator[list[float]]:
    """Give the seconds that an engine takes for its smallest answer: checks and packets wait as long for their turn."""
    waits: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(random.uniform(0.1, 0.3)):
            began = time.perf_counter()
            made.engine.samples(made.virtual)
            waits.append(time.perf_counter() - began)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


def _tell_scale(small: Mapping[str, Measured], big: Mapping[str, Measured], saves: Sequence[float]) -> bool:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds, kilobytes of the bigger page")
    print(f"{'':24}{'20 servers':>23}{'20,000 servers':>31}{'ratio of':>16}")
    print(f"{'page':24}{'p95':>8}{'median':>8}{'CPU':>7}{'first':>8}{'p95':>8}{'median':>8}{'CPU':>7}", end="")
    print(f"{'p95':>8}{'CPU':>8}{'kB':>7}")
    broken, ratios = [], {}
    for name in small:
        few, many = small[name], big[name]
        tails = p95(few.taken), p95(many.taken)
        middles = statistics.median(few.taken), statistics.median(many.taken)
        cpus = statistics.median(few.cpu), statistics.median(many.cpu)
        ratios[name] = round(tails[1] / tails[0], 2)
        size = max(few.size, many.size)
        if ratios[name] > RATIO_MOST or size > BYTES_MOST:
            broken.append(name)
        told = (tails[0], middles[0], cpus[0], many.first, tails[1], middles[1], cpus[1])
        widths = (8, 8, 7, 8, 8, 8, 7)
        row = "".join(f"{value * 1e3:{width}.1f}" for value, width in zip(told, widths, strict=True))
        mark = "  !" if name in broken else ""
        print(f"{name:24}{row}{ratios[name]:8.2f}{cpus[1] / cpus[0]:8.2f}{size / 1000:7.0f}{mark}")
    print(f"from Deactivate until the page after it: {saves[0] * 1e3:.0f} and {saves[1] * 1e3:.0f} ms")
    print(json.dumps(ratios))
    for name in broken:
        print(f"Broken: {name} is above {RATIO_MOST:g} times or {BYTES_MOST / 1000:.0f} kB.")
    return not broken


@dataclass
class Load:
    """What people see meanwhile: seconds for each page, and how late the checks are.

    `late`: at each look at the status, how much longer ago than its interval the most overdue check was, in seconds.
    """

    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    late: list[float] = field(default_factory=list)


def load(seconds: float) -> bool:
    """Print what 50 pages with auto update and 20 people cost a page, beside one person alone; say if checks wait."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(listener())
        made = stack.enter_context(router(folder, MODEST, port, MODEST_CHECKED_EVERY_S))
        first = Visitor(made.port, "127.0.4.1", logged_in(made.port))
        for address in pages(made.virtual, made.server).values():
            first.get(address)  # the templates are compiled
        alone = _crowd(made, 0, 1, seconds, think_s=0.1)
        crowd = _crowd(made, MONITORS, CLICKERS, seconds, think_s=THINK_S)
    return _tell_load(alone, crowd, seconds)


def _crowd(made: Router, monitors: int, clickers: int, seconds: float, think_s: float) -> Load:
    """Let so many pages refresh themselves and so many people click for so long; return what they saw."""
    seen, over = Load(), threading.Event()
    addresses = pages(made.virtual, made.server)
    cookies = [logged_in(made.port) for _ in range(monitors + clickers)]

    def visit(visitor: Visitor, name: str) -> None:
        seen.taken[name].append(visitor.get(addresses[name])[0])

    def monitor(number: int) -> None:
        visitor = Visitor(made.port, f"127.0.2.{number + 1}", cookies[number])
        pause_s = REFRESH_S * number / monitors
        while not over.wait(pause_s):
            visit(visitor, REFRESHED)
            pause_s = REFRESH_S

    def click(number: int) -> None:
        visitor = Visitor(made.port, f"127.0.3.{number + 1}", cookies[monitors + number])
        choice = random.Random(number)
        while not over.wait(choice.uniform(0.5, 1.5) * think_s):
            visit(visitor, choice.choice(list(addresses)))

    def look(_number: int) -> None:
        while not over.wait(random.uniform(0.2, 0.8)):  # not in step with the checks
            seen.late.append(_most_overdue_s(made.engine))

    work = [(monitor, monitors), (click, clickers), (look, 1)]
    with ThreadPoolExecutor(monitors + clickers + 1) as pool:
        running = [pool.submit(each, number) for each, count in work for number in range(count)]
        over.wait(seconds)
        over.set()
        for each in running:
            each.result()
    return seen


def _most_overdue_s(engine: EngineClient) -> float:
    servers = [each for virtual in engine.status().virtual_servers for each in virtual.servers]
    return max((each.health.source.age_s or 0.0) for each in servers) - MODEST_CHECKED_EVERY_S


def _tell_load(alone: Load, crowd: Load, seconds: float) -> bool:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds, over {seconds:g} s")
    print(f"{MONITORS} pages with auto update every {REFRESH_S:g} s, {CLICKERS} people clicking every {THINK_S:g} s")
    print(f"{'page':24}{'alone: p95':>12}{'with all: p95':>15}{'ratio':>8}{'requests':>10}")
    clicked = [
        [each for name in seen.taken if name != REFRESHED for each in seen.taken[name]] for seen in (alone, crowd)
    ]
    names = sorted(alone.taken.keys() & crowd.taken.keys())
    rows: list[tuple[str, list[float], list[float]]] = [(each, alone.taken[each], crowd.taken[each]) for each in names]
    rows.append(("all but auto update", clicked[0], clicked[1]))
    for name, one, many in rows:
        if len(one) > 4 and len(many) > 4:
            ratio = p95(many) / p95(one)
            print(f"{name:24}{p95(one) * 1e3:12.1f}{p95(many) * 1e3:15.1f}{ratio:8.2f}{len(many):10}")
    for words, seen in (("alone", alone), ("with all", crowd)):
        middle, tail, worst = statistics.median(seen.late), p95(seen.late), max(seen.late)
        print(f"the most overdue of all checks, {words}: median {middle:.2f} s, p95 {tail:.2f} s, most {worst:.2f} s")
    is_late = p95(crowd.late) > LATE_MOST_S
    if is_late:
        print(f"Broken: checks are more than {LATE_MOST_S:g} s late.")
    return not is_late


def main() -> None:
    """Measure what was asked for; exit code 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description="How fast the GUI's pages are.")
    parser.add_argument("what", nargs="?", choices=("scale", "load", "all"), default="all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, less time")
    given = parser.parse_args()
    allow_files()
    is_good = given.what == "load" or scale(6 if given.quick else 40)
    if given.what != "scale":
        is_good = load(15.0 if given.quick else 120.0) and is_good
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
