"""What the engine tells, put together from one view of the balancer."""

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from piranha.config.faults import Fault
from piranha.config.model import Forwarding, RealServer, RealServerKey, ServiceKind, VirtualServer
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.nanny import Nanny
from piranha.engine.parts import Pick, real_server_key
from piranha.engine.version import Version
from piranha.engine.view import View
from piranha.health.machine import ServerHealth, checks_needed
from piranha.ipvs.drain import Draining
from piranha.ipvs.plan import plan, sentence
from piranha.ipvs.table import (
    AddService,
    Counters,
    Destination,
    DestinationKey,
    EditService,
    Place,
    RemoveService,
    Step,
    TableKey,
)
from piranha.pulse.address_status import trouble_of
from piranha.router_status import Counts
from piranha.status import (
    AddressStatus,
    ConfigStatus,
    EngineStatus,
    Health,
    HealthState,
    OverrideStatus,
    PendingStep,
    ProcessStatus,
    Rates,
    RunState,
    ServerStatus,
    ServiceTraffic,
    Source,
    Traffic,
    VirtualServerStatus,
)
from piranha.system.boot import monotonic, wall, wall_at
from piranha.system.ipvs_netlink import Stats
from piranha.system.ipvs_values import KernelReading

_NEVER = Source("check", None)
_NOT_CHECKED = Health(HealthState.UNKNOWN, "", None, _NEVER)
_FORWARDING = {Forwarding.NAT: "masquerading", Forwarding.DIRECT: "direct routing", Forwarding.TUNNEL: "tunneling"}
_Overridden = Mapping[RealServerKey, tuple[OverrideStatus, ...]]


def status_of(
    view: View,
    virtual_servers: tuple[VirtualServerStatus, ...],
    *,
    nanny: Nanny,
    overrides: tuple[OverrideStatus, ...],
    config: ConfigStatus,
    idle_reason: str,
    data_path: str,
    started: float,
    faults: tuple[Fault, ...],
    messages: tuple[str, ...],
    foreign: tuple[str, ...] | None = None,
) -> EngineStatus:
    """Return everything CONTROL/MONITORING and `piranha status` show, but for what the API adds: kernel, addresses.

    `virtual_servers` are those that are told, by a Report; `foreign` is `foreign_in`, if it is known already.
    """
    running_for_s = monotonic() - started
    return EngineStatus(
        state=RunState.IDLE if idle_reason else RunState.RUNNING,
        reason=idle_reason,
        data_path=data_path,
        router=router_name(),
        at=wall(),
        running_for_s=running_for_s,
        config=config,
        virtual_servers=virtual_servers,
        overrides=overrides,
        processes=(
            ProcessStatus("pulse", os.getpid(), "starts and stops the parts below", running_for_s),
            ProcessStatus("lvs", os.getpid(), f"keeps lvs.cf and the table ({data_path})", running_for_s),
            *(ProcessStatus("nanny", pid, f"checks {n} real servers", running_for_s) for pid, n in nanny.staff.items()),
        ),
        faults=faults,
        messages=messages,
        pending=_pending(view),
        foreign=foreign_in(view) if foreign is None else foreign,
    )


def router_name() -> str:
    """Return this router's name."""
    return socket.gethostname()


def _pending(view: View) -> tuple[PendingStep, ...]:
    """Return the steps from the table to the desired one. In most moments there is none."""
    if view.trouble:
        return ()
    return tuple(
        PendingStep(sentence(step), _why_not(view, step))
        for step in (plan(view.ours, view.target.table) if view.left is None else view.left)
        # A service with somebody else's real servers in it is left to them.
        if not (isinstance(step, RemoveService) and _strangers(view, step.key))
    )


def _why_not(view: View, step: Step) -> str:
    """Return why a step was refused, "" if it was not. Where there is no service, its real servers cannot be there."""
    of_service = view.refused.get(step.key, "")
    if isinstance(step, AddService | EditService | RemoveService):
        return of_service
    of_server = view.refused_servers.get((step.key, step.destination_key), "")
    return of_server or ("" if step.key in view.reading.table else of_service)


