"""What lvs.cf and piranha.toml say about the two routers, as pulse is told it. Thinks only.

Rule 1: without a second router this one is active as soon as there is something to balance; a backup that is marked
inactive runs nothing.
Rule 2: which of two routers this one is, its addresses say: it has that of `primary`, or that of `backup`. One that has
neither runs nothing and says why, since its partner would not believe its heartbeats.
"""

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from piranha.config.failover_settings import FailoverSettings
from piranha.config.model import Address, Cluster, Host, HostName, ServiceKind
from piranha.engine.role import address_of, has_backup
from piranha.ha.channels import ChannelName
from piranha.pulse.messages import ChannelRow, Configure

NOT_OURS = (
    "We are backup node and backup is marked inactive: this router runs nothing. "
    "With backup_active = 1 in the lvs.cf of both routers it takes part."
)


def configure_of(
    cluster: Cluster,
    resolved: Mapping[HostName, Address],
    here: Collection[Address],
    extra: FailoverSettings,
    number: int = 0,
) -> Configure:
    """Return what pulse is told. `here`: the addresses of this machine."""
    idle_reason = _idle_reason(cluster)
    told = Configure(
        number,
        not idle_reason,
        idle_reason,
        active_cmd=cluster.active_cmd or "",
        inactive_cmd=cluster.inactive_cmd or "",
    )
    primary, backup = (address_of(host, resolved) for host in (cluster.primary, cluster.backup))
    # Also where it runs nothing: its last heartbeats tell the role, and two of the same role are no pair.
    is_primary = primary in here or backup not in here
    told = replace(told, is_primary=is_primary)
    if not has_backup(cluster):
        return told if is_primary else replace(told, runs=False, idle_reason=idle_reason or NOT_OURS)
    problem = _problem(cluster, primary, backup, here)
    if primary is None or backup is None or problem:
        return replace(told, runs=False, idle_reason=idle_reason or problem)
    keepalive_s, deadtime_s = extra.times(cluster.keepalive_s, cluster.deadtime_s)
    if deadtime_s <= keepalive_s:
        problem = f"deadtime ({deadtime_s:g} s) must be longer than keepalive ({keepalive_s:g} s)."
        return replace(told, runs=False, idle_reason=idle_reason or problem)
    ways = {ChannelName.PUBLIC: (primary, backup)}
    private = tuple(
        address_of(host, resolved) for host in (cluster.effective_primary_private, cluster.effective_backup_private)
    )
    if private[0] is not None and private[1] is not None and private != (primary, backup):
        ways[ChannelName.PRIVATE] = private[0], private[1]
    return replace(
        told,
        is_alone=False,
        partner=str(cluster.backup if is_primary else cluster.primary),
        port=cluster.heartbeat_port,
        channels=tuple(
            ChannelRow(name, *(str(each) for each in (pair if is_primary else reversed(pair))))
            for name, pair in ways.items()
        ),
        keepalive_s=keepalive_s,
        deadtime_s=deadtime_s,
        monitors_links=cluster.monitors_links,
        partner_is_original=extra.partner == "original",
        fails_back=extra.failback == "auto",
        failback_after_s=extra.failback_after_s,
        syncs=cluster.runs_sync_daemon,
    )


def _idle_reason(cluster: Cluster) -> str:
    if cluster.service is ServiceKind.FOS:
        return "service = fos: failover services are kept and shown, this engine does not run them."
    return "" if cluster.active_virtual_servers else "There is no active virtual server."


def _problem(cluster: Cluster, primary: Address | None, backup: Address | None, here: Collection[Address]) -> str:
    for keyword, host, address in (("primary", cluster.primary, primary), ("backup", cluster.backup, backup)):
        if address is None:
            return f"Which router is the {keyword} is not known ({_unknown(host)}), so this one stays passive."
    if primary == backup:
        return f"primary and backup are the same address ({primary}), so this router stays passive. Correct lvs.cf."
    if primary in here or backup in here:
        return ""
    return (
        f"This router has neither the address of the primary ({primary}) nor that of the backup ({backup}), "
        "so it stays passive. Correct primary and backup in lvs.cf, or give it its address."
    )


def _unknown(host: Host | None) -> str:
    return f"the name {host} was not found" if host else "lvs.cf does not say it"
