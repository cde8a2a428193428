"""What surrounds the balancer on a real router: the kernel's table and settings, the floating addresses, the role.

Activating: the table, then the sync daemon, then the addresses. Becoming passive: the addresses go first, then the sync
daemon changes its role, then the table goes. Stopping, as an administrator asks for it: the addresses go first, so that
no packet meets half a table; then what is ours of the table, then the settings.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping

from piranha.config.model import Address, Cluster, HostName
from piranha.engine.balancer import Balancer
from piranha.engine.ipvs_settings import IpvsSettings
from piranha.engine.kernel_tuning import KernelTuning
from piranha.engine.role import Role
from piranha.engine.table_store import TableStore
from piranha.paths import Paths
from piranha.pulse.floating import Floating
from piranha.system.addresses import RouterAddresses
from piranha.system.boot import monotonic
from piranha.system.kernel_ipvs import KernelPath

log = logging.getLogger("pulse")


class Router:
    """The parts of a router that moves packets in its kernel."""

    def __init__(self, paths: Paths, path: KernelPath) -> None:
        """Find what a former engine left. Raises PiranhaError."""
        self.path = path
        self.store = TableStore(paths)
        self.settings = IpvsSettings(path, self.store)
        self.floating = Floating(paths, monotonic)
        self.tuning = KernelTuning(paths)
        self._role = Role(_addresses_here, monotonic)
        self._balancer: Balancer | None = None

    def balancer(self, tasks: asyncio.TaskGroup) -> Balancer:
        """Return the balancer of this router, its tasks in that group."""
        self._balancer = Balancer(
            self.path,
            tasks,
            monotonic,
            store=self.store,
            standing_in=self._role.of,
            after_turn=self._follow,
        )
        return self._balancer

    def notices(self) -> tuple[str, ...]:
        """Return what an administrator should know, in sentences."""
        return (*self.settings.problems, *self.floating.troubles(), *self.tuning.problems)

    async def stop(self, balancer: Balancer, *, leaves_everything: bool) -> None:
        """Leave the router: without anything of ours, or with everything for the next engine."""
        await self.floating.stop(yields=not leaves_everything)
        if not leaves_everything:
            await balancer.withdraw()
            await self.settings.restore()
            await self.tuning.restore()

    async def _follow(self, carried: Cluster, resolved: Mapping[HostName, Address]) -> None:
        balancer = self._balancer
        assert balancer is not None
        is_active = balancer.standing.is_active
        if not is_active:
            await self.floating.follow(carried, resolved)
        await self.settings.follow(balancer.cluster, is_active)
        await self.tuning.follow(balancer.cluster, is_active)
        if is_active:
            await self.floating.follow(carried, resolved, balancer.draining_addresses)


def _addresses_here() -> Collection[Address]:
    with RouterAddresses() as router:
        return {present.held.address for present in router.read().addresses}
