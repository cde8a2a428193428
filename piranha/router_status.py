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
    """Whether this router is active, and if not, why. `partner` is the other router as lvs.cf names it, "" if none.

    `role`, `state` and `partner_state` are those of RedundancyStatus, "" where there is no failover or it tells
    nothing; both states are "unknown" where it has told nothing for long.
    """

    is_active: bool
    partner: str = ""
    reason: str = ""
    role: str = ""
    state: str = ""
    partner_state: str = ""


ONLY_ROUTER = RoleStatus(True)


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """A network for heartbeats.

    `name` is "public" or "private"; `own` and `partner` are the addresses there, `device` carries ours ("": none does).
    `link` is "up", "down" or "unknown". `heard_s_ago` None: nothing was ever heard. `loss` is the share of heartbeats
    that did not come, 0 to 1, None while too little is known. `trouble`: why none can be sent or heard, or "".
    """

    name: str
    own: str
    partner: str
    device: str = ""
    link: str = "unknown"
    heard_s_ago: float | None = None
    heard: int = 0
    loss: float | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class PartnerStatus:
    """What is known of the other router.

    `kind` is "new", "original" or "unknown"; `state` is "unknown" if nothing was heard for deadtime. What follows
    `heard_s_ago` is what a new partner said of itself last, None or 0 where it said nothing. `has_same_config`: the
    digest of what runs there is ours. `is_authentic`: its heartbeats are signed with the shared key.
    """

    address: str
    kind: str = "unknown"
    state: str = "unknown"
    heard_s_ago: float | None = None
    role: str = ""
    is_authentic: bool = False
    is_ready: bool | None = None
    has_same_config: bool | None = None
    public_up: bool | None = None
    private_up: bool | None = None
    keepalive_s: float | None = None
    deadtime_s: float | None = None
    servers_up: int = 0
    servers: int = 0
    virtual_up: int = 0
    virtual: int = 0


@dataclass(frozen=True, slots=True)
class RejectedStatus:
    """How many datagrams did not count for a reason, since this router's pulse started."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class SaidStatus:
    """A sentence of failover, and when it was said (ISO 8601)."""

    at: str
    sentence: str


@dataclass(frozen=True, slots=True)
class RedundancyStatus:
    """How failover stands.

    `state` is a word of `piranha.ha.states.State`; `since` when it began (ISO 8601). `is_alone`: no second router is
    configured. `has_key`: heartbeats are signed with a shared key. `failback` is "auto" or "never", and
    `failback_in_s` when the addresses go back to the primary, as things are (None: they do not). `age_s`: how old all
    this is, seconds; `trouble`: what is wrong with it as a whole, in sentences. `said`: the last sentences, newest
    first. `pid` and `running_for_s` (seconds) are those of pulse.
    """

    role: str
    state: str
    since: str
    is_alone: bool
    partner: PartnerStatus | None = None
    channels: tuple[ChannelStatus, ...] = ()
    keepalive_s: float = 2.0
    deadtime_s: float = 5.0
    has_key: bool = False
    failback: str = "auto"
    failback_after_s: float = 30.0
    failback_in_s: float | None = None
    rejected: tuple[RejectedStatus, ...] = ()
    said: tuple[SaidStatus, ...] = ()
    trouble: tuple[str, ...] = ()
    age_s: float = 0.0
    pid: int = 0
    running_for_s: float = 0.0


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
