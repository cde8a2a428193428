"""How many connections ended a short while ago: the embedded data path's TIME_WAIT.

IPVS keeps an ended connection as an inactive one for two minutes, and lc and wlc count it. Without that,
short connections that never overlap would all go to the first real server, since each finds the farm idle.
"""

from collections import deque


class RecentlyEnded:
    """A count of events of the last `window_s` seconds, in bounded memory. `now` is monotonic seconds.

    Events are kept by whole seconds, so one is forgotten up to a second early.
    """

    __slots__ = ("_seconds", "_window_s", "count")

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seconds: deque[list[int]] = deque()
        self.count = 0

    def add(self, now: float) -> None:
        """Count one that ended now."""
        if self._window_s <= 0:
            return
        second = int(now)
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1][1] += 1
        else:
            self._seconds.append([second, 1])
        self.count += 1

    def forget(self, now: float) -> None:
        """Stop counting those that ended longer ago than the window."""
        seconds = self._seconds
        while seconds and now - seconds[0][0] >= self._window_s:
            self.count -= seconds.popleft()[1]
