"""Hearts with fake surroundings: a network of lists, addresses that write a diary, and a clock that nobody fires."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from msgspec.structs import replace

from piranha.errors import PiranhaError
from piranha.ha.node import Report
from piranha.ha.states import State
from piranha.pulse.heart import Heart
from piranha.pulse.messages import ChannelRow, Configure, Stand
from piranha.system.heartbeat import Address

ONE, TWO = "192.0.2.11", "192.0.2.12"
K, D = 2.0, 5.0
READY = Report(is_ready=True, digest=b"d" * 32)


class Network:
    """Carries datagrams between the sockets that are bound to it."""

    def __init__(self) -> None:
        self.sockets: dict[tuple[str, int], Socket] = {}
        self.bound: list[str] = []
        self.closed: list[str] = []
        self.missing: set[str] = set()
        self.is_cut = False

    def bind(self, own: Address, port: int) -> "Socket":
        if str(own) in self.missing:
            raise PiranhaError(f"failed to bind to heartbeat address: {own} port {port}: Cannot assign.")
        self.bound.append(f"{own}:{port}")
        made = self.sockets[str(own), port] = Socket(self, own, port)
        return made


class Socket:
    """A heartbeat socket without a network. `sent`: the datagrams that left here."""

    def __init__(self, network: Network, own: Address, port: int) -> None:
        self.network, self.own, self.port, self.trouble = network, own, port, ""
        self.waiting: list[tuple[bytes, Address]] = []
        self.sent: list[tuple[bytes, str]] = []
        self._descriptor = os.eventfd(0)

    def fileno(self) -> int:
        return self._descriptor

    def send(self, raw: bytes, partner: Address) -> None:
        self.sent.append((raw, str(partner)))
        other = self.network.sockets.get((str(partner), self.port))
        if other is not None and not self.network.is_cut:
            other.waiting.append((raw, self.own))

    def receive(self) -> list[tuple[bytes, Address]]:
        found, self.waiting = self.waiting, []
        return found

    def close(self) -> None:
        self.network.closed.append(f"{self.own}:{self.port}")
        self.network.sockets.pop((str(self.own), self.port), None)
        os.close(self._descriptor)


@dataclass
class Carried:
    """The floating addresses: what was ordered. `is_down_at_once`: a drop is reported at once."""

    diary: list[str] = field(default_factory=list)
    has_any: bool = False

    def take(self, order: int) -> None:
        self.diary.append(f"take {order}")

    def drop(self, order: int) -> None:
        self.diary.append(f"drop {order}")

    def announce(self) -> None:
        self.diary.append("announce")


@dataclass
class Sign:
    """The life sign."""

    age: float | None = None
    notes: int = 0
    ends: int = 0

    def note(self) -> None:
        self.notes += 1

    def age_s(self) -> float | None:
        return self.age

    def end(self) -> None:
        self.ends += 1


class Clock:
    """Monotonic seconds, so far ahead of the event loop's that none of its timers fires."""

    def __init__(self) -> None:
        self.now = 4_000_000_000.0

    def __call__(self) -> float:
        return self.now


class Router:
    """A heart and what surrounds it."""

    def __init__(self, own: str, network: Network, clock: Clock, nonce: int, keys: Sequence[bytes] = ()) -> None:
        self.own, self.clock = own, clock
        self.addresses, self.sign = Carried(), Sign()
        self.diary = self.addresses.diary
        self.stands: list[Stand] = []
        self.hooks: list[bool] = []
        self.keys: Sequence[bytes] | PiranhaError = keys
        self.heart = Heart(
            clock, nonce, self.addresses, self._stand, self.hooks.append, self.sign, self._read_keys, network.bind
        )

    @property
    def state(self) -> State:
        return self.heart.state

    def _read_keys(self) -> Sequence[bytes]:
        if isinstance(self.keys, PiranhaError):
            raise self.keys
        return self.keys

    def _stand(self, stand: Stand) -> None:
        self.stands.append(stand)
        self.diary.append(f"tell {'active' if stand.is_active else 'passive'} {stand.order}")

    def drop_done(self) -> None:
        """Report the last drop as done."""
        last = next(each for each in reversed(self.diary) if each.startswith("drop"))
        self.heart.down(int(last.split()[1]), True)


class Two:
    """A primary and a backup, back to back."""

    def __init__(self, keys: Sequence[bytes] = (), **settings: object) -> None:
        self.network, self.clock = Network(), Clock()
        self.one = Router(ONE, self.network, self.clock, 11, keys)
        self.two = Router(TWO, self.network, self.clock, 22, keys)
        self.both = (self.one, self.two)
        for router in self.both:
            router.heart.configured(told(router.own, **settings))
            router.heart.reported(READY)

    def pass_on(self) -> None:
        """Have everything heard that waits."""
        for _ in range(20):
            for each in self.both:
                each.heart.readable()

    def go(self, seconds: float) -> None:
        """Let time pass, with a look whenever one is due."""
        end = self.clock.now + seconds
        while True:
            alive = [each.heart for each in self.both if each.heart.failover is not None]
            at = min((each.failover.next_at for each in alive if each.failover is not None), default=end)
            if at > end:
                break
            self.clock.now = max(self.clock.now, at)
            for each in alive:
                each._tick()
            self.pass_on()
        self.clock.now = end

    def close(self) -> None:
        for each in self.both:
            each.heart.close()


def told(own: str, **changes: object) -> Configure:
    """Return what lvs tells of the pair; `own` is which router this is."""
    partner = TWO if own == ONE else ONE
    row = ChannelRow("public", str(ip_address(own)), partner)
    pair = Configure(1, True, is_alone=False, is_primary=own == ONE, partner=partner, channels=(row,))
    return replace(replace(pair, keepalive_s=K, deadtime_s=D, fails_back=False), **changes)


def alone(**changes: object) -> Configure:
    """Return what lvs tells of a router without a partner."""
    return replace(Configure(1, True), **changes)
