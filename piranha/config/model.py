"""The cluster that an lvs.cf describes, as frozen types.

Values here are *effective*: defaults are filled in, the last of several equal keywords has won, numbers are numbers.
How a value was spelled, and where, is the document's business (`config.document`). Names of blocks may repeat and may
hold any character; `id` (a written path such as `virtual[http].server[web1]`, see `config.path`) is what identifies
a block in a file, the keys at the end of this module are what identifies it in the IPVS table.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NewType

Address = IPv4Address | IPv6Address
HostName = NewType("HostName", str)
Host = IPv4Address | IPv6Address | HostName
"""An address, or a name that nobody has resolved yet: the thinking rooms never ask the resolver."""


class Protocol(StrEnum):
    """The protocol of a virtual server."""

    TCP = "tcp"
    UDP = "udp"


class Forwarding(StrEnum):
    """`network`: how packets reach the real servers (manual 1.4)."""

    NAT = "nat"
    DIRECT = "direct"
    TUNNEL = "tunnel"


class ServiceKind(StrEnum):
    """`service`: which kind of block is in force."""

    LVS = "lvs"
    FOS = "fos"


@dataclass(frozen=True, slots=True)
class FloatingAddress:
    """An address and the interface alias that carries it; the device is "" where the file names none."""

    host: Host
    device: str


@dataclass(frozen=True, slots=True)
class RealServer:
    """A `server` block. `port` is the effective one: its own, else the virtual server's as read so far."""

    id: str
    name: str
    address: Host | None
    is_active: bool
    port: int
    has_own_port: bool
    weight: int


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """A `virtual` block.

    `send`, `expect` and `send_program` are the texts as written, without the enclosing quotes and with escapes
    untranslated (`config.escapes` translates); None means absent, "" means present and empty.
    `pmask` and `vip_nmask` are None where absent or where the value means "unset". `encoding` is that of the file:
    what a real server is sent are the file's bytes.
    """

    id: str
    name: str
    is_active: bool
    address: FloatingAddress | None
    vip_nmask: IPv4Address | None
    sorry_server: IPv4Address | None
    fwmark: int
    protocol: Protocol
    port: int
    scheduler: str
    persistent_s: int
    pmask: IPv4Address | None
    send: str | None
    expect: str | None
    uses_regex: bool
    send_program: str | None
    timeout_s: int
    reentry_s: int
    load_monitor: str | None
    quiesces: bool
    client_monitor: str
    servers: tuple[RealServer, ...] = ()
    encoding: str = "utf-8"

    @property
    def key(self) -> "ServiceKey | None":
        """Return what identifies this service in the IPVS table, or None without a usable address."""
        if self.fwmark:
            return ServiceKey(fwmark=self.fwmark)
        if self.address is None:
            return None
        return ServiceKey(self.protocol, self.address.host, self.port)


@dataclass(frozen=True, slots=True)
class FailoverService:
    """A `failover` block: kept, validated and shown; never run."""

    id: str
    name: str
    is_active: bool
    address: FloatingAddress | None
    vip_nmask: IPv4Address | None
    protocol: Protocol
    port: int
    timeout_s: int
    send: str | None
    expect: str | None
    send_program: str | None
    start_cmd: str | None
    stop_cmd: str | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything an lvs.cf says.

    The private addresses are the raw ones; `effective_primary_private` and `effective_backup_private` apply the
    original's fix-up (reference 3.2): without `primary_private` both follow the public addresses.
    """

    serial_no: int = 0
    primary: Host | None = None
    primary_private: Host | None = None
    backup: Host | None = None
    backup_private: Host | None = None
    is_backup_active: bool = False
    heartbeat_port: int = 539
    keepalive_s: int = 2
    deadtime_s: int = 5
    forwarding: Forwarding = Forwarding.NAT
    nat_router: FloatingAddress | None = None
    nat_nmask: IPv4Address | None = None
    service: ServiceKind = ServiceKind.LVS
    rsh_command: str = "rsh"
    monitors_links: bool = False
    runs_sync_daemon: bool = False
    syncd_iface: str = "eth0"
    syncd_id: int = 0
    tcp_timeout_s: int = 0
    tcpfin_timeout_s: int = 0
    udp_timeout_s: int = 0
    active_cmd: str | None = None
    inactive_cmd: str | None = None
    virtual_servers: tuple[VirtualServer, ...] = ()
    failover_services: tuple[FailoverService, ...] = field(default=())

    @property
    def effective_primary_private(self) -> Host | None:
        """Return the address of the primary's second heartbeat channel."""
        return self.primary if self.primary_private is None else self.primary_private

    @property
    def effective_backup_private(self) -> Host | None:
        """Return the address of the backup's second heartbeat channel."""
        return self.backup if self.primary_private is None else self.backup_private

    @property
    def active_virtual_servers(self) -> tuple[VirtualServer, ...]:
        """Return the virtual servers that are in force: active ones, and none under `service = fos`."""
        if self.service is ServiceKind.FOS:
            return ()
        return tuple(virtual for virtual in self.virtual_servers if virtual.is_active)


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """What identifies a virtual server in the IPVS table: protocol, address, port; or a firewall mark alone."""

    protocol: Protocol | None = None
    address: Host | None = None
    port: int = 0
    fwmark: int = 0
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Reckoned once: keys are looked up all the time, and an address reckons its own anew each time.
        object.__setattr__(self, "_hash", hash((self.protocol, self.address, self.port, self.fwmark)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        if self.fwmark:
            return f"FWM {self.fwmark}"
        return f"{self.protocol} {written_endpoint(self.address, self.port)}"


@dataclass(frozen=True, slots=True)
class RealServerKey:
    """What identifies a real server's check and health: its virtual server's key, its address, its port.

    Names are for people: a rename or a reordering changes no key, and so no health, no weight, no connection.
    """

    service: ServiceKey
    address: Host
    port: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.service, self.address, self.port)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"{self.service} -> {written_endpoint(self.address, self.port)}"


def written_endpoint(address: Host | None, port: int) -> str:
    """Return `192.0.2.1:80`, `[2001:db8::1]:80` or `name:80`."""
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"
