"""What the balancer tells of itself: everything in one moment, and what a switch would do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from piranha.config.model import Cluster, RealServerKey
from piranha.engine.role import ACTIVE, Standing
from piranha.health.weight import Weighed
from piranha.ipvs.desired import Desired
from piranha.ipvs.drain import DRAIN_S, Draining
from piranha.ipvs.plan import after, impact, sentence
from piranha.ipvs.table import Place, Reading, Step, Table, TableKey
from piranha.messages import PlannedStep


@dataclass(frozen=True, slots=True)
class View:
    """Everything the status is made of, read in one moment (monotonic seconds).

    `ours` is the part of the reading's table that is not foreign; `target` is empty on a passive router. `refused`: why
    virtual servers are not as they should be, `refused_servers`: why real servers are not. `trouble`: why the table
    could not be read, "" if it was. `left` are the steps to the target that were refused just now, None: nobody tried.
    """

    cluster: Cluster
    reading: Reading
    target: Desired
    weighed: Mapping[RealServerKey, Weighed]
    draining: tuple[Draining, ...]
    refused: Mapping[TableKey, str]
    read_at: float
    ours: Table
    standing: Standing = ACTIVE
    trouble: str = ""
    refused_servers: Mapping[Place, str] = field(default_factory=lambda: MappingProxyType({}))
    left: tuple[Step, ...] | None = None

    def behind(self, steps: tuple[Step, ...], taken: tuple[Step, ...]) -> "View":
        """Return what a turn leaves that found this, proposed these steps and took some of them."""
        if not taken:
            return replace(self, left=steps)
        is_taken = set(map(id, taken))
        return replace(
            self,
            reading=replace(self.reading, table=after(self.reading.table, taken)),
            ours=after(self.ours, taken),
            left=tuple(step for step in steps if id(step) not in is_taken),
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """What switching to a cluster would do, and the guard's objection to it or None."""

    steps: tuple[PlannedStep, ...]
    objection: str | None


def told_steps(steps: Iterable[Step], reading: Reading, draining: Iterable[Draining]) -> tuple[PlannedStep, ...]:
    """Return steps with what each means for the traffic of a reading."""
    places = [drain.place for drain in draining]
    return tuple(PlannedStep(sentence(step), impact(step, reading, DRAIN_S, places)) for step in steps)
