"""What the floating addresses touch, so that tests can bring a world of their own."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from piranha.config.model import Address
from piranha.ipvs.announcements import Carried
from piranha.system.addresses import ChangeWatch, RouterAddresses
from piranha.system.arp import Asked, Listener, announce, find_conflicts


@dataclass(frozen=True, slots=True)
class World:
    """What is touched: the addresses, what is told of their changes, the frames on the network."""

    router: Callable[[], RouterAddresses] = RouterAddresses
    changes: Callable[[], ChangeWatch] = ChangeWatch
    ask: Callable[[Collection[Carried], Collection[str]], Awaitable[Asked]] = find_conflicts
    announce: Callable[[str, Sequence[Address]], str] = announce
    listen: Callable[[str, Collection[Address], Collection[str]], Listener] = Listener
