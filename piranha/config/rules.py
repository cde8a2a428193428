"""Everything that is wrong with an lvs.cf, all at once (reference 3.3): lines, values, and combinations of them.

Rule 1: an *error* cannot be run safely, a *warning* runs but probably not as meant, a *note* is worth knowing.
Rule 2: an error stops an Apply only where it would be run: in an active block, or in a setting that is in force; but
        one that leaves in doubt which block the lines around it belong to stops it wherever it stands.
"""

from piranha.config import brace_rules, family_rules, line_rules, service_rules
from piranha.config.document import Document
from piranha.config.faults import Fault, Severity, in_file_order
from piranha.config.fields import Scope, field
from piranha.config.findings import Findings
from piranha.config.model import Cluster, Forwarding, ServiceKind
from piranha.config.values import shown


def faults_of(document: Document, cluster: Cluster) -> tuple[Fault, ...]:
    """Return every fault of a document and of the cluster bound from it, in file order."""
    findings = Findings(document, cluster)
    line_rules.find(findings)
    brace_rules.find(findings)
    _routers(findings)
    _floating(findings)
    family_rules.find_of_routers(findings)
    _heartbeats(findings)
    _network(findings)
    _remote_shell(findings)
    _shared_disks(findings)
    _kinds(findings)
    service_rules.find(findings)
    return in_file_order(findings.faults)


_SERVICES = {Scope.VIRTUAL: ServiceKind.LVS, Scope.FAILOVER: ServiceKind.FOS}
_BACKUP = "Set backup and backup_active = 1, or write 0 here."


def _routers(findings: Findings) -> None:
    cluster, root = findings.cluster, findings.document.root
    has_primary = root.effective("primary") is not None
    if not has_primary and (cluster.virtual_servers or cluster.is_backup_active):
        message = "No primary router is named; no router knows its role."
        findings.say(
            Severity.WARNING, "no-primary", root, "", message, "Set primary to the primary router's real address."
        )
    if cluster.is_backup_active and cluster.backup is None:
        message = "There is no backup address, so there is no failover, whatever backup_active says."
        findings.say(Severity.WARNING, "no-backup", root, "backup_active", message, "Set backup, or backup_active = 0.")
    if cluster.primary is not None and cluster.primary == cluster.backup:
        message = "primary and backup are the same address."
        findings.say(Severity.ERROR, "same-routers", root, "backup", message, "Each router has an address of its own.")
    if cluster.primary_private is not None and cluster.primary_private == cluster.backup_private:
        message = "primary_private and backup_private are the same address."
        advice = "Each router has an address of its own."
        findings.say(Severity.ERROR, "same-routers", root, "backup_private", message, advice)
    if cluster.backup_private is not None and cluster.primary_private is None:
        message = f"backup_private without primary_private has no effect; {cluster.effective_backup_private} is used."
        findings.say(Severity.WARNING, "one-private", root, "backup_private", message, "Set both, or neither.")
    if cluster.primary_private is not None and cluster.backup_private is None and cluster.backup is not None:
        message = "primary_private without backup_private: there is no second heartbeat channel."
        findings.say(Severity.WARNING, "one-private", root, "primary_private", message, "Set both, or neither.")
    if cluster.primary_private is not None and cluster.backup_private is None and cluster.backup is None:
        message = "primary_private has no effect without a backup router."
        advice = "Set backup and backup_private, or remove it."
        findings.say(Severity.NOTE, "needs-backup", root, "primary_private", message, advice)


def _floating(findings: Findings) -> None:
    """Find floating addresses that are a router's own: it would lose that address at a failover."""
    cluster, root = findings.cluster, findings.document.root
    routers = {cluster.primary, cluster.backup, cluster.primary_private, cluster.backup_private} - {None}
    router = cluster.nat_router if cluster.forwarding is Forwarding.NAT else None
    # Without a partner nothing moves: there the router's own address may well be the gateway.
    if router is not None and router.host in routers and findings.awaits_partner():
        message = f"{router.host} is a router's own address; the NAT router's must be a floating one."
        findings.say(Severity.WARNING, "not-floating", root, "nat_router", message, "Choose another address.")
    for virtual, block in service_rules.virtual_blocks(findings):
        if virtual.is_active and virtual.address is not None and virtual.address.host in routers:
            message = f"{virtual.address.host} is a router's own address; a virtual IP address must be a floating one."
            findings.say(Severity.WARNING, "not-floating", block, "address", message, "Choose another address.")


