"""What load and slow start make of the weights, as the status tells it."""

from collections.abc import Mapping
from dataclasses import replace

from piranha.config.model import RealServerKey
from piranha.engine.parts import Pick, real_server_key
from piranha.health.tuning import Tuned, ends_at
from piranha.status import HealthState, LoadStatus, ServerStatus, SlowStartStatus, Source, VirtualServerStatus


def with_tuning(
    told: VirtualServerStatus, pick: Pick, tuned: Mapping[RealServerKey, Tuned], now: float
) -> VirtualServerStatus:
    """Return a virtual server's status with load and slow start of its real servers. `now` is monotonic seconds."""
    virtual = pick.virtual
    if virtual is None or not virtual.is_active:
        return told
    monitor = (virtual.load_monitor or "none").strip() or "none"
    found: dict[str, Tuned] = {}
    for server in pick.servers:
        key = real_server_key(virtual, server) if server.is_active else None
        known = tuned.get(key) if key is not None else None
        if known is not None and (known.is_starting or monitor != "none"):
            found[server.id] = known
    if not found:
        return told
    servers = (
        _of_server(server, found[server.path], monitor, now) if server.path in found else server
        for server in told.servers
    )
    return replace(told, servers=tuple(servers))


def _of_server(told: ServerStatus, tuned: Tuned, monitor: str, now: float) -> ServerStatus:
    is_up = told.health.state is HealthState.UP
    load = None
    words = [told.explanation] if told.explanation else []
    if monitor != "none":
        age_s = None if tuned.heard_at is None else max(0.0, now - tuned.heard_at)
        load = LoadStatus(tuned.load, tuned.by_load, tuned.problem, Source(monitor, age_s))
        if is_up:
            words.append(_in_words(load))
    starts = None
    if is_up and (over_at := ends_at(tuned)) is not None:
        starts = SlowStartStatus(tuned.weight, max(0.0, over_at - now))
    return replace(told, load=load, slow_start=starts, explanation="; ".join(words))


def _in_words(load: LoadStatus) -> str:
    if load.load is None:
        return f"load not known: {load.problem}" if load.problem else f"load not known yet ({load.source.name})"
    return f"load {load.load:g} ({load.source.name})" + (
        f"; last asked in vain: {load.problem}" if load.problem else ""
    )
