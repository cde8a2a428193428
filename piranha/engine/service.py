"""The engine as a whole: the keeper's lvs.cf, the balancer that runs one text of it, and what is set by hand.

Rule 1: saving and applying are two acts. What runs is always a text that was applied, kept as running.cf.
Rule 2: the service never ends because of lvs.cf. Nothing to run, or nothing that can be run, is "idle" with a reason.
Rule 3: one change at a time: saves, applies and overrides take their turn on one lock.
Rule 4: what is done on somebody's behalf is in the audit, refused or not; what was done is an event too.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

from piranha.check_messages import LastCheck
from piranha.config.diffs import diff
from piranha.config.model import Cluster
from piranha.engine.applying import Applying
from piranha.engine.audit import Audit
from piranha.engine.balancer import Balancer
from piranha.engine.by_hand import ByHand
from piranha.engine.caller import Caller
from piranha.engine.confirming import Confirming
from piranha.engine.events import Events
from piranha.engine.happenings import Happenings
from piranha.engine.keeper import ConfigKeeper, described
from piranha.engine.parts import Asked
from piranha.engine.receiving import Receiving
from piranha.engine.sampling import Sampling
from piranha.engine.standstill import Standstill
from piranha.engine.starting import refusals
from piranha.engine.stop_and_start import StopAndStart
from piranha.engine.syncing import Syncing
from piranha.engine.telling import Telling
from piranha.engine.trying import Trying, last_check
from piranha.engine.watching import Watching
from piranha.guard import Turn
from piranha.ipvs.table import DataPath
from piranha.messages import (
    AdoptRequest,
    ApplyAnswer,
    ApplyRequest,
    ClearRequest,
    ConfirmAnswer,
    ConfirmRequest,
    History,
    OverrideAnswer,
    OverrideRequest,
    Plan,
    RevertAnswer,
    RollbackRequest,
    SaveAnswer,
    SavedConfig,
    SaveRequest,
    VersionText,
)
from piranha.monitoring import RunAnswer, Summary
from piranha.records import EventKind
from piranha.router_status import RedundancyStatus
from piranha.status import AddressStatus, EngineStatus
from piranha.system.boot import BootClock

log = logging.getLogger("lvs")

WATCH_S = 2.0
"""Between two looks at lvs.cf for changes by hand."""
LOOK_S = 0.5
"""Between two looks whether the time of something is over."""


class Engine:
    """What the API calls. `now` is monotonic seconds; `notices` are sentences of the parts around it for the status.

    `events` and `audit`: where they are kept (without any, events in memory and the audit below the keeper's root).
    """

    def __init__(
        self,
        keeper: ConfigKeeper,
        balancer: Balancer,
        now: Callable[[], float],
        notices: Callable[[], tuple[str, ...]] = tuple,
        *,
        events: Events | None = None,
        audit: Audit | None = None,
        clock: BootClock | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._keeper = keeper
        self._balancer = balancer
        self._now = now
        self._notices = notices
        self.events = events or Events()
        self.audit = audit or Audit(keeper.paths.audit)
        self.happenings = Happenings(self.events)
        self.sampling = Sampling(balancer, now)
        self._by_hand = ByHand(keeper.paths, balancer, self.events, wall_clock)
        self._confirming = Confirming(keeper, clock)
        self._changing = asyncio.Lock()
        self._watching = Watching(keeper, self.events)
        self._standstill = Standstill(keeper.paths, clock)
        self._applying = Applying(
            keeper,
            balancer,
            self._watching,
            self._confirming,
            self._by_hand,
            self._standstill,
            self._changing,
            self.events,
            self.audit,
            self.happenings,
        )
        self._by_hand.what_runs = lambda: self._applying.cluster
        self._stop_and_start = StopAndStart(
            keeper,
            balancer,
            self._applying,
            self._confirming,
            self._standstill,
            self._changing,
            self.events,
            self.audit,
        )
        self.receiving = Receiving(
            keeper, self._confirming, self._changing, self.events, self.audit, lambda: self._applying.version
        )
        self.syncing = Syncing(keeper, self.receiving, self.events, self.audit)
        self.trying = Trying(self._applying.saved_version, self.audit, lambda: balancer.weighing.read_settings())
        self._telling = Telling(
            keeper,
            balancer,
            self._applying,
            self._by_hand,
            self._confirming,
            self._standstill,
            self._all_notices,
            now(),
            lambda: self.redundancy(),
        )
        self.redundancy: Callable[[], RedundancyStatus | None] = lambda: None
        balancer.nanny.on_news = self.happenings.checked
        balancer.turned = self.happenings.turned

    @property
    def path(self) -> DataPath:
        """Return what moves the packets."""
        return self._balancer.path

    @property
    def cluster(self) -> Cluster:
        """Return what runs."""
        return self._balancer.cluster

    @property
    def running_token(self) -> str:
        """Return the token of the text that runs, "" if none does."""
        return self._applying.version.token if self._applying.version is not None else ""

    @property
    def is_system(self) -> bool:
        """Say whether this is the engine of the real system."""
        return self._keeper.paths.is_system

    async def start(self) -> None:
        """Choose the text to run and run it; a disk in trouble is told and stops nothing."""
        await self.events.open()
        await self.receiving.settle()
        await self._applying.start()

    async def saved(self, known: str = "") -> SavedConfig:
        """Return lvs.cf as it is on the disk, without its text if it is the version of the `known` token."""
        return await asyncio.to_thread(self._keeper.saved, known)

    def running(self) -> SavedConfig:
        """Return the text that runs; an empty one if none was ever applied."""
        file = str(self._keeper.paths.running_cf)
        return described(file, None if self._applying.version is None else self._applying.version.raw)

    async def save(self, request: SaveRequest, caller: Caller) -> SaveAnswer:
        """Edit lvs.cf. Raises ConfigConflict, EditRefused, ConfigUnavailable."""
        about = _concerned(request)
        return await self._save("save", partial(self._keeper.save, request, caller), caller, about, request.dry_run)

    async def create(self, caller: Caller) -> SaveAnswer:
        """Create a missing lvs.cf. Raises ConfigUnavailable."""
        return await self._save("create", partial(self._keeper.create, caller), caller)

    async def adopt(self, request: AdoptRequest, caller: Caller) -> SaveAnswer:
        """Make another file's text lvs.cf. Raises ConfigConflict, EditRefused, ConfigUnavailable."""
        return await self._save("adopt", partial(self._keeper.adopt, request, caller), caller, dry_run=request.dry_run)

    async def rollback(self, request: RollbackRequest, caller: Caller) -> SaveAnswer:
        """Save a kept version again. Raises EditRefused, ConfigConflict, ConfigUnavailable."""
        return await self._save(
            "rollback", partial(self._keeper.rollback, request, caller), caller, dry_run=request.dry_run
        )

    async def history(self) -> History:
        """Return the versions of lvs.cf that are kept."""
        return await asyncio.to_thread(self._keeper.history)

    async def version(self, number: int) -> VersionText:
        """Return one version with its text. Raises EditRefused, ConfigUnavailable."""
        return await asyncio.to_thread(self._keeper.version, number)

    async def keep_watching(self) -> None:
        """Take into the history, for ever, what others write into lvs.cf."""
        await self._watching.keep_watching()

    async def keep_confirming(self) -> None:
        """Revert, for ever, every Apply that is not confirmed in time."""
        await self._applying.keep_confirming()

    def tell_troubles(self) -> None:
        """Have in the events what is wrong with the router as a whole, and what is no more."""
        standing = self._balancer.standing.reason
        self.happenings.troubles([each for each in (*self._balancer.notices, *self._notices()) if each != standing])

    async def revert_due(self) -> None:
        """Revert the Apply whose time is over, if one waits."""
        await self._applying.revert_due()

    async def apply(self, request: ApplyRequest, caller: Caller) -> ApplyAnswer:
        """Run the saved lvs.cf; with `confirm_s` only until then, unless it is confirmed.

        Raises ConfigConflict, UnsafePlan, EditRefused, ConfigUnavailable; then what ran goes on.
        """
        return await self._applying.apply(request, caller)

    async def confirm(self, request: ConfirmRequest, caller: Caller) -> ConfirmAnswer:
        """Let what was applied run on. Raises NothingPending, ConfigUnavailable: it is not confirmed then."""
        return await self._applying.confirm(request, caller)

    async def revert(self, request: ConfirmRequest, caller: Caller) -> RevertAnswer:
        """Run now what ran before the Apply that waits. Raises NothingPending."""
        return await self._applying.revert(request, caller)

    async def plan(self) -> Plan:
        """Return what Apply would do. Raises ConfigUnavailable if lvs.cf cannot be read."""
        version = await self._applying.saved_version()
        cluster = version.loaded.cluster
        preview = await self._applying.preview(cluster)
        running_text = self._applying.version.loaded.document.text if self._applying.version else ""
        return Plan(
            token=version.token,
            running_token=self._applying.version.token if self._applying.version else "",
            diff=diff(running_text, version.loaded.document.text, "what runs", str(self._keeper.paths.lvs_cf)),
            steps=preview.steps,
            faults=self._applying.faults(version),
            refusals=(*self._standstill.objections(), *self._confirming.objections(), *refusals(version)),
            forcible=() if preview.objection is None else (preview.objection,),
        )

    async def keep_ending_overrides(self) -> None:
        """Let go, for ever, what was set by hand and is over."""
        while True:
            await asyncio.sleep(LOOK_S)
            with Turn("The end of what was set by hand"):
                await self.end_overrides_due()

    async def end_overrides_due(self) -> None:
        """Let go what was set by hand and is over."""
        if self._by_hand.is_due:
            async with self._changing:
                await self._by_hand.end_due()

    async def override(self, request: OverrideRequest, caller: Caller) -> OverrideAnswer:
        """Set a weight by hand.

        Raises EditRefused if the server is not in what runs, or the weight or the end is none; ConfigUnavailable.
        """
        async with self.audit.entry("override", caller, request.server) as told, self._changing:
            told.reason = f"{request.kind} {request.weight}"
            answer = await self._by_hand.set(request, caller)
            told.reason += f" until {answer.until}" if answer.until else ""
        until = f" until {answer.until}" if answer.until else ""
        what = f"{request.kind} {request.weight if request.kind == 'weight' else 0} by hand{until}"
        log.info("%s: %s, by %s", request.server, what, caller)
        for path in answer.servers:
            self.events.say(EventKind.OVERRIDE, path, f"{path}: {what}.", caller)
        return answer

    async def clear_overrides(self, request: ClearRequest, caller: Caller) -> OverrideAnswer:
        """Clear what was set by hand. Raises EditRefused if nothing is set for that server."""
        async with self.audit.entry("clear_overrides", caller, request.server) as told, self._changing:
            told.reason = request.kind
            answer = await self._by_hand.clear(request)
        log.info("%s: what was set by hand is cleared, by %s", request.server, caller)
        for path in answer.servers or (request.server,):
            self.events.say(EventKind.OVERRIDE_CLEARED, path, f"{path}: what was set by hand is cleared.", caller)
        return answer

    async def stop(self, caller: Caller) -> RunAnswer:
        """Run nothing until LVS is started. Raises ConfigUnavailable: then it goes on running."""
        return await self._stop_and_start.stop(caller)

    async def start_again(self, caller: Caller) -> RunAnswer:
        """Run lvs.cf, or what was applied last if that cannot be run. Raises ConfirmationPending, ConfigUnavailable."""
        return await self._stop_and_start.start(caller)

    async def status(self, asked: Asked | None = None, addresses: Sequence[AddressStatus] = ()) -> EngineStatus:
        """Return everything the engine tells, or (`asked`) a part. `addresses` is how all floating ones stand."""
        return await self._telling.status(asked, addresses)

    def last_check(self, path: str) -> LastCheck:
        """Return how the last check of a real server of what runs went."""
        return last_check(self._balancer.cluster, self._balancer.nanny, path)

    async def summary(self) -> Summary:
        """Return what every page says on top."""
        return await self._telling.summary()

    def _all_notices(self) -> tuple[str, ...]:
        return (*((self.audit.trouble,) if self.audit.trouble else ()), *self._notices())

    async def _save(
        self, verb: str, act: Callable[[], SaveAnswer], caller: Caller, about: str = "", dry_run: bool = False
    ) -> SaveAnswer:
        if dry_run:
            return await asyncio.to_thread(act)
        async with self.audit.entry(verb, caller, about) as told, self._changing:
            answer = await asyncio.to_thread(act)
            told.saved(answer)
        if answer.changed:
            sentence = f"lvs.cf was saved ({verb}): version {answer.number}, serial_no {answer.serial_no}."
            self.events.say(EventKind.SAVED, about, sentence, caller)
        return answer


def _concerned(request: SaveRequest) -> str:
    """Return the written path that all edits are about, "" if there is none."""
    paths = {getattr(edit, "path", "") or getattr(edit, "parent", "") for edit in request.edits}
    return paths.pop() if len(paths) == 1 else ""
