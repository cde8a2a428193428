"""When a program that ended is started again. Pure: the time is an argument.

The first restart is immediate. A program that ends again before it ran steadily waits longer each time, up to
a bound, so that a broken one neither spins nor is given up.
"""

from dataclasses import dataclass

STEADY_S = 10.0
"""A program that ran this long counts as having run well."""
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 5.0


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often in a row a program ended without running steadily."""

    in_row: int = 0


def after_end(restarts: Restarts, started_at: float, now: float) -> tuple[Restarts, float]:
    """Return the next count and how many seconds to wait before the restart. Times are monotonic seconds."""
    in_row = 1 if now - started_at >= STEADY_S else restarts.in_row + 1
    doublings = min(in_row - 2, 10)
    delay_s = 0.0 if in_row == 1 else min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0**doublings)
    return Restarts(in_row), delay_s
