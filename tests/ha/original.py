"""A model of an original router, written from engine.md 1.6 to 1.17: what pulse 0.8.6 does with heartbeats.

Timers hang on the wall clock; the loop blocks while it deactivates; nothing is said at a stop. Its helpers announce an
address for 5 seconds whatever happens meanwhile; `announced_at` is when the last such series began. Of a datagram it
reads 4 bytes, little endian. It knows no STOPME here, because nobody sends one.

One thing is left out: after a kill without loss of power it would come back passive with its old addresses still up
(engine.md 8.A13, B9), two owners until somebody takes them down. Here whoever starts it again does that.
"""

from collections.abc import Callable

from piranha.ha.channels import ChannelName
from piranha.ha.datagram import Said
from piranha.ha.events import Command
from piranha.ha.states import Role, State
from tests.ha.routers import NAMES, Pace
from tests.ha.world import Agenda, Wire


class OriginalRouter:
    """One machine with the original. It takes the same orders from the world as a new one, as far as it knows them."""

    is_new = False

    def __init__(
        self, agenda: Agenda, wire: Wire, index: int, keepalive_s: float, deadtime_s: float, pace: Pace
    ) -> None:
        self.agenda, self.wire, self.index = agenda, wire, index
        self.name = NAMES[index].lower()
        self.keepalive_s, self.deadtime_s, self.pace = keepalive_s, deadtime_s, pace
        self.role = (Role.PRIMARY, Role.BACKUP)[index]
        self.clock_ahead_s = 0.0
        self.is_running = self.is_active = self.has_addresses = False
        self.is_stalled = self.is_blocked = False
        self.linkfail = self.childfail = False
        self.dead_links: set[ChannelName] = set()
        self.monitors_links = False
        self.sends_at = self.dead_at = 0.0
        self.takes = 0
        self.announces = 0
        self.announced_at = 0.0
        self._wakes = 0
        self.on_accept: Callable[[int, ChannelName, float, float], None] = lambda *_: None
        self._inbox: list[tuple[int, float, ChannelName]] = []
        self.life = 0

    @property
    def clock(self) -> float:
        """Return the wall clock."""
        return self.agenda.now + self.clock_ahead_s

    @property
    def is_alive(self) -> bool:
        """Say whether its process runs and gets time."""
        return self.is_running and not self.is_stalled

    @property
    def is_able(self) -> bool:
        """Say whether nothing but the partner keeps it from being active."""
        return self.is_alive and not self.linkfail and not self.childfail

    @property
    def state(self) -> State | None:
        """Return what its state would be called."""
        if not self.is_running:
            return None
        return State.ACTIVE if self.is_active else State.PASSIVE

    def boot(self, command: Command = Command.START) -> None:
        """Start it, passive. Addresses that a killed one left stay."""
        if self.is_running:
            return
        self.agenda.tell(self.name, "boots")
        self.life += 1
        self.is_running, self.is_active = True, False
        self.is_blocked = self.is_stalled = self.linkfail = self.childfail = False
        self.has_addresses = False
        self._inbox.clear()
        self.sends_at, self.dead_at = self.clock + self.keepalive_s, self.clock + self.deadtime_s
        if command is Command.RESUME:  # as --forceactive
            self._activate("Forced active on startup: activating lvs")
        self._loop()

    def kill(self, *, loses_power: bool) -> None:
        """End it without a word."""
        self.agenda.tell(self.name, "loses power" if loses_power else "is killed")
        self.life += 1
        self.is_running = self.is_active = False
        self.has_addresses = self.has_addresses and not loses_power

    def command(self, command: Command) -> None:
        """Stop or start it; it knows nothing else."""
        self.agenda.tell(self.name, f"is told to {command}")
        if command is Command.START:
            self.boot()
        elif command is Command.STOP and self.is_running:
            self.life += 1
            self.is_running = self.is_active = False
            life = self.life
            self.agenda.within(self.pace.drop_s, lambda: self._dropped(life))

    def stall(self, for_s: float) -> None:
        """Give it no time for a while."""
        if not self.is_alive:
            return
        self.agenda.tell(self.name, f"stands still for {for_s:.3f} s")
        self.is_stalled = True
        life = self.life
        self.agenda.at(self.agenda.now + for_s, lambda: self._go_on(life))

    def lvsd_dies(self) -> None:
        """Kill its balancer: it steps down, and does not come back before it heard RUNNING."""
        if self.is_alive and self.is_active:
            self.agenda.tell(self.name, "lvsd dies")
            self.childfail = True
            self._deactivate()

    def link(self, channel: ChannelName, *, is_up: bool) -> None:
        """Plug or unplug a cable, which it notices where links are watched."""
        (self.dead_links.discard if is_up else self.dead_links.add)(channel)

    def step_clock(self, by_s: float) -> None:
        """Set its wall clock. It notices when it wakes for some other reason."""
        self.clock_ahead_s += by_s
        self.agenda.tell(self.name, f"has its clock stepped to {self.clock_ahead_s:+.3f} s")
        life = self.life
        self.agenda.within(self.keepalive_s / 10, lambda: self._loop() if life == self.life else None)

    def arrives(self, raw: bytes, channel: ChannelName, sent_at: float) -> None:
        """Take a datagram from the wire: 4 bytes of it."""
        if self.is_running and len(raw) >= 4:
            self._inbox.append((int.from_bytes(raw[:4], "little"), sent_at, channel))
            self._loop()

    def stall_ends(self) -> None:
        """Give it its time back."""
        self._go_on(self.life)

    def _go_on(self, life: int) -> None:
        if life == self.life and self.is_stalled:
            self.agenda.tell(self.name, "goes on")
            self.is_stalled = False
            self._loop()

    def _loop(self) -> None:
        while self.is_alive and not self.is_blocked and self._inbox:
            word, sent_at, channel = self._inbox.pop(0)
            self._hear(word, sent_at, channel)
        if not self.is_alive or self.is_blocked:
            return
        self._watch_links()
        if not self.is_blocked and self.clock >= self.sends_at:
            self._say()
            self.sends_at = self.clock + self.keepalive_s
        if not self.is_blocked and self.clock >= self.dead_at:
            if self._is_eligible:
                self._activate("partner dead: activating lvs")
            self.dead_at = self.clock + self.deadtime_s
        self._sleep()

    def _sleep(self) -> None:
        """Wait as select() does: for a datagram, or for as long as it was to the earlier deadline."""
        self._wakes += 1
        number, life = self._wakes, self.life
        waits_s = max(1e-6, min(self.sends_at, self.dead_at) - self.clock)
        self.agenda.at(self.agenda.now + waits_s, lambda: self._wake(number, life))

    def _wake(self, number: int, life: int) -> None:
        if (number, life) == (self._wakes, self.life):
            self._loop()

    @property
    def _is_eligible(self) -> bool:
        return not self.is_active and not self.linkfail and not self.childfail

    def _hear(self, word: int, sent_at: float, channel: ChannelName) -> None:
        if word not in [int(said) for said in Said]:
            return
        self.on_accept(self.index, channel, sent_at, self.agenda.now)
        self.dead_at = self.clock + self.deadtime_s
        if word == Said.RUNNING:
            self.childfail = False
            if self.is_active and self.role is Role.PRIMARY:
                self.announces += 1
                self.announced_at = self.agenda.now
                self.has_addresses = True
            elif self.is_active:
                self._say()
                self.agenda.tell(self.name, "partner active: deactivating LVS")
                self._deactivate()
        elif word == Said.STOPPED and self._is_eligible:
            self._activate(f"{self.role.other} inactive: activating lvs")

    def _say(self) -> None:
        word = Said.RUNNING if self.is_active else Said.STOPPED
        for channel in ChannelName:
            self.wire.send(self.index, channel, int(word).to_bytes(4, "little"))

    def _activate(self, why: str) -> None:
        self.agenda.tell(self.name, why)
        self.is_active = True
        life = self.life
        self.agenda.within(self.pace.take_s, lambda: self._taken(life))

    def _taken(self, life: int) -> None:
        if life == self.life and self.is_active and not self.has_addresses:
            self.agenda.tell(self.name, "HAS the addresses")
            self.takes += 1
            self.announced_at = self.agenda.now
            self.has_addresses = True

    def _deactivate(self) -> None:
        """Step down; the loop, heartbeats too, waits until the addresses are down."""
        self.is_active, self.is_blocked = False, True
        life = self.life
        self.agenda.within(self.pace.drop_s, lambda: self._dropped(life))

    def _dropped(self, life: int) -> None:
        if life == self.life:
            self.agenda.tell(self.name, "has NO addresses")
            self.has_addresses, self.is_blocked = False, False
            self.dead_at = self.clock + self.deadtime_s
            self._loop()

    def _watch_links(self) -> None:
        if not self.monitors_links:
            return
        if self.dead_links and not self.linkfail:
            self.agenda.tell(self.name, "Local NIC link failure: Pulse disabled")
            self.linkfail = True
            if self.is_active:
                self._deactivate()
        elif not self.dead_links and self.linkfail:
            self.agenda.tell(self.name, "Local NIC link(s) restored: Pulse enabled")
            self.linkfail = False
