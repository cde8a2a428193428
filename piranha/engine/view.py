"""What the balancer tells of itself: everything in one moment, and what a switch would do."""

from collections.abc import Mapping
from dataclasses import dataclass

from piranha.config.model import Cluster, RealServerKey
from piranha.engine.role import ACTIVE, Standing
from piranha.health.weight import Weighed
from piranha.ipvs.desired import Desired
from piranha.ipvs.drain import Draining
from piranha.ipvs.table import Reading, Table, TableKey
from piranha.messages import PlannedStep


@dataclass(frozen=True, slots=True)
class View:
    """Everything the status is made of, read in one moment (monotonic seconds).

    `ours` is the part of the reading's table that is not foreign; `target` is empty on a passive router. `trouble`: why
    the table could not be read, "" if it was.
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


@dataclass(frozen=True, slots=True)
class Preview:
    """What switching to a cluster would do, and the guard's objection to it or None."""

    steps: tuple[PlannedStep, ...]
    objection: str | None
