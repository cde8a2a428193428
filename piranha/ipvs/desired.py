"""The table as it should be: cluster, weights, resolved names and drains in, a table out.

Rule 1: a failed check never "removes a server". It changes a weight here, and `plan` finds the difference.
Rule 2: of two blocks for one place in the table the first wins; the other is omitted, with the reason. Which
one is first is a matter of the file, never of health.
Rule 3: under `direct` and `tunnel` a packet keeps its port, so the destination has the service's. A mark
stands for several ports: port 0 keeps the client's, unless the real server has a port of its own under `nat` (which
the kernel follows without persistence only; a fault of lvs.cf says so).
A mark's packets have the IP version of its virtual IP address, whatever its real servers have: a tunnel may change it.
Rule 4: what drains stays, with weight 0, until `drain` says that it is over. sh, mh and dh keep leading clients to a
destination of weight 0, and refuse them: sh and mh get their fallback as long as there is one; dh knows none, so that
what an Apply removes from it goes at once.
Rule 5: a server that is in the table already and was not heard of yet (after a restart) keeps the weight it has there
until its first verdict, and so does a sorry server until every check has had its say.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from piranha.config.model import (
    Address,
    Cluster,
    Forwarding,
    Host,
    HostName,
    RealServer,
    RealServerKey,
    ServiceKey,
    VirtualServer,
)
from piranha.health.weight import Weighed
from piranha.ipvs.drain import Draining
from piranha.ipvs.table import Destination, DestinationKey, Entry, Place, Service, Table, TableKey

FALLS_BACK = ("sh", "mh")


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired table and how it came to be.

    `links` says where each real server stands, or would stand if its weight allowed it; `services` the same
    for virtual servers, by written path; `sorry` which destination is a sorry server in force. `omitted`
    says, by written path, why a block is not served, and what to do. `undrained`: what was to drain and cannot.
    """

    table: Table
    links: Mapping[RealServerKey, Place]
    omitted: Mapping[str, str]
    services: Mapping[str, TableKey] = field(default_factory=lambda: MappingProxyType({}))
    sorry: Mapping[TableKey, DestinationKey] = field(default_factory=lambda: MappingProxyType({}))
    undrained: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True)
class _Placed:
    """A virtual server with its key in the table, and its real servers with theirs."""

    virtual: VirtualServer
    service_key: ServiceKey
    key: TableKey
    servers: tuple[tuple[RealServer, RealServerKey, DestinationKey], ...]
    sorry: DestinationKey | None


def desired(
    cluster: Cluster,
    weighed: Mapping[RealServerKey, Weighed],
    resolved: Mapping[HostName, Address],
    draining: Collection[Draining] = (),
    present: Table = MappingProxyType({}),
    unheard: Collection[RealServerKey] = (),
) -> Desired:
    """Return the table that the cluster, the weights and the drains ask for.

    `unheard`: servers whose first check is still to come; those in `present` stay as they are there.
    """
    omitted: dict[str, str] = {}
    entries: dict[TableKey, tuple[Service, dict[DestinationKey, Destination]]] = {}
    links: dict[RealServerKey, Place] = {}
    services: dict[str, TableKey] = {}
    sorry: dict[TableKey, DestinationKey] = {}
    named: set[Place] = set()
    for placed in _placed(cluster, resolved, omitted):
        destinations: dict[DestinationKey, Destination] = {}
        for _, real_key, destination_key in placed.servers:
            links[real_key] = (placed.key, destination_key)
            named.add((placed.key, destination_key))
            verdict = weighed.get(real_key)
            if verdict is not None and verdict.weight is not None:
                destinations[destination_key] = Destination(cluster.forwarding, verdict.weight)
            elif real_key in unheard and (there := _there(present, placed.key, destination_key)) is not None:
                destinations[destination_key] = Destination(cluster.forwarding, there.weight)
        if placed.sorry is not None and (
            _is_sorry(placed, weighed) or _stays_sorry(placed, destinations, present, unheard)
        ):
            destinations[placed.sorry] = Destination(cluster.forwarding, 1)
            sorry[placed.key] = placed.sorry
            named.add((placed.key, placed.sorry))
        services[placed.virtual.id] = placed.key
        entries[placed.key] = (_service(placed), destinations)
    undrained: set[Place] = set()
    for drain in draining:
        if drain.place not in named:
            service, destinations = entries.setdefault(drain.key, (drain.service, {}))
            if service.scheduler == "dh" and _has_takers(destinations):
                undrained.add(drain.place)
            else:
                destinations[drain.destination_key] = Destination(drain.forwarding, 0)
    table = {key: _entry(service, destinations) for key, (service, destinations) in entries.items()}
    return Desired(
        MappingProxyType(table),
        MappingProxyType(links),
        MappingProxyType(omitted),
        MappingProxyType(services),
        MappingProxyType(sorry),
        frozenset(undrained),
    )


