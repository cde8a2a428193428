"""Tells the neighbours of the floating addresses, round by round, as `ipvs.announcements` says when.

Rule 1: what is yielded is not announced any more, not even by a round that is under way.
Rule 2: what an interface does not let through is said once, and again only after it went well; the rounds go on.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from piranha.config.model import Address
from piranha.ipvs.addresses import Link
from piranha.ipvs.announcements import Announcing, Carried, announce_again, carry, due, link_gone, link_seen
from piranha.said_once import SaidOnce
from piranha.system.arp import announce

log = logging.getLogger("pulse")

AT_ONCE = 128
"""Addresses in one go; then the event loop has its turn."""


@dataclass(frozen=True, slots=True)
class Told:
    """How often an address was announced since it was claimed, and when last (monotonic seconds)."""

    rounds: int
    at: float


class Announcer:
    """Announces what this router carries. `now` is monotonic seconds, `announce` sends a round of one interface."""

    def __init__(self, now: Callable[[], float], announce: Callable[[str, Sequence[Address]], str] = announce) -> None:
        self._now = now
        self._announce = announce
        self._state = Announcing()
        self._told: dict[Carried, Told] = {}
        self._troubles = SaidOnce(log)

    @property
    def next_at(self) -> float | None:
        """Return when the next round is due, None for never."""
        return self._state.next_at

    def carry(self, carried: Collection[Carried]) -> None:
        """Announce these addresses, and no others from this moment on."""
        self._state = carry(self._state, carried, self._now())
        self._told = {each: told for each, told in self._told.items() if each in self._state.series}
        self._troubles.keep({each.device for each in carried})

    def add(self, claimed: Collection[Carried]) -> None:
        """Announce these too."""
        self.carry([*self._state.series, *(each for each in claimed if each not in self._state.series)])

    def keep(self, staying: Collection[Carried]) -> None:
        """Announce none but these from this moment on, and nothing new."""
        self.carry([each for each in self._state.series if each in staying])

    def seen(self, link: Link) -> bool:
        """Take note of how an interface is; say whether its addresses are announced anew therefore."""
        before = self._state.series
        self._state = link_seen(self._state, link, self._now())
        return self._state.series is not before

    def present(self, links: Iterable[Link]) -> tuple[str, ...]:
        """Take note of all the interfaces there are; return those whose addresses are announced anew."""
        names = set()
        again = []
        for link in links:
            names.add(link.name)
            if self.seen(link):
                again.append(link.name)
        for name in self._state.links.keys() - names:
            self.gone(name)
        return tuple(again)

    def again(self, devices: Collection[str]) -> None:
        """Announce the addresses of these interfaces anew: neighbours may have believed somebody else."""
        for name in devices:
            self._state = announce_again(self._state, self._now(), name)

    def gone(self, name: str) -> None:
        """Take note that an interface is no more."""
        self._state = link_gone(self._state, name)

    def told(self, what: Carried) -> Told | None:
        """Return how often and when an address was announced, None for never."""
        return self._told.get(what)

    def trouble(self, device: str) -> str:
        """Return why the last round of an interface was not sent, or ""."""
        return self._troubles.about(device)

    async def send_due(self) -> None:
        """Send the rounds that are due."""
        self._state, rounds, said = due(self._state, self._now())
        by_device: dict[str, list[Address]] = {}
        for each in rounds:
            by_device.setdefault(each.device, []).append(each.address)
        for device, addresses in by_device.items():
            for first in range(0, len(addresses), AT_ONCE):
                self._send(device, addresses[first : first + AT_ONCE])
                await asyncio.sleep(0)
        if said:
            log.info("%s", said)

    def _send(self, device: str, addresses: Sequence[Address]) -> None:
        carried = [address for address in addresses if Carried(device, address) in self._state.series]
        if not carried:
            return
        trouble = self._announce(device, carried)
        self._troubles.say(device, trouble, prefix=f"The floating addresses on {device} are not announced: ")
        if trouble:
            return
        for address in carried:
            what = Carried(device, address)
            before = self._told.get(what)
            self._told[what] = Told(before.rounds + 1 if before is not None else 1, self._now())
