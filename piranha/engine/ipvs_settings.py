"""What lvs.cf says about IPVS beside its table: the timeouts of connections and the sync daemon.

Rule 1: 0 leaves a timeout as it is. What was there before we changed it for the first time is remembered on the disk
and comes back when the keyword goes, or when the engine is stopped.
Rule 2: an active router runs the `master` sync daemon, a passive one the `backup`. When the router's state, the
interface or the id change, the one before is stopped first and then the new one started. At the end what we started is
stopped.
Rule 3: lvs.cf names one sync daemon, by role, interface and id; what stands in its place is stopped, and what has its
interface and id in the other role (an engine that was killed, an original Piranha that was stopped, leave that behind).
Any other one is somebody else's and stays.
Rule 4: a sync daemon stays with the device that it was started on. When that was removed and made anew, the daemon
still runs and neither sends nor hears anything; so it is started anew.
Rule 5: what the kernel refuses is logged once, kept in `problems` for the status, and tried again.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol as Interface

from piranha.config.model import Cluster
from piranha.engine.table_store import TableStore
from piranha.errors import StepRefused
from piranha.ipvs.ownership import NO_TIMEOUTS
from piranha.ipvs.timeouts import timeouts_to_set
from piranha.system.devices import device_number
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.ipvs_values import SyncDaemon, SyncRole, Timeouts

log = logging.getLogger("lvs")

REST_TURNS = 10
"""How many turns a refused sync daemon is left alone, unless its device changes."""


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

    def __init__(self, kernel: IpvsKernel, store: TableStore, number_of: Callable[[str], int] = device_number) -> None:
        """`number_of` returns the number of a network device, 0 for none."""
        self.problems: tuple[str, ...] = ()
        self._kernel = kernel
        self._store = store
        self._number_of = number_of
        self._sync_device = ("", 0)
        self._refusal: tuple[SyncDaemon, int, StepRefused] | None = None
        self._rest = 0

    async def follow(self, cluster: Cluster, is_active: bool) -> None:
        """Set what the cluster says and the kernel has otherwise. Never raises for what the kernel says."""
        seconds = (cluster.tcp_timeout_s, cluster.tcpfin_timeout_s, cluster.udp_timeout_s)
        daemon = _daemon_of(cluster, is_active)
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
        device = ("", 0) if wanted is None else (wanted.interface, self._number_of(wanted.interface))
        is_deaf = device != self._sync_device and device[0] == self._sync_device[0]
        running = await self._kernel.sync_daemons()
        for each in running:
            if _is_past(each, wanted, ours) or (is_deaf and each == wanted):
                await self._kernel.stop_sync(each.role)
                log.info("%s sync daemon on %s stopped, id %d", each.role, each.interface, each.sync_id)
        # Known before it runs, and the one before forgotten after it was stopped: whoever is killed in between leaves
        # nothing behind that the next engine would not know.
        await self._store.keep_sync(None if wanted is None else _words(wanted))
        if wanted is not None and (is_deaf or wanted not in running):
            await self._start_sync(wanted, device[1])
        self._sync_device = device

    async def _start_sync(self, wanted: SyncDaemon, device: int) -> None:
        """Start a daemon; one that was refused rests first, since the kernel's log gets a line at each try."""
        if self._refusal is not None and self._refusal[:2] == (wanted, device) and self._rest > 0:
            self._rest -= 1
            raise self._refusal[2]
        try:
            await self._kernel.start_sync(wanted.role, wanted.interface, wanted.sync_id)
        except StepRefused as refusal:
            self._refusal, self._rest = (wanted, device, refusal), REST_TURNS
            raise
        self._refusal = None
        log.info("%s sync daemon on %s started, id %d", wanted.role, wanted.interface, wanted.sync_id)


def _daemon_of(cluster: Cluster, is_active: bool) -> SyncDaemon | None:
    """Return the sync daemon that a router runs, None for none."""
    if not cluster.runs_sync_daemon or not cluster.active_virtual_servers:
        return None
    role = SyncRole.MASTER if is_active else SyncRole.BACKUP
    return SyncDaemon(role, cluster.syncd_iface, cluster.syncd_id & 0xFF)


def _is_past(there: SyncDaemon, wanted: SyncDaemon | None, ours: tuple[str, str, int] | None) -> bool:
    """Say whether a running daemon has to go. `ours` is the one that we started last."""
    if there == wanted:
        return False
    if _words(there) == ours:
        return True
    # Of each role the kernel runs one only.
    return wanted is not None and (there.role is wanted.role or _words(there)[1:] == _words(wanted)[1:])


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
