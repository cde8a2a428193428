"""Configured weight, health, quiesce, slow start, load and what was set by hand give one weight for the table.

This is the only place where health becomes a weight.
"""

from dataclasses import dataclass

from piranha.config.model import RealServer
from piranha.health.machine import ServerHealth
from piranha.health.tuning import Tuned
from piranha.status import HealthState


@dataclass(frozen=True, slots=True)
class Weighed:
    """The weight a real server has in the table.

    `weight` None: it is not in the table; 0: it gets no new connections. `is_known`: a check has said
    something (before that nothing is concluded from its absence). `explanation` says why the weight differs
    from the configured one, "" if it does not.
    """

    weight: int | None
    is_known: bool
    explanation: str


def weigh(
    server: RealServer, health: ServerHealth | None, quiesces: bool, override: int | None, tuned: Tuned | None = None
) -> Weighed:
    """Return the weight of a real server.

    `quiesces`: a server that was up and fails stays in the table with weight 0 (`quiesce_server`). `override`
    is a weight set by hand, 0 for a drain, None for none; it stands in for the configured weight while the
    server is up, and never puts an unhealthy server into the table. `tuned`: what slow start and the load make of the
    configured weight, None: nothing; a weight set by hand is meant as it is, so they change nothing of it.
    """
    if health is None or health.state is HealthState.UNKNOWN:
        return Weighed(None, False, "not checked yet" if health is None else health.reason)
    if health.state is HealthState.DOWN:
        if quiesces and health.was_up:
            return Weighed(0, True, "quiesced while it is down")
        return Weighed(None, True, "out of the table while it is down")
    if override is not None and override != server.weight:
        by_hand = "drained by hand" if override == 0 else f"weight {override} set by hand"
        return Weighed(override, True, f"{by_hand}; lvs.cf says {server.weight}")
    # Of another configured weight: one that is saved and does not run yet.
    if override is not None or tuned is None or tuned.configured != server.weight or tuned.weight == server.weight:
        return Weighed(server.weight, True, "")
    why = "slow start" if tuned.is_starting else "its load"
    return Weighed(tuned.weight, True, f"weight {tuned.weight} because of {why}; lvs.cf says {server.weight}")
