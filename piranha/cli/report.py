"""Status, plan, apply, a save and the history as text for a terminal."""

from collections.abc import Sequence

from piranha.cli.pair_lines import of_pair
from piranha.config.faults import Fault
from piranha.messages import ApplyAnswer, History, Plan, PlannedStep, SaveAnswer, VersionInfo
from piranha.router_status import Counts
from piranha.status import (
    AddressState,
    AddressStatus,
    ConfirmationStatus,
    EngineStatus,
    HealthState,
    KernelStatus,
    Rates,
    RunState,
    ServerStatus,
    SettingStatus,
    SettingVerdict,
    VirtualServerStatus,
)

_SIGN = {HealthState.UP: "up", HealthState.DOWN: "DOWN", HealthState.UNKNOWN: "unknown"}
_BRIEF_LINES = 60
_CHANGES_TOLD = 2
_HISTORY_HEADINGS = ("NUMBER", "TIME", "WHO", "FROM", "HOW", "SERIAL", "SHA-256", "", "CHANGES")
_UNCERTAIN = "? The engine was killed during this save, and the file was changed by hand before its next start:"
_HEADINGS = ("REAL SERVER", "ADDRESS", "HEALTH", "SINCE", "WEIGHT", "ACTIVE", "INACT", "TOTAL")
_RATE_HEADINGS = ("CONN/S", "PKT/S IN", "OUT", "BYTES/S IN", "OUT")
_STEPS_TOLD = 20
_SETTING_SIGN = {
    SettingVerdict.FITS: "ok",
    SettingVerdict.ADVISED: "better",
    SettingVerdict.WRONG: "WRONG",
    SettingVerdict.UNKNOWN: "unknown",
}


def of_status(status: EngineStatus) -> str:
    """Return the status as a person reads it."""
    state = "running" if status.state is RunState.RUNNING else "stopped"
    lines = [f"LVS is {state}{f': {status.reason}' if status.reason else ''} (data path: {status.data_path})"]
    config = status.config
    if config.problem:
        lines.append(f"lvs.cf: {config.problem}")
    elif not config.is_applied:
        lines.append("lvs.cf is not what runs: see `piranha plan`, then `piranha apply`.")
    else:
        lines.append(
            f"lvs.cf is what runs: serial_no {_or_dash(config.running_serial_no)}, {config.running_token[:12]}"
        )
    lines += map(plain, of_pair(status))
    lines += _of_confirmation(status.confirmation)
    lines += [f"! {message}" for message in status.messages]
    lines += [
        f"set by hand: {each.kind} {each.weight} for {each.scope}, by {each.who} {each.since}"
        f"{f', until {each.until}' if each.until else ''}"
        for each in status.overrides
    ]
    lines += _of_counts(status.counts)
    for virtual in status.virtual_servers:
        lines += ["", *_of_virtual(virtual)]
    lines += _of_difference(status)
    lines += _of_addresses(status.addresses)
    if status.kernel is not None:
        lines += ["", *_of_kernel(status.kernel)]
    lines += ["", f"as of {status.at}{_read_before(status)}"]
    return "\n".join(lines)


def _of_counts(counts: Counts) -> list[str]:
    """Return how many there are of each, where there is anything."""
    if not counts.virtual_servers:
        return []
    odd = {
        "down": counts.down,
        "not known": counts.unknown,
        "drained by hand": counts.drained,
        "not active": counts.inactive,
        "leaving": counts.leaving,
    }
    told = [f"{counts.up} up", *(f"{count} {word}" for word, count in odd.items() if count)]
    not_served = f" ({counts.not_served} not served)" if counts.not_served else ""
    virtual = "1 virtual server" if counts.virtual_servers == 1 else f"{counts.virtual_servers} virtual servers"
    servers = "1 real server" if counts.servers == 1 else f"{counts.servers} real servers"
    connections = "1 connection" if counts.connections == 1 else f"{counts.connections} connections"
    return [f"{virtual}{not_served}, {servers}: {', '.join(told)}; {connections}"]


def _of_confirmation(waits: ConfirmationStatus | None) -> list[str]:
    if waits is None:
        return []
    by = " from ".join(plain(word) for word in (waits.who, waits.from_address) if word)
    back = serial_of(waits.before_serial_no, waits.before_token) if waits.before_token else "nothing"
    if waits.problem:
        return [f"! Applied by {by or 'somebody'} and not confirmed: {back} runs again. {plain(waits.problem)}"]
    return [
        f"! Applied by {by or 'somebody'} at {waits.applied_at} and not confirmed yet: {waits.remaining_s:.0f} s are "
        f"left, until {waits.deadline}. `piranha confirm`, or {back} runs again."
    ]


def serial_of(serial_no: int | None, token: str) -> str:
    """Return a version in a few words."""
    return f"serial_no {_or_dash(serial_no)}, {token[:12]}"


def _read_before(status: EngineStatus) -> str:
    sources = [server.traffic.source for virtual in status.virtual_servers for server in virtual.servers]
    if not sources or sources[0].age_s is None:
        return ""
    return f", the table read {sources[0].age_s:.1f} s before ({sources[0].name})"


