"""The table of failover: the only place that says which state follows which. `piranha table ha` prints it.

A state and event without a row change nothing. A row for "any" state holds where the state has no row of its own. The
sentences keep the words that administrators of the original search their logs for (engine.md 1.18).
"""

from collections.abc import Sequence

from piranha.ha.states import Action, Event, Role, Row, State

IDLE, SETTLING, PASSIVE, ACTIVE = State.IDLE, State.SETTLING, State.PASSIVE, State.ACTIVE
YIELDING, HANDING_OVER = State.YIELDING, State.HANDING_OVER
LINK_FAULT, INTERNAL_FAULT, HELD = State.LINK_FAULT, State.INTERNAL_FAULT, State.HELD
PRIMARY, BACKUP = Role.PRIMARY, Role.BACKUP
ANY = BOTH = SAME = None
SAY, LAST_WORD, TAKE, DROP, CLEAR = Action.SAY, Action.LAST_WORD, Action.TAKE, Action.DROP, Action.CLEAR
ANNOUNCE, FINISH, BY_HAND, ASK = Action.ANNOUNCE, Action.FINISH, Action.BY_HAND, Action.ASK
UNASK = Action.UNASK
CONFLICT, PEACE, LISTEN, EXCUSE = Action.CONFLICT, Action.PEACE, Action.LISTEN, Action.EXCUSE
COUNT_FAULT, COUNT_MOVE, FORGIVE, MOVED = Action.COUNT_FAULT, Action.COUNT_MOVE, Action.FORGIVE, Action.MOVED

DEAD = "partner dead: activating lvs (nothing heard for {silent} s)"
INACTIVE = "{partner} inactive: activating lvs"
FAILED = "balancer failed: {reason}; next try in {pause} s at the earliest"
NIC_LOST = "Local NIC link failure: Pulse disabled"
NO_PARTNER = "no partner is configured: activating lvs"
NOT_CONFIGURED = "We are backup node and backup is marked inactive -- exiting pulse"
HELD_BACK = "held: this router does not take over until it is released"
STOPPING = "stopping"