def _has_takers(destinations: Mapping[DestinationKey, Destination]) -> bool:
    return any(destination.weight > 0 for destination in destinations.values())


def _entry(service: Service, destinations: Mapping[DestinationKey, Destination]) -> Entry:
    is_some_zero = any(destination.weight <= 0 for destination in destinations.values())
    if service.scheduler in FALLS_BACK:
        service = replace(service, has_fallback=is_some_zero and _has_takers(destinations))
    return Entry(service, MappingProxyType(destinations))


def configured(cluster: Cluster, resolved: Mapping[HostName, Address]) -> frozenset[Place]:
    """Return every place that the configuration names, whatever the health of what stands there.

    Sorry servers are among them. What leaves this set by an Apply drains (`drain.what_drains`).
    """
    known = _known(cluster, resolved)
    if known.places is None:
        places: set[Place] = set()
        for placed in known.placed:
            places.update((placed.key, destination_key) for _, _, destination_key in placed.servers)
            if placed.sorry is not None:
                places.add((placed.key, placed.sorry))
        known.places = frozenset(places)
    return known.places


def _placed(cluster: Cluster, resolved: Mapping[HostName, Address], omitted: dict[str, str]) -> tuple[_Placed, ...]:
    """Return the virtual servers in force by file order; the reasons of those left out go into `omitted`."""
    known = _known(cluster, resolved)
    omitted.update(known.omitted)
    return known.placed


@dataclass(slots=True)
class _Known:
    """What was found out about a cluster. `places` None: nobody has asked for them."""

    cluster: Cluster
    resolved: Mapping[HostName, Address]
    placed: tuple[_Placed, ...]
    omitted: Mapping[str, str]
    places: frozenset[Place] | None = None


def _known(cluster: Cluster, resolved: Mapping[HostName, Address]) -> _Known:
    for each in tuple(_lately_known):
        if each.cluster is cluster and each.resolved == resolved:
            return each
    omitted: dict[str, str] = {}
    found = _Known(cluster, dict(resolved), _place(cluster, resolved, omitted), omitted)
    _lately_known.appendleft(found)
    return found


_lately_known: deque[_Known] = deque(maxlen=4)
"""The last answers: of what runs it is asked again every second, and of what is saved with each look at the plan."""


def _place(cluster: Cluster, resolved: Mapping[HostName, Address], omitted: dict[str, str]) -> tuple[_Placed, ...]:
    found: dict[TableKey | int, _Placed] = {}
    for virtual in cluster.active_virtual_servers:
        service_key = virtual.key
        key = _table_key(virtual, resolved)
        if service_key is None or key is None:
            host = virtual.address.host if virtual.address is not None else None
            omitted[virtual.id] = _without_address(host, "virtual server")
        elif (first := found.get(key.fwmark or key)) is not None:
            omitted[virtual.id] = _twice(key, first)
        else:
            servers = _servers(cluster, virtual, service_key, key, resolved, omitted)
            sorry_port = 0 if key.fwmark else key.port
            sorry = DestinationKey(virtual.sorry_server, sorry_port) if virtual.sorry_server is not None else None
            # A mark is served for one IP version: overrides and checks know it by its number alone.
            found[key.fwmark or key] = _Placed(virtual, service_key, key, servers, sorry)
    return tuple(found.values())


def _twice(key: TableKey, first: _Placed) -> str:
    if key.fwmark:
        return f"Firewall mark {key.fwmark} is served already by {first.virtual.id}. Give one of them another mark."
    return f"{key.words} is served already by {first.virtual.id}. Change one of them, or deactivate it."


