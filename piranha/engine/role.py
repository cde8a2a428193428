"""Whether this router is active, and whether there are two of them at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from piranha.config.model import Address, Cluster, Host, HostName


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether this router is active, and if not, why, for the log and the status."""

    is_active: bool
    reason: str = ""


ACTIVE = Standing(True)


def has_backup(cluster: Cluster) -> bool:
    """Say whether a cluster has two routers."""
    backup = cluster.backup
    is_given = backup is not None and (isinstance(backup, str) or int(backup) != 0)
    return cluster.is_backup_active and is_given


def address_of(host: Host | None, resolved: Mapping[HostName, Address]) -> Address | None:
    """Return the address of a router, None while it is not known."""
    if host is None:
        return None
    if isinstance(host, str):
        return resolved.get(host)
    return ip_address(host)


def router_names_of(cluster: Cluster) -> set[HostName]:
    """Return the host names of the two routers, as far as they are names."""
    routers = (cluster.primary, cluster.backup, cluster.primary_private, cluster.backup_private)
    return {HostName(host) for host in routers if isinstance(host, str)} if has_backup(cluster) else set()
