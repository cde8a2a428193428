"""Stop and start of LVS by an operator. The engine stays up: it keeps lvs.cf and answers, and runs nothing meanwhile.

Rule 1: a stop takes the addresses down first and the table then; what is foreign stays. Unconfirmed means back: an
        Apply that waits for its confirmation is reverted, so that a start does not find it as if it were confirmed.
Rule 2: a start is an operator's: it runs lvs.cf, or what was applied last where lvs.cf cannot be run, and says so.
"""

import asyncio
import logging

from piranha.engine.applying import Applying
from piranha.engine.audit import Audit
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.confirming import Confirming
from piranha.engine.events import Events
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.standstill import Standstill
from piranha.engine.starting import Choice
from piranha.errors import ConfigUnavailable
from piranha.monitoring import RunAnswer
from piranha.records import EventKind
from piranha.status import RunState

log = logging.getLogger("lvs")


class StopAndStart:
    """Stops and starts what a balancer runs. `changing` is the engine's lock."""

    def __init__(
        self,
        keeper: ConfigKeeper,
        balancer: Balancer,
        applying: Applying,
        confirming: Confirming,
        standstill: Standstill,
        changing: asyncio.Lock,
        events: Events,
        audit: Audit,
    ) -> None:
        self._keeper = keeper
        self._balancer = balancer
        self._applying = applying
        self._confirming = confirming
        self._standstill = standstill
        self._changing = changing
        self._events = events
        self._audit = audit

    async def stop(self, caller: Caller) -> RunAnswer:
        """Run nothing until LVS is started. Raises ConfigUnavailable: then it goes on running."""
        async with self._audit.entry("stop", caller) as told, self._changing:
            stopped = self._standstill.stopped
            if stopped is not None:
                told.reason = "nothing was changed: it is stopped already"
                return RunAnswer(False, RunState.STOPPED, f"LVS is stopped already: {stopped.words}.")
            told.before_token = self._applying.version.token if self._applying.version is not None else ""
            count = len(self._balancer.cluster.active_virtual_servers)
            await asyncio.to_thread(self._standstill.begin, caller)
            was_waiting = self._confirming.kept is not None
            if was_waiting:
                await self._applying.go_back(caller)
            else:
                self._applying.messages = ()
            await self._balancer.halt()
            served = "one virtual server was" if count == 1 else f"{count} virtual servers were"
            sentence = f"LVS is stopped: {served} taken down, addresses first."
            log.warning("%s (%s)", sentence, caller)
            self._events.say(EventKind.LVS_STOPPED, "", sentence, caller)
        return RunAnswer(True, RunState.STOPPED, sentence, messages=self._applying.messages)

    async def start(self, caller: Caller) -> RunAnswer:
        """Run lvs.cf, or what was applied last where it cannot be run.

        Raises ConfirmationPending, and ConfigUnavailable: then it stays stopped.
        """
        async with self._audit.entry("start", caller) as told, self._changing:
            if self._standstill.stopped is None and self._applying.has_virtual_servers:
                told.reason = "nothing was changed: it runs already"
                return RunAnswer(False, RunState.RUNNING, "LVS runs already. A changed lvs.cf is run by an Apply.")
            self._confirming.require_none()
            await asyncio.to_thread(self._standstill.end)
            choice = await self._applying.chosen_by_operator()
            steps = await self._applying.run(choice)
            sentence = await self._sentence(choice)
            told.after_token = choice.version.token if choice.version is not None else ""
            told.reason = " ".join(choice.messages)
            log.warning("%s (%s)", sentence, caller)
            self._events.say(EventKind.LVS_STARTED, "", sentence, caller)
        state = RunState.RUNNING if self._applying.has_virtual_servers else RunState.IDLE
        return RunAnswer(True, state, sentence, steps, choice.messages)

    async def _sentence(self, choice: Choice) -> str:
        version = choice.version
        if version is None:
            return f"LVS is started, but nothing runs: there is no {self._keeper.paths.lvs_cf} that can be run."
        try:
            saved = await asyncio.to_thread(self._keeper.saved_version)
        except ConfigUnavailable:
            saved = None
        serial = f"serial_no {version.serial_no}" if version.serial_no is not None else "without a serial_no"
        if saved is None or saved.token != version.token:
            return f"LVS runs what was applied last, {serial}; lvs.cf is not what runs."
        if not self._applying.has_virtual_servers:
            return f"LVS is started with lvs.cf, {serial}, in which no virtual server is active."
        return f"LVS runs lvs.cf, {serial}."
