"""A new router in the world: its process, which can stall, be killed or lose power, and its addresses."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from piranha.ha.channels import ChannelName
from piranha.ha.datagram import Said
from piranha.ha.events import Command
from piranha.ha.failover import Addresses, Failover, Outcome, Send
from piranha.ha.machine import Announce, Drop, Take, Tell
from piranha.ha.node import Report, word
from piranha.ha.settings import Settings
from piranha.ha.states import Role, State
from tests.ha.world import Agenda, Violation, Wire

ADDRESSES = (
    (IPv4Address("10.9.0.1"), IPv4Address("10.9.1.1")),
    (IPv4Address("10.9.0.2"), IPv4Address("10.9.1.2")),
)
NAMES = ("P", "B")
UNABLE = (State.IDLE, State.HELD)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take at most, in seconds."""

    take_s: float
    drop_s: float
    late_s: float


class NewRouter:
    """One machine with our failover."""

    is_new = True

    def __init__(
        self, agenda: Agenda, wire: Wire, index: int, settings: Settings, pace: Pace, keys: tuple[bytes, ...]
    ) -> None:
        self.agenda, self.wire, self.index = agenda, wire, index
        self.name = NAMES[index]
        self.settings, self.pace, self.keys = settings, pace, keys
        self.report = Report()
        self.has_addresses = False
        self.failover: Failover | None = None
        self.is_stalled = False
        self.takes = 0
        self.announced_at = 0.0
        self.on_accept: Callable[[int, ChannelName, float, float], None] = lambda *_: None
        self.life = 0
        self._seen: tuple[State, bool] = (State.IDLE, False)
        self._backlog: list[Callable[[], None]] = []
        self._wakes_at = 0.0
        self._spoke_at = 0.0
        self.wall_ahead_s = 0.0

    @property
    def clock(self) -> float:
        """Return the clock that failover is given: one that nobody sets, and not the wall clock."""
        return self.agenda.now

    @property
    def is_alive(self) -> bool:
        """Say whether its process runs and gets time."""
        return self.failover is not None and not self.is_stalled

    @property
    def state(self) -> State | None:
        """Return its state, None without a process."""
        return self.failover.state if self.failover else None

    @property
    def is_able(self) -> bool:
        """Say whether it is alive and nothing but the partner keeps it from being active."""
        failover = self.failover
        if failover is None or self.is_stalled or failover.state in UNABLE or not self.report.is_well:
            return False
        if failover.state is State.INTERNAL_FAULT:
            pause_s = min(failover.node.retry_at - failover.node.since, self.settings.retry_most_s) + self.pace.late_s
            if self.agenda.now <= failover.node.since + pause_s:
                return False
        return self.report.public_up or not self.settings.monitors_links

    def boot(self, command: Command = Command.START) -> None:
        """Start the process, if there is none."""
        if self.failover is not None:
            return
        self.life += 1
        self._wakes_at = 0.0
        nonce = self.agenda.random.getrandbits(63) | 1
        partner, own = (frozenset(ADDRESSES[index]) for index in (1 - self.index, self.index))
        self._seen = (State.IDLE, False)
        self._spoke_at = self.agenda.now
        self.failover = Failover(self.settings, Addresses(partner, own), nonce, self.clock, self.keys)
        self.agenda.tell(self.name, f"boots to {command}")
        self._do(self.failover.report(self.report, self.clock))
        self._do(self.failover.command(command, self.clock))

    def kill(self, *, loses_power: bool) -> None:
        """End the process without a word; its addresses stay, unless the machine loses power."""
        self.agenda.tell(self.name, "loses power" if loses_power else "is killed")
        self.failover = None
        self.is_stalled = False
        self._backlog.clear()
        self.has_addresses = self.has_addresses and not loses_power

    def stall(self, for_s: float) -> None:
        """Give the process no time for a while."""
        if not self.is_alive:
            return
        self.agenda.tell(self.name, f"stands still for {for_s:.3f} s")
        self.is_stalled = True
        life = self.life
        self.agenda.at(self.agenda.now + for_s, lambda: self._go_on(life))

    def stall_ends(self) -> None:
        """Give the process its time back."""
        self._go_on(self.life)

    def _go_on(self, life: int) -> None:
        if life != self.life or not self.is_stalled:
            return
        self.agenda.tell(self.name, "goes on")
        self.is_stalled = False
        self._spoke_at = self.agenda.now
        backlog, self._backlog = self._backlog, []
        for call in backlog:
            call()
        self._tick()

    def command(self, command: Command) -> None:
        """Pass on what an operator asks for."""
        self.agenda.tell(self.name, f"is told to {command}")
        self._run(lambda failover, now: failover.command(command, now))

    def reports(self, **changes: object) -> None:
        """Change what the engine finds out."""
        self.report = replace(self.report, **changes)  # type: ignore[arg-type]
        self.agenda.tell(self.name, f"finds {changes}")
        self._run(lambda failover, now: failover.report(self.report, now))

    def step_clock(self, by_s: float) -> None:
        """Set its wall clock, which has to mean nothing to it."""
        self.wall_ahead_s += by_s
        self.agenda.tell(self.name, f"has its clock stepped to {self.wall_ahead_s:+.3f} s")

    def configure(self, settings: Settings, keys: tuple[bytes, ...]) -> None:
        """Give it other settings or keys, now or for its next life."""
        self.settings, self.keys = settings, keys
        self._run(lambda failover, now: failover.configure(settings, failover.addresses, keys, now))

    def arrives(self, raw: bytes, channel: ChannelName, sent_at: float) -> None:
        """Take a datagram from the wire."""
        if self.failover is None:
            return
        if self.is_stalled:
            self._backlog.append(lambda: self.arrives(raw, channel, sent_at))
            return
        failover = self.failover
        before = failover.channels
        heard = {name: each.heard for name, each in before.items()}
        source = ADDRESSES[1 - self.index][channel is ChannelName.PRIVATE]
        outcome = failover.receive(raw, source, channel, self.clock)
        for name, each in failover.channels.items():
            if each.heard > heard[name]:
                # A copy that took longer proves no more life than the first one did.
                at = failover.node.partner.heard_at
                self.on_accept(self.index, name, sent_at, self.agenda.now if at is None else at)
        self._do(outcome)

    def _run(self, call: Callable[[Failover, float], Outcome]) -> None:
        if self.is_stalled:
            life = self.life
            self._backlog.append(lambda: self._run(call) if life == self.life else None)
        elif self.failover is not None:
            self._do(call(self.failover, self.clock))

    def _tick(self) -> None:
        self._run(lambda failover, now: failover.tick(now))

    def _do(self, outcome: Outcome) -> None:
        failover, agenda = self.failover, self.agenda
        assert failover is not None
        self._check_said_at_once(failover, outcome)
        self._check_rhythm(failover, outcome)
        for order in outcome:
            if isinstance(order, Send):
                self._check_word(failover, order.raw)
                self.wire.send(self.index, order.channel, order.raw)
            elif isinstance(order, Tell):
                agenda.tell(self.name, f"[{failover.state}] {order.sentence}")
            elif isinstance(order, Announce):
                self.announced_at = agenda.now
            elif isinstance(order, Take):
                self._later(self.pace.take_s, order, self._taken)
            elif isinstance(order, Drop):
                self._later(self.pace.drop_s, order, self._dropped)
        self._check_state(failover)
        self._wake_later(failover)

    def _later(self, most_s: float, order: Take | Drop, call: Callable[[Take | Drop], None]) -> None:
        life = self.life
        self.agenda.within(most_s, lambda: call(order) if life == self.life else None)

    def _taken(self, order: Take | Drop) -> None:
        if self.is_stalled:
            self._backlog.append(lambda: self._taken(order))
        elif self.failover is not None and self.failover.node.order == order.order:
            if not self.has_addresses:
                self.takes += 1
                self.agenda.tell(self.name, "HAS the addresses")
            self.has_addresses = True
            self.announced_at = self.agenda.now

    def _dropped(self, order: Take | Drop) -> None:
        if self.is_stalled:
            self._backlog.append(lambda: self._dropped(order))
        elif self.failover is not None:
            had_addresses = self.has_addresses
            if self.failover.node.order == order.order:
                if had_addresses:
                    self.agenda.tell(self.name, "has NO addresses")
                self.has_addresses = False
            self._do(self.failover.down(order.order, had_addresses, self.clock))

    def _wake_later(self, failover: Failover) -> None:
        when = failover.next_at + (self.agenda.now - self.clock) + self.agenda.random.uniform(0, self.pace.late_s)
        if self._wakes_at <= self.agenda.now or when < self._wakes_at:
            self._wakes_at = when
            life = self.life
            self.agenda.at(when, lambda: self._wake(when, life))

    def _wake(self, when: float, life: int) -> None:
        if life != self.life or when != self._wakes_at:
            return
        self._wakes_at = 0.0
        if self.is_alive:
            self._tick()

    def _check_said_at_once(self, failover: Failover, outcome: Outcome) -> None:
        """A change that the partner can do something about is not left to the next regular heartbeat."""
        before, after, says = self._seen, (failover.state, failover.node.owns), word(failover.node)
        self._seen = after
        if before == after or says is None or (before[1] and after[1]) or failover.node.is_dropping:
            return  # the same, silent, or said when the addresses are down
        words = [int.from_bytes(order.raw[:4], "little") for order in outcome if isinstance(order, Send)]
        if says not in words:
            raise Violation(f"{self.name} does not say {says.name} at once: from {before} to {after}, said {words}")

    def _check_rhythm(self, failover: Failover, outcome: Outcome) -> None:
        """A router that has a word says it every keepalive, whatever else it does."""
        now, late_s = self.agenda.now, self.pace.late_s + 1e-6
        due_at = self._spoke_at + self.settings.keepalive_s + late_s
        if now > due_at and failover.node.stalled_at < now:
            raise Violation(f"{self.name} said nothing for {now - self._spoke_at:.3f} s")
        if word(failover.node) is None or any(isinstance(order, Send) for order in outcome):
            self._spoke_at = now

    def _check_state(self, failover: Failover) -> None:
        node = failover.node
        if (node.state is State.ACTIVE) is not (node.owns and not node.is_dropping):
            raise Violation(f"{self.name} is {node.state}, owner {node.owns}, dropping {node.is_dropping}")

    def _check_word(self, failover: Failover, raw: bytes) -> None:
        node, word = failover.node, int.from_bytes(raw[:4], "little")
        if word == Said.STOPPED and (self.has_addresses or node.owns or node.state is State.SETTLING):
            raise Violation(f"{self.name} says STOPPED while it is {node.state}, owner {node.owns}")
        is_last_word = node.is_partner_original and node.role is Role.BACKUP and node.let_go > 0
        if word == Said.RUNNING and not node.owns and not is_last_word:
            raise Violation(f"{self.name} says RUNNING without the addresses")

    @property
    def role(self) -> Role:
        """Return its role."""
        return self.settings.role
