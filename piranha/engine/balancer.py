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
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from piranha.config.model import Address, Cluster, HostName, RealServerKey
from piranha.engine.nanny import Nanny
from piranha.engine.reckoned import Reckoned
from piranha.engine.refusals import Refusals
from piranha.engine.role import ACTIVE, Standing, router_names_of
from piranha.engine.servers import in_table, names_of
from piranha.engine.settled import Settled
from piranha.engine.table_reader import TableReader
from piranha.engine.table_share import TableShare
from piranha.engine.table_store import TableStore
from piranha.engine.view import Preview, told_steps
from piranha.engine.view import View as View
from piranha.engine.weighing import Weighing
from piranha.guard import Turn
from piranha.health.check import Check
from piranha.health.machine import Row, ServerHealth
from piranha.health.overrides import Override
from piranha.health.weight import Weighed
from piranha.ipvs.desired import Desired, configured, desired
from piranha.ipvs.drain import Draining, joined, overdue, still_draining
from piranha.ipvs.ownership import NOTHING, Owned, claimed, sparing, touchable
from piranha.ipvs.plan import guard, plan
from piranha.ipvs.table import DataPath, Place, Reading, Step, Table, TableKey
from piranha.messages import PlannedStep
from piranha.status import HealthState
from piranha.system.names import resolve
from piranha.system.probes import Probed, probe

log = logging.getLogger("lvs")

TURN_S = 1.0
TURN_SHARE, TURN_MOST_S = 60, 10.0
"""A turn is followed by that many times its duration without one, TURN_MOST_S at most, unless something changes."""
RECENT_S = 3 * TURN_MOST_S
"""What a turn saw is told that long; the next one comes before."""

RESOLVE_AGAIN_S = 15.0
"""How often names that the resolver did not know are asked for again."""

FIRST_CHECKS_S = 30.0
"""How long an Apply waits for new real servers at most: nobody else can save or apply meanwhile."""

Follow = Callable[[Cluster, Mapping[HostName, Address]], Awaitable[None]]
Turned = Callable[[Standing, Desired, tuple[Draining, ...], Mapping[TableKey, str]], None]
_UNREAD = Reading({}, {})


