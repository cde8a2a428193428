"""The kernel's settings that decide whether packets pass: which of them fit the cluster that runs, and what to type.

WRONG is what keeps clients from being served, ADVISED what harms some of them, or in some networks only.

Sources: the kernel's Documentation/networking/ip-sysctl.rst, ipvs-sysctl.rst and nf_conntrack-sysctl.rst.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from piranha.config.model import Cluster, Forwarding
from piranha.status import SettingStatus, SettingVerdict

FORWARD = "net.ipv4.ip_forward"
FORWARD_6 = "net.ipv6.conf.all.forwarding"
REVERSE_PATH = "net.ipv4.conf.all.rp_filter"
CONNTRACK = "net.ipv4.vs.conntrack"
EXPIRE_NODEST = "net.ipv4.vs.expire_nodest_conn"
EXPIRE_TEMPLATE = "net.ipv4.vs.expire_quiescent_template"
TRACKED_MAX = "net.netfilter.nf_conntrack_max"
TRACKED = "net.netfilter.nf_conntrack_count"

NAMES = (FORWARD, FORWARD_6, REVERSE_PATH, CONNTRACK, EXPIRE_NODEST, EXPIRE_TEMPLATE, TRACKED_MAX, TRACKED)
"""The settings that are looked at; those of single devices come besides."""

CHANGED = frozenset({FORWARD, FORWARD_6, REVERSE_PATH, EXPIRE_NODEST, EXPIRE_TEMPLATE})
"""The settings that the engine changes where policy.toml says `manage_sysctl = true`; no other one ever."""

_FITS, _ADVISED, _WRONG, _UNKNOWN = (
    SettingVerdict.FITS,
    SettingVerdict.ADVISED,
    SettingVerdict.WRONG,
    SettingVerdict.UNKNOWN,
)
_STRICT = "1"
_DEVICES_TOLD = 4
_NEARLY_FULL = 0.9
_NO_IPVS = "IPVS is not loaded, so the kernel has no such setting. Load it as root: modprobe ip_vs."


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """What was read: each of NAMES with its text, or None if it is not there; rp_filter of each device too."""

    values: Mapping[str, str | None]
    reverse_paths: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Use:
    """What a cluster makes of the kernel, as far as its settings go. Nothing active: nothing is used.

    `expires_templates`: a persistent virtual server keeps failing real servers in the table with weight 0.
    """

    forwarding: Forwarding = Forwarding.NAT
    has_ipv4: bool = False
    has_ipv6: bool = False
    is_persistent: bool = False
    expires_templates: bool = False

    @property
    def is_any(self) -> bool:
        """Say whether anything runs."""
        return self.has_ipv4 or self.has_ipv6


def use_of(cluster: Cluster) -> Use:
    """Return what the active virtual servers use. A host name counts as IPv4, a mark as what its real servers are."""
    versions: set[int] = set()
    for virtual in cluster.active_virtual_servers:
        hosts = [server.address for server in virtual.servers if server.is_active]
        if not virtual.fwmark and virtual.address is not None:
            hosts.append(virtual.address.host)
        versions |= {4 if host is None or isinstance(host, str) else host.version for host in hosts}
    persistent = [virtual for virtual in cluster.active_virtual_servers if virtual.persistent_s]
    return Use(
        cluster.forwarding,
        4 in versions,
        6 in versions,
        bool(persistent),
        any(virtual.quiesces for virtual in persistent),
    )


def judged(found: KernelSettings, use: Use, *, is_managed: bool = False) -> tuple[SettingStatus, ...]:
    """Return each setting with its verdict. `is_managed`: the engine sets those of CHANGED itself."""
    rows = [_forward(FORWARD, found, use.has_ipv4 and use.forwarding is Forwarding.NAT, "IPv4")]
    if use.has_ipv6:
        rows.append(_forward(FORWARD_6, found, use.forwarding is Forwarding.NAT, "IPv6"))
    rows += [
        _reverse_path(found, use),
        _expire_nodest(found, use),
        _expire_template(found, use),
        _conntrack(found),
        _tracked(found),
    ]
    if not is_managed:
        return tuple(rows)
    return tuple(
        SettingStatus(each.name, each.value, each.verdict, each.wanted, each.why, each.command, True)
        if each.name in CHANGED
        else each
        for each in rows
    )


def to_set(found: KernelSettings, use: Use) -> tuple[tuple[str, str], ...]:
    """Return what is to be set, as (name, value), so that everything fits. Nothing used: nothing."""
    return tuple((each.name, each.wanted) for each in judged(found, use) if each.command and each.name in CHANGED)


def _forward(name: str, found: KernelSettings, is_needed: bool, version: str) -> SettingStatus:
    value = found.values.get(name)
    if not is_needed:
        why = f"What runs does not need it: the router forwards {version} for NAT only."
        return SettingStatus(name, value, _FITS, value or "", why)
    if value is None:
        return SettingStatus(name, None, _UNKNOWN, "1", f"It cannot be read; NAT needs {version} forwarding.")
    if value == "1":
        return SettingStatus(name, value, _FITS, "1", "NAT: the router forwards the answers of real servers.")
    why = f"NAT: the router must forward {version}, or no client gets an answer."
    return _unfit(name, value, _WRONG, "1", why)


def _reverse_path(found: KernelSettings, use: Use) -> SettingStatus:
    for_all = found.values.get(REVERSE_PATH)
    if for_all is None:
        return SettingStatus(REVERSE_PATH, None, _UNKNOWN, "", "It cannot be read.")
    # The kernel takes the greater of the two for each device; 2 (loose) is greater than 1 (strict).
    in_force = {device: max(for_all, each) for device, each in found.reverse_paths.items() if device != "lo"}
    strict = [device for device, value in in_force.items() if value == _STRICT]
    value = for_all if not strict else f"{for_all} (strict on {_some(strict)})"
    if not strict or not use.is_any:
        return SettingStatus(REVERSE_PATH, value, _FITS, for_all, "No packet is dropped for where it came in.")
    if use.forwarding is Forwarding.NAT:
        why = "Strict, which goes with NAT as long as clients come in where the way back to them leads."
        return SettingStatus(REVERSE_PATH, value, _FITS, for_all, why)
    what = "Direct routing" if use.forwarding is Forwarding.DIRECT else "Tunneling"
    why = (
        f"{what}: strict checking drops packets that come in elsewhere than the way back to the client leads, and "
        "those for a router that is a real server too."
    )
    return _unfit(REVERSE_PATH, value, _ADVISED, "2", why)


def _expire_nodest(found: KernelSettings, use: Use) -> SettingStatus:
    value = found.values.get(EXPIRE_NODEST)
    if value is None:
        return SettingStatus(EXPIRE_NODEST, None, _UNKNOWN, "1", _NO_IPVS)
    if value != "0" or not use.is_any:
        why = "Connections of a real server that was taken out end with their next packet."
        if value == "0":
            why = "Connections of a real server that was taken out would hang; nothing runs."
        return SettingStatus(EXPIRE_NODEST, value, _FITS, value, why)
    why = (
        "Connections of a real server that was taken out hang until the client gives up; with 1 their next packet "
        "ends them, and the client can connect anew."
    )
    return _unfit(EXPIRE_NODEST, value, _ADVISED, "1", why)


def _expire_template(found: KernelSettings, use: Use) -> SettingStatus:
    value = found.values.get(EXPIRE_TEMPLATE)
    if value is None:
        return SettingStatus(EXPIRE_TEMPLATE, None, _UNKNOWN, "1", _NO_IPVS)
    if value != "0" or not use.is_persistent:
        why = "Persistent clients leave a real server of weight 0 with their next connection."
        if value == "0":
            why = "No virtual server that runs is persistent."
        return SettingStatus(EXPIRE_TEMPLATE, value, _FITS, value, why)
    if use.expires_templates:
        why = "Persistent clients go on being sent to a real server that failed (quiesce_server = 1)."
        return _unfit(EXPIRE_TEMPLATE, value, _WRONG, "1", why)
    why = "Persistent clients go on being sent to a real server that is drained or has weight 0."
    return _unfit(EXPIRE_TEMPLATE, value, _ADVISED, "1", why)


def _conntrack(found: KernelSettings) -> SettingStatus:
    value = found.values.get(CONNTRACK)
    if value is None and found.values.get(EXPIRE_NODEST) is None:
        return SettingStatus(CONNTRACK, None, _UNKNOWN, "", _NO_IPVS)
    if value is None:
        return SettingStatus(CONNTRACK, None, _FITS, "", "This kernel's IPVS knows no connection tracking.")
    if value == "0":
        why = (
            "The firewall does not see the connections that IPVS forwards. Set 1 if its rules on this router match "
            "them by state, or translate their addresses."
        )
    else:
        why = "The firewall sees the connections that IPVS forwards; each costs an entry of nf_conntrack."
    return SettingStatus(CONNTRACK, value, _FITS, value, why)


def _tracked(found: KernelSettings) -> SettingStatus:
    most, count = found.values.get(TRACKED_MAX), found.values.get(TRACKED)
    if most is None:
        return SettingStatus(TRACKED_MAX, None, _FITS, "", "nf_conntrack is not loaded and limits nothing.")
    if count is None or not count.isdecimal() or not most.isdecimal():
        return SettingStatus(TRACKED_MAX, most, _UNKNOWN, most, "How many entries are in use is not told.")
    used = f"{count} of {most} entries of nf_conntrack are in use"
    if int(most) and int(count) >= _NEARLY_FULL * int(most):
        why = f"{used}. When it is full, new connections are dropped."
        return _unfit(TRACKED_MAX, most, _WRONG, str(2 * int(most)), why)
    return SettingStatus(TRACKED_MAX, most, _FITS, most, f"{used}.")


def _unfit(name: str, value: str, verdict: SettingVerdict, wanted: str, why: str) -> SettingStatus:
    return SettingStatus(name, value, verdict, wanted, why, f"sysctl -w {name}={wanted}")


def _some(devices: list[str]) -> str:
    more = len(devices) - _DEVICES_TOLD
    return ", ".join(devices[:_DEVICES_TOLD]) + (f" and {more} more" if more > 0 else "")
