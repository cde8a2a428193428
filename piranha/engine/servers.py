"""The real servers of a cluster in force: their checks, weights and names, and whom an Apply must wait for."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from piranha.config.model import Address, Cluster, HostName, RealServer, RealServerKey, VirtualServer
from piranha.health.check import Check, check_of
from piranha.health.machine import ServerHealth
from piranha.health.overrides import Override, indexed, weight_by_hand
from piranha.health.tuning import Tuned
from piranha.health.weight import Weighed, weigh
from piranha.ipvs.desired import desired
from piranha.ipvs.table import Place, Table, TableKey
from piranha.status import HealthState

log = logging.getLogger("lvs")


def active_servers(cluster: Cluster) -> Sequence[tuple[VirtualServer, RealServer, RealServerKey]]:
    """Return the real servers that are in force, each with its virtual server and its key."""
    found = next((each for each in tuple(_lately_active) if each[0] is cluster), None)
    if found is None:
        found = cluster, tuple(_active(cluster))
        _lately_active.appendleft(found)
    return found[1]


_lately_active: deque[tuple[Cluster, Sequence[tuple[VirtualServer, RealServer, RealServerKey]]]] = deque(maxlen=3)
"""The last answers: of what runs it is asked again every second, and of what is saved with each look at the plan."""


def _active(cluster: Cluster) -> Iterator[tuple[VirtualServer, RealServer, RealServerKey]]:
    for virtual in cluster.active_virtual_servers:
        service = virtual.key
        if service is None:
            continue
        for server in virtual.servers:
            if server.is_active and server.address is not None:
                yield virtual, server, RealServerKey(service, server.address, server.port)


def checks_of(cluster: Cluster) -> dict[RealServerKey, Check]:
    """Return the checks of a cluster, one for each real server that can be checked."""
    found: dict[RealServerKey, Check] = {}
    for virtual, server, key in active_servers(cluster):
        check = check_of(virtual, server)
        if isinstance(check, Check):
            found.setdefault(key, check)
    return found


def weighed_servers(
    cluster: Cluster,
    healths: Mapping[RealServerKey, ServerHealth],
    overrides: Sequence[Override],
    tuned: Mapping[RealServerKey, Tuned] = MappingProxyType({}),
    *,
    is_hopeful: bool = False,
) -> dict[RealServerKey, Weighed]:
    """Return the weight of every active server. `is_hopeful`: those not checked yet count as up.

    `tuned`: what slow start and load make of the configured weights.
    """
    found: dict[RealServerKey, Weighed] = {}
    by_address = indexed(overrides)
    for virtual, server, key in active_servers(cluster):
        by_hand = weight_by_hand(key, by_address.get(str(key.address), ())) if by_address else None
        health = healths.get(key)
        is_known = health is not None and health.state is not HealthState.UNKNOWN
        if is_hopeful and not is_known and isinstance(check_of(virtual, server), Check):
            found[key] = Weighed(server.weight if by_hand is None else by_hand, True, "not checked yet")
        else:
            found[key] = weigh(server, health, virtual.quiesces, by_hand, tuned.get(key))
    return found


async def heard_of_all(
    awaited: Collection[RealServerKey],
    is_known: Callable[[RealServerKey], bool],
    heard: asyncio.Event,
    limit_s: float,
) -> None:
    """Wait until every check of these had its say, `limit_s` seconds at most. `heard` is set with every check."""
    try:
        async with asyncio.timeout(limit_s):
            while not all(map(is_known, awaited)):
                heard.clear()
                await heard.wait()
    except TimeoutError:
        log.warning("The first checks of new real servers took longer than %g s.", limit_s)


def names_of(cluster: Cluster) -> set[HostName]:
    """Return the host names whose addresses are needed to run a cluster."""
    hosts = [virtual.address.host for virtual in cluster.active_virtual_servers if virtual.address is not None]
    hosts += [key.address for _, _, key in active_servers(cluster)]
    return {HostName(host) for host in hosts if isinstance(host, str)}


def needed_first(
    cluster: Cluster,
    resolved: Mapping[HostName, Address],
    weighed: Mapping[RealServerKey, Weighed],
    present: Table,
    is_known: Callable[[RealServerKey], bool],
) -> frozenset[RealServerKey]:
    """Return the new servers that alone would serve where there is traffic now.

    One that the table has already with a weight serves until its first check says otherwise.
    """
    serving = {key for key, entry in present.items() if any(each.weight for each in entry.destinations.values())}
    servers_of: dict[TableKey, set[RealServerKey]] = {}
    links: Mapping[RealServerKey, Place] = desired(cluster, {}, resolved).links
    for real_key, (table_key, _) in links.items():
        servers_of.setdefault(table_key, set()).add(real_key)

    def serves(real_key: RealServerKey) -> bool:
        verdict = weighed[real_key]
        if verdict.is_known:
            return bool(verdict.weight)
        key, destination_key = links[real_key]
        there = present[key].destinations.get(destination_key)
        return there is not None and there.weight > 0

    checked = checks_of(cluster).keys()
    return frozenset(
        key
        for table_key in serving & servers_of.keys()
        if not any(map(serves, servers_of[table_key]))
        for key in servers_of[table_key]
        if key in checked and not is_known(key)
    )


def in_table(cluster: Cluster, resolved: Mapping[HostName, Address], present: Table) -> frozenset[RealServerKey]:
    """Return the real servers of a cluster that a table has."""
    links = desired(cluster, {}, resolved).links
    return frozenset(
        real_key for real_key, (key, each) in links.items() if key in present and each in present[key].destinations
    )
