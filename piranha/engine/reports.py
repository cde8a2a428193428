"""What the engine tells, put together from one view of the balancer."""

import os
import socket
from collections.abc import Iterable, Mapping

from piranha.config.faults import Fault
from piranha.config.model import Forwarding, RealServer, RealServerKey, VirtualServer
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.nanny import Nanny
from piranha.engine.version import Version
from piranha.engine.view import View
from piranha.health.machine import ServerHealth, checks_needed
from piranha.ipvs.drain import Draining
from piranha.ipvs.plan import plan, sentence
from piranha.ipvs.table import Counters, Destination, DestinationKey, Place, RemoveService, TableKey
from piranha.status import (
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
    *,
    nanny: Nanny,
    overrides: tuple[OverrideStatus, ...],
    overridden: _Overridden,
    config: ConfigStatus,
    idle_reason: str,
    data_path: str,
    started: float,
    faults: tuple[Fault, ...],
    messages: tuple[str, ...],
) -> EngineStatus:
    """Return everything CONTROL/MONITORING and `piranha status` show, but for what the API adds: kernel, addresses."""
    report = _Report(view, nanny, overridden, data_path)
    running_for_s = monotonic() - started
    return EngineStatus(
        state=RunState.IDLE if idle_reason else RunState.RUNNING,
        reason=idle_reason,
        data_path=data_path,
        router=socket.gethostname(),
        at=wall(),
        running_for_s=running_for_s,
        config=config,
        virtual_servers=tuple(report.virtual_servers()),
        overrides=overrides,
        processes=(
            ProcessStatus("pulse", os.getpid(), "starts and stops the parts below", running_for_s),
            ProcessStatus("lvs", os.getpid(), f"keeps lvs.cf and the table ({data_path})", running_for_s),
            ProcessStatus("nanny", os.getpid(), f"checks {len(nanny.healths)} real servers", running_for_s),
        ),
        faults=faults,
        messages=messages,
        pending=_pending(view),
        foreign=_foreign(view),
    )


def _pending(view: View) -> tuple[PendingStep, ...]:
    """Return the steps from the table to the desired one. In most moments there is none."""
    if view.trouble:
        return ()
    return tuple(
        PendingStep(sentence(step), view.refused.get(step.key, ""))
        for step in plan(view.ours, view.target.table)
        # A service with somebody else's real servers in it is left to them.
        if not (isinstance(step, RemoveService) and _strangers(view, step.key))
    )


def _foreign(view: View) -> tuple[str, ...]:
    """Return in words what stands in the data path's table and is not ours."""
    table = view.reading.table
    services = [key.words for key in table if key not in view.ours]
    servers = [f"{each} of {key.words}" for key in table if key in view.ours for each in _strangers(view, key)]
    unspeakable = view.reading.foreign if isinstance(view.reading, KernelReading) else ()
    return (*services, *servers, *unspeakable)


def _strangers(view: View, key: TableKey) -> tuple[DestinationKey, ...]:
    """Return the real servers of one of our services that somebody else added."""
    there, ours = view.reading.table.get(key), view.ours.get(key)
    if there is None or ours is None:
        return ()
    return tuple(each for each in there.destinations if each not in ours.destinations)


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


class _Report:
    """The virtual servers of one view, row by row."""

    def __init__(self, view: View, nanny: Nanny, overridden: _Overridden, data_path: str) -> None:
        self._view = view
        self._nanny = nanny
        self._overridden = overridden
        age_s = None if view.trouble else max(0.0, monotonic() - view.read_at)
        self._table = Source(f"{data_path} data path", age_s)
        reading = view.reading
        self._stats: Mapping[Place, Stats] = reading.stats if isinstance(reading, KernelReading) else {}
        # The embedded data path has connections of its own to the real servers, whatever lvs.cf says.
        self._forwards = data_path == "kernel"
        self._service_stats: Mapping[TableKey, Stats] = (
            reading.service_stats if isinstance(reading, KernelReading) else {}
        )

    def virtual_servers(self) -> Iterable[VirtualServerStatus]:
        """Yield the configured virtual servers, then those that only drain."""
        active = {virtual.id for virtual in self._view.cluster.active_virtual_servers}
        found = [self._virtual(virtual, virtual.id in active) for virtual in self._view.cluster.virtual_servers]
        return [*found, *self._leftovers()]

    def _virtual(self, virtual: VirtualServer, is_in_force: bool) -> VirtualServerStatus:
        servers = [self._server(virtual, server, is_in_force) for server in virtual.servers]
        key = self._table_key(virtual)
        if key is not None and is_in_force:
            servers += self._unconfigured(key)
        omitted = self._view.target.omitted.get(virtual.id, "") if is_in_force else ""
        refused = self._view.refused.get(key, "") if key is not None and is_in_force else ""
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
            refused=omitted or refused,
            servers=tuple(servers),
            traffic=self._totals(key) if is_in_force else None,
        )

    def _server(self, virtual: VirtualServer, server: RealServer, is_in_force: bool) -> ServerStatus:
        service = virtual.key
        key = None
        if service is not None and server.address is not None and server.is_active and is_in_force:
            key = RealServerKey(service, server.address, server.port)
        place = self._view.target.links.get(key) if key is not None else None
        weighed = self._view.weighed.get(key) if key is not None else None
        explanation = self._view.target.omitted.get(server.id, "") if is_in_force else ""
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

    def _unconfigured(self, key: TableKey) -> list[ServerStatus]:
        """Return the destinations of a service that no server block names: draining ones and the sorry server."""
        entry = self._view.ours.get(key)
        if entry is None:
            return []
        draining = {(drain.key, drain.destination_key): drain for drain in self._view.draining}
        configured = set(self._view.target.links.values())
        return [
            self._unnamed(key, destination_key, draining.get((key, destination_key)))
            for destination_key in entry.destinations
            if (key, destination_key) not in configured
        ]

    def _unnamed(self, key: TableKey, destination_key: DestinationKey, drain: Draining | None) -> ServerStatus:
        ends_in_s = None if drain is None else max(0.0, drain.ends_at - self._view.read_at)
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
            explanation="no real server is available" if drain is None else "removed from lvs.cf, drains",
            forwarding=self._forwarding((key, destination_key)),
        )

    def _leftovers(self) -> Iterable[VirtualServerStatus]:
        """Yield the services that are no longer configured and still drain."""
        configured = {self._table_key(virtual) for virtual in self._view.cluster.active_virtual_servers}
        for key, entry in self._view.ours.items():
            if key in configured:
                continue
            yield VirtualServerStatus(
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
                servers=tuple(self._unconfigured(key)),
                traffic=self._totals(key),
            )

    def _table_key(self, virtual: VirtualServer) -> TableKey | None:
        return self._view.target.services.get(virtual.id)


def _rates(stats: Stats) -> Rates:
    return Rates(
        stats.connections_ps,
        stats.packets_in_ps,
        stats.packets_out_ps,
        stats.bytes_in_ps,
        stats.bytes_out_ps,
    )
