"""Drains and weights set by hand: who gave them, for which real servers, and which one is in force.

An override names a real server by what identifies it in the table, so that renames and reordering change nothing, or
by its address alone, which means that real server in every virtual server. A drain beats a weight. One that has an end
goes by itself then; the end is a time of day, so that it means the same after a restart and after a reboot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from piranha.config.model import RealServerKey

Kind = Literal["drain", "weight"]


@dataclass(frozen=True, slots=True)
class Override:
    """One override. `service` is the written ServiceKey, "" for every virtual server; `port` 0 with it means any.

    `since` is wall time, ISO 8601: it is kept on the disk and shown, never computed with. `until` is when it is over,
    wall time in seconds since 1970, None: not before it is cleared.
    """

    number: int
    kind: Kind
    service: str
    address: str
    port: int
    weight: int
    who: str
    from_address: str
    since: str
    until: float | None = None

    def is_over(self, now: float) -> bool:
        """Say whether its time is over. `now` is wall time in seconds since 1970."""
        return self.until is not None and self.until <= now

    def concerns(self, key: RealServerKey) -> bool:
        """Say whether this override is meant for that real server."""
        if str(key.address) != self.address:
            return False
        return not self.service or (str(key.service) == self.service and key.port == self.port)

    @property
    def scope(self) -> str:
        """Return what it was given for, as a person reads it."""
        if not self.service:
            return f"{self.address} in every virtual server"
        return f"{self.service} -> {self.address}:{self.port}"


def indexed(overrides: Sequence[Override]) -> dict[str, list[Override]]:
    """Return the overrides by the address that they name: of thousands of servers each finds its own at once."""
    found: dict[str, list[Override]] = {}
    for override in overrides:
        found.setdefault(override.address, []).append(override)
    return found


def weight_by_hand(key: RealServerKey, overrides: Sequence[Override]) -> int | None:
    """Return the weight that overrides demand: 0 if any drains the server, else the latest weight, else None."""
    mine = [override for override in overrides if override.concerns(key)]
    if any(override.kind == "drain" for override in mine):
        return 0
    weights = [override for override in mine if override.kind == "weight"]
    return max(weights, key=lambda override: override.number).weight if weights else None


def with_override(overrides: Sequence[Override], new: Override) -> tuple[Override, ...]:
    """Return the overrides with a new one, which replaces an earlier one of its kind and scope."""
    kept = [old for old in overrides if (old.kind, old.scope) != (new.kind, new.scope)]
    return (*kept, new)


def over(overrides: Sequence[Override], now: float) -> tuple[Override, ...]:
    """Return the overrides whose time is over. `now` is wall time in seconds since 1970."""
    return tuple(override for override in overrides if override.is_over(now))


def next_number(overrides: Sequence[Override]) -> int:
    """Return a number that is larger than all given so far and still in force."""
    return max((override.number for override in overrides), default=0) + 1
