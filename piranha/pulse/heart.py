"""The heart of pulse: datagrams, time and what lvs tells go into failover, and its orders are carried out.

Rule 1: nothing here waits. Heartbeats go out when they are due, whatever the addresses, lvs or a hook are doing.
Rule 2: what waits in the sockets is read before time is looked at, so that a late look takes nobody for dead.
Rule 3: an order about the addresses goes to the carrier, which reports when they are down; the table is lvs's.
Rule 4: a partner that lvs.cf names no more is still spoken to and heard: what is said to it last, it waits for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from msgspec import structs

from piranha.errors import PiranhaError
from piranha.guard import Turn
from piranha.ha.events import Command
from piranha.ha.failover import Address, Failover, Outcome, Send
from piranha.ha.machine import Announce, Clear, Drop, Finish, Take, Tell
from piranha.ha.node import Report
from piranha.ha.states import State
from piranha.pulse.messages import Answer, Ask, Configure, Stand
from piranha.pulse.pair import pair_of
from piranha.pulse.wires import TRY_AGAIN_S, Wires
from piranha.system.boot import wall_exactly
from piranha.system.heartbeat import HeartbeatSocket

log = logging.getLogger("pulse")

SAID_KEPT = 20
NO_KEY = "Without it this router would not understand a partner that signs its heartbeats, so it stays passive."
AFTER_A_FAULT_S = 0.1
"""A look that fails is not taken again at once: this process goes before all others."""


class Addresses(Protocol):
    """What is done with the floating addresses."""

    @property
    def has_any(self) -> bool:
        """Say whether addresses are here that this router, or a former run of it, claimed."""

    def take(self, order: int) -> None:
        """Have them, when their table is there."""

    def drop(self, order: int) -> None:
        """Have none; `Heart.down` is told when that is so."""

    def announce(self) -> None:
        """Announce them anew."""


class Sign(Protocol):
    """The note that this router speaks as the active one."""

    def note(self) -> None:
        """Write it down."""

    def age_s(self) -> float | None:
        """Return how old the last note is."""

    def end(self) -> None:
        """Forget it."""


class Heart:
    """One router's failover at work. `now` is monotonic seconds, `stand` tells lvs what the router is."""

    def __init__(
        self,
        now: Callable[[], float],
        nonce: int,
        addresses: Addresses,
        stand: Callable[[Stand], None],
        changed: Callable[[bool], None],
        sign: Sign,
        keys: Callable[[], Sequence[bytes]],
        bind: Callable[[Address, int], HeartbeatSocket] = HeartbeatSocket,
        *,
        forces: bool = False,
    ) -> None:
        """`changed` is told whether the router is active, for the hooks; `keys` reads the shared keys."""
        self.failover: Failover | None = None
        self.wires = Wires(self.readable, bind)
        self.is_finished = asyncio.Event()
        self.said: deque[tuple[str, str]] = deque(maxlen=SAID_KEPT)
        self.told: Configure | None = None
        self.key_trouble = ""
        self.news = asyncio.Event()
        self._now = now
        self._nonce = nonce
        self._addresses = addresses
        self._stand = stand
        self._changed = changed
        self._sign = sign
        self._keys = keys
        self._timer: asyncio.TimerHandle | None = None
        self._has_table = False
        self._order = 0
        self._is_stopping = False
        self._forces = forces
        self._last_stand: Stand | None = None
        self._tries_at = 0.0
        self.resumed: Callable[[], None] = lambda: None
        self._asked: Configure | None = None
        self._lacks_key = False

    @property
    def state(self) -> State:
        """Return what this router does."""
        return self.failover.state if self.failover is not None else State.IDLE

    @property
    def hands_on(self) -> bool:
        """Say whether a partner is there that can take the addresses over, and connections are synced with it."""
        return self.told is not None and self.told.syncs and self.has_taker

    @property
    def has_taker(self) -> bool:
        """Say whether a partner is there that can take the addresses over."""
        if self.failover is None:
            return False
        facts, deadtime_s = self.failover.node.partner, self.failover.node.settings.deadtime_s
        return facts.heard_at is not None and self._now() - facts.heard_at < deadtime_s and not facts.is_owner

    def configured(self, told: Configure) -> None:
        """Go on as lvs says; it hears at once what the router is."""
        self._asked = told
        try:
            pair = pair_of(told)
        except ValueError as problem:
            log.error("What lvs.cf says about the two routers cannot be used: %s", problem)
            return
        keys = self._read_keys()
        if self._lacks_key and not self.key_trouble:
            self.failover = None  # without the key the partner looked like an original
        self._lacks_key = bool(self.key_trouble) and not keys and self.state is State.IDLE and not told.is_alone
        if self._lacks_key:
            # It could not tell a partner that signs from a dead one, and would take over from it.
            told = structs.replace(told, runs=False, idle_reason=told.idle_reason or f"{self.key_trouble} {NO_KEY}")
        self.told = told
        if not pair.ways and self.wires.ways:
            pair = replace(pair, ways=dict(self.wires.ways), port=self.wires.port)
        if not told.runs:
            self._stop_running()  # with the settings it had: a lone primary would first take the addresses
        self.wires.follow(pair)
        if self.failover is None:
            self.failover = Failover(pair.settings, pair.addresses, self._nonce, self._now(), keys)
        else:
            self._do(self.failover.configure(pair.settings, pair.addresses, keys, self._now()))
        self._start_or_stop(told, pair.settings.is_alone, pair.settings.deadtime_s)
        self._schedule()  # a channel that could not be opened is tried again, whatever failover does
        self._tell_lvs(told.number)

    def look_for_key(self) -> None:
        """Try again to read a key that could not be read when it was needed."""
        if self._lacks_key and self._asked is not None:
            self.configured(self._asked)

    def asked(self, ask: Ask) -> Answer:
        """Do what an operator wants; return what came of it."""
        if self.failover is None or self._is_stopping:
            return Answer(ask.number, False, ("pulse is not ready: it starts, or it is stopping.",))
        before = self.failover.node
        sentences = self._do(self.failover.command(Command(ask.command), self._now()))
        after = self.failover.node
        done = (before.state, before.wants_until, before.order) != (after.state, after.wants_until, after.order)
        return Answer(ask.number, done, sentences)

    def reported(self, report: Report) -> None:
        """Take note of what was found out about this router."""
        if self.failover is None or report == self.failover.node.report:
            return
        if self.failover.node.settings.monitors_links:
            before = self.failover.node.report
            for nic, was_up, is_up in (
                ("Primary", before.public_up, report.public_up),
                ("Private", before.private_up, report.private_up),
            ):
                if was_up is not is_up:
                    log.warning("%s NIC: link %s", nic, "up" if is_up else "down")
        self._do(self.failover.report(report, self._now()))

    def down(self, order: int, were_any: bool) -> None:
        """The addresses are down, as an order wanted."""
        if self.failover is not None:
            self._do(self.failover.down(order, were_any, self._now()))

    def stop(self) -> None:
        """Give everything back and say so; `is_finished` is set when that is done."""
        self._is_stopping = True
        if self.failover is None:
            self.is_finished.set()
        else:
            self._do(self.failover.command(Command.STOP, self._now()))

    def close(self) -> None:
        """Say and hear no more."""
        if self._timer is not None:
            self._timer.cancel()
        self.failover = None
        self.wires.close()

    def readable(self) -> None:
        """Read what waits."""
        with Turn("Hearing of the partner"):
            self._hear()

    def lvs_is_back(self) -> None:
        """Tell an lvs that just came what the router is."""
        self._tell_lvs(0)

    def _start_or_stop(self, told: Configure, is_alone: bool, deadtime_s: float) -> None:
        assert self.failover is not None
        if self._is_stopping:
            return
        if not told.runs:
            self._stop_running()
        elif self.state is State.IDLE:
            age_s = self._sign.age_s()
            is_fresh = is_alone or (age_s is not None and age_s < deadtime_s)
            resumes = self._addresses.has_any and is_fresh
            if resumes:
                self.resumed()
            self._do(self.failover.command(Command.RESUME if resumes else Command.START, self._now()))
            if self._forces:
                self._forces = False
                self._do(self.failover.command(Command.TAKE_OVER, self._now()))

    def _stop_running(self) -> None:
        if self.failover is not None and (self.state is not State.IDLE or self._addresses.has_any):
            self._do(self.failover.command(Command.STOP, self._now()))

    def _read_keys(self) -> Sequence[bytes]:
        try:
            keys = self._keys()
        except PiranhaError as error:
            if str(error) != self.key_trouble:
                log.error("%s", error)
            self.key_trouble = str(error)
            return self.failover.keys if self.failover is not None else ()
        self.key_trouble = ""
        return keys

    def _hear(self) -> None:
        for name, raw, source in self.wires.waiting():
            if self.failover is not None:
                self._do(self.failover.receive(raw, source, name, self._now()))

    def _tick(self) -> None:
        self._timer = None
        turn = Turn("A look at the time")
        with turn:
            self._hear()
            if self.wires.misses_any and self._now() >= self._tries_at:
                self._tries_at = self._now() + TRY_AGAIN_S
                self.wires.open_missing()
            if self.failover is not None:
                self._do(self.failover.tick(self._now()))
        self._schedule(AFTER_A_FAULT_S if turn.has_failed else 0.0)

    def _schedule(self, pause_s: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.failover is not None:
            at = self.failover.next_at
            if self.wires.misses_any:
                at = min(at, max(self._tries_at, self._now()))
            if at < float("inf"):
                at = max(at, self._now() + pause_s)
                self._timer = asyncio.get_running_loop().call_at(at, self._tick)

    def _do(self, outcome: Outcome) -> tuple[str, ...]:
        """Carry out the orders; return what they say to a person."""
        sentences: list[str] = []
        has_spoken = False
        for order in outcome:
            match order:
                case Send(channel, raw):
                    has_spoken = True
                    self.wires.send(channel, raw)
                case Take(number):
                    self._order, self._has_table = number, True
                    self._tell_lvs(0)
                    self._addresses.take(number)
                    self._changed(True)
                case Drop(number):
                    self._addresses.drop(number)
                    self._changed(False)
                case Clear():
                    self._has_table = False
                    self._tell_lvs(0)
                case Announce():
                    self._addresses.announce()
                case Finish():
                    if self._is_stopping:
                        self.is_finished.set()
                case Tell(sentence, is_shown):
                    log.info("%s", sentence)
                    if is_shown:
                        sentences.append(sentence)
                        self.said.append((wall_exactly(), sentence))
        if has_spoken:
            self._sign.note() if self.failover is not None and self.failover.node.owns else self._sign.end()
        if sentences:
            self.news.set()
        if self._last_stand is not None and self._last_stand != self._stand_now():
            self._tell_lvs(0)
        self._schedule()
        return tuple(sentences)

    def _tell_lvs(self, number: int) -> None:
        self._last_stand = self._stand_now()
        self._stand(structs.replace(self._last_stand, number=number))

    def _stand_now(self) -> Stand:
        if self._has_table:
            return Stand(0, self._order, True)
        return Stand(0, 0, False, self.reason())

    def reason(self) -> str:
        """Return why this router is not active, for people."""
        told, state = self.told, self.state
        if told is None or self.failover is None:
            return "Failover has not begun: pulse waits for the configuration."
        partner = told.partner or "the other router"
        match state:
            case State.IDLE:
                return told.idle_reason or "Nothing is to be balanced."
            case State.SETTLING:
                return f"Undecided: this router listens for {partner} before it becomes active."
            case State.PASSIVE:
                role = "primary" if told.is_primary else "backup"
                return f"This router ({role}) is passive: {partner} is active."
            case State.LINK_FAULT:
                return "The link of this router's public heartbeats is down, so it does not take over."
            case State.INTERNAL_FAULT:
                node = self.failover.node
                return f"The balancer of this router failed: {node.report.reason or 'for no reason that is known'}"
            case State.HELD:
                return "An operator holds this router: it does not take over until it is released."
            case _:
                return f"This router is {state}."
