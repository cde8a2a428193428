"""What CONTROL/MONITORING asks of the engine beside the whole status: a part of it, a summary, samples, start and stop.

Ages are seconds at the moment of the answer, times of day ISO 8601, as everywhere in `piranha.status`.
"""

from dataclasses import dataclass
from enum import StrEnum

from piranha.messages import PlannedStep
from piranha.router_status import ONLY_ROUTER, Counts, RoleStatus, StoppedStatus
from piranha.status import ConfigStatus, ConfirmationStatus, OverrideStatus, RunState

VIRTUAL_SERVERS_SHOWN = 20
"""Virtual servers in a part of the status, if nothing else is asked for."""

OVERRIDES_SHOWN = 5
"""Of what is set by hand, in a summary."""

SERVERS_SHOWN = 100
"""Real servers in a part of the status, if nothing else is asked for."""

STATUS_ROWS_MAX = 1000
"""Virtual servers, and real servers, in a part of the status."""

TROUBLE = "trouble"
"""The word that asks for what is not well alone."""


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """GET /v1/status: which part of the status, as a person writes it. Without any field it is the whole.

    `path`: one virtual server, or one real server, by its written path in what runs; or several of both, one on a line:
    those virtual servers and those real servers, `servers` at most. `text`: part of a name or an address, of a virtual
    server (`mark 9`: its firewall mark), which is told with all its real servers, or of a real server. `only`: TROUBLE,
    what is not well alone: refused, down, not checked, set by hand. Of all that matches come `limit` virtual servers,
    beginning with number `first`, and in them together `servers` real servers: each has its share, and those that are
    not well come first. With `path`, `first` is the number of the first real server, and they come in the order of
    lvs.cf.
    """

    path: str = ""
    text: str = ""
    only: str = ""
    first: str = ""
    limit: str = ""
    servers: str = ""


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """What POST /v1/start and POST /v1/stop did, in a sentence, with the steps that were taken.

    `changed` False: it was so already. `state` is the engine's now, `messages` are what the administrator should know.
    """

    changed: bool
    state: RunState
    sentence: str
    steps: tuple[PlannedStep, ...] = ()
    messages: tuple[str, ...] = ()


class FailoverCommand(StrEnum):
    """What an operator may want of the pair."""

    HAND_OVER = "hand over"
    TAKE_OVER = "take over"
    HOLD = "hold"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class FailoverRequest:
    """POST /v1/failover: what this router shall do."""

    command: FailoverCommand


@dataclass(frozen=True, slots=True)
class FailoverAnswer:
    """What came of it, in sentences. `done` False: nothing was done, and the sentences say why."""

    done: bool
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SamplesQuery:
    """GET /v1/samples: of which virtual server, by its written path in what runs."""

    virtual: str = ""


@dataclass(frozen=True, slots=True)
class TrafficSample:
    """A moment of a virtual server. `at` is the time of day, ISO 8601; None: not known, which is not 0.

    `connections`, `bytes_in` and `bytes_out` are for each second, on average since the sample before, bytes from and to
    clients; `active` is how many connections there were then.
    """

    at: str
    connections: float | None
    bytes_in: float | None
    bytes_out: float | None
    active: int | None


@dataclass(frozen=True, slots=True)
class SamplesAnswer:
    """The samples of a virtual server, the oldest first, every `interval_s` seconds; those of the last hour are kept.

    `name` is the virtual server's, "" where no virtual server of what runs has that path.
    """

    virtual: str
    name: str
    interval_s: float
    kept_s: float
    at: str
    samples: tuple[TrafficSample, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """GET /v1/summary: what every page says on top. The fields are those of EngineStatus.

    `overrides` are OVERRIDES_SHOWN at most, `overrides_in_all` is how many there are.
    """

    state: RunState
    reason: str
    data_path: str
    router: str
    at: str
    running_for_s: float
    config: ConfigStatus
    counts: Counts
    overrides: tuple[OverrideStatus, ...]
    overrides_in_all: int
    messages: tuple[str, ...] = ()
    confirmation: ConfirmationStatus | None = None
    stopped: StoppedStatus | None = None
    role: RoleStatus = ONLY_ROUTER
