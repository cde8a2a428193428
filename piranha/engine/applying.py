"""What runs: the start, an Apply, its confirmation and its revert.

Rule 1: there is one way to run another text (`_switch`): an Apply, its revert and the start all go through it.
Rule 2: one that waits for its confirmation is on the disk before anything is switched (`engine.confirming`).
"""

import asyncio
import logging

from piranha.config.diffs import diff
from piranha.config.faults import Fault, in_file_order
from piranha.config.model import Cluster
from piranha.engine import abilities, memory
from piranha.engine.audit import Audit, Told
from piranha.engine.balancer import Balancer
from piranha.engine.by_hand import ByHand
from piranha.engine.caller import Caller
from piranha.engine.confirming import ENGINE, Confirming, Reverted, require_in_range
from piranha.engine.events import Events
from piranha.engine.happenings import Happenings
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.previews import Previews
from piranha.engine.standstill import Standstill
from piranha.engine.starting import (
    Choice,
    listed,
    log_running,
    overrides_to_start,
    refusals,
    text_for_operator,
    text_to_start,
)
from piranha.engine.version import Version
from piranha.engine.view import Preview
from piranha.engine.watching import Watching
from piranha.errors import ConfigConflict, ConfigUnavailable, UnsafePlan
from piranha.guard import Turn
from piranha.messages import ApplyAnswer, ApplyRequest, ConfirmAnswer, ConfirmRequest, PlannedStep, RevertAnswer
from piranha.records import EventKind
from piranha.system.boot import monotonic
from piranha.system.files import NotConfirmed
from piranha.system.ipvs_socket import KernelUnavailable

log = logging.getLogger("lvs")

_NOTHING = Cluster()
LOOK_S = 0.5
"""Between two looks whether an Apply was not confirmed in time."""
PROGRAMS_KEPT_S = 5.0
"""So long what was seen of the checking programs on the disk counts for the pages."""


