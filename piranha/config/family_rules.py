"""Rules of IPv4 and IPv6 together: what of one virtual server, or of the two routers, must be of one family."""

from ipaddress import IPv4Address, IPv6Address

from piranha.config.blocks import Block
from piranha.config.faults import Severity
from piranha.config.findings import Findings
from piranha.config.model import Forwarding, Host, VirtualServer

_NAMES: dict[type, str] = {IPv4Address: "IPv4", IPv6Address: "IPv6"}


def find(findings: Findings, virtual: VirtualServer, block: Block) -> None:
    """Find addresses of a virtual server that are not of its virtual IP address's family. Names have none yet."""
    if virtual.address is None or isinstance(virtual.address.host, str):
        return
    family = type(virtual.address.host)
    if family is IPv6Address:
        _masks(findings, virtual, block)
    cluster = findings.cluster
    if cluster.forwarding is Forwarding.TUNNEL and not cluster.runs_sync_daemon:
        return  # Linux 3.18 and later carry one family in tunnels of the other, but cannot tell the partner of it
    for server, inner in zip(virtual.servers, block.blocks, strict=True):
        address = server.address
        if type(address) is not family and address is not None and not isinstance(address, str):
            _say(findings, inner, "address", address, family)
    if virtual.sorry_server is not None and family is IPv6Address:
        _say(findings, block, "sorry_server", virtual.sorry_server, family)


def find_of_routers(findings: Findings) -> None:
    """Find routers that cannot hear each other, because their addresses are of two families."""
    cluster, root = findings.cluster, findings.document.root
    severity = Severity.ERROR if findings.awaits_partner() else Severity.WARNING
    pairs = [
        ("primary", cluster.primary, "backup", cluster.backup),
        ("primary_private", cluster.primary_private, "backup_private", cluster.backup_private),
    ]
    for one, first, other, second in pairs:
        if _is_mixed(first, second):
            message = f"{one} and {other} are of two families, IPv4 and IPv6: no heartbeat gets from one to the other."
            findings.say(severity, "mixed-families", root, other, message, "Write two addresses of the same family.")


def _is_mixed(first: Host | None, second: Host | None) -> bool:
    if first is None or second is None or isinstance(first, str) or isinstance(second, str):
        return False
    return first.version != second.version


def _masks(findings: Findings, virtual: VirtualServer, block: Block) -> None:
    for keyword, mask in (("vip_nmask", virtual.vip_nmask), ("pmask", virtual.pmask)):
        if mask is not None:
            message = f"{keyword} is an IPv4 netmask; it has no effect on an IPv6 address."
            findings.say(Severity.WARNING, "mask-with-ipv6", block, keyword, message, "Remove it.")


def _say(findings: Findings, block: Block, keyword: str, address: Host, family: type) -> None:
    own, wanted = _NAMES[type(address)], _NAMES[family]
    why = "only tunnels carry one family in the other"
    if findings.cluster.forwarding is Forwarding.TUNNEL:
        why = "tunnels carry one family in the other only without the sync daemon"
    message = f"{address} is an {own} address, and the virtual IP address is {wanted}: {why}."
    findings.say(Severity.ERROR, "mixed-families", block, keyword, message, f"Write an {wanted} address.")
