"""The embedded data path: a TCP balancer in this process, for where there is no IPVS and no root.

Rule 1: one listener for each service, on exactly its address and port. A service that cannot be served
(another protocol, a firewall mark, an address that is not here) stands in the table all the same, is listed
as refused with the reason, and bothers no other. `present` tries again to listen where that failed.
Rule 2: an edit or a removal touches only what it names; connections go on until they end, or are told to.
Rule 3: a real server that does not take a connection costs one retry on the next; then the client is reset.
Rule 4: the table, the counters and the connections live in this process and die with it.

docs/embedded-data-path.md lists what a proxy cannot do like a router.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Sequence
from enum import Enum, auto
from ipaddress import ip_address
from types import MappingProxyType
from typing import Self

from piranha.config.model import Address
from piranha.errors import StepRefused
from piranha.ipvs.farm import Farm, Member
from piranha.ipvs.persistence import ClientGroup
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Counters,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    Entry,
    Place,
    Reading,
    RemoveDestination,
    RemoveService,
    Service,
    Step,
    TableKey,
    one_by_one,
)
from piranha.system import descriptors
from piranha.system.listening import family_of, open_listener, why_not_bound, why_not_served
from piranha.system.relay import Relay, Scratch, Tally, prepare

log = logging.getLogger("lvs")

CONNECT_LIMIT_S = 5.0
"""How long a real server may take to accept a connection."""
REMEMBERS_ENDED_S = 120.0
"""How long an ended connection counts as inactive: the kernel's TIME_WAIT."""
_ACCEPTS_AT_ONCE = 64
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EXHAUSTED_PAUSE_S = 0.1
_TELLS_PAUSES_EVERY_S = 60.0


class _Server(Member):
    """A real server with the relays it has."""

    __slots__ = ("bytes_in", "bytes_out", "relays")

    def __init__(self, key: DestinationKey, destination: Destination, remembers_ended_s: float) -> None:
        super().__init__(key, destination, remembers_ended_s)
        self.bytes_in = Tally()
        self.bytes_out = Tally()
        self.relays: set[Relay] = set()


class _Phase(Enum):
    OPENING = auto()
    ACTIVE = auto()
    CLOSING = auto()


class _Balanced:
    """One client's connection: the owner of its relay."""

    __slots__ = ("client", "farm", "group", "has_retried", "path", "phase", "server")

    def __init__(self, path: "EmbeddedPath", farm: "_Listening", client: Address | None) -> None:
        self.path = path
        self.farm = farm
        self.client = client
        self.server: _Server | None = None
        self.group: ClientGroup | None = None
        self.phase = _Phase.OPENING
        self.has_retried = False

    def attempt(self, relay: Relay, refused: _Server | None = None) -> None:
        """Choose a server and connect to it; without one the client is reset."""
        now = self.path.loop.time()
        server, group = self.farm.choose(self.client, now, refused)
        if server is None:
            relay.reset()
            return
        self.server = server
        self.group = group
        server.opening += 1
        server.relays.add(relay)
        self.path.connecting(relay, self, now)
        address = server.key.address
        relay.attempt(family_of(address), (str(address), server.key.port))

    def connected(self, relay: Relay) -> None:
        """Count the connection as active and let bytes flow."""
        server = self.server
        assert server is not None
        self.path.no_longer_connecting(relay)
        self.phase = _Phase.ACTIVE
        server.opening -= 1
        server.active += 1
        server.connections += 1
        relay.count_into(server.bytes_in, server.bytes_out)

    def refused(self, relay: Relay) -> None:
        """Try the next server once; then reset the client."""
        self.path.no_longer_connecting(relay)
        server = self._let_go(relay)
        if self.has_retried:
            relay.reset()
            return
        self.has_retried = True
        self.attempt(relay, refused=server)

    def half_closed(self, relay: Relay) -> None:
        """Count the connection as inactive."""
        assert self.server is not None
        self.phase = _Phase.CLOSING
        self.server.active -= 1
        self.server.closing += 1

    def ended(self, relay: Relay, is_orderly: bool) -> None:
        """Count the connection no more, or as recently ended if both sides said their farewell."""
        if self.server is None:
            return
        self.path.no_longer_connecting(relay)
        if is_orderly:
            self.server.recent.add(self.path.loop.time())
        self._let_go(relay)

    def _let_go(self, relay: Relay) -> _Server:
        server = self.server
        assert server is not None
        self.server = None
        if self.phase is _Phase.OPENING:
            server.opening -= 1
        elif self.phase is _Phase.ACTIVE:
            server.active -= 1
        else:
            server.closing -= 1
        if self.group is not None:
            self.farm.release(self.group, server.key, self.path.loop.time())
        server.relays.discard(relay)
        if not server.relays:
            self.path.forget_retired((self.farm.key, server.key), server)
        return server


