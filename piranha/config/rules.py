"""Everything that is wrong with an lvs.cf, all at once (reference 3.3): lines, values, and combinations of them.

Rule 1: an *error* cannot be run safely, a *warning* runs but probably not as meant, a *note* is worth knowing.
Rule 2: an error stops an Apply only where it would be run: in an active block, or in a setting that is in force.
"""

from piranha.config import line_rules, service_rules
from piranha.config.document import Document
from piranha.config.faults import Fault, Severity, in_file_order
from piranha.config.fields import Scope
from piranha.config.findings import Findings
from piranha.config.model import Cluster, Forwarding, ServiceKind


def faults_of(document: Document, cluster: Cluster) -> tuple[Fault, ...]:
    """Return every fault of a document and of the cluster bound from it, in file order."""
    findings = Findings(document, cluster)
    line_rules.find(findings)
    _routers(findings)
    _heartbeats(findings)
    _network(findings)
    _shared_disks(findings)
    _kinds(findings)
    service_rules.find(findings)
    return in_file_order(findings.faults)


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
    if cluster.backup_private is not None and cluster.primary_private is None:
        message = f"backup_private without primary_private has no effect; {cluster.effective_backup_private} is used."
        findings.say(Severity.WARNING, "one-private", root, "backup_private", message, "Set both, or neither.")
    if cluster.primary_private is not None and cluster.backup_private is None and cluster.backup is not None:
        message = "primary_private without backup_private: there is no second heartbeat channel."
        findings.say(Severity.WARNING, "one-private", root, "primary_private", message, "Set both, or neither.")
    routers = {cluster.primary, cluster.backup} - {None}
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
        findings.say(Severity.NOTE, "needs-backup", root, "monitor_links", message, "")


def _network(findings: Findings) -> None:
    cluster, root = findings.cluster, findings.document.root
    if not cluster.virtual_servers:
        return
    if root.effective("network") is None:
        message = "network is not set, which means NAT; old GUIs showed Direct Routing."
        findings.say(Severity.NOTE, "no-network", root, "", message, "Set network.")
    if cluster.forwarding is Forwarding.NAT and root.effective("nat_router") is None:
        message = "network is NAT and there is no nat_router: nothing is the real servers' gateway after a failover."
        findings.say(
            Severity.WARNING, "no-nat-router", root, "network", message, "Set the NAT router's address and device."
        )
    router = root.effective("nat_router")
    if cluster.forwarding is Forwarding.NAT and router is not None and (router.value or "").startswith("0.0.0.0"):
        message = "nat_router is 0.0.0.0, which is no address."
        findings.say(Severity.WARNING, "no-nat-router", root, "nat_router", message, "Set the NAT router's address.")


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
            findings.say(Severity.NOTE, "not-in-force", block, "", message, "")
