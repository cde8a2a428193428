"""One router's failover: what happens goes in, the router after it and orders come out.

Rule 1: every change of state is a row of table.TABLE; `_take` alone assigns `state`. Rule 2: this room owns no clock:
`now` is an argument, seconds, monotonic. Rule 3: a heartbeat goes out every keepalive, whatever the state, so no row
says so; rows send further ones where the partner should not have to wait.

Two new routers never own the addresses both while a channel works both ways: a router takes them only when deadtime
passed in silence, or on the word of a partner that does not have them, ranks lower (states.RANKS) and knew this
router's present state when it spoke.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from piranha.ha import events
from piranha.ha.datagram import Heartbeat, Said
from piranha.ha.events import Command
from piranha.ha.node import Node, Report, heard_facts, heir_problem, word
from piranha.ha.settings import Settings
from piranha.ha.states import RANKS, Action, Event, Role, Row, State
from piranha.ha.table import TABLE

_TURNS_MOST = 6
"""Rows that can follow each other at one moment."""
_STALL_LEAST_S = 0.05


@dataclass(frozen=True, slots=True)
class Say:
    """Send a heartbeat on all channels."""

    said: Said
    sequence: int


@dataclass(frozen=True, slots=True)
class Take:
    """Have the addresses; takes back every Drop before."""

    order: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Have no addresses; report with this number when they are down."""

    order: int


@dataclass(frozen=True, slots=True)
class Clear:
    """Empty the table; the sync daemon receives."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Announce the addresses for 5 seconds."""


@dataclass(frozen=True, slots=True)
class Finish:
    """All is down and said."""


@dataclass(frozen=True, slots=True)
class Tell:
    """A sentence for the log and, if it `is_shown`, for the status."""

    sentence: str
    is_shown: bool = True


Order: TypeAlias = Say | Take | Drop | Clear | Announce | Finish | Tell
Answer: TypeAlias = tuple[Node, tuple[Order, ...]]


@dataclass(frozen=True, slots=True)
class _Pending:
    """A heartbeat that says what is true at the end of the turn, or something `instead`."""

    instead: Said | None


def new_node(settings: Settings, nonce: int, now: float) -> Node:
    """Return an idle router. `nonce`: random, not 0, another one at each start of the process."""
    return Node(settings, nonce, since=now, spell_at=now, silent_from=now, says_at=now + settings.keepalive_s)


def heard(node: Node, heartbeat: Heartbeat, now: float) -> Answer:
    """Return the router after a heartbeat of the partner that counts."""
    turn = _Turn(node, now)
    before = turn.node.partner.trailer
    turn.node = replace(turn.node, partner=heard_facts(turn.node, heartbeat, now), silent_from=now)
    event = events.of_heartbeat(turn.node, heartbeat, now)
    if event is not None:
        turn.take(event)
    trailer = heartbeat.trailer
    if trailer is not None and (before is None or before.state is not trailer.state) and not turn.node.owns:
        turn.say()  # a partner that changed its state may be waiting for a word that knows of it
    return turn.end()


def ticked(node: Node, now: float) -> Answer:
    """Return the router at a moment at which nothing happened but that time passed."""
    return _Turn(node, now).end()


def commanded(node: Node, command: Command, now: float) -> Answer:
    """Return the router after a command; a refused one only tells why."""
    turn = _Turn(node, now)
    turn.take(events.of_command(turn.node, command, now))
    return turn.end()


def down(node: Node, order: int, were_any: bool, now: float) -> Answer:
    """Return the router after the addresses are down, as `Drop(order)` wanted. An order taken back is ignored.

    `were_any`: some were there, so neighbours may have heard of them.
    """
    turn = _Turn(node, now)
    if turn.node.is_dropping and order == turn.node.order:
        turn.node = replace(turn.node, owns=False, is_dropping=False, down_at=now)
        if were_any:
            turn.node = replace(turn.node, let_go=node.said + 1, owes_word=True)
        turn.take(Event.DOWN)
    return turn.end()


def reported(node: Node, report: Report, now: float) -> Answer:
    """Return the router after what the engine found out about it; the partner hears of other links at once."""
    turn = _Turn(node, now)
    before = turn.node.report
    links_changed = (before.public_up, before.private_up) != (report.public_up, report.private_up)
    turn.node = replace(turn.node, report=report, links_at=now if links_changed else turn.node.links_at)
    if links_changed and turn.node.order:  # before that it does not know whether addresses are here
        turn.say()
    return turn.end()


