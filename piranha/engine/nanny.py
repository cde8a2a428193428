"""The health of every real server: what the checks say, put through `health.machine`.

The checks are made elsewhere (`piranha.nanny`): in this process, or in workers without privileges. What they find comes
here, and nothing is decided between one verdict and the next. Whoever made the Nanny hears of each.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from itertools import count
from types import MappingProxyType

from piranha.config.model import Address, Host, HostName, RealServerKey
from piranha.guard import Turn
from piranha.health.check import Check
from piranha.health.machine import Row, ServerHealth, log_line, step, unheard
from piranha.nanny.rounds import Later, Order, Outcome, Rounds, Runner, slots_here
from piranha.status import HealthState
from piranha.system.probes import Probed, probe

log = logging.getLogger("piranha.nanny")

PART_HERE = 0.5
"""Of this process's descriptors, for checks made here: its clients, its files and the API need the others."""

OnChange = Callable[[RealServerKey, ServerHealth, Row | None], None]
"""Told after every check; the row only if the state changed."""


class Nanny:
    """The checks of what runs. Made inside a TaskGroup that owns those made in this process.

    `clock` is monotonic seconds, `later` the loop's timer, `probe` does one check; tests bring their own. `on_news` is
    told of each change of a state, with the check, the row, and what the check found.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        on_change: OnChange,
        *,
        probe: Callable[[Check, Address], Awaitable[Probed]] = probe,
        clock: Callable[[], float] = time.monotonic,
        later: Later | None = None,
    ) -> None:
        self._on_change = on_change
        self.on_news: Callable[[Check, Row, str], None] = lambda check, row, reason: None
        self._clock = clock
        self._runner: Runner = Rounds(
            group, self.hear, slots=slots_here(PART_HERE), probe=probe, clock=clock, later=later
        )
        self._checks: dict[RealServerKey, Check] = {}
        self._healths: dict[RealServerKey, ServerHealth] = {}
        self._probes: dict[RealServerKey, Probed] = {}
        self._numbers: dict[RealServerKey, int] = {}
        self._keys: dict[int, RealServerKey] = {}
        self._next = count(1)
        self._resolved: Mapping[HostName, Address] = MappingProxyType({})

    @property
    def checks(self) -> Mapping[RealServerKey, Check]:
        """Return the checks that run, as they are now and will be."""
        return MappingProxyType(self._checks)

    @property
    def healths(self) -> Mapping[RealServerKey, ServerHealth]:
        """Return the health of every server that is watched, as it is now and will be."""
        return MappingProxyType(self._healths)

    @property
    def probes(self) -> Mapping[RealServerKey, Probed]:
        """Return what the last check of each server did; a server without one has not been checked yet."""
        return MappingProxyType(self._probes)

    @property
    def staff(self) -> Mapping[int, int]:
        """Return the processes that make the checks, each with how many it makes."""
        return self._runner.staff

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return why checks are not made, in sentences."""
        return self._runner.troubles

    def employ(self, runner: Runner) -> None:
        """Have the checks made elsewhere from now on; to be said before there are any."""
        assert not self._numbers, "what is watched already would be checked twice"
        self._runner = runner

    def watch(
        self,
        checks: Mapping[RealServerKey, Check],
        resolved: Mapping[HostName, Address] = MappingProxyType({}),
        in_table: Collection[RealServerKey] = (),
    ) -> None:
        """Run exactly these checks from now on.

        An equal check goes on undisturbed; a changed one, or one whose name has another address now, begins anew
        at once and keeps its health until its next verdict; one that is gone stops, and its health is forgotten.
        `resolved` has the addresses of host names; a server whose name is not in it keeps its health and is not
        checked. `in_table`: servers that a former engine put into the table; so they have been up.
        """
        moved = {name for name, _ in resolved.items() ^ self._resolved.items()}
        self._resolved = dict(resolved)
        dropped: list[int] = []
        orders: list[Order] = []
        for key in self._checks.keys() - checks.keys():
            dropped += self._forget(key)
            del self._checks[key], self._healths[key]
            self._probes.pop(key, None)
        for key, check in checks.items():
            if self._checks.get(key) == check and check.address not in moved:
                continue
            dropped += self._forget(key)
            self._checks[key] = check
            self._healths.setdefault(key, unheard(self._clock()))
            orders += self._ordered(key, check)
        self._runner.drop(dropped)
        self._runner.order(orders)
        for key in self._healths.keys() & set(in_table):
            if self._healths[key].state is HealthState.UNKNOWN:
                self._healths[key] = replace(self._healths[key], was_up=True)

    def stop(self) -> None:
        """Stop all checks."""
        self.watch({})

    def hear(self, outcome: Outcome) -> None:
        """Take what came of a check. One that is dropped meanwhile says nothing any more."""
        key = self._keys.get(outcome.number)
        if key is None:
            return
        if outcome.probed is None:
            self._not_checked(key, outcome.trouble)
            return
        with Turn("What the check of a real server found"):
            self._take(key, outcome.probed)

    def _take(self, key: RealServerKey, probed: Probed) -> None:
        check = self._checks[key]
        self._probes[key] = probed
        health, row = step(self._healths[key], probed.verdict, check, self._clock())
        self._healths[key] = health
        if row.is_change:
            log.info("%s", log_line(row, check, health.reason))
            self.on_news(check, row, health.reason)
        self._on_change(key, health, row if row.is_change else None)

    def _forget(self, key: RealServerKey) -> list[int]:
        number = self._numbers.pop(key, None)
        if number is None:
            return []
        del self._keys[number]
        return [number]

    def _ordered(self, key: RealServerKey, check: Check) -> list[Order]:
        """Return the order of a check; none where its name has no address."""
        address = self._address(check.address)
        if address is None:
            self._not_checked(key, f"the name {check.address} has no address")
            return []
        number = self._numbers[key] = next(self._next)
        self._keys[number] = key
        return [Order(number, check, address)]

    def _address(self, host: Host) -> Address | None:
        return self._resolved.get(host) if isinstance(host, str) else host

    def _not_checked(self, key: RealServerKey, trouble: str) -> None:
        reason = f"not checked: {trouble}"
        if self._healths[key].reason != reason:
            log.warning("%s is %s", key, reason)
        self._healths[key] = replace(self._healths[key], reason=reason)
