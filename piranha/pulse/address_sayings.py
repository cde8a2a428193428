"""What the log says of the floating addresses: each sentence once, and what happens again and again not each time."""

import logging
from collections.abc import Callable, Iterable

from piranha.ipvs.addresses import Held
from piranha.ipvs.announcements import Carried
from piranha.pulse.address_status import by_sentence, carried_of
from piranha.said_once import SaidOnce
from piranha.status import AddressStatus

log = logging.getLogger("pulse")

GONE_SAID_S = 10.0
"""That an address was taken away by somebody else is logged at most that often."""


class AddressSayings:
    """Logs for one router. `now` is monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._said = SaidOnce(log)
        self._gone_said_at: dict[Carried, float] = {}

    def say(self, addresses: Iterable[AddressStatus]) -> None:
        """Log what is new in how the addresses stand."""
        sentences = by_sentence(addresses)
        self._said.keep(sentences)
        for sentence, (level, whom) in sentences.items():
            self._said.say(sentence, sentence, level, whom)

    def was_gone(self, held: Held) -> None:
        """Log that somebody took an address away that is there again."""
        what = carried_of(held)
        if self._now() >= self._gone_said_at.get(what, float("-inf")) + GONE_SAID_S:
            log.warning("%s was gone: somebody else took it away. It is there again.", held)
            self._gone_said_at[what] = self._now()
