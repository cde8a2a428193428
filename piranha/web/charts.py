"""The traffic of a virtual server as curves: where in a picture each sample stands, and what the axes say.

A gap in the samples is a gap in the curve. Nothing is drawn that was not told.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from piranha.monitoring import SamplesAnswer, TrafficSample

NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
LARGE_WIDTH, LARGE_HEIGHT = 800, 470
NARROW_WIDTH = 340
"""As wide as a page on a telephone has room for, pixels."""
TIME_LINES = 4
"""An hour is divided into so many parts by lines."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: `pieces` are the points of a polyline each, `x,y x,y`; `dots` are samples without neighbours."""

    name: str
    kind: str
    pieces: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram of a chart. `lines` are horizontal lines: their height and what stands there."""

    title: str
    top: float
    height: float
    lines: tuple[tuple[float, str], ...]
    curves: tuple[Curve, ...]

    @property
    def bottom(self) -> float:
        """Return the height of the lower edge."""
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of `width` and `height`. `times` are vertical lines: where they stand and what they say.

    Diagrams stand between `left` and `right`. `has_axes`: there is room for words.
    """

    width: int
    height: int
    left: float
    right: float
    panels: tuple[Panel, ...]
    times: tuple[tuple[float, str], ...]
    has_axes: bool
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What one curve shows: its name, its class, and what it takes of a sample."""

    name: str
    kind: str
    of: Callable[[TrafficSample], float | None]


def small(told: SamplesAnswer, name: str) -> Chart:
    """Return the chart of the last hour that stands beside a virtual server: its connections for each second."""
    rows = (Row(name, "first", lambda sample: sample.connections),)
    panel = _panel("", told, rows, (2.0, 238.0), (2.0, 36.0), str)
    return Chart(240, 40, 2.0, 238.0, (panel,), (), False, _is_empty(told))


def large(
    told: SamplesAnswer,
    titles: Sequence[str],
    names: Sequence[str],
    size: Callable[[int], str],
    *,
    width: int = LARGE_WIDTH,
) -> Chart:
    """Return the chart of the last hour: connections for each second, active ones, bytes in and out for each second.

    `titles` are those of the three diagrams, `names` those of the curves in them. `size` writes a number of bytes.
    `width`: letters have the same size in every chart, so a narrow screen needs a narrow one.
    """
    span, height = (80.0 if width >= LARGE_WIDTH else 62.0, width - 10.0), 110.0
    given = (
        ((Row(names[0], "first", lambda sample: sample.connections),), _count),
        ((Row(names[1], "first", lambda sample: sample.active),), _count),
        (
            (
                Row(names[2], "first", lambda sample: sample.bytes_in),
                Row(names[3], "second", lambda sample: sample.bytes_out),
            ),
            lambda number: size(round(number)),
        ),
    )
    panels = tuple(
        _panel(title, told, rows, span, (28.0 + place * (height + 40.0), height), written)
        for place, (title, (rows, written)) in enumerate(zip(titles, given, strict=True))
    )
    return Chart(width, LARGE_HEIGHT, *span, panels, tuple(_times(told, span)), True, _is_empty(told))


def nice_top(most: float) -> float:
    """Return a round number that is at least `most`, for the upper end of an axis; 1 for nothing."""
    if most <= 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in NICE if step * power >= most * (1 - 1e-9))


def _panel(
    title: str,
    told: SamplesAnswer,
    rows: Sequence[Row],
    span: tuple[float, float],
    place: tuple[float, float],
    written: Callable[[float], str],
) -> Panel:
    top, height = place
    known = [number for row in rows for sample in told.samples if (number := row.of(sample)) is not None]
    most = nice_top(max(known, default=0.0))
    curves = tuple(_curve(row, told, span, (top, height), most) for row in rows)
    lines = tuple((round(top + height * (1 - part), 1), written(most * part)) for part in (0.0, 0.5, 1.0))
    return Panel(title, top, height, lines, curves)


def _curve(row: Row, told: SamplesAnswer, span: tuple[float, float], place: tuple[float, float], most: float) -> Curve:
    pieces: list[list[tuple[float, float]]] = [[]]
    before: float | None = None
    for sample in told.samples:
        number, age = row.of(sample), _age_s(told, sample)
        if age is None or not 0.0 <= age <= told.kept_s:
            continue
        if number is None or (before is not None and before - age > 2 * told.interval_s):
            pieces.append([])
        if number is None:
            before = None
            continue
        before = age
        x = span[1] - (span[1] - span[0]) * age / told.kept_s
        y = place[0] + place[1] * (1 - min(1.0, number / most))
        pieces[-1].append((round(x, 1), round(y, 1)))
    drawn = tuple(" ".join(f"{x:g},{y:g}" for x, y in piece) for piece in pieces if len(piece) > 1)
    return Curve(row.name, row.kind, drawn, tuple(piece[0] for piece in pieces if len(piece) == 1))


def _times(told: SamplesAnswer, span: tuple[float, float]) -> Iterable[tuple[float, str]]:
    now = _moment(told.at)
    for part in range(TIME_LINES + 1):
        age_s = told.kept_s * (TIME_LINES - part) / TIME_LINES
        x = span[0] + (span[1] - span[0]) * part / TIME_LINES
        yield round(x, 1), "" if now is None else datetime.fromtimestamp(now - age_s, _zone(told.at)).strftime("%H:%M")


def _age_s(told: SamplesAnswer, sample: TrafficSample) -> float | None:
    now, then = _moment(told.at), _moment(sample.at)
    return None if now is None or then is None else now - then


def _moment(written: str) -> float | None:
    try:
        return datetime.fromisoformat(written).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _zone(written: str) -> tzinfo | None:
    return datetime.fromisoformat(written).tzinfo


def _is_empty(told: SamplesAnswer) -> bool:
    return all(
        number is None
        for sample in told.samples
        for number in (sample.connections, sample.bytes_in, sample.bytes_out, sample.active)
    )


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.2g}"
