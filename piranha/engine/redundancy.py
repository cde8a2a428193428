"""The pair as the API tells it and lets it be asked for: pulse decides, this audits and tells."""

import logging
from dataclasses import dataclass

from piranha.engine.audit import Audit
from piranha.engine.caller import Caller
from piranha.engine.events import Events
from piranha.engine.pulse_link import PulseLink
from piranha.errors import EditRefused
from piranha.monitoring import FailoverAnswer, FailoverRequest
from piranha.records import EventKind
from piranha.router_status import RedundancyStatus
from piranha.status import ProcessStatus

log = logging.getLogger("lvs")


@dataclass(slots=True)
class Redundancy:
    """The pair of one engine. `link` is None where there is no pulse, as on the embedded data path."""

    audit: Audit
    events: Events
    link: PulseLink | None = None
    _told: tuple[str, str] = ("", "")

    def status(self) -> RedundancyStatus | None:
        """Return how failover stands, None where there is none or pulse was never heard."""
        return self.link.redundancy() if self.link is not None else None

    def processes(self, ours: tuple[ProcessStatus, ...]) -> tuple[ProcessStatus, ...]:
        """Return the processes with pulse as it is, where it is one of its own."""
        status = self.status()
        if self.link is None:
            return ours
        pid, running_for_s = (status.pid, status.running_for_s + status.age_s) if status is not None else (0, 0.0)
        does = "heartbeats, failover, floating addresses" + (" (not heard now)" if self.link.is_lost else "")
        pulse = ProcessStatus("pulse", pid, does, running_for_s)
        return tuple(pulse if each.name == "pulse" else each for each in ours)

    async def command(self, request: FailoverRequest, caller: Caller) -> FailoverAnswer:
        """Have pulse do what an operator wants. Raises EditRefused where there is no pulse."""
        async with self.audit.entry("failover", caller, str(request.command)) as told:
            if self.link is None:
                raise EditRefused(
                    "", "command", "There is no failover here: the embedded data path has no second router."
                )
            answer = await self.link.ask(request.command)
            told.reason = " ".join(answer.sentences)
        log.warning("%s: %s, by %s", request.command, told.reason, caller)
        return answer

    def tell(self) -> None:
        """Have in the events what failover said since it was looked at last."""
        status = self.status()
        if status is None:
            return
        new = []
        for each in status.said:
            if (each.at, each.sentence) == self._told:
                break
            new.append(each)
        for each in reversed(new):
            self._told = each.at, each.sentence
            self.events.say(EventKind.FAILOVER, "", each.sentence[:1].upper() + each.sentence[1:] + ".")
