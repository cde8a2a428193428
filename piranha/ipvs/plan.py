"""The steps from the present table to the desired one, in an order that takes nothing away in between.

Rule 1: a service comes before its destinations, and goes after the last of them.
Rule 2: within a service new destinations come first, then greater weights, then smaller ones; removals come
last, so that no service is empty or idle in between if it is neither before nor after.
Rule 3: a fallback comes before the weight 0 that needs it, and goes after it.
Rule 4: what changed is edited in place. Equal tables need no step, whatever the order they are written in.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from piranha.config.model import Forwarding
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    Entry,
    Place,
    Reading,
    RemoveDestination,
    RemoveService,
    Service,
    Step,
    Table,
    TableKey,
)

_FORWARDING: Mapping[Forwarding, str] = MappingProxyType(
    {Forwarding.NAT: "masquerading", Forwarding.DIRECT: "direct routing", Forwarding.TUNNEL: "tunneling"}
)


def plan(
    present: Table, desired: Table, ending: Collection[Place] = (), *, newest_first: bool = False
) -> tuple[Step, ...]:
    """Return the steps from `present` to `desired`; a removal from a place in `ending` ends its connections too.

    `newest_first`: the table puts a new destination before the others, as the kernel does; so they are added from the
    last to the first, and stand in the desired order where they are added together.
    """
    steps: list[Step] = []
    for key, entry in desired.items():
        there = present.get(key)
        if there is None:
            steps.append(AddService(key, entry.service))
        elif there.service != entry.service and not _loses_fallback(there.service, entry.service):
            steps.append(EditService(key, entry.service))
        steps += _destination_steps(
            key, there.destinations if there is not None else {}, entry.destinations, newest_first
        )
    for key, there in present.items():
        entry_after = desired.get(key)
        kept = entry_after.destinations if entry_after is not None else {}
        steps += [
            RemoveDestination(key, destination_key, (key, destination_key) in ending)
            for destination_key in there.destinations
            if destination_key not in kept
        ]
        if entry_after is None:
            steps.append(RemoveService(key))
        elif _loses_fallback(there.service, entry_after.service):
            steps.append(EditService(key, entry_after.service))
    return tuple(steps)


def _loses_fallback(before: Service, after: Service) -> bool:
    return before.has_fallback and before.scheduler == after.scheduler and not after.has_fallback


def _destination_steps(
    key: TableKey,
    present: Mapping[DestinationKey, Destination],
    desired: Mapping[DestinationKey, Destination],
    newest_first: bool,
) -> list[Step]:
    new: list[Step] = []
    rising: list[Step] = []
    falling: list[Step] = []
    for destination_key, destination in desired.items():
        there = present.get(destination_key)
        if there is None:
            new.append(AddDestination(key, destination_key, destination))
        elif there != destination:
            edits = rising if destination.weight >= there.weight else falling
            edits.append(EditDestination(key, destination_key, destination))
    if newest_first:
        new.reverse()
    return [*new, *rising, *falling]


def after(table: Table, steps: Iterable[Step]) -> Table:
    """Return a table as these steps leave it."""
    services = {key: entry.service for key, entry in table.items()}
    changed: dict[TableKey, dict[DestinationKey, Destination]] = {}
    for step in steps:
        key = step.key
        if key not in changed:
            changed[key] = dict(table[key].destinations) if key in table else {}
        match step:
            case AddService(_, service) | EditService(_, service):
                services[key] = service
            case RemoveService():
                del services[key]
            case AddDestination(_, place, destination) | EditDestination(_, place, destination):
                changed[key][place] = destination
            case RemoveDestination(_, place):
                del changed[key][place]
    entries = {key: MappingProxyType(there) for key, there in changed.items()}
    return MappingProxyType(
        {key: Entry(service, entries[key]) if key in changed else table[key] for key, service in services.items()}
    )


def guard(present: Table, desired: Table) -> str | None:
    """Return why this plan is not safe, or None: it would leave nobody to take connections where there is
    somebody.
    """
    serving = _serving(present)
    if not serving or _serving(desired):
        return None
    services = len({key for key, _ in serving})
    return (
        f"This would take all traffic away: {_counted(len(serving), 'real server')} in "
        f"{_counted(services, 'virtual server')} take connections now, none would afterwards. "
        "Activate a virtual server with a real server first, or force it."
    )


def _serving(table: Table) -> list[Place]:
    return [
        (key, destination_key)
        for key, entry in table.items()
        for destination_key, destination in entry.destinations.items()
        if destination.weight > 0
    ]


def sentence(step: Step) -> str:
    """Return what an administrator reads of a step."""
    match step:
        case AddService(key, service):
            return f"add virtual server {key.words}, {_balancing(key, service)}"
        case EditService(key, service):
            return f"change virtual server {key.words} to {_balancing(key, service)}"
        case RemoveService(key):
            return f"remove virtual server {key.words}"
        case AddDestination(key, destination_key, destination):
            return f"add real server {destination_key} to {key.words}, {_share(destination)}"
        case EditDestination(key, destination_key, destination):
            return f"change real server {destination_key} of {key.words} to {_share(destination)}"
        case RemoveDestination(key, destination_key, ends_connections):
            rest = " and end its connections" if ends_connections else ""
            return f"remove real server {destination_key} from {key.words}{rest}"


def impact(step: Step, reading: Reading, drain_s: float = 0, draining: Collection[Place] = ()) -> str:
    """Return what a step means for the connections there are, or "" if nothing.

    `drain_s`: how long a removal by configuration drains, in seconds; 0: it does not. `draining`: the places
    that get weight 0 because they drain.
    """
    match step:
        case RemoveDestination(key, destination_key, ends_connections):
            count = _active(reading, key, destination_key)
            if count == 0:
                return ""
            if ends_connections:
                return f"{_counted(count, 'connection')}: ended at once"
            fate = _drains(drain_s) if drain_s > 0 else "left to themselves"
            return f"{_counted(count, 'connection')}: {fate}"
        case EditDestination(key, destination_key, destination) if destination.weight == 0:
            count = _active(reading, key, destination_key)
            there = reading.table.get(key, _NOTHING).destinations.get(destination_key)
            if there is None or there.weight == 0:
                return ""
            fate = _drains(drain_s) if (key, destination_key) in draining else "go on; no new ones"
            return f"{_counted(count, 'connection')}: {fate}" if count else "no new connections"
        case _:
            return ""


_NOTHING = Entry(Service(""))


def _drains(drain_s: float) -> str:
    return f"drains, at most {drain_s:g} s"


def _active(reading: Reading, key: TableKey, destination_key: DestinationKey) -> int:
    counters = reading.counters.get((key, destination_key))
    return counters.active_connections if counters is not None else 0


def _balancing(key: TableKey, service: Service) -> str:
    words = [f"scheduler {service.scheduler}"]
    if service.persistent_s:
        width = 128 if key.version == 6 else 32
        group = f" for each /{service.persistence_prefix}" if service.persistence_prefix < width else ""
        words.append(f"persistent for {service.persistent_s} s{group}")
    else:
        words.append("not persistent")
    if service.has_fallback:
        words.append("clients of weight 0 go elsewhere")
    return ", ".join(words)


def _share(destination: Destination) -> str:
    weight = f"weight {destination.weight}" + ("" if destination.weight else " (no new connections)")
    return f"{weight}, {_FORWARDING[destination.forwarding]}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