# fmt: off
TABLE: Sequence[Row] = (
    Row(IDLE, Event.START, BOTH, SETTLING, (DROP, SAY), "STARTING PULSE AS {title}: listening for up to {settling} s"),
    Row(IDLE, Event.RESUME, BOTH, ACTIVE, (TAKE, SAY), "STARTING PULSE AS {title}: its addresses are still here"),
    Row(IDLE, Event.STOP, BOTH, IDLE, (DROP,), ""),
    Row(IDLE, Event.DOWN, BOTH, IDLE, (LAST_WORD, SAY, SAY, CLEAR, FINISH), "stopped"),

    Row(SETTLING, Event.DOWN, BOTH, SETTLING, (LAST_WORD, SAY, CLEAR), ""),
    Row(SETTLING, Event.OWNER, BOTH, PASSIVE, (LAST_WORD, SAY), "partner active: this router is passive"),
    Row(SETTLING, Event.STOPPED, PRIMARY, ACTIVE, (TAKE, SAY), INACTIVE),
    Row(SETTLING, Event.GIVES_WAY, BOTH, ACTIVE, (TAKE, SAY), INACTIVE),
    Row(SETTLING, Event.SETTLED, BOTH, PASSIVE, (SAY,), "the partner is alive and not active: this router is passive"),
    Row(SETTLING, Event.SETTLED_ALONE, BOTH, ACTIVE, (TAKE, SAY), DEAD),
    Row(SETTLING, Event.ALONE, PRIMARY, ACTIVE, (TAKE,), NO_PARTNER),
    Row(SETTLING, Event.ALONE, BACKUP, IDLE, (DROP,), NOT_CONFIGURED),
    Row(SETTLING, Event.FORCE, PRIMARY, ACTIVE, (TAKE, SAY), "Forced active on startup: activating lvs"),
    Row(SETTLING, Event.TAKE_OVER, BOTH, SETTLING, (ASK, SAY), "asking the partner for the addresses"),
    Row(SETTLING, Event.LINK_LOST, BOTH, LINK_FAULT, (SAY,), NIC_LOST),
    Row(SETTLING, Event.FAULT, BOTH, INTERNAL_FAULT, (COUNT_FAULT, SAY), FAILED),
    Row(SETTLING, Event.HOLD, BOTH, HELD, (SAY,), HELD_BACK),
    Row(SETTLING, Event.STOP, BOTH, IDLE, (DROP,), STOPPING),

    Row(PASSIVE, Event.STOPPED, BOTH, ACTIVE, (TAKE, SAY), INACTIVE),
    Row(PASSIVE, Event.GIVES_WAY, BOTH, ACTIVE, (TAKE, SAY), INACTIVE),
    Row(PASSIVE, Event.DEAD, BOTH, ACTIVE, (TAKE, SAY), DEAD),
    Row(PASSIVE, Event.ALONE, PRIMARY, ACTIVE, (TAKE,), NO_PARTNER),
    Row(PASSIVE, Event.ALONE, BACKUP, IDLE, (DROP,), NOT_CONFIGURED),
    Row(PASSIVE, Event.FORCE, PRIMARY, ACTIVE, (TAKE, SAY), "taking over by command: activating lvs"),
    Row(PASSIVE, Event.TAKE_OVER, BOTH, PASSIVE, (ASK, SAY), "asking the partner for the addresses"),
    Row(PASSIVE, Event.WANT_ENDS, BOTH, PASSIVE, (UNASK,), "the partner did not hand over; {heard}"),
    Row(PASSIVE, Event.LINK_LOST, BOTH, LINK_FAULT, (SAY,), NIC_LOST),
    Row(PASSIVE, Event.FAULT, BOTH, INTERNAL_FAULT, (COUNT_FAULT, SAY), FAILED),
    Row(PASSIVE, Event.HOLD, BOTH, HELD, (SAY,), HELD_BACK),
    Row(PASSIVE, Event.STOP, BOTH, IDLE, (DROP,), STOPPING),

    Row(ACTIVE, Event.OWNER, PRIMARY, ACTIVE, (CONFLICT, SAY, ANNOUNCE), "partner active: resending arps"),
    Row(ACTIVE, Event.OWNER_STILL, PRIMARY, ACTIVE, (SAY,), ""),
    Row(ACTIVE, Event.OWNER_NO_MORE, PRIMARY, ACTIVE, (PEACE, ANNOUNCE), "partner no longer active: resending arps"),
    Row(ACTIVE, Event.LETS_GO, BOTH, ACTIVE, (ANNOUNCE,), "the partner took addresses down: resending arps"),
    Row(ACTIVE, Event.OWNER, BACKUP, YIELDING, (DROP,), "partner active: deactivating LVS"),
    Row(ACTIVE, Event.HAND_OVER, BOTH, HANDING_OVER, (BY_HAND, DROP), "handing over by command"),
    Row(ACTIVE, Event.ASKS, BOTH, HANDING_OVER, (BY_HAND, DROP), "the partner's operator takes over: handing over"),
    Row(ACTIVE, Event.FAIL_BACK, BACKUP, HANDING_OVER, (DROP,), "the primary is back and in sync: handing over"),
    Row(ACTIVE, Event.LINK_WORSE, BOTH, HANDING_OVER, (DROP,), "private link down here, up there: handing over"),
    Row(ACTIVE, Event.ALONE, BACKUP, IDLE, (DROP,), NOT_CONFIGURED),
    Row(ACTIVE, Event.NO_HEIR, BOTH, ACTIVE, (), "not handed over: {reason}"),
    Row(ACTIVE, Event.LINK_LOST, BOTH, LINK_FAULT, (DROP,), "local link failure: deactivating LVS"),
    Row(ACTIVE, Event.FAULT, BOTH, INTERNAL_FAULT, (COUNT_FAULT, DROP), FAILED),
    Row(ACTIVE, Event.STOP, BOTH, IDLE, (DROP,), STOPPING),

    Row(YIELDING, Event.DOWN, BOTH, PASSIVE, (LAST_WORD, SAY, CLEAR), "yielded: the addresses are down"),
    Row(YIELDING, Event.FAULT, BOTH, INTERNAL_FAULT, (COUNT_FAULT,), FAILED),
    Row(YIELDING, Event.HOLD, BOTH, HELD, (), HELD_BACK),
    Row(YIELDING, Event.STOP, BOTH, IDLE, (), STOPPING),

    Row(HANDING_OVER, Event.DOWN, BOTH, HANDING_OVER, (LAST_WORD, SAY), "the addresses are down: telling the partner"),
    Row(HANDING_OVER, Event.OWNER, BOTH, PASSIVE, (MOVED, CLEAR, SAY), "handed over: the partner is active"),
    Row(HANDING_OVER, Event.GIVES_WAY, BOTH, ACTIVE, (COUNT_MOVE, TAKE, SAY), "the partner cannot take over"),
    Row(HANDING_OVER, Event.OFFER_ENDS, BOTH, SETTLING, (COUNT_MOVE, SAY), "the partner did not take over; {heard}"),
    Row(HANDING_OVER, Event.FAULT, BOTH, INTERNAL_FAULT, (COUNT_FAULT, SAY), FAILED),
    Row(HANDING_OVER, Event.STOP, BOTH, IDLE, (DROP,), STOPPING),

    Row(LINK_FAULT, Event.LINK_BACK, BOTH, PASSIVE, (LISTEN, SAY), "Local NIC link(s) restored: Pulse enabled"),
    Row(LINK_FAULT, Event.GIVES_WAY, BOTH, ACTIVE, (TAKE, SAY), "the partner cannot be active either: activating lvs"),
    Row(LINK_FAULT, Event.FAULT, BOTH, INTERNAL_FAULT, (COUNT_FAULT, SAY), FAILED),
    Row(LINK_FAULT, Event.HOLD, BOTH, HELD, (SAY,), HELD_BACK),
    Row(LINK_FAULT, Event.STOP, BOTH, IDLE, (DROP,), STOPPING),

    Row(INTERNAL_FAULT, Event.RETRY, BOTH, PASSIVE, (SAY,), "the balancer works again: this router may be active"),
    Row(INTERNAL_FAULT, Event.START, BOTH, PASSIVE, (FORGIVE, SAY), "started by command: this router may be active"),
    Row(INTERNAL_FAULT, Event.HOLD, BOTH, HELD, (SAY,), HELD_BACK),
    Row(INTERNAL_FAULT, Event.STOP, BOTH, IDLE, (DROP,), STOPPING),

    Row(HELD, Event.RELEASE, BOTH, PASSIVE, (SAY,), "released: this router may take over"),
    Row(HELD, Event.STOP, BOTH, IDLE, (DROP,), STOPPING),

    Row(ANY, Event.DOWN, BOTH, SAME, (LAST_WORD, SAY, CLEAR), "the addresses are down"),
    Row(ANY, Event.STALLED, BOTH, SAME, (EXCUSE,), "this router stood still for {gap} s; that time does not count"),
    Row(ANY, Event.START, BOTH, SAME, (), "not started: the router runs, it is {state}"),
    Row(ANY, Event.RESUME, BOTH, SAME, (), "not started: the router runs, it is {state}"),
    Row(ANY, Event.HAND_OVER, BOTH, SAME, (), "not handed over: this router is not active, it is {state}"),
    Row(ANY, Event.TAKE_OVER, BOTH, SAME, (), "not taken over: this router is {state}"),
    Row(ANY, Event.NO_WAY, BOTH, SAME, (), "not taken over: an original primary yields to nobody; stop pulse on it"),
    Row(ANY, Event.HOLD, BOTH, SAME, (), "not held: this router is {state}; only one that is not active can be"),
    Row(ANY, Event.RELEASE, BOTH, SAME, (), "not released: this router is not held, it is {state}"),
)
# fmt: on


def printed(rows: Sequence[Row] = TABLE) -> str:
    """Return the table as text, for people and for the reviewed copy in the tests."""
    lines = [("state", "event", "role", "becomes", "actions", "sentence")]
    lines += [
        (
            row.state or "(any)",
            row.event,
            row.role or "",
            row.becomes or "(the same)",
            " ".join(row.actions) or "-",
            row.says or "(nothing)",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "".join(
        "  ".join([*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[5]]) + "\n"
        for line in lines
    )
