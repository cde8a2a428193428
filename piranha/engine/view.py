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
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    EditDestination,
    EditService,
    Place,
    Reading,
    RemoveDestination,
    RemoveService,
    Step,
    Table,
    TableKey,
)
from piranha.messages import PlannedStep

_LEAVE = (EditDestination, RemoveDestination)
"""What these mean depends on the connections there are."""


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


class ToldSteps(tuple[PlannedStep, ...]):
    """Steps in words that know what they say, so that they can be told of a later reading.

    `busy`: of each step whether what it concerns has connections; what has none leaves at once.
    """

    told: tuple[Step, ...]
    places: frozenset[Place]
    busy: tuple[bool, ...]

    def again(self, reading: Reading) -> "ToldSteps | None":
        """Return the same steps with what they mean for this reading; None if it may ask for other steps."""
        if self.busy != _busy(self.told, reading) or not all(_is_to_take(step, reading.table) for step in self.told):
            return None
        told = zip(self.told, self, strict=True)
        return _kept_words(
            self.told,
            (_in_words(step, reading, self.places) if isinstance(step, _LEAVE) else words for step, words in told),
            self.places,
            self.busy,
        )


def told_steps(steps: Iterable[Step], reading: Reading, draining: Iterable[Draining]) -> ToldSteps:
    """Return steps with what each means for the traffic of a reading."""
    taken, places = tuple(steps), frozenset(drain.place for drain in draining)
    words = (_in_words(step, reading, places) for step in taken)
    return _kept_words(taken, words, places, _busy(taken, reading))


def _kept_words(
    steps: tuple[Step, ...], words: Iterable[PlannedStep], places: frozenset[Place], busy: tuple[bool, ...]
) -> ToldSteps:
    told = ToldSteps(words)
    told.told, told.places, told.busy = steps, places, busy
    return told


def _in_words(step: Step, reading: Reading, places: frozenset[Place]) -> PlannedStep:
    return PlannedStep(sentence(step), impact(step, reading, DRAIN_S, places))


def _busy(steps: tuple[Step, ...], reading: Reading) -> tuple[bool, ...]:
    leave = ((step.key, step.destination_key) if isinstance(step, _LEAVE) else None for step in steps)
    counted = (reading.counters.get(place) if place is not None else None for place in leave)
    return tuple(each is not None and each.active_connections > 0 for each in counted)


def _is_to_take(step: Step, table: Table) -> bool:
    """Say whether a step would change a table. What stands in a service that is not there is not there either."""
    there = table.get(step.key)
    match step:
        case AddService() | AddDestination() if there is None:
            return True
        case AddService():
            return False
        case AddDestination(_, place, _):
            return there is not None and place not in there.destinations
        case EditService(_, service):
            return there is not None and there.service != service
        case EditDestination(_, place, destination):
            return there is not None and there.destinations.get(place, destination) != destination
        case RemoveDestination(_, place, _):
            return there is not None and place in there.destinations
        case RemoveService():
            return there is not None
