"""When this router tells its neighbours that a floating address is here: the rounds of announcements, by the clock.

Rule 1: a claimed address is announced after 0, 1, 2, 3 and 4 seconds, and again from 0 on whenever its interface gets
its carrier back or another hardware address. A switch may forward nothing for half a minute after that (spanning
tree): three rounds follow later, and one now and then for ever.
Rule 2: what is yielded is announced no more, from that very moment on.
Rule 3: `gratuitous lvs arps finished` is logged once, 5 seconds after the claim, as the original did; whatever is
repeated later is silent.
Rule 4: a router that stood still does not make up for the rounds it missed.

`now` is monotonic seconds.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from piranha.config.model import Address
from piranha.ipvs.addresses import Link

ROUNDS_S = (0.0, 1.0, 2.0, 3.0, 4.0)
FINISHED_S = 5.0
LATER_ROUNDS_S = (10.0, 20.0, 40.0)
REFRESH_S = 60.0
"""A round that often after the last of those, for neighbours that forgot; 0: none."""
FINISHED = "gratuitous lvs arps finished"
CLOSEST_S = 0.5
"""No two rounds of one address are closer than that, however late the first was."""

_OFFSETS_S = (*ROUNDS_S, *LATER_ROUNDS_S)


@dataclass(frozen=True, slots=True)
class Carried:
    """An address and the interface that carries it."""

    device: str
    address: Address


@dataclass(frozen=True, slots=True)
class _Series:
    """`count` rounds were sent, the next is due at `due_at` (None: no more)."""

    count: int
    due_at: float | None


@dataclass(frozen=True, slots=True)
class Announcing:
    """What is announced and how far each address is; `finishes_at`: when the claims under way are all announced."""

    series: Mapping[Carried, _Series] = field(default_factory=lambda: MappingProxyType({}))
    links: Mapping[str, Link] = field(default_factory=lambda: MappingProxyType({}))
    finishes_at: float | None = None
    refresh_s: float = REFRESH_S

    @property
    def next_at(self) -> float | None:
        """Return when `due` has something to say next, None for never."""
        times = [each.due_at for each in self.series.values() if each.due_at is not None]
        if self.finishes_at is not None:
            times.append(self.finishes_at)
        return min(times, default=None)


def carry(state: Announcing, carried: Collection[Carried], now: float) -> Announcing:
    """Take note of all addresses that this router carries now: new ones begin, missing ones end at once.

    Those that were there go on as they are, so that it can be told as often as one likes; none means yield.
    """
    new = [each for each in carried if each not in state.series]
    series = {each: state.series.get(each, _Series(0, now)) for each in carried}
    finishes_at = now + FINISHED_S if new else state.finishes_at if series else None
    return replace(state, series=MappingProxyType(series), finishes_at=finishes_at)


def announce_again(state: Announcing, now: float, device: str = "") -> Announcing:
    """Begin anew with the addresses of an interface ("" : of all), silently."""
    series = {each: _Series(0, now) if device in ("", each.device) else there for each, there in state.series.items()}
    return replace(state, series=MappingProxyType(series))


def link_seen(state: Announcing, link: Link, now: float) -> Announcing:
    """Take note of how an interface is; its addresses are announced anew if the neighbours may have lost them."""
    before = state.links.get(link.name)
    state = replace(state, links=MappingProxyType({**state.links, link.name: link}))
    return announce_again(state, now, link.name) if before is not None and _is_new(before, link) else state


def link_gone(state: Announcing, name: str) -> Announcing:
    """Take note that an interface is no more; when it comes back, it is without carrier until it says otherwise."""
    before = state.links.get(name)
    if before is None:
        return state
    return replace(state, links=MappingProxyType({**state.links, name: replace(before, is_up=False)}))


def _is_new(before: Link, after: Link) -> bool:
    if not (after.is_up and after.has_carrier):
        return False
    return not (before.is_up and before.has_carrier) or (before.mac, before.index) != (after.mac, after.index)


def due(state: Announcing, now: float) -> tuple[Announcing, tuple[Carried, ...], str]:
    """Return which addresses to announce now, in the order they were claimed, and the line for the log ("" : none)."""
    rounds = tuple(each for each, there in state.series.items() if there.due_at is not None and there.due_at <= now)
    if rounds:
        series = {**state.series, **{each: _next(state.series[each], now, state.refresh_s) for each in rounds}}
        state = replace(state, series=MappingProxyType(series))
    if state.finishes_at is not None and state.finishes_at <= now:
        return replace(state, finishes_at=None), rounds, FINISHED
    return state, rounds, ""


def _next(series: _Series, now: float, refresh_s: float) -> _Series:
    assert series.due_at is not None
    count = series.count + 1
    if count < len(_OFFSETS_S):
        gap = _OFFSETS_S[count] - _OFFSETS_S[count - 1]
    elif refresh_s > 0:
        gap = refresh_s
    else:
        return _Series(count, None)
    return _Series(count, max(series.due_at + gap, now + CLOSEST_S))