def configured(node: Node, settings: Settings, now: float) -> Answer:
    """Return the router with other settings. A partner that it has only now could not be heard before."""
    turn = _Turn(node, now)
    before = turn.node
    silent_from = now if before.settings.is_alone and not settings.is_alone else before.silent_from
    says_at = min(before.says_at, now + settings.keepalive_s)
    turn.node = replace(before, settings=settings, says_at=says_at, silent_from=silent_from)
    return turn.end()


def said(node: Node) -> tuple[Node, Say | None]:
    """Return the router after one more heartbeat, and the heartbeat."""
    speaks = word(node)
    if speaks is None:
        return node, None
    return replace(node, said=node.said + 1), Say(speaks, node.said + 1)


class _Turn:
    """One moment: the router changes, orders gather."""

    def __init__(self, node: Node, at: float) -> None:
        self.node = node
        self.at = at
        self.orders: list[Order | _Pending] = []
        late_s = at - node.looks_at
        if late_s > max(_STALL_LEAST_S, node.settings.keepalive_s / 2):
            self.node = replace(node, gap_s=late_s)
            self.take(Event.STALLED)

    def end(self) -> Answer:
        """Do what is due, and return the router and the orders."""
        for _ in range(_TURNS_MOST):
            event = events.of_time(self.node, self.at)
            if event is None or not self.take(event):
                break
        node, says_at = self.node, self.node.says_at
        is_offering = node.state is State.HANDING_OVER and not node.owns
        every_s = node.settings.offering_every_s if is_offering else node.settings.keepalive_s
        if self.at >= says_at:
            if not any(isinstance(order, _Pending) for order in self.orders):
                self.say()
            says_at = says_at + every_s if says_at + every_s > self.at else self.at + every_s
        says_at = min(says_at, self.at + every_s)
        orders, last_said = self._spoken(node)
        has_told = any(isinstance(order, Say) and order.said in (Said.RUNNING, Said.STOPPED) for order in orders)
        looks_at = min(says_at, events.next_at(node, self.at))
        owes_word = node.owes_word and not has_told
        return replace(node, said=last_said, says_at=says_at, looks_at=looks_at, owes_word=owes_word), orders

    def _spoken(self, node: Node) -> tuple[tuple[Order, ...], int]:
        """Return the orders with what is true now in the place of each heartbeat, and the last sequence."""
        speaks, sequence = word(node), node.said
        orders: list[Order] = []
        for order in self.orders:
            if not isinstance(order, _Pending):
                orders.append(order)
            elif (says := order.instead or speaks) is not None:
                sequence += 1
                orders.append(Say(says, sequence))
        return tuple(orders), sequence

    def take(self, event: Event) -> bool:
        """Follow the row for an event, if there is one."""
        row = row_for(self.node.state, event, self.node.role)
        if row is None:
            return False
        before = self.node
        if row.becomes is not None and row.becomes is not before.state:
            # A word of a state that lasted no time would be untrue: STOPPED makes an original partner active.
            self.orders = [order for order in self.orders if not isinstance(order, _Pending)]
            # Who knew a state of the same rank comes to the same conclusion, so it need not hear of this one first.
            is_as_known = 0 < RANKS[before.state] == RANKS[row.becomes]
            self.node = replace(
                before,
                state=row.becomes,
                since=self.at,
                spell_at=before.spell_at if is_as_known else self.at,
                known_from=before.known_from if is_as_known else before.said + 1,
                by_hand=False,
                in_conflict=False,
            )
        for action in row.actions:
            _DO[action](self)
        if row.says:
            self.orders.append(Tell(self._sentence(row, before)))
        return True

    def say(self, instead: Said | None = None) -> None:
        """Send a heartbeat at the end of the turn, unless this router is to be silent; `instead` of its true word."""
        self.orders.append(_Pending(instead))

    def _sentence(self, row: Row, before: Node) -> str:
        node, settings, partner = self.node, self.node.settings, self.node.partner
        heard_s = None if partner.heard_at is None else self.at - partner.heard_at
        return row.says.format(
            title="MASTER" if settings.role is Role.PRIMARY else "BACKUP",
            partner=settings.role.other,
            state=before.state,
            settling=f"{settings.settling_s:g}",
            silent=f"{self.at - before.silent_from:.1f}",
            gap=f"{node.gap_s:.1f}",
            pause=f"{max(0.0, node.retry_at - self.at):g}",
            heard="it was never heard" if heard_s is None else f"heard {heard_s:.1f} s ago, it was {partner.state}",
            reason=heir_problem(before, self.at) if row.event is Event.NO_HEIR else node.report.reason or "no reason",
        )


