"""The traffic of a virtual server in few rows: the samples of some minutes are one row, with their average and highest.

A row belongs to a span of the clock, so it says the same at the next look; only the newest one still grows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from piranha.monitoring import SamplesAnswer, TrafficSample

SPANS_S = (60, 300, 900, 3600)
"""How long a row may be, seconds: parts of the hour, so that rows begin at round times."""
ROWS_WANTED = 12


@dataclass(frozen=True, slots=True)
class Summed:
    """The average and the highest of some numbers."""

    average: float
    most: float


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """The samples behind `since` up to `until`, as `HH:MM` of the router's clock.

    `known` of them say something. A number that none of them knows is None.
    """

    since: str
    until: str
    known: int
    connections: Summed | None
    active: Summed | None
    bytes_in: Summed | None
    bytes_out: Summed | None


def span_s(told: SamplesAnswer) -> int:
    """Return how long a row is, seconds."""
    return next((span for span in SPANS_S if told.kept_s <= span * ROWS_WANTED), SPANS_S[-1])


def rows(told: SamplesAnswer) -> list[TrafficRow]:
    """Return the rows of all samples, the newest first. A span without a sample has none."""
    span = span_s(told)
    spans: dict[int, list[TrafficSample]] = {}
    ends: dict[int, datetime] = {}
    for sample in told.samples:
        at = _moment(sample.at)
        if at is None:
            continue
        # A sample tells of the time before it: that of 10:30:00 belongs to the span that ends then.
        end = -int(-at.timestamp() // span) * span
        spans.setdefault(end, []).append(sample)
        ends[end] = datetime.fromtimestamp(end, at.tzinfo)
    return [_row(spans[end], ends[end], span) for end in sorted(spans, reverse=True)]


def _row(samples: Sequence[TrafficSample], until: datetime, span: int) -> TrafficRow:
    known = [each for each in samples if any(number is not None for number in _numbers(each))]
    return TrafficRow(
        since=(until - timedelta(seconds=span)).strftime("%H:%M"),
        until=until.strftime("%H:%M"),
        known=len(known),
        connections=_summed(known, lambda sample: sample.connections),
        active=_summed(known, lambda sample: sample.active),
        bytes_in=_summed(known, lambda sample: sample.bytes_in),
        bytes_out=_summed(known, lambda sample: sample.bytes_out),
    )


def _numbers(sample: TrafficSample) -> tuple[float | None, ...]:
    return sample.connections, sample.active, sample.bytes_in, sample.bytes_out


def _summed(samples: Sequence[TrafficSample], of: Callable[[TrafficSample], float | None]) -> Summed | None:
    numbers = [number for sample in samples if (number := of(sample)) is not None]
    return Summed(sum(numbers) / len(numbers), max(numbers)) if numbers else None


def _moment(written: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(written)
        at.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return at
