"""Hears on every interface with floating addresses who else claims one of them, as long as they are carried.

A second owner is logged with its hardware address and shown; who is one, and how long, `ipvs.second_owners` decides.
The address stays: whether a router should give up is not for a stranger on the network to say.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from piranha.config.model import Address
from piranha.guard import Turn
from piranha.ipvs.addresses import Link
from piranha.ipvs.announcements import Carried
from piranha.ipvs.second_owners import SecondOwner, SecondOwners, due, heard, keep
from piranha.said_once import SaidOnce
from piranha.system.arp import CannotSend, Conflict, Listener
from piranha.system.arp_frames import Claim

log = logging.getLogger("pulse")

WANTS_SAID_S = 60.0
"""A station that asks for an address of ours and is told that it is taken may ask for ever; it is logged that often."""


@dataclass(frozen=True, slots=True)
class _Ear:
    """A listener, and what it was made for (interface, addresses, our hardware addresses): made anew with that."""

    made_for: tuple[int, frozenset[Address], frozenset[str]]
    listener: Listener
    closing: ExitStack


class ClaimWatch:
    """Listens for second owners. `now` is monotonic seconds, `listen` opens a listener."""

    def __init__(
        self,
        now: Callable[[], float],
        listen: Callable[[str, Collection[Address], Collection[str]], Listener] = Listener,
    ) -> None:
        self._now = now
        self._listen = listen
        self._ears: dict[str, _Ear] = {}
        self._troubles = SaidOnce(log)
        self._owners = SecondOwners()
        self._asked_for: dict[Carried, float] = {}

    @property
    def next_at(self) -> float | None:
        """Return when `ask_due` has something to do next, None for never."""
        return self._owners.next_at

    def second_owner(self, what: Carried) -> SecondOwner | None:
        """Return who else has an address, as far as this router heard."""
        return self._owners.owners.get(what)

    def carry(self, carried: Collection[Carried], links: Mapping[str, Link]) -> None:
        """Listen for these addresses, on these interfaces, and for no others. Call it in the event loop."""
        self._owners = keep(self._owners, carried)
        self._asked_for = {what: at for what, at in self._asked_for.items() if what in carried}
        by_device: dict[str, set[Address]] = {}
        for each in carried:
            if each.device in links:
                by_device.setdefault(each.device, set()).add(each.address)
        macs = frozenset(link.mac for link in links.values() if link.mac)
        for device in self._ears.keys() - by_device.keys():
            self._close(device)
        self._troubles.keep(by_device)
        for device, addresses in by_device.items():
            made_for = (links[device].index, frozenset(addresses), macs)
            ear = self._ears.get(device)
            if ear is None or ear.made_for != made_for:
                self._close(device)
                self._open(device, made_for)

    def note(self, conflicts: Iterable[Conflict]) -> None:
        """Take note of who claimed our addresses; log what is new."""
        for conflict in conflicts:
            what = Carried(conflict.device, conflict.address)
            if conflict.claim is Claim.HAS:
                self._owners, is_news = heard(self._owners, what, conflict.mac, self._now())
            else:
                is_news = self._now() >= self._asked_for.get(what, float("-inf")) + WANTS_SAID_S
                if is_news:
                    self._asked_for[what] = self._now()
            if is_news:
                log.warning("%s", conflict.sentence)

    def ask_due(self) -> tuple[Carried, ...]:
        """Ask known second owners whether they still are; say and return whose addresses nobody else has any more."""
        self._owners, asked, ended = due(self._owners, self._now())
        for what in ended:
            log.info("%s on %s: nobody else has it any more.", what.address, what.device)
        for device in {what.device for what in asked}:
            self.ask(device, [what.address for what in asked if what.device == device])
        return ended

    def ask(self, device: str, addresses: Collection[Address] = ()) -> None:
        """Ask who else has addresses of an interface (none given: all that it carries). Answers are heard later."""
        ear = self._ears.get(device)
        if ear is None:
            return
        try:
            ear.listener.ask(addresses or sorted(ear.made_for[1], key=str))
        except CannotSend as error:
            log.debug("%s", error)  # it is announced there too, and that says it aloud

    def close(self) -> None:
        """Hear no more."""
        for device in tuple(self._ears):
            self._close(device)
        self._owners = SecondOwners()

    def _open(self, device: str, made_for: tuple[int, frozenset[Address], frozenset[str]]) -> None:
        _, addresses, macs = made_for
        try:
            listener = self._listen(device, addresses, macs)
        except CannotSend as error:
            self._deaf(device, str(error))
            return
        self._deaf(device, "")
        loop = asyncio.get_running_loop()
        closing = ExitStack()
        closing.callback(listener.close)
        for descriptor in listener.descriptors():
            loop.add_reader(descriptor, self._hear, device)
            closing.callback(loop.remove_reader, descriptor)
        self._ears[device] = _Ear(made_for, listener, closing)

    def _hear(self, device: str) -> None:
        with Turn("Hearing of second owners"):
            ear = self._ears.get(device)
            if ear is None:
                return
            try:
                self.note(ear.listener.conflicts())
            except CannotSend as error:
                self._deaf(device, str(error))
                self._close(device)  # the next reading of the interfaces opens it anew

    def _deaf(self, device: str, reason: str) -> None:
        said = f"A second owner of the floating addresses on {device} would not be heard: "
        self._troubles.say(device, reason, logging.WARNING, said)

    def _close(self, device: str) -> None:
        ear = self._ears.pop(device, None)
        if ear is not None:
            ear.closing.close()
