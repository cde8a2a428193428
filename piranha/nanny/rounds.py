"""The rhythm of the checks: when each is made, how many at once, and what follows one that could not be made.

Rule 1: a check that begins at t begins again at t + interval, and checks of one server never overlap.
Rule 2: never more checks at once than there are slots, because each needs a descriptor; and never more than BURST
begin in one turn of the loop, so that everything else in it has its turn.
Rule 3: what this router could not do says nothing about a real server. It is tried again soon, less and less soon.
Rule 4: nothing is decided here. Whoever ordered the checks is told what came of each.
"""

import asyncio
import heapq
import logging
import os
import resource
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from piranha.config.model import Address
from piranha.guard import Turn
from piranha.health.check import Check
from piranha.system.boot import monotonic
from piranha.system.probes import CannotCheck, Probed, probe

log = logging.getLogger("piranha.nanny")

SPREAD = 0.1
"""The first pause is shorter by up to this part of the interval: checks begun together drift apart ..."""
SPREAD_WHOLE = 500
"""... by up to the whole of it where there are so many: the rhythm is even then, and none waits for the others."""
STALL_S = 1.0
"""A check that took this much longer than its limit shows that this router stood still, not the server."""
BURST = 64
"""So many checks begin in one turn of the loop at most."""
AGAIN_S = 5.0
"""A check that this router could not make is repeated after that, then after twice that, up to its interval."""
SLOTS_MAX = 16_384
SLOTS_LEAST = 16
KEPT_DESCRIPTORS = 64
"""What a process that only checks needs besides."""
EARLY_S = 0.001
"""Timers of the loop count milliseconds: what is due in less is due."""

OWN_FAULT = "the check failed by itself; the log has more"


@dataclass(frozen=True, slots=True)
class Order:
    """Make this check at this address from now on. `number` names it; no other order ever has the same.

    `due`: when it is to be made next, monotonic seconds; None: it was never made, and is made at once.
    """

    number: int
    check: Check
    address: Address
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check. `probed` None: it could not be made, `trouble` says why.

    `ended` and `due`, when it ended and when it will be made next, are monotonic seconds.
    """

    number: int
    probed: Probed | None
    trouble: str
    ended: float
    due: float


class Runner(Protocol):
    """What makes the checks that it is ordered: in this process (Rounds) or in others (Workers)."""

    @property
    def staff(self) -> Mapping[int, int]:
        """Return the processes that make them, each with how many it makes."""

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return why checks are not made, in sentences."""

    def order(self, orders: Iterable[Order]) -> None:
        """Make these checks too."""

    def drop(self, numbers: Iterable[int]) -> None:
        """Make these no more; nothing is told of them any more, of one that runs neither."""


class Timer(Protocol):
    """What `later` returns."""

    def cancel(self) -> None:
        """Don't call."""


Later = Callable[[float, Callable[[], None]], Timer]
"""Calls something once after so many seconds."""


