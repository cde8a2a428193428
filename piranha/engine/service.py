"""The engine as a whole: the keeper's lvs.cf, the balancer that runs one text of it, and what is set by hand.

Rule 1: saving and applying are two acts. What runs is always a text that was applied, kept as running.cf.
Rule 2: the service never ends because of lvs.cf. Nothing to run, or nothing that can be run, is "idle" with a reason.
Rule 3: one change at a time: saves, applies and overrides take their turn on one lock.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from piranha.config.diffs import diff
from piranha.config.faults import Fault, in_file_order
from piranha.config.model import Cluster, RealServerKey, ServiceKey, ServiceKind
from piranha.engine import abilities, override_store, reports
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.guard import Turn
from piranha.engine.keeper import ConfigKeeper, described
from piranha.engine.servers import active_servers
from piranha.engine.version import Version
from piranha.engine.view import Preview
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused, UnsafePlan
from piranha.health.overrides import Kind, Override, next_number, with_override
from piranha.messages import (
    AdoptRequest,
    ApplyAnswer,
    ApplyRequest,
    ClearRequest,
    History,
    OverrideAnswer,
    OverrideRequest,
    Plan,
    RollbackRequest,
    SaveAnswer,
    SavedConfig,
    SaveRequest,
    VersionText,
)
from piranha.status import EngineStatus, OverrideStatus
from piranha.system.boot import wall
from piranha.system.ipvs_socket import KernelUnavailable

log = logging.getLogger("lvs")

WEIGHT_MAX = 65535
WATCH_S = 2.0
"""Between two looks at lvs.cf for changes by hand."""
REFUSALS_TOLD = 5
"""In one sentence; the plan has all of them."""


class Engine:
    """What the API calls. `now` is monotonic seconds; `notices` are sentences of the parts around it for the status."""

    def __init__(
        self,
        keeper: ConfigKeeper,
        balancer: Balancer,
        now: Callable[[], float],
        notices: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._keeper = keeper
        self._balancer = balancer
        self._now = now
        self._notices = notices
        self._started = now()
        self._running: Version | None = None
        self._messages: tuple[str, ...] = ()
        self._trouble = ""
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Choose the text to run and run it; a disk in trouble is told and stops nothing."""
        async with self._changing:
            await asyncio.to_thread(self._keeper.clean_up)
            self._balancer.overrides, trouble = await asyncio.to_thread(_overrides_to_start, self._keeper)
            await self._catch_up()
            version, messages = await asyncio.to_thread(_text_to_start, self._keeper)
            self._messages = (*trouble, *messages)
            for message in self._messages:
                log.warning("%s", message)
            if version is None:
                self._balancer.begin()
                return
            self._running = version
            _log_running(self._keeper, version)
            # A text that trips us up must not end the engine at every start: the API is how it gets mended.
            with Turn("The start of what was applied") as turn:
                await self._balancer.switch(version.loaded.cluster)
            if turn.has_failed:
                self._messages = (*self._messages, "What was applied could not be run; the engine's log says why.")

    async def saved(self) -> SavedConfig:
        """Return lvs.cf as it is on the disk."""
        return await asyncio.to_thread(self._keeper.saved)

    def running(self) -> SavedConfig:
        """Return the text that runs; an empty one if none was ever applied."""
        file = str(self._keeper.paths.running_cf)
        return described(file, None if self._running is None else self._running.raw)

    async def save(self, request: SaveRequest, caller: Caller) -> SaveAnswer:
        """Edit lvs.cf. Raises ConfigConflict, EditRefused, ConfigUnavailable."""
        async with self._changing:
            return await asyncio.to_thread(self._keeper.save, request, caller)

    async def create(self, caller: Caller) -> SaveAnswer:
        """Create a missing lvs.cf. Raises ConfigUnavailable."""
        async with self._changing:
            return await asyncio.to_thread(self._keeper.create, caller)

    async def adopt(self, request: AdoptRequest, caller: Caller) -> SaveAnswer:
        """Make another file's text lvs.cf. Raises ConfigConflict, EditRefused, ConfigUnavailable."""
        async with self._changing:
            return await asyncio.to_thread(self._keeper.adopt, request, caller)

    async def rollback(self, request: RollbackRequest, caller: Caller) -> SaveAnswer:
        """Save a kept version again. Raises EditRefused, ConfigConflict, ConfigUnavailable."""
        async with self._changing:
            return await asyncio.to_thread(self._keeper.rollback, request, caller)

    async def history(self) -> History:
        """Return the versions of lvs.cf that are kept."""
        return await asyncio.to_thread(self._keeper.history)

    async def version(self, number: int) -> VersionText:
        """Return one version with its text. Raises EditRefused, ConfigUnavailable."""
        return await asyncio.to_thread(self._keeper.version, number)

    async def keep_watching(self) -> None:
        """Take into the history, for ever, what others write into lvs.cf."""
        while True:
            await asyncio.sleep(WATCH_S)
            with Turn("The look at lvs.cf"):
                await self._told_once(self._keeper.watch)

    async def plan(self) -> Plan:
        """Return what Apply would do. Raises ConfigUnavailable if lvs.cf cannot be read."""
        version = await self._saved_version()
        cluster = version.loaded.cluster
        preview = await self._preview(cluster)
        running_text = self._running.loaded.document.text if self._running else ""
        return Plan(
            token=version.token,
            running_token=self._running.token if self._running else "",
            diff=diff(running_text, version.loaded.document.text, "what runs", str(self._keeper.paths.lvs_cf)),
            steps=preview.steps,
            faults=self._faults(version),
            refusals=_refusals(version),
            forcible=() if preview.objection is None else (preview.objection,),
        )

    async def apply(self, request: ApplyRequest, caller: Caller) -> ApplyAnswer:
        """Run the saved lvs.cf. Raises ConfigConflict, UnsafePlan, ConfigUnavailable; then what ran goes on."""
        async with self._changing:
            await self._catch_up()
            version = await self._saved_version()
            if request.token and request.token != version.token:
                raise ConfigConflict("", version.loaded.document.text)
            if refusals := _refusals(version):
                raise UnsafePlan(f"lvs.cf has errors in what would run. {_listed(refusals)}")
            preview = await self._preview(version.loaded.cluster)
            if preview.objection is not None and not request.force:
                raise UnsafePlan(preview.objection)
            await asyncio.to_thread(self._keeper.note_applied, version)
            self._running, self._messages = version, ()
            log.info("lvs.cf applied by %s: serial_no %s, %s", caller, version.serial_no, version.token[:12])
            steps = await self._balancer.switch(version.loaded.cluster, removes_at_once=request.removes_at_once)
        return ApplyAnswer(version.token, version.serial_no, steps, self._faults(version))

    async def override(self, request: OverrideRequest, caller: Caller) -> OverrideAnswer:
        """Set a weight by hand. Raises EditRefused if the server is not in what runs, or the weight is none."""
        if request.kind not in ("drain", "weight"):
            raise EditRefused(request.server, "kind", f'"{request.kind}" is neither "drain" nor "weight".')
        if not 0 <= request.weight <= WEIGHT_MAX:
            raise EditRefused(request.server, "weight", f"Weight {request.weight} is not between 0 and {WEIGHT_MAX}.")
        kind: Kind = "drain" if request.kind == "drain" else "weight"
        weight = 0 if kind == "drain" else request.weight
        async with self._changing:
            concerned = self._concerned(request.server)
            overrides = self._balancer.overrides
            for service, address, port in _scopes(request.server, [key for _, key in concerned]):
                number = next_number(overrides)
                new = Override(number, kind, service, address, port, weight, caller.user, caller.address, wall())
                overrides = with_override(overrides, new)
            await self._keep(overrides)
            notices = await self._left_without_servers({key.service for _, key in concerned})
        log.info("%s: %s %s by hand, by %s", request.server, kind, weight, caller)
        return OverrideAnswer(tuple(path for path, _ in concerned), notices)

    async def clear_overrides(self, request: ClearRequest, caller: Caller) -> OverrideAnswer:
        """Clear what was set by hand. Raises EditRefused if nothing is set for that server."""
        async with self._changing:
            present = self._balancer.overrides
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
        log.info("%s: what was set by hand is cleared, by %s", request.server, caller)
        return OverrideAnswer(servers)

    async def status(self) -> EngineStatus:
        """Return everything the engine tells."""
        view = await self._balancer.view()
        problem, saved = "", None
        try:
            saved = await asyncio.to_thread(self._keeper.saved_version)
        except ConfigUnavailable as error:
            problem = str(error)
        return reports.status_of(
            view,
            nanny=self._balancer.nanny,
            overrides=tuple(self._told(override) for override in self._balancer.overrides),
            overridden={key: self._overrides_of(key) for _, _, key in active_servers(view.cluster)},
            config=reports.config_status(self._keeper, saved, self._running, problem),
            idle_reason=self._idle_reason(saved),
            data_path=self._balancer.path.name,
            started=self._started,
            faults=in_file_order(saved.loaded.faults) if saved else (),
            messages=(*self._messages, *self._balancer.notices, *self._notices()),
        )

    async def _preview(self, cluster: Cluster) -> Preview:
        try:
            return await self._balancer.preview(cluster)
        except KernelUnavailable as unavailable:
            raise ConfigUnavailable(str(unavailable)) from unavailable

    async def _catch_up(self) -> None:
        """Take into the history what others wrote; a history in trouble is told and stops nothing."""
        await self._told_once(self._keeper.catch_up)

    async def _told_once(self, act: Callable[[], object]) -> None:
        """Do something whose failure is for the log: once, however often it fails in the same way."""
        try:
            await asyncio.to_thread(act)
            self._trouble = ""
        except ConfigUnavailable as error:
            if str(error) != self._trouble:
                log.error("What was written into lvs.cf by hand cannot be kept in the history: %s", error)
            self._trouble = str(error)

    def _idle_reason(self, saved: Version | None) -> str:
        if self._running is not None and self._running.loaded.cluster.active_virtual_servers:
            return ""
        if self._running is not None and self._running.loaded.cluster.service is ServiceKind.FOS:
            return "service = fos: failover services are kept and shown, this engine does not run them"
        file = self._keeper.paths.lvs_cf
        if self._running is None and saved is None:
            return f"there is no {file} yet"
        if self._running is None:
            return f"{file} was never applied"
        return f"no active lvs services defined in {file}"

    async def _saved_version(self) -> Version:
        version = await asyncio.to_thread(self._keeper.saved_version)
        if version is None:
            raise ConfigUnavailable(f"There is no {self._keeper.paths.lvs_cf}. Create it first.")
        return version

    def _faults(self, version: Version) -> tuple[Fault, ...]:
        cannot = abilities.faults_of(version.loaded.document, version.loaded.cluster, self._balancer.path.name)
        return in_file_order((*version.loaded.faults, *cannot))

    def _named_servers(self) -> list[tuple[str, RealServerKey]]:
        return [(server.id, key) for _, server, key in active_servers(self._balancer.cluster)]

    def _concerned(self, server: str, *, may_be_gone: bool = False) -> list[tuple[str, RealServerKey]]:
        """Return the running real servers that a path or an address names. Raises EditRefused if there is none."""
        named = self._named_servers()
        found = [(path, key) for path, key in named if server in (path, str(key.address))]
        if not found and not may_be_gone:
            known = ", ".join(path for path, _ in named[:8]) or "none"
            raise EditRefused(server, "", f"{server} is not an active real server of what runs (there: {known}).")
        return found

    def _overrides_of(self, key: RealServerKey) -> tuple[OverrideStatus, ...]:
        return tuple(self._told(override) for override in self._balancer.overrides if override.concerns(key))

    def _told(self, override: Override) -> OverrideStatus:
        target = override.address
        if override.service:
            # A server that is no longer in what runs has no path; its address is left to name it by.
            target = next((path for path, key in self._named_servers() if override.concerns(key)), override.address)
        return OverrideStatus(
            override.number,
            override.kind,
            override.scope,
            target,
            override.weight,
            override.who,
            override.from_address,
            override.since,
        )

    async def _left_without_servers(self, services: Collection[ServiceKey]) -> tuple[str, ...]:
        """Return a sentence for each of these services that takes no new connections any more."""
        view = await self._balancer.view()
        return tuple(
            f"{virtual.id} has no real server left that takes new connections."
            for virtual in view.cluster.active_virtual_servers
            if virtual.key in services
            and (key := view.target.services.get(virtual.id)) is not None
            and (entry := view.target.table.get(key)) is not None
            and not any(each.weight for each in entry.destinations.values())
        )

    async def _keep(self, overrides: tuple[Override, ...]) -> None:
        await asyncio.to_thread(override_store.write, self._keeper.paths, overrides)
        self._balancer.overrides = overrides
        await self._balancer.turn()


