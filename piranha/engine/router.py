"""What surrounds the balancer on a real router: the kernel's table and settings, and pulse, which says who is active.

Activating: the table, then pulse is told which addresses to carry, then the sync daemon. Becoming passive: pulse takes
the addresses away and says so here; then the sync daemon changes its role, and the table goes. Stopping: pulse has the
addresses taken away before it ends lvs; then goes what is left of the table, then the settings.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial

from msgspec.structs import replace

from piranha.config.failover_settings import FailoverSettings
from piranha.config.model import Address, Cluster, HostName
from piranha.config.shared_part import digest_of, shared_token
from piranha.engine.balancer import Balancer
from piranha.engine.ipvs_settings import IpvsSettings
from piranha.engine.kernel_tuning import KernelTuning
from piranha.engine.pair import configure_of
from piranha.engine.pulse_link import PulseLink
from piranha.engine.readiness import Readiness
from piranha.engine.resync import Resync
from piranha.engine.role import ACTIVE, Standing
from piranha.engine.table_store import TableStore
from piranha.errors import PiranhaError
from piranha.ipvs.addresses import wanted_addresses
from piranha.paths import Paths
from piranha.pulse.leftovers import remove_addresses
from piranha.pulse.messages import Carry, Configure, refused_rows_of, rows_of
from piranha.said_once import SaidOnce
from piranha.system import piranha_toml
from piranha.system.addresses import RouterAddresses
from piranha.system.boot import monotonic
from piranha.system.kernel_ipvs import KernelPath

log = logging.getLogger("lvs")

TEMPLATES_AFTER_S = (0.5, 2.0)
"""Behind a move: the partner has its table then, and takes where persistent clients belong."""
LOOKS_EVERY_S = 3.0
"""How often a router that has neither address of the pair looks whether it has one now."""
TABLE_STAYS_S = 0.3
"""Behind the addresses' going: answers that are under way find it still, and the partner takes over meanwhile."""
MOVED_S = 5.0
"""A stop so soon behind a move belongs to it."""
ALL_AFTER_S = 1.5
"""A partner that just became passive has its sync daemon listen by then."""
AHEAD_MOST_S = 60.0
"""So long pulse may know what runs next before it runs: names are asked for, first checks are awaited."""


