"""The balancer: cluster, health and overrides -> desired table; present table -> plan -> the data path.

Rule 1: one turn reads the table, computes what it should be, and takes the difference in steps. It keeps no memory
of what it did; a step that was refused is proposed again by the next turn.
Rule 2: there is one way into the table. A verdict, an override, an Apply change an input and wake the loop.
Rule 3: a refused step is said once and shown as long as it lasts; it never stops the balancer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from piranha.config.model import Address, Cluster, HostName, RealServer, RealServerKey, VirtualServer
from piranha.engine.guard import Turn
from piranha.engine.nanny import Nanny
from piranha.errors import StepRefused
from piranha.health.check import Check, check_of
from piranha.health.machine import Row, ServerHealth
from piranha.health.overrides import Override, weight_by_hand
from piranha.health.weight import Weighed, weigh
from piranha.ipvs.desired import Desired, configured, desired
from piranha.ipvs.drain import DRAIN_S, Draining, overdue, still_draining, what_drains
from piranha.ipvs.plan import guard, impact, plan, sentence
from piranha.ipvs.table import AddService, DataPath, Place, Reading, Step, Table, TableKey
from piranha.messages import PlannedStep
from piranha.status import HealthState
from piranha.system.names import resolve
from piranha.system.probes import Probed, probe

log = logging.getLogger("lvs")

TURN_S = 1.0

RESOLVE_AGAIN_S = 15.0
"""How often names that the resolver did not know are asked for again."""

FIRST_CHECKS_S = 30.0
"""How long an Apply waits for new real servers at most: nobody else can save or apply meanwhile."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything the status is made of, read in one moment (monotonic seconds)."""

    cluster: Cluster
    reading: Reading
    target: Desired
    weighed: Mapping[RealServerKey, Weighed]
    draining: tuple[Draining, ...]
    refused: Mapping[TableKey, str]
    read_at: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What switching to a cluster would do, and the guard's objection to it or None."""

    steps: tuple[PlannedStep, ...]
    objection: str | None


