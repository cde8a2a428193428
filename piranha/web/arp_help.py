"""What every real server needs with direct routing, ready to be copied there (manual 1.4.2.1, 3.2).

A real server takes packets for the virtual IP and must not answer ARP requests for it. Cure 1 gives it the address and
keeps it silent, by two settings or by arptables; cure 2 redirects what is addressed to the virtual IP to itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from piranha.config.model import Address, Cluster, VirtualServer
from piranha.web.texts import _

VIPS_SHOWN = 20
SERVERS_SHOWN = 50
"""Real servers of one address for which rules are written out."""


@dataclass(frozen=True, slots=True)
class Cures:
    """The commands for one virtual IP address, a line each. `names`: the virtual servers that have it.

    `arptables` has rules for each real server under a comment with its name; IPv6 knows no ARP, so it is empty there.
    """

    vip: str
    names: tuple[str, ...]
    silent: tuple[str, ...]
    arptables: tuple[str, ...]
    redirect: tuple[str, ...]


def cures_of(cluster: Cluster, path: str = "") -> list[Cures]:
    """Return the cures for each virtual IP address of a cluster, or for that of one virtual server alone."""
    sharing: dict[Address, list[VirtualServer]] = {}
    for virtual in cluster.virtual_servers:
        host = virtual.address.host if virtual.address is not None else None
        if host is not None and not isinstance(host, str):
            sharing.setdefault(host, []).append(virtual)
    return [
        _cures(vip, virtuals)
        for vip, virtuals in sharing.items()
        if not path or any(virtual.id == path for virtual in virtuals)
    ]


def _cures(vip: Address, virtuals: list[VirtualServer]) -> Cures:
    has_arp = vip.version == 4
    on_loopback = f"ip addr add {vip}/{vip.max_prefixlen} dev lo"
    settings = "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"
    return Cures(
        str(vip),
        tuple(dict.fromkeys(virtual.name for virtual in virtuals)),
        (on_loopback, settings) if has_arp else (on_loopback,),
        tuple(_arptables(vip, on_loopback, virtuals)) if has_arp else (),
        tuple(dict.fromkeys(_redirects(vip, virtuals))),
    )


def _arptables(vip: Address, on_loopback: str, virtuals: Iterable[VirtualServer]) -> Iterator[str]:
    servers = {
        server.address: server.name
        for virtual in virtuals
        for server in virtual.servers
        if server.address is not None and not isinstance(server.address, str)
    }
    for address, name in list(servers.items())[:SERVERS_SHOWN]:
        yield f"# {name}"
        yield on_loopback
        yield f"arptables -A INPUT -d {vip} -j DROP"
        yield f"arptables -A OUTPUT -s {vip} -j mangle --mangle-ip-s {address}"
    if len(servers) > SERVERS_SHOWN:
        yield "# " + _("and the same on %(count)s more, each with its own address", count=len(servers) - SERVERS_SHOWN)


def _redirects(vip: Address, virtuals: Iterable[VirtualServer]) -> Iterator[str]:
    program = "iptables" if vip.version == 4 else "ip6tables"
    for virtual in virtuals:
        yield f"{program} -t nat -A PREROUTING -p {virtual.protocol} -d {vip} --dport {virtual.port} -j REDIRECT"
        if virtual.fwmark:
            yield f"# and the same for every other port that gets firewall mark {virtual.fwmark}"