class _Listening(Farm[_Server]):
    """A service: its farm, and its listener or the reason why it has none."""

    def __init__(self, key: TableKey, service: Service) -> None:
        super().__init__(service, key.address)
        self.key = key
        self.listener: socket.socket | None = None
        self.refusal = ""

    def is_itself(self, key: DestinationKey) -> bool:
        """Say whether a real server is this very virtual server: its connections would go round in a circle."""
        return (key.address, key.port) == (self.key.address, self.key.port)

    @property
    def circle(self) -> str:
        """Return the sentence about a real server that is the virtual server itself, or ""."""
        if any(map(self.is_itself, self.members)):
            return f"Real server {self.key.words} is the virtual server itself and gets no connection."
        return ""


class EmbeddedPath:
    """A DataPath (`ipvs.table`) made of sockets; `async with` closes it.

    `connect_limit_s`: how long a server may take to accept. `remembers_ended_s`: how long an ended connection
    counts as inactive. All methods belong to the loop that called first.
    """

    name = "embedded"
    shares = False

    def __init__(self, connect_limit_s: float = CONNECT_LIMIT_S, remembers_ended_s: float = REMEMBERS_ENDED_S) -> None:
        self._connect_limit_s = connect_limit_s
        self._remembers_ended_s = remembers_ended_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scratch = Scratch()
        self._services: dict[TableKey, _Listening] = {}
        # Servers that left the table while connections of theirs go on. One that comes back finds them again.
        self._retired: dict[Place, _Server] = {}
        # In the order of their deadlines, since every attempt has the same limit.
        self._connecting: dict[Relay, tuple[float, _Balanced]] = {}
        self._connect_timer: asyncio.TimerHandle | None = None
        self._tells_pauses_at = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop this path lives on."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    async def present(self) -> Reading:
        """Return the table, the counters and the refused services, after trying again to listen for those."""
        now = self.loop.time()
        table: dict[TableKey, Entry] = {}
        counters: dict[Place, Counters] = {}
        refused: dict[TableKey, str] = {}
        for key, farm in self._services.items():
            self._listen(farm)
            farm.forget(now)
            if reason := farm.refusal or farm.circle:
                refused[key] = reason
            destinations = {each: server.destination for each, server in farm.members.items()}
            table[key] = Entry(farm.service, MappingProxyType(destinations))
            for each, server in farm.members.items():
                counters[key, each] = server.counters(server.bytes_in.bytes, server.bytes_out.bytes)
        return Reading(MappingProxyType(table), MappingProxyType(counters), MappingProxyType(refused))

    async def apply(self, step: Step) -> None:
        """Take one step. Raises StepRefused with a sentence; nothing is changed then."""
        match step:
            case AddService(key, service):
                self._require(key not in self._services, f"{key.words} is in the table already.")
                farm = self._services[key] = _Listening(key, service)
                self._listen(farm)
            case EditService(key, service):
                farm = self._farm(key)
                farm.edit(service)
                self._listen(farm)
            case RemoveService(key):
                farm = self._farm(key)
                self._require(not farm.members, f"{key.words} still has real servers.")
                del self._services[key]
                self._stop_listening(farm)
            case AddDestination(key, destination_key, destination):
                self._add(self._farm(key), destination_key, destination)
            case EditDestination(key, destination_key, destination):
                self._edit(self._farm(key), destination_key, destination)
            case RemoveDestination(key, destination_key, ends_connections):
                self._remove(self._farm(key), destination_key, ends_connections)

    async def apply_many(self, steps: Sequence[Step]) -> tuple[StepRefused | None, ...]:
        """Take steps in their order; return for each None, or why it was refused."""
        return await one_by_one(self.apply, steps)

    async def close(self) -> None:
        """Stop listening and reset every connection."""
        servers = list(self._retired.values())
        for farm in self._services.values():
            self._stop_listening(farm)
            servers += farm.members.values()
        self._services.clear()
        for server in servers:
            for relay in tuple(server.relays):
                relay.reset()
        self._retired.clear()
        if self._connect_timer is not None:
            self._connect_timer.cancel()
            self._connect_timer = None

    # The table

    def _farm(self, key: TableKey) -> _Listening:
        farm = self._services.get(key)
        if farm is None:
            raise StepRefused(f"{key.words} is not in the table.")
        return farm

    def _server(self, farm: _Listening, key: DestinationKey) -> _Server:
        server = farm.members.get(key)
        if server is None:
            raise StepRefused(f"{key} is not among the real servers of {farm.key.words}.")
        return server

    def _require(self, is_so: bool, sentence: str) -> None:
        if not is_so:
            raise StepRefused(sentence)

    def _add(self, farm: _Listening, key: DestinationKey, destination: Destination) -> None:
        self._require(key not in farm.members, f"{key} is among the real servers of {farm.key.words} already.")
        server = self._retired.pop((farm.key, key), None)
        farm.add(server if server is not None else _Server(key, destination, self._remembers_ended_s))
        self._edit(farm, key, destination)

    def _edit(self, farm: _Listening, key: DestinationKey, destination: Destination) -> None:
        server = self._server(farm, key)
        server.edit(destination)
        if farm.is_itself(key):
            server.weight = 0

    def _remove(self, farm: _Listening, key: DestinationKey, ends_connections: bool) -> None:
        self._server(farm, key)
        server = farm.remove(key)
        if server.relays:
            self._retired[farm.key, key] = server
        if ends_connections:
            for relay in tuple(server.relays):
                relay.reset()

    def forget_retired(self, place: Place, server: _Server) -> None:
        """Forget a server that left the table, now that its last connection is over."""
        if self._retired.get(place) is server:
            del self._retired[place]

    # Listening

    def _listen(self, farm: _Listening) -> None:
        """Listen if the service can be served and is not; else say why not."""
        farm.refusal = why_not_served(farm.key, farm.service)
        if farm.listener is not None and farm.refusal:
            farm.refusal += " Until then it goes on as before."
        if farm.refusal or farm.listener is not None:
            return
        assert farm.key.address is not None
        try:
            farm.listener = open_listener(farm.key.address, farm.key.port)
        except OSError as error:
            farm.refusal = why_not_bound(farm.key, error)
        else:
            self.loop.add_reader(farm.listener, self._accept, farm)

    def _stop_listening(self, farm: _Listening) -> None:
        if farm.listener is not None:
            self.loop.remove_reader(farm.listener)
            farm.listener.close()
            farm.listener = None

    def _accept(self, farm: _Listening) -> None:
        listener = farm.listener
        assert listener is not None
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                descriptors.require_some(listener.fileno())
                client, peer = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause_accepting(farm, listener, error)
                    return
                continue  # that client is gone already (ECONNABORTED and its kin, accept(2))
            client.setblocking(False)
            prepare(client)
            who = ip_address(peer[0]) if farm.looks_at_client else None
            owner = _Balanced(self, farm, who)
            owner.attempt(Relay(self.loop, client, owner, self._scratch))

    def _pause_accepting(self, farm: _Listening, listener: socket.socket, error: OSError) -> None:
        """Let connections wait in the backlog: the listener would be ready, and fail, without end."""
        if self.loop.time() >= self._tells_pauses_at:
            self._tells_pauses_at = self.loop.time() + _TELLS_PAUSES_EVERY_S
            log.warning("%s: no connection can be accepted now (%s); they wait", farm.key.words, error.strerror)
        self.loop.remove_reader(listener)

        def go_on() -> None:
            if farm.listener is listener:
                self.loop.add_reader(listener, self._accept, farm)

        self.loop.call_later(_EXHAUSTED_PAUSE_S, go_on)

    # The limit of connecting

    def connecting(self, relay: Relay, owner: _Balanced, now: float) -> None:
        """Note the start of an attempt; it is refused in our name when its time is over."""
        self._connecting[relay] = (now + self._connect_limit_s, owner)
        if self._connect_timer is None:
            self._connect_timer = self.loop.call_at(now + self._connect_limit_s, self._give_up_late_ones)

    def no_longer_connecting(self, relay: Relay) -> None:
        """Note the end of an attempt."""
        self._connecting.pop(relay, None)

    def _give_up_late_ones(self) -> None:
        self._connect_timer = None
        now = self.loop.time()
        while self._connecting:
            relay, (deadline, owner) = next(iter(self._connecting.items()))
            if deadline > now:
                self._connect_timer = self.loop.call_at(deadline, self._give_up_late_ones)
                return
            relay.give_up_server()
            owner.refused(relay)
