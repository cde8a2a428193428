"""What reading and editing a large lvs.cf costs, beside tomlkit reading the same content as TOML in the same run.

`python -m tests.bench_config [--quick]`. Ratios and slopes are judged, never bare times: 1 is the exit code if a bound
is broken. Each measure is taken several times, interleaved with what it is compared with; the median counts. CPU
seconds, not those on the clock: other work on the machine is none of ours.
"""

import argparse
import gc
import json
import math
import multiprocessing
import os
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import SetValues
from piranha.config.load import load

VIRTUAL_SERVERS = 160
REAL_SERVERS = 64
"""In each virtual server: 10,240 together, about a megabyte."""
ROUNDS = 7
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
QUICK_SIZES = (1_000, 3_000, 10_000)
EDITS = 20
"""Edits in one measure: a single one is too short to be timed."""

LOAD_MOST = 0.5
EDIT_MOST = 0.05
SLOPE_MOST = 1.2
"""Of log(time) over log(servers), without Python's garbage collector: 1 is in proportion, 2 is quadratic."""
SLOPE_MOST_COLLECTED = 1.3
"""The same with it: it walks all that was read so far again and again."""


def lvs_cf(virtual_servers: int, real_servers: int) -> str:
    """Return an lvs.cf as the old GUI would have written it."""
    lines = ["serial_no = 1", "primary = 192.0.2.1", "service = lvs", "backup_active = 0", "network = direct"]
    for number in range(virtual_servers):
        lines += [
            f"virtual service{number} {{",
            "     active = 1",
            f"     address = 198.18.{number // 250}.{number % 250 + 1} eth0:{number + 1}",
            "     vip_nmask = 255.255.255.0",
            "     port = 80",
            r'     send = "GET / HTTP/1.0\r\n\r\n"',
            '     expect = "HTTP"',
            "     use_regex = 0",
            "     load_monitor = none",
            "     scheduler = wlc",
            "     protocol = tcp",
            "     timeout = 6",
            "     reentry = 15",
            "     quiesce_server = 0",
        ]
        for place in range(real_servers):
            lines += [
                f"     server node{number}_{place} {{",
                f"         address = 10.{number // 250}.{number % 250}.{place + 1}",
                "         active = 1",
                "         weight = 1",
                "     }",
            ]
        lines.append("}")
    return "\n".join(lines) + "\n"


def as_toml(text: str) -> str:
    """Return the same content as TOML: a table for each block, a line for each line."""
    lines: list[str] = []
    outer = ""
    for line in text.splitlines():
        words = line.split()
        if words[-1] == "{":
            lines.append(f"[[{words[0]}]]" if words[0] == "virtual" else "[[virtual.server]]")
            outer = words[0]
            lines.append(f'name = "{words[1]}"')
        elif words[0] != "}":
            value = line.partition(" = ")[2]
            is_plain = value.isdecimal() or value.startswith('"')
            lines.append(f"{words[0]} = {value if is_plain else json.dumps(value)}")
    assert outer
    return "\n".join(lines) + "\n"


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def one_edit(document: Document, number: int) -> str:
    """Set one value of one real server, count the serial number up, and return the text."""
    path = f"virtual[service{number}].server[node{number}_7]"
    edit = SetValues(path=path, values={"weight": "5"})
    return apply_edits(document, [edit], counts_up=True).text


