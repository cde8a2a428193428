"""What does not count: counted by its reason, and said for the log, seldom enough that no flood fills it. Pure.

Where the original has a line for it, the sentence begins with those words (engine.md 1.18). `now` is monotonic seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import TypeAlias

from piranha.ha.datagram import Rejected
from piranha.ha.machine import Tell

Source: TypeAlias = IPv4Address | IPv6Address

SAID_EVERY_S = 60.0
"""Between two lines of one reason and source."""
SOURCES_MOST = 8
"""Sources within SAID_EVERY_S that have lines of their own for one reason; the others share one."""

_BAD = "bad heartbeat packet from IP {source}: {why}"
_INCOMPATIBLE = "Incompatible heartbeat received -- other system not using identical services: from IP {source}, {why}"
_OTHER = "heartbeat from IP {source}: {why}"
_SENTENCES: Mapping[Rejected, str] = MappingProxyType(
    {
        Rejected.TOO_SHORT: _BAD,
        Rejected.TOO_LONG: _BAD,
        Rejected.UNKNOWN_WORD: _INCOMPATIBLE,
        Rejected.OTHER_SERVICE: _INCOMPATIBLE,
        Rejected.SOURCE: "Unexpected heartbeat from IP {source}",
    }
)
_NORMAL = frozenset({Rejected.ECHO, Rejected.OLD})
"""Without a line: they come after each start, and from a network that doubles or reorders."""


@dataclass(slots=True)
class _Line:
    """When it was said last, and how often it happened since."""

    said_at: float
    more: int = 0


class Uncounted:
    """What did not count. Its size does not grow, however many sources there are."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Rejected, 0)
        self._lines: dict[Rejected, dict[Source | None, _Line]] = {}

    @property
    def counts(self) -> Mapping[Rejected, int]:
        """Return how many there were of each reason."""
        return MappingProxyType(self._counts)

    def note(self, why: Rejected, source: Source, now: float) -> tuple[Tell, ...]:
        """Take note of one more, and return what is to be said of it; nothing while it was said lately."""
        self._counts[why] += 1
        if why in _NORMAL:
            return ()
        lines = self._lines.setdefault(why, {})
        about = source if source in lines or _has_room(lines, now) else None
        before = lines.get(about)
        if before is not None and now - before.said_at < SAID_EVERY_S:
            before.more += 1
            return ()
        lines[about] = _Line(now)
        sentence = _SENTENCES.get(why, _OTHER).format(source=source, why=why)
        others = "" if about is not None else ", one of many"
        more = f" ({before.more} more since this was said last)" if before is not None and before.more else ""
        return (Tell(f"{sentence}{others}{more}", is_shown=False),)


def _has_room(lines: dict[Source | None, _Line], now: float) -> bool:
    """Say whether one more source can have a line of its own; one whose last line is old makes room for it."""
    named = [source for source in lines if source is not None]
    if len(named) < SOURCES_MOST:
        return True
    oldest = min(named, key=lambda source: lines[source].said_at)
    if now - lines[oldest].said_at < SAID_EVERY_S:
        return False
    del lines[oldest]
    return True
