"""Run the checks: one task for each, on a fixed rhythm, each alone with its troubles.

A check that begins at t begins again at t + interval, and its limit ends it before that, so checks of one
server never overlap. Between one and the next nothing is decided: verdicts go through `health.machine`, and
whoever made the Nanny hears of each.
"""

import asyncio
import logging
import time
import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from piranha.config.model import Address, Host, HostName, RealServerKey
from piranha.guard import Turn
from piranha.health.check import Check
from piranha.health.machine import Row, ServerHealth, log_line, step, unheard
from piranha.status import HealthState
from piranha.system.probes import CannotCheck, Probed, probe

log = logging.getLogger("piranha.nanny")

SPREAD = 0.1
"""The first pause is shorter by up to this part of the interval: checks begun together drift apart."""

STALL_S = 1.0
"""A check that took this much longer than its limit shows that this router stood still, not the server."""

OnChange = Callable[[RealServerKey, ServerHealth, Row | None], None]
"""Told after every check; the row only if the state changed."""


class Nanny:
    """The checks of what runs. Made inside a TaskGroup that owns its tasks.

    `clock` is monotonic seconds, `pause` waits for seconds, `probe` does one check; tests bring their own. `on_news` is
    told of each change of a state, with the check, the row, and what the check found.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        on_change: OnChange,
        *,
        probe: Callable[[Check, Address], Awaitable[Probed]] = probe,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._group = group
        self._on_change = on_change
        self.on_news: Callable[[Check, Row, str], None] = lambda check, row, reason: None
        self._probe = probe
        self._clock = clock
        self._pause = pause
        self._checks: dict[RealServerKey, Check] = {}
        self._healths: dict[RealServerKey, ServerHealth] = {}
        self._probes: dict[RealServerKey, Probed] = {}
        self._tasks: dict[RealServerKey, asyncio.Task[None]] = {}
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
        for key in self._checks.keys() - checks.keys():
            self._tasks.pop(key).cancel()
            del self._checks[key], self._healths[key]
            self._probes.pop(key, None)
        for key, check in checks.items():
            if self._checks.get(key) == check and check.address not in moved:
                continue
            if key in self._tasks:
                self._tasks[key].cancel()
            self._checks[key] = check
            self._healths.setdefault(key, unheard(self._clock()))
            self._tasks[key] = self._group.create_task(self._run(check), name=f"nanny {key}")
        for key in self._healths.keys() & set(in_table):
            if self._healths[key].state is HealthState.UNKNOWN:
                self._healths[key] = replace(self._healths[key], was_up=True)

    def stop(self) -> None:
        """Stop all checks."""
        self.watch({})

    async def _run(self, check: Check) -> None:
        spread_s = check.interval_s * SPREAD * (zlib.crc32(str(check.key).encode()) / 2**32)
        while True:
            began = self._clock()
            with Turn(f"The check of {check.key}") as turn:
                try:
                    await self._turn(check)
                except CannotCheck as trouble:
                    self._not_checked(check.key, str(trouble))
            if turn.has_failed:
                self._not_checked(check.key, "the check failed by itself; the log has more")
            await self._pause(max(0.0, began + check.interval_s - spread_s - self._clock()))
            spread_s = 0.0

    async def _turn(self, check: Check) -> None:
        key, address = check.key, self._address(check.address)
        probed = await self._probe(check, address)
        if not probed.verdict.is_good and probed.took_s > check.limit_s + STALL_S:
            log.warning("The check of %s took %.1f s: this router stood still. It is repeated.", key, probed.took_s)
            probed = await self._probe(check, address)
        self._probes[key] = probed
        health, row = step(self._healths[key], probed.verdict, check, self._clock())
        self._healths[key] = health
        if row.is_change:
            log.info("%s", log_line(row, check, health.reason))
            self.on_news(check, row, health.reason)
        self._on_change(key, health, row if row.is_change else None)

    def _address(self, host: Host) -> Address:
        if not isinstance(host, str):
            return host
        address = self._resolved.get(host)
        if address is None:
            raise CannotCheck(f"the name {host} has no address")
        return address

    def _not_checked(self, key: RealServerKey, trouble: str) -> None:
        reason = f"not checked: {trouble}"
        if self._healths[key].reason != reason:
            log.warning("%s is %s", key, reason)
        self._healths[key] = replace(self._healths[key], reason=reason)
