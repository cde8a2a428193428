"""Document -> cluster: defaults filled in, the last of several equal keywords, numbers as numbers.

A value that cannot be read counts as absent here; `rules` tells the fault. Blocks at places where they mean nothing
(a server outside of a service) are no part of the cluster.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address

from piranha.config.blocks import Block
from piranha.config.document import Document
from piranha.config.fields import Field, Scope, Value, ValueFault, default_of, field
from piranha.config.model import (
    Cluster,
    FailoverService,
    FloatingAddress,
    Forwarding,
    Host,
    Protocol,
    RealServer,
    ServiceKind,
    VirtualServer,
)
from piranha.config.path import written
from piranha.config.values import host_of

DEFAULT_PORT = 80


@lru_cache(maxsize=32768)
def read_once(row: Field, text: str) -> Value | ValueFault:
    """Return `row.read(text)`; files repeat the same few values."""
    return row.read(text)


def value_of(block: Block, keyword: str) -> Value:
    """Return the effective value of a keyword: of its last line, else its default."""
    row = field(block.scope, keyword)
    assert row is not None, f"{keyword} is no keyword of {block.scope}"
    statement = block.effective(keyword)
    if statement is not None and not statement.is_bad and statement.value is not None:
        value = read_once(row, statement.value)
        if not isinstance(value, ValueFault):
            return value
    default = default_of(block.scope, keyword)
    if default is None:
        return None
    value = read_once(row, default)
    assert not isinstance(value, ValueFault), f"the default of {keyword} is no value"
    return value


def _integer(block: Block, keyword: str) -> int:
    value = value_of(block, keyword)
    assert isinstance(value, int)
    return value


def _flag(block: Block, keyword: str) -> bool:
    return bool(value_of(block, keyword))


def _text(block: Block, keyword: str) -> str | None:
    value = value_of(block, keyword)
    assert value is None or isinstance(value, str)
    return value


def _host(block: Block, keyword: str) -> Host | None:
    return host_of(value_of(block, keyword))


def _ipv4(block: Block, keyword: str) -> IPv4Address | None:
    value = value_of(block, keyword)
    assert value is None or isinstance(value, IPv4Address)
    return value


def _floating(block: Block, keyword: str) -> FloatingAddress | None:
    """Return an address with its device; 0.0.0.0 is none."""
    value = value_of(block, keyword)
    if not isinstance(value, FloatingAddress) or value.host == IPv4Address(0):
        return None
    return value


def cluster_of(document: Document) -> Cluster:
    """Return the cluster that a document describes. Never raises."""
    root = document.root
    integer: Callable[[str], int] = lambda keyword: _integer(root, keyword)  # noqa: E731
    return Cluster(
        serial_no=integer("serial_no"),
        primary=_host(root, "primary"),
        primary_private=_host(root, "primary_private"),
        backup=_host(root, "backup"),
        backup_private=_host(root, "backup_private"),
        is_backup_active=_flag(root, "backup_active"),
        heartbeat_port=integer("heartbeat_port"),
        keepalive_s=integer("keepalive"),
        deadtime_s=integer("deadtime"),
        forwarding=Forwarding(_text(root, "network") or "nat"),
        nat_router=_floating(root, "nat_router"),
        nat_nmask=_ipv4(root, "nat_nmask"),
        service=ServiceKind(_text(root, "service") or "lvs"),
        rsh_command=_text(root, "rsh_command") or "rsh",
        monitors_links=_flag(root, "monitor_links"),
        runs_sync_daemon=_flag(root, "syncdaemon"),
        syncd_iface=_text(root, "syncd_iface") or "eth0",
        syncd_id=integer("syncd_id"),
        tcp_timeout_s=integer("tcp_timeout"),
        tcpfin_timeout_s=integer("tcpfin_timeout"),
        udp_timeout_s=integer("udp_timeout"),
        active_cmd=_text(root, "active_cmd"),
        inactive_cmd=_text(root, "inactive_cmd"),
        virtual_servers=tuple(
            _virtual_server(document, block) for block in root.blocks if block.scope is Scope.VIRTUAL
        ),
        failover_services=tuple(
            _failover_service(document, block) for block in root.blocks if block.scope is Scope.FAILOVER
        ),
    )


def _virtual_server(document: Document, block: Block) -> VirtualServer:
    return VirtualServer(
        id=written(document.path_of(block)),
        name=block.name,
        is_active=_flag(block, "active"),
        address=_floating(block, "address"),
        vip_nmask=_ipv4(block, "vip_nmask"),
        sorry_server=_ipv4(block, "sorry_server"),
        fwmark=_integer(block, "fwmark"),
        protocol=Protocol(_text(block, "protocol") or "tcp"),
        port=_integer(block, "port"),
        scheduler=_text(block, "scheduler") or "wlc",
        persistent_s=_integer(block, "persistent"),
        pmask=_ipv4(block, "pmask"),
        send=_text(block, "send"),
        expect=_text(block, "expect"),
        uses_regex=_flag(block, "use_regex"),
        send_program=_text(block, "send_program"),
        timeout_s=_integer(block, "timeout"),
        reentry_s=_integer(block, "reentry"),
        load_monitor=_text(block, "load_monitor"),
        quiesces=_flag(block, "quiesce_server"),
        client_monitor=_text(block, "client_monitor") or "",
        servers=_real_servers(document, block),
        encoding=document.encoding,
    )


def _failover_service(document: Document, block: Block) -> FailoverService:
    return FailoverService(
        id=written(document.path_of(block)),
        name=block.name,
        is_active=_flag(block, "active"),
        address=_floating(block, "address"),
        vip_nmask=_ipv4(block, "vip_nmask"),
        protocol=Protocol(_text(block, "protocol") or "tcp"),
        port=_integer(block, "port"),
        timeout_s=_integer(block, "timeout"),
        send=_text(block, "send"),
        expect=_text(block, "expect"),
        send_program=_text(block, "send_program"),
        start_cmd=_text(block, "start_cmd"),
        stop_cmd=_text(block, "stop_cmd"),
    )


def _real_servers(document: Document, service: Block) -> tuple[RealServer, ...]:
    """Return the real servers of a service, each with its port.

    One that names none has the service's port as far as it was read at its `server` line.
    """
    row = field(service.scope, "port")
    assert row is not None
    port, lines = DEFAULT_PORT, iter(service.values.get("port", ()))
    coming = next(lines, None)
    servers = []
    for block in service.blocks:
        while coming is not None and coming.start < block.start:
            value = None if coming.is_bad or coming.value is None else read_once(row, coming.value)
            port = value if isinstance(value, int) else port
            coming = next(lines, None)
        servers.append(_real_server(document, block, port))
    return tuple(servers)


def _real_server(document: Document, block: Block, inherited_port: int) -> RealServer:
    own = value_of(block, "port")
    assert own is None or isinstance(own, int)
    return RealServer(
        id=written(document.path_of(block)),
        name=block.name,
        address=_host(block, "address"),
        is_active=_flag(block, "active"),
        port=inherited_port if own is None else own,
        has_own_port=own is not None,
        weight=_integer(block, "weight"),
    )