class Balancer:
    """Runs one cluster on one data path. `now` is monotonic seconds.

    `store` is the memory of a table that is shared with others. `standing_in` says whether this router is active in a
    cluster, of which `before_switch` is told before it runs. `after_turn` gets, after each turn, the cluster whose
    addresses this router should carry: an empty one while it is passive, and none of the virtual servers that wait for
    their first checks.
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
        before_switch: Follow | None = None,
        after_turn: Follow | None = None,
    ) -> None:
        self.path = path
        self.standing = ACTIVE
        self.nanny = Nanny(group, self._hear, clock=now, probe=probe)
        self.weighing = Weighing(group, self.nanny, now, self._weigh_anew)
        self.cluster = Cluster()
        self.overrides: tuple[Override, ...] = ()
        self._now = now
        self._store = store if store is not None else TableStore()
        self._share = TableShare(path, self._store)
        self._standing_in = standing_in
        self._before_switch = before_switch
        self._after_turn = after_turn
        self.turned: Turned = lambda standing, target, draining, refused: None
        self._reader = TableReader(path)
        self._draining: tuple[Draining, ...] = self._store.memory.draining
        self._settled = Settled()
        self._resolved: Mapping[HostName, Address] = dict(self._store.memory.names)
        self._refusals = Refusals()
        self._last: View | None = None
        self._is_halted, self._news = False, 0
        self._reckoning: Reckoned | None = None
        self._turning = asyncio.Lock()
        self._begun, self._woken, self._heard = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what an administrator should know of the table as a whole, in sentences."""
        return tuple(each for each in (self.standing.reason, self.trouble, self._store.trouble) if each)

    @property
    def trouble(self) -> str:
        """Return why the table cannot be read, or ""."""
        return self._reader.trouble

    def wake(self) -> None:
        """Take a turn now: what it depends on has changed."""
        self._woken.set()

    @property
    def draining_addresses(self) -> frozenset[Address]:
        """Return the addresses of services that this router still serves for the connections they have."""
        keys = (drain.key for drain in self._draining) if self.standing.is_active else ()
        return frozenset(key.address for key in keys if key.address is not None)

    async def run(self) -> None:
        """Take turns until cancelled: when woken, and every TURN_S seconds, or less often where turns take long.

        The first comes when it is known what runs: until then a table that was found stays as it is.
        """
        await self._begun.wait()
        pause_s = TURN_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()
            self._woken.clear()
            began = self._now()
            with Turn("A turn of the balancer"):
                await self.turn()
            pause_s = min(max(TURN_S, TURN_SHARE * (self._now() - began)), TURN_MOST_S)

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
            self.weighing.watch(self.cluster, self._resolved)
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
        await self.weighing.refresh()
        if not self._router_names(cluster) - self._resolved.keys():
            await self._tell_before(cluster, self._resolved)  # the partner does not wait for a slow resolver
        resolved = {**self._resolved, **await resolve(names)}
        await self._tell_before(cluster, resolved)
        present = (await self._reader.read() or _UNREAD).table
        await self.weighing.first_checks(cluster, resolved, self.overrides, present, self._heard, FIRST_CHECKS_S)
        async with self._turning:
            # A table that cannot be read now is brought to what it should be as soon as it can be.
            reading = await self._reader.read() or _UNREAD
            leaving = self._leaving(reading, cluster, resolved, removes_at_once)
            self._draining = joined(leaving, self._draining)
            self.cluster, self._is_halted = cluster, False
            self._begun.set()
            self._resolved = {name: resolved[name] for name in names if name in resolved}
            self._settled.begin(self._now() + FIRST_CHECKS_S)
            self.weighing.watch(cluster, self._resolved, in_table(cluster, resolved, reading.table))
            return told_steps(await self._turn(), reading, self._draining)

    async def preview(self, cluster: Cluster) -> Preview:
        """Return what `switch` would do now, if every new server passes its first check.

        Raises KernelUnavailable where the table cannot be read.
        """
        resolved = {**self._resolved, **await resolve(self._names(cluster) - self._resolved.keys())}
        async with self._turning:
            reading = await self.path.present()
            standing = self._standing_in(cluster, resolved)
            # With thousands of real servers that takes its time: checks and packets do not wait for it.
            return await asyncio.to_thread(self._previewed, cluster, resolved, reading, standing)

    def _previewed(
        self, cluster: Cluster, resolved: Mapping[HostName, Address], reading: Reading, standing: Standing
    ) -> Preview:
        drains = joined(self._leaving(reading, cluster, resolved, removes_at_once=False), self._draining)
        drains, _ = still_draining(drains, reading, self._now(), configured(cluster, resolved))
        weighed = self._weighed(cluster, is_hopeful=True)
        target = self._target(cluster, weighed, resolved, drains, reading, standing)
        owned = self._share.owned(reading, target, configured(cluster, resolved), drains, is_active=standing.is_active)
        mine = touchable(reading.table, owned)
        steps = self._steps(reading, mine, target, owned)
        return Preview(told_steps(steps, reading, drains), guard(mine, target.table))

    async def view(self) -> View:
        """Return everything that the status is made of."""
        async with self._turning:
            reading = await self._reader.read() or _UNREAD
            weighed, target = self._reckoned(reading, self.standing)
            here = configured(self.cluster, self._resolved)
            owned = self._share.owned(reading, target, here, self._draining, is_active=self.standing.is_active)
            self._last = self._seen(reading, target, weighed, touchable(reading.table, owned), self._now())
            return self._last

    async def recent_view(self) -> View:
        """Return what the last turn saw and made of it; if that is long ago, `view`."""
        return self._recent(RECENT_S) or await self.view()

    def _seen(
        self, reading: Reading, target: Desired, weighed: Mapping[RealServerKey, Weighed], ours: Table, now: float
    ) -> View:
        refused, servers = {**self._refusals.services, **reading.refused}, self._refusals.servers
        what = (self.cluster, reading, target, weighed, self._draining, refused, now, ours)
        return View(*what, self.standing, self.trouble, servers)

    async def withdraw(self) -> None:
        """Take what is ours out of a shared table, as an operator's stop does; what is foreign stays."""
        async with self._turning:
            reading = await self._reader.read()
            if reading is None:
                return
            owned = claimed(self._store.memory.owned, NOTHING, reading.table)
            steps = plan(touchable(reading.table, owned), {})
            await self._take(sparing(steps, reading.table, owned))
            self._draining = ()
            left = await self._reader.read() or reading
            await self._store.keep(owned=claimed(owned, NOTHING, left.table), draining=())

    async def halt(self) -> None:
        """Run nothing until the next `switch`: first go the addresses, then what is ours of the table."""
        async with self._turning:
            self.cluster, self._draining, self._is_halted = Cluster(), (), True
            self._last = self._reckoning = None  # what was healthy then is not known to be when it starts again
            self.weighing.stop()
            self._begun.set()
            await self._follow(Cluster())
        if self.path.shares:
            await self.withdraw()
        else:
            await self.path.close()  # a table of our own goes with all its connections

    def _hear(self, key: RealServerKey, health: ServerHealth, row: Row | None) -> None:
        self._heard.set()
        if row is not None:
            self.weighing.changed(key, row)

    def _weigh_anew(self) -> None:
        self._news += 1
        self._woken.set()

    async def _turn(self) -> tuple[Step, ...]:
        known = self._known_at_takeover()
        reading = known or await self._reader.read()
        if reading is None:
            self._last = None
            return ()
        now = self._now()
        standing = self._stand()
        here = configured(self.cluster, self._resolved)
        self._draining, ended = still_draining(self._draining, reading, now, here)
        self._news += self.weighing.tick()
        weighed, target = self._reckoned(reading, standing)
        # Now, with the healths that the target was reckoned from: a verdict that comes meanwhile is not in the table.
        carried = self._settled.carried(self.cluster, target, self.nanny.healths, now)
        self._refusals.note_not_served(reading)
        if not standing.is_active:
            await self._follow(Cluster())
        owned = self._share.owned(reading, target, here, self._draining, is_active=standing.is_active)
        if self.path.shares and known is None:  # else by the turn that follows: it takes longer than the steps
            await self._store.keep(owned=owned, draining=self._draining, names=self._resolved)
        ours = touchable(reading.table, owned)
        steps = self._steps(reading, ours, target, owned, overdue(ended, now))
        taken = await self._take(steps)
        if standing.is_active:
            # Addresses behind the table: a client that finds one finds the virtual server too.
            await self._follow(carried)
        self.turned(standing, target, self._draining, {**self._refusals.services, **reading.refused})
        self._last = self._seen(reading, target, weighed, ours, now).behind(steps, taken)
        return taken

    def _known_at_takeover(self) -> Reading | None:
        """Return what the last turn saw, where this router becomes active: nobody serves, and another turn follows."""
        if self.standing.is_active or self._is_halted or not self._standing_in(self.cluster, self._resolved).is_active:
            return None
        last = self._recent(TURN_MOST_S)
        self._woken.set()
        return last.reading if last is not None else None

    def _recent(self, within_s: float) -> View | None:
        last = self._last
        is_recent = last is not None and self._now() - last.read_at <= within_s and last.cluster is self.cluster
        return last if is_recent else None

    async def _follow(self, carried: Cluster | None) -> None:
        if self._after_turn is not None and carried is not None:
            await self._after_turn(carried, self._resolved)

    def _stand(self) -> Standing:
        standing = self.standing if self._is_halted else self._standing_in(self.cluster, self._resolved)
        if standing != self.standing:
            log.warning("%s", standing.reason or "This router becomes active.")
        self.standing = standing
        return standing

    def _reckoned(self, reading: Reading, standing: Standing) -> tuple[Mapping[RealServerKey, Weighed], Desired]:
        """Return the weights and the desired table, reckoned anew if something that they depend on has changed.

        Servers that were never checked stay as they are in the table, so that it depends on that too.
        """
        depends = (self.cluster, self._resolved, self._draining, self.overrides, standing, self._news)
        kept = self._reckoning
        if kept is None or kept.depends != depends or not kept.is_of(reading.table):
            weighed = self._weighed(self.cluster)
            target = self._target(self.cluster, weighed, self._resolved, self._draining, reading, standing)
            waiting = {target.links[key][0] for key in self._unheard() if key in target.links}
            kept = Reckoned(depends, {key: reading.table.get(key) for key in waiting}, weighed, target)
            self._reckoning = kept
        return kept.weighed, kept.target

    def _target(
        self,
        cluster: Cluster,
        weighed: Mapping[RealServerKey, Weighed],
        resolved: Mapping[HostName, Address],
        draining: tuple[Draining, ...],
        reading: Reading,
        standing: Standing,
    ) -> Desired:
        target = desired(cluster, weighed, resolved, draining, reading.table, self._unheard())
        return target if standing.is_active else replace(target, table={})

    def _unheard(self) -> set[RealServerKey]:
        healths = tuple(self.nanny.healths.items())  # a thread may look while a check begins
        return {key for key, health in healths if health.state is HealthState.UNKNOWN}

    def _steps(
        self, reading: Reading, ours: Table, target: Desired, owned: Owned, ending: frozenset[Place] = frozenset()
    ) -> tuple[Step, ...]:
        steps = plan(ours, target.table, ending | target.undrained, newest_first=self.path.shares)
        return sparing(steps, reading.table, owned)

    async def _take(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return self._refusals.note(steps, await self.path.apply_many(steps) if steps else ())

    def _leaving(
        self, reading: Reading, cluster: Cluster, resolved: Mapping[HostName, Address], removes_at_once: bool
    ) -> tuple[Draining, ...]:
        before, after = configured(self.cluster, self._resolved), configured(cluster, resolved)
        return self._share.leaving(reading, before, after, self._draining, self._now(), at_once=removes_at_once)

    def _weighed(self, cluster: Cluster, *, is_hopeful: bool = False) -> dict[RealServerKey, Weighed]:
        return self.weighing.weighed(cluster, self.overrides, is_hopeful=is_hopeful)

    async def _tell_before(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> None:
        if self._before_switch is not None:
            await self._before_switch(cluster, resolved)

    def _names(self, cluster: Cluster) -> set[HostName]:
        return names_of(cluster) | self._router_names(cluster)

    def _router_names(self, cluster: Cluster) -> set[HostName]:
        return router_names_of(cluster) if self.path.shares else set()
