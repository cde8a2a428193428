"""Which real server gets the next connection: the pick functions of the embedded data path.

Rule 1: a pick is a pure function of the candidates, in the order of the table, and of the `Turn` that the
last pick left behind. Nothing here remembers anything.
Rule 2: weight 0 gets no new connection, under every scheduler.
Rule 3: the rules are those of the kernel's schedulers of the same name (manual 1.3.1, ipvsadm(8)), so that a
farm balances alike on either data path. tests/lab/test_schedulers.py has the kernel's pick and ours for the same
arrivals, counters and edits: from a new round on they are equal, one by one.

What differs from the kernel, and why:
- A destination that refuses a connection is passed over for that connection (`excluded`): a router never learns of it.
- wrr starts a lap when a weight changed or a destination came or went, as the kernel does. The kernel does it at each
  edit, even of the forwarding alone; here the edits between two picks are one, and those of weights count.
- Candidates stand in the order of the table. The kernel's has a new destination in front, the embedded one at the end.
- sh and dh lead nobody to a destination of weight 0: the others share its slots. The kernel's dh refuses that client,
  its sh too without its fallback.
- lblc and lblcr forget in the kernel which destination an address has when nobody asked for it for a day.
"""

from collections.abc import Callable, Mapping, Sequence
from math import gcd
from types import MappingProxyType
from typing import NamedTuple
from typing import Protocol as Interface

from piranha.config.model import Address

SLOTS = 256
"""The size of a hash table, the kernel's default."""
LIGHTENED_AFTER_S = 24 * 60 * 60.0
"""lblcr: a set that has not grown for so long loses its busiest member (the kernel's lblcr_expiration)."""

_GOLDEN = 0x61C88647
"""2^32 less 2^32 divided by the golden ratio: a multiplication by it spreads neighbouring addresses (Knuth, vol. 3,
6.4), and it is the kernel's.
"""


class Candidate(Interface):
    """A destination as a scheduler sees it."""

    @property
    def weight(self) -> int:
        """Return the share it gets; 0: nothing."""
        ...

    @property
    def active(self) -> int:
        """Return how many established connections it has."""
        ...

    @property
    def inactive(self) -> int:
        """Return how many connections it has that are opening, closing or closed a short while ago."""
        ...


class Turn(NamedTuple):
    """What a scheduler carries from one pick to the next.

    `place`: the index of the last one picked. `level` (wrr): the weight that one needs to be picked in this
    lap. `slots` (sh, dh): for each slot the index of its destination. `weights` (wrr, sh, dh): those that the level or
    the slots belong to. `bound` (lblc, lblcr): the indices of those that the address asked for belongs to, the one that
    came last first.
    """

    place: int = -1
    level: int = 1
    weights: tuple[int, ...] = ()
    slots: tuple[int, ...] = ()
    bound: tuple[int, ...] = ()


Pick = Callable[[Sequence[Candidate], Turn, int, int], tuple[int, Turn]]
"""pick(candidates, turn, slot, excluded) -> (index, next turn).

`slot` is the client's under sh, that of the address it asks for under dh (`slot_of`; nobody else looks at it).
`excluded` is the index of a destination that just refused this very connection, or -1. The index is -1 if nobody is
left.
"""


def rr(candidates: Sequence[Candidate], turn: Turn, slot: int, excluded: int) -> tuple[int, Turn]:
    """Pick the next one in order, whatever its weight, unless it is 0."""
    count = len(candidates)
    place = turn.place
    for _ in range(count):
        place = place + 1 if place + 1 < count else 0
        if place != excluded and candidates[place].weight > 0:
            return place, Turn(place)
    return -1, turn


