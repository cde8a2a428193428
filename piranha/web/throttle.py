"""How long an address must wait: after failed log-ins, longer each time, never for good; and after too many requests.

Both are kept per client address, so that nobody who guesses elsewhere locks the only account out. The answer is 429
with Retry-After instead of a thread that sleeps.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from piranha.web.client_address import group_of

DELAY_FIRST_S = 1.0
DELAY_MAX_S = 30.0
FORGOTTEN_AFTER_S = 15 * 60.0
ADDRESSES_MAX = 10_000

REQUESTS_PER_S = 30.0
REQUESTS_AT_ONCE = 300
"""A page with all that it shows is ten requests, and one that refreshes itself asks every ten seconds."""


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    last: float


class Throttle:
    """The failed log-ins of every address. `now` is in seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, client: str | None, now: float) -> float:
        """Return how many seconds this address must wait before its next try; 0 if it may try now."""
        with self._lock:
            failures = self._failures.get(group_of(client))
        if failures is None or now - failures.last > FORGOTTEN_AFTER_S:
            return 0.0
        return max(0.0, failures.last + delay_s(failures.count) - now)

    def failed(self, client: str | None, now: float) -> None:
        """Note a failed log-in."""
        group = group_of(client)
        with self._lock:
            failures = self._failures.pop(group, None)
            is_old = failures is None or now - failures.last > FORGOTTEN_AFTER_S
            self._failures[group] = _Failures(1 if is_old or failures is None else failures.count + 1, now)
            while len(self._failures) > ADDRESSES_MAX:
                self._failures.popitem(last=False)

    def succeeded(self, client: str | None) -> None:
        """Forget the failures of this address."""
        with self._lock:
            self._failures.pop(group_of(client), None)


def delay_s(failures: int) -> float:
    """Return the delay after so many failures in a row: 1, 2, 4, 8, 16, then 30 seconds."""
    return min(DELAY_FIRST_S * 2.0 ** min(failures - 1, 16), DELAY_MAX_S) if failures else 0.0


class RequestRate:
    """How many requests an address may make: `at_once` together, `per_s` a second for long.

    A bucket of tokens for each address. `now` is in seconds of a clock that never goes back.
    """

    def __init__(self, per_s: float = REQUESTS_PER_S, at_once: float = REQUESTS_AT_ONCE) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str | None, now: float) -> float:
        """Count one request; return 0 if it may go on, else how many seconds its address should wait."""
        group = group_of(client)
        with self._lock:
            tokens, at = self._buckets.pop(group, (self._at_once, now))
            tokens = min(self._at_once, tokens + (now - at) * self._per_s)
            may_go_on = tokens >= 1.0
            self._buckets[group] = (tokens - 1.0 if may_go_on else tokens, now)
            while len(self._buckets) > ADDRESSES_MAX:
                self._buckets.popitem(last=False)
        return 0.0 if may_go_on else (1.0 - tokens) / self._per_s
