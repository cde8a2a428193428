"""Which virtual servers may have their addresses: those that can serve, or whose checks have had their say.

An address that comes before its real servers makes the router refuse connections that would succeed a moment later.
"""

from collections.abc import Mapping
from dataclasses import replace

from piranha.config.model import Cluster, RealServerKey
from piranha.health.machine import ServerHealth
from piranha.ipvs.desired import Desired
from piranha.ipvs.table import TableKey
from piranha.status import HealthState


class Settled:
    """Remembers who was settled once: an address that was carried stays while its real servers come and go."""

    def __init__(self) -> None:
        self._settled: set[TableKey] = set()
        self._ends_at = 0.0
        self._has_followed = False

    def begin(self, ends_at: float) -> None:
        """Wait anew for virtual servers that come, until then at most (monotonic seconds)."""
        self._ends_at = ends_at

    def carried(
        self, cluster: Cluster, target: Desired, healths: Mapping[RealServerKey, ServerHealth], now: float
    ) -> Cluster | None:
        """Return the cluster without the virtual servers that still wait; None: leave the addresses as they are.

        An engine that starts again has addresses from before; they are not taken away for the time of the first checks.
        """
        waiting = self._waiting(target, healths, now)
        if waiting and not self._has_followed:
            return None
        self._has_followed = True
        if not waiting:
            return cluster
        virtuals = tuple(virtual for virtual in cluster.virtual_servers if virtual.id not in waiting)
        return replace(cluster, virtual_servers=virtuals)

    def _waiting(self, target: Desired, healths: Mapping[RealServerKey, ServerHealth], now: float) -> set[str]:
        """Return, by written path, the virtual servers that nobody serves while checks are still to come."""
        self._settled &= set(target.services.values())
        if now >= self._ends_at:
            self._settled = set(target.services.values())
        unknown = [real_key for real_key, health in healths.items() if health.state is HealthState.UNKNOWN]
        unheard = {target.links[real_key][0] for real_key in unknown if real_key in target.links}
        waiting: set[str] = set()
        for path, key in target.services.items():
            entry = target.table.get(key)
            serves = entry is not None and any(each.weight for each in entry.destinations.values())
            if key in self._settled or serves or key not in unheard:
                self._settled.add(key)
            else:
                waiting.add(path)
        return waiting
