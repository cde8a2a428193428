"""Who else has one of our addresses: told once, asked again, forgotten when it answers no more.

Rule 1: a second owner is news when it is first heard; another hardware address is news too, at most every SAID_S.
Rule 2: it is asked again every ASK_S, so that what is shown is true.
Rule 3: who was not heard for FORGET_S is no second owner any more.
Rule 4: of an address that we carry no more, nobody is a second owner.

`now` is monotonic seconds.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from piranha.ipvs.announcements import Carried

SAID_S = 10.0
ASK_S = 20.0
FORGET_S = 50.0
"""Two questions may be lost."""


@dataclass(frozen=True, slots=True)
class SecondOwner:
    """A station with the hardware address `mac` that has an address of ours."""

    mac: str
    heard_at: float
    said_at: float
    ask_at: float


@dataclass(frozen=True, slots=True)
class SecondOwners:
    """The second owners of the addresses that this router carries: one for each, the last that was heard."""

    owners: Mapping[Carried, SecondOwner] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def next_at(self) -> float | None:
        """Return when `due` has something to say next, None for never."""
        return min((min(each.ask_at, each.heard_at + FORGET_S) for each in self.owners.values()), default=None)


def heard(state: SecondOwners, what: Carried, mac: str, now: float) -> tuple[SecondOwners, bool]:
    """Take note of who has an address of ours, and say whether that is news."""
    before = state.owners.get(what)
    is_news = before is None or (before.mac != mac and now >= before.said_at + SAID_S)
    if before is None:
        owner = SecondOwner(mac, now, now, now + ASK_S)
    else:
        owner = replace(before, mac=mac, heard_at=now, said_at=now if is_news else before.said_at)
    return _with({**state.owners, what: owner}), is_news


def keep(state: SecondOwners, carried: Collection[Carried]) -> SecondOwners:
    """Forget who has addresses that we do not carry."""
    return _with({what: owner for what, owner in state.owners.items() if what in carried})


def due(state: SecondOwners, now: float) -> tuple[SecondOwners, tuple[Carried, ...], tuple[Carried, ...]]:
    """Return for which addresses to ask now, and which have no second owner any more."""
    ended = tuple(what for what, owner in state.owners.items() if owner.heard_at + FORGET_S <= now)
    owners = {what: owner for what, owner in state.owners.items() if what not in ended}
    asked = tuple(what for what, owner in owners.items() if owner.ask_at <= now)
    owners |= {what: replace(owners[what], ask_at=now + ASK_S) for what in asked}
    return _with(owners), asked, ended


def _with(owners: Mapping[Carried, SecondOwner]) -> SecondOwners:
    return SecondOwners(MappingProxyType(dict(owners)))