def _heartbeats(findings: Findings) -> None:
    cluster, root = findings.cluster, findings.document.root
    keepalive, deadtime = cluster.keepalive_s, cluster.deadtime_s
    if 1 <= deadtime <= keepalive:
        severity = Severity.ERROR if findings.awaits_partner() else Severity.WARNING
        message = (
            f"deadtime ({deadtime}) is not longer than keepalive ({keepalive}): "
            "the partner would look dead between two heartbeats."
        )
        keyword = "deadtime" if root.effective("deadtime") else "keepalive"
        findings.say(severity, "short-deadtime", root, keyword, message, "Make deadtime at least twice keepalive.")
    elif 1 <= deadtime < 2 * keepalive and cluster.is_backup_active:
        message = f"deadtime ({deadtime}) is less than twice keepalive ({keepalive}): one lost heartbeat is a failover."
        keyword = "deadtime" if root.effective("deadtime") else "keepalive"
        findings.say(
            Severity.WARNING, "short-deadtime", root, keyword, message, "Make deadtime at least twice keepalive."
        )
    if cluster.monitors_links and not cluster.is_backup_active:
        message = "monitor_links has no effect without a backup router."
        findings.say(Severity.NOTE, "needs-backup", root, "monitor_links", message, _BACKUP)
    if cluster.runs_sync_daemon and not cluster.is_backup_active:
        message = "The sync daemon has nobody to send to without a backup router."
        findings.say(Severity.NOTE, "needs-backup", root, "syncdaemon", message, _BACKUP)


def _network(findings: Findings) -> None:
    cluster, root = findings.cluster, findings.document.root
    if not cluster.virtual_servers:
        return
    if root.effective("network") is None:
        message = "network is not set, which means NAT; old GUIs showed Direct Routing."
        findings.say(Severity.NOTE, "no-network", root, "", message, "Write network = nat, or what is meant.")
    has_router = root.effective("nat_router") is not None
    if cluster.forwarding is not Forwarding.NAT:
        if has_router:
            message = f"nat_router has no effect: network is {cluster.forwarding}."
            findings.say(Severity.NOTE, "needs-nat", root, "nat_router", message, "Remove it, or write network = nat.")
    elif service_rules.is_zero(root, "nat_router"):
        message = "nat_router is 0.0.0.0, which is no address."
        findings.say(Severity.WARNING, "no-nat-router", root, "nat_router", message, "Set the NAT router's address.")
    elif not has_router and findings.awaits_partner():
        message = "network is NAT and there is no nat_router: nothing is the real servers' gateway after a failover."
        advice = "Set the NAT router's address and device."
        findings.say(Severity.WARNING, "no-nat-router", root, "network", message, advice)
    elif not has_router:
        message = "network is NAT and there is no nat_router: this router's own address is the real servers' gateway."
        advice = "Set it there as the default gateway; with a backup router, set nat_router."
        findings.say(Severity.NOTE, "no-nat-router", root, "network", message, advice)


def _remote_shell(findings: Findings) -> None:
    """Find a remote shell that nobody knows, where a virtual server asks for the load with it."""
    cluster, root = findings.cluster, findings.document.root
    row = field(Scope.GLOBAL, "rsh_command")
    assert row is not None
    if any(choice.value == cluster.rsh_command for choice in row.choices):
        return
    if any(virtual.load_monitor == "uptime" for virtual in cluster.virtual_servers):
        message = f'"{shown(cluster.rsh_command)}" is no remote shell command known here.'
        advice = f"Known are {' and '.join(choice.value for choice in row.choices)}."
        findings.say(Severity.WARNING, "own-remote-shell", root, "rsh_command", message, advice)


def _shared_disks(findings: Findings) -> None:
    root = findings.document.root
    primary, backup = root.effective("primary_shared"), root.effective("backup_shared")
    if (primary is None) != (backup is None):
        message = "A shared disk needs both primary_shared and backup_shared."
        keyword = "primary_shared" if backup is None else "backup_shared"
        findings.say(Severity.WARNING, "one-shared-disk", root, keyword, message, "Set both, or neither.")
    elif primary is not None and root.effective("reservation_conflict_action") is None:
        message = "A shared disk without reservation_conflict_action: the original crashes at a conflict."
        findings.say(
            Severity.WARNING, "no-conflict-action", root, "primary_shared", message, "Set it to nothing or preempt."
        )


def _kinds(findings: Findings) -> None:
    """Find that nothing is in force, or that active blocks of the other kind are not."""
    cluster, document = findings.cluster, findings.document
    if cluster.service is ServiceKind.FOS:
        message = "service is fos; failover services are kept and not run by this program."
        advice = "Write service = lvs to run the virtual servers."
        findings.say(Severity.WARNING, "fos-not-run", document.root, "service", message, advice)
    selected = Scope.VIRTUAL if cluster.service is ServiceKind.LVS else Scope.FAILOVER
    if not any(findings.is_in_force(block) for block in document.root.blocks if block.scope is selected):
        message = f"No {selected} block is active; there is nothing to run."
        findings.say(Severity.WARNING, "nothing-active", document.root, "service", message, "Activate one.")
    active = [each.id for each in cluster.virtual_servers if each.is_active]
    active += [each.id for each in cluster.failover_services if each.is_active]
    for path in active:
        block = service_rules.block_of(findings, path)
        if block.scope is not selected:
            message = f"service is {cluster.service}: this {block.scope} block is not in force."
            advice = f"Write service = {_SERVICES[block.scope]} to run it, or active = 0."
            findings.say(Severity.NOTE, "not-in-force", block, "", message, advice)
