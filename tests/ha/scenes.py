"""Scenes: two routers on a perfect wire that takes no time, K = 2 s and D = 6 s, as in engine.md 9."""

from collections.abc import Callable
from dataclasses import replace

from piranha.ha.channels import ChannelName
from piranha.ha.datagram import Heartbeat, Said, decode
from piranha.ha.events import Command
from piranha.ha.failover import Outcome, Send
from piranha.ha.machine import Clear, Drop, Order, Say, Tell
from piranha.ha.settings import Failback, Settings
from piranha.ha.states import Role, State
from tests.ha.original import OriginalRouter
from tests.ha.routers import ADDRESSES, NewRouter, Pace
from tests.ha.world import Agenda, Wire

K, D = 2.0, 6.0
KEY = b"0123456789abcdef0123456789abcdef"
AT_ONCE = Pace(take_s=0.0, drop_s=0.0, late_s=0.0)


class RecordingWire(Wire):
    """A wire that remembers what was put on it."""

    def __init__(self, agenda: Agenda) -> None:
        super().__init__(agenda, 0.0)
        self.sent: list[tuple[float, int, ChannelName, bytes]] = []

    def send(self, sender: int, channel: ChannelName, raw: bytes) -> None:
        """Carry a datagram."""
        self.sent.append((self.agenda.now, sender, channel, raw))
        super().send(sender, channel, raw)


class ActedRouter(NewRouter):
    """A new router that remembers its orders, but for the cleaning up with which a start begins."""

    def __init__(self, agenda: Agenda, wire: Wire, index: int, settings: Settings, keys: tuple[bytes, ...]) -> None:
        super().__init__(agenda, wire, index, settings, AT_ONCE, keys)
        self.report = replace(self.report, is_ready=True)
        self.ordered: list[tuple[float, Order]] = []

    def _do(self, outcome: Outcome) -> None:
        for order in outcome:
            is_cleaning = self.state is State.SETTLING and isinstance(order, Drop | Clear)
            if not isinstance(order, Send | Say) and not is_cleaning:
                self.ordered.append((self.agenda.now, order))
        super()._do(outcome)

    @property
    def told(self) -> list[tuple[float, str]]:
        """Return its sentences and when they were said."""
        return [(at, order.sentence) for at, order in self.ordered if isinstance(order, Tell)]

    def orders(self, since: float = 0.0) -> list[str]:
        """Return the names of its orders, without sentences, from a time on."""
        return [type(order).__name__ for at, order in self.ordered if at >= since and not isinstance(order, Tell)]


class Scene:
    """A pair. `originals`: "P", "B" or "": which of the two is an original."""

    def __init__(self, originals: str = "", *, has_key: bool | None = None, **settings: object) -> None:
        self.agenda = Agenda(1)
        self.wire = RecordingWire(self.agenda)
        has_key = not originals if has_key is None else has_key
        self.keys = (KEY,) if has_key else ()
        self._settings = {"has_private": True, "failback": Failback.NEVER, "retry_first_s": K} | settings
        routers = [
            OriginalRouter(self.agenda, self.wire, index, K, D, AT_ONCE) if name in originals else self._new(index)
            for index, name in enumerate("PB")
        ]
        self.wire.ends = list(routers)
        self.routers: list[NewRouter | OriginalRouter] = list(routers)

    def _new(self, index: int) -> ActedRouter:
        role = (Role.PRIMARY, Role.BACKUP)[index]
        settings = Settings(role, keepalive_s=K, deadtime_s=D, **self._settings)  # type: ignore[arg-type]
        return ActedRouter(self.agenda, self.wire, index, settings, self.keys)

    @property
    def now(self) -> float:
        """Return the time, seconds."""
        return self.agenda.now

    @property
    def primary(self) -> ActedRouter:
        """Return the primary, which has to be a new one."""
        assert isinstance(self.routers[0], ActedRouter)
        return self.routers[0]

    @property
    def backup(self) -> ActedRouter:
        """Return the backup, which has to be a new one."""
        assert isinstance(self.routers[1], ActedRouter)
        return self.routers[1]

    @property
    def original(self) -> OriginalRouter:
        """Return the one that is an original."""
        return next(router for router in self.routers if isinstance(router, OriginalRouter))

    @property
    def owners(self) -> str:
        """Return which of the two have the addresses: "", "P", "B" or "PB"."""
        return "".join(name for name, router in zip("PB", self.routers, strict=True) if router.has_addresses)

    @property
    def states(self) -> tuple[State | None, State | None]:
        """Return the states of both."""
        return self.routers[0].state, self.routers[1].state

    def boot(self, name: str, command: Command = Command.START) -> None:
        """Start one of the two now."""
        self.routers["PB".index(name)].boot(command)

    def run(self, until: float) -> "Scene":
        """Let time pass, up to that moment."""
        self.agenda.run(until)
        return self

    def until(self, condition: Callable[[], bool], most_s: float = 60.0) -> float:
        """Let time pass until something is so, and return the time."""
        limit = self.now + most_s
        while not condition():
            assert self.now < limit, f"not so within {most_s} s: {self.states}, {self.owners}"
            self.agenda.run(self.now + 0.01)
        return self.now

    def settled(self, active: str = "P") -> "Scene":
        """Let one become active and the other passive."""
        self.boot(active)
        self.run(self.now + D + 0.1)
        self.boot("B" if active == "P" else "P")
        self.run(self.now + D + 0.1)
        assert self.owners == active
        return self

    def heard(self, sender: str, since: float = 0.0, channel: ChannelName = ChannelName.PUBLIC) -> list[Heartbeat]:
        """Return what one sent on a channel from a time on."""
        index = "PB".index(sender)
        beats = [
            decode(raw, self.keys, is_original=not self.keys and len(raw) == 4)
            for at, who, where, raw in self.wire.sent
            if who == index and where is channel and at >= since
        ]
        assert all(isinstance(beat, Heartbeat) for beat in beats)
        return [beat for beat in beats if isinstance(beat, Heartbeat)]

    def words(self, sender: str, since: float = 0.0) -> list[Said]:
        """Return the words that one said on the public channel from a time on."""
        return [beat.said for beat in self.heard(sender, since)]

    def inject(self, to: str, raw: bytes, source: str | None = None) -> None:
        """Give a router a datagram, as if its partner had sent it; `source`: as if from that address."""
        router = self.primary if to == "P" else self.backup
        assert router.failover is not None
        partner = ADDRESSES["BP".index(to)][0]
        address = type(partner)(source) if source else partner
        router._do(router.failover.receive(raw, address, ChannelName.PUBLIC, self.now))
