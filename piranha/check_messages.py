"""What is told of single checks: a try of one that is not saved yet, and the last one that the engine made.

What was sent and received is spelled as in lvs.cf: printable ASCII and escapes, whatever bytes there were.
"""

from dataclasses import dataclass, field

from piranha.status import HealthState

TRIED_SERVERS_MAX = 64
"""So many real servers are asked in one try."""
TRY_LIMIT_S = 20.0
"""So long a check of a try may take, whatever `timeout` says."""
TRY_WITHIN_S = 30.0
"""Behind that a try is over: real servers that were not asked by then are told as such."""


@dataclass(frozen=True, slots=True)
class TryRequest:
    """POST /v1/try: make a check once, as it would be with values that are not saved.

    `virtual`: a virtual server of the saved lvs.cf, by its written path; its real servers are asked, active or not,
    TRIED_SERVERS_MAX at most. `server`: that one alone. `values`: keywords of the virtual server with other texts than
    lvs.cf has, None for one that is left out: send, expect, use_regex, send_program, protocol, port, timeout.
    `server_values`: address and port of the real server likewise; without `server` it is one that is not in lvs.cf.
    """

    virtual: str
    server: str = ""
    values: dict[str, str | None] = field(default_factory=dict)
    server_values: dict[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class CheckFound:
    """What one check did. `sent` and `received`: the first bytes of it; of a program its words, and its output.

    `is_sent_cut` and `is_received_cut`: more bytes than these are known of.
    """

    is_good: bool
    reason: str
    took_s: float
    sent: str
    received: str
    is_sent_cut: bool = False
    is_received_cut: bool = False


@dataclass(frozen=True, slots=True)
class TriedServer:
    """A real server that was tried. `path` "": it is not in lvs.cf. `found` None: not asked, `problem` says why."""

    path: str
    name: str
    address: str
    port: int
    found: CheckFound | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TryAnswer:
    """What a try found; nothing else came of it. `how`: how was asked, "tcp", "udp", "program",
    or as piranha.toml says, "http", "https" or "tls"; "" : nobody was.

    `limit_s`: how long each check could take, `timeout_s` what lvs.cf would allow. `servers_in_all`: how many real
    servers the virtual server has, where all were meant.
    """

    virtual: str
    how: str
    limit_s: float
    timeout_s: float
    servers: tuple[TriedServer, ...]
    servers_in_all: int


@dataclass(frozen=True, slots=True)
class LastCheckQuery:
    """GET /v1/checks: of which real server, by its written path in what runs."""

    server: str = ""


@dataclass(frozen=True, slots=True)
class LastCheck:
    """How the last check of a real server went. `name` "": it is not in what runs.

    `state`, `since` and `reason` are its health. `found` None: it was not checked yet. `at` is when the check ended,
    ISO 8601, `age_s` seconds ago. `how` is as in TryAnswer ("": it is not checked), `limit_s` how long it may take,
    `interval_s` from the beginning of one to the next. `problem`: why it is not checked, "" if it is.
    """

    server: str
    name: str
    address: str
    port: int
    state: HealthState
    since: str
    reason: str
    found: CheckFound | None
    at: str
    age_s: float | None
    how: str
    limit_s: float
    interval_s: float
    problem: str = ""