def compare() -> tuple[float, float, float]:
    """Return the medians of a load, of tomlkit's parse of the same content, and of one edit with its text."""
    import tomlkit

    text = lvs_cf(VIRTUAL_SERVERS, REAL_SERVERS)
    toml = as_toml(text)
    loaded = load(text)
    assert sum(len(virtual.servers) for virtual in loaded.cluster.virtual_servers) == VIRTUAL_SERVERS * REAL_SERVERS
    assert not [fault for fault in loaded.faults if fault.stops_apply]
    parsed: Any = tomlkit.parse(toml)
    assert sum(len(virtual["server"]) for virtual in parsed["virtual"]) == VIRTUAL_SERVERS * REAL_SERVERS
    edited = one_edit(loaded.document, 3)
    assert sum(a != b for a, b in zip(text.split("\n"), edited.split("\n"), strict=True)) == 2
    assert load(edited).cluster.serial_no == 2
    del parsed
    print(f"{len(text) / 1e6:.2f} MB of lvs.cf, {len(toml) / 1e6:.2f} MB of TOML, {VIRTUAL_SERVERS} virtual servers")
    document = loaded.document
    loads, tomls, edits = [], [], []
    for _ in range(ROUNDS):
        loads.append(seconds(lambda: load(text)))
        tomls.append(seconds(lambda: tomlkit.parse(toml)))
        edits.append(seconds(lambda: [one_edit(document, number) for number in range(EDITS)]) / EDITS)
    return statistics.median(loads), statistics.median(tomls), statistics.median(edits)


def growth(servers: int) -> tuple[float, float, float, float]:
    """Return CPU seconds of a load with and without the garbage collector, and bytes: kept, and largest (the process).

    Runs in a process of its own, so that the largest is of this size alone.
    """
    text = lvs_cf(max(1, servers // REAL_SERVERS), min(servers, REAL_SERVERS))
    load(lvs_cf(2, 2))  # the grammar is warm
    rounds = range(5 if servers <= 10_000 else 2)
    collected = min(seconds(lambda: load(text)) for _ in rounds)
    gc.disable()
    took = min(seconds(lambda: load(text)) for _ in rounds)
    gc.enable()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tracemalloc.start()
    kept = load(text)
    traced = tracemalloc.get_traced_memory()[0]
    assert kept.document.text is text
    return collected, took, traced, peak


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the slope of the straight line through log(x), log(y)."""
    logs = [(math.log(x), math.log(y)) for x, y in zip(xs, ys, strict=True)]
    middle_x, middle_y = (statistics.fmean(each) for each in zip(*logs, strict=True))
    over = sum((x - middle_x) * (y - middle_y) for x, y in logs)
    return over / sum((x - middle_x) ** 2 for x, _ in logs)


def main() -> None:
    """Print the figures and a JSON line of the ratios; exit with 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="growth up to 10,000 real servers only")
    sizes = QUICK_SIZES if parser.parse_args().quick else SIZES
    fresh = multiprocessing.get_context("spawn")
    with fresh.Pool(1, maxtasksperchild=1) as pool:
        print(f"{os.cpu_count()} cores, CPU seconds, the median of {ROUNDS} rounds")
        load_s, toml_s, edit_s = pool.apply(compare)
        found = {"load to tomlkit": load_s / toml_s, "edit to load": edit_s / load_s}
        print(f"load     {load_s:8.3f} s   tomlkit {toml_s:8.3f} s   ratio {found['load to tomlkit']:.3f}")
        print(f"edit     {edit_s * 1000:8.2f} ms  load    {load_s:8.3f} s   ratio {found['edit to load']:.4f}")
        collected, times = [], []
        for servers in sizes:
            with_it, took, kept, peak = pool.apply(growth, (servers,))
            collected.append(with_it)
            times.append(took)
            with_it_us, took_us = with_it / servers * 1e6, took / servers * 1e6
            print(
                f"{servers:8,} real servers: {with_it_us:5.1f} us each, {took_us:5.1f} without the collector; "
                f"{kept / servers:6.0f} bytes each stay, the process has {peak / servers:6.0f} each at most"
            )
    found["slope"] = slope(sizes, times)
    found["slope with the collector"] = slope(sizes, collected)
    both = f"{found['slope']:.3f}, {found['slope with the collector']:.3f} with the collector"
    print(f"slope of log(time) over log(servers): {both}")
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))
    bounds = {"load to tomlkit": LOAD_MOST, "edit to load": EDIT_MOST, "slope": SLOPE_MOST}
    bounds["slope with the collector"] = SLOPE_MOST_COLLECTED
    broken = [f"{name} is {found[name]:.3f}, above {most}" for name, most in bounds.items() if found[name] > most]
    print("; ".join(broken) or "every bound holds")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
