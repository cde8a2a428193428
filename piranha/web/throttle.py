"""How long an address must wait after failed log-ins: longer each time, never for good.

The delay is kept per client address, so that nobody who guesses elsewhere locks the only account out. The page answers
429 with Retry-After instead of keeping a thread asleep.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network

from piranha.web.access import address_of, same_host

DELAY_FIRST_S = 1.0
DELAY_MAX_S = 30.0
FORGOTTEN_AFTER_S = 15 * 60.0
ADDRESSES_MAX = 10_000


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
            failures = self._failures.get(_group(client))
        if failures is None or now - failures.last > FORGOTTEN_AFTER_S:
            return 0.0
        return max(0.0, failures.last + delay_s(failures.count) - now)

    def failed(self, client: str | None, now: float) -> None:
        """Note a failed log-in."""
        group = _group(client)
        with self._lock:
            failures = self._failures.pop(group, None)
            is_old = failures is None or now - failures.last > FORGOTTEN_AFTER_S
            self._failures[group] = _Failures(1 if is_old or failures is None else failures.count + 1, now)
            while len(self._failures) > ADDRESSES_MAX:
                self._failures.popitem(last=False)

    def succeeded(self, client: str | None) -> None:
        """Forget the failures of this address."""
        with self._lock:
            self._failures.pop(_group(client), None)


def delay_s(failures: int) -> float:
    """Return the delay after so many failures in a row: 1, 2, 4, 8, 16, then 30 seconds."""
    return min(DELAY_FIRST_S * 2.0 ** min(failures - 1, 16), DELAY_MAX_S) if failures else 0.0


def _group(client: str | None) -> str:
    # Whoever has one IPv6 address has 2^64 of them.
    address = address_of(client)
    if address is None:
        return client or ""
    address = same_host(address)[0]
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), 64), strict=False))
    return str(address)
