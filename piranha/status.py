"""What the engine tells: frozen types, one shape for both sides of the socket.

Facts carry source and age. Ages are seconds at the moment of the answer; wall-clock times are ISO 8601 with the
offset and stand only where a person reads them. "unknown" is a state: nothing is up because nothing was heard.
"""

from dataclasses import dataclass
from enum import StrEnum

from piranha.config.faults import Fault
from piranha.router_status import (
    NOTHING_COUNTED,
    ONLY_ROUTER,
    Counts,
    RedundancyStatus,
    RoleStatus,
    StatusPart,
    StoppedStatus,
)


class RunState(StrEnum):
    """What the engine does. IDLE is shown as "stopped" too: nothing to run. `reason` says why.

    STOPPED: an operator stopped it, and it stays so until it is started, or the router boots anew.
    """

    RUNNING = "running"
    IDLE = "idle"
    STOPPED = "stopped"


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
class Rates:
    """What goes through now, for each second, as the data path counts it (the kernel: averages, renewed every 2 s)."""

    connections: int
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counters of one destination as the data path has them. `weight` None: it is not in the table.

    Packets and `rates` are None where the data path does not tell them, which is not the same as none.
    """

    weight: int | None
    active_connections: int
    inactive_connections: int
    connections: int
    bytes_in: int
    bytes_out: int
    source: Source
    packets_in: int | None = None
    packets_out: int | None = None
    rates: Rates | None = None


@dataclass(frozen=True, slots=True)
class ServiceTraffic:
    """What a data path counted for a virtual server as a whole since it is in the table, and what goes through now.

    It is more than the sum of the real servers there: it has the traffic of those that have left the table too.
    """

    connections: int
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    rates: Rates
    source: Source


@dataclass(frozen=True, slots=True)
class OverrideStatus:
    """A drain or a weight set by hand.

    `kind` is "drain" or "weight"; `scope` says what it was given for, in words; `target` is the written path or the
    address that clears it. `until`: when it goes by itself, `ends_in_s` seconds from now ("" and None: it does not).
    """

    number: int
    kind: str
    scope: str
    target: str
    weight: int
    who: str
    address: str
    since: str
    until: str = ""
    ends_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class LoadStatus:
    """A real server's load, as the `load_monitor` that `source` names told it: the average over one minute.

    `load` None: it is not known, and the weight is the configured one. `weight`: what the load makes of that.
    `problem`: why the last question was not answered, "" if it was.
    """

    load: float | None
    weight: int
    problem: str
    source: Source


@dataclass(frozen=True, slots=True)
class SlowStartStatus:
    """A real server came back a short while ago: `weight` is what it may have now, and it is over in `ends_in_s`."""

    weight: int
    ends_in_s: float


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A real server of the running configuration.

    `path` is its written path in that configuration ("" for a destination that is no longer in it and drains);
    `role` is "server", "sorry" or "draining". `explanation` says why the weight in force differs from the
    configured one ("" if it does not), and what is known of its load. `forwarding` is how the data path reaches it:
    "masquerading", "direct routing" or "tunneling" ("" while it is not in the table, and where the data path forwards
    no packets). `load` is None where it is not asked for, `slow_start` while there is none.
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
    forwarding: str = ""
    load: LoadStatus | None = None
    slow_start: SlowStartStatus | None = None


@dataclass(frozen=True, slots=True)
class VirtualServerStatus:
    """A virtual server of the running configuration. `refused` is the data path's reason not to serve it, or "".

    `traffic` is what the data path counted for it as a whole, None where it does not tell that. `differs`: why the data
    path serves it otherwise than lvs.cf asks; `address_trouble`: what is wrong with its floating address ("": nothing).
    `counts` are about its real servers. Where a part of them is told, `matching` is how many match what was asked for,
    and `servers` begins with the one of number `first` among those.
    """

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
    traffic: ServiceTraffic | None = None
    differs: str = ""
    address_trouble: str = ""
    counts: Counts = NOTHING_COUNTED
    first: int = 1
    matching: int = 0


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
class ConfirmationStatus:
    """An Apply that waits for its confirmation: unless it comes in time, what ran before runs again.

    `token` and `serial_no` are of what runs now, `before_token` and `before_serial_no` of what comes back ("" : nothing
    ran). `who` applied it, from where, `applied_at` when. `remaining_s`: seconds that are left at the moment of the
    answer, `deadline` the time of day then. `problem`: it is being reverted, and why that is not over; "" if not.
    """

    token: str
    serial_no: int | None
    before_token: str
    before_serial_no: int | None
    who: str
    from_address: str
    applied_at: str
    confirm_s: int
    remaining_s: float
    deadline: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One of our processes: `name` as the manual says (pulse, lvs, nanny), what it does, since when."""

    name: str
    pid: int
    does: str
    running_for_s: float


