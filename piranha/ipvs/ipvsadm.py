"""The table that a cluster asks for, as the lines that `ipvsadm-save -n` writes and `ipvsadm -R` reads.

Rule 1: all checks count as good, so every active real server is there with its configured weight. A sorry server is
there only where no real server can take a connection.
Rule 2: services stand in file order, their destinations too.
Rule 3: what ipvsadm or the kernel would refuse is left out and named with the reason, never written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from types import MappingProxyType

from piranha.config.fields import Scope, Value, field
from piranha.config.model import (
    Address,
    Cluster,
    Forwarding,
    Host,
    HostName,
    Protocol,
    RealServerKey,
    VirtualServer,
)
from piranha.health.weight import Weighed
from piranha.ipvs.desired import desired
from piranha.ipvs.table import Destination, DestinationKey, Entry, TableKey

_METHODS = {Forwarding.NAT: "-m", Forwarding.DIRECT: "-g", Forwarding.TUNNEL: "-i"}
_FLAGS = {Protocol.TCP: "-t", Protocol.UDP: "-u"}
_WIDTH = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class IpvsRules:
    """`lines`: one rule each, without line end. `left_out`: by written path, why a block is not among them."""

    lines: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def rules_of(cluster: Cluster, resolved: Mapping[HostName, Address] | None = None) -> IpvsRules:
    """Return the rules of a cluster. `resolved`: the addresses of host names; None: nobody asked the resolver."""
    left_out: list[tuple[str, str]] = []
    usable = replace(cluster, virtual_servers=_usable(cluster, left_out))
    addresses = resolved or MappingProxyType({})
    wanted = desired(usable, _all_good(usable, addresses), addresses)
    lines: list[str] = []
    for path, key in wanted.services.items():
        entry, version = wanted.table[key], key.version
        flags = _service_flags(key)
        lines.append(_service_line(flags, entry, version))
        for destination_key, destination in entry.destinations.items():
            if destination_key.address.version != version and destination.forwarding is not Forwarding.TUNNEL:
                reason = f"{destination_key} is no IPv{version} address, and only tunneling can change that."
                left_out.append((path, reason))
                continue
            lines.append(_destination_line(flags, destination_key, destination))
    not_asked = _not_asked(usable) if resolved is None else {}
    left_out += [(path, not_asked.get(path, reason)) for path, reason in wanted.omitted.items()]
    return IpvsRules(tuple(lines), tuple(left_out))


def _usable(cluster: Cluster, left_out: list[tuple[str, str]]) -> tuple[VirtualServer, ...]:
    """Return the virtual servers in force without what has a number that no table can hold."""
    usable = []
    for virtual in cluster.active_virtual_servers:
        reason = _out_of_range(
            Scope.VIRTUAL,
            {
                "fwmark": virtual.fwmark,
                "port": virtual.port,
                "persistent": virtual.persistent_s,
                "pmask": virtual.pmask if virtual.persistent_s else None,
            },
        )
        if reason:
            left_out.append((virtual.id, reason))
            continue
        servers = []
        for server in virtual.servers:
            reason = _out_of_range(Scope.SERVER, {"port": server.port, "weight": server.weight})
            if server.is_active and reason:
                left_out.append((server.id, reason))
            else:
                servers.append(server)
        usable.append(replace(virtual, servers=tuple(servers)))
    return tuple(usable)


def _out_of_range(scope: Scope, values: Mapping[str, Value]) -> str:
    for keyword, value in values.items():
        row = field(scope, keyword)
        assert row is not None
        fault = row.range_fault(value)
        if fault is not None:
            return f"{keyword}: {fault.message}"
    return ""


def _all_good(cluster: Cluster, resolved: Mapping[HostName, Address]) -> dict[RealServerKey, Weighed]:
    """Return each real server's weight when its check is good; one without an address cannot be checked."""
    weighed = {}
    for virtual in cluster.virtual_servers:
        if virtual.key is None:
            continue
        for server in virtual.servers:
            if server.address is not None:
                is_checked = not isinstance(server.address, str) or server.address in resolved
                key = RealServerKey(virtual.key, server.address, server.port)
                weighed[key] = Weighed(server.weight if is_checked else None, is_checked, "")
    return weighed


def _service_flags(key: TableKey) -> str:
    if key.fwmark:
        return f"-f {key.fwmark}{' -6' if key.version == 6 else ''}"
    assert key.protocol is not None and key.address is not None
    return f"{_FLAGS[key.protocol]} {DestinationKey(key.address, key.port)}"


def _service_line(flags: str, entry: Entry, version: int) -> str:
    service = entry.service
    line = f"-A {flags} -s {service.scheduler}"
    if service.persistent_s > 0:
        line += f" -p {service.persistent_s}"
        # A `pmask` is an IPv4 netmask, which says nothing about IPv6 clients.
        if version == 4 and service.persistence_prefix < _WIDTH[4]:
            line += f" -M {_netmask(service.persistence_prefix)}"
    if service.has_fallback:
        line += f" -b {service.scheduler}-fallback"
    return line


def _destination_line(flags: str, key: DestinationKey, destination: Destination) -> str:
    return f"-a {flags} -r {key} {_METHODS[destination.forwarding]} -w {destination.weight}"


def _netmask(prefix: int) -> IPv4Address:
    return IPv4Address((0xFFFFFFFF << (_WIDTH[4] - prefix)) & 0xFFFFFFFF)


def _not_asked(cluster: Cluster) -> dict[str, str]:
    """Return, by written path, the reason for the blocks whose host name nobody has looked up."""
    reasons: dict[str, str] = {}
    for virtual in cluster.virtual_servers:
        hosts: dict[str, Host | None] = {virtual.id: virtual.address.host if virtual.address is not None else None}
        hosts |= {server.id: server.address for server in virtual.servers}
        reasons |= {
            path: f"The name {host} was not looked up." for path, host in hosts.items() if isinstance(host, str)
        }
    return reasons