class Router:
    """The parts of a router that moves packets in its kernel."""

    def __init__(self, paths: Paths, path: KernelPath) -> None:
        """Find what a former engine left. Raises PiranhaError."""
        self.path = path
        self.store = TableStore(paths)
        self.settings = IpvsSettings(path, self.store)
        self.tuning = KernelTuning(paths)
        self.readiness = Readiness(monotonic, self._digest)
        self.running_token: Callable[[], str] = str
        self._extra = FailoverSettings()
        self.link = PulseLink(
            paths.pulse_socket, monotonic, self.readiness.found, self._turned, lambda: remove_addresses(paths)
        )
        self.resync = Resync(path)
        self.link.moving, self.link.partner_came = self._tell_moving, self._tell_all_soon
        self._paths = paths
        self._troubles = SaidOnce(log)
        self._balancer: Balancer | None = None
        self._told: tuple[Cluster, Mapping[HostName, Address]] | None = None
        self._last: Configure | None = None
        self._ahead_until = 0.0
        self._is_active = False
        self._moved_at = float("-inf")
        self._table_until = 0.0
        self._looks_at = 0.0

    def balancer(self, tasks: asyncio.TaskGroup) -> Balancer:
        """Return the balancer of this router, its tasks in that group."""
        self._balancer = Balancer(
            self.path,
            tasks,
            monotonic,
            store=self.store,
            standing_in=self._standing,
            before_switch=self.configure_ahead,
            after_turn=self._follow,
        )
        self.readiness.balancer = self._balancer
        return self._balancer

    def notices(self) -> tuple[str, ...]:
        """Return what an administrator should know, in sentences."""
        return (
            *self.settings.problems,
            *self.link.troubles,
            *self.tuning.problems,
            *self.resync.troubles,
            *self._troubles.sentences,
        )

    async def stop(self, balancer: Balancer) -> None:
        """Leave the router without anything of ours; the addresses are gone."""
        if monotonic() - self._moved_at < MOVED_S:
            await self._tell_templates(balancer.cluster)  # there is no later
        await balancer.withdraw()
        await self.settings.restore()
        await self.tuning.restore()

    async def configure_ahead(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> None:
        """Tell pulse what will run in a moment; turns of what runs until then do not undo it."""
        self._ahead_until = monotonic() + AHEAD_MOST_S
        await self.configure(cluster, resolved)

    async def configure(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> None:
        """Tell pulse what a cluster says about the pair, and learn what this router is in it."""
        self._told, self._looks_at = (cluster, resolved), monotonic() + LOOKS_EVERY_S
        self._last = self._configure_of(cluster, resolved)
        await self.link.configure(self._last)

    def _configure_of(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> Configure:
        if cluster == Cluster() and self._last is not None:
            # Stopped: the partner goes on hearing that this router does not take over.
            return replace(self._last, runs=False, idle_reason="Nothing is to be balanced.")
        try:
            here = _addresses_here()
        except PiranhaError as error:
            if self._last is not None:
                self._troubles.say("addresses", f"{error} What pulse knows of the two routers stays.")
                self._told = None
                return self._last
            reason = f"{error} Which router this is is not known, so it stays passive."
            return Configure(0, False, reason)
        self._troubles.say("addresses", "")
        self._extra = self._read_extra()
        return configure_of(cluster, resolved, here, self._extra)

    def _read_extra(self) -> FailoverSettings:
        """Return what piranha.toml says now; what it said before, where it cannot be read or has errors there."""
        try:
            extensions = piranha_toml.load(self._paths)
        except PiranhaError as error:
            self._troubles.say("piranha.toml", str(error))
            return self._extra
        wrong = [each for each in extensions.errors if each.path in ("", "failover")] if extensions is not None else []
        self._troubles.say("piranha.toml", wrong[0].located("piranha.toml") if wrong else "")
        if wrong:
            return self._extra
        return extensions.failover if extensions is not None else FailoverSettings()

    def _digest(self) -> str:
        return digest_of(self.running_token(), shared_token(self._extra)).hex()

    def _standing(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> Standing:
        standing = self.link.standing
        return standing if standing.is_active or monotonic() >= self._table_until else ACTIVE

    def _turned(self) -> None:
        balancer = self._balancer
        if balancer is None:
            return
        was_active, self._is_active = self._is_active, self.link.standing.is_active
        if was_active and not self._is_active:
            self._table_until = monotonic() + TABLE_STAYS_S
            self.link.later(TABLE_STAYS_S, balancer.wake)
        elif self._is_active or monotonic() >= self._table_until:
            self._table_until = 0.0
            balancer.wake()

    async def _tell_moving(self) -> None:
        assert self._balancer is not None
        cluster = self._balancer.cluster
        self._moved_at = monotonic()
        await self.resync.tell_moving(cluster)
        for after_s in TEMPLATES_AFTER_S:
            self.link.later(after_s, partial(self._tell_templates, cluster))

    async def _tell_templates(self, cluster: Cluster) -> None:
        count = await self.resync.tell_templates(cluster)
        if count:
            log.info("The partner was told where %d persistent clients belong.", count)

    async def _tell_all_soon(self) -> None:
        await asyncio.sleep(ALL_AFTER_S)
        if self.link.standing.is_active:
            await self._tell_all()

    async def _tell_all(self) -> None:
        assert self._balancer is not None
        count = await self.resync.tell_all(self._balancer.cluster)
        if count:
            log.info("The partner was told of %d connections.", count)

    async def _follow(self, carried: Cluster, resolved: Mapping[HostName, Address]) -> None:
        balancer = self._balancer
        assert balancer is not None
        is_new = self._told is None or self._told[0] is not balancer.cluster or self._told[1] != resolved
        if self._told is not None and self._told[0] is balancer.cluster:
            self._ahead_until = 0.0
        looks = not self.link.standing.is_active and monotonic() >= self._looks_at
        if (is_new or looks) and monotonic() >= self._ahead_until:
            await self.configure(balancer.cluster, resolved)
        is_active = balancer.standing.is_active
        wanted, unusable = wanted_addresses(carried, resolved)
        draining = tuple(sorted(str(each) for each in balancer.draining_addresses)) if is_active else ()
        carry = Carry(0, 0, rows_of(wanted), refused_rows_of(unusable), draining)
        # A turn that was made for another standing is of no use: one for this standing follows.
        if is_active is self.link.standing.is_active:
            await self.link.carry(carry, waits=not wanted)
        # Behind it: to end a sync daemon takes up to a tenth of a second, in which nobody would serve.
        await self.settings.follow(balancer.cluster, is_active)
        await self.tuning.follow(balancer.cluster, is_active)


def _addresses_here() -> Collection[Address]:
    with RouterAddresses() as router:
        return {present.held.address for present in router.read().addresses}
