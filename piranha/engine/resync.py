"""Telling the partner of connections that the kernel's sync daemon has not told of, or not to this partner.

Rule 1: a partner that just came hears of all of them, so that they live on when the addresses go there. Rule 2: at a
planned move it hears of those that are not closed, between the addresses' going here and their coming
there. Rule 3: where persistent clients belong is told again once the partner has its table: without one it does not
take it. Rule 4: only with `syncdaemon = 1`, and never longer than somebody can wait for it.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import Protocol

from piranha.config.model import Cluster, Forwarding
from piranha.errors import PiranhaError
from piranha.ipvs.sync_wire import Told, messages
from piranha.ipvs.table import DestinationKey
from piranha.said_once import SaidOnce
from piranha.system import sync_sender
from piranha.system.ipvs_connections import EVERYTHING, Connection, Connections, Wanted

log = logging.getLogger("lvs")

ALL_MOST = 500_000
MOVING_MOST = 30_000
"""Connections told of at a planned move: reading and sending these takes about a tenth of a second."""
TEMPLATES = Wanted(templates=True)
LIVING = Wanted(living=True)
"""The sync daemon tells at once of a connection that is closed."""


class Path(Protocol):
    """The data path whose connections are told."""

    async def connections(self, wanted: Wanted, shown_max: int) -> Connections:
        """Return the wanted connections. Raises KernelUnavailable."""
        ...


class Resync:
    """Tells of one router's connections."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._troubles = SaidOnce(log)

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return why connections could not be told, in sentences."""
        return self._troubles.sentences

    async def tell_all(self, cluster: Cluster) -> int:
        """Tell of all connections; return how many."""
        return await self._tell(cluster, EVERYTHING, ALL_MOST)

    async def tell_moving(self, cluster: Cluster) -> int:
        """Tell, at a planned move, of as many as there is time for; return how many."""
        return await self._tell(cluster, LIVING, MOVING_MOST)

    async def tell_templates(self, cluster: Cluster) -> int:
        """Tell where persistent clients belong; return of how many."""
        return await self._tell(cluster, TEMPLATES, ALL_MOST)

    async def _tell(self, cluster: Cluster, wanted: Wanted, most: int) -> int:
        if not cluster.runs_sync_daemon:
            return 0
        try:
            found = await self._path.connections(wanted, most)
            if not found.shown:
                return 0
            told = _told(found.shown, cluster.forwarding)
            device = cluster.syncd_iface
            await asyncio.to_thread(sync_sender.send, device, messages(told, cluster.syncd_id))
        except PiranhaError as error:
            self._troubles.say("sync", str(error))
            return 0
        self._troubles.say("sync", "")
        return len(found.shown)


def _told(connections: tuple[Connection, ...], forwarding: Forwarding) -> Iterator[Told]:
    for each in connections:
        virtual = each.virtual or _mark_as_place(each)
        if virtual is not None:
            yield Told(
                each.protocol,
                each.state,
                each.client.address,
                each.client.port,
                virtual.address,
                virtual.port,
                each.server.address,
                each.server.port,
                forwarding,
                each.is_template,
                each.expires_s if each.is_template else 0,
            )


def _mark_as_place(connection: Connection) -> DestinationKey | None:
    """Return what stands where others have the virtual address: the mark in its first 32 bits."""
    if not connection.fwmark:
        return None
    kind = type(connection.client.address)
    return DestinationKey(kind(connection.fwmark << (kind(0).max_prefixlen - 32)), 0)
