"""What an operator can ask of a pair: which command makes sense now, why another does not, and what each will do.

pulse decides; this says beforehand what it will decide, as far as the status tells. It is asked all the same.
"""

from dataclasses import dataclass

from piranha.monitoring import FailoverCommand
from piranha.pair_findings import ACTIVE, OWNING, UNKNOWN, Serves, here_beside, is_old, partner_name, serving
from piranha.pair_texts import Sentence, Text
from piranha.router_status import PartnerStatus, RedundancyStatus

HEIRS = frozenset({"passive", "settling"})
"""States in which a partner can take the addresses, and in which a router can take over."""
HELD = "held"


@dataclass(frozen=True, slots=True)
class Offer:
    """A command, and what it will do. `why_not` None: it makes sense now. `before`, `after`: who serves."""

    command: FailoverCommand
    why_not: Sentence | None
    will: tuple[Sentence, ...]
    before: Serves
    after: Serves


def offers(status: RedundancyStatus) -> tuple[Offer, ...]:
    """Return every command, in the order in which a person reads them."""
    return tuple(offer(status, command) for command in FailoverCommand)


def offer(status: RedundancyStatus, command: FailoverCommand) -> Offer:
    """Return one command."""
    why_not, will, after = _of(status, command)
    if status.partner is None or status.is_alone:
        why_not = Text.NO_PAIR
    elif is_old(status):
        why_not = Text.NOT_NOW
    before = serving(status)
    return Offer(
        command,
        None if why_not is None else _filled(status, why_not),
        tuple(_filled(status, text) for text in will),
        before,
        before if after is None else after,
    )


_Found = tuple[Text | None, list[Text], Serves | None]


def _of(status: RedundancyStatus, command: FailoverCommand) -> _Found:
    match command:
        case FailoverCommand.HAND_OVER:
            return _no_heir(status), _hand_over(status), Serves.THERE
        case FailoverCommand.TAKE_OVER:
            return _no_taking(status), _take_over(status), _here(status)
        case FailoverCommand.HOLD:
            return _no_hold(status), _hold(status), None
        case FailoverCommand.RELEASE:
            return (None if status.state == HELD else Text.NOT_HELD), _release(status), _after_release(status)


def _no_heir(status: RedundancyStatus) -> Text | None:
    if status.state != ACTIVE:
        return Text.NOT_ACTIVE
    partner = status.partner
    if partner is None or partner.state == UNKNOWN:
        return Text.HEIR_UNKNOWN
    if partner.state == ACTIVE:
        return Text.HEIR_ACTIVE
    if partner.state not in HEIRS:
        return Text.HEIR_STATE
    if partner.is_ready is False:
        return Text.HEIR_NOT_READY
    return Text.HEIR_LINK if partner.public_up is False else None


def _hand_over(status: RedundancyStatus) -> list[Text]:
    will = [Text.WILL_GIVE, Text.WILL_RETURN, Text.WILL_CUT]
    goes_back = status.failback == "auto" and status.partner is not None and status.partner.kind == "new"
    if goes_back and status.role == "primary":
        return [*will, Text.WILL_STAY]
    return [*will, Text.WILL_STAY_FOR_GOOD]


def _is_asked(status: RedundancyStatus, partner: PartnerStatus) -> bool:
    """Say whether the partner can be asked for the addresses, as a new one can."""
    return partner.kind == "new" or (status.has_key and partner.kind != "original")


def _no_taking(status: RedundancyStatus) -> Text | None:
    if status.state in OWNING:
        return Text.IS_ACTIVE
    if status.state not in HEIRS:
        return Text.CANNOT_TAKE
    is_asked = status.partner is not None and _is_asked(status, status.partner)
    return None if is_asked or status.role == "primary" else Text.ORIGINAL_PRIMARY


def _take_over(status: RedundancyStatus) -> list[Text]:
    partner = status.partner
    if partner is None:
        return []
    unheard = [Text.UNHEARD] if partner.state == UNKNOWN else []
    if not _is_asked(status, partner):
        return [Text.WILL_FORCE, *unheard, Text.WILL_CUT]
    return [Text.WILL_ASK, *([Text.WILL_ASK_IN_VAIN] if unheard else []), Text.WILL_CUT]


def _no_hold(status: RedundancyStatus) -> Text | None:
    if status.state == HELD:
        return Text.IS_HELD_ALREADY
    if status.state in OWNING - {"yielding"}:
        return Text.HOLD_ACTIVE
    return Text.HOLD_IDLE if status.state == "idle" else None


def _hold(status: RedundancyStatus) -> list[Text]:
    now = serving(status)
    unheard = [Text.UNHEARD] if now is Serves.UNKNOWN else []
    is_served = now in (Serves.THERE, Serves.BOTH)
    return [Text.WILL_HOLD, *unheard, Text.WILL_RISK if is_served else Text.WILL_LEAVE_NOBODY]


def _release(status: RedundancyStatus) -> list[Text]:
    is_served = serving(status) is Serves.THERE
    return [Text.WILL_RELEASE, Text.WILL_REMAIN if is_served else Text.WILL_BECOME_ACTIVE]


def _after_release(status: RedundancyStatus) -> Serves | None:
    return None if serving(status) is Serves.THERE else _here(status)


def _here(status: RedundancyStatus) -> Serves:
    return here_beside(status.partner.state if status.partner is not None else "")


def longest_gap_s(status: RedundancyStatus) -> float:
    """Return for how long nobody serves at most, if a hand-over fails: the offer, and the settling after it."""
    is_original = status.partner is not None and status.partner.kind == "original"
    offered_s = max(status.deadtime_s, 2 * status.keepalive_s) if is_original else status.keepalive_s
    return offered_s + status.deadtime_s


def _filled(status: RedundancyStatus, text: Text) -> Sentence:
    values = {
        "partner": partner_name(status),
        "state": status.state,
        "there": status.partner.state if status.partner is not None else UNKNOWN,
        "most": f"{longest_gap_s(status):g}",
        "deadtime": f"{status.deadtime_s:g}",
    }
    return Sentence(text, {name: value for name, value in values.items() if f"%({name})s" in text})
