"""How failover stands, for the status and the pages. Thinks only: `now` is monotonic seconds."""

from collections.abc import Callable, Iterable

from piranha.config.model import Address
from piranha.ha.channels import ChannelName
from piranha.ha.datagram import PartnerKind
from piranha.ha.failover import Failover
from piranha.ha.node import Node, fails_back_at, heir_problem
from piranha.ha.settings import Failback
from piranha.ha.states import State
from piranha.pulse.links import Carrying
from piranha.pulse.wires import Wires
from piranha.router_status import ChannelStatus, PartnerStatus, RedundancyStatus, RejectedStatus, SaidStatus

_WORDS = {True: "up", False: "down", None: "unknown"}


def redundancy(
    failover: Failover,
    wires: Wires,
    link_of: Callable[[Address], Carrying],
    said: Iterable[tuple[str, str]],
    trouble: tuple[str, ...],
    wall_at: Callable[[float], str],
    now: float,
) -> RedundancyStatus:
    """Return how failover stands."""
    node, settings = failover.node, failover.node.settings
    return RedundancyStatus(
        role=settings.role,
        state=node.state,
        since=wall_at(node.since),
        is_alone=settings.is_alone,
        partner=None if settings.is_alone else _partner(failover, wires, now),
        channels=tuple(_channel(failover, wires, name, link_of, now) for name in wires.ways),
        keepalive_s=settings.keepalive_s,
        deadtime_s=settings.deadtime_s,
        has_key=settings.has_key,
        failback=settings.failback,
        failback_after_s=settings.failback_after_s,
        failback_in_s=_failback_in_s(node, now),
        rejected=tuple(RejectedStatus(why, count) for why, count in failover.rejected.items() if count),
        said=tuple(SaidStatus(at, sentence) for at, sentence in reversed(list(said))),
        trouble=trouble,
    )


def _partner(failover: Failover, wires: Wires, now: float) -> PartnerStatus:
    node, settings = failover.node, failover.node.settings
    facts, way = node.partner, wires.ways.get(ChannelName.PUBLIC)
    address = str(way.partner) if way is not None else ""
    if facts.heard_at is None:
        return PartnerStatus(address)
    age_s = now - facts.heard_at
    state = facts.state if age_s < settings.deadtime_s else "unknown"
    trailer = facts.trailer
    if trailer is None:
        kind = "original" if facts.kind is PartnerKind.ORIGINAL else str(facts.kind)
        return PartnerStatus(address, kind, state, age_s)
    health = trailer.health
    return PartnerStatus(
        address=address,
        kind="new",
        state=state,
        heard_s_ago=age_s,
        role=trailer.role,
        is_authentic=settings.has_key,
        is_ready=trailer.flags.is_ready,
        has_same_config=_is_same(trailer.digest, node.report.digest),
        public_up=trailer.flags.public_up,
        private_up=trailer.flags.private_up,
        keepalive_s=trailer.keepalive_s,
        deadtime_s=trailer.deadtime_s,
        servers_up=health.servers_up,
        servers=health.servers,
        virtual_up=health.virtual_up,
        virtual=health.virtual,
    )


def _is_same(theirs: bytes, ours: bytes) -> bool | None:
    """Compare two digests; None while one of them is not told yet."""
    return theirs == ours if any(theirs) and any(ours) else None


def _channel(
    failover: Failover, wires: Wires, name: ChannelName, link_of: Callable[[Address], Carrying], now: float
) -> ChannelStatus:
    way, channel = wires.ways[name], failover.channels[name]
    carrying = link_of(way.own)
    return ChannelStatus(
        name=name,
        own=str(way.own),
        partner=str(way.partner),
        device=carrying.device,
        link=_WORDS[carrying.is_up],
        heard_s_ago=channel.age_s(now),
        heard=channel.heard,
        loss=channel.loss(now, failover.node.settings.keepalive_s),
        trouble=wires.trouble(name),
    )


def _failback_in_s(node: Node, now: float) -> float | None:
    if node.state is not State.ACTIVE or node.settings.failback is not Failback.AUTO or heir_problem(node, now):
        return None
    at = fails_back_at(node)
    return None if at is None else max(0.0, at - now)
