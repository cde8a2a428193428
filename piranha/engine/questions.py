"""What a person asks of the events and of the audit becomes a choice; what cannot be understood is refused by name.

And a choice finds its page: of everything that matches so many, the newest first; or the oldest behind a number.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic

from piranha.engine.connections import QueryRefused
from piranha.records import AUDIT_RESULTS, EVENT_KINDS, RECORDS_MAX, RECORDS_SHOWN, AuditQuery, EventsQuery
from piranha.system.record_files import Part, Record

LOOKED_MAX = 200_000
"""Records that one answer looks at; who wants more asks for the next page."""
CLOCK_SLACK = timedelta(days=1)
"""The clock of a router may have been set back: records are looked at until they are older than that."""
_AGE = re.compile(r"([0-9]{1,9})\s*([smhd])", re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a query chooses: `after` < number < `before`, `since` <= time <= `until`; None chooses nothing."""

    limit: int
    after: int | None = None
    before: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    kinds: frozenset[str] = frozenset()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[Record]):
    """A page, and the number to ask on from (None: there is no more)."""

    records: tuple[Record, ...]
    next: int | None


def of_events(query: EventsQuery, now: datetime) -> Choice:
    """Return what a query for events chooses. Raises QueryRefused."""
    kinds = frozenset(word for each in query.kind.split(",") if (word := each.strip().lower()))
    for kind in sorted(kinds.difference(EVENT_KINDS)):
        raise QueryRefused("kind", f"There is no kind of event {kind[:40]!r}. There are {', '.join(EVENT_KINDS)}.")
    return replace(_common(query, now), kinds=kinds)


def of_audit(query: AuditQuery, now: datetime) -> Choice:
    """Return what a query for the audit chooses. Raises QueryRefused."""
    if query.result and query.result not in AUDIT_RESULTS:
        raise QueryRefused("result", f"{query.result[:40]!r} is no result. There are {', '.join(AUDIT_RESULTS)}.")
    return _common(query, now)


def page(
    parts: Sequence[Part[Record]], choice: Choice, matches: Callable[[Record], bool], at: Callable[[Record], str]
) -> Page[Record]:
    """Return the page that a choice finds in parts, which are in order, the oldest first.

    `matches` decides about what is left of the choice; `at` is a record's time. Raises what the parts raise.
    """
    search = _Search(choice, matches, at)
    if choice.after is not None:
        return search.forward(parts, choice.after)
    return search.back(parts)


class _Search(Generic[Record]):
    def __init__(self, choice: Choice, matches: Callable[[Record], bool], at: Callable[[Record], str]) -> None:
        self._choice = choice
        self._matches = matches
        self._at = at
        self._looked = 0

    def back(self, parts: Sequence[Part[Record]]) -> Page[Record]:
        found: list[Record] = []
        bound = self._choice.before
        for part in reversed(parts):
            if bound is not None and part.first >= bound:
                continue
            for record in part.back():
                if bound is not None and record.number >= bound:
                    continue
                bound = record.number
                if self._is_too_old(record):
                    return Page(tuple(found), None)
                if self._is_wanted(record):
                    if len(found) == self._choice.limit:
                        return Page(tuple(found), found[-1].number)
                    found.append(record)
                if self._looked >= LOOKED_MAX:
                    return Page(tuple(found), record.number)
        return Page(tuple(found), None)

    def forward(self, parts: Sequence[Part[Record]], after: int) -> Page[Record]:
        found: list[Record] = []
        for number, part in enumerate(parts):
            behind = parts[number + 1].first if number + 1 < len(parts) else None
            if behind is not None and behind <= after + 1:
                continue
            newest = after
            fresh: list[Record] = []
            for record in part.back():
                if record.number <= after:
                    break
                newest = max(newest, record.number)
                if (behind is None or record.number < behind) and self._is_wanted(record):
                    fresh.append(record)
            found += self._oldest(fresh)
            if len(found) > self._choice.limit:
                return Page(tuple(found[: self._choice.limit]), found[self._choice.limit - 1].number)
            if self._looked >= LOOKED_MAX and behind is not None:
                return Page(tuple(found), newest)
        return Page(tuple(found), None)

    def _oldest(self, newest_first: Iterable[Record]) -> list[Record]:
        return sorted(newest_first, key=lambda record: record.number)[: self._choice.limit + 1]

    def _is_wanted(self, record: Record) -> bool:
        self._looked += 1
        choice = self._choice
        if choice.after is not None and choice.before is not None and record.number >= choice.before:
            return False
        if choice.since is not None or choice.until is not None:
            at = _moment(self._at(record))
            if at is None or (choice.since is not None and at < choice.since):
                return False
            if choice.until is not None and at > choice.until:
                return False
        return self._matches(record)

    def _is_too_old(self, record: Record) -> bool:
        if self._choice.since is None:
            return False
        at = _moment(self._at(record))
        return at is not None and at < self._choice.since - CLOCK_SLACK


def _common(query: EventsQuery | AuditQuery, now: datetime) -> Choice:
    return Choice(
        limit=_limit(query.limit),
        after=_number("after", query.after),
        before=_number("before", query.before),
        since=_time("since", query.since, now),
        until=_time("until", query.until, now),
        text=query.text.strip().casefold(),
    )


def _limit(written: str) -> int:
    number = _number("limit", written)
    if number is None:
        return RECORDS_SHOWN
    if not 1 <= number <= RECORDS_MAX:
        raise QueryRefused("limit", f"{number} is not between 1 and {RECORDS_MAX}.")
    return number


def _number(field: str, written: str) -> int | None:
    if not written.strip():
        return None
    if not _NUMBER.fullmatch(written.strip()):
        raise QueryRefused(field, f"{written[:40]!r} is no number.")
    return int(written)


def _time(field: str, written: str, now: datetime) -> datetime | None:
    """Return the moment that somebody wrote: ISO 8601, or how long ago."""
    text = written.strip()
    if not text:
        return None
    try:
        if age := _AGE.fullmatch(text):
            return now - timedelta(**{_UNITS[age[2].lower()]: int(age[1])})
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None else found.astimezone()
    except (ValueError, OverflowError, OSError):
        raise QueryRefused(
            field, f"{text[:40]!r} is no time. Write 2026-05-31, 2026-05-31 14:00, or an age: 90s, 15m, 2h, 1d."
        ) from None


def _moment(written: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
