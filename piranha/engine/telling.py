"""What the engine tells of itself: everything, the part that a page shows, or a summary for the top of every page.

Rule: the part and the summary cost about the same for twenty servers and for twenty thousand. They are made of what the
last turn of the balancer saw, which is at most a moment old; facts carry their age.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from piranha.config.faults import in_file_order
from piranha.config.model import Cluster, RealServerKey, ServiceKey, ServiceKind
from piranha.engine import reports
from piranha.engine.applying import Applying
from piranha.engine.balancer import Balancer
from piranha.engine.by_hand import ByHand
from piranha.engine.confirming import Confirming
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.load_status import with_tuning
from piranha.engine.parts import Asked, Chooser, Found, Index, Pick, Picked, may_be_unwell
from piranha.engine.role import has_backup
from piranha.engine.standstill import Standstill
from piranha.engine.version import Version
from piranha.engine.view import View
from piranha.errors import ConfigUnavailable
from piranha.health.machine import ServerHealth
from piranha.health.overrides import Override
from piranha.health.tuning import Tuned
from piranha.monitoring import OVERRIDES_SHOWN, Summary
from piranha.pair_findings import partner_state_now, state_now
from piranha.router_status import Counts, RedundancyStatus, RoleStatus, StatusPart
from piranha.status import AddressStatus, EngineStatus, HealthState, OverrideStatus, RunState, VirtualServerStatus
from piranha.system.boot import monotonic, wall

FAULTS_TOLD = 50
STEPS_TOLD = 20
FOREIGN_TOLD = 50
OVERRIDES_TOLD = 50
ADDRESSES_TOLD = 50
"""How many of each a part of the status has; it says how many there are."""

ROWS_AT_ONCE = 300
"""So many are put together, in some 10 ms, and then others have their turn."""

_Overridden = Mapping[RealServerKey, tuple[OverrideStatus, ...]]


@dataclass(slots=True)
class Telling:
    """Tells of one engine. `started` is monotonic seconds; `notices` are sentences for the administrator.

    `redundancy` tells how failover stands, None where there is none or it was never heard.
    """

    keeper: ConfigKeeper
    balancer: Balancer
    applying: Applying
    by_hand: ByHand
    confirming: Confirming
    standstill: Standstill
    notices: Callable[[], tuple[str, ...]]
    started: float
    redundancy: Callable[[], RedundancyStatus | None] = lambda: None
    _index: Index | None = None
    _look: "_Look | None" = None

    async def status(self, asked: Asked | None, addresses: Sequence[AddressStatus]) -> EngineStatus:
        """Return the status, or (`asked`) a part of it. `addresses` is how all floating ones stand."""
        view = await (self.balancer.view() if asked is None else self.balancer.recent_view())
        saved, problem = await self._saved()
        index = self._index_of(view.cluster)
        overrides, overridden = self.by_hand.told(), self.by_hand.by_server()
        look = self._looked(view, index, overridden)
        troubles = reports.troubles_of(addresses, index.host_of)
        chooser = Chooser(
            index, view, self.balancer.nanny.healths, overridden, troubles, look.may_be_unwell, look.found
        )
        picked = chooser.choose(asked) if asked is not None else Picked(chooser.everything(), 0, 0)
        reason = self._idle_reason(saved)
        report = reports.Report(view, self.balancer.nanny, overridden, self.balancer.path.name, look.counted)
        status = reports.status_of(
            view,
            await _told(report, picked.picks, self.balancer.weighing.tuned),
            nanny=self.balancer.nanny,
            overrides=overrides,
            config=reports.config_status(self.keeper, saved, self.applying.version, problem),
            idle_reason=reason,
            data_path=self.balancer.path.name,
            started=self.started,
            faults=in_file_order(saved.loaded.faults) if saved else (),
            messages=self._messages(),
            foreign=look.foreign,
        )
        status = replace(
            reports.with_addresses(status, addresses, troubles),
            state=self._state(reason),
            confirmation=self.confirming.status(),
            counts=look.counts,
            stopped=self.standstill.status(),
            role=_role(view, self.redundancy()),
        )
        return status if asked is None else _part_of(status, picked, troubles)

    async def summary(self) -> Summary:
        """Return what every page says on top."""
        view = await self.balancer.recent_view()
        saved, problem = await self._saved()
        look = self._looked(view, self._index_of(view.cluster), self.by_hand.by_server())
        reason = self._idle_reason(saved)
        return Summary(
            state=self._state(reason),
            reason=reason,
            data_path=self.balancer.path.name,
            router=reports.router_name(),
            at=wall(),
            running_for_s=monotonic() - self.started,
            config=reports.config_status(self.keeper, saved, self.applying.version, problem),
            counts=look.counts,
            overrides=self.by_hand.told(OVERRIDES_SHOWN),
            overrides_in_all=len(self.balancer.overrides),
            messages=self._messages(),
            confirmation=self.confirming.status(),
            stopped=self.standstill.status(),
            role=_role(view, self.redundancy()),
        )

    async def _saved(self) -> tuple[Version | None, str]:
        try:
            return await asyncio.to_thread(self.keeper.saved_version), ""
        except ConfigUnavailable as error:
            return None, str(error)

    def _index_of(self, cluster: Cluster) -> Index:
        if self._index is None or self._index.cluster is not cluster:
            self._index = Index(cluster)
        return self._index

    def _messages(self) -> tuple[str, ...]:
        return (*self.applying.messages, *self.balancer.notices, *self.notices())

    def _state(self, reason: str) -> RunState:
        if self.standstill.stopped is not None:
            return RunState.STOPPED
        return RunState.IDLE if reason else RunState.RUNNING

    def _looked(self, view: View, index: Index, overridden: _Overridden) -> "_Look":
        """Return what takes long to find out: once for each view, which any news replaces at once."""
        overrides = self.balancer.overrides
        if self._look is None or self._look.view is not view or self._look.overrides is not overrides:
            healths = self.balancer.nanny.healths
            self._look = _Look(
                view,
                overrides,
                _counts(view, index, healths, overridden),
                may_be_unwell(index, view, healths, overridden),
                reports.foreign_in(view),
            )
        return self._look

    def _idle_reason(self, saved: Version | None) -> str:
        stopped, version, file = self.standstill.stopped, self.applying.version, self.keeper.paths.lvs_cf
        if stopped is not None:
            return stopped.by
        if self.applying.has_virtual_servers:
            return ""
        if version is not None and version.loaded.cluster.service is ServiceKind.FOS:
            return "service = fos: failover services are kept and shown, this engine does not run them"
        if version is not None and not version.raw:
            return "the Apply was not confirmed, and nothing ran before it"
        if version is None:
            return f"there is no {file} yet" if saved is None else f"{file} was never applied"
        return f"no active lvs services defined in {file}"


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found out about a view. `counted`: of each virtual server that was asked for, by written path; `found`:
    what was looked for.
    """

    view: View
    overrides: tuple[Override, ...]
    counts: Counts
    may_be_unwell: frozenset[ServiceKey | None]
    foreign: tuple[str, ...]
    counted: dict[str, Counts] = field(default_factory=dict)
    found: Found = field(default_factory=dict)


