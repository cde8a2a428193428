"""pulse as lvs sees it: what lvs tells it, and what it says this router is.

Rule 1: pulse decides who is active. Until it was heard this router is not.
Rule 2: a pulse that was lost may come back: for a while nothing changes. An active router that has a partner gives its
addresses up before that partner takes them, since nobody else would.
Rule 3: a pulse that hangs is killed then: its partner takes over, and it would go on with the addresses when it wakes.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from piranha.client import short_address
from piranha.engine.role import Standing
from piranha.guard import Turn
from piranha.ha.states import State
from piranha.monitoring import FailoverAnswer
from piranha.pulse.messages import (
    LINE_BYTES_MAX,
    Answer,
    Ask,
    Carried,
    Carry,
    Configure,
    Found,
    FromLvs,
    FromPulse,
    Moved,
    Moving,
    Shown,
    Stand,
    decode_from_pulse,
    encode,
)
from piranha.router_status import RedundancyStatus
from piranha.status import AddressStatus
from piranha.system import unix_socket

log = logging.getLogger("lvs")

ANSWER_S = 3.0
"""How long pulse may take for an answer; it never waits for anything."""
FOUND_S = 1.0
KNOCK_S = 0.05
HUNG_S = 3.0
"""pulse says something every second; it hangs if it did not for so long, or as long as a lost one may be away."""
LOOK_MOST_S = 2.0
"""So much silence is counted between two looks at most: this process may have stood still itself."""
_UNHEARD = Stand(0, 0, False, "pulse was not heard yet, so this router is passive.")


class PulseLink:
    """The connection to pulse. `now` is monotonic seconds.

    `found` says how the balancer does; `turned` is called when this router becomes active or passive; `orphaned` when
    pulse is gone for good and its addresses are to be removed.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], float],
        found: Callable[[], Found],
        turned: Callable[[], None],
        orphaned: Callable[[], None],
        kill: Callable[[socket.socket], None] = unix_socket.kill_listener,
    ) -> None:
        self._path = path
        self._now = now
        self._found = found
        self._turned = turned
        self._orphaned = orphaned
        self._kill = kill
        self._writer: asyncio.StreamWriter | None = None
        self._stand = _UNHEARD
        self._shown: Shown | None = None
        self._number = 0
        self._waiting: dict[int, asyncio.Future[FromPulse | None]] = {}
        self._configured: Configure | None = None
        self._carry: Carry | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self.moving: Callable[[], Awaitable[None]] = _nothing
        self.partner_came: Callable[[], Awaitable[None]] = _nothing
        self._unanswered = 0
        self._lost_at: float | None = None
        self._looked_at = now()
        self._silent_s = 0.0
        self._there = asyncio.Event()

    @property
    def standing(self) -> Standing:
        """Return what pulse says this router is."""
        return Standing(self._stand.is_active, self._stand.reason)

    @property
    def is_lost(self) -> bool:
        """Say whether pulse, which was there, is not there now."""
        return self._lost_at is not None

    @property
    def addresses(self) -> tuple[AddressStatus, ...]:
        """Return how the floating addresses stand."""
        return self._shown.addresses if self._shown is not None else ()

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return what is wrong with pulse and with the addresses as a whole, in sentences."""
        lost = ("pulse is gone: no heartbeats are sent, and nobody would take over from here.",) if self.is_lost else ()
        return (*lost, *(self._shown.troubles if self._shown is not None else ()))

    def redundancy(self) -> RedundancyStatus | None:
        """Return how failover stands, with its age; None while pulse was never heard."""
        if self._shown is None:
            return None
        return replace(self._shown.redundancy, age_s=max(0.0, self._now() - self._shown.at))

    async def there(self, within_s: float) -> None:
        """Wait until pulse is there, for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._there.wait()

    async def configure(self, told: Configure) -> None:
        """Tell what the configuration says about the pair, if that is news; return when pulse has decided."""
        if self._configured is not None and told == msgspec.structs.replace(self._configured, number=told.number):
            return
        self._number += 1
        self._configured = msgspec.structs.replace(told, number=self._number)
        await self._ask(self._configured)

    async def carry(self, carry: Carry, *, waits: bool) -> None:
        """Tell which addresses to carry, if that is news; `waits` until it is done."""
        carry = msgspec.structs.replace(carry, order=self._stand.order)
        if self._carry is not None and carry == msgspec.structs.replace(self._carry, number=carry.number):
            return
        self._number += 1
        self._carry = msgspec.structs.replace(carry, number=self._number)
        if waits:
            await self._ask(self._carry)
        else:
            self._tell(self._carry)

    async def ask(self, command: str) -> FailoverAnswer:
        """Tell what an operator wants; return what came of it."""
        self._number += 1
        answer = await self._ask(Ask(self._number, command))
        if isinstance(answer, Answer):
            return FailoverAnswer(answer.done, answer.sentences)
        return FailoverAnswer(False, ("pulse does not answer, so nothing was done.",))

    async def run(self) -> None:
        """Be connected, and tell how the balancer does, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._keep_telling(), name="found")
            while True:
                with Turn("Hearing pulse"):
                    await self._connection()
                self._give_up_if_due()
                await asyncio.sleep(KNOCK_S)

    async def _keep_telling(self) -> None:
        while True:
            with Turn("Telling pulse how the balancer does"):
                self._tell(self._found())
            self._give_up_if_due()
            self._kill_if_hung()
            await asyncio.sleep(FOUND_S)

    async def _connection(self) -> None:
        try:
            with short_address(self._path) as address:
                reader, writer = await asyncio.open_unix_connection(address, limit=LINE_BYTES_MAX)
        except OSError:
            return
        self._writer, self._silent_s = writer, 0.0
        try:
            # A pulse that is new knows nothing. What to carry is told anew behind a turn: orders have new numbers.
            self._carry = None
            self._unanswered = 0
            if self._configured is not None:
                self._unanswered = self._configured.number
                self._tell(self._configured)
            self._tell(self._found())
            await self._read(reader)
        finally:
            self._writer = None
            if self._lost_at is None:
                self._lost_at = self._now()
            self._there.clear()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result(None)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await reader.readline()
            except (OSError, ValueError):
                return
            if not line:
                return
            self._silent_s = 0.0
            with Turn("What pulse said"):
                try:
                    self._hear(decode_from_pulse(line))
                except msgspec.DecodeError as problem:
                    log.error("pulse said what lvs does not understand: %s", problem)

    def _hear(self, message: FromPulse) -> None:
        match message:
            case Stand():
                self._there.set()
                if message.number < self._unanswered:
                    return  # a pulse that is new does not know yet what it was told: the table stays until it does
                self._unanswered = 0
                is_back, self._lost_at = self._lost_at is not None, None
                before, self._stand = self._stand, message
                self._answer(message.number, message)
                stood, stands = ((each.order, each.is_active, each.reason) for each in (before, message))
                if is_back or stood != stands:
                    self._turned()
            case Carried() | Answer():
                self._answer(message.number, message)
            case Shown():
                before_shown, self._shown = self._shown, message
                if self._stand.is_active and _came(before_shown, message):
                    self._spawn(self.partner_came)
            case Moving():
                self._spawn(partial(self._move, message.number))

    def later(self, after_s: float, what: Callable[[], Awaitable[object] | None]) -> None:
        """Do something after a while, as long as this runs."""

        async def wait_and_do() -> None:
            await asyncio.sleep(after_s)
            done = what()
            if done is not None:
                await done

        self._spawn(wait_and_do)

    async def _move(self, number: int) -> None:
        await self.moving()
        self._tell(Moved(number))

    def _spawn(self, what: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            with Turn("Telling the partner of connections"):
                await what()

        if self._tasks is not None:
            self._tasks.create_task(run(), name="connections")

    def _answer(self, number: int, message: FromPulse) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    async def _ask(self, message: Configure | Carry | Ask) -> FromPulse | None:
        if self._writer is None:
            return None
        waiting: asyncio.Future[FromPulse | None] = asyncio.get_running_loop().create_future()
        self._waiting[message.number] = waiting
        self._tell(message)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await waiting
        except TimeoutError:
            log.error("pulse did not answer within %g s.", ANSWER_S)
            return None
        finally:
            self._waiting.pop(message.number, None)

    def _tell(self, message: FromLvs) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(message) + b"\n")

    def _give_up_if_due(self) -> None:
        if self._lost_at is not None and self._now() - self._lost_at > self._patience_s():
            self._give_up("pulse did not come back")

    def _kill_if_hung(self) -> None:
        passed_s = min(self._now() - self._looked_at, LOOK_MOST_S)
        self._looked_at = self._now()
        self._silent_s += passed_s
        if self._writer is not None and self._silent_s > max(self._patience_s(), HUNG_S):
            self._kill(self._writer.get_extra_info("socket"))
            self._give_up(f"pulse said nothing for {self._silent_s:.0f} s and is killed")

    def _patience_s(self) -> float:
        """Return how long this router may keep its addresses without pulse, seconds."""
        told = self._configured
        if not self._stand.is_active or told is None or told.is_alone:
            return float("inf")
        # The last heartbeat may have gone keepalive before; a quarter of it is for removing them.
        return max(told.deadtime_s - 1.25 * told.keepalive_s, told.keepalive_s / 2)

    def _give_up(self, why: str) -> None:
        log.error("%s: the floating addresses go, so that the partner can take them.", why)
        self._stand = Stand(0, self._stand.order, False, "pulse is gone, so this router is passive.")
        self._orphaned()
        self._turned()


async def _nothing() -> None:
    """Do nothing: nobody cares."""


def _came(before: Shown | None, now: Shown) -> bool:
    """Say whether the partner is passive now, and was not before."""
    states = [
        each.redundancy.partner.state if each is not None and each.redundancy.partner is not None else ""
        for each in (before, now)
    ]
    return states[1] == State.PASSIVE and states[0] != State.PASSIVE
