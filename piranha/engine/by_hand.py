"""Drains and weights that people set by hand: set, cleared, told. They are kept on the disk until they are cleared.

One that has an end goes by itself then, whatever the disk says: an engine that finds it there once more knows its end.

Everything but `told`, `by_server` and `is_due` is called under the engine's lock.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from piranha.config.model import Cluster, RealServerKey, ServiceKey
from piranha.engine import override_store
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.events import Events
from piranha.engine.servers import active_servers
from piranha.errors import ConfigUnavailable, EditRefused
from piranha.health.overrides import Kind, Override, indexed, next_number, over, with_override
from piranha.messages import OVERRIDE_MOST_S, ClearRequest, OverrideAnswer, OverrideRequest
from piranha.paths import Paths
from piranha.records import EventKind
from piranha.status import OverrideStatus
from piranha.system.boot import wall, wall_of

log = logging.getLogger("lvs")

WEIGHT_MAX = 65535


class _Names:
    """The written paths of a cluster's active real servers, as they are asked for again and again."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.servers = [(server.id, key) for _, server, key in active_servers(cluster)]

    @cached_property
    def path_of(self) -> Mapping[tuple[str, str, int], str]:
        """Return the paths by virtual server's key, address and port, as overrides have them."""
        return {(str(key.service), str(key.address), key.port): path for path, key in reversed(self.servers)}


@dataclass(slots=True)
class ByHand:
    """What is set by hand for the servers of a balancer. `now` is wall time, seconds since 1970.

    `what_runs` returns the cluster that runs, or would if LVS were not stopped; else it is the balancer's.
    """

    paths: Paths
    balancer: Balancer
    events: Events = field(default_factory=Events)
    now: Callable[[], float] = time.time
    what_runs: Callable[[], Cluster] | None = None
    _of_cluster: _Names | None = None

    @property
    def is_due(self) -> bool:
        """Say whether the time of something that is set is over."""
        return bool(over(self.balancer.overrides, self.now()))

    async def end_due(self) -> None:
        """Let go what is over, and tell it."""
        present = self.balancer.overrides
        going = over(present, self.now())
        if not going:
            return
        told = [(each, self._paths_of(each)) for each in going]
        self.balancer.overrides = tuple(each for each in present if each not in going)
        try:
            await asyncio.to_thread(override_store.write, self.paths, self.balancer.overrides)
        except ConfigUnavailable as error:
            log.warning("%s", error)
        await self.balancer.turn()
        for each, paths in told:
            what = "drain" if each.kind == "drain" else f"weight {each.weight}"
            for path in paths or (each.scope,):
                sentence = f"{path}: the {what} by hand, set by {each.who or 'somebody'} at {each.since}, is over."
                log.info("%s", sentence)
                self.events.say(EventKind.OVERRIDE_CLEARED, path if paths else "", sentence)

    async def set(self, request: OverrideRequest, caller: Caller) -> OverrideAnswer:
        """Set a weight. Raises EditRefused if the server is not in what runs, or the weight or the end is none."""
        kind, weight = kind_and_weight(request)
        until = end_of(request, self.now())
        overrides = self.balancer.overrides
        concerned = self._concerned(request.server)
        for service, address, port in _scopes(request.server, [key for _, key in concerned]):
            number = next_number(overrides)
            new = Override(number, kind, service, address, port, weight, caller.user, caller.address, wall(), until)
            overrides = with_override(overrides, new)
        await self._keep(overrides)
        notices = await self._left_without_servers({key.service for _, key in concerned})
        ends = "" if until is None else wall_of(until)
        return OverrideAnswer(tuple(path for path, _ in concerned), notices, ends)

    async def clear(self, request: ClearRequest) -> OverrideAnswer:
        """Clear what was set. Raises EditRefused if nothing is set for that server."""
        present = self.balancer.overrides
        keys = [key for _, key in self._concerned(request.server, may_be_gone=True)]
        going = [
            override
            for override in present
            if request.kind in ("", override.kind)
            and (override.address == request.server or any(override.concerns(key) for key in keys))
        ]
        if not going:
            what = request.kind or "override"
            raise EditRefused(request.server, "", f"There is no {what} set by hand for {request.server}.")
        _refuse_wider(request.server, going)
        servers = tuple(
            path for path, key in self._named_servers() if any(override.concerns(key) for override in going)
        )
        await self._keep(tuple(override for override in present if override not in going))
        return OverrideAnswer(servers)

    def told(self, at_most: int | None = None) -> tuple[OverrideStatus, ...]:
        """Return what is set, as the status has it: everything, or the beginning."""
        return tuple(map(self._told, self.balancer.overrides[:at_most]))

    def by_server(self) -> dict[RealServerKey, tuple[OverrideStatus, ...]]:
        """Return what is set for each real server that runs and has something set."""
        present = indexed(self.balancer.overrides)
        if not present:
            return {}
        told = {each.number: self._told(each) for each in self.balancer.overrides}
        found: dict[RealServerKey, tuple[OverrideStatus, ...]] = {}
        for _, key in self._named_servers():
            mine = tuple(told[each.number] for each in present.get(str(key.address), ()) if each.concerns(key))
            if mine:
                found[key] = mine
        return found

    def _paths_of(self, override: Override) -> tuple[str, ...]:
        return tuple(path for path, key in self._named_servers() if override.concerns(key))

    def _named_servers(self) -> list[tuple[str, RealServerKey]]:
        return self._names().servers

    def _names(self) -> "_Names":
        cluster = self.balancer.cluster if self.what_runs is None else self.what_runs()
        if self._of_cluster is None or self._of_cluster.cluster is not cluster:
            self._of_cluster = _Names(cluster)
        return self._of_cluster

    def _concerned(self, server: str, *, may_be_gone: bool = False) -> list[tuple[str, RealServerKey]]:
        """Return the running real servers that a path or an address names. Raises EditRefused if there is none."""
        named = self._named_servers()
        found = [(path, key) for path, key in named if server in (path, str(key.address))]
        if not found and not may_be_gone:
            known = ", ".join(path for path, _ in named[:8]) or "none"
            raise EditRefused(server, "", f"{server} is not an active real server of what runs (there: {known}).")
        return found

    def _told(self, override: Override) -> OverrideStatus:
        target = override.address
        if override.service:
            # A server that is no longer in what runs has no path; its address is left to name it by.
            scope = (override.service, override.address, override.port)
            target = self._names().path_of.get(scope, override.address)
        return OverrideStatus(
            override.number,
            override.kind,
            override.scope,
            target,
            override.weight,
            override.who,
            override.from_address,
            override.since,
            "" if override.until is None else wall_of(override.until),
            None if override.until is None else max(0.0, override.until - self.now()),
        )

    async def _left_without_servers(self, services: Collection[ServiceKey]) -> tuple[str, ...]:
        """Return a sentence for each of these services that takes no new connections any more."""
        view = await self.balancer.view()
        return tuple(
            f"{virtual.id} has no real server left that takes new connections."
            for virtual in view.cluster.active_virtual_servers
            if virtual.key in services
            and (key := view.target.services.get(virtual.id)) is not None
            and (entry := view.target.table.get(key)) is not None
            and not any(each.weight for each in entry.destinations.values())
        )

    async def _keep(self, overrides: tuple[Override, ...]) -> None:
        await asyncio.to_thread(override_store.write, self.paths, overrides)
        self.balancer.overrides = overrides
        await self.balancer.turn()