def foreign_in(view: View) -> tuple[str, ...]:
    """Return in words what stands in the data path's table and is not ours."""
    table = view.reading.table
    services = [key.words for key in table if key not in view.ours]
    servers = [f"{each} of {key.words}" for key in table if key in view.ours for each in _strangers(view, key)]
    unspeakable = view.reading.foreign if isinstance(view.reading, KernelReading) else ()
    return (*services, *servers, *unspeakable)


def _strangers(view: View, key: TableKey) -> tuple[DestinationKey, ...]:
    """Return the real servers of one of our services that somebody else added."""
    there, ours = view.reading.table.get(key), view.ours.get(key)
    if there is None or ours is None or len(there.destinations) == len(ours.destinations):
        return ()
    return tuple(each for each in there.destinations if each not in ours.destinations)


def with_addresses(
    status: EngineStatus, addresses: Iterable[AddressStatus], troubles: Mapping[str, str] | None = None
) -> EngineStatus:
    """Return the status with the floating addresses, and each virtual server with what is wrong with its own.

    `troubles` are those of the addresses, if they are known already.
    """
    told = tuple(addresses)
    if troubles is None:
        hosts = {virtual.path: virtual.address for virtual in status.virtual_servers}
        troubles = troubles_of(told, lambda path: hosts.get(path, ""))
    virtual_servers = tuple(
        replace(each, address_trouble=troubles.get(each.path) or troubles.get(each.address, ""))
        if each.is_active
        else each
        for each in status.virtual_servers
    )
    return replace(status, addresses=told, virtual_servers=virtual_servers)


def troubles_of(addresses: Iterable[AddressStatus], host_of: Callable[[str], str]) -> dict[str, str]:
    """Return what is wrong with floating addresses, by the written path of the virtual server and by address.

    Several virtual servers may have one address; it is told for the first of them. `host_of` returns the address of a
    virtual server ("": none), for those that have an address which never came to be known.
    """
    troubles: dict[str, str] = {}
    for each in addresses:
        if trouble := trouble_of(each):
            for host in {host_of(each.source), each.address.partition("/")[0]} - {""}:
                troubles.setdefault(host, trouble)
            troubles.setdefault(each.source, trouble)
    return troubles


def config_status(keeper: ConfigKeeper, saved: Version | None, running: Version | None, problem: str) -> ConfigStatus:
    """Return what is saved and what runs."""
    saved_token = saved.token if saved else ""
    running_token = running.token if running else ""
    return ConfigStatus(
        file=str(keeper.paths.lvs_cf),
        saved_token=saved_token,
        saved_serial_no=saved.serial_no if saved else None,
        running_token=running_token,
        running_serial_no=running.serial_no if running else None,
        applied_at=keeper.applied_at() if running else None,
        is_applied=not problem and saved_token == running_token,
        problem=problem,
    )