def _counts(view: View, index: Index, healths: Mapping[RealServerKey, ServerHealth], overridden: _Overridden) -> Counts:
    in_all, active = index.sizes
    states = [health.state for health in healths.values()]
    up, down = states.count(HealthState.UP), states.count(HealthState.DOWN)
    drained = sum(any(each.kind == "drain" for each in those) for those in overridden.values())
    return Counts(
        virtual_servers=len(index.in_force),
        not_served=Chooser(index, view, healths).not_served,
        servers=in_all,
        up=up,
        down=down,
        unknown=max(0, active - up - down),
        inactive=in_all - active,
        drained=drained,
        leaving=len(view.draining),
        connections=_connections(view),
    )


def _role(view: View, pair: RedundancyStatus | None) -> RoleStatus:
    cluster, standing = view.cluster, view.standing
    if not has_backup(cluster):
        return RoleStatus(standing.is_active, "", standing.reason)
    if pair is None or pair.is_alone:
        partner = cluster.backup if standing.is_active else cluster.primary
        return RoleStatus(standing.is_active, str(partner or ""), standing.reason)
    partner = cluster.backup if pair.role == "primary" else cluster.primary
    states = state_now(pair), partner_state_now(pair)
    return RoleStatus(standing.is_active, str(partner or ""), standing.reason, pair.role, *states)


def _connections(view: View) -> int:
    """Return how many active connections our virtual servers have."""
    counters = view.reading.counters
    if len(view.ours) == len(view.reading.table):
        return sum(each.active_connections for each in counters.values())
    return sum(each.active_connections for (key, _), each in counters.items() if key in view.ours)


async def _told(
    report: reports.Report, picks: Iterable[Pick], tuned: Mapping[RealServerKey, Tuned] = MappingProxyType({})
) -> tuple[VirtualServerStatus, ...]:
    """Return what is told of virtual servers. Checks and packets do not wait for all of them."""
    told: list[VirtualServerStatus] = []
    rows = 0
    for pick in picks:
        told.append(with_tuning(report.virtual_server(pick), pick, tuned, monotonic()))
        rows += 1 + len(pick.servers)
        if rows >= ROWS_AT_ONCE:
            rows = 0
            await asyncio.sleep(0)
    return tuple(told)


def _part_of(status: EngineStatus, picked: Picked, troubles: Collection[str]) -> EngineStatus:
    """Return a status with the beginnings of its lists, and with how many there are."""
    shown = {each.path for each in status.virtual_servers} | {"nat_router"}
    hosts = {each.address for each in status.virtual_servers}
    own = [each for each in status.addresses if each.source in shown or each.address.partition("/")[0] in hosts]
    wrong = [each for each in status.addresses if each.source in troubles]
    part = StatusPart(
        first=picked.first,
        matching=picked.matching,
        faults=len(status.faults),
        pending=len(status.pending),
        foreign=len(status.foreign),
        overrides=len(status.overrides),
        addresses=len(status.addresses),
        addresses_in_trouble=len(wrong),
    )
    return replace(
        status,
        faults=status.faults[:FAULTS_TOLD],
        pending=status.pending[:STEPS_TOLD],
        foreign=status.foreign[:FOREIGN_TOLD],
        overrides=status.overrides[:OVERRIDES_TOLD],
        addresses=tuple(dict.fromkeys((*wrong[:ADDRESSES_TOLD], *own[:ADDRESSES_TOLD]))),
        part=part,
    )