def wrr(candidates: Sequence[Candidate], turn: Turn, slot: int, excluded: int) -> tuple[int, Turn]:
    """Pick in order, each as often as its weight says, interleaved.

    Laps are run at falling levels, down by the greatest common divisor until everyone takes part; whoever has at least
    the level's weight is picked. So a cycle of sum/gcd picks holds everyone exactly weight/gcd times. The first lap is
    everyone's. After an edit a new lap starts at the first one, at about the level of before.
    """
    weights = tuple([candidate.weight for candidate in candidates])
    divisor = gcd(*weights)
    if weights != turn.weights:
        turn = Turn(-1, _level_after_edit(turn.level, max(weights, default=0), divisor), weights)
    greatest = max((weight for index, weight in enumerate(weights) if index != excluded), default=0)
    if greatest <= 0:
        return -1, turn
    top = _top(greatest, divisor)
    place = turn.place
    level = min(turn.level, top)
    while True:
        place += 1
        if place >= len(weights):
            place = 0
            level -= divisor
            if level <= 0:
                level = top
        if weights[place] >= level and place != excluded:
            return place, Turn(place, level, weights)


def _top(greatest: int, divisor: int) -> int:
    """Return the level of the first lap of a cycle: only the greatest weight reaches it. The last lap's is 1."""
    return greatest - divisor + 1


def _level_after_edit(level: int, greatest: int, divisor: int) -> int:
    """Return where the kernel goes on after an edit, with a level that may be none of today's."""
    if greatest <= 0:
        return 1
    top = _top(greatest, divisor)
    if level > top or divisor == 1:
        return min(level, top)
    return level // divisor * divisor + 1


def lc(candidates: Sequence[Candidate], turn: Turn, slot: int, excluded: int) -> tuple[int, Turn]:
    """Pick the one with the fewest connections; an active one counts as much as 256 inactive ones."""
    best = -1
    least = 0
    for place, candidate in enumerate(candidates):
        if candidate.weight > 0 and place != excluded:
            load = candidate.active * 256 + candidate.inactive
            if best < 0 or load < least:
                best, least = place, load
    return best, turn


def wlc(candidates: Sequence[Candidate], turn: Turn, slot: int, excluded: int) -> tuple[int, Turn]:
    """Pick the one with the fewest connections for its weight."""
    best = -1
    least = least_weight = 0
    for place, candidate in enumerate(candidates):
        weight = candidate.weight
        if weight > 0 and place != excluded:
            load = candidate.active * 256 + candidate.inactive
            # load / weight < least / least_weight, without fractions
            if best < 0 or load * least_weight < least * weight:
                best, least, least_weight = place, load, weight
    return best, turn


def sh(candidates: Sequence[Candidate], turn: Turn, slot: int, excluded: int) -> tuple[int, Turn]:
    """Pick the destination that the client's slot belongs to; the next slot's if that one refused the
    connection.
    """
    weights = tuple([candidate.weight for candidate in candidates])
    if weights != turn.weights or not turn.slots:
        turn = Turn(weights=weights, slots=slots_of(weights))
    return _of_slot(turn, slot, excluded), turn


def dh(candidates: Sequence[Candidate], turn: Turn, slot: int, excluded: int) -> tuple[int, Turn]:
    """Pick the destination that the slot of the address asked for belongs to. Weights say nothing but who takes part.

    A service has one address here, so that all of its connections go to one destination, as in the kernel.
    """
    weights = tuple([min(candidate.weight, 1) for candidate in candidates])
    if weights != turn.weights or not turn.slots:
        turn = Turn(weights=weights, slots=slots_of(weights))
    return _of_slot(turn, slot, excluded), turn


def _of_slot(turn: Turn, slot: int, excluded: int) -> int:
    slots = turn.slots
    for step in range(SLOTS if slots else 0):
        place = slots[(slot + step) % SLOTS]
        if place != excluded:
            return place
    return -1


