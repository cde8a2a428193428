"""What the engine tells, put together from one view of the balancer."""

import os
import socket
from collections.abc import Iterable, Mapping

from piranha.config.faults import Fault
from piranha.config.model import RealServer, RealServerKey, VirtualServer
from piranha.engine.balancer import View
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.nanny import Nanny
from piranha.engine.version import Version
from piranha.health.machine import ServerHealth, checks_needed
from piranha.ipvs.drain import Draining
from piranha.ipvs.table import Counters, DestinationKey, TableKey
from piranha.status import (
    ConfigStatus,
    EngineStatus,
    Health,
    HealthState,
    OverrideStatus,
    ProcessStatus,
    RunState,
    ServerStatus,
    Source,
    Traffic,
    VirtualServerStatus,
)
from piranha.system.boot import monotonic, wall, wall_at

_NEVER = Source("check", None)
_NOT_CHECKED = Health(HealthState.UNKNOWN, "", None, _NEVER)
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
    """Return everything CONTROL/MONITORING and `piranha status` show."""
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
    )


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
        self._table = Source(f"{data_path} data path", max(0.0, monotonic() - view.read_at))
        self._shown: set[tuple[TableKey, DestinationKey]] = set()

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

    def _traffic(self, place: tuple[TableKey, DestinationKey] | None) -> Traffic:
        if place is None:
            return Traffic(None, 0, 0, 0, 0, 0, self._table)
        self._shown.add(place)
        key, destination_key = place
        entry = self._view.reading.table.get(key)
        destination = entry.destinations.get(destination_key) if entry is not None else None
        counted = self._view.reading.counters.get(place, Counters())
        return Traffic(
            weight=destination.weight if destination is not None else None,
            active_connections=counted.active_connections,
            inactive_connections=counted.inactive_connections,
            connections=counted.connections,
            bytes_in=counted.bytes_in,
            bytes_out=counted.bytes_out,
            source=self._table,
        )

    def _unconfigured(self, key: TableKey) -> list[ServerStatus]:
        """Return the destinations of a service that no server block names: draining ones and the sorry server."""
        entry = self._view.reading.table.get(key)
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
        )

    def _leftovers(self) -> Iterable[VirtualServerStatus]:
        """Yield the services that are no longer configured and still drain."""
        configured = {self._table_key(virtual) for virtual in self._view.cluster.active_virtual_servers}
        for key, entry in self._view.reading.table.items():
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
            )

    def _table_key(self, virtual: VirtualServer) -> TableKey | None:
        return self._view.target.services.get(virtual.id)
