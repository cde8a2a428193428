"""What status and log say of a floating address: from how it stands, what was refused and what was heard."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from piranha.ipvs.addresses import NAT_ROUTER, Condition, Held, RefusedAddress, Standing, WantedAddress
from piranha.ipvs.announcements import Carried
from piranha.ipvs.second_owners import SecondOwner
from piranha.status import AddressState, AddressStatus
from piranha.system.arp import Conflict
from piranha.system.arp_frames import Claim


@dataclass(frozen=True, slots=True)
class Report:
    """A status, and which address it is about if this router carries it (None: it does not)."""

    status: AddressStatus
    carried: Carried | None = None


STAYS = (
    "lvs.cf names this address no more. It stays until the connections through it have ended and the host names in "
    "lvs.cf are known."
)
_STATES = {
    Condition.OURS: AddressState.CARRIED,
    Condition.WAS_THERE: AddressState.WAS_THERE,
    Condition.MISSING: AddressState.REFUSED,
    Condition.NO_DEVICE: AddressState.REFUSED,
}
SOURCES_MAX = 4
"""So many virtual servers are named in a line of the log."""
_NOT_YET = "It could not be added. It is tried again."


def reports(
    standings: Collection[Standing],
    refusals: Mapping[Held, str],
    unusable: Collection[RefusedAddress],
    staying: Collection[Held],
) -> tuple[Report, ...]:
    """Return how the addresses stand after the steps, in file order; at the end those that lvs.cf names no more.

    `refusals`: the sentences of refused steps; `staying`: what is kept for now.
    """
    return tuple(_reports(standings, refusals, unusable, staying))


def _reports(
    standings: Collection[Standing],
    refusals: Mapping[Held, str],
    unusable: Collection[RefusedAddress],
    staying: Collection[Held],
) -> Iterator[Report]:
    for each in standings:
        held = each.wanted.held
        state = _STATES[each.condition]
        is_here = state is not AddressState.REFUSED
        sentence = refusals.get(held, "") or each.remark or ("" if is_here else _NOT_YET)
        status = AddressStatus(_written(held), held.device, each.wanted.label, each.wanted.source, state, sentence)
        yield Report(status, carried_of(held) if is_here else None)
    for refused in unusable:
        yield Report(AddressStatus("", "", "", refused.source, AddressState.REFUSED, refused.sentence))
    for held in sorted(staying, key=str):
        yield Report(AddressStatus(_written(held), held.device, "", "", AddressState.CARRIED, STAYS), carried_of(held))
    named = {each.wanted.held for each in standings}.union(staying)
    for held, sentence in refusals.items():
        if held not in named:
            yield Report(AddressStatus(_written(held), held.device, "", "", AddressState.REFUSED, sentence))


def unread(wanted: Collection[WantedAddress], before: Collection[Report], sentence: str) -> tuple[Report, ...]:
    """Return the reports of a router whose addresses cannot be read: as they were, and what came since is refused."""
    known = {(each.status.address, each.status.device): each for each in before}
    found = []
    for each in wanted:
        held = each.held
        status = AddressStatus(
            _written(held), held.device, each.label, each.source, AddressState.REFUSED, f"It is not known: {sentence}"
        )
        found.append(known.get((_written(held), held.device), Report(status)))
    return tuple(found)


def trouble_of(told: AddressStatus) -> str:
    """Return what is wrong with an address of lvs.cf and what to do, in sentences that name it; "" for nothing."""
    if told.state is AddressState.WAS_THERE or not told.source:
        return ""
    host = told.address.partition("/")[0]
    if told.state is AddressState.REFUSED and host not in told.sentence:
        return f"{told.address} is not carried. {told.sentence}"
    return told.sentence


def trouble_of_nat(addresses: Iterable[AddressStatus]) -> str:
    """Return what is wrong with the NAT router's address, which concerns every virtual server; "" : nothing."""
    for each in addresses:
        if each.source == NAT_ROUTER and (trouble := trouble_of(each)):
            return f"nat_router: {trouble} Until then the answers of real servers may not find their way back."
    return ""


def with_latest(
    status: AddressStatus, what: Carried, said: tuple[int, float] | None, owner: SecondOwner | None, trouble: str
) -> AddressStatus:
    """Return the status of an address with what was heard of it lately.

    `said`: how many rounds announced it, and how many seconds ago the last did; `trouble`: why the last was not sent.
    """
    sentence = status.sentence or trouble
    if said is not None:
        status = replace(status, rounds=said[0], told_s_ago=said[1])
    if owner is not None:
        conflict = Conflict(what.device, what.address, Claim.HAS, owner.mac).sentence
        sentence = f"{conflict} {sentence}".strip()
        status = replace(status, state=AddressState.CONFLICT, mac=owner.mac)
    return replace(status, sentence=sentence)


def by_sentence(addresses: Iterable[AddressStatus]) -> dict[str, tuple[int, str]]:
    """Return for each sentence, once, its level in the log, and before it whom it concerns, as `virtual[web]: `."""
    concerned: dict[str, list[AddressStatus]] = {}
    for each in addresses:
        concerned.setdefault(each.sentence, []).append(each)
    found = {}
    for sentence, those in concerned.items():
        sources = list(dict.fromkeys(each.source for each in those if each.source))
        more = f" and {len(sources) - SOURCES_MAX} more" if len(sources) > SOURCES_MAX else ""
        whom = f"{', '.join(sources[:SOURCES_MAX])}{more}: " if sources else ""
        is_refused = any(each.state is AddressState.REFUSED for each in those)
        found[sentence] = (logging.ERROR if is_refused else logging.WARNING, whom)
    return found


def carried_of(held: Held) -> Carried:
    """Return what is announced of an address."""
    return Carried(held.device, held.address)


def _written(held: Held) -> str:
    return f"{held.address}/{held.prefix_length}"