def _of_difference(status: EngineStatus) -> list[str]:
    """Return what the table has too little or too much, and what in it is not ours."""
    lines: list[str] = []
    if status.pending:
        lines += ["", "The table is not yet what it should be:"]
        lines += [
            f"  {each.step}{f' - REFUSED: {each.refused}' if each.refused else ''}"
            for each in status.pending[:_STEPS_TOLD]
        ]
        if len(status.pending) > _STEPS_TOLD:
            lines.append(f"  and {len(status.pending) - _STEPS_TOLD} more")
    if status.foreign:
        lines += ["", "In the kernel's table and not ours (never touched):"]
        lines += [f"  {each}" for each in status.foreign[:_STEPS_TOLD]]
        if len(status.foreign) > _STEPS_TOLD:
            lines.append(f"  and {len(status.foreign) - _STEPS_TOLD} more")
    return lines


def _of_addresses(addresses: Sequence[AddressStatus]) -> list[str]:
    """Return the floating addresses under the interfaces that carry them."""
    if not addresses:
        return []
    ordered = sorted(addresses, key=lambda each: each.device)
    lines, device = ["", "Floating addresses"], None
    for each, row in zip(ordered, aligned([_of_address(each) for each in ordered]), strict=True):
        if each.device != device:
            device = each.device
            lines.append(f"  on {device or 'no interface'}:")
        lines.append(f"    {row}")
    return lines


def _of_address(told: AddressStatus) -> tuple[str, ...]:
    is_fine = told.state in (AddressState.CARRIED, AddressState.WAS_THERE)
    mac = f" ({told.mac})" if told.mac else ""
    return (
        told.address or "-",
        told.label or told.device or "-",
        told.source or "of nobody any more",
        f"{told.state if is_fine else told.state.upper()}{mac}",
        told.sentence or "-",
    )


def _of_kernel(kernel: KernelStatus) -> list[str]:
    size = f", connection table of {kernel.connection_table_size}" if kernel.connection_table_size else ""
    lines = [f"Kernel: IPVS {kernel.ipvs_version or 'unknown'}{size}"]
    if kernel.problem:
        lines.append(f"  ! {kernel.problem}")
    if kernel.timeouts is not None:
        told = kernel.timeouts
        lines.append(f"  timeouts: tcp {told.tcp_s} s, tcpfin {told.tcp_fin_s} s, udp {told.udp_s} s")
    if kernel.sync_daemons is not None:
        running = [f"{each.role} on {each.interface}, id {each.sync_id}" for each in kernel.sync_daemons]
        lines.append(f"  sync daemons: {'; '.join(running) or 'none'}")
    lines += _indented(aligned([_of_setting(each) for each in kernel.settings]))
    if any(each.command and not each.is_managed for each in kernel.settings):
        lines.append("  (sysctl -w lasts until the next boot; a line NAME = VALUE in /etc/sysctl.d/*.conf keeps it.)")
    return lines


def _of_setting(told: SettingStatus) -> tuple[str, ...]:
    todo = f" Type: {told.command}" if told.command and not told.is_managed else ""
    managed = " (managed)" if told.is_managed else ""
    shown = "-" if told.value is None else told.value
    return told.name, shown, f"{_SETTING_SIGN[told.verdict]}{managed}", f"{told.why}{todo}"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _of_virtual(virtual: VirtualServerStatus) -> list[str]:
    where = (
        f"firewall mark {virtual.fwmark}" if virtual.fwmark else f"{virtual.protocol} {virtual.address}:{virtual.port}"
    )
    persistent = f", persistent {virtual.persistent_s} s" if virtual.persistent_s else ""
    configured = "" if virtual.is_active else " (configured: not active)"
    lines = [f"{virtual.name}  {where}  {virtual.scheduler}{persistent}{configured}"]
    if virtual.refused:
        lines.append(f"  NOT SERVED: {virtual.refused}")
    if virtual.differs:
        lines.append(f"  NOT AS lvs.cf ASKS: {virtual.differs}")
    if virtual.address_trouble:
        lines.append(f"  ADDRESS: {virtual.address_trouble}")
    if virtual.traffic is not None:
        lines.append(
            f"  now: {_rates_in_words(virtual.traffic.rates)}; total: {virtual.traffic.connections} connections"
        )
    has_rates = any(server.traffic.rates is not None for server in virtual.servers)
    headings = (*_HEADINGS, *(_RATE_HEADINGS if has_rates else ()), "WHY")
    rows = [headings, *(_of_server(server, has_rates) for server in virtual.servers)]
    return [*lines, *_indented(aligned(rows))]


def _rates_in_words(rates: Rates) -> str:
    return (
        f"{rates.connections} connections/s, in {rates.packets_in} packets/s and {rates.bytes_in} bytes/s, "
        f"out {rates.packets_out} packets/s and {rates.bytes_out} bytes/s"
    )


def _of_rates(rates: Rates | None) -> tuple[str, ...]:
    if rates is None:
        return ("-",) * len(_RATE_HEADINGS)
    told = (rates.connections, rates.packets_in, rates.packets_out, rates.bytes_in, rates.bytes_out)
    return tuple(map(str, told))


