"""Time that passes only when a test says so, for what is called by timers of the loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


async def settle() -> None:
    """Let everything run that can run."""
    loop = asyncio.get_running_loop()
    for _ in range(25):
        turn: asyncio.Future[None] = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


@dataclass(eq=False)
class Alarm:
    """One timer of Time."""

    at: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Time:
    """Monotonic seconds that pass only when the test says so."""

    now: float = 0.0
    _waiting: list[Alarm] = field(default_factory=list)

    def later(self, seconds: float, call: Callable[[], None]) -> Alarm:
        alarm = Alarm(self.now + seconds, call)
        self._waiting.append(alarm)
        return alarm

    async def pause(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self.later(seconds, lambda: woken.set_result(None))
        try:
            await woken
        finally:
            alarm.cancel()

    async def pass_until(self, then: float) -> None:
        await settle()
        while due := [alarm for alarm in self._waiting if alarm.at <= then]:
            first = min(due, key=lambda alarm: alarm.at)
            self._waiting.remove(first)
            if not first.is_cancelled:
                self.now = max(self.now, first.at)
                first.call()
                await settle()
        self.now = then
