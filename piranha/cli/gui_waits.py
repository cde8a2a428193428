"""Which clients keep a thread of the GUI waiting, how long they may, and who has to go when there are too many.

Threads are few. A thread waits for a client while its request arrives, while it takes its answer and until it closes.
Nobody may do that for long; and when many do, the address that does it most often loses its oldest connection, so
that one address cannot keep the others out.
"""

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

Connection = TypeVar("Connection")


@dataclass(frozen=True, slots=True)
class _Wait(Generic[Connection]):
    connection: Connection
    client: str
    until: float


class Waits(Generic[Connection]):
    """The connections that are waited for, oldest first. Times are seconds of a clock that never goes back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waits: dict[int, _Wait[Connection]] = {}

    def begin(self, connection: Connection, client: str, until: float) -> Connection | None:
        """Note that a thread waits for a client until then; return the connection to cut in favour of it, if any."""
        with self._lock:
            self._waits.pop(id(connection), None)
            self._waits[id(connection)] = _Wait(connection, client, until)
            if len(self._waits) <= self._most:
                return None
            counts = Counter(wait.client for wait in self._waits.values())
            largest = max(counts.values())
            key = next(key for key, wait in self._waits.items() if counts[wait.client] == largest)
            return self._waits.pop(key).connection

    def end(self, connection: Connection) -> None:
        """Note that the client did its part, or that it is gone."""
        with self._lock:
            self._waits.pop(id(connection), None)

    def overdue(self, now: float) -> list[Connection]:
        """Return the connections that are to be cut because their time is up; they are told once."""
        with self._lock:
            late = {key: wait for key, wait in self._waits.items() if wait.until <= now}
            for key in late:
                del self._waits[key]
        return [wait.connection for wait in late.values()]
