"""Two routers that are one pair, started together: with a shared key, connection sync, and commands that tell of it."""

import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from piranha.monitoring import FailoverCommand
from piranha.system import heartbeat_key
from tests.lab.running_router import RunningRouter, asked, connected, until
from tests.lab.test_engine import VIP
from tests.lab.test_pair import Pair, cut_off, is_active, switch_on, told
from tests.lab.test_sync import carries, pair
from tests.lab.topology import Host, Topology

__all__ = ["Pair", "carries", "cut_off", "is_active", "switch_on", "told"]

START_S = 40.0
HOOK = Path("/usr/local/sbin/piranha-lab-hook")
"""Root's alone, as a program of lvs.cf has to be; in the lab this folder is a layer in memory."""
RUNS = Path("/run/piranha-lab-hooks")


def text_of(lab: Topology, *blocks: str, swapped: bool = False) -> str:
    """Return an lvs.cf for both routers with these virtual servers. `swapped`: lvs2 is the primary."""
    hosts = (lab["lvs2"], lab["lvs1"]) if swapped else (lab["lvs1"], lab["lvs2"])
    head = pair(*hosts).partition("virtual ")[0]
    return f'{head}active_cmd = "{HOOK} active"\ninactive_cmd = "{HOOK} inactive"\n{"".join(blocks)}'


def times(keepalive_s: float, deadtime_s: float, more: str = 'failback = "never"\n') -> str:
    """Return a piranha.toml."""
    return f"[failover]\nkeepalive = {keepalive_s}\ndeadtime = {deadtime_s}\n{more}"


def make_hook() -> None:
    """Have a program that writes down whose it is, and with what word it was run."""
    HOOK.write_text(f'#!/bin/busybox sh\necho "$PPID $1" >> {RUNS}\n')
    HOOK.chmod(0o755)
    RUNS.write_text("")


def hook_runs(router: RunningRouter) -> list[str]:
    """Return with which words the pulse that runs has run its commands."""
    assert router.process is not None
    lines = [line.split() for line in RUNS.read_text().splitlines()]
    return [word for pid, word in lines if int(pid) == router.process.pid]


def routers_of(lab: Topology, folder: Path, text: str, toml: str) -> Pair:
    """Return the primary and the backup, with what they read, not started."""
    found = RunningRouter(lab["lvs1"], folder / "lvs1"), RunningRouter(lab["lvs2"], folder / "lvs2")
    key = heartbeat_key.fresh()
    for each in found:
        each.write(text)
        each.paths.piranha_toml.write_text(toml)
        heartbeat_key.write(each.paths, [key])
    make_hook()
    return found


@contextlib.contextmanager
def running(routers: Pair) -> Iterator[Pair]:
    """Have both run during the block: the primary is active, the backup ready.

    Behind it their logs are printed, for pytest to show where something failed; elsewhere only if something did.
    """
    has_failed = True
    try:
        for each in routers:  # the primary first: a backup that hears nobody for deadtime is active
            each.launch()
            until(each.is_there, START_S, "the engine answers")
        has_roles(routers)
        yield routers
        has_failed = False
    finally:
        stop(routers)
        if has_failed or "PYTEST_CURRENT_TEST" in os.environ:
            print("\n".join(each.said() for each in routers))
    for each in routers:
        assert "Traceback" not in each.said()


def in_step(active: RunningRouter, passive: RunningRouter) -> bool:
    """Say whether both run the same, have checked whom it names, and are what they are called."""
    if not (has_checked(active) and has_checked(passive)):
        return False
    partners = told(active).partner, told(passive).partner
    is_known = all(each is not None and each.is_ready and each.has_same_config for each in partners)
    return is_known and (told(active).state, told(passive).state) == ("active", "passive")


def has_checked(router: RunningRouter) -> bool:
    """Say whether every real server of lvs.cf is up; those that left it and drain are not checked."""
    shown = router.status().virtual_servers
    return bool(shown) and all(server.health.state == "up" for each in shown for server in each.servers if server.path)


def has_roles(routers: Pair) -> None:
    """Wait until the first is active and the second ready."""
    until(lambda: carries(routers[0].host), START_S, "the first router is active")
    until(lambda: in_step(*routers), START_S, "both have checked everybody and know each other")


def stop(routers: Sequence[RunningRouter]) -> None:
    """Stop what runs, and have the machines as they are after a boot."""
    for each in routers:
        if each.process is not None and each.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                for pid in each.pids("lvs"):
                    os.kill(pid, signal.SIGCONT)
            each.end(signal.SIGTERM)
        for pid in each.pids("lvs"):  # one whose pulse was killed
            os.kill(pid, signal.SIGKILL)
        switch_on(each)


def swap(routers: Pair) -> Pair:
    """Hand the addresses over; return the active router and the passive one."""
    here, there = routers
    until(lambda: here.client.failover(FailoverCommand.HAND_OVER).done, START_S, "the partner is ready")
    until(lambda: is_active(there), START_S, "the partner is active")
    until(lambda: told(here).state == "passive", START_S, "the first one is passive")
    return there, here


class Talk(threading.Thread):
    """A client with one connection that asks every 100 ms.

    `port` is its own; `names`: who answered; `answered_at`: when (monotonic); `failure`: why it ended, or "".
    """

    def __init__(self, client: Host, port: int) -> None:
        super().__init__(name="talk")
        self._connection = connected(client, VIP, port)
        self._connection.settimeout(25)
        self.port: int = self._connection.getsockname()[1]
        self.names: set[str] = set()
        self.answered_at: list[float] = []
        self.failure = ""
        self._over = threading.Event()

    def run(self) -> None:
        try:
            while not self._over.wait(0.1):
                self.names.add(asked(self._connection))
                self.answered_at.append(time.monotonic())
        except OSError as failure:
            self.failure = repr(failure)

    @property
    def stall_s(self) -> float:
        """Return the longest time between two answers."""
        times = self.answered_at
        return max(after - before for before, after in itertools.pairwise(times))

    def end(self) -> None:
        """Ask no more."""
        self._over.set()
        self.join()
        self._connection.close()
