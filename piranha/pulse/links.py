"""Which interface carries each heartbeat address, and whether its link is up (engine.md 1.13).

Read at every change that the kernel tells of and that may concern them: a takeover adds addresses by the thousand, and
each reading takes time. An address on no interface, and a link that cannot be read, count as up:
only what is known to be down takes a router out.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from piranha.config.model import Address
from piranha.errors import PiranhaError
from piranha.guard import Turn
from piranha.said_once import SaidOnce
from piranha.system.addresses import AddressChanged, Change, ChangeWatch, RouterAddresses

log = logging.getLogger("pulse")


@dataclass(frozen=True, slots=True)
class Carrying:
    """The interface of an address, "" for none; `is_up` None where nothing is known."""

    device: str = ""
    is_up: bool | None = None


UNKNOWN = Carrying()


class Links:
    """Watches the interfaces. `changed` is called when one of them is otherwise than before."""

    def __init__(
        self,
        changed: Callable[[], None],
        router: Callable[[], RouterAddresses] = RouterAddresses,
        watch: Callable[[], ChangeWatch] = ChangeWatch,
    ) -> None:
        self._changed = changed
        self._router = router
        self._watch_of = watch
        self._watch: ChangeWatch | None = None
        self._found: Mapping[Address, Carrying] = {}
        self._asked: set[Address] = set()
        self._troubles = SaidOnce(log)

    def of(self, address: Address) -> Carrying:
        """Return what carries an address."""
        self._asked.add(address)
        return self._found.get(address, UNKNOWN)

    def open(self) -> None:
        """Read what there is, and hear of changes from now on, in this event loop; nothing if that is so already."""
        if self._watch is not None:
            return
        try:
            self._watch = self._watch_of()
        except PiranhaError as error:
            self._troubles.say("watch", f"Changes of links are not heard: {error}")
        else:
            self._troubles.say("watch", "")
            asyncio.get_running_loop().add_reader(self._watch.fileno(), self._hear)
        self.read()

    def read(self) -> None:
        """Read the interfaces anew."""
        try:
            with self._router() as router:
                present = router.read()
        except PiranhaError as error:
            self._troubles.say("reading", str(error))
            return
        self._troubles.say("reading", "")
        found = {}
        for each in present.addresses:
            link = present.links.get(each.held.device)
            if link is not None:
                found[each.held.address] = Carrying(link.name, link.is_up and link.has_carrier)
        if found != self._found:
            self._found = found
            self._changed()

    def close(self) -> None:
        """Hear no more."""
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch.fileno())
            self._watch.close()
            self._watch = None

    def _hear(self) -> None:
        with Turn("Hearing of links"):
            if self._watch is None:
                return
            try:
                changes = self._watch.changes()
            except PiranhaError as error:
                self._troubles.say("watch", f"Changes of links are not heard: {error}")
                self.close()  # it is opened anew, and everything read, by the next `open`
                return
            if any(self._concerns_us(each) for each in changes):
                self.read()

    def _concerns_us(self, change: Change) -> bool:
        return not isinstance(change, AddressChanged) or change.address.held.address in self._asked
