"""The IPVS table as values: services, destinations, what they count.

The same shapes describe the table as it should be (`ipvs.desired`), as it is (what a data path reads back),
and the embedded data path's own. Addresses are resolved here: the table knows no names.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol as Interface

from piranha.config.model import Address, Forwarding, Protocol
from piranha.errors import StepRefused


@dataclass(frozen=True, slots=True)
class TableKey:
    """A service's key in the table: protocol, address and port; or a firewall mark with the IP version of the packets
    that carry it (then the rest is empty): a mark's IPv4 and IPv6 packets are two services.
    """

    protocol: Protocol | None = None
    address: Address | None = None
    port: int = 0
    fwmark: int = 0
    mark_version: int = 4
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Reckoned once: keys are looked up all the time, and an address reckons its own anew each time.
        object.__setattr__(self, "_hash", hash((self.protocol, self.address, self.port, self.fwmark)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def version(self) -> int:
        """Return the IP version of the service's packets, 4 or 6."""
        return self.mark_version if self.address is None else self.address.version

    def __str__(self) -> str:
        if self.fwmark:
            return f"FWM  {self.fwmark}{' IPv6' if self.version == 6 else ''}"
        host = f"[{self.address}]" if self.address is not None and self.address.version == 6 else f"{self.address}"
        return f"{str(self.protocol).upper()}  {host}:{self.port}"

    @property
    def words(self) -> str:
        """Return the key as it stands in a sentence: `TCP 192.0.2.1:80`, `firewall mark 9`."""
        if not self.fwmark:
            return str(self).replace("  ", " ")
        return f"firewall mark {self.fwmark}{' for IPv6' if self.version == 6 else ''}"


@dataclass(frozen=True, slots=True)
class DestinationKey:
    """A destination's key within its service."""

    address: Address
    port: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.address, self.port)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Service:
    """How a service balances. `persistent_s` 0: no persistence; `persistence_prefix` groups clients (32, or 128 for
    IPv6: each alone). `has_fallback` (sh, mh): clients whose hash leads to weight 0 get another destination; without
    it they are refused (linux/ip_vs.h, IP_VS_SVC_F_SCHED_SH_FALLBACK and _MH_FALLBACK).
    """

    scheduler: str
    persistent_s: int = 0
    persistence_prefix: int = 32
    has_fallback: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """How a destination is reached and what share it gets; weight 0: no new connections."""

    forwarding: Forwarding
    weight: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A service with its destinations, in the order they were added (rr and wrr go round in it)."""

    service: Service
    destinations: Mapping[DestinationKey, Destination] = field(default_factory=lambda: MappingProxyType({}))


Place = tuple[TableKey, DestinationKey]
"""Where a destination stands: its service's key and its own."""

Table = Mapping[TableKey, Entry]
"""The whole table; the order of services says nothing."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What a data path counted for one destination since it is in the table; bytes as clients see them (in:
    sent).
    """

    active_connections: int = 0
    inactive_connections: int = 0
    connections: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """The table as a data path has it, the counters, and the services it refuses to serve with the reason."""

    table: Table
    counters: Mapping[Place, Counters]
    refused: Mapping[TableKey, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class AddService:
    """Add a service, without destinations."""

    key: TableKey
    service: Service


@dataclass(frozen=True, slots=True)
class EditService:
    """Change scheduler or persistence of a service in place; its connections stay."""

    key: TableKey
    service: Service


@dataclass(frozen=True, slots=True)
class RemoveService:
    """Remove a service that has no destinations left."""

    key: TableKey


@dataclass(frozen=True, slots=True)
class AddDestination:
    """Add a destination to a service."""

    key: TableKey
    destination_key: DestinationKey
    destination: Destination


@dataclass(frozen=True, slots=True)
class EditDestination:
    """Change a destination's weight or forwarding in place; its connections stay."""

    key: TableKey
    destination_key: DestinationKey
    destination: Destination


@dataclass(frozen=True, slots=True)
class RemoveDestination:
    """Take a destination out of the table.

    Its connections go on until they end by themselves, unless `ends_connections`: a drain's time is over, or
    the administrator asked for a removal at once.
    """

    key: TableKey
    destination_key: DestinationKey
    ends_connections: bool = False


Step = AddService | EditService | RemoveService | AddDestination | EditDestination | RemoveDestination


class DataPath(Interface):
    """What moves the packets: the kernel's IPVS, or the embedded balancer."""

    @property
    def name(self) -> str:
        """Return "kernel" or "embedded"."""
        ...

    @property
    def shares(self) -> bool:
        """Say whether the table is the machine's: others may have entries there, and it outlives this process.

        A new destination comes before the others there; in a table of our own it comes behind them.
        """
        ...

    async def present(self) -> Reading:
        """Return the table as it is now, read, not remembered."""
        ...

    async def apply(self, step: Step) -> None:
        """Take one step. Raises StepRefused with a sentence; nothing else is changed then."""
        ...

    async def apply_many(self, steps: Sequence[Step]) -> tuple[StepRefused | None, ...]:
        """Take steps in their order; return for each None, or why it was refused. One refused stops no other."""
        ...

    async def close(self) -> None:
        """Let go of everything the process holds. The kernel's table stays; embedded connections end."""
        ...


async def one_by_one(apply: Callable[[Step], Awaitable[None]], steps: Sequence[Step]) -> tuple[StepRefused | None, ...]:
    """Take steps by a path that knows no batches; what `DataPath.apply_many` promises."""
    answers: list[StepRefused | None] = []
    for step in steps:
        try:
            await apply(step)
        except StepRefused as refusal:
            answers.append(refusal)
        else:
            answers.append(None)
    return tuple(answers)
