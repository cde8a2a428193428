"""What the status says of a floating address, put together from how it stands, what was refused and what was heard."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from piranha.ipvs.addresses import Condition, Held, RefusedAddress, Standing, WantedAddress
from piranha.ipvs.announcements import Carried
from piranha.status import AddressState, AddressStatus


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


def carried_of(held: Held) -> Carried:
    """Return what is announced of an address."""
    return Carried(held.device, held.address)


def _written(held: Held) -> str:
    return f"{held.address}/{held.prefix_length}"
