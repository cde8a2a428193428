"""What lvs.cf says about IPVS beside its table: the timeouts of connections and the sync daemon.

Rule 1: 0 leaves a timeout as it is. What was there before we changed it for the first time is remembered on the disk
and comes back when the keyword goes, or when the engine is stopped.
Rule 2: the sync daemon is the active router's `master`. It is started anew when interface or id change, and stopped
when it is off and we had started it.
Rule 3: what the kernel refuses is logged once, kept in `problems` for the status, and tried again.
"""

import logging
from collections.abc import Awaitable
from typing import Protocol as Interface

from piranha.config.model import Cluster
from piranha.engine.table_store import TableStore
from piranha.errors import StepRefused
from piranha.ipvs.ownership import NO_TIMEOUTS
from piranha.ipvs.timeouts import timeouts_to_set
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.ipvs_values import SyncDaemon, SyncRole, Timeouts

log = logging.getLogger("lvs")


class IpvsKernel(Interface):
    """The part of the kernel's IPVS that is set here."""

    async def timeouts(self) -> Timeouts:
        """Return the timeouts in force."""
        ...

    async def set_timeouts(self, wanted: Timeouts) -> None:
        """Set timeouts; 0 leaves one. Raises StepRefused."""
        ...

    async def sync_daemons(self) -> tuple[SyncDaemon, ...]:
        """Return the sync daemons that run."""
        ...

    async def start_sync(self, role: SyncRole, interface: str, sync_id: int) -> None:
        """Start a sync daemon. Raises StepRefused."""
        ...

    async def stop_sync(self, role: SyncRole) -> None:
        """Stop a sync daemon. Raises StepRefused."""
        ...


class IpvsSettings:
    """Follows a cluster on one kernel. `problems`: what was refused last time, in sentences."""

    def __init__(self, kernel: IpvsKernel, store: TableStore) -> None:
        self.problems: tuple[str, ...] = ()
        self._kernel = kernel
        self._store = store

    async def follow(self, cluster: Cluster, is_active: bool) -> None:
        """Set what the cluster says and the kernel has otherwise. Never raises for what the kernel says."""
        is_synced = is_active and cluster.runs_sync_daemon and bool(cluster.active_virtual_servers)
        daemon = SyncDaemon(SyncRole.MASTER, cluster.syncd_iface, cluster.syncd_id & 0xFF) if is_synced else None
        seconds = (cluster.tcp_timeout_s, cluster.tcpfin_timeout_s, cluster.udp_timeout_s)
        found = (await _reason(self._set_timeouts(seconds)), await _reason(self._set_sync(daemon)))
        problems = tuple(problem for problem in dict.fromkeys(found) if problem)
        for problem in problems:
            if problem not in self.problems:
                log.error("%s", problem)
        self.problems = problems

    async def restore(self) -> None:
        """Put back the timeouts that were there before us, and stop the sync daemon that we started."""
        for problem in (await _reason(self._set_timeouts(NO_TIMEOUTS)), await _reason(self._set_sync(None))):
            if problem:
                log.error("%s", problem)
        self.problems = ()

    async def _set_timeouts(self, wanted: tuple[int, int, int]) -> None:
        originals = self._store.memory.timeouts
        if wanted == originals == NO_TIMEOUTS:
            return
        setting, remembered = timeouts_to_set(wanted, await self._kernel.timeouts(), originals)
        # Known before it is changed, and forgotten after it was put back: a crash in between loses nothing.
        await self._store.keep(timeouts=_each_or(remembered, originals))
        if setting != NO_TIMEOUTS:
            await self._kernel.set_timeouts(Timeouts(*setting))
            log.info("timeouts of connections set: tcp %d s, tcpfin %d s, udp %d s", *await self._kernel.timeouts())
        await self._store.keep(timeouts=remembered)

    async def _set_sync(self, wanted: SyncDaemon | None) -> None:
        ours = self._store.memory.sync
        if wanted is None and ours is None:
            return
        running = {daemon.role: daemon for daemon in await self._kernel.sync_daemons()}
        role = SyncRole.MASTER
        there = running.get(role)
        if wanted is None:
            # One with another interface or id was started by somebody else meanwhile.
            if there is not None and ours == _words(there):
                await self._kernel.stop_sync(role)
                log.info("%s sync daemon on %s stopped", there.role, there.interface)
            await self._store.keep_sync(None)
            return
        await self._store.keep_sync(_words(wanted))
        if there == wanted:
            return
        if there is not None:
            await self._kernel.stop_sync(role)
        await self._kernel.start_sync(role, wanted.interface, wanted.sync_id)
        log.info("%s sync daemon on %s started, id %d", role, wanted.interface, wanted.sync_id)


def _words(daemon: SyncDaemon) -> tuple[str, str, int]:
    return str(daemon.role), daemon.interface, daemon.sync_id


def _each_or(first: tuple[int, int, int], second: tuple[int, int, int]) -> tuple[int, int, int]:
    return first[0] or second[0], first[1] or second[1], first[2] or second[2]


async def _reason(act: Awaitable[None]) -> str:
    try:
        await act
    except (StepRefused, KernelUnavailable) as refusal:
        return str(refusal)
    return ""
