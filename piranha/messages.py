"""What the GUI and the commands ask of the engine, and what it answers: the types of the API.

The engine serves them as JSON on a Unix socket and describes them at /v1/openapi.json, which is generated from
these types.
"""

from dataclasses import dataclass

from piranha.config.edits import Edit, ExpectedPart
from piranha.config.faults import Fault
from piranha.status import ConfirmationStatus, Source

CONNECTIONS_MAX = 1000
"""Connections in one answer."""

CONNECTIONS_SHOWN = 100
"""Connections in one answer if nothing else is asked for."""

TEMPLATE = "TEMPLATE"
"""The word in place of a state that asks for persistence templates."""

CONNECTION_STATES = (
    TEMPLATE,
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "SYNACK",
    "UDP",
)
"""The states that can be asked for, ours for templates, and those of TCP and UDP in the kernel's words."""


CONFIRM_LEAST_S = 30
CONFIRM_MOST_S = 300
"""How many seconds an Apply may wait for its confirmation."""


@dataclass(frozen=True, slots=True)
class SavedConfig:
    """GET /v1/config: the text of lvs.cf as it stands on the disk, and its token.

    `encoding` is how the file's bytes became the text: "utf-8", or "latin-1" for a file that is not UTF-8 (nothing is
    lost: every byte is a character there). `exists` False: there is no lvs.cf. `problem`: why it cannot be read, or "".
    `is_known`: it is the version that the caller said to know, and `text` is left out.
    """

    file: str
    text: str
    token: str
    exists: bool
    problem: str
    encoding: str = "utf-8"
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class ConfigQuery:
    """GET /v1/config: `known` is the token of a version whose text is not needed again."""

    known: str = ""


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """POST /v1/config: do these edits if all these parts are still as expected.

    `dry_run`: write nothing, and answer what would be written.
    """

    edits: list[Edit]
    expected: list[ExpectedPart]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class SaveAnswer:
    """What a save did, or (`dry_run`) would do; `token`, `serial_no` and `faults` are those of the new text then too.

    `changed` False: the edits said what the file says already, nothing was written. `before_token` is the text that the
    edits were made in ("" : there was none), `number` the version's in the history (None: nothing was written).
    """

    changed: bool
    token: str
    serial_no: int | None
    diff: str
    faults: tuple[Fault, ...]
    notices: tuple[str, ...] = ()
    before_token: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version of lvs.cf in the history.

    `number` counts from 1 and is never used twice. `at` is wall-clock time, ISO 8601. `how` is "save", "create",
    "rollback", "adopt" (brought in whole from another file), "revert" (an Apply was not confirmed), "sync" (sent by the
    partner), "hand edit" (somebody wrote the file without the engine) or "found" (there before the history began).
    `who` and `from_address` are on whose behalf the engine wrote it, "" where nobody knows. `token` is the SHA-256 of
    its bytes, `size` their number. `changes` says what changed against the version before, `more_changes` how many more
    there are. `is_certain` False: the engine was killed during this save and the file was changed by hand before its
    next start, so that nobody knows whether this text ever was lvs.cf.
    """

    number: int
    at: str
    how: str
    who: str
    from_address: str
    serial_no: int | None
    token: str
    size: int
    changes: tuple[str, ...]
    more_changes: int = 0
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class History:
    """GET /v1/history: the versions that are kept, the newest first, and which of them is saved and which runs.

    `saved_token` and `running_token` are "" where there is none. `problem`: what is wrong with the history, or "".
    """

    versions: tuple[VersionInfo, ...]
    saved_token: str
    running_token: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class VersionText:
    """GET /v1/history/{number}: one version with its text."""

    info: VersionInfo
    text: str
    encoding: str


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """POST /v1/rollback: save the text of version `number` again, as a new version with the next serial_no.

    `token`: the present lvs.cf must be this version ("" : whatever it is). `dry_run`: write nothing.
    """

    number: int
    token: str = ""
    dry_run: bool = False


ADOPTED_BYTES_MAX = 10 * 1024 * 1024
"""The largest file that is brought in through the API: room for 100,000 real servers."""


@dataclass(frozen=True, slots=True)
class AdoptRequest:
    """POST /v1/config/adopt: make another file's text lvs.cf, with the next serial_no; all the rest of it stays.

    `content` are the bytes of the file. `token`: the present lvs.cf must be this version, "" means that there is none;
    so nothing is overwritten that the caller has not seen. `name`: where the text came from, for the history.
    `dry_run`: write nothing, and say what it would do.
    """

    content: bytes
    token: str
    name: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan: what happens to the table, and what that means for traffic right now ("" if nothing)."""

    step: str
    impact: str


