"""What an Apply removes leaves the table slowly: weight 0 now, gone when it is empty or overdue.

A server removed by configuration drains; one that fails its check does not, it follows lvs.cf.
`now`, `ends_at` and `settles_at` are monotonic seconds.

Where a removal silences the connections that are left, as in the kernel, a drain settles first: it waits until the
table has weight 0 there, and for connections that are no longer or not yet active (being opened, half closed, closing).
"""

from collections.abc import Collection
from dataclasses import dataclass

from piranha.config.model import Forwarding
from piranha.ipvs.table import DestinationKey, Place, Reading, Service, TableKey

DRAIN_S = 300.0
"""How long connections of a removed real server may go on, at most."""

SETTLE_S = 60.0
"""How long inactive connections are waited for: the kernel gives one that is being opened no longer (SYN_RECV)."""


@dataclass(frozen=True, slots=True)
class Draining:
    """A destination on its way out. `service` is how its service balanced, should that be gone too.

    `settles_at`: until then inactive connections count too; 0: they never do.
    """

    key: TableKey
    destination_key: DestinationKey
    forwarding: Forwarding
    service: Service
    ends_at: float
    settles_at: float = 0.0

    @property
    def place(self) -> Place:
        """Return where it stands in the table."""
        return self.key, self.destination_key


def what_drains(
    present: Reading,
    before: Collection[Place],
    after: Collection[Place],
    now: float,
    drain_s: float = DRAIN_S,
    removes_at_once: bool = False,
    settle_s: float = 0.0,
) -> tuple[Draining, ...]:
    """Return what begins to drain when the configuration that runs changes.

    `before` and `after` are the places the old and the new configuration name (`desired.configured`). What is
    in the table for another reason (not in `before`) is left alone. `removes_at_once`: the drains are over as
    they begin, so that `still_draining` ends them in the same turn and `overdue` cuts their connections. `settle_s`:
    how long they wait for inactive connections.
    """
    gone = frozenset(before) - frozenset(after)
    ends_at = now if removes_at_once else now + drain_s
    settles_at = now + settle_s if settle_s else 0.0
    return tuple(
        Draining(key, destination_key, destination.forwarding, entry.service, ends_at, settles_at)
        for key, entry in present.table.items()
        for destination_key, destination in entry.destinations.items()
        if (key, destination_key) in gone
    )


def joined(leaving: tuple[Draining, ...], draining: tuple[Draining, ...]) -> tuple[Draining, ...]:
    """Return what drains once some more leave; of two for one place the new one counts."""
    new = {drain.place for drain in leaving}
    return (*leaving, *(drain for drain in draining if drain.place not in new))


def still_draining(
    drains: Collection[Draining], reading: Reading, now: float, configured: Collection[Place] = ()
) -> tuple[tuple[Draining, ...], tuple[Draining, ...]]:
    """Return (what goes on draining, what is over: empty, gone or overdue).

    A destination that is `configured` again does not drain any more: it is in neither.
    """
    named = frozenset(configured)
    remaining: list[Draining] = []
    ended: list[Draining] = []
    for drain in drains:
        if drain.place in named:
            continue
        is_over = now >= drain.ends_at or _is_empty(drain, reading, now)
        (ended if is_over else remaining).append(drain)
    return tuple(remaining), tuple(ended)


def _is_empty(drain: Draining, reading: Reading, now: float) -> bool:
    counters = reading.counters.get(drain.place)
    if counters is None:
        return True
    if counters.active_connections:
        return False
    if not drain.settles_at:
        return True
    # With a weight a new connection may come between this reading and the removal.
    entry = reading.table.get(drain.key)
    there = entry.destinations.get(drain.destination_key) if entry is not None else None
    if there is not None and there.weight:
        return False
    return counters.inactive_connections == 0 or now >= drain.settles_at


def overdue(ended: Collection[Draining], now: float) -> frozenset[Place]:
    """Return the places whose time ran out: their connections end with them (`plan`'s `ending`)."""
    return frozenset(drain.place for drain in ended if now >= drain.ends_at)
