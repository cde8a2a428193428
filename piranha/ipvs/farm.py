"""A service of the embedded data path while it balances: its members, their connections, whose turn it is.

Rule 1: an edit touches what it names and nothing else. The round goes on where it was, whoever comes or goes.
Rule 2: a connection is in one phase at a time: opening, active (both directions open), closing (one has
ended). Opening, closing and recently ended ones are what IPVS calls inactive.

Nothing here touches a socket; `now` is monotonic seconds.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

from piranha.config.model import Address
from piranha.ipvs.persistence import ClientGroup, Templates, group_of
from piranha.ipvs.recent import RecentlyEnded
from piranha.ipvs.schedulers import (
    COUNTING,
    LIGHTENED_AFTER_S,
    PICKS,
    Pick,
    Turn,
    dh,
    lblcr,
    lightened,
    sh,
    slot_of,
    without,
)
from piranha.ipvs.table import Counters, Destination, DestinationKey, Service


class Member:
    """A destination and its counters."""

    __slots__ = ("active", "closing", "connections", "destination", "key", "opening", "recent", "weight")

    def __init__(self, key: DestinationKey, destination: Destination, remembers_ended_s: float) -> None:
        self.key = key
        self.destination = destination
        self.weight = destination.weight
        self.opening = 0
        self.active = 0
        self.closing = 0
        self.connections = 0
        self.recent = RecentlyEnded(remembers_ended_s)

    @property
    def inactive(self) -> int:
        """Return how many connections are opening, closing or ended a short while ago."""
        return self.opening + self.closing + self.recent.count

    def edit(self, destination: Destination) -> None:
        """Take another weight or forwarding; the connections stay."""
        self.destination = destination
        self.weight = destination.weight

    def counters(self, bytes_in: int, bytes_out: int) -> Counters:
        """Return the counters as the table shows them."""
        return Counters(self.active, self.inactive, self.connections, bytes_in, bytes_out)


M = TypeVar("M", bound=Member)


class Farm(Generic[M]):
    """The members of one service, in the order they were added, and how the next one is chosen.

    `address` is the one that clients ask for; dh looks at it.
    """

    def __init__(self, service: Service, address: Address | None = None) -> None:
        self.service = service
        self._slot = slot_of(address) if address is not None else 0
        self._bound_at = 0.0
        self._order: list[M] = []
        self._by_key: dict[DestinationKey, M] = {}
        self._turn = Turn()
        self._pick: Pick | None = PICKS.get(service.scheduler)
        self._templates = Templates(service.persistent_s)

    @property
    def members(self) -> Mapping[DestinationKey, M]:
        """Return the members by key, in order."""
        return self._by_key

    @property
    def looks_at_client(self) -> bool:
        """Say whether the choice depends on who the client is."""
        return self.service.persistent_s > 0 or self._pick is sh

    def edit(self, service: Service) -> None:
        """Take another scheduler or persistence; a changed grouping of clients forgets who belongs where.

        A scheduler that is not known leaves the old one at work.
        """
        before, self.service = self.service, service
        pick = PICKS.get(service.scheduler)
        if pick is not None and pick is not self._pick:
            self._turn = Turn()
            self._pick = pick
        if service.persistent_s == 0 or service.persistence_prefix != before.persistence_prefix:
            self._templates = Templates(service.persistent_s)
        self._templates.timeout_s = service.persistent_s

    def add(self, member: M) -> None:
        """Put a member at the end of the round."""
        self._order.append(member)
        self._by_key[member.key] = member

    def remove(self, key: DestinationKey) -> M:
        """Take a member out; the round goes on with the same next one. Raises KeyError."""
        member = self._by_key.pop(key)
        place = self._order.index(member)
        del self._order[place]
        self._turn = without(self._turn, place)
        return member

    def choose(
        self, client: Address | None, now: float, refused: M | None = None
    ) -> tuple[M | None, ClientGroup | None]:
        """Return who gets the next connection, and the client's group under persistence (for `release`).

        `client` may be None unless the farm `looks_at_client`. `refused`: who just refused this very
        connection. A persistent client is bound at once, so that connections it opens together go to one
        server.
        """
        group: ClientGroup | None = None
        if self.service.persistent_s > 0 and client is not None:
            group = group_of(client, self.service.persistence_prefix)
            key = self._templates.destination(group, now)
            bound = self._by_key.get(key) if key is not None else None
            if bound is not None and bound.weight > 0 and bound is not refused:
                self._templates.opened(group, bound.key, now)
                return bound, group
        if self._pick is None:
            return None, group
        if self._pick in COUNTING:
            for member in self._order:
                member.recent.forget(now)
        excluded = self._order.index(refused) if refused is not None and refused in self._order else -1
        slot = self._slot if self._pick is dh or client is None else slot_of(client)
        before = self._turn.bound
        if self._pick is lblcr and len(before) > 1 and now > self._bound_at + LIGHTENED_AFTER_S:
            self._turn, self._bound_at = lightened(self._order, self._turn), now
        place, self._turn = self._pick(self._order, self._turn, slot, excluded)
        if self._turn.bound != before:
            self._bound_at = now
        if place < 0:
            return None, group
        chosen = self._order[place]
        if group is not None:
            self._templates.opened(group, chosen.key, now)
        return chosen, group

    def release(self, group: ClientGroup, key: DestinationKey, now: float) -> None:
        """Take note that a persistent client's connection ended, or came to nothing."""
        self._templates.closed(group, key, now)

    def forget(self, now: float) -> None:
        """Forget what is over: ended connections, clients whose time ran out."""
        self._templates.expire(now)
        for member in self._order:
            member.recent.forget(now)
