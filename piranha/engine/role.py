"""Which of two routers this one is, until the two talk to one another: only the primary becomes active.

Rule 1: without a backup router this one is active.
Rule 2: with one, the router that has the address `primary` is active. The other one runs its checks and stays passive:
two active routers would fight for the same floating addresses.
Rule 3: who is active stays so until lvs.cf names other routers: an address that is gone for a moment, as when the
network is restarted, takes no table away.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from piranha.config.model import Address, Cluster, Host, HostName
from piranha.errors import PiranhaError

LOOKS_EVERY_S = 3.0
_LATER = "Failover between two routers comes with a later version."


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


def standing_of(cluster: Cluster, resolved: Mapping[HostName, Address], here: Collection[Address]) -> Standing:
    """Return this router's standing. `here`: the addresses it has."""
    if not has_backup(cluster):
        return ACTIVE
    primary = _address(cluster.primary, resolved)
    if primary is None:
        what = f"the name {cluster.primary} was not found" if cluster.primary else "lvs.cf has no primary"
        return Standing(
            False, f"{_LATER} Which router is the primary is not known ({what}), so this one stays passive."
        )
    if primary in here:
        return ACTIVE
    if _address(cluster.backup, resolved) in here:
        return Standing(False, f"{_LATER} This router is the backup and stays passive.")
    return Standing(
        False,
        f"{_LATER} This router has neither the address of the primary ({primary}) nor that of the backup, "
        "so it stays passive. Correct primary and backup in lvs.cf, or give it its address.",
    )


class Role:
    """The standing of this router, looked up when lvs.cf changes and now and then while it is passive."""

    def __init__(self, addresses_here: Callable[[], Collection[Address]], now: Callable[[], float]) -> None:
        """`addresses_here` returns this machine's addresses and raises PiranhaError; `now` is monotonic seconds."""
        self._addresses_here = addresses_here
        self._now = now
        self._routers: tuple[object, ...] = ()
        self._standing = Standing(False)
        self._looks_at = 0.0

    def of(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> Standing:
        """Return this router's standing in a cluster."""
        if not has_backup(cluster):
            return ACTIVE
        routers = (_address(cluster.primary, resolved), cluster.primary, _address(cluster.backup, resolved))
        if routers == self._routers and (self._standing.is_active or self._now() < self._looks_at):
            return self._standing
        try:
            here = self._addresses_here()
        except PiranhaError as error:
            return Standing(False, f"{error} Which router this is is not known, so it stays passive.")
        self._routers, self._looks_at = routers, self._now() + LOOKS_EVERY_S
        self._standing = standing_of(cluster, resolved, here)
        return self._standing


def _address(host: Host | None, resolved: Mapping[HostName, Address]) -> Address | None:
    if host is None:
        return None
    if isinstance(host, str):
        return resolved.get(host)
    return ip_address(host)