def _of_server(server: ServerStatus, has_rates: bool) -> tuple[str, ...]:
    traffic, health = server.traffic, server.health
    role = "" if server.role == "server" else f" ({server.role})"
    why = "; ".join(part for part in (health.reason, server.explanation) if part)
    return (
        f"{server.name}{role}",
        f"{server.address}:{server.port}",
        _SIGN[health.state] if server.is_active or server.role != "server" else "not active",
        health.since or "-",
        _or_dash(traffic.weight),
        str(traffic.active_connections),
        str(traffic.inactive_connections),
        str(traffic.connections),
        *(_of_rates(traffic.rates) if has_rates else ()),
        why or "-",
    )


def of_plan(plan: Plan) -> str:
    """Return a plan as a person reads it."""
    if plan.token == plan.running_token and not plan.steps:
        return "lvs.cf is what runs; there is nothing to apply."
    lines = [plan.diff.rstrip("\n")] if plan.diff else []
    lines += ["", "Steps:", *of_steps(plan.steps)]
    lines += _of_faults(plan.faults)
    for refusal in plan.refusals:
        lines.append(f"Apply will refuse: {refusal}")
    for refusal in plan.forcible:
        lines.append(f"Apply will refuse without --force: {refusal}")
    return "\n".join(lines).lstrip("\n")


def of_apply(answer: ApplyAnswer) -> str:
    """Return what an Apply did."""
    lines = [
        f"Applied: serial_no {_or_dash(answer.serial_no)}, {answer.token[:12]}",
        *of_steps(answer.steps),
    ]
    return "\n".join([*lines, *_of_faults(answer.faults)])


def of_save(answer: SaveAnswer, file: str, *, dry_run: bool, runs_after_apply: bool) -> str:
    """Return what a save did or, `dry_run`, would do, and what is left to do."""
    name = "lvs.cf" if runs_after_apply else file
    if not answer.changed:
        return f"Nothing was changed: {name} says that already."
    serial = f"serial_no {_or_dash(answer.serial_no)}"
    if dry_run:
        return f"Nothing was written (--dry-run). It would be {serial}."
    if not runs_after_apply:
        return f"{name} is saved, {serial}."
    return f"lvs.cf is saved, {serial}. What runs is unchanged until `piranha apply`."


def brief(diff: str) -> str:
    """Return the first lines of a diff, and how many more there are."""
    lines = diff.split("\n")
    more = len(lines) - _BRIEF_LINES
    if more <= _BRIEF_LINES // 10:  # a few lines more are shorter than the remark
        return diff
    return "\n".join([*lines[:_BRIEF_LINES], f"... and {more} more lines; --dry-run shows all of them beforehand."])


def of_history(history: History, versions: Sequence[VersionInfo]) -> str:
    """Return some versions of the history as a table, and what is to know about it."""
    rows = [_HISTORY_HEADINGS, *(_of_version(each, history) for each in versions)]
    lines = aligned(rows) if versions else ["No version is kept."]
    if any(not each.is_certain for each in versions):
        lines += [_UNCERTAIN, "  nobody knows whether this text ever was lvs.cf."]
    kept = {each.token for each in history.versions}
    if history.saved_token and history.saved_token not in kept:
        lines.append("lvs.cf as it stands is none of them: somebody wrote it by hand. It is kept at the next save.")
    if history.running_token and history.running_token not in kept:
        lines.append("What runs is none of them (any more).")
    if len(versions) < len(history.versions):
        lines.append(f"({len(history.versions) - len(versions)} older: -n {len(history.versions)} shows all)")
    if history.problem:
        lines.append(f"! {plain(history.problem)}")
    return "\n".join(lines)


def _of_version(version: VersionInfo, history: History) -> tuple[str, ...]:
    marks = [
        word
        for word, token in (("saved", history.saved_token), ("runs", history.running_token))
        if token == version.token
    ]
    more = len(version.changes) - _CHANGES_TOLD + version.more_changes
    changes = [*version.changes[:_CHANGES_TOLD], *([f"and {more} more"] if more > 0 else [])]
    return (
        f"{version.number}{'' if version.is_certain else '?'}",
        plain(version.at.replace("T", " ")),
        plain(version.who) or "-",
        plain(version.from_address) or "-",
        version.how,
        _or_dash(version.serial_no),
        version.token[:12],
        ", ".join(marks),
        "; ".join(map(plain, changes)) or "-",
    )


def plain(text: str) -> str:
    """Return a text as it may stand on one line of a terminal: whole, but with nothing invisible in it."""
    return (
        text
        if text.isprintable()
        else "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
    )


def of_steps(steps: Sequence[PlannedStep]) -> list[str]:
    """Return the steps that were taken, or would be, a line each."""
    if not steps:
        return ["  no step: the table stays as it is"]
    return [f"  {each.step}{f' ({each.impact})' if each.impact else ''}" for each in steps]


def _of_faults(faults: Sequence[Fault]) -> list[str]:
    return [fault.located("lvs.cf") for fault in faults]


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines whose columns stand below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