class Balancer:
    """Runs one cluster on one data path. `now` is monotonic seconds."""

    def __init__(
        self,
        path: DataPath,
        group: asyncio.TaskGroup,
        now: Callable[[], float],
        probe: Callable[[Check, Address], Awaitable[Probed]] = probe,
    ) -> None:
        self.path = path
        self.nanny = Nanny(group, self._hear, clock=now, probe=probe)
        self.cluster = Cluster()
        self.overrides: tuple[Override, ...] = ()
        self._now = now
        self._draining: tuple[Draining, ...] = ()
        self._resolved: Mapping[HostName, Address] = {}
        self._refused: dict[TableKey, str] = {}
        self._not_served: dict[TableKey, str] = {}
        self._turning = asyncio.Lock()
        self._woken = asyncio.Event()
        self._heard = asyncio.Event()

    async def run(self) -> None:
        """Take turns until cancelled: when woken, and at least every TURN_S seconds."""
        while True:
            try:
                async with asyncio.timeout(TURN_S):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            with Turn("A turn of the balancer"):
                await self.turn()

    async def keep_resolving(self) -> None:
        """Ask again for names without an address, until cancelled: the resolver may start later than we do."""
        while True:
            await asyncio.sleep(RESOLVE_AGAIN_S)
            with Turn("Asking for names again"):
                await self.resolve_missing()

    async def resolve_missing(self) -> None:
        """Ask the resolver once for the names of what runs that have no address; those found are used at once."""
        missing = _names(self.cluster) - self._resolved.keys()
        found = await resolve(missing) if missing else {}
        async with self._turning:
            found = {name: found[name] for name in found.keys() & _names(self.cluster)}
            if not found:
                return
            for name, address in found.items():
                log.info("The name %s is found now: %s", name, address)
            self._resolved = {**found, **self._resolved}
            self.nanny.watch(_checks(self.cluster), self._resolved)
        self._woken.set()

    async def turn(self) -> None:
        """Bring the table to what it should be."""
        async with self._turning:
            await self._turn()

    async def switch(self, cluster: Cluster, *, removes_at_once: bool = False) -> tuple[PlannedStep, ...]:
        """Run this cluster from now on; return the steps that were taken at once.

        Servers that left the configuration drain. Where nobody who is known to be up would be left in a virtual
        server that has traffic now, the first checks of its new servers are awaited (never longer than their limit):
        no client meets an empty service because of a reload.
        """
        resolved = {**self._resolved, **await resolve(_names(cluster))}
        await self._await_first_checks(cluster, resolved)
        async with self._turning:
            reading = await self.path.present()
            leaving = self._leaving(reading, cluster, resolved, removes_at_once)
            self._draining = self._with_new_drains(leaving)
            self.cluster = cluster
            self._resolved = {name: resolved[name] for name in _names(cluster) if name in resolved}
            self.nanny.watch(_checks(cluster), self._resolved)
            return self._told(await self._turn(), reading)

    async def preview(self, cluster: Cluster) -> Preview:
        """Return what `switch` would do now, if every new server passes its first check."""
        resolved = {**self._resolved, **await resolve(_names(cluster) - self._resolved.keys())}
        async with self._turning:
            reading = await self.path.present()
            drains = self._with_new_drains(self._leaving(reading, cluster, resolved, removes_at_once=False))
            drains, _ = still_draining(drains, reading, self._now(), configured(cluster, resolved))
            target = desired(cluster, self._weighed(cluster, is_hopeful=True), resolved, drains)
            steps = plan(reading.table, target.table)
            return Preview(self._told(steps, reading, drains), guard(reading.table, target.table))

    async def view(self) -> View:
        """Return everything that the status is made of."""
        async with self._turning:
            reading = await self.path.present()
            weighed = self._weighed(self.cluster)
            target = desired(self.cluster, weighed, self._resolved, self._draining)
            refused = {**self._refused, **reading.refused}
            return View(self.cluster, reading, target, weighed, self._draining, refused, self._now())

    def _hear(self, key: RealServerKey, health: ServerHealth, row: Row | None) -> None:
        self._heard.set()
        if row is not None:
            self._woken.set()

    async def _turn(self) -> tuple[Step, ...]:
        reading = await self.path.present()
        now = self._now()
        here = configured(self.cluster, self._resolved)
        self._draining, ended = still_draining(self._draining, reading, now, here)
        target = desired(self.cluster, self._weighed(self.cluster), self._resolved, self._draining)
        self._tell_not_served(reading)
        return await self._take(plan(reading.table, target.table, overdue(ended, now)), target.table)

    def _tell_not_served(self, reading: Reading) -> None:
        """Log once what the data path does not serve, and when it does."""
        for key, reason in reading.refused.items():
            if self._not_served.get(key) != reason:
                log.error("%s", reason)
        for key in self._not_served.keys() - reading.refused.keys():
            if key in reading.table:
                log.info("%s is served now.", key.words)
        self._not_served = dict(reading.refused)

    async def _take(self, steps: tuple[Step, ...], wanted: Table) -> tuple[Step, ...]:
        taken: list[Step] = []
        refused: dict[TableKey, str] = {}
        not_there: set[TableKey] = set()
        for step in steps:
            if step.key in not_there:
                continue
            try:
                await self.path.apply(step)
            except StepRefused as refusal:
                if self._refused.get(step.key) != str(refusal):
                    log.error("%s", refusal)
                refused.setdefault(step.key, str(refusal))
                if isinstance(step, AddService):
                    not_there.add(step.key)
            else:
                log.debug("%s", sentence(step))
                taken.append(step)
        self._refused = {key: reason for key, reason in refused.items() if key in wanted}
        return tuple(taken)

    def _leaving(
        self, reading: Reading, cluster: Cluster, resolved: Mapping[HostName, Address], removes_at_once: bool
    ) -> tuple[Draining, ...]:
        return what_drains(
            reading,
            before=configured(self.cluster, self._resolved),
            after=configured(cluster, resolved),
            now=self._now(),
            removes_at_once=removes_at_once,
        )

    def _with_new_drains(self, leaving: tuple[Draining, ...]) -> tuple[Draining, ...]:
        new = {drain.place for drain in leaving}
        return (*leaving, *(drain for drain in self._draining if drain.place not in new))

    def _weighed(self, cluster: Cluster, *, is_hopeful: bool = False) -> dict[RealServerKey, Weighed]:
        """Return the weight of every active server. `is_hopeful`: those not checked yet count as up."""
        found: dict[RealServerKey, Weighed] = {}
        for virtual, server, key in active_servers(cluster):
            by_hand = weight_by_hand(key, self.overrides)
            if is_hopeful and not self._is_known(key) and isinstance(check_of(virtual, server), Check):
                found[key] = Weighed(server.weight if by_hand is None else by_hand, True, "not checked yet")
            else:
                found[key] = weigh(server, self.nanny.healths.get(key), virtual.quiesces, by_hand)
        return found

    async def _await_first_checks(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> None:
        awaited = await self._needed_first(cluster, resolved)
        if not awaited:
            return
        checks = _checks(cluster)
        self.nanny.watch({**checks, **_checks(self.cluster)}, resolved)
        limit_s = min(FIRST_CHECKS_S, max(checks[key].limit_s for key in awaited))
        try:
            async with asyncio.timeout(limit_s):
                while not all(self._is_known(key) for key in awaited):
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            log.warning("The first checks of new real servers took longer than %g s.", limit_s)

    async def _needed_first(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> frozenset[RealServerKey]:
        """Return the new servers that alone would serve where there is traffic now."""
        weighed = self._weighed(cluster)
        present = (await self.path.present()).table
        serving = {key for key, entry in present.items() if any(each.weight for each in entry.destinations.values())}
        servers_of: dict[TableKey, set[RealServerKey]] = {}
        links: Mapping[RealServerKey, Place] = desired(cluster, {}, resolved).links
        for real_key, (table_key, _) in links.items():
            servers_of.setdefault(table_key, set()).add(real_key)
        checked = _checks(cluster).keys()
        return frozenset(
            key
            for table_key in serving & servers_of.keys()
            if not any(weighed[each].weight for each in servers_of[table_key])
            for key in servers_of[table_key]
            if key in checked and not self._is_known(key)
        )

    def _is_known(self, key: RealServerKey) -> bool:
        health = self.nanny.healths.get(key)
        return health is not None and health.state is not HealthState.UNKNOWN

    def _told(
        self, steps: tuple[Step, ...], reading: Reading, draining: tuple[Draining, ...] | None = None
    ) -> tuple[PlannedStep, ...]:
        places = [drain.place for drain in (self._draining if draining is None else draining)]
        return tuple(PlannedStep(sentence(step), impact(step, reading, DRAIN_S, places)) for step in steps)


def active_servers(cluster: Cluster) -> Iterator[tuple[VirtualServer, RealServer, RealServerKey]]:
    """Yield the real servers that are in force, each with its virtual server and its key."""
    for virtual in cluster.active_virtual_servers:
        service = virtual.key
        if service is None:
            continue
        for server in virtual.servers:
            if server.is_active and server.address is not None:
                yield virtual, server, RealServerKey(service, server.address, server.port)


def _names(cluster: Cluster) -> set[HostName]:
    hosts = [virtual.address.host for virtual in cluster.active_virtual_servers if virtual.address is not None]
    hosts += [key.address for _, _, key in active_servers(cluster)]
    return {HostName(host) for host in hosts if isinstance(host, str)}


def _checks(cluster: Cluster) -> dict[RealServerKey, Check]:
    found: dict[RealServerKey, Check] = {}
    for virtual, server, key in active_servers(cluster):
        check = check_of(virtual, server)
        if isinstance(check, Check):
            found.setdefault(key, check)
    return found
