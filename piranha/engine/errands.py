"""Checks that are made once, in a nanny of their own: it is there while there is something to try, and a while longer.

So what a stranger's server answers is read without privileges here too, and no try takes anything from the checks.
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count

from piranha.config.model import Address
from piranha.engine.kernel_tuning import policy_file
from piranha.engine.policy import read_policy
from piranha.health.check import Check
from piranha.nanny.rounds import Order, Outcome
from piranha.nanny.workers import Workers
from piranha.paths import Paths
from piranha.system.probes import CannotCheck, Probed

IDLE_S = 30.0
"""So long it waits for another try."""
PATIENCE_S = 8.0
"""So long it may take to begin, and to be replaced where it dies."""

Hire = Callable[[Callable[[Outcome], None]], Workers]


def hire_for(paths: Paths) -> Hire:
    """Return what makes the nanny; programs run as policy.toml says there too."""

    def run_as() -> Mapping[str, str]:
        return read_policy(policy_file(paths)).run_as

    return lambda tell: Workers(tell, 1, run_as=run_as)


class Errands:
    """Made inside a TaskGroup that owns the nanny. `hire` makes one that tells what it found."""

    def __init__(
        self, group: asyncio.TaskGroup, hire: Hire, *, idle_s: float = IDLE_S, patience_s: float = PATIENCE_S
    ) -> None:
        self._group = group
        self._hire = hire
        self._idle_s = idle_s
        self._patience_s = patience_s
        self._workers: Workers | None = None
        self._task: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._numbers = count(1)

    async def probe(self, check: Check, address: Address) -> Probed:
        """Make one check. Raises CannotCheck."""
        workers = self._at_work()
        number = next(self._numbers)
        outcome = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            workers.order([Order(number, check, address)])
            async with asyncio.timeout(check.limit_s + self._patience_s):
                came: Outcome = await outcome
        except TimeoutError:
            raise CannotCheck(" ".join(workers.troubles) or "the nanny that makes tries does not answer") from None
        finally:
            del self._waiting[number]
            workers.drop([number])
            self._leave_soon()
        if came.probed is None:
            raise CannotCheck(came.trouble)
        return came.probed

    def stop(self) -> None:
        """Send the nanny away."""
        if self._leaving is not None:
            self._leaving.cancel()
        if self._task is not None:
            self._task.cancel()
        self._workers = self._task = self._leaving = None

    def _at_work(self) -> Workers:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._workers is None:
            self._workers = self._hire(self._hear)
            self._task = self._group.create_task(self._workers.run(), name="nanny for tries")
        return self._workers

    def _leave_soon(self) -> None:
        if not self._waiting and self._task is not None and self._leaving is None:
            self._leaving = asyncio.get_running_loop().call_later(self._idle_s, self.stop)

    def _hear(self, outcome: Outcome) -> None:
        waiting = self._waiting.get(outcome.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)
