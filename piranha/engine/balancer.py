"""The balancer: cluster, health and overrides -> desired table; present table -> plan -> the data path.

Rule 1: one turn reads the table, computes what it should be, and takes the difference in steps. It keeps no memory
of what it did; a step that was refused is proposed again by the next turn.
Rule 2: there is one way into the table. A verdict, an override, an Apply change an input and wake the loop.
Rule 3: a refused step is said once and shown as long as it lasts; it never stops the balancer.
Rule 4: in a table that others use too only what is ours is touched (`ipvs.ownership`), and it outlives this process: an
engine that starts takes it over as it is, and only an operator's stop takes it away (`withdraw`).
Rule 5: at an activation the table comes first and the addresses follow, each when its virtual server can serve or every
check has had its say; a passive router gives up its addresses first and its table then.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from piranha.config.model import Address, Cluster, HostName, RealServerKey
from piranha.engine.guard import Turn
from piranha.engine.nanny import Nanny
from piranha.engine.role import ACTIVE, Standing, has_backup
from piranha.engine.servers import active_servers, checks_of, in_table, names_of, needed_first
from piranha.engine.settled import Settled
from piranha.engine.table_store import TableStore
from piranha.engine.view import Preview
from piranha.engine.view import View as View
from piranha.health.check import Check, check_of
from piranha.health.machine import Row, ServerHealth
from piranha.health.overrides import Override, weight_by_hand
from piranha.health.weight import Weighed, weigh
from piranha.ipvs.desired import Desired, configured, desired, with_late_marks
from piranha.ipvs.drain import DRAIN_S, SETTLE_S, Draining, overdue, still_draining, what_drains
from piranha.ipvs.ownership import NOTHING, Owned, claimed, named, sparing, touchable
from piranha.ipvs.plan import guard, impact, plan, sentence
from piranha.ipvs.table import DataPath, Place, Reading, Step, Table, TableKey
from piranha.messages import PlannedStep
from piranha.status import HealthState
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.names import resolve
from piranha.system.probes import Probed, probe

log = logging.getLogger("lvs")

TURN_S = 1.0

RESOLVE_AGAIN_S = 15.0
"""How often names that the resolver did not know are asked for again."""

FIRST_CHECKS_S = 30.0
"""How long an Apply waits for new real servers at most: nobody else can save or apply meanwhile."""


Follow = Callable[[Cluster, Mapping[HostName, Address]], Awaitable[None]]
_UNREAD = Reading({}, {})


class Balancer:
    """Runs one cluster on one data path. `now` is monotonic seconds.

    `store` is the memory of a table that is shared with others. `standing_in` says whether this router is active in a
    cluster. `after_turn` gets, after each turn, the cluster whose addresses this router should carry: an empty one
    while it is passive, and none of the virtual servers that wait for their first checks.
    """

    def __init__(
        self,
        path: DataPath,
        group: asyncio.TaskGroup,
        now: Callable[[], float],
        probe: Callable[[Check, Address], Awaitable[Probed]] = probe,
        *,
        store: TableStore | None = None,
        standing_in: Callable[[Cluster, Mapping[HostName, Address]], Standing] = lambda cluster, resolved: ACTIVE,
        after_turn: Follow | None = None,
    ) -> None:
        self.path = path
        self.standing = ACTIVE
        self.nanny = Nanny(group, self._hear, clock=now, probe=probe)
        self.cluster = Cluster()
        self.overrides: tuple[Override, ...] = ()
        self._now = now
        self._store = store if store is not None else TableStore()
        self._standing_in = standing_in
        self._after_turn = after_turn
        self._trouble = ""
        self._draining: tuple[Draining, ...] = self._store.memory.draining
        self._settled = Settled()
        self._resolved: Mapping[HostName, Address] = dict(self._store.memory.names)
        self._begun = asyncio.Event()
        self._refused: dict[TableKey, str] = {}
        self._not_served: dict[TableKey, str] = {}
        self._turning = asyncio.Lock()
        self._woken = asyncio.Event()
        self._heard = asyncio.Event()

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what an administrator should know of the table as a whole, in sentences."""
        return tuple(each for each in (self.standing.reason, self._trouble, self._store.trouble) if each)

    @property
    def draining_addresses(self) -> frozenset[Address]:
        """Return the addresses of services that this router still serves for the connections they have."""
        keys = (drain.key for drain in self._draining) if self.standing.is_active else ()
        return frozenset(key.address for key in keys if key.address is not None)

    async def run(self) -> None:
        """Take turns until cancelled: when woken, and at least every TURN_S seconds.

        The first comes when it is known what runs: until then a table that was found stays as it is.
        """
        await self._begun.wait()
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
        missing = self._names(self.cluster) - self._resolved.keys()
        found = await resolve(missing) if missing else {}
        async with self._turning:
            found = {name: found[name] for name in found.keys() & self._names(self.cluster)}
            if not found:
                return
            for name, address in found.items():
                log.info("The name %s is found now: %s", name, address)
            self._resolved = {**found, **self._resolved}
            self.nanny.watch(checks_of(self.cluster), self._resolved)
        self._woken.set()

    async def turn(self) -> None:
        """Bring the table to what it should be, once it is known what runs."""
        async with self._turning:
            if self._begun.is_set():
                await self._turn()

    def begin(self) -> None:
        """Take turns without a cluster: nothing runs, and what a former engine left may go."""
        self._begun.set()

    async def switch(self, cluster: Cluster, *, removes_at_once: bool = False) -> tuple[PlannedStep, ...]:
        """Run this cluster from now on; return the steps that were taken at once.

        Servers that left the configuration drain. Where nobody who is known to be up would be left in a virtual
        server that has traffic now, the first checks of its new servers are awaited (never longer than their limit):
        no client meets an empty service because of a reload.
        """
        names = self._names(cluster)
        resolved = {**self._resolved, **await resolve(names)}
        await self._await_first_checks(cluster, resolved)
        async with self._turning:
            # A table that cannot be read now is brought to what it should be as soon as it can be.
            reading = await self._read() or _UNREAD
            self._draining = self._with_new_drains(self._leaving(reading, cluster, resolved, removes_at_once))
            self.cluster = cluster
            self._begun.set()
            self._resolved = {name: resolved[name] for name in names if name in resolved}
            self._settled.begin(self._now() + FIRST_CHECKS_S)
            self.nanny.watch(checks_of(cluster), self._resolved, in_table(cluster, resolved, reading.table))
            return self._told(await self._turn(), reading)

    async def preview(self, cluster: Cluster) -> Preview:
        """Return what `switch` would do now, if every new server passes its first check.

        Raises KernelUnavailable where the table cannot be read.
        """
        resolved = {**self._resolved, **await resolve(self._names(cluster) - self._resolved.keys())}
        async with self._turning:
            reading = await self.path.present()
            standing = self._standing_in(cluster, resolved)
            drains = self._with_new_drains(self._leaving(reading, cluster, resolved, removes_at_once=False))
            drains, _ = still_draining(drains, reading, self._now(), configured(cluster, resolved))
            weighed = self._weighed(cluster, is_hopeful=True)
            target = self._target(cluster, weighed, resolved, drains, reading, standing)
            owned = self._owned(reading, target, configured(cluster, resolved), drains, standing)
            mine = touchable(reading.table, owned)
            steps = self._steps(reading, target, owned)
            return Preview(self._told(steps, reading, drains), guard(mine, target.table))

    async def view(self) -> View:
        """Return everything that the status is made of."""
        async with self._turning:
            reading = await self._read() or _UNREAD
            weighed = self._weighed(self.cluster)
            target = self._target(self.cluster, weighed, self._resolved, self._draining, reading, self.standing)
            here = configured(self.cluster, self._resolved)
            owned = self._owned(reading, target, here, self._draining, self.standing)
            return View(
                self.cluster,
                reading,
                target,
                weighed,
                self._draining,
                {**self._refused, **reading.refused},
                self._now(),
                touchable(reading.table, owned),
                self.standing,
                self._trouble,
            )

    async def withdraw(self) -> None:
        """Take what is ours out of a shared table, as an operator's stop does; what is foreign stays."""
        async with self._turning:
            reading = await self._read()
            if reading is None:
                return
            owned = claimed(self._store.memory.owned, NOTHING, reading.table)
            steps = plan(touchable(reading.table, owned), {})
            await self._take(sparing(steps, reading.table, owned), {})
            self._draining = ()
            left = await self._read() or reading
            await self._store.keep(owned=claimed(owned, NOTHING, left.table), draining=())

    def _hear(self, key: RealServerKey, health: ServerHealth, row: Row | None) -> None:
        self._heard.set()
        if row is not None:
            self._woken.set()

    async def _read(self) -> Reading | None:
        """Return the present table; None if it cannot be had now, which is said once."""
        try:
            reading = await self.path.present()
        except KernelUnavailable as unavailable:
            if str(unavailable) != self._trouble:
                log.error("%s", unavailable)
            self._trouble = str(unavailable)
            return None
        if self._trouble:
            log.info("The table can be read again.")
        self._trouble = ""
        return reading

    async def _turn(self) -> tuple[Step, ...]:
        reading = await self._read()
        if reading is None:
            return ()
        now = self._now()
        standing = self._stand()
        here = configured(self.cluster, self._resolved)
        self._draining, ended = still_draining(self._draining, reading, now, here)
        weighed = self._weighed(self.cluster)
        target = self._target(self.cluster, weighed, self._resolved, self._draining, reading, standing)
        # Now, with the healths that the target was reckoned from: a verdict that comes meanwhile is not in the table.
        carried = self._settled.carried(self.cluster, target, self.nanny.healths, now)
        self._tell_not_served(reading)
        if not standing.is_active:
            await self._follow(Cluster())
        owned = self._owned(reading, target, here, self._draining, standing)
        if self.path.shares:
            await self._store.keep(owned=owned, draining=self._draining, names=self._resolved)
        taken = await self._take(self._steps(reading, target, owned, overdue(ended, now)), target.table)
        if standing.is_active:
            # Addresses behind the table: a client that finds one finds the virtual server too.
            await self._follow(carried)
        return taken

    async def _follow(self, carried: Cluster | None) -> None:
        if self._after_turn is not None and carried is not None:
            await self._after_turn(carried, self._resolved)

    def _stand(self) -> Standing:
        standing = self._standing_in(self.cluster, self._resolved)
        if standing != self.standing:
            log.warning("%s", standing.reason or "This router becomes active.")
        self.standing = standing
        return standing

    def _target(
        self,
        cluster: Cluster,
        weighed: Mapping[RealServerKey, Weighed],
        resolved: Mapping[HostName, Address],
        draining: tuple[Draining, ...],
        reading: Reading,
        standing: Standing,
    ) -> Desired:
        unheard = {key for key, health in self.nanny.healths.items() if health.state is HealthState.UNKNOWN}
        target = desired(cluster, weighed, resolved, draining, reading.table, unheard)
        if not standing.is_active:
            return replace(target, table={})
        return with_late_marks(target, reading.table)

    def _owned(
        self,
        reading: Reading,
        target: Desired,
        here: frozenset[Place],
        draining: tuple[Draining, ...],
        standing: Standing,
    ) -> Owned:
        """Return what steps may touch: everything in a table of our own."""
        if not self.path.shares:
            every = frozenset((key, each) for key, entry in reading.table.items() for each in entry.destinations)
            return Owned(frozenset(reading.table), every)
        now_named = named(target.services.values(), here, draining) if standing.is_active else NOTHING
        return claimed(self._store.memory.owned, now_named, reading.table)

    def _steps(
        self, reading: Reading, target: Desired, owned: Owned, ending: frozenset[Place] = frozenset()
    ) -> tuple[Step, ...]:
        steps = plan(touchable(reading.table, owned), target.table, ending, newest_first=self.path.shares)
        return sparing(steps, reading.table, owned)

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
        for step, refusal in zip(steps, await self.path.apply_many(steps) if steps else (), strict=True):
            if refusal is None:
                log.debug("%s", sentence(step))
                taken.append(step)
            else:
                # The first of a service says why: without the service its real servers are refused too.
                refused.setdefault(step.key, str(refusal))
        for reason in dict.fromkeys(refused.values()):
            if reason not in self._refused.values():
                log.error("%s", reason)
        self._refused = {key: reason for key, reason in refused.items() if key in wanted}
        return tuple(taken)

    def _leaving(
        self, reading: Reading, cluster: Cluster, resolved: Mapping[HostName, Address], removes_at_once: bool
    ) -> tuple[Draining, ...]:
        # What a former engine left and does not drain yet is on its way out too.
        left = self._store.memory.owned.places - {drain.place for drain in self._draining}
        return what_drains(
            reading,
            before=configured(self.cluster, self._resolved) | left,
            after=configured(cluster, resolved),
            now=self._now(),
            removes_at_once=removes_at_once,
            settle_s=SETTLE_S if self.path.shares else 0.0,
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
        present = (await self._read() or _UNREAD).table
        awaited = needed_first(cluster, resolved, self._weighed(cluster), present, self._is_known)
        if not awaited:
            return
        checks = checks_of(cluster)
        self.nanny.watch({**checks, **checks_of(self.cluster)}, resolved)
        limit_s = min(FIRST_CHECKS_S, max(checks[key].limit_s for key in awaited))
        try:
            async with asyncio.timeout(limit_s):
                while not all(self._is_known(key) for key in awaited):
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            log.warning("The first checks of new real servers took longer than %g s.", limit_s)

    def _is_known(self, key: RealServerKey) -> bool:
        health = self.nanny.healths.get(key)
        return health is not None and health.state is not HealthState.UNKNOWN

    def _names(self, cluster: Cluster) -> set[HostName]:
        routers = (cluster.primary, cluster.backup) if self.path.shares and has_backup(cluster) else ()
        return names_of(cluster) | {HostName(host) for host in routers if isinstance(host, str)}

    def _told(
        self, steps: tuple[Step, ...], reading: Reading, draining: tuple[Draining, ...] | None = None
    ) -> tuple[PlannedStep, ...]:
        places = [drain.place for drain in (self._draining if draining is None else draining)]
        return tuple(PlannedStep(sentence(step), impact(step, reading, DRAIN_S, places)) for step in steps)
