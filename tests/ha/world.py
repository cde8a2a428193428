"""A world without sockets and clocks: an agenda of what happens when, and two channels that lose, delay and cut."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from piranha.ha.channels import ChannelName

RECORDED = 64
"""Datagrams that are remembered for those who play them back."""
AT_ONCE_MOST = 1000
"""Entries that can follow each other at one moment: two routers that answer each other for ever stop time."""


class Violation(AssertionError):
    """Something happened that must never happen."""


class Receiver(Protocol):
    """A router, as the wire sees it."""

    def arrives(self, raw: bytes, channel: ChannelName, sent_at: float) -> None:
        """Take a datagram from the wire."""


class Agenda:
    """What happens when. Time goes from one entry to the next; equal times in the order they were entered."""

    def __init__(self, seed: int, *, is_traced: bool = False) -> None:
        self.now = 0.0
        self.random = Random(seed)
        self.after_each: list[Callable[[], None]] = []
        self.trace: list[str] = []
        self.is_traced = is_traced
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._at_once = 0
        self.happened = 0

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Enter something."""
        self._number += 1
        heapq.heappush(self._entries, (max(when, self.now), self._number, call))

    def within(self, most_s: float, call: Callable[[], None]) -> None:
        """Enter something at a random moment from now on."""
        self.at(self.now + self.random.uniform(0, most_s), call)

    def run(self, until: float) -> None:
        """Let everything happen up to a time."""
        while self._entries and self._entries[0][0] <= until:
            at, _, call = heapq.heappop(self._entries)
            self._at_once = self._at_once + 1 if at == self.now else 0
            if self._at_once > AT_ONCE_MOST:
                raise Violation(f"time stands still at {self.now:.4f} s")
            self.now = at
            self.happened += 1
            call()
            for each in self.after_each:
                each()
        self.now = until

    def tell(self, who: str, text: str) -> None:
        """Note a line for the reader of a failure."""
        if self.is_traced:
            self.trace.append(f"{self.now:9.4f}  {who:4} {text}")


@dataclass(slots=True)
class Quality:
    """How one direction of one channel is. Delays in seconds."""

    is_cut: bool = False
    loss: float = 0.0
    doubles: float = 0.0
    delay_most_s: float = 0.0


class Wire:
    """Two channels between two routers, each direction for itself."""

    def __init__(self, agenda: Agenda, delay_most_s: float) -> None:
        self.agenda = agenda
        self.delay_most_s = delay_most_s
        self.qualities = {(sender, channel): Quality() for sender in (0, 1) for channel in ChannelName}
        self.ends: list[Receiver] = []
        self.dead_links: set[tuple[int, ChannelName]] = set()
        self.recorded: deque[tuple[int, ChannelName, bytes, float]] = deque(maxlen=RECORDED)
        self.muddled_until = 0.0
        """When the last datagram arrives that was held up."""
        self.heal()

    def heal(self) -> None:
        """Make all of it as it should be, but for links that are down."""
        for quality in self.qualities.values():
            quality.is_cut, quality.loss, quality.doubles = False, 0.0, 0.0
            quality.delay_most_s = self.delay_most_s

    def send(self, sender: int, channel: ChannelName, raw: bytes) -> None:
        """Carry a datagram to the other end: never, once or twice, after a while."""
        quality, random = self.qualities[sender, channel], self.agenda.random
        is_dead = {(0, channel), (1, channel)} & self.dead_links
        if is_dead or quality.is_cut or random.random() < quality.loss:
            return
        for _ in range(2 if random.random() < quality.doubles else 1):
            self._carry(sender, channel, raw, random.uniform(0, quality.delay_most_s))

    def _carry(self, sender: int, channel: ChannelName, raw: bytes, delay_s: float) -> None:
        end, sent_at = self.ends[1 - sender], self.agenda.now
        if delay_s > self.delay_most_s:
            self.muddled_until = max(self.muddled_until, sent_at + delay_s)

        def arrive() -> None:
            self.recorded.append((sender, channel, raw, sent_at))
            end.arrives(raw, channel, sent_at)

        self.agenda.at(sent_at + delay_s, arrive)

    def play_back(self) -> None:
        """Bring something that arrived before once more, as somebody would who listens and wants to confuse."""
        if self.recorded:
            sender, channel, raw, sent_at = self.agenda.random.choice(self.recorded)
            self.ends[1 - sender].arrives(raw, channel, sent_at)