def kind_and_weight(request: OverrideRequest) -> tuple[Kind, int]:
    """Return what is to be set. Raises EditRefused."""
    if request.kind not in ("drain", "weight"):
        raise EditRefused(request.server, "kind", f'"{request.kind}" is neither "drain" nor "weight".')
    if not 0 <= request.weight <= WEIGHT_MAX:
        raise EditRefused(request.server, "weight", f"Weight {request.weight} is not between 0 and {WEIGHT_MAX}.")
    return ("drain", 0) if request.kind == "drain" else ("weight", request.weight)


def end_of(request: OverrideRequest, now: float) -> float | None:
    """Return when it goes by itself, wall time in seconds since 1970, None: it does not. Raises EditRefused."""
    until = request.until.strip()
    if request.for_s and until:
        raise EditRefused(request.server, "until", "Say either until when or for how long, not both.")
    if request.for_s:
        if not 1 <= request.for_s <= OVERRIDE_MOST_S:
            sentence = f"{request.for_s} s is not between 1 and {OVERRIDE_MOST_S} (366 days)."
            raise EditRefused(request.server, "for_s", sentence)
        return now + request.for_s
    if not until:
        return None
    try:
        moment = datetime.fromisoformat(until).timestamp()  # without an offset: the router's time
    except (ValueError, OverflowError, OSError):
        sentence = f"{until[:40]!r} is no time. Write 2026-05-31T14:00, or 2026-05-31T14:00+02:00."
        raise EditRefused(request.server, "until", sentence) from None
    if not now < moment <= now + OVERRIDE_MOST_S:
        sentence = f"{wall_of(moment)} is not in the 366 days from now ({wall_of(now)})."
        raise EditRefused(request.server, "until", sentence)
    return moment


def _scopes(server: str, keys: Sequence[RealServerKey]) -> list[tuple[str, str, int]]:
    """Return the scopes to store: the address alone if one was named, else each server by service, address, port."""
    if any(server == str(key.address) for key in keys):
        return [("", server, 0)]
    return [(str(key.service), str(key.address), key.port) for key in keys]


def _refuse_wider(server: str, going: Sequence[Override]) -> None:
    """Refuse to clear, by naming one virtual server's block, what was set for an address everywhere."""
    for override in going:
        if not override.service and override.address != server:
            raise EditRefused(
                server,
                "",
                f"It was set for {override.scope}: clear it for {override.address}, which means all of them.",
            )