@dataclass(frozen=True, slots=True)
class Plan:
    """GET /v1/plan: what Apply would do.

    `token` is the saved version the plan was made for; Apply takes it back, so that nobody applies what they have
    not seen. `refusals` are the reasons why Apply would refuse (empty: it would not); those in `forcible` yield to
    `force`, as emptying the table does; errors in an active block do not.
    """

    token: str
    running_token: str
    diff: str
    steps: tuple[PlannedStep, ...]
    faults: tuple[Fault, ...]
    refusals: tuple[str, ...]
    forcible: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """POST /v1/apply. `token` "" applies whatever is saved. `removes_at_once`: removed servers do not drain.

    `confirm_s`: unless it is confirmed within so many seconds (CONFIRM_LEAST_S to CONFIRM_MOST_S) what ran before runs
    again; 0: it stays.
    """

    token: str = ""
    force: bool = False
    removes_at_once: bool = False
    confirm_s: int = 0


@dataclass(frozen=True, slots=True)
class ApplyAnswer:
    """What an Apply did: the version that runs now and the steps that were taken; refused ones are in the status.

    `confirmation`: until when it has to be confirmed, None where that was not asked for.
    """

    token: str
    serial_no: int | None
    steps: tuple[PlannedStep, ...]
    faults: tuple[Fault, ...]
    confirmation: ConfirmationStatus | None = None


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """POST /v1/confirm and POST /v1/revert. `token` is the version that must be the one that waits ("" : any)."""

    token: str = ""


@dataclass(frozen=True, slots=True)
class ConfirmAnswer:
    """The version that goes on running, confirmed."""

    token: str
    serial_no: int | None


@dataclass(frozen=True, slots=True)
class RevertAnswer:
    """What a revert did: the version that runs again (`token` "" : nothing, as before) and the steps that were taken.

    `number` is the version of lvs.cf in the history that the revert made, None where lvs.cf was left alone: somebody
    had saved another text meanwhile, or nothing ran before. `sentence` says what was done, for a person.
    """

    token: str
    serial_no: int | None
    steps: tuple[PlannedStep, ...]
    number: int | None
    sentence: str


OVERRIDE_MOST_S = 366 * 86400
"""The longest time, in seconds, after which something that is set by hand may go by itself."""


@dataclass(frozen=True, slots=True)
class OverrideRequest:
    """POST /v1/overrides: set a weight by hand, until it is cleared or its time is over; a drain is weight 0.

    `server` is a written path (`virtual[http].server[web1]`), or an address, which means that real server in every
    virtual server. `kind` is "drain" or "weight". `until` (a time of day, ISO 8601; without an offset, the router's) or
    `for_s` (seconds from now, OVERRIDE_MOST_S at most) say when it goes by itself; "" and 0: not before it is cleared.
    """

    server: str
    kind: str
    weight: int = 0
    until: str = ""
    for_s: int = 0


@dataclass(frozen=True, slots=True)
class ClearRequest:
    """POST /v1/overrides/clear: clear the overrides of `kind` ("" for both) given for `server`."""

    server: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class OverrideAnswer:
    """Which servers (written paths) an override concerns now, and what the administrator should know of it.

    `until`: when it goes by itself, ISO 8601, "" if it does not.
    """

    servers: tuple[str, ...]
    notices: tuple[str, ...] = ()
    until: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionsQuery:
    """GET /v1/connections: which connections to show, as a person writes it; "" chooses nothing.

    `client`: an address or a network (`192.0.2.0/24`). `vip`: a virtual server's address, ADDRESS:PORT, or `mark 9`.
    `server`: a real server's address or ADDRESS:PORT; IPv6 with a port stands in brackets. `state`: one of
    CONNECTION_STATES. `limit`: how many are shown, 1 to CONNECTIONS_MAX.
    """

    client: str = ""
    vip: str = ""
    server: str = ""
    state: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class ClientConnection:
    """One client on one real server. `is_template`: no connection, but where a persistent client's next one goes.

    `client` is an address (a template's may be a network's), `client_port` 0 for a template. `virtual` is what the
    client asked for, `firewall mark 9` for a mark's template; `server` where it went. `expires_s`: seconds until it is
    forgotten if nothing more comes, None where that is not told.
    """

    protocol: str
    client: str
    client_port: int
    virtual: str
    server: str
    state: str
    is_template: bool
    expires_s: int | None


@dataclass(frozen=True, slots=True)
class ConnectionsAnswer:
    """The wanted connections, `limit` of them at most.

    `matching` is how many there are, `looked_at` how many were looked at, `is_whole` whether those were all.
    `problem`: why nothing is told, or "".
    """

    shown: tuple[ClientConnection, ...]
    matching: int
    looked_at: int
    is_whole: bool
    limit: int
    source: Source
    at: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The body of every answer that is not a success.

    `code` is one of "conflict", "edit_refused", "unavailable", "unsafe", "confirmation_pending", "nothing_pending",
    "not_permitted", "busy", "bad_request", "not_found", "internal". For a conflict `part` and `current_text` say what
    stands there now; for a refused edit `part` is the block's path and `keyword` the keyword.
    """

    code: str
    message: str
    part: str = ""
    keyword: str = ""
    current_text: str = ""