@dataclass(frozen=True, slots=True)
class PendingStep:
    """A step that is still to be taken: the data path's table is not yet what it should be.

    `refused`: why the data path did not take it, or "" if it will be taken in the next turn.
    """

    step: str
    refused: str = ""


class AddressState(StrEnum):
    """How a floating address stands on this router."""

    CARRIED = "carried"
    WAS_THERE = "was there already"
    REFUSED = "refused"
    CONFLICT = "conflict"
    """It is there, and another station has it too."""


@dataclass(frozen=True, slots=True)
class AddressStatus:
    """A floating address.

    `address` is written with its prefix length ("192.0.2.1/32"; "" if no address is known), `label` the alias in the
    kernel, `source` the written path of the virtual server or "nat_router" ("" : of no one any more). `sentence` is
    what the administrator should know or do, `mac` the hardware address of a second owner. `rounds` and `told_s_ago`:
    how often it was announced since the claim, and how many seconds ago the last time (None: never).
    """

    address: str
    device: str
    label: str
    source: str
    state: AddressState
    sentence: str = ""
    mac: str = ""
    rounds: int = 0
    told_s_ago: float | None = None


class SettingVerdict(StrEnum):
    """Whether a setting of the kernel fits what runs. ADVISED: it works, and another value would be better."""

    FITS = "fits"
    ADVISED = "advised"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SettingStatus:
    """A setting of the kernel that matters to what runs.

    `value` is None where the kernel has no such setting, or does not show it. `wanted` is a value that fits (the
    present one if it does), `why` what it means here, `command` what to type to get it ("" if nothing is to do).
    `is_managed`: the engine sets it (policy.toml: manage_sysctl).
    """

    name: str
    value: str | None
    verdict: SettingVerdict
    wanted: str
    why: str
    command: str = ""
    is_managed: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionTimeouts:
    """How long the kernel keeps an idle connection, in seconds: TCP, TCP after a FIN, UDP."""

    tcp_s: int
    tcp_fin_s: int
    udp_s: int


@dataclass(frozen=True, slots=True)
class SyncDaemonStatus:
    """A daemon of connection sync that runs in the kernel: "master" tells the partner, "backup" listens to it."""

    role: str
    interface: str
    sync_id: int


@dataclass(frozen=True, slots=True)
class KernelStatus:
    """What the kernel tells beside its table. `problem`: why some of it is not known, or ""; that is None then."""

    ipvs_version: str
    connection_table_size: int | None
    timeouts: ConnectionTimeouts | None
    sync_daemons: tuple[SyncDaemonStatus, ...] | None
    settings: tuple[SettingStatus, ...]
    problem: str
    source: Source


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Everything CONTROL/MONITORING and `piranha status` show.

    `pending` is the difference between the data path's table and the desired one; `foreign` names what stands in the
    table and is not ours: it is never touched. `kernel` is None where the data path is not the kernel's.
    `confirmation` is the Apply that waits for its confirmation, None if none does; `stopped` says who stopped LVS, None
    if nobody did. `redundancy`: how failover stands, None where there is none. `part` says what was left out, None:
    nothing.
    """

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
    pending: tuple[PendingStep, ...] = ()
    foreign: tuple[str, ...] = ()
    addresses: tuple[AddressStatus, ...] = ()
    kernel: KernelStatus | None = None
    confirmation: ConfirmationStatus | None = None
    counts: Counts = NOTHING_COUNTED
    stopped: StoppedStatus | None = None
    role: RoleStatus = ONLY_ROUTER
    redundancy: RedundancyStatus | None = None
    part: StatusPart | None = None
