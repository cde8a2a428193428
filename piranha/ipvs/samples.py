"""The traffic of the last hour, virtual server by virtual server: counters become rates, kept in a ring of fixed size.

Rule 1: counters count since something; a rate is the difference of two readings over the time between them. A counter
that is smaller than before began anew, and counts from 0.
Rule 2: what was not read is a gap, never a zero: before the first reading, while a virtual server is not in the table,
when readings are too far apart (the router stood still).
Rule 3: memory does not grow: KEPT samples of 4 numbers for each virtual server, and the times once for all of them.
"""

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from piranha.ipvs.table import Place, Reading, TableKey

SAMPLE_S = 15.0
KEPT = 240
"""Samples of a virtual server: one hour of them."""
TOO_FAR = 2.0
"""Readings that are so many times SAMPLE_S apart have a gap between them."""
ABSENT_MAX = 1000
"""So many virtual servers that left the table are remembered until the hour is over."""
GONE_MAX = 64
"""About so many real servers that left a virtual server are remembered with their counters."""
_FIELDS = 4
_NOTHING = array("f", [math.nan]) * (_FIELDS * KEPT)


class Totals(NamedTuple):
    """What was counted for a virtual server since some moment: connections, and bytes from and to clients."""

    connections: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """A virtual server in one reading: how many connections it has now, and counters that only grow.

    `parts` are counters by what they belong to: they begin and end each for itself.
    """

    active: int
    parts: Mapping[object, Totals]


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment of a virtual server. `at` is monotonic seconds; None: not known.

    The rates are for each second, on average since the sample before; `active` is the number of connections then.
    """

    at: float
    connections: float | None
    bytes_in: float | None
    bytes_out: float | None
    active: int | None


class _Series:
    """One virtual server's ring; `absent` counts the samples since it was in the table last."""

    __slots__ = ("absent", "before", "numbers")

    def __init__(self) -> None:
        self.numbers = array("f", _NOTHING)
        self.before: Mapping[object, Totals] | None = None
        self.absent = 0

    def put(self, slot: int, connections: float, bytes_in: float, bytes_out: float, active: float) -> None:
        self.numbers[slot * _FIELDS : (slot + 1) * _FIELDS] = array("f", (connections, bytes_in, bytes_out, active))


class Samples:
    """The samples of all virtual servers, by their place in the table."""

    def __init__(self) -> None:
        self._times = array("d", [math.nan]) * KEPT
        self._taken = 0
        self._series: dict[TableKey, _Series] = {}

    @property
    def size_bytes(self) -> int:
        """Return how much memory the numbers take, in bytes, without what is counted for the next difference."""
        each = sum(series.numbers.itemsize * len(series.numbers) for series in self._series.values())
        return each + self._times.itemsize * len(self._times)

    def __len__(self) -> int:
        return len(self._series)

    def take(self, now: float, counted: Mapping[TableKey, Counted] | None) -> None:
        """Take a reading. `now` is monotonic seconds and never goes back; `counted` None: nothing could be read."""
        present = counted if counted is not None else {}
        for key in present:
            if key not in self._series:
                self._series[key] = _Series()
        slot = self._taken % KEPT
        before = self._times[(self._taken - 1) % KEPT] if self._taken else math.nan
        passed = now - before
        is_near = 0.0 < passed <= TOO_FAR * SAMPLE_S  # False for the first one, whose `before` is no number
        self._times[slot] = now
        self._taken += 1
        for key, series in self._series.items():
            here = present.get(key)
            if here is None:
                series.put(slot, math.nan, math.nan, math.nan, math.nan)
                series.before = None
                series.absent += 1
                continue
            series.absent = 0
            if series.before is None or not is_near:
                series.put(slot, math.nan, math.nan, math.nan, here.active)
            else:
                connections, bytes_in, bytes_out = _growth(series.before, here.parts)
                series.put(slot, connections / passed, bytes_in / passed, bytes_out / passed, here.active)
            series.before = _remembered(series.before, here.parts)
        self._forget()

    def of(self, key: TableKey) -> Iterator[Sample]:
        """Yield the samples of a virtual server, the oldest first; none for one that never was in the table."""
        series = self._series.get(key)
        if series is None:
            return
        for number in range(max(0, self._taken - KEPT), self._taken):
            slot = number % KEPT
            connections, bytes_in, bytes_out, active = series.numbers[slot * _FIELDS : (slot + 1) * _FIELDS]
            yield Sample(
                self._times[slot],
                _known(connections),
                _known(bytes_in),
                _known(bytes_out),
                None if math.isnan(active) else int(active),
            )

    def _forget(self) -> None:
        """Forget who was not there for an hour, and of the absent ones those that are gone for the longest time."""
        gone = [key for key, series in self._series.items() if series.absent >= KEPT]
        absent = [(series.absent, key) for key, series in self._series.items() if 0 < series.absent < KEPT]
        if len(absent) > ABSENT_MAX:
            absent.sort(key=lambda pair: pair[0])
            gone += [key for _, key in absent[ABSENT_MAX:]]
        for key in gone:
            del self._series[key]


def counted_of(
    reading: Reading, keys: Mapping[str, TableKey], totals: Mapping[TableKey, Totals] | None = None
) -> dict[TableKey, Counted]:
    """Return what a reading counted for these virtual servers, but for those that are not in its table.

    `totals`: counters of the virtual servers as a whole, where the data path has them; else those of the real servers
    are taken, each for itself.
    """
    found: dict[TableKey, Counted] = {}
    for key in keys.values():
        entry = reading.table.get(key)
        if entry is None:
            continue
        active = 0
        parts: dict[object, Totals] = {}
        for each in entry.destinations:
            place: Place = (key, each)
            counters = reading.counters.get(place)
            if counters is None:
                continue
            active += counters.active_connections
            if totals is None:
                parts[each] = Totals(counters.connections, counters.bytes_in, counters.bytes_out)
        if totals is not None:
            parts[key] = totals.get(key, Totals())
        found[key] = Counted(active, parts)
    return found


def _growth(before: Mapping[object, Totals], now: Mapping[object, Totals]) -> tuple[int, int, int]:
    """Return by how much the counters grew. A part that is new began within this time."""
    connections = bytes_in = bytes_out = 0
    for part, counters in now.items():
        was = before.get(part, Totals())
        if any(new < old for new, old in zip(counters, was, strict=True)):
            was = Totals()
        connections += counters.connections - was.connections
        bytes_in += counters.bytes_in - was.bytes_in
        bytes_out += counters.bytes_out - was.bytes_out
    return connections, bytes_in, bytes_out


def _remembered(before: Mapping[object, Totals] | None, now: Mapping[object, Totals]) -> Mapping[object, Totals]:
    """Return what the next reading is compared with.

    A real server that left the table may come back with its counters, as its connections went on meanwhile.
    """
    if not before or before.keys() <= now.keys() or len(before) > 4 * len(now) + GONE_MAX:
        return now
    return {**before, **now}


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
