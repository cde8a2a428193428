"""What the kernel's IPVS tells and takes beside the table: sync daemons, timeouts, rates, and what is foreign.

The types only; `kernel_ipvs` reads and sets them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from piranha.ipvs.table import Place, Reading, TableKey
from piranha.system.ipvs_netlink import Stats

SYNC_ID_MAX = 255
INTERFACE_CHARACTERS_MAX = 15


class SyncRole(StrEnum):
    """What a sync daemon does: `master` tells the partner of connections, `backup` hears of them."""

    MASTER = "master"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class SyncDaemon:
    """A running sync daemon: its interface, and the id (0 to 255) that both routers share."""

    role: SyncRole
    interface: str
    sync_id: int


class Timeouts(NamedTuple):
    """How long an idle connection is kept, in seconds: TCP, TCP after a FIN, UDP."""

    tcp_s: int
    tcp_fin_s: int
    udp_s: int


class Info(NamedTuple):
    """IPVS's version, "1.2.1", and how many slots its connection table has."""

    version: str
    connection_table_size: int


@dataclass(frozen=True, slots=True)
class KernelReading(Reading):
    """The kernel's table. Bytes are those of IP packets; `bytes_out` is 0 where answers do not pass this router.

    `stats` and `service_stats` are all the kernel counts, with rates; `foreign` names what the table cannot say.
    """

    stats: Mapping[Place, Stats] = field(default_factory=lambda: MappingProxyType({}))
    service_stats: Mapping[TableKey, Stats] = field(default_factory=lambda: MappingProxyType({}))
    foreign: tuple[str, ...] = ()
