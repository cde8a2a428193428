"""From what was heard, asked or brought by time to the event of the table. Nothing here changes anything."""

from enum import StrEnum
from math import inf

from piranha.ha.datagram import Heartbeat, PartnerKind, Said
from piranha.ha.node import (
    Node,
    fails_back_at,
    gives_way,
    heir_problem,
    is_known,
    links_judged_at,
)
from piranha.ha.states import Event, Role, State


class Command(StrEnum):
    """What an operator, or the service, may ask for."""

    START = "start"
    RESUME = "resume"
    """Start with the addresses of a life that ended without warning less than deadtime ago."""
    STOP = "stop"
    HAND_OVER = "hand over"
    TAKE_OVER = "take over"
    HOLD = "hold"
    RELEASE = "release"


_PLAIN = {
    Command.START: Event.START,
    Command.RESUME: Event.RESUME,
    Command.STOP: Event.STOP,
    Command.HOLD: Event.HOLD,
    Command.RELEASE: Event.RELEASE,
}
_MAY_FAIL = frozenset(
    {State.SETTLING, State.PASSIVE, State.ACTIVE, State.YIELDING, State.HANDING_OVER, State.LINK_FAULT}
)
_UNDECIDED = (State.SETTLING, State.PASSIVE)


def of_command(node: Node, command: Command, now: float) -> Event:
    """Return what a command means in a router's state."""
    if command is Command.HAND_OVER:
        return Event.NO_HEIR if node.state is State.ACTIVE and heir_problem(node, now) else Event.HAND_OVER
    if command is not Command.TAKE_OVER:
        return _PLAIN[command]
    is_new = node.partner.kind is PartnerKind.NEW or (node.settings.has_key and not node.is_partner_original)
    if node.state not in _UNDECIDED or is_new:
        return Event.TAKE_OVER
    return Event.FORCE if node.role is Role.PRIMARY else Event.NO_WAY


def of_heartbeat(node: Node, heartbeat: Heartbeat, now: float) -> Event | None:
    """Return what a heartbeat that counts means, None if only that the partner lives."""
    trailer = heartbeat.trailer
    if node.state is State.ACTIVE:
        return _of_heartbeat_while_active(node, heartbeat, now)
    if heartbeat.said is Said.RUNNING:
        # While ours are still on their way down, nobody took them from us.
        return None if node.state is State.HANDING_OVER and node.owns else Event.OWNER
    if trailer is not None:
        return Event.GIVES_WAY if gives_way(node, trailer, now) else None
    is_stale = now - node.stalled_at < node.settings.keepalive_s  # it may have waited for us while we stood still
    if heartbeat.said is not Said.STOPPED or is_stale:
        return None
    if node.state is State.LINK_FAULT and now - node.spell_at >= node.settings.known_after_s:
        return Event.GIVES_WAY  # an original that could be active would be, after so many STOPPED of ours
    return Event.STOPPED


def _of_heartbeat_while_active(node: Node, heartbeat: Heartbeat, now: float) -> Event | None:
    trailer = heartbeat.trailer
    if heartbeat.said is Said.RUNNING:
        return Event.OWNER_STILL if node.in_conflict and node.role is Role.PRIMARY else Event.OWNER
    if node.in_conflict and heartbeat.said is Said.STOPPED:
        return Event.OWNER_NO_MORE
    if trailer is not None and trailer.flags.wants and is_known(node, trailer, now) and not heir_problem(node, now):
        return Event.ASKS
    return Event.LETS_GO if node.partner.lets_go else None


def of_time(node: Node, now: float) -> Event | None:
    """Return what is due now, None if nothing is."""
    if node.state in _MAY_FAIL and not node.report.is_well:
        return Event.FAULT
    if node.state in _UNDECIDED and node.is_public_lost:
        return Event.LINK_LOST
    if node.settings.is_alone and _minds_being_alone(node, now):
        return Event.ALONE
    due = [event for event, at in _due(node, now) if now >= at]
    return due[0] if due else None


def _minds_being_alone(node: Node, now: float) -> bool:
    """Say whether a router without a partner has to change. A primary leaves the addresses to a backup that still has
    them until that falls silent or lets go: its settings may not have been applied yet."""
    if node.role is Role.BACKUP:
        return node.state in (*_UNDECIDED, State.ACTIVE)
    is_owned = node.partner.is_owner and now - node.silent_from < node.settings.deadtime_s
    return node.state in _UNDECIDED and not is_owned


def next_at(node: Node, now: float) -> float:
    """Return when something will be due, if nothing happens before; never, if nothing will."""
    return min([at for _, at in _due(node, now) if at > now], default=inf)


def _due(node: Node, now: float) -> list[tuple[Event, float]]:
    """Return what time will bring in this state, and when; the more urgent first."""
    settings, dead_at = node.settings, node.silent_from + node.settings.deadtime_s
    match node.state:
        case State.SETTLING:
            heard = node.partner.heard_at is not None and node.partner.heard_at >= node.spell_at
            return [(Event.SETTLED if heard else Event.SETTLED_ALONE, node.spell_at + settings.settling_s)]
        case State.PASSIVE:
            return [(Event.DEAD, dead_at), *([(Event.WANT_ENDS, node.wants_until)] if node.wants_until else [])]
        case State.ACTIVE:
            due = [(Event.OWNER_NO_MORE, dead_at)] if node.in_conflict else []
            return [*due, *_moves(node, now)]
        case State.HANDING_OVER if not node.owns:
            return [(Event.OFFER_ENDS, node.down_at + settings.offer_s(node.is_partner_original))]
        case State.LINK_FAULT if not node.is_public_lost:
            return [(Event.LINK_BACK, -inf)]
        case State.INTERNAL_FAULT if node.report.is_well:
            return [(Event.RETRY, node.retry_at)]
        case _:
            return []


def _moves(node: Node, now: float) -> list[tuple[Event, float]]:
    """Return the reasons why an active router would hand over, and from when on."""
    partner, report = node.partner, node.report
    fails_back = fails_back_at(node)
    is_worse = node.settings.monitors_links and not (report.public_up and report.private_up)
    if (fails_back is None and not is_worse) or heir_problem(node, now):
        return []
    moves: list[tuple[Event, float]] = []
    if is_worse and partner.heard_at is not None and partner.heard_at > node.links_at:
        # An original does not tell that its own link is down, so it is tried once for each lost link.
        if not report.public_up and (partner.trailer is not None or node.since <= node.links_at):
            moves.append((Event.LINK_LOST, links_judged_at(node)))
        elif partner.trailer is not None and partner.trailer.flags.private_up and node.settings.has_private:
            moves.append((Event.LINK_WORSE, max(links_judged_at(node), node.move_at)))
    if fails_back is not None:
        moves.append((Event.FAIL_BACK, fails_back))
    return moves
