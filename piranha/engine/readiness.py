"""How the balancer does, as pulse is told it: whether it works, and whether it could take over at this moment."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from piranha.health.machine import ServerHealth
from piranha.pulse.messages import Found
from piranha.status import HealthState

if TYPE_CHECKING:
    from piranha.engine.balancer import Balancer

UNWELL_AFTER_S = 5.0
"""A table that cannot be read for a moment makes no failover."""
COUNT_MOST = 65535


class Readiness:
    """Looks at one balancer."""

    def __init__(self, now: Callable[[], float], digest: Callable[[], str]) -> None:
        """`now` is monotonic seconds, `digest` returns that of what runs (`config.shared_part`), hexadecimal."""
        self.balancer: Balancer | None = None
        self._digest = digest
        self._now = now
        self._unwell_since: float | None = None

    def found(self) -> Found:
        """Return how it does now."""
        balancer = self.balancer
        if balancer is None:
            return Found()
        trouble = balancer.trouble
        if not trouble:
            self._unwell_since = None
        elif self._unwell_since is None:
            self._unwell_since = self._now()
        unwell_s = self._now() - self._unwell_since if self._unwell_since is not None else 0.0
        healths = balancer.nanny.healths.values()
        is_well = unwell_s < UNWELL_AFTER_S
        return Found(
            is_well=is_well,
            is_ready=is_well and not trouble and _have_all_been_checked(healths),
            reason="" if is_well else trouble,
            digest=self._digest(),
            servers_up=min(COUNT_MOST, sum(each.state is HealthState.UP for each in healths)),
            servers=min(COUNT_MOST, len(healths)),
            virtual=min(COUNT_MOST, len(balancer.cluster.active_virtual_servers)),
        )


def _have_all_been_checked(healths: Collection[ServerHealth]) -> bool:
    return all(each.state is not HealthState.UNKNOWN for each in healths)
