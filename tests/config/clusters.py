"""A strategy (hypothesis) for clusters: every value of the model in its range, odd names, equal names."""

from ipaddress import IPv4Address

from hypothesis import strategies as st

from piranha.config.fields import NETMASKS, SCHEDULERS, Scope, field
from piranha.config.model import (
    Cluster,
    FailoverService,
    FloatingAddress,
    Forwarding,
    Host,
    HostName,
    Protocol,
    RealServer,
    ServiceKind,
    VirtualServer,
)
from piranha.config.path import Step, written
from tests.config.lvs_cf_texts import DEVICES, HOST_NAMES, IPV4, IPV6, NAMES, WORDS, values_of

_HOSTS: st.SearchStrategy[Host] = st.one_of(IPV4, IPV6, HOST_NAMES.map(HostName))
_FLOATING = st.builds(FloatingAddress, st.one_of(IPV4, IPV6), DEVICES)
_MASKS: st.SearchStrategy[IPv4Address | None] = st.none() | st.sampled_from(
    [IPv4Address(choice.value) for choice in NETMASKS]
)
# A few names only, so that some are equal; the last two can only stand in quotes.
_BLOCK_NAMES = st.one_of(st.sampled_from(["http", "http", "[unnamed]"]), NAMES, st.sampled_from(["a b", 'it "is"  x']))
_FLAGS = st.booleans()
_COMMANDS = st.none() | st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


def _numbers(scope: Scope, keyword: str) -> st.SearchStrategy[int]:
    """Give the numbers that a keyword may have."""
    row = field(scope, keyword)
    assert row is not None
    return values_of(row).map(int)


def _texts(scope: Scope, keyword: str) -> st.SearchStrategy[str | None]:
    """Give the texts that a keyword may have, and none."""
    row = field(scope, keyword)
    assert row is not None
    return st.none() | values_of(row)


def _steps(names: list[str], kind: str) -> list[Step]:
    """Number equal names, as a file does."""
    return [Step(kind, name, names[: place + 1].count(name)) for place, name in enumerate(names)]


@st.composite
def _virtual(draw: st.DrawFn, step: Step) -> VirtualServer:
    scope = Scope.VIRTUAL
    port = draw(_numbers(scope, "port"))
    names = draw(st.lists(_BLOCK_NAMES, max_size=3))
    return VirtualServer(
        id=written((step,)),
        name=step.name,
        is_active=draw(_FLAGS),
        address=draw(st.none() | _FLOATING),
        vip_nmask=draw(_MASKS),
        sorry_server=draw(st.none() | IPV4),
        fwmark=draw(st.just(0) | _numbers(scope, "fwmark")),
        protocol=draw(st.sampled_from(Protocol)),
        port=port,
        scheduler=draw(st.sampled_from([choice.value for choice in SCHEDULERS])),
        persistent_s=draw(_numbers(scope, "persistent")),
        # All ones read as unset: each client alone is what there is without a mask.
        pmask=draw(_MASKS.filter(lambda mask: str(mask) != "255.255.255.255")),
        send=draw(_texts(scope, "send")),
        expect=draw(_texts(scope, "expect")),
        uses_regex=draw(_FLAGS),
        send_program=draw(_texts(scope, "send_program")),
        timeout_s=draw(_numbers(scope, "timeout")),
        reentry_s=draw(_numbers(scope, "reentry")),
        load_monitor=draw(_texts(scope, "load_monitor")),
        quiesces=draw(_FLAGS),
        client_monitor=draw(st.just("/usr/sbin/nanny") | WORDS),
        servers=tuple(draw(_server(step, inner, port)) for inner in _steps(names, "server")),
    )


@st.composite
def _server(draw: st.DrawFn, service: Step, step: Step, port: int) -> RealServer:
    has_own_port = draw(_FLAGS)
    return RealServer(
        id=written((service, step)),
        name=step.name,
        address=draw(st.none() | _HOSTS),
        is_active=draw(_FLAGS),
        port=draw(_numbers(Scope.SERVER, "port")) if has_own_port else port,
        has_own_port=has_own_port,
        weight=draw(_numbers(Scope.SERVER, "weight")),
    )


@st.composite
def _failover(draw: st.DrawFn, step: Step) -> FailoverService:
    scope = Scope.FAILOVER
    return FailoverService(
        id=written((step,)),
        name=step.name,
        is_active=draw(_FLAGS),
        address=draw(st.none() | _FLOATING),
        vip_nmask=draw(_MASKS),
        protocol=draw(st.sampled_from(Protocol)),
        port=draw(_numbers(scope, "port")),
        timeout_s=draw(_numbers(scope, "timeout")),
        send=draw(_texts(scope, "send")),
        expect=draw(_texts(scope, "expect")),
        send_program=draw(_texts(scope, "send_program")),
        start_cmd=draw(_texts(scope, "start_cmd")),
        stop_cmd=draw(_texts(scope, "stop_cmd")),
    )


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """Draw a cluster that an lvs.cf can say."""
    scope = Scope.GLOBAL
    virtuals = _steps(draw(st.lists(_BLOCK_NAMES, max_size=3)), "virtual")
    failovers = _steps(draw(st.lists(_BLOCK_NAMES, max_size=2)), "failover")
    return Cluster(
        serial_no=draw(_numbers(scope, "serial_no")),
        primary=draw(st.none() | _HOSTS),
        primary_private=draw(st.none() | _HOSTS),
        backup=draw(st.none() | _HOSTS),
        backup_private=draw(st.none() | _HOSTS),
        is_backup_active=draw(_FLAGS),
        heartbeat_port=draw(_numbers(scope, "heartbeat_port")),
        keepalive_s=draw(_numbers(scope, "keepalive")),
        deadtime_s=draw(_numbers(scope, "deadtime")),
        forwarding=draw(st.sampled_from(Forwarding)),
        nat_router=draw(st.none() | st.builds(FloatingAddress, IPV4, DEVICES)),
        nat_nmask=draw(_MASKS),
        service=draw(st.sampled_from(ServiceKind)),
        rsh_command=draw(st.sampled_from(["rsh", "ssh"])),
        monitors_links=draw(_FLAGS),
        runs_sync_daemon=draw(_FLAGS),
        syncd_iface=draw(st.just("eth0") | WORDS),
        syncd_id=draw(_numbers(scope, "syncd_id")),
        tcp_timeout_s=draw(_numbers(scope, "tcp_timeout")),
        tcpfin_timeout_s=draw(_numbers(scope, "tcpfin_timeout")),
        udp_timeout_s=draw(_numbers(scope, "udp_timeout")),
        active_cmd=draw(_COMMANDS),
        inactive_cmd=draw(_COMMANDS),
        virtual_servers=tuple(draw(_virtual(step)) for step in virtuals),
        failover_services=tuple(draw(_failover(step)) for step in failovers),
    )
