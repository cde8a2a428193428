"""Which part of a shared IPVS table is ours: what the configuration names, and what we made before.

Others may have entries in the kernel's table too: an administrator's `ipvsadm`, another balancer.

Rule 1: ours is what the running configuration names, and what a former configuration of ours named and is still there.
Rule 2: everything else is foreign and touched by no step: services, and destinations inside of our services.
Rule 3: a service of ours stays as long as a foreign destination is in it; removing it would take that one along.
Rule 4: what is ours is written down before the first step that makes it (`memory_text`), so that whoever is killed at
any moment knows it at the next start. Without that memory only what the configuration names is ours.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType

import msgspec

from piranha.config.model import Address, Forwarding, HostName, Protocol
from piranha.ipvs.drain import Draining
from piranha.ipvs.table import DestinationKey, Entry, Place, RemoveService, Service, Step, Table, TableKey

NO_TIMEOUTS = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Owned:
    """The keys of services and the places of destinations that are ours, be they in the table or not."""

    services: frozenset[TableKey] = frozenset()
    places: frozenset[Place] = frozenset()


NOTHING = Owned()


@dataclass(frozen=True, slots=True)
class TableMemory:
    """What must be known after a crash and cannot be read from the kernel.

    `draining`: their `ends_at` are monotonic seconds of this boot. `timeouts`: TCP, TCP after a FIN, UDP in seconds as
    they were before we set them, 0 for one that we never set. `sync`: role, interface and id of the sync daemon that
    we started, None for none. `names`: the addresses of host names in what runs, for a start without a resolver.
    """

    owned: Owned = NOTHING
    draining: tuple[Draining, ...] = ()
    timeouts: tuple[int, int, int] = NO_TIMEOUTS
    sync: tuple[str, str, int] | None = None
    names: tuple[tuple[HostName, Address], ...] = ()


def named(services: Collection[TableKey], places: Collection[Place], draining: Collection[Draining]) -> Owned:
    """Return what a configuration names: its services, its places, and what of a former one still drains."""
    drains = frozenset(drain.place for drain in draining)
    return Owned(frozenset(services) | {key for key, _ in drains}, frozenset(places) | drains)


def claimed(before: Owned, now_named: Owned, table: Table) -> Owned:
    """Return what is ours now: what is named, and what was ours before and is in the table still."""
    there = frozenset((key, each) for key, entry in table.items() for each in entry.destinations)
    return Owned(
        now_named.services | (before.services & table.keys()),
        now_named.places | (before.places & there),
    )


def touchable(table: Table, owned: Owned) -> Table:
    """Return the part of a table that steps may name."""
    found: dict[TableKey, Entry] = {}
    for key, entry in table.items():
        if key in owned.services:
            mine = {each: there for each, there in entry.destinations.items() if (key, each) in owned.places}
            found[key] = Entry(entry.service, MappingProxyType(mine))
    return MappingProxyType(found)


def foreign_in(key: TableKey, table: Table, owned: Owned) -> tuple[DestinationKey, ...]:
    """Return the destinations of a service that are not ours."""
    entry = table.get(key)
    return tuple(each for each in entry.destinations if (key, each) not in owned.places) if entry is not None else ()


def sparing(steps: Sequence[Step], table: Table, owned: Owned) -> tuple[Step, ...]:
    """Return the steps without the removals of services that have foreign destinations."""
    return tuple(
        step for step in steps if not isinstance(step, RemoveService) or not foreign_in(step.key, table, owned)
    )


# The memory as text

_Key = tuple[str, str, int, int]
"""Protocol, address, port, mark; "" and 0 where there is none. The address of a mark is `_ANY` of its IP version."""
_ANY = {4: "0.0.0.0", 6: "::"}
_VERSION_OF = {written: version for version, written in _ANY.items()}
_Spot = tuple[_Key, str, int]


@dataclass(frozen=True, slots=True)
class _Drain:
    place: _Spot
    forwarding: str
    scheduler: str
    persistent_s: int
    persistence_prefix: int
    ends_at: float
    settles_at: float


@dataclass(frozen=True, slots=True)
class _Record:
    boot_id: str
    services: tuple[_Key, ...]
    places: tuple[_Spot, ...]
    draining: tuple[_Drain, ...]
    timeouts: tuple[int, int, int]
    sync: tuple[str, str, int] | None
    names: tuple[tuple[str, str], ...]


def memory_text(memory: TableMemory, boot_id: str) -> bytes:
    """Return the memory as it is kept. `boot_id`: which boot of the machine this is."""
    drains = tuple(
        _Drain(
            _spot(drain.place),
            drain.forwarding.value,
            drain.service.scheduler,
            drain.service.persistent_s,
            drain.service.persistence_prefix,
            drain.ends_at,
            drain.settles_at,
        )
        for drain in memory.draining
    )
    record = _Record(
        boot_id,
        tuple(sorted(map(_key, memory.owned.services))),
        tuple(sorted(map(_spot, memory.owned.places))),
        drains,
        memory.timeouts,
        memory.sync,
        tuple((name, str(address)) for name, address in memory.names),
    )
    return msgspec.json.encode(record)


def memory_of(raw: bytes, boot_id: str) -> TableMemory:
    """Return the memory that was kept; an empty one if it is of another boot: the kernel has forgotten everything too.

    Raises ValueError where the text makes no sense.
    """
    try:
        record = msgspec.json.decode(raw, type=_Record)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if record.boot_id != boot_id:
        return TableMemory()
    versions = _versions_of_old_marks(record)
    drains = []
    for each in record.draining:
        key, destination_key = _place_of(each.place, versions)
        # Those that wrote no version counted the prefix of an IPv6 mark as an IPv4 mask: 32 for each client alone.
        is_old = key.fwmark and not each.place[0][1]
        prefix = 128 if is_old and key.version == 6 else each.persistence_prefix
        service = Service(each.scheduler, each.persistent_s, prefix)
        forwarding = Forwarding(each.forwarding)
        drains.append(Draining(key, destination_key, forwarding, service, each.ends_at, each.settles_at))
    services = frozenset(_key_of(each, versions) for each in record.services)
    owned = Owned(services, frozenset(_place_of(each, versions) for each in record.places))
    names = tuple((HostName(name), ip_address(address)) for name, address in record.names)
    return TableMemory(owned, tuple(drains), record.timeouts, record.sync, names)


def _key(key: TableKey) -> _Key:
    if key.fwmark:
        return "", _ANY[key.version], 0, key.fwmark
    address = "" if key.address is None else str(key.address)
    return ("" if key.protocol is None else key.protocol.value, address, key.port, 0)


def _key_of(written: _Key, old_marks: Mapping[int, int]) -> TableKey:
    protocol, address, port, fwmark = written
    if fwmark:
        version = _VERSION_OF[address] if address in _VERSION_OF else old_marks.get(fwmark, 4)
        return TableKey(fwmark=fwmark, mark_version=version)
    return TableKey(Protocol(protocol) if protocol else None, ip_address(address) if address else None, port)


def _versions_of_old_marks(record: _Record) -> dict[int, int]:
    """Return the IP version of each mark that was written without one: it was that of its first real server."""
    found: dict[int, int] = {}
    for (_, address, _, fwmark), server, _ in (*record.places, *(drain.place for drain in record.draining)):
        if fwmark and not address:
            found.setdefault(fwmark, ip_address(server).version)
    return found


def _spot(place: Place) -> _Spot:
    key, destination_key = place
    return _key(key), str(destination_key.address), destination_key.port


def _place_of(written: _Spot, old_marks: Mapping[int, int]) -> Place:
    key, address, port = written
    return _key_of(key, old_marks), DestinationKey(ip_address(address), port)
