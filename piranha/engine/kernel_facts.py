"""What the kernel tells beside its table, read anew for each status: version, timeouts, sync daemons, settings."""

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from piranha.config.model import Cluster
from piranha.ipvs.settings import KernelSettings, judged, use_of
from piranha.ipvs.table import DataPath
from piranha.status import ConnectionTimeouts, KernelStatus, Source, SyncDaemonStatus
from piranha.system import kernel_settings
from piranha.system.boot import monotonic
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.ipvs_values import Info, SyncDaemon, Timeouts


@runtime_checkable
class TellsKernel(Protocol):
    """A data path in the kernel. Each call raises KernelUnavailable."""

    async def timeouts(self) -> Timeouts:
        """Return the timeouts of idle connections."""
        ...

    async def sync_daemons(self) -> tuple[SyncDaemon, ...]:
        """Return the sync daemons that run."""
        ...

    async def info(self) -> Info:
        """Return version and size of the connection table."""
        ...


async def kernel_status(
    path: DataPath,
    cluster: Cluster,
    *,
    is_managed: bool = False,
    read: Callable[[], KernelSettings] = kernel_settings.read,
) -> KernelStatus | None:
    """Return what the kernel tells, judged for what runs; None on a data path that is not the kernel's."""
    if not isinstance(path, TellsKernel):
        return None
    began = monotonic()
    settings = judged(await asyncio.to_thread(read), use_of(cluster), is_managed=is_managed)
    source = Source("the kernel", max(0.0, monotonic() - began))
    try:
        info, timeouts, daemons = await path.info(), await path.timeouts(), await path.sync_daemons()
    except KernelUnavailable as unavailable:
        return KernelStatus("", None, None, None, settings, str(unavailable), source)
    return KernelStatus(
        ipvs_version=info.version,
        connection_table_size=info.connection_table_size,
        timeouts=ConnectionTimeouts(timeouts.tcp_s, timeouts.tcp_fin_s, timeouts.udp_s),
        sync_daemons=tuple(SyncDaemonStatus(str(each.role), each.interface, each.sync_id) for each in daemons),
        settings=settings,
        problem="",
        source=source,
    )
