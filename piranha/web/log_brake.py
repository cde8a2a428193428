"""A brake for lines of the log that anybody can cause: the first one is written, its like seldom."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

EVERY_S = 60.0
KEYS_MAX = 1000
LINES_MAX = 100
"""Lines within EVERY_S, whatever they say: a thousand addresses that ask once each fill a disk too."""


@dataclass(slots=True)
class _Written:
    at: float
    held: int = 0


class Brake:
    """Says which lines are written. `now` is in seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: OrderedDict[str, _Written] = OrderedDict()
        self._began = float("-inf")
        self._lines = 0
        self._held = 0

    def held_back(self, key: str, now: float) -> int | None:
        """Return None if this line is to be held back, else how many like it were since the last one."""
        with self._lock:
            last = self._written.get(key)
            if last is not None and now - last.at < EVERY_S:
                last.held += 1
                return None
            if now - self._began >= EVERY_S:
                self._began, self._lines = now, 0
            if self._lines >= LINES_MAX:
                self._held += 1
                return None
            self._lines += 1
            held = self._held + (last.held if last is not None else 0)
            self._held = 0
            self._written[key] = _Written(now)
            self._written.move_to_end(key)
            while len(self._written) > KEYS_MAX:
                self._written.popitem(last=False)
            return held
