"""The sockets of the heartbeats: one for each channel, bound to this router's own address there.

Rule 1: an address that is not there yet (a network that starts later than we do) is tried again; the other channel
works meanwhile. Rule 2: what is wrong is said once, and shown.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

from piranha.errors import PiranhaError
from piranha.ha.channels import ChannelName
from piranha.ha.failover import Address
from piranha.pulse.pair import Pair, Way
from piranha.said_once import SaidOnce
from piranha.system.heartbeat import HeartbeatSocket

log = logging.getLogger("pulse")

TRY_AGAIN_S = 1.0


class Wires:
    """The channels of one router. `readable` is called when datagrams wait."""

    def __init__(
        self, readable: Callable[[], None], bind: Callable[[Address, int], HeartbeatSocket] = HeartbeatSocket
    ) -> None:
        self._readable = readable
        self._bind = bind
        self._pair: Pair | None = None
        self._sockets: dict[ChannelName, HeartbeatSocket] = {}
        self._troubles = SaidOnce(log)

    @property
    def ways(self) -> Mapping[ChannelName, Way]:
        """Return the channels there should be."""
        return self._pair.ways if self._pair is not None else {}

    @property
    def port(self) -> int:
        """Return the port of both routers, 0 before there is a pair."""
        return self._pair.port if self._pair is not None else 0

    @property
    def misses_any(self) -> bool:
        """Say whether a channel has no socket."""
        return bool(self.ways.keys() - self._sockets.keys())

    def follow(self, pair: Pair) -> None:
        """Have the sockets of this pair, and no others."""
        self._pair = pair
        for name, there in tuple(self._sockets.items()):
            way = pair.ways.get(name)
            if way is None or (there.own, there.port) != (way.own, pair.port):
                self._close(name)
        self._troubles.keep([str(name) for name in pair.ways])
        self.open_missing()

    def open_missing(self) -> None:
        """Try to open what is not open."""
        for name, way in self.ways.items():
            if name in self._sockets or self._pair is None:
                continue
            try:
                opened = self._bind(way.own, self._pair.port)
            except PiranhaError as error:
                self._troubles.say(str(name), str(error))
                continue
            self._troubles.say(str(name), "")
            self._sockets[name] = opened
            asyncio.get_running_loop().add_reader(opened.fileno(), self._readable)

    def send(self, name: ChannelName, raw: bytes) -> None:
        """Send a datagram to the partner."""
        way, there = self.ways.get(name), self._sockets.get(name)
        if way is None or there is None:
            return
        there.send(raw, way.partner)
        self._troubles.say(str(name), there.trouble, logging.WARNING)

    def waiting(self) -> Iterator[tuple[ChannelName, bytes, Address]]:
        """Yield the datagrams that wait: those of the private channel first, as the original does."""
        for name in sorted(self._sockets):  # "private" < "public"
            for raw, source in self._sockets[name].receive():
                yield name, raw, source

    def trouble(self, name: ChannelName) -> str:
        """Return why a channel does not work, or ""."""
        return self._troubles.about(str(name))

    def close(self) -> None:
        """Close all of them."""
        for name in tuple(self._sockets):
            self._close(name)

    def _close(self, name: ChannelName) -> None:
        there = self._sockets.pop(name)
        asyncio.get_running_loop().remove_reader(there.fileno())
        there.close()
