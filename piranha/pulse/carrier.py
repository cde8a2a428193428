"""Brings the floating addresses to what failover ordered last: taken with what lvs wants carried, or dropped.

Rule 1: addresses come behind the table: an order to take them is done when lvs says that the table for it is there.
Rule 2: the last order holds. One that was taken back meanwhile is never done, nor reported.
Rule 3: addresses are down when none is there: what could not be removed is tried again, and not reported before.
"""

import asyncio
from collections.abc import Awaitable, Callable

from piranha.guard import Turn
from piranha.pulse.floating import Floating
from piranha.pulse.messages import Carry, addresses_of, refused_of, wanted_of

NOTHING = Carry(0, 0)
TRY_AGAIN_S = 0.5


class Carrier:
    """Carries out orders about the addresses. `down` is told which drop was done, and whether there were any."""

    def __init__(
        self,
        floating: Floating,
        down: Callable[[int, bool], None],
        carried: Callable[[int], None],
        moving: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`carried` is told the number of every `Carry` that was followed, or is not to be. `moving` is awaited
        between the addresses' going and the report of it."""
        self._moving = moving
        self._floating = floating
        self._down = down
        self._carried = carried
        self._woken = asyncio.Event()
        self._order = 0
        self._takes = False
        self._drops = False
        self._had_any = False
        self._is_new = False
        self._latest = NOTHING
        self._numbers: list[int] = []

    def take(self, order: int) -> None:
        """Have the addresses, as soon as their table is there."""
        self._order, self._takes, self._drops, self._is_new = order, True, False, True
        self._woken.set()

    def drop(self, order: int) -> None:
        """Have none, and report it."""
        self._order, self._takes, self._drops = order, False, True
        self._had_any = self._had_any or self._floating.has_any
        # At once, and not behind a question for second owners that is under way.
        self._floating.want_none()
        self._woken.set()

    def carry(self, wanted: Carry) -> None:
        """Take note of what lvs wants carried, whose table is there."""
        self._latest = wanted
        self._numbers.append(wanted.number)
        self._woken.set()

    async def run(self) -> None:
        """Do what is ordered, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(TRY_AGAIN_S if self._drops else None):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            with Turn("A change of the floating addresses"):
                await self.turn()

    async def turn(self) -> None:
        """Do what is ordered now."""
        order, latest = self._order, self._latest
        numbers, self._numbers = self._numbers, []
        if self._drops:
            await self._floating.follow((), asks_first=False)
            if self._moving is not None and self._had_any and not self._floating.has_any:
                await self._moving()
            if self._drops and order == self._order and not self._floating.has_any:
                had_any, self._drops, self._had_any = self._had_any, False, False
                self._down(order, had_any)
        elif self._takes and latest.order == order:
            await self._floating.follow(
                wanted_of(latest.wanted),
                refused_of(latest.unusable),
                addresses_of(latest.draining),
                asks_first=not self._is_new,
            )
            if self._order == order:
                self._is_new = False
        for number in numbers:
            self._carried(number)
