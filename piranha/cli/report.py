"""Status, plan and apply as text for a terminal."""

from collections.abc import Sequence

from piranha.config.faults import Fault
from piranha.messages import ApplyAnswer, Plan, PlannedStep
from piranha.status import EngineStatus, HealthState, RunState, ServerStatus, VirtualServerStatus

_SIGN = {HealthState.UP: "up", HealthState.DOWN: "DOWN", HealthState.UNKNOWN: "unknown"}
_HEADINGS = ("REAL SERVER", "ADDRESS", "HEALTH", "SINCE", "WEIGHT", "ACTIVE", "INACT", "TOTAL", "WHY")


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
    lines += [f"! {message}" for message in status.messages]
    lines += [
        f"set by hand: {each.kind} {each.weight} for {each.scope}, by {each.who} {each.since}"
        for each in status.overrides
    ]
    for virtual in status.virtual_servers:
        lines += ["", *_of_virtual(virtual)]
    lines += ["", f"as of {status.at}"]
    return "\n".join(lines)


def _of_virtual(virtual: VirtualServerStatus) -> list[str]:
    where = (
        f"firewall mark {virtual.fwmark}" if virtual.fwmark else f"{virtual.protocol} {virtual.address}:{virtual.port}"
    )
    persistent = f", persistent {virtual.persistent_s} s" if virtual.persistent_s else ""
    configured = "" if virtual.is_active else " (configured: not active)"
    lines = [f"{virtual.name}  {where}  {virtual.scheduler}{persistent}{configured}"]
    if virtual.refused:
        lines.append(f"  NOT SERVED: {virtual.refused}")
    rows = [_HEADINGS, *(_of_server(server) for server in virtual.servers)]
    return lines + [f"  {row}" for row in _aligned(rows)]


def _of_server(server: ServerStatus) -> tuple[str, ...]:
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
        why or "-",
    )


def of_plan(plan: Plan) -> str:
    """Return a plan as a person reads it."""
    if plan.token == plan.running_token and not plan.steps:
        return "lvs.cf is what runs; there is nothing to apply."
    lines = [plan.diff.rstrip("\n")] if plan.diff else []
    lines += ["", "Steps:", *_of_steps(plan.steps)]
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
        *_of_steps(answer.steps),
    ]
    return "\n".join([*lines, *_of_faults(answer.faults)])


def _of_steps(steps: Sequence[PlannedStep]) -> list[str]:
    if not steps:
        return ["  no step: the table stays as it is"]
    return [f"  {each.step}{f' ({each.impact})' if each.impact else ''}" for each in steps]


def _of_faults(faults: Sequence[Fault]) -> list[str]:
    return [fault.located("lvs.cf") for fault in faults]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
