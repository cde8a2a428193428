"""The words of failover: roles, states, events and actions, and the row of a table that joins them.

A *role* (primary, backup) is what lvs.cf says a router is; a *state* is what it does now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What lvs.cf makes of a router. If both can be active, the primary is."""

    PRIMARY = "primary"
    BACKUP = "backup"

    @property
    def other(self) -> "Role":
        """Return the partner's role."""
        return Role.BACKUP if self is Role.PRIMARY else Role.PRIMARY


class State(StrEnum):
    """What a router does. Only the active one, and one that is on its way down, has the floating addresses."""

    IDLE = "idle"
    """Not started, stopped, or nothing to balance."""
    SETTLING = "settling"
    """Just started, or a hand-over failed: undecided, listening for deadtime at most."""
    PASSIVE = "passive"
    """Ready to take over."""
    ACTIVE = "active"
    """Has the floating addresses and balances."""
    YIELDING = "yielding"
    """Both were active and the partner keeps the addresses: ours are on their way down."""
    HANDING_OVER = "handing over"
    """A planned move: the addresses go down, then the partner is told to take them."""
    LINK_FAULT = "link fault"
    """Its own public link is down: it does not take over."""
    INTERNAL_FAULT = "internal fault"
    """Its balancer failed: it does not take over until the balancer works and a pause is over."""
    HELD = "held"
    """An operator said that it shall not take over."""


class Event(StrEnum):
    """What happened, seen with what is known: the second column of the table."""

    # what an operator, or the service, asks for
    START = "start"
    RESUME = "resume"
    """Start, and the addresses of the last life are still here."""
    STOP = "stop"
    HAND_OVER = "hand over"
    NO_HEIR = "hand over, to nobody"
    """Hand over, but the partner cannot take it."""
    TAKE_OVER = "take over, by asking"
    """Take over from a partner that can be asked."""
    FORCE = "take over, by force"
    """Take over from an original partner, which yields to an active primary."""
    NO_WAY = "take over, in vain"
    """Take over from an original primary, which yields to nobody."""
    HOLD = "hold"
    RELEASE = "release"
    # what the partner says
    OWNER = "partner active"
    OWNER_STILL = "partner active, again"
    """While both are active, a further time."""
    OWNER_NO_MORE = "partner passive again"
    """Both were active, and the partner has yielded or fallen silent."""
    LETS_GO = "partner let go"
    """A partner took addresses down which it had beside this router, or may have, while nothing was heard of it."""
    STOPPED = "partner stopped"
    """An original partner is passive, which may mean that it cannot be active."""
    GIVES_WAY = "partner gives way"
    """A new partner knows this router's present state and leaves the addresses to it."""
    ASKS = "partner asks for it"
    """A new partner's operator wants it to be active."""
    # what time brings
    DEAD = "partner silent"
    SETTLED = "settled, partner alive"
    SETTLED_ALONE = "settled, nothing heard"
    OFFER_ENDS = "offer not taken"
    WANT_ENDS = "question not answered"
    FAIL_BACK = "primary is back"
    RETRY = "pause is over"
    STALLED = "stood still"
    # what changed here
    DOWN = "addresses are down"
    FAULT = "balancer failed"
    LINK_LOST = "public link lost"
    LINK_BACK = "public link back"
    LINK_WORSE = "private link lost"
    """The partner's private link is up, and this router's is not."""
    ALONE = "no partner configured"


class Action(StrEnum):
    """What a row orders. Those in capitals are for the engine, in the order they stand in; the others keep books."""

    SAY = "SAY"
    """Send a heartbeat on all channels now."""
    LAST_WORD = "LAST_WORD"
    """To an original primary that is, or may be, active: one RUNNING, after which it announces its addresses anew.
    To a router that is no partner any more: one STOPPED."""
    TAKE = "TAKE"
    """Table into the kernel, then addresses, then announcements; sync daemon master; active_cmd."""
    DROP = "DROP"
    """End announcements, addresses away, then report that they are down; inactive_cmd."""
    CLEAR = "CLEAR"
    """Table out of the kernel, sync daemon backup."""
    ANNOUNCE = "ANNOUNCE"
    """One series of announcements of all addresses, 5 seconds long."""
    FINISH = "FINISH"
    """All is down and said: sync daemon off, the process may end."""

    BY_HAND = "by-hand"
    """An operator wanted this move, so automatic fail-back leaves it alone."""
    ASK = "ask"
    """Ask the partner for the addresses, with every heartbeat for a while."""
    UNASK = "unask"
    """Ask no more."""
    CONFLICT = "conflict"
    """Both are active: what follows belongs to the same episode."""
    PEACE = "peace"
    """The episode is over."""
    COUNT_FAULT = "count-fault"
    """One more fault in a row: a longer pause before the next try."""
    COUNT_MOVE = "count-move"
    """One more move that the partner did not follow: a longer pause before the next one."""
    FORGIVE = "forgive"
    """No faults in a row any more."""
    MOVED = "moved"
    """The partner followed: no failed moves in a row any more."""
    LISTEN = "listen"
    """What was not heard until now does not count: deadtime begins anew."""
    EXCUSE = "excuse"
    """The time that this router stood still does not count, and the partner must show that it knows it is back."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    `state` None is any state that has no row of its own for the event and role; `role` None is both; `becomes` None is
    the state it was. `says` is the sentence for the operator, "" for none; machine.py fills in its {words}.
    """

    state: State | None
    event: Event
    role: Role | None
    becomes: State | None
    actions: tuple[Action, ...]
    says: str


RANKS: Mapping[State, int] = MappingProxyType(
    {
        State.IDLE: 0,
        State.SETTLING: 3,
        State.PASSIVE: 3,
        State.ACTIVE: 0,
        State.YIELDING: 0,
        State.HANDING_OVER: 1,
        State.LINK_FAULT: 2,
        State.INTERNAL_FAULT: 0,
        State.HELD: 0,
    }
)
"""Of two new routers without the addresses the one with the higher rank takes them; of two equal ones the preferred
one, if the rank is not 0. Each says its state, and acts only on words of a partner that knows its own."""