def _servers(
    cluster: Cluster,
    virtual: VirtualServer,
    service_key: ServiceKey,
    key: TableKey,
    resolved: Mapping[HostName, Address],
    omitted: dict[str, str],
) -> tuple[tuple[RealServer, RealServerKey, DestinationKey], ...]:
    found: dict[DestinationKey, tuple[RealServer, RealServerKey, DestinationKey]] = {}
    for server in virtual.servers:
        if not server.is_active:
            continue
        address = _resolved(server.address, resolved)
        if server.address is None or address is None:
            omitted[server.id] = _without_address(server.address, "real server")
            continue
        destination_key = DestinationKey(address, _destination_port(cluster.forwarding, server, key))
        if destination_key in found:
            first = found[destination_key][0]
            omitted[server.id] = f"{destination_key} is in {key.words} already, by {first.id}. Remove one of the two."
            continue
        real_key = RealServerKey(service_key, server.address, server.port)
        found[destination_key] = (server, real_key, destination_key)
    return tuple(found.values())


def _destination_port(forwarding: Forwarding, server: RealServer, key: TableKey) -> int:
    if forwarding is not Forwarding.NAT:
        return key.port
    if key.fwmark:
        return server.port if server.has_own_port else 0
    return server.port


def _is_sorry(placed: _Placed, weighed: Mapping[RealServerKey, Weighed]) -> bool:
    """Say whether nobody serves, and every check has had its say about that (never before the first results)."""
    active = [server for server in placed.virtual.servers if server.is_active and server.address is not None]
    for server in active:
        assert server.address is not None
        verdict = weighed.get(RealServerKey(placed.service_key, server.address, server.port))
        if verdict is None or not verdict.is_known:
            return False
    in_table = [weighed[real_key] for _, real_key, _ in placed.servers]
    return all(verdict.weight is None or verdict.weight <= 0 for verdict in in_table)


def _stays_sorry(
    placed: _Placed,
    destinations: Mapping[DestinationKey, Destination],
    present: Table,
    unheard: Collection[RealServerKey],
) -> bool:
    """Say whether a sorry server that is in the table goes on: nobody serves, and not every check was heard yet.

    An engine that starts again while no real server is up finds the table so.
    """
    return (
        placed.sorry is not None
        and _there(present, placed.key, placed.sorry) is not None
        and any(real_key in unheard for _, real_key, _ in placed.servers)
        and not _has_takers(destinations)
    )


def _there(present: Table, key: TableKey, destination_key: DestinationKey) -> Destination | None:
    entry = present.get(key)
    return entry.destinations.get(destination_key) if entry is not None else None


def _mark_version(virtual: VirtualServer, resolved: Mapping[HostName, Address]) -> int:
    """Return the IP version of a mark's packets: that of its virtual IP address.

    Without one, that of its first real server in force; without any, 4.
    """
    host = virtual.address.host if virtual.address is not None else None
    servers = (server.address for server in virtual.servers if server.is_active)
    for address in (_resolved(each, resolved) for each in (host, *servers)):
        if address is not None and int(address):
            return address.version
    return 4


def _table_key(virtual: VirtualServer, resolved: Mapping[HostName, Address]) -> TableKey | None:
    if virtual.fwmark:
        return TableKey(fwmark=virtual.fwmark, mark_version=_mark_version(virtual, resolved))
    if virtual.address is None:
        return None
    address = _resolved(virtual.address.host, resolved)
    return None if address is None else TableKey(virtual.protocol, address, virtual.port)


def _service(placed: _Placed) -> Service:
    virtual, is_ipv6 = placed.virtual, placed.key.version == 6
    width = 128 if is_ipv6 else 32
    # `pmask` is an IPv4 mask; it says nothing about IPv6 clients, who are told apart one by one.
    masked = virtual.persistent_s > 0 and virtual.pmask is not None and not is_ipv6
    prefix = int(virtual.pmask).bit_count() if masked and virtual.pmask is not None else width
    return Service(virtual.scheduler, virtual.persistent_s, prefix)


def _resolved(host: Host | None, resolved: Mapping[HostName, Address]) -> Address | None:
    if host is None:
        return None
    return resolved.get(host) if isinstance(host, str) else host


def _without_address(host: Host | None, what: str) -> str:
    if host is None:
        return f"This {what} has no address. Write one in lvs.cf."
    return f"The name {host} of this {what} was not found. Write its address, or tell the resolver the name."
