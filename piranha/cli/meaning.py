"""What an lvs.cf means, as a person reads it in 80 columns: effective values, and which of them are defaults."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from piranha.config.bind import value_of
from piranha.config.blocks import Block
from piranha.config.check_kinds import CheckKind, name_of
from piranha.config.faults import Fault, Severity
from piranha.config.fields import ORDER, Field, FieldType, Scope, Status, field
from piranha.config.load import Loaded
from piranha.config.model import (
    Cluster,
    FailoverService,
    FloatingAddress,
    Host,
    Protocol,
    RealServer,
    ServiceKind,
    VirtualServer,
    written_endpoint,
)
from piranha.config.service_rules import HTTP_PORT
from piranha.config.values import shown

WIDTH = 80

_REDUNDANCY = (
    "backup_active", "backup", "backup_private", "heartbeat_port", "keepalive", "deadtime", "monitor_links",
)  # fmt: skip
_IN_HEADLINE = frozenset({"active", "address", "protocol", "port", "fwmark", "vip_nmask"})
_UNSET = {
    "tcp_timeout": "left to the kernel",
    "tcpfin_timeout": "left to the kernel",
    "udp_timeout": "left to the kernel",
    "persistent": "off",
    "pmask": "each client alone",
    "reentry": "180 s (0 counts as that)",
}
_HEADINGS = ("REAL SERVER", "ADDRESS", "WEIGHT", "STATUS")
_PIECE = 60
"""As much as `values.shown` shows of a text."""


def of_file(file: str, token: str, loaded: Loaded, kinds: Mapping[str, CheckKind] = MappingProxyType({})) -> str:
    """Return what a file means. `token` is the SHA-256 of its bytes; `kinds`: the checks that piranha.toml names."""
    cluster, root = loaded.cluster, loaded.document.root
    version = f"serial_no {cluster.serial_no}, SHA-256 {token[:12]}"
    lines = [f"{file}: {version}"] if len(file) + len(version) + 2 <= WIDTH else [f"{file}:", f"  {version}"]
    in_redundancy = set(_REDUNDANCY)
    rest = [each for each in ORDER[Scope.GLOBAL] if each not in in_redundancy and each != "serial_no"]
    lines += ["", "GLOBAL SETTINGS", *_global_rows(root, cluster, rest)]
    lines += ["", "REDUNDANCY", *_global_rows(root, cluster, _REDUNDANCY)]
    virtual_blocks = [block for block in root.blocks if block.scope is Scope.VIRTUAL]
    lines += ["", "VIRTUAL SERVERS", *([] if cluster.virtual_servers else ["  none", ""])]
    for virtual, block in zip(cluster.virtual_servers, virtual_blocks, strict=True):
        lines += [*_of_virtual(virtual, block, cluster, kinds.get(name_of(virtual))), ""]
    failover_blocks = [block for block in root.blocks if block.scope is Scope.FAILOVER]
    if cluster.failover_services:
        lines += ["FAILOVER (kept, not run by this program)"]
    for failover, block in zip(cluster.failover_services, failover_blocks, strict=True):
        state = _state(failover.is_active, cluster.service, ServiceKind.FOS)
        lines += [*_headline(failover, state), *_values(block), ""]
    while not lines[-1]:
        lines.pop()
    return "\n".join([*lines, "", _of_faults(loaded.faults)])


def _of_faults(faults: Sequence[Fault]) -> str:
    counts = {severity: sum(fault.severity is severity for fault in faults) for severity in Severity}
    said = [f"{count} {severity}{'s' if count != 1 else ''}" for severity, count in counts.items() if count]
    return f"{', '.join(said)}; `piranha check` names them." if said else "No faults."


def _global_rows(root: Block, cluster: Cluster, keywords: Iterable[str]) -> list[str]:
    rows = []
    for keyword in keywords:
        row = field(Scope.GLOBAL, keyword)
        if row is None or (row.status is not Status.CURRENT and root.effective(keyword) is None):
            continue
        said = _effective_global(cluster, keyword) or _said(row, value_of(root, keyword))
        mark = "" if root.effective(keyword) is not None else " (default)"
        mark = mark if row.status is Status.CURRENT else " (kept, without effect)"
        rows += _wrapped(f"  {keyword:<16} ", said + mark)
    return rows


def _effective_global(cluster: Cluster, keyword: str) -> str:
    """Return what counts where it is not what stands there (reference 3.2), "" elsewhere."""
    match keyword:
        case "primary_private" if cluster.primary_private is None and cluster.primary is not None:
            return f"{cluster.effective_primary_private}, as primary"
        case "backup_private" if cluster.primary_private is None and cluster.backup is not None:
            return f"{cluster.effective_backup_private}, as backup"
        case "backup_active" if cluster.is_backup_active and cluster.backup is None:
            return "no, because there is no backup"
    return ""


def _of_virtual(virtual: VirtualServer, block: Block, cluster: Cluster, kind: CheckKind | None) -> Iterator[str]:
    yield from _headline(virtual, _state(virtual.is_active, cluster.service, ServiceKind.LVS))
    yield from _values(block)
    if kind is not None and virtual.protocol is not Protocol.UDP:
        yield from _wrapped("  ", f"checked as piranha.toml says: {kind}", indent=4)
    elif virtual.port == HTTP_PORT and not (virtual.send or virtual.expect or virtual.send_program):
        yield '  checked as a web server: send "GET / HTTP/1.0\\r\\n\\r\\n", expect "HTTP"'
    if not virtual.servers:
        yield "  no real servers"
        return
    rows = [_HEADINGS, *(_of_server(server) for server in virtual.servers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _of_server(server: RealServer) -> tuple[str, ...]:
    where = "none" if server.address is None else written_endpoint(server.address, server.port)
    return shown(server.name), where, str(server.weight), "active" if server.is_active else "not active"


def _state(is_active: bool, selected: ServiceKind, needed: ServiceKind) -> str:
    if not is_active:
        return "not active"
    return "active" if selected is needed else f"active, not in force (service is {selected})"


def _headline(service: VirtualServer | FailoverService, state: str) -> list[str]:
    floating = service.address
    where = "no address" if floating is None else f"{service.protocol} {written_endpoint(floating.host, service.port)}"
    on = f" on {shown(floating.device)}" if floating is not None and floating.device else ""
    mask = f", netmask {service.vip_nmask}" if service.vip_nmask else ""
    mark = getattr(service, "fwmark", 0)
    if mark:
        where = f"firewall mark {mark} ({where})"
    return _wrapped("", f"{_whole(service.id)}: {state}, {where}{on}{mask}", indent=2)


def _values(block: Block) -> Iterator[str]:
    """Yield the values of a service: the short ones that the file says, the texts, then the defaults."""
    short, texts, defaults = [], [], []
    for keyword in ORDER[block.scope]:
        row = field(block.scope, keyword)
        if row is None or keyword in _IN_HEADLINE:
            continue
        if row.status is not Status.CURRENT:
            if block.effective(keyword) is not None:
                texts.append((keyword, f"{_said(row, value_of(block, keyword))} (kept, without effect)"))
            continue
        said = _said(row, value_of(block, keyword))
        if block.effective(keyword) is None:
            defaults.append(f"{keyword} {said}")
        elif row.type is FieldType.QSTRING:
            texts.append((keyword, said))
        else:
            short.append(f"{keyword} {said}")
    yield from _packed(short)
    for keyword, said in texts:
        yield from _wrapped(f"  {keyword} ", said)
    if defaults:
        yield from _packed(defaults, "by default: ")


def _said(row: Field, value: object) -> str:
    """Return a value in words."""
    if not value and row.keyword in _UNSET:
        return _UNSET[row.keyword]
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value} s" if row.unit else str(value)
        case FloatingAddress():
            return _host(value.host) + (f" on {shown(value.device)}" if value.device else "")
        case str() if row.type is FieldType.QSTRING:
            return f'"{_whole(value)}"'
        case tuple():
            return _whole(" ".join(value))
        case _:
            return _whole(str(value))


def _host(host: Host) -> str:
    return _whole(str(host))


def _whole(text: str) -> str:
    """Return a text as it may stand on a terminal, nothing invisible, nothing cut."""
    return "".join(shown(text[start : start + _PIECE]) for start in range(0, len(text), _PIECE))


def _packed(words: Sequence[str], before: str = "") -> Iterator[str]:
    """Yield lines of as many of the words as fit, with commas between."""
    line = f"  {before}"
    for number, word in enumerate(words):
        piece = word + ("," if number < len(words) - 1 else "")
        if line.strip() and len(line) + len(piece) > WIDTH:
            yield line.rstrip()
            line = "  "
        line += f"{piece} "
    if line.strip():
        yield line.rstrip()


def _wrapped(before: str, text: str, indent: int | None = None) -> list[str]:
    """Return the lines of a text: cut at blanks where there are some, and nothing of it lost."""
    indent = len(before) if indent is None else indent
    lines, rest, lead = [], text, before
    while len(lead) + len(rest) > WIDTH:
        room = WIDTH - len(lead)
        cut = rest.rfind(" ", room // 2, room) + 1 or room
        lines.append((lead + rest[:cut]).rstrip())
        rest, lead = rest[cut:], " " * indent
    return [*lines, lead + rest]