def slots_here(part: float = 1.0) -> int:
    """Return how many checks this process can make at once with this part of its descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return SLOTS_MAX
    return max(SLOTS_LEAST, min(SLOTS_MAX, int(soft * part) - KEPT_DESCRIPTORS))


@dataclass(slots=True, eq=False)
class _Round:
    """One check of one server, and how it goes with it."""

    order: Order
    name: str
    spread_s: float = 0.0
    troubles: int = 0
    task: asyncio.Task[None] | None = None
    is_dropped: bool = False


class Rounds:
    """Makes checks in this process. Made inside a TaskGroup that owns the checks that run.

    `tell` hears what came of each. `clock` is monotonic seconds, `later` the loop's timer, `probe` makes one check;
    tests bring their own. `slots`: how many checks at once.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        tell: Callable[[Outcome], None],
        *,
        slots: int,
        probe: Callable[[Check, Address], Awaitable[Probed]] = probe,
        clock: Callable[[], float] = monotonic,
        later: Later | None = None,
    ) -> None:
        self._group = group
        self._tell = tell
        self._slots = slots
        self._probe = probe
        self._clock = clock
        self._later: Later = later if later is not None else asyncio.get_running_loop().call_later
        self._rounds: dict[int, _Round] = {}
        self._heap: list[tuple[float, int, _Round]] = []
        self._running = self._dropped = 0
        self._timer: Timer | None = None
        self._fires_at = 0.0
        self._is_held = False

    @property
    def staff(self) -> Mapping[int, int]:
        """Return this process: the checks are made here."""
        return {os.getpid(): len(self._rounds)}

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return none: what cannot be checked is said of the server."""
        return ()

    @property
    def running(self) -> int:
        """Return how many checks run now."""
        return self._running

    def order(self, orders: Iterable[Order]) -> None:
        """Make these checks from now on."""
        ones = [_Round(order, str(order.check.key)) for order in orders]
        self._rounds |= {one.order.number: one for one in ones}
        part = min(1.0, max(SPREAD, len(self._rounds) / SPREAD_WHOLE))
        for one in ones:
            order = one.order
            if order.due is None:
                one.spread_s = order.check.interval_s * part * (zlib.crc32(one.name.encode()) / 2**32)
            self._plan(one, self._clock() if order.due is None else order.due)
        self._arm()

    def drop(self, numbers: Iterable[int]) -> None:
        """Make these checks no more, and end those that run."""
        for number in numbers:
            one = self._rounds.pop(number, None)
            if one is None:
                continue
            one.is_dropped = True
            if one.task is not None:
                one.task.cancel()
            else:
                self._dropped += 1
        if self._dropped > len(self._heap) // 2:
            self._heap = [each for each in self._heap if not each[2].is_dropped]
            heapq.heapify(self._heap)
            self._dropped = 0
        self._arm()

    def stop(self) -> None:
        """Make no check any more."""
        self.drop(tuple(self._rounds))

    def hold(self) -> None:
        """Begin no check until `go_on`; those that run end."""
        self._is_held = True

    def go_on(self) -> None:
        """Begin those that are due."""
        self._is_held = False
        self._arm()

    def _plan(self, one: _Round, due: float) -> None:
        heapq.heappush(self._heap, (due, one.order.number, one))

    def _arm(self) -> None:
        """Have the timer call when the first check is due, unless its end is waited for anyway."""
        if not self._heap:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            return
        if self._is_held or self._running >= self._slots:
            return
        due = self._heap[0][0]
        if self._timer is not None:
            if self._fires_at <= due:
                return
            self._timer.cancel()
        self._fires_at = due
        self._timer = self._later(max(0.0, due - self._clock()), self._go)

    def _go(self) -> None:
        """Begin what is due."""
        self._timer = None
        now = self._clock()
        begun = 0
        while self._heap and self._heap[0][0] <= now + EARLY_S and begun < BURST:
            if self._is_held or self._running >= self._slots:
                return
            _, _, one = heapq.heappop(self._heap)
            if one.is_dropped:
                self._dropped -= 1
                continue
            begun += 1
            self._running += 1
            one.task = self._group.create_task(self._run(one, now), name=one.name)
            # Behind the task, not in it: one that is cancelled before it begins runs nothing of itself.
            one.task.add_done_callback(self._ended)
        self._arm()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running -= 1
        self._arm()

    async def _run(self, one: _Round, began: float) -> None:
        """Make one check, tell of it, and plan the next one."""
        check = one.order.check
        probed: Probed | None = None
        trouble, pause_s = OWN_FAULT, check.interval_s
        with Turn(f"The check of {one.name}"):
            try:
                probed = await self._probe_twice(one)
                pause_s -= one.spread_s
                one.spread_s, one.troubles, trouble = 0.0, 0, ""
            except CannotCheck as problem:
                trouble = str(problem)
                pause_s = min(check.interval_s, AGAIN_S * 2**one.troubles)
                one.troubles = min(one.troubles + 1, 16)
        ended = self._clock()
        one.task = None
        due = max(ended, began + pause_s)
        self._plan(one, due)
        with Turn(f"What became of the check of {one.name}"):
            self._tell(Outcome(one.order.number, probed, trouble, ended, due))

    async def _probe_twice(self, one: _Round) -> Probed:
        """Make the check, and once more if this router stood still meanwhile. Raises CannotCheck."""
        order = one.order
        probed = await self._probe(order.check, order.address)
        late_s = probed.took_s - order.check.limit_s
        if not probed.verdict.is_good and late_s > STALL_S:
            log.warning(
                "The check of %s took %.1f s: this router stood still. It is repeated.", one.name, probed.took_s
            )
            probed = await self._probe(order.check, order.address)
        return probed