def row_for(state: State, event: Event, role: Role) -> Row | None:
    """Return the row that holds, None if nothing happens."""
    for where in (state, None):
        for who in (role, None):
            row = _ROWS.get((where, event, who))
            if row is not None:
                return row
    return None


_ROWS = {(row.state, row.event, row.role): row for row in TABLE}


def _last_word(turn: _Turn) -> None:
    """Say what is not true of this router, but makes the partner do at once what it should.

    RUNNING though the addresses are down: an original primary that has them announces them anew, after ours; the backup
    would yield. A partner that was not heard yet may have them, and so may one whose words waited while this router
    stood still. One that said STOPPED may take them at that moment: an undecided router, which is silent, says it when
    it hears so. STOPPED though there is no partner: one that was, and does not know it yet, need not wait for deadtime.
    """
    node = turn.node
    if node.settings.is_alone and node.state is State.IDLE and node.partner.heard_at is not None:
        turn.say(Said.STOPPED)
        return
    # Its STOPPED of before may have come after its RUNNING, so one that yielded to it does not go by what it said last.
    heard_at = node.partner.heard_at
    is_stale = heard_at is None or heard_at - node.stalled_at < node.settings.keepalive_s
    may_have_them = is_stale or node.partner.is_owner or node.state is State.PASSIVE
    if node.is_partner_original and node.role is Role.BACKUP and node.owes_word and may_have_them:
        turn.say(Said.RUNNING)


def _take(turn: _Turn) -> None:
    node = turn.node
    trailer = node.partner.trailer
    is_by_hand = node.wants_until > 0 or (
        trailer is not None and trailer.state is State.HANDING_OVER and trailer.flags.by_hand
    )
    turn.node = replace(
        node,
        owns=True,
        is_dropping=False,
        order=node.order + 1,
        wants_until=0.0,
        by_hand_with=trailer.nonce if is_by_hand and trailer is not None else 0,
    )
    turn.orders.append(Take(node.order + 1))


def _drop(turn: _Turn) -> None:
    turn.node = replace(turn.node, is_dropping=True, order=turn.node.order + 1)
    turn.orders.append(Drop(turn.node.order))


def _count_fault(turn: _Turn) -> None:
    node = turn.node
    is_old = turn.at - node.retry_at > node.settings.retry_most_s
    faults = 1 if is_old else node.faults + 1
    turn.node = replace(node, faults=faults, retry_at=turn.at + node.settings.pause_s(faults))


def _count_move(turn: _Turn) -> None:
    node = turn.node
    moves = node.failed_moves + 1
    turn.node = replace(node, failed_moves=moves, move_at=turn.at + node.settings.pause_s(moves))


def _excuse(turn: _Turn) -> None:
    node, now = turn.node, turn.at
    turn.node = replace(
        node,
        silent_from=min(now, node.silent_from + node.gap_s),
        spell_at=now,
        known_from=node.said + 1,
        stalled_at=now,
    )


def _keeping(**changes: object) -> Callable[[_Turn], None]:
    def keep(turn: _Turn) -> None:
        turn.node = replace(turn.node, **changes)  # type: ignore[arg-type]

    return keep


_DO: Mapping[Action, Callable[[_Turn], None]] = {
    Action.SAY: lambda turn: turn.say(),
    Action.LAST_WORD: _last_word,
    Action.TAKE: _take,
    Action.DROP: _drop,
    Action.CLEAR: lambda turn: turn.orders.append(Clear()),
    Action.ANNOUNCE: lambda turn: turn.orders.append(Announce()),
    Action.FINISH: lambda turn: turn.orders.append(Finish()),
    Action.BY_HAND: _keeping(by_hand=True),
    Action.ASK: lambda turn: _keeping(wants_until=turn.at + 2 * turn.node.settings.deadtime_s)(turn),
    Action.UNASK: _keeping(wants_until=0.0),
    Action.CONFLICT: _keeping(in_conflict=True),
    Action.PEACE: _keeping(in_conflict=False),
    Action.COUNT_FAULT: _count_fault,
    Action.COUNT_MOVE: _count_move,
    Action.FORGIVE: _keeping(faults=0),
    Action.MOVED: _keeping(failed_moves=0, move_at=0.0),
    Action.LISTEN: lambda turn: _keeping(silent_from=turn.at)(turn),
    Action.EXCUSE: _excuse,
}