def slots_of(weights: Sequence[int]) -> tuple[int, ...]:
    """Return the hash table: each destination fills weight-many slots in turn. Empty if all weights are 0."""
    lap = [place for place, weight in enumerate(weights) for _ in range(min(weight, SLOTS))]
    if not lap:
        return ()
    return tuple((lap * (SLOTS // len(lap) + 1))[:SLOTS])


def lblc(candidates: Sequence[Candidate], turn: Turn, slot: int, excluded: int) -> tuple[int, Turn]:
    """Pick the destination that the address asked for belongs to, unless it is overloaded; then wlc's.

    The address belongs to whom wlc picked last; one that refuses a connection keeps it, for it may take the next.
    """
    for place in turn.bound:
        if candidates[place].weight > 0 and not _is_overloaded(candidates, place):
            return (place, turn) if place != excluded else (wlc(candidates, turn, slot, excluded)[0], turn)
    place, _ = wlc(candidates, turn, slot, excluded)
    return place, turn if place < 0 else turn._replace(bound=(place,))


def lblcr(candidates: Sequence[Candidate], turn: Turn, slot: int, excluded: int) -> tuple[int, Turn]:
    """Pick wlc's destination among those that the address asked for belongs to, unless it is overloaded.

    Then wlc picks among all, and that one belongs to them from now on (`lightened` makes them fewer).
    """
    least = _least_of(candidates, turn.bound, excluded)
    if least >= 0 and not _is_overloaded(candidates, least):
        return least, turn
    place, _ = wlc(candidates, turn, slot, excluded)
    if place < 0 or place in turn.bound:
        return place, turn
    return place, turn._replace(bound=(place, *turn.bound))


def lightened(candidates: Sequence[Candidate], turn: Turn) -> Turn:
    """Return the turn of lblcr without the busiest of the destinations that the address belongs to."""
    busiest = -1
    for place in turn.bound:
        if candidates[place].weight > 0 and (busiest < 0 or _is_busier(candidates[place], candidates[busiest])):
            busiest = place
    return turn._replace(bound=tuple(place for place in turn.bound if place != busiest))


def _is_busier(one: Candidate, other: Candidate) -> bool:
    """Say whether one has more connections for its weight than another."""
    loads = (one.active * 256 + one.inactive, other.active * 256 + other.inactive)
    return loads[0] * other.weight > loads[1] * one.weight


def _least_of(candidates: Sequence[Candidate], places: Sequence[int], excluded: int) -> int:
    least = -1
    for place in places:
        is_free = candidates[place].weight > 0 and place != excluded
        if is_free and (least < 0 or _is_busier(candidates[least], candidates[place])):
            least = place
    return least


def _is_overloaded(candidates: Sequence[Candidate], place: int) -> bool:
    """Say whether one has more active connections than weight while another has not half as many."""
    if candidates[place].active <= candidates[place].weight:
        return False
    return any(candidate.active * 2 < candidate.weight for candidate in candidates)


def slot_of(address: Address) -> int:
    """Return an address's slot of a hash table, 0 to 255; an IPv6 address is folded to 32 bits first."""
    number = int(address)
    folded = 0
    while number:
        folded ^= number & 0xFFFFFFFF
        number >>= 32
    return (folded * _GOLDEN & 0xFFFFFFFF) >> 24


def without(turn: Turn, place: int) -> Turn:
    """Return the turn after the destination at `place` went: the round of rr goes on with the same next one, wrr
    starts a lap, even if the weights look as before because another one came; whoever belonged there is free.
    """
    bound = tuple(each - (place < each) for each in turn.bound if each != place)
    return turn._replace(place=turn.place - (place <= turn.place), weights=(), bound=bound)


PICKS: Mapping[str, Pick] = MappingProxyType(
    {"rr": rr, "wrr": wrr, "lc": lc, "wlc": wlc, "lblc": lblc, "lblcr": lblcr, "dh": dh, "sh": sh}
)
"""The schedulers of the embedded data path, by their names in lvs.cf."""

COUNTING = frozenset({lc, wlc, lblc, lblcr})
"""The picks that look at the number of connections."""
