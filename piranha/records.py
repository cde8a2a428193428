"""What the engine keeps a record of: events, for people, and the audit. The types of the API, and of the files.

An event says what the engine did and why; events are bounded. The audit says who wanted what from where and what came
of it; nothing in it is ever rewritten or removed by us.
"""

from dataclasses import dataclass
from enum import StrEnum

RECORDS_MAX = 1000
"""Events, or entries of the audit, in one answer."""

RECORDS_SHOWN = 100
"""Events, or entries of the audit, in one answer if nothing else is asked for."""


class EventKind(StrEnum):
    """What an event is about; docs/events.md says what each means."""

    STARTED = "started"
    ADOPTED = "adopted"
    STOPPED = "stopped"
    LVS_STOPPED = "lvs-stopped"
    LVS_STARTED = "lvs-started"
    APPLIED = "applied"
    WAITS = "waits"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    SAVED = "saved"
    HAND_EDIT = "hand-edit"
    SYNCED = "synced"
    SERVER_UP = "server-up"
    SERVER_DOWN = "server-down"
    OVERRIDE = "override"
    OVERRIDE_CLEARED = "override-cleared"
    DRAIN = "drain"
    DRAINED = "drained"
    REFUSED = "refused"
    WORKS_AGAIN = "works-again"
    ACTIVE = "active"
    PASSIVE = "passive"
    FAILOVER = "failover"
    ADDRESS_CLAIMED = "address-claimed"
    ADDRESS_YIELDED = "address-yielded"
    ADDRESS_CONFLICT = "address-conflict"
    ADDRESS_REFUSED = "address-refused"


EVENT_KINDS = tuple(map(str, EventKind))

AUDIT_VERBS = (
    "save",
    "create",
    "adopt",
    "rollback",
    "apply",
    "confirm",
    "revert",
    "override",
    "clear_overrides",
    "stop",
    "start",
    "failover",
    "sync",
    "receive",
    "try_checks",
    "login",
    "logout",
)
"""What the audit has entries of; besides, the name of any call that was not permitted."""

AUDIT_RESULTS = ("done", "refused", "failed", "unfinished")


@dataclass(frozen=True, slots=True)
class EventsQuery:
    """GET /v1/events: which events, as a person writes it; "" chooses nothing.

    `kind`: one of EVENT_KINDS, or several with commas. `about`: a written path, with all below it (`virtual[web]`).
    `text`: words in the sentence, whatever their case. `since`, `until`: a time (ISO 8601; without an offset, the
    router's) or an age (`90s`, `15m`, `2h`, `1d`). `limit`: how many, 1 to RECORDS_MAX. Of all that match come the
    newest, the newest first; `before`: only those with a smaller number, for the next page. `after`: only those with a
    greater number, and of them the oldest, the oldest first: so nothing is missed by who follows.
    """

    kind: str = ""
    about: str = ""
    text: str = ""
    since: str = ""
    until: str = ""
    after: str = ""
    before: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One thing that the engine did, or that happened to it.

    `number` grows, over restarts too. `at` is the time of day, ISO 8601. `kind` is one of EVENT_KINDS, `about` the
    written path that it concerns ("" : the router as a whole). `who` and `from_address`: who did it, "" if no person.
    `count` more than 1: it stands for so many that came close together since `since`, and says how the last one ended.
    """

    number: int
    at: str
    kind: str
    about: str
    sentence: str
    who: str = ""
    from_address: str = ""
    count: int = 1
    since: str = ""


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """The wanted events, in the order that the query asks for.

    `next`: give it as `before` (or as `after`, where the query has that) for those that follow; None: there are no more
    now. `last_number` is the newest event's of all (0: there is none): who begins to follow starts `after` it.
    `problem`: what is wrong with the record, or "".
    """

    events: tuple[EngineEvent, ...]
    next: int | None
    last_number: int
    at: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """GET /v1/audit: which entries; fields as in EventsQuery.

    `who` is a user, `verb` one of AUDIT_VERBS, `result` one of AUDIT_RESULTS, `text` words anywhere in the entry.
    """

    who: str = ""
    verb: str = ""
    result: str = ""
    text: str = ""
    since: str = ""
    until: str = ""
    after: str = ""
    before: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who wanted what from where, and what came of it.

    `number` grows, over restarts too; `at` is the time of day, ISO 8601. `who` and `from_address` are as the GUI or the
    command gave them, `uid` is that of the calling process as the kernel vouches for it (None: no process called, as
    for SIGHUP, and for what the engine did by itself). `result` is one of AUDIT_RESULTS; "unfinished": it was begun and
    the engine was killed, or it is being done just now. `reason` says why it was refused, or what was done. `about` is
    what it concerns (a written path, a version). `before_token` and `after_token` are lvs.cf (of an Apply: what runs)
    before and after, `version` the number in the history, `diff` the change; "" where it is long: the history has it.
    """

    number: int
    at: str
    who: str
    from_address: str
    uid: int | None
    verb: str
    result: str
    reason: str = ""
    about: str = ""
    before_token: str = ""
    after_token: str = ""
    version: int | None = None
    diff: str = ""


@dataclass(frozen=True, slots=True)
class AuditAnswer:
    """The wanted entries; `next`, `last_number` and `problem` as in EventsAnswer."""

    entries: tuple[AuditEntry, ...]
    next: int | None
    last_number: int
    at: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LoginNote:
    """POST /v1/audit/login, for the GUI alone: somebody logged in or out there, or was refused.

    `what` is "login" or "logout"; `refused`: why a log-in was refused, "" if it was not. Who and from where say X-User
    and X-From, as in every call.
    """

    what: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class LoginNoted:
    """The number of the audit's entry."""

    number: int
