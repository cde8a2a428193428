"""Events that come again and again about one thing are held back and told together; the last one is never lost.

Rule 1: BURST transitions of a thing within WINDOW_S are told at once. The next one is held, and so are those behind it,
        until the thing was quiet for QUIET_S, but no longer than LONGEST_S.
Rule 2: what is told then is the last of them, with the number of all and the time of the first.
Rule 3: what a person did is never held (the caller's part: it is not offered).

Times are monotonic seconds; nothing here waits.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

BURST = 6
WINDOW_S = 120.0
QUIET_S = 30.0
LONGEST_S = 600.0
THINGS_MAX = 10_000
"""So many things are remembered; the first one known is forgotten for the next."""

What = TypeVar("What")


@dataclass(frozen=True, slots=True)
class Held(Generic[What]):
    """The last of some that were held: how many they are, and the first of them."""

    last: What
    first: What
    count: int


@dataclass(slots=True)
class _Thing(Generic[What]):
    told_at: deque[float] = field(default_factory=lambda: deque(maxlen=BURST))
    held: Held[What] | None = None
    held_since: float = 0.0
    heard_at: float = 0.0


class Flapping(Generic[What]):
    """Remembers what was told and what is held, by thing."""

    def __init__(self) -> None:
        self._things: dict[object, _Thing[What]] = {}

    def offer(self, thing: object, what: What, now: float) -> Iterator[Held[What]]:
        """Yield what is to be told now that this came: at once, or nothing."""
        known = self._things.get(thing)
        if known is None:
            if len(self._things) >= THINGS_MAX:
                yield from self._forget()
            known = self._things[thing] = _Thing()
        known.heard_at = now
        if known.held is not None:
            known.held = Held(what, known.held.first, known.held.count + 1)
        elif len(known.told_at) == BURST and now - known.told_at[0] < WINDOW_S:
            known.held, known.held_since = Held(what, what, 1), now
        else:
            known.told_at.append(now)
            yield Held(what, what, 1)

    def due(self, now: float) -> Iterator[Held[What]]:
        """Yield what was held long enough."""
        for known in self._things.values():
            if known.held is None:
                continue
            is_quiet = now - known.heard_at >= QUIET_S
            if is_quiet or now - known.held_since >= LONGEST_S:
                yield known.held
                known.held = None
                # What goes on flapping is held again at once.
                known.told_at.extend([now] if is_quiet else [now] * BURST)

    def all(self) -> Iterator[Held[What]]:
        """Yield everything that is held: the engine ends."""
        for known in self._things.values():
            if known.held is not None:
                yield known.held
                known.held = None

    def _forget(self) -> Iterator[Held[What]]:
        gone = self._things.pop(next(iter(self._things)))
        if gone.held is not None:
            yield gone.held
