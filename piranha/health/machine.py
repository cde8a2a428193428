"""When a real server counts as up or down, and when it may return.

Rule 1: every change of state is a row of TRANSITIONS; nothing else assigns `state`. Rule 2: this file owns no
clock. `now` is an argument, seconds, monotonic. Rule 3: a row that changes the state carries the line for the
log; administrators search for its first words.

The arithmetic is the original's (engine.md 4.2): threshold = reentry / interval, whole numbers. The first
good check after the start admits at once; after a failure, threshold good checks in a row are needed, the
last of which admits (one, if the threshold is 0). One failure removes. A check's `rise` and `fall` say otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from piranha.config.model import written_endpoint
from piranha.health.check import Check, Verdict
from piranha.status import HealthState

NOT_CHECKED = "not checked yet"


class Event(StrEnum):
    """What a verdict means for a server in its state."""

    GOOD = "good"
    """A good check, and the server needs no more of them."""
    GOOD_BUT_MORE = "good-but-more"
    """A good check of a server that failed and needs more in a row."""
    BAD = "bad"
    BAD_BUT_FEW = "bad-but-few"
    """A bad check of a server that is up, or was before a restart, and may fail more in a row (`fall`)."""


class Action(StrEnum):
    """What a row orders."""

    COUNT = "count"
    """One more good check in a row, and no bad ones any more."""
    START_OVER = "start-over"
    """No good checks in a row any more, and one more bad check in a row."""
    TELL = "tell"
    """The state changed: log the row's sentence and reckon the table anew."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `says` is the line for the log with {server} and {reason}, "" for none."""

    state: HealthState
    event: Event
    becomes: HealthState
    actions: tuple[Action, ...]
    says: str

    @property
    def is_change(self) -> bool:
        """Say whether the server's state changes."""
        return Action.TELL in self.actions


UNKNOWN, UP, DOWN = HealthState.UNKNOWN, HealthState.UP, HealthState.DOWN
COUNT, START_OVER, TELL = Action.COUNT, Action.START_OVER, Action.TELL

COMES_UP = "[ active ] making {server} available"
GOES_DOWN = "[inactive] shutting down {server} due to connection failure: {reason}"
NEVER_UP = "[inactive] leaving out {server}: {reason}"

# fmt: off
TRANSITIONS = (
    Row(UNKNOWN, Event.GOOD,          UP,   (COUNT, TELL),      COMES_UP),
    Row(UNKNOWN, Event.BAD_BUT_FEW,   UNKNOWN, (START_OVER,),   ""),
    Row(UNKNOWN, Event.BAD,           DOWN, (START_OVER, TELL), NEVER_UP),
    Row(UP,      Event.GOOD,          UP,   (COUNT,),           ""),
    Row(UP,      Event.BAD_BUT_FEW,   UP,   (START_OVER,),      ""),
    Row(UP,      Event.BAD,           DOWN, (START_OVER, TELL), GOES_DOWN),
    Row(DOWN,    Event.GOOD_BUT_MORE, DOWN, (COUNT,),           ""),
    Row(DOWN,    Event.GOOD,          UP,   (COUNT, TELL),      COMES_UP),
    Row(DOWN,    Event.BAD,           DOWN, (START_OVER,),      ""),
)
# fmt: on
_ROWS = {(row.state, row.event): row for row in TRANSITIONS}


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """What is known of one real server.

    `since`: when its state began; `checked_at`: when the last check ended, None before the first one (both
    monotonic seconds). `reason` is what the last check found. `good_in_row` counts good checks since the last
    bad one, `bad_in_row` bad ones since the last good one. `was_up`: it has been up at least once since it is watched,
    so it may be in the table.
    """

    state: HealthState
    good_in_row: int
    since: float
    reason: str
    checked_at: float | None = None
    was_up: bool = False
    bad_in_row: int = 0


def unheard(now: float) -> ServerHealth:
    """Return the health of a server whose first check is still to come."""
    return ServerHealth(UNKNOWN, 0, now, NOT_CHECKED)


def checks_needed(check: Check) -> int:
    """Return how many good checks in a row bring a failed server back."""
    return check.rise or max(1, int(check.reentry_s // check.interval_s))


def event_of(health: ServerHealth, verdict: Verdict, check: Check) -> Event:
    """Return what a verdict means for a server with this health."""
    if not verdict.is_good:
        is_in_table = health.state is UP or (health.state is UNKNOWN and health.was_up)
        return Event.BAD_BUT_FEW if is_in_table and health.bad_in_row + 1 < check.fall else Event.BAD
    if health.state is DOWN and health.good_in_row + 1 < checks_needed(check):
        return Event.GOOD_BUT_MORE
    return Event.GOOD


def step(health: ServerHealth, verdict: Verdict, check: Check, now: float) -> tuple[ServerHealth, Row]:
    """Return the health after a check that ended at `now`, and the row that was taken."""
    row = _ROWS[health.state, event_of(health, verdict, check)]
    bad_in_row = 0 if COUNT in row.actions else health.bad_in_row + 1
    few = f" (bad check {bad_in_row} of the {check.fall} that take it out)" if row.event is Event.BAD_BUT_FEW else ""
    return (
        replace(
            health,
            state=row.becomes,
            good_in_row=health.good_in_row + 1 if COUNT in row.actions else 0,
            since=now if row.is_change else health.since,
            reason=verdict.reason + few,
            checked_at=now,
            was_up=health.was_up or row.becomes is UP,
            bad_in_row=bad_in_row,
        ),
        row,
    )


def log_line(row: Row, check: Check, reason: str) -> str:
    """Return the row's line for the log, "" if it has none. `reason` is what the check found."""
    return row.says.format(server=written_endpoint(check.address, check.port), reason=reason)


def printed(rows: Sequence[Row] = TRANSITIONS) -> str:
    """Return the table as text, for people and for the reviewed copy in the tests."""
    lines = [("state", "event", "becomes", "actions", "log line")]
    lines += [(row.state, row.event, row.becomes, " ".join(row.actions), row.says or "(nothing)") for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "".join(
        "  ".join([*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[4]]) + "\n"
        for line in lines
    )
