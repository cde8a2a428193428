"""Status, plan, apply, a save and the history as text for a terminal."""

from collections.abc import Sequence

from piranha.config.faults import Fault
from piranha.messages import ApplyAnswer, History, Plan, PlannedStep, SaveAnswer, VersionInfo
from piranha.status import EngineStatus, HealthState, RunState, ServerStatus, VirtualServerStatus

_SIGN = {HealthState.UP: "up", HealthState.DOWN: "DOWN", HealthState.UNKNOWN: "unknown"}
_BRIEF_LINES = 60
_CHANGES_TOLD = 2
_HISTORY_HEADINGS = ("NUMBER", "TIME", "WHO", "FROM", "HOW", "SERIAL", "SHA-256", "", "CHANGES")
_UNCERTAIN = "? The engine was killed during this save, and the file was changed by hand before its next start:"
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
    lines = _aligned(rows) if versions else ["No version is kept."]
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
