"""The weights of what runs: the configured ones, and what health, slow start, load and people make of them.

Rule 1: nobody waits here. What changes a weight is told to it: a cluster, a verdict, an answer about a load, the time.
Rule 2: the balancer hears of it once, and only when a weight became another one.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from piranha.config.extensions import Extensions
from piranha.config.health_settings import CheckSettings, WeightSettings
from piranha.config.model import Address, Cluster, HostName, RealServerKey, ServiceKey
from piranha.engine.check_kinds import with_kinds
from piranha.engine.kernel_tuning import policy_file
from piranha.engine.load_watch import LoadWatch
from piranha.engine.nanny import Nanny
from piranha.engine.policy import read_policy
from piranha.engine.servers import active_servers, checks_of, heard_of_all, needed_first, weighed_servers
from piranha.errors import ConfigUnavailable
from piranha.health.check import Check
from piranha.health.kinds import Authorities
from piranha.health.load import Formula, Unread, usual
from piranha.health.load_questions import question_of
from piranha.health.machine import Row
from piranha.health.overrides import Override
from piranha.health.tuning import (
    Coming,
    SlowStart,
    Tuned,
    configured_as,
    due,
    heard,
    starts_slowly,
    tick,
    unasked,
    untuned,
    up,
)
from piranha.health.weight import Weighed
from piranha.ipvs.table import Table
from piranha.paths import Paths
from piranha.status import HealthState
from piranha.system import authority_files, piranha_toml
from piranha.system.load_queries import Ask, ask

log = logging.getLogger("lvs")

USUAL_S = 5.0
"""So long the usual load of a virtual server is not reckoned anew, however many answers come."""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """The tables [checks] and [weights] of piranha.toml, and the users that policy.toml names for programs.

    `authorities`: what the files hold whose certificates checks by TLS verify with, by name.
    """

    checks: CheckSettings = field(default_factory=CheckSettings)
    weights: WeightSettings = field(default_factory=WeightSettings)
    run_as: Mapping[str, str] = field(default_factory=dict)
    authorities: Mapping[str, Authorities] = field(default_factory=dict)


def settings_in(paths: Paths) -> HealthSettings:
    """Return what piranha.toml and policy.toml say of checks and weights. Raises ConfigUnavailable."""
    told = piranha_toml.load(paths) or Extensions()
    broken = next((each for each in told.errors if not each.path), None)
    if broken is not None:  # nothing in it could be read
        raise ConfigUnavailable(broken.located("piranha.toml"))
    authorities = authority_files.read_all(paths, told.checks.kinds.values())
    return HealthSettings(told.checks, told.weights, read_policy(policy_file(paths)).run_as, authorities)


class Weighing:
    """Weighs the real servers of one cluster. `now` is monotonic seconds.

    `on_change` is told when a weight became another one, but not of what `tick` does, whose caller knows.
    `read_settings` blocks, and may raise ConfigUnavailable: then what was read before holds on.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        nanny: Nanny,
        now: Callable[[], float],
        on_change: Callable[[], None],
        ask: Ask = ask,
    ) -> None:
        self._nanny = nanny
        self._now = now
        self._on_change = on_change
        self.loads = LoadWatch(group, self._heard, self._is_down, now, ask=ask)
        self.read_settings: Callable[[], HealthSettings] = HealthSettings
        self._settings = HealthSettings()
        self._tuned: dict[RealServerKey, Tuned] = {}
        self._quiesces: dict[RealServerKey, bool] = {}
        self._coming: dict[RealServerKey, Coming] = {}
        self._pools: dict[ServiceKey, tuple[RealServerKey, ...]] = {}
        self._usual: dict[ServiceKey, tuple[float, float]] = {}
        self._oldest: dict[ServiceKey, RealServerKey] = {}
        self._due = math.inf

    @property
    def tuned(self) -> Mapping[RealServerKey, Tuned]:
        """Return what slow start and load make of the weight of each real server, as it is now and will be."""
        return MappingProxyType(self._tuned)

    async def refresh(self) -> None:
        """Read the settings anew; they hold from the next `watch` on."""
        try:
            self._settings = await asyncio.to_thread(self.read_settings)
        except ConfigUnavailable as problem:
            log.warning("%s What checks and weights did before holds on.", problem)
        self.loads.run_as = self._settings.run_as

    def checks_of(self, cluster: Cluster) -> dict[RealServerKey, Check]:
        """Return the checks of a cluster, one for each real server that can be checked."""
        settings, default = self._settings.checks, CheckSettings()
        checks = with_kinds(cluster, checks_of(cluster), settings.kinds, self._settings.authorities)
        if (settings.rise, settings.fall) == (default.rise, default.fall):
            return checks
        return {key: replace(check, rise=settings.rise, fall=settings.fall) for key, check in checks.items()}

    async def first_checks(
        self,
        cluster: Cluster,
        resolved: Mapping[HostName, Address],
        overrides: Sequence[Override],
        present: Table,
        heard: asyncio.Event,
        limit_s: float,
    ) -> None:
        """Wait for the first checks of the servers without which a cluster would serve nobody where there is traffic.

        Never longer than `limit_s` or the longest of them. `present` is the table, `heard` is set with every check.
        """
        awaited = needed_first(cluster, resolved, self.weighed(cluster, overrides), present, self.is_known)
        if not awaited:
            return
        checks = self.checks_of(cluster)
        self._nanny.watch({**checks, **self._nanny.checks}, resolved)
        longest_s = max(checks[key].limit_s for key in awaited)
        await heard_of_all(awaited, self.is_known, heard, min(limit_s, longest_s))

    def watch(
        self, cluster: Cluster, resolved: Mapping[HostName, Address], in_table: Collection[RealServerKey] = ()
    ) -> None:
        """Check, weigh and ask exactly what this cluster has. `in_table`: as in Nanny.watch."""
        now, formerly = self._now(), self._tuned
        former_services = set(self._pools)
        self._tuned, self._quiesces, pools = {}, {}, dict[ServiceKey, list[RealServerKey]]()
        for virtual, server, key in active_servers(cluster):
            if key in self._tuned:
                continue
            before = formerly.get(key)
            self._tuned[key] = untuned(server.weight) if before is None else configured_as(before, server.weight, now)
            if question_of(cluster, virtual, server) is None:
                self._tuned[key] = unasked(self._tuned[key], now)
            self._quiesces[key] = virtual.quiesces
            pools.setdefault(key.service, []).append(key)
            if before is None:
                coming = Coming.JOINS if key.service in former_services else Coming.FIRST
                self._coming[key] = Coming.ADOPTED if key in in_table else coming
        self._coming = {key: coming for key, coming in self._coming.items() if key in self._tuned}
        self._pools, self._usual, self._oldest = {service: tuple(keys) for service, keys in pools.items()}, {}, {}
        self._due = min(map(due, self._tuned.values()), default=math.inf)
        for key in self._tuned.keys() - formerly.keys():
            if self._is_up(key):  # its first check was awaited before it runs
                self._comes_up(key)
        self._nanny.watch(self.checks_of(cluster), resolved, in_table)
        self.loads.watch(cluster, resolved)

    def stop(self) -> None:
        """Check and ask nobody any more."""
        self.watch(Cluster(), {})

    def is_known(self, key: RealServerKey) -> bool:
        """Say whether a check of a real server has had its say."""
        health = self._nanny.healths.get(key)
        return health is not None and health.state is not HealthState.UNKNOWN

    def weighed(
        self, cluster: Cluster, overrides: Sequence[Override], *, is_hopeful: bool = False
    ) -> dict[RealServerKey, Weighed]:
        """Return the weight of every active server of a cluster. `is_hopeful`: those not checked yet count as up."""
        return weighed_servers(cluster, self._nanny.healths, overrides, self._tuned, is_hopeful=is_hopeful)

    def changed(self, key: RealServerKey, row: Row) -> None:
        """Take note of another state of a server's health; the balancer is told in any case."""
        tuned = self._tuned.get(key)
        if tuned is not None and row.becomes is HealthState.UP:
            self._comes_up(key)
        elif tuned is not None:
            self._coming[key] = Coming.RETURNS
            if self._oldest.get(key.service) == key:
                del self._oldest[key.service]
            self._put(key, up(tuned.configured, tuned, self._now(), slowly=False))
        self._on_change()

    def tick(self) -> bool:
        """Take the steps of slow start that are due, and let go loads that are old; say whether a weight changed."""
        now = self._now()
        if now < self._due:
            return False
        before = dict(self._tuned)
        for key, tuned in before.items():
            self._tuned[key] = tick(tuned, now)
        self._due = min(map(due, self._tuned.values()), default=math.inf)
        return any(self._tuned[key].weight != tuned.weight for key, tuned in before.items())

    def _comes_up(self, key: RealServerKey) -> None:
        now, tuned = self._now(), self._tuned[key]
        policy, coming = SlowStart(self._settings.weights.slow_start), self._coming.get(key, Coming.FIRST)
        is_alone = coming in (Coming.FIRST, Coming.ADOPTED)
        pool = () if is_alone else self._oldest_up(key.service)
        slowly = starts_slowly(policy, self._quiesces[key], coming, pool, now)
        self._put(key, up(tuned.configured, tuned, now, slowly=slowly))

    def _put(self, key: RealServerKey, tuned: Tuned) -> None:
        self._tuned[key] = tuned
        self._due = min(self._due, due(tuned))

    def _oldest_up(self, service: ServiceKey) -> tuple[float, ...]:
        """Return since when the real server of a virtual server is up that is up longest; nothing if none is.

        It is looked for again only when it is up no more (`changed`): when thousands come up, each asks.
        """
        healths, kept = self._nanny.healths, self._oldest.get(service)
        health = healths.get(kept) if kept is not None else None
        if health is None:
            up_here = [key for key in self._pools[service] if self._is_up(key)]
            kept = min(up_here, key=lambda key: healths[key].since, default=None)
            if kept is None:
                return ()
            self._oldest[service], health = kept, healths[kept]
        return (health.since,)

    def _heard(self, answers: Mapping[RealServerKey, float | Unread]) -> None:
        """Take answers that came together. The usual load of a virtual server is reckoned with all of them."""
        now, formula, is_other = self._now(), Formula(self._settings.weights.load_formula), False
        told = {key: (self._tuned[key], answer) for key, answer in answers.items() if key in self._tuned}
        for key, (tuned, answer) in told.items():
            if not isinstance(answer, Unread):
                self._tuned[key] = replace(tuned, load=answer, heard_at=now)
                if tuned.load is None:  # one more is known: what is usual is another thing
                    self._usual.pop(key.service, None)
        for key, (tuned, answer) in told.items():
            self._put(key, heard(tuned, answer, formula, self._usual_of(key.service, now), now))
            is_other |= self._tuned[key].weight != tuned.weight and self._is_up(key)
        if is_other:
            self._on_change()

    def _usual_of(self, service: ServiceKey, now: float) -> float:
        """Return the usual load of the real servers of a virtual server that are up, as it was USUAL_S ago at most."""
        kept = self._usual.get(service)
        if kept is None or now >= kept[0] + USUAL_S:
            loads = (self._tuned[key].load for key in self._pools[service] if self._is_up(key))
            kept = self._usual[service] = (now, usual([load for load in loads if load is not None]))
        return kept[1]

    def _is_up(self, key: RealServerKey) -> bool:
        health = self._nanny.healths.get(key)
        return health is not None and health.state is HealthState.UP

    def _is_down(self, key: RealServerKey) -> bool:
        health = self._nanny.healths.get(key)
        return health is not None and health.state is HealthState.DOWN
