"""What was heard on a channel, and how well it works. Pure: `now` is an argument, seconds, monotonic."""

from dataclasses import dataclass, replace
from enum import StrEnum

SPAN = 64
"""Heartbeats that the loss is reckoned over."""
_TIMES = 16
"""Heartbeats of an original partner, which does not count them, that are remembered by their time."""


class ChannelName(StrEnum):
    """The networks that heartbeats go through."""

    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel.

    `heard_at`: when the last valid heartbeat came, None before the first one. `heard`: how many came in all. `last`:
    the highest sequence of the partner's boot. `bits`: bit n says that sequence last - n came; `span`: how many bits
    count. `times`: when the last ones of an original partner came.
    """

    heard_at: float | None = None
    heard: int = 0
    last: int = 0
    bits: int = 0
    span: int = 0
    times: tuple[float, ...] = ()

    def age_s(self, now: float) -> float | None:
        """Return how long nothing was heard, None if nothing ever was."""
        return None if self.heard_at is None else max(0.0, now - self.heard_at)

    def works(self, now: float, deadtime_s: float) -> bool:
        """Say whether the partner was heard within deadtime."""
        return self.heard_at is not None and now - self.heard_at < deadtime_s

    def loss(self, now: float, keepalive_s: float) -> float | None:
        """Return the share of heartbeats that did not come, 0 to 1; None while too little is known.

        From the sequences of a new partner; for an original one, `keepalive_s` says how many were to be expected.
        """
        if self.span > 1:
            return 1 - self.bits.bit_count() / self.span
        if len(self.times) > 1:
            expected = (now - self.times[0]) / keepalive_s
            return max(0.0, 1 - len(self.times) / expected) if expected >= 1 else 0.0
        return None


def of_new_boot(channel: Channel) -> Channel:
    """Return a channel whose partner restarted: its sequences begin anew."""
    return replace(channel, bits=0, span=0, last=0)


def counted(channel: Channel, sequence: int, now: float) -> Channel:
    """Return a channel after a heartbeat of a new partner; `sequence` is higher than all before it."""
    heard = channel.heard + 1
    if not channel.span:
        return replace(channel, heard_at=now, heard=heard, last=sequence, bits=1, span=1, times=())
    ahead = sequence - channel.last
    span = min(SPAN, channel.span + ahead)
    bits = (channel.bits << min(ahead, SPAN) | 1) & (1 << span) - 1
    return replace(channel, heard_at=now, heard=heard, last=sequence, bits=bits, span=span)


def counted_bare(channel: Channel, now: float) -> Channel:
    """Return a channel after a heartbeat of an original partner."""
    times = (*channel.times[1 - _TIMES :], now)
    return replace(channel, heard_at=now, heard=channel.heard + 1, bits=0, span=0, last=0, times=times)
