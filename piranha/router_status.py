"""What the status says of the router as a whole: its role, who stopped it, how many there are of each.

Types of the API, as those of `piranha.status`, which has them in its own.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are in what runs: virtual servers in force, and real servers in them, `inactive` by lvs.cf or else
    `up`, `down` or `unknown` by their checks; `drained` ones, by hand, are among those, `leaving` ones left lvs.cf and
    drain. `connections` are active ones now.
    """

    virtual_servers: int = 0
    not_served: int = 0
    servers: int = 0
    up: int = 0
    down: int = 0
    unknown: int = 0
    inactive: int = 0
    drained: int = 0
    leaving: int = 0
    connections: int = 0


NOTHING_COUNTED = Counts()


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """Whether this router is active, and if not, why. `partner` is the other router as lvs.cf names it, "" if none."""

    is_active: bool
    partner: str = ""
    reason: str = ""


ONLY_ROUTER = RoleStatus(True)


@dataclass(frozen=True, slots=True)
class StoppedStatus:
    """Who stopped LVS, from where, and when."""

    who: str
    from_address: str
    at: str


@dataclass(frozen=True, slots=True)
class StatusPart:
    """What of the whole stands in a status that was asked for in part.

    `matching` virtual servers match, and the first that is told has the number `first` (0: none is told). The rest is
    how many there are in all; told are the first few, and the addresses of what is told, and those with a trouble.
    """

    first: int
    matching: int
    faults: int
    pending: int
    foreign: int
    overrides: int
    addresses: int
    addresses_in_trouble: int