class Applying:
    """Runs the texts of a keeper on a balancer. `changing` is the engine's lock.

    `version` is what runs (None: nothing was ever applied), `messages` are what the administrator should know of it.
    """

    def __init__(
        self,
        keeper: ConfigKeeper,
        balancer: Balancer,
        watching: Watching,
        confirming: Confirming,
        by_hand: ByHand,
        standstill: Standstill,
        changing: asyncio.Lock,
        events: Events,
        audit: Audit,
        happenings: Happenings,
    ) -> None:
        self.version: Version | None = None
        self.messages: tuple[str, ...] = ()
        self._keeper = keeper
        self._balancer = balancer
        self._watching = watching
        self._confirming = confirming
        self._by_hand = by_hand
        self._standstill = standstill
        self._changing = changing
        self._events = events
        self._audit = audit
        self._happenings = happenings
        self._previews = Previews(balancer, monotonic)
        self._faults: tuple[Version, tuple[Fault, ...]] | None = None
        self._programs: tuple[Version, float, tuple[Fault, ...]] | None = None

    @property
    def cluster(self) -> Cluster:
        """Return what runs, or would run if LVS were not stopped."""
        return _NOTHING if self.version is None else self.version.loaded.cluster

    @property
    def has_virtual_servers(self) -> bool:
        """Say whether there is anything in that."""
        return bool(self.cluster.active_virtual_servers)

    async def start(self) -> None:
        """Choose the text to run and run it; a disk in trouble is told and stops nothing."""
        async with self._changing:
            await asyncio.to_thread(self._keeper.clean_up)
            self._balancer.overrides, trouble = await asyncio.to_thread(overrides_to_start, self._keeper)
            await self._by_hand.end_due()
            await self._watching.catch_up()
            choice = await asyncio.to_thread(text_to_start, self._keeper, self._confirming)
            found = await asyncio.to_thread(self._standstill.found, was_ordered=choice.was_ordered)
            self.messages = (*trouble, *choice.messages, *found)
            for message in self.messages:
                if choice.reverted is None or message != choice.reverted.sentence:  # it is in the log already
                    log.warning("%s", message)
            version = choice.version
            serial = f"with serial_no {version.serial_no} " if version is not None else ""
            what = f"what was applied {serial}runs" if version is not None else "nothing runs"
            stopped = self._standstill.stopped
            if stopped is not None:
                what = f"LVS was {stopped.words}, and stays so until it is started"
                log.warning("%s.", what)
            self._events.say(EventKind.STARTED, "", f"The engine started: {what}.")
            if choice.reverted is not None:
                await self._tell_reverted(choice.reverted, ENGINE)
            self.version = version
            if stopped is not None:
                await self._stay_stopped(choice)
                return
            if version is None:
                self._balancer.begin()
                return
            log_running(self._keeper, version)
            # A text that trips us up must not end the engine at every start: the API is how it gets mended.
            with Turn("The start of what was applied") as turn:
                await self._tell_adopted()
                await self._switch(version)
                if choice.reverted is not None:
                    await asyncio.to_thread(self._confirming.end, choice.reverted)
            if turn.has_failed:
                self.messages = (*self.messages, "What was applied could not be run; the engine's log says why.")

    async def _stay_stopped(self, choice: Choice) -> None:
        """Take away what an engine left that died while it stopped."""
        if choice.reverted is not None:
            await asyncio.to_thread(self._confirming.end, choice.reverted)
        elif self._confirming.kept is not None:
            await self.go_back(ENGINE)
        await self._balancer.halt()

    async def chosen_by_operator(self) -> Choice:
        """Return what an operator's start runs; it is kept as what was applied last."""
        await self._watching.catch_up()
        return await asyncio.to_thread(text_for_operator, self._keeper)

    async def run(self, choice: Choice) -> tuple[PlannedStep, ...]:
        """Run the text of an operator's start; return the steps that were taken at once."""
        self.version, self.messages = choice.version, choice.messages
        for message in choice.messages:
            log.warning("%s", message)
        if choice.version is None:
            return await self._balancer.switch(Cluster())
        log_running(self._keeper, choice.version)
        return await self._switch(choice.version)

    async def apply(self, request: ApplyRequest, caller: Caller) -> ApplyAnswer:
        """Run the saved lvs.cf; with `confirm_s` only until then, unless it is confirmed.

        Raises ConfigConflict, UnsafePlan, EditRefused, ConfigUnavailable; then what ran goes on.
        """
        async with self._audit.entry("apply", caller) as told, self._changing:
            require_in_range(request.confirm_s)
            self._standstill.require_none()
            self._confirming.require_none()
            version = await self._version_to_apply(request)
            await self._describe(told, self.version, version)
            if request.confirm_s:
                before = self.version
                await asyncio.to_thread(self._confirming.begin, request.confirm_s, version, before, caller)
            try:
                await self._note_applied(version)
            except ConfigUnavailable:
                await asyncio.to_thread(self._confirming.abandon)
                raise
            self.version, self.messages = version, ()
            log.info("lvs.cf applied by %s: serial_no %s, %s", caller, version.serial_no, version.token[:12])
            try:
                steps = await self._switch(version, removes_at_once=request.removes_at_once)
            finally:
                await asyncio.to_thread(self._confirming.count_from_now)
            numbered = f"version {told.version}, " if told.version else ""
            done = f"lvs.cf runs: {numbered}serial_no {version.serial_no}, {len(steps)} steps."
            self._events.say(EventKind.APPLIED, "", done, caller)
            waits = self._confirming.status()
            if waits is not None:
                sentence = (
                    f"The Apply waits for its confirmation until {waits.deadline}; else what ran before runs again."
                )
                log.warning("%s (%s)", sentence, caller)
                self._events.say(EventKind.WAITS, "", sentence, caller)
                told.reason = f"to be confirmed until {waits.deadline}"
        return ApplyAnswer(version.token, version.serial_no, steps, self.faults(version), waits)

    async def confirm(self, request: ConfirmRequest, caller: Caller) -> ConfirmAnswer:
        """Let what was applied run on. Raises NothingPending, ConfigUnavailable: it is not confirmed then."""
        asked_at = self._confirming.now
        async with self._audit.entry("confirm", caller) as told, self._changing:
            kept = self._confirming.require(request.token, asked_at)
            told.before_token, told.after_token = kept.before_token, kept.token
            await asyncio.to_thread(self._confirming.confirm, caller)
            sentence = f"The Apply by {Caller(kept.who, kept.from_address)} of {kept.applied_at} is confirmed."
            log.info("%s (%s)", sentence, caller)
            self._events.say(EventKind.CONFIRMED, "", sentence, caller)
        return ConfirmAnswer(kept.token, kept.serial_no)

    async def revert(self, request: ConfirmRequest, caller: Caller) -> RevertAnswer:
        """Run now what ran before the Apply that waits. Raises NothingPending."""
        async with self._audit.entry("revert", caller, must_go_on=True) as told, self._changing:
            self._confirming.require(request.token)
            reverted, steps = await self.go_back(caller)
            _describe_revert(told, reverted)
        return RevertAnswer(
            reverted.version.token if reverted.kept.before is not None else "",
            reverted.version.serial_no,
            steps,
            told.version,
            reverted.sentence,
        )

    async def keep_confirming(self) -> None:
        """Revert, for ever, every Apply that is not confirmed in time."""
        while True:
            await asyncio.sleep(LOOK_S)
            with Turn("The revert of an Apply that was not confirmed"):
                await self.revert_due()

    async def revert_due(self) -> None:
        """Revert the Apply whose time is over, if one waits."""
        if self._confirming.is_due:
            async with self._changing:
                if self._confirming.is_due:
                    await self.go_back(ENGINE)

    async def _version_to_apply(self, request: ApplyRequest) -> Version:
        """Return the saved lvs.cf if it can be run. Raises ConfigConflict, UnsafePlan, ConfigUnavailable."""
        await self._watching.catch_up()
        version = await self.saved_version()
        if request.token and request.token != version.token:
            raise ConfigConflict("", version.loaded.document.text)
        programs = await asyncio.to_thread(abilities.program_faults, version.loaded.document, version.loaded.cluster)
        refused = tuple(fault.located("lvs.cf") for fault in programs if fault.stops_apply)
        if errors := (*refusals(version), *refused):
            raise UnsafePlan(f"lvs.cf has errors in what would run. {listed(errors)}")
        preview = await self._preview_now(version.loaded.cluster)
        if preview.objection is not None and not request.force:
            raise UnsafePlan(preview.objection)
        return version

    async def _switch(self, version: Version, *, removes_at_once: bool = False) -> tuple[PlannedStep, ...]:
        """Run a text, unless LVS is stopped: then it is what a start finds."""
        if self._standstill.stopped is not None:
            return ()
        self._happenings.runs(version.loaded.cluster)
        steps = await self._balancer.switch(version.loaded.cluster, removes_at_once=removes_at_once)
        memory.settle(len(self._balancer.nanny.checks))
        return steps

    async def go_back(self, caller: Caller) -> tuple[Reverted, tuple[PlannedStep, ...]]:
        """Run what ran before the Apply that waits; where the disk refuses, that is tried again later."""
        is_again = self._confirming.is_reverting
        is_stopped = self._standstill.stopped is not None
        reverted = await asyncio.to_thread(self._confirming.put_back, caller, is_stopped=is_stopped)
        self.version = reverted.version
        if not is_again:
            self.messages = (reverted.sentence,)
            await self._tell_reverted(reverted, caller)
        steps = await self._switch(reverted.version)
        await asyncio.to_thread(self._confirming.end, reverted)
        return reverted, steps

    async def _tell_adopted(self) -> None:
        found = len((await self._balancer.view()).ours)
        if found:
            sentence = f"{found} virtual servers of ours were in the table: taken over as they are."
            self._events.say(EventKind.ADOPTED, "", sentence)

    async def _tell_reverted(self, reverted: Reverted, caller: Caller) -> None:
        self._events.say(EventKind.REVERTED, "", reverted.sentence, caller)
        if caller is ENGINE:
            told = Told(reason=reverted.sentence)
            _describe_revert(told, reverted)
            await self._audit.note_surely("revert", caller, "done", told)

    async def _describe(self, told: Told, before: Version | None, after: Version) -> None:
        """Put into the audit what runs before and after."""
        told.before_token, told.after_token = before.token if before is not None else "", after.token
        try:
            told.version = await asyncio.to_thread(self._keeper.number_of, after.token)
        except ConfigUnavailable as error:
            log.warning("%s", error)

    async def _note_applied(self, version: Version) -> None:
        try:
            await asyncio.to_thread(self._keeper.note_applied, version)
        except NotConfirmed as error:
            log.warning("%s", error)  # it stands there: to leave it and run something else would be worse

    async def preview(self, cluster: Cluster) -> Preview:
        """Return what running this cluster would do, as the last turn of the balancer saw the table.

        Raises ConfigUnavailable where that cannot be read.
        """
        try:
            return await self._previews.of(cluster)
        except KernelUnavailable as unavailable:
            raise ConfigUnavailable(str(unavailable)) from unavailable

    async def _preview_now(self, cluster: Cluster) -> Preview:
        try:
            return await self._balancer.preview(cluster)
        except KernelUnavailable as unavailable:
            raise ConfigUnavailable(str(unavailable)) from unavailable

    async def saved_version(self) -> Version:
        """Return lvs.cf. Raises ConfigUnavailable if it cannot be read, or there is none."""
        version = await asyncio.to_thread(self._keeper.saved_version)
        if version is None:
            raise ConfigUnavailable(f"There is no {self._keeper.paths.lvs_cf}. Create it first.")
        await asyncio.to_thread(self._look_at, version)
        return version

    def _look_at(self, version: Version) -> None:
        """Find out, in a thread, what is asked for next and is remembered then: it takes its time."""
        self.faults(version)
        if self.version is not None:
            diff(self.version.document.text, version.document.text, "", "")

    def faults(self, version: Version) -> tuple[Fault, ...]:
        """Return what is wrong with a text, on this data path."""
        if self._faults is None or self._faults[0] is not version:
            cannot = abilities.faults_of(version.loaded.document, version.loaded.cluster, self._balancer.path.name)
            self._faults = version, in_file_order((*version.loaded.faults, *cannot))
        programs = self._program_faults(version)
        return in_file_order((*self._faults[1], *programs)) if programs else self._faults[1]

    def _program_faults(self, version: Version) -> tuple[Fault, ...]:
        """Return what is wrong with the checking programs of a text; that is mended without touching it."""
        known = self._programs
        if known is None or known[0] is not version or monotonic() - known[1] > PROGRAMS_KEPT_S:
            found = abilities.program_faults(version.loaded.document, version.loaded.cluster)
            known = self._programs = version, monotonic(), found
        return known[2]


def _describe_revert(told: Told, reverted: Reverted) -> None:
    told.before_token, told.after_token = reverted.kept.token, reverted.version.token
    told.version = reverted.saved.number if reverted.saved is not None else None
    told.diff = reverted.saved.diff if reverted.saved is not None else ""
