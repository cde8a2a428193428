"""What slow start and the load make of a real server's configured weight while it is up.

Slow start: a server that comes to a pool at work begins with W/32 of its weight W, at least 1, doubled every 20
seconds, as the original did; else least-connection schedulers would send it every new connection at once. The
original did that at every admission, after a failover too; here only where others of the virtual server carry on
meanwhile: where all come at the same time nobody is to be spared.
The load changes the weight of servers that are through with that (`load.by_load`). A load that was not heard again for
STALE_S is unknown, and the weight is the configured one.

`now` is monotonic seconds.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count

from piranha.health.load import Formula, Unread, by_load

STEP_S = 20.0
"""Between two steps of slow start; and how long others must have been up to count as a pool at work."""
STALE_S = 90.0
"""So long the last load that was heard counts."""
_ROUNDING_S = 1e-6
"""A step that is due is taken, even if the sum of two times is a little less than it should be."""


class SlowStart(StrEnum):
    """Where there is a slow start (`slow_start` in piranha.toml).

    QUIESCE: in virtual servers with `quiesce_server = 1`, as the manual promises. ORIGINAL: at every admission,
    whoever else is up.
    """

    OFF = "off"
    QUIESCE = "quiesce"
    ON = "on"
    ORIGINAL = "original"


class Coming(StrEnum):
    """How a server comes up.

    FIRST: with the first check since its virtual server runs. JOINS: with its first check too, but its virtual server
    ran before. RETURNS: it was down. ADOPTED: a former engine had it in the table; it was never away.
    """

    FIRST = "first"
    JOINS = "joins"
    RETURNS = "returns"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Tuned:
    """A real server's weight while it is up and nobody set one by hand.

    `weight` is the one in force, `by_load` the one that holds when slow start is over, both for the `configured` one.
    `load`: the one-minute average that was heard at `heard_at`, None: not known; `problem`: why the last question was
    not answered. `begins_at`: when slow start began, None: there is none.
    """

    configured: int
    weight: int
    by_load: int
    load: float | None = None
    heard_at: float | None = None
    problem: str = ""
    begins_at: float | None = None

    @property
    def is_starting(self) -> bool:
        """Say whether slow start holds the weight down."""
        return self.begins_at is not None


def untuned(configured: int) -> Tuned:
    """Return the weight of a server of which nothing is known."""
    return Tuned(configured, configured, configured)


def starts_slowly(policy: SlowStart, quiesces: bool, coming: Coming, pool: Collection[float], now: float) -> bool:
    """Say whether a server that comes up now starts slowly.

    `quiesces`: of its virtual server. `pool`: since when the others that are up are so.
    """
    if coming is Coming.ADOPTED or policy is SlowStart.OFF:
        return False
    if policy is SlowStart.ORIGINAL:
        return True
    if coming is Coming.FIRST or (policy is SlowStart.QUIESCE and not quiesces):
        return False
    return any(now - since >= STEP_S for since in pool)


def initial(configured: int) -> int:
    """Return the weight that slow start begins with (engine.md 4.2)."""
    return max(1, configured >> 5) if configured > 0 else configured


def ramp(configured: int, age_s: float) -> int:
    """Return the weight that slow start allows so long after its begin (engine.md 4.6)."""
    steps = min(int((max(0.0, age_s) + _ROUNDING_S) // STEP_S), 16)  # the greatest weight needs fewer
    return min(configured, initial(configured) << steps)


def up(configured: int, before: Tuned | None, now: float, *, slowly: bool) -> Tuned:
    """Return the weight of a server that comes up now; its load is what was known `before`, and counts anew."""
    known = before if before is not None else untuned(configured)
    begins_at = now if slowly else None
    return tick(replace(known, configured=configured, by_load=configured, weight=configured, begins_at=begins_at), now)


def configured_as(tuned: Tuned, configured: int, now: float) -> Tuned:
    """Return the weight for another configured one: slow start goes on, the load is reckoned anew when it is heard."""
    if configured == tuned.configured:
        return tuned
    return tick(replace(tuned, configured=configured, by_load=configured, weight=configured), now)


def heard(tuned: Tuned, answer: float | Unread, formula: Formula, usual: float, now: float) -> Tuned:
    """Return the weight after an answer about the load; `usual` is the load of the pool (`load.usual`)."""
    if isinstance(answer, Unread):
        return tick(replace(tuned, problem=answer.reason), now)
    told = tick(replace(tuned, load=answer, heard_at=now, problem=""), now)
    if told.is_starting:
        return told
    weight = by_load(formula, told.configured, told.by_load, answer, usual)
    return replace(told, by_load=weight, weight=weight)


def unasked(tuned: Tuned, now: float) -> Tuned:
    """Return the weight of a server whose load nobody wants to know any more."""
    if tuned.load is None and not tuned.problem:
        return tuned
    return tick(replace(tuned, load=None, heard_at=None, problem="", by_load=tuned.configured), now)


def due(tuned: Tuned) -> float:
    """Return when `tick` may change it next, infinity if never."""
    stale = math.inf if tuned.heard_at is None else tuned.heard_at + STALE_S
    if tuned.begins_at is None:
        return stale
    steps = next(step for step in count(1) if ramp(tuned.configured, step * STEP_S) > tuned.weight)
    return min(stale, tuned.begins_at + steps * STEP_S)


def ends_at(tuned: Tuned) -> float | None:
    """Return when slow start is over, None if there is none."""
    if tuned.begins_at is None:
        return None
    steps = next(step for step in count(1) if ramp(tuned.configured, step * STEP_S) == tuned.configured)
    return tuned.begins_at + steps * STEP_S


def tick(tuned: Tuned, now: float) -> Tuned:
    """Return the weight at another time: a step of slow start is due, or the load was not heard for too long."""
    if tuned.heard_at is not None and now >= tuned.heard_at + STALE_S:
        tuned = replace(tuned, load=None, heard_at=None, by_load=tuned.configured)
    if tuned.begins_at is None:
        return tuned if tuned.weight == tuned.by_load else replace(tuned, weight=tuned.by_load)
    allowed = ramp(tuned.configured, now - tuned.begins_at)
    if allowed >= tuned.configured:
        return replace(tuned, begins_at=None, weight=tuned.by_load)
    return tuned if allowed == tuned.weight else replace(tuned, weight=allowed)
