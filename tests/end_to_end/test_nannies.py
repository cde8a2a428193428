"""The engine's workers in its life: killed again and again, and a program that checks."""

import os
import signal
import threading
import time
from datetime import datetime

import pytest

from piranha.status import HealthState, ProcessStatus
from tests.nanny.hired import is_there
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.end_to_end

INTERVAL_S = 2.0
KILLS = 8


def nannies(demo: RunningDemo) -> dict[int, ProcessStatus]:
    return {each.pid: each for each in demo.status().processes if each.name == "nanny"}


def since_of(demo: RunningDemo, name: str) -> float:
    since = demo.server(name).health.since
    assert since is not None
    return datetime.fromisoformat(since).timestamp()


def test_one_nanny_is_enough_for_three_servers_and_the_status_names_it(demo: RunningDemo) -> None:
    (nanny,) = nannies(demo).values()
    engine = next(each for each in demo.status().processes if each.name == "lvs")
    assert nanny.pid != engine.pid
    assert nanny.does == "checks 3 real servers"


def test_nannies_killed_every_second_change_no_weight_and_no_state(demo: RunningDemo) -> None:
    since = {name: since_of(demo, name) for name in ("web1", "web2", "web3")}
    killed: set[int] = set()
    seen: list[tuple[str, HealthState, int | None]] = []
    oldest_s = 0.0
    second = threading.Event()
    ends_at = time.monotonic() + KILLS
    while len(killed) < KILLS or time.monotonic() < ends_at:
        for pid in nannies(demo):
            if pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        second.wait(1.0)
        for name in since:
            server = demo.server(name)
            seen.append((name, server.health.state, server.traffic.weight))
            oldest_s = max(oldest_s, server.health.source.age_s or 0.0)
            assert abs(since_of(demo, name) - since[name]) <= 1.0, "whole seconds are told"
    assert set(seen) == {(name, HealthState.UP, 1) for name in since}
    assert oldest_s < INTERVAL_S + 8.0, "no check is missed for longer than a restart"
    assert demo.get()[0] == 200
    until(lambda: nannies(demo) and not killed & set(nannies(demo)), 10.0, "another nanny is there")


def test_a_server_that_dies_while_nannies_die_is_seen(demo: RunningDemo) -> None:
    demo.command("demo", "stop", "web3")
    for pid in nannies(demo):
        os.kill(pid, signal.SIGKILL)
    until(lambda: demo.server("web3").health.state is HealthState.DOWN, 2 * INTERVAL_S + 4.0, "web3 is seen down")
    demo.command("demo", "start", "web3")
    until(lambda: demo.server("web3").health.state is HealthState.UP, 12.0, "web3 is back")


def apply(demo: RunningDemo, values: dict[str, str]) -> None:
    for path, value in values.items():
        done = demo.command("set", path, value)
        assert done.returncode == 0, done.stderr
    done = demo.command("apply")
    assert done.returncode == 0, done.stderr


def test_a_program_checks_real_servers(demo: RunningDemo) -> None:
    block = "virtual[demo]"
    apply(demo, {f"{block}.send_program": "/bin/echo %h %p", f"{block}.expect": "nobody"})
    until(lambda: demo.server("web1").health.state is HealthState.DOWN, 2 * INTERVAL_S + 4.0, "web1 is down")
    reason = demo.server("web1").health.reason
    port = demo.server("web1").port
    assert reason == f'the program answered "127.0.0.1 {port}"; expected "nobody"'
    apply(demo, {f"{block}.expect": f"127.0.0.1 {port}"})
    until(lambda: demo.server("web1").health.state is HealthState.UP, 14.0, "web1 is up")
    assert demo.server("web1").health.reason == f'the program answered "127.0.0.1 {port}"'
    others = {demo.server(name).health.state for name in ("web2", "web3")}
    assert others == {HealthState.DOWN}, "their ports are others"


def test_nothing_is_left_when_the_demo_ends(demo: RunningDemo) -> None:
    pids = list(nannies(demo))
    assert pids
    demo.stop()
    until(lambda: not any(is_there(pid) for pid in pids), 10.0, "they are gone")
