"""What the engine tells: frozen types, one shape for both sides of the socket.

Facts carry source and age. Ages are seconds at the moment of the answer; wall-clock times are ISO 8601 with the
offset and stand only where a person reads them. "unknown" is a state: nothing is up because nothing was heard.
"""

from dataclasses import dataclass
from enum import StrEnum

from piranha.config.faults import Fault


class RunState(StrEnum):
    """What the engine does. IDLE is shown as "stopped": nothing to run, and `reason` says why."""

    RUNNING = "running"
    IDLE = "idle"


class HealthState(StrEnum):
    """What the checks say of a real server."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a group of facts comes from and how old it is. `age_s` None: never heard."""

    name: str
    age_s: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """A real server's health. `since` is when the state began; `reason` what the last check found."""

    state: HealthState
    reason: str
    since: str | None
    source: Source
    checks_good: int = 0
    checks_needed: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counters of one destination as the data path has them. `weight` None: it is not in the table."""

    weight: int | None
    active_connections: int
    inactive_connections: int
    connections: int
    bytes_in: int
    bytes_out: int
    source: Source


@dataclass(frozen=True, slots=True)
class OverrideStatus:
    """A drain or a weight set by hand.

    `kind` is "drain" or "weight"; `scope` says what it was given for, in words; `target` is the written path or the
    address that clears it.
    """

    number: int
    kind: str
    scope: str
    target: str
    weight: int
    who: str
    address: str
    since: str


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A real server of the running configuration.

    `path` is its written path in that configuration ("" for a destination that is no longer in it and drains);
    `role` is "server", "sorry" or "draining". `explanation` says why the weight in force differs from the
    configured one ("" if it does not).
    """

    path: str
    name: str
    role: str
    address: str
    port: int
    is_active: bool
    configured_weight: int
    health: Health
    traffic: Traffic
    overrides: tuple[OverrideStatus, ...] = ()
    drain_ends_in_s: float | None = None
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class VirtualServerStatus:
    """A virtual server of the running configuration. `refused` is the data path's reason not to serve it, or ""."""

    path: str
    name: str
    address: str
    port: int
    protocol: str
    fwmark: int
    scheduler: str
    persistent_s: int
    is_active: bool
    refused: str
    servers: tuple[ServerStatus, ...]


@dataclass(frozen=True, slots=True)
class ConfigStatus:
    """What is saved and what runs. Tokens are SHA-256 of the file's bytes ("" where there is no file).

    `is_applied`: lvs.cf is what runs. `problem`: why lvs.cf cannot be read, or "".
    """

    file: str
    saved_token: str
    saved_serial_no: int | None
    running_token: str
    running_serial_no: int | None
    applied_at: str | None
    is_applied: bool
    problem: str


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One of our processes: `name` as the manual says (pulse, lvs, nanny), what it does, since when."""

    name: str
    pid: int
    does: str
    running_for_s: float


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Everything CONTROL/MONITORING and `piranha status` show."""

    state: RunState
    reason: str
    data_path: str
    router: str
    at: str
    running_for_s: float
    config: ConfigStatus
    virtual_servers: tuple[VirtualServerStatus, ...]
    overrides: tuple[OverrideStatus, ...]
    processes: tuple[ProcessStatus, ...]
    faults: tuple[Fault, ...]
    messages: tuple[str, ...] = ()