def _overrides_to_start(keeper: ConfigKeeper) -> tuple[tuple[Override, ...], tuple[str, ...]]:
    """Return what was set by hand, and what the administrator should know if that cannot be read."""
    try:
        return override_store.read(keeper.paths), ()
    except ConfigUnavailable as error:
        return (), (f"{error} No drain and no weight set by hand is in force.",)


def _text_to_start(keeper: ConfigKeeper) -> tuple[Version | None, tuple[str, ...]]:
    """Return the text to start with and what the administrator should know about the choice."""
    running, saved, messages = None, None, []
    was_ordered = keeper.take_stop_mark()
    try:
        running = keeper.running_version()
    except ConfigUnavailable as error:
        messages.append(f"{error} So the saved lvs.cf is started with.")
    if running is not None and not was_ordered:
        return running, ()
    try:
        saved = keeper.saved_version()
    except ConfigUnavailable as error:
        return running, (*messages, f"{error} What was applied last runs." if running else str(error))
    if saved is None:
        gone = f"{keeper.paths.lvs_cf} is missing; what was applied last runs."
        return running, (*messages, gone) if running else tuple(messages)
    if refusals := _refusals(saved):
        instead = "What was applied last runs." if running else "Nothing runs until they are mended and applied."
        return running, (*messages, f"lvs.cf has errors in what would run: {_listed(refusals)} {instead}")
    try:
        keeper.note_applied(saved)
    except ConfigUnavailable as error:
        messages.append(f"{error} lvs.cf runs, but it is not kept as what was applied last.")
    return saved, tuple(messages)


def _listed(refusals: Sequence[str]) -> str:
    """Return the first few reasons in one text: a file of another kind has one for each of its lines."""
    more = len(refusals) - REFUSALS_TOLD
    return " ".join([*refusals[:REFUSALS_TOLD], *([f"And {more} more; see the plan."] if more > 0 else [])])


def _refusals(version: Version) -> tuple[str, ...]:
    return tuple(fault.located("lvs.cf") for fault in in_file_order(version.loaded.faults) if fault.stops_apply)


def _log_running(keeper: ConfigKeeper, version: Version) -> None:
    cluster: Cluster = version.loaded.cluster
    if not cluster.active_virtual_servers:
        log.warning("no active lvs services defined in %s", keeper.paths.lvs_cf)
    for virtual in cluster.active_virtual_servers:
        log.info("starting virtual service %s active: %s", virtual.name, virtual.port)


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