class Report:
    """The virtual servers of one view, row by row. `counts`: what was counted already, by written path."""

    def __init__(
        self, view: View, nanny: Nanny, overridden: _Overridden, data_path: str, counts: dict[str, Counts] | None = None
    ) -> None:
        self._view, self._known = view, counts if counts is not None else {}
        self._nanny = nanny
        self._overridden = overridden
        age_s = None if view.trouble else max(0.0, monotonic() - view.read_at)
        self._table = Source(f"{data_path} data path", age_s)
        reading = view.reading
        self._stats: Mapping[Place, Stats] = reading.stats if isinstance(reading, KernelReading) else {}
        # The embedded data path has connections of its own to the real servers, whatever lvs.cf says.
        self._forwards = data_path == "kernel"
        totals = reading.service_stats if isinstance(reading, KernelReading) else {}
        self._service_stats: Mapping[TableKey, Stats] = totals

    def virtual_server(self, pick: Pick) -> VirtualServerStatus:
        """Return a virtual server with those of its real servers that are picked."""
        virtual, key = pick.virtual, pick.key
        if virtual is None:
            assert key is not None
            return self._leftover(pick, key)
        is_in_force = virtual.is_active and self._view.cluster.service is not ServiceKind.FOS
        servers = [self._server(virtual, server, is_in_force) for server in pick.servers]
        servers += self._unconfigured(pick)
        omitted = self._view.target.omitted.get(virtual.id, "") if is_in_force else ""
        reason = self._view.refused.get(key, "") if key is not None and is_in_force else ""
        # A change that was refused leaves the service as it was, and its clients are served.
        is_served = key in self._view.reading.table and key not in self._view.reading.refused
        address = virtual.address
        return VirtualServerStatus(
            path=virtual.id,
            name=virtual.name,
            address=str(address.host) if address else "",
            port=virtual.port,
            protocol=str(virtual.protocol),
            fwmark=virtual.fwmark,
            scheduler=virtual.scheduler,
            persistent_s=virtual.persistent_s,
            is_active=virtual.is_active,
            refused=omitted or ("" if is_served else reason),
            servers=tuple(servers),
            traffic=self._totals(key) if is_in_force else None,
            differs=reason if is_served else "",
            counts=self._known.get(virtual.id) or self._counts(virtual, key) if is_in_force else Counts(),
            first=pick.first,
            matching=pick.matching,
        )

    def _counts(self, virtual: VirtualServer, key: TableKey | None) -> Counts:
        """Return how many real servers a virtual server in force has, whatever part of them is told."""
        active = [server for server in virtual.servers if server.is_active]
        service = virtual.key
        keys = [
            RealServerKey(service, server.address, server.port)
            for server in active
            if service is not None and server.address is not None
        ]
        healths = self._nanny.healths
        states = [health.state for real_key in keys if (health := healths.get(real_key)) is not None]
        up, down = states.count(HealthState.UP), states.count(HealthState.DOWN)
        entry = self._view.reading.table.get(key) if key is not None else None
        counters = self._view.reading.counters
        places = [(key, each) for each in entry.destinations] if key is not None and entry is not None else []
        connections = [counted.active_connections for place in places if (counted := counters.get(place)) is not None]
        counts = self._known[virtual.id] = Counts(
            virtual_servers=1,
            servers=len(virtual.servers),
            up=up,
            down=down,
            unknown=len(active) - up - down,
            inactive=len(virtual.servers) - len(active),
            drained=sum(any(each.kind == "drain" for each in self._overridden.get(real_key, ())) for real_key in keys),
            leaving=sum(drain.key == key for drain in self._view.draining),
            connections=sum(connections),
        )
        return counts

    def _server(self, virtual: VirtualServer, server: RealServer, is_in_force: bool) -> ServerStatus:
        key = real_server_key(virtual, server) if server.is_active and is_in_force else None
        place = self._view.target.links.get(key) if key is not None else None
        weighed = self._view.weighed.get(key) if key is not None else None
        explanation = self._view.target.omitted.get(server.id, "") if is_in_force else ""
        if place is not None and not explanation:
            explanation = self._view.refused_servers.get(place, "")
        return ServerStatus(
            path=server.id,
            name=server.name,
            role="server",
            address=str(server.address) if server.address is not None else "",
            port=server.port,
            is_active=server.is_active,
            configured_weight=server.weight,
            health=self._health(key),
            traffic=self._traffic(place),
            overrides=self._overridden.get(key, ()) if key is not None else (),
            explanation=explanation or (weighed.explanation if weighed is not None else ""),
            forwarding=self._forwarding(place),
        )

    def _health(self, key: RealServerKey | None) -> Health:
        known: ServerHealth | None = self._nanny.healths.get(key) if key is not None else None
        if known is None or key is None:
            return _NOT_CHECKED
        check = self._nanny.checks.get(key)
        return Health(
            state=known.state,
            reason=known.reason,
            since=wall_at(known.since),
            source=Source("check", None if known.checked_at is None else max(0.0, monotonic() - known.checked_at)),
            checks_good=known.good_in_row,
            checks_needed=checks_needed(check) if check is not None else 0,
        )

    def _traffic(self, place: Place | None) -> Traffic:
        if place is None:
            return Traffic(None, 0, 0, 0, 0, 0, self._table)
        destination = self._destination(place)
        stats = self._stats.get(place)
        counted = self._view.reading.counters.get(place, Counters())
        return Traffic(
            weight=destination.weight if destination is not None else None,
            active_connections=counted.active_connections,
            inactive_connections=counted.inactive_connections,
            connections=counted.connections,
            bytes_in=counted.bytes_in,
            bytes_out=counted.bytes_out,
            source=self._table,
            packets_in=stats.packets_in if stats is not None else None,
            packets_out=stats.packets_out if stats is not None else None,
            rates=_rates(stats) if stats is not None else None,
        )

    def _totals(self, key: TableKey | None) -> ServiceTraffic | None:
        stats = self._service_stats.get(key) if key is not None else None
        if stats is None:
            return None
        return ServiceTraffic(
            connections=stats.connections,
            packets_in=stats.packets_in,
            packets_out=stats.packets_out,
            bytes_in=stats.bytes_in,
            bytes_out=stats.bytes_out,
            rates=_rates(stats),
            source=self._table,
        )

    def _destination(self, place: Place) -> Destination | None:
        entry = self._view.reading.table.get(place[0])
        return entry.destinations.get(place[1]) if entry is not None else None

    def _forwarding(self, place: Place | None) -> str:
        destination = self._destination(place) if place is not None and self._forwards else None
        return _FORWARDING[destination.forwarding] if destination is not None else ""

    def _unconfigured(self, pick: Pick) -> list[ServerStatus]:
        """Return the destinations of a service that no server block names: draining ones and the sorry server."""
        key = pick.key
        if key is None or not pick.unnamed:
            return []
        draining = {drain.destination_key: drain for drain in self._view.draining if drain.key == key}
        return [self._unnamed(key, each, draining.get(each)) for each in pick.unnamed]

    def _unnamed(self, key: TableKey, destination_key: DestinationKey, drain: Draining | None) -> ServerStatus:
        ends_in_s = None if drain is None else max(0.0, drain.ends_at - self._view.read_at)
        why = "no real server is available" if drain is None else "removed from lvs.cf, drains"
        return ServerStatus(
            path="",
            name=str(destination_key),
            role="sorry" if drain is None else "draining",
            address=str(destination_key.address),
            port=destination_key.port,
            is_active=True,
            configured_weight=1 if drain is None else 0,
            health=_NOT_CHECKED,
            traffic=self._traffic((key, destination_key)),
            drain_ends_in_s=ends_in_s,
            explanation=self._view.refused_servers.get((key, destination_key), why),
            forwarding=self._forwarding((key, destination_key)),
        )

    def _leftover(self, pick: Pick, key: TableKey) -> VirtualServerStatus:
        """Return a service that is no longer configured and still drains."""
        entry = self._view.ours[key]
        return VirtualServerStatus(
            path="",
            name=str(key),
            address=str(key.address or ""),
            port=key.port,
            protocol=str(key.protocol or ""),
            fwmark=key.fwmark,
            scheduler=entry.service.scheduler,
            persistent_s=entry.service.persistent_s,
            is_active=False,
            refused="",
            servers=tuple(self._unconfigured(pick)),
            traffic=self._totals(key),
            counts=Counts(leaving=len(entry.destinations)),
            first=pick.first,
            matching=pick.matching,
        )


def _rates(stats: Stats) -> Rates:
    packets, bytes_ = (stats.packets_in_ps, stats.packets_out_ps), (stats.bytes_in_ps, stats.bytes_out_ps)
    return Rates(stats.connections_ps, *packets, *bytes_)
