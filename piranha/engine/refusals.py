"""What the data path refused in the last turn: in the log when it begins and when it ends, and kept for the status.

Rule 1: a refused step is proposed again by the next turn, so that the last turn says what is refused now.
Rule 2: what hangs on a virtual server that was not added is not told for itself: its real servers find no service.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from piranha.errors import StepRefused
from piranha.ipvs.plan import sentence
from piranha.ipvs.table import AddService, EditService, Place, Reading, RemoveService, Step, TableKey

log = logging.getLogger("lvs")

NAMED_MAX = 3
"""So many refused real servers of one virtual server stand in the log at once; the status has all of them."""


class Refusals:
    """`services` and `servers`: why a virtual server, or a real server in it, is not as it should be."""

    def __init__(self) -> None:
        self.services: Mapping[TableKey, str] = {}
        self.servers: Mapping[Place, str] = {}
        self._not_served: Mapping[TableKey, str] = {}

    def note_not_served(self, reading: Reading) -> None:
        """Log once what stands in the table and is not served, and when it is."""
        for key, reason in reading.refused.items():
            if self._not_served.get(key) != reason:
                log.error("%s", reason)
        for key in self._not_served.keys() - reading.refused.keys():
            if key in reading.table:
                log.info("%s is served now.", key.words)
        self._not_served = dict(reading.refused)

    def note(self, steps: Sequence[Step], answers: Sequence[StepRefused | None]) -> tuple[Step, ...]:
        """Take note of what became of all steps of a turn; return those that were taken."""
        taken: list[Step] = []
        services: dict[TableKey, str] = {}
        servers: dict[Place, str] = {}
        not_added: set[TableKey] = set()
        for step, refusal in zip(steps, answers, strict=True):
            if refusal is None:
                log.debug("%s", sentence(step))
                taken.append(step)
            elif isinstance(step, AddService | EditService | RemoveService):
                services.setdefault(step.key, str(refusal))
                if isinstance(step, AddService):
                    not_added.add(step.key)
            elif step.key not in not_added:
                servers.setdefault((step.key, step.destination_key), str(refusal))
        self._tell(services, servers)
        self.services, self.servers = services, servers
        return tuple(taken)

    def _tell(self, services: Mapping[TableKey, str], servers: Mapping[Place, str]) -> None:
        """Log what is new, each reason once, and which virtual servers have nothing refused any more."""
        before = {*self.services.values(), *self.servers.values()}
        for reason in dict.fromkeys(services.values()):
            if reason not in before:
                log.error("%s", reason)
        new: dict[TableKey, list[str]] = {}
        for (key, _), reason in servers.items():
            if reason not in before:
                new.setdefault(key, []).append(reason)
        for key, reasons in new.items():
            for reason in dict.fromkeys(reasons[:NAMED_MAX]):
                log.error("%s", reason)
            if len(reasons) > NAMED_MAX:
                more = len(reasons) - NAMED_MAX
                log.error("%d more real servers of %s are refused; piranha status says why.", more, key.words)
        for key in _keys(self.services, self.servers) - _keys(services, servers):
            log.info("%s: nothing is refused any more.", key.words)


def _keys(services: Iterable[TableKey], servers: Iterable[Place]) -> set[TableKey]:
    return {*services, *(key for key, _ in servers)}
