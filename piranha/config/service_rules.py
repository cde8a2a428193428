"""Rules of virtual servers, their real servers and failover services: what does not go together."""

from collections.abc import Iterator

from piranha.config import family_rules
from piranha.config.blocks import Block
from piranha.config.expressions import ANY_REPLY, expression_fault
from piranha.config.faults import Severity
from piranha.config.fields import LOAD_MONITORS, Scope, ValueFault
from piranha.config.findings import Findings
from piranha.config.model import FailoverService, Forwarding, Protocol, RealServer, VirtualServer
from piranha.config.path import parse_block
from piranha.config.values import ipv4_of, shown

HTTP_PORT = 80
"""Where the original asks for a web page if a virtual server says neither what to send nor what to expect."""


def find(findings: Findings) -> None:
    """Find the faults of all services."""
    for virtual, block in virtual_blocks(findings):
        _address(findings, virtual, block)
        _sorry_server(findings, block)
        _mark_and_persistence(findings, virtual, block)
        _check(findings, virtual, block)
        _real_servers(findings, virtual, block)
        family_rules.find(findings, virtual, block)
    _same_keys(findings)
    _shared_marks(findings)
    _same_triples(findings)
    _same_addresses(findings)
    for failover in findings.cluster.failover_services:
        _failover(findings, failover, block_of(findings, failover.id))


def virtual_blocks(findings: Findings) -> Iterator[tuple[VirtualServer, Block]]:
    """Return each virtual server with its block."""
    blocks = (block for block in findings.document.root.blocks if block.scope is Scope.VIRTUAL)
    return zip(findings.cluster.virtual_servers, blocks, strict=True)


def block_of(findings: Findings, path: str) -> Block:
    """Return the block that a model's id names."""
    block = findings.document.block(parse_block(path))
    assert block is not None
    return block


def _address(findings: Findings, service: VirtualServer | FailoverService, block: Block) -> None:
    if not service.is_active or service.address is not None:
        return
    if block.effective("address") is None:
        message = "This is active and has no address."
        findings.say(Severity.ERROR, "no-address", block, "address", message, "Set its virtual IP address and device.")
    elif is_zero(block):
        message = "This is active and its address is 0.0.0.0."
        findings.say(Severity.ERROR, "no-address", block, "address", message, "Set its virtual IP address.")


def _sorry_server(findings: Findings, block: Block) -> None:
    if is_zero(block, "sorry_server"):
        message = "0.0.0.0 is no address; there is no sorry server."
        findings.say(
            Severity.WARNING, "no-sorry-server", block, "sorry_server", message, "Set one, or remove the line."
        )


def _mark_and_persistence(findings: Findings, virtual: VirtualServer, block: Block) -> None:
    if virtual.fwmark > 0 and virtual.persistent_s <= 0:
        message = "A firewall mark without persistence: a client's ports may reach different real servers."
        findings.say(
            Severity.WARNING,
            "mark-without-persistence",
            block,
            "fwmark",
            message,
            "Set persistent, for example to 300.",
        )
    if virtual.pmask is not None and virtual.persistent_s <= 0:
        message = "pmask has no effect without persistence."
        findings.say(
            Severity.WARNING, "mask-without-persistence", block, "pmask", message, "Set persistent, or remove it."
        )


def _check(findings: Findings, virtual: VirtualServer, block: Block) -> None:
    if virtual.send_program and virtual.send:
        message = "The sending program wins; Send is ignored."
        findings.say(Severity.WARNING, "send-ignored", block, "send", message, "Use one of the two.")
    if virtual.send_program and not virtual.expect:
        message = "A sending program without Expect never succeeds: its output is compared with Expect."
        findings.say(Severity.WARNING, "program-without-expect", block, "send_program", message, "Set Expect.")
    if virtual.protocol is Protocol.UDP and not virtual.send_program:
        _udp_check(findings, virtual, block)
    if virtual.uses_regex and virtual.send_program:
        message = "use_regex has no effect with a sending program."
        findings.say(Severity.NOTE, "regex-ignored", block, "use_regex", message, "Write use_regex = 0.")
    elif virtual.uses_regex and virtual.expect == ANY_REPLY:
        message = "A lone * takes any reply; use_regex has no effect with it."
        findings.say(Severity.NOTE, "regex-ignored", block, "use_regex", message, "Write use_regex = 0.")
    elif virtual.uses_regex and virtual.expect:
        _expression(findings, virtual.expect, block)
    elif virtual.uses_regex:
        message = "use_regex has no effect without Expect."
        findings.say(Severity.NOTE, "regex-ignored", block, "use_regex", message, "Set Expect, or use_regex = 0.")
    if virtual.load_monitor and all(choice.value != virtual.load_monitor for choice in LOAD_MONITORS):
        message = f'"{shown(virtual.load_monitor)}" is no load monitoring tool known here.'
        advice = f"Known are {', '.join(choice.value for choice in LOAD_MONITORS)}."
        findings.say(Severity.WARNING, "own-load-monitor", block, "load_monitor", message, advice)
    if virtual.reentry_s == 0:
        message = "A re-entry time of 0 counts as 180 seconds."
        findings.say(Severity.NOTE, "reentry-zero", block, "reentry", message, "Write 180, or a shorter time.")


def _udp_check(findings: Findings, virtual: VirtualServer, block: Block) -> None:
    advice = "Set Send to a text that the service answers, and Expect to how the answer begins."
    if not virtual.send:
        is_http_asked = virtual.port == HTTP_PORT and virtual.send is virtual.expect is virtual.send_program is None
        message = (
            "A UDP service on port 80 without Send and Expect is asked for a web page, which few of them answer."
            if is_http_asked
            else "A UDP service without Send cannot be checked: its servers answer only when they are asked."
        )
        findings.say(Severity.WARNING, "udp-without-send", block, "protocol", message, advice)
    elif not virtual.expect:
        message = "Any answer is good for this UDP service; the original monitor crashes at the first one."
        findings.say(Severity.NOTE, "udp-without-expect", block, "protocol", message, "Set Expect; * takes any answer.")


def _expression(findings: Findings, expect: str, block: Block) -> None:
    fault, statement = expression_fault(expect), block.effective("expect")
    advice = "Mend it, or write use_regex = 0: then the reply must begin with the text as it is."
    if fault is None or statement is None:
        return
    at = fault.position - 1
    piece = (at, expect[at:]) if at < len(expect) else (0, expect)
    findings.say_inside(Severity.ERROR, "bad-regex", block, statement, piece, ValueFault(fault.message, advice))


def _real_servers(findings: Findings, virtual: VirtualServer, block: Block) -> None:
    active = [server for server in virtual.servers if server.is_active]
    if virtual.is_active and not active:
        message = "No real server is active here."
        findings.say(Severity.WARNING, "no-active-server", block, "", message, "Add and activate real servers.")
    elif virtual.is_active and all(server.weight == 0 for server in active):
        message = "Every active real server here has weight 0, so none gets a connection."
        findings.say(Severity.WARNING, "no-weight", block, "", message, "Give at least one a weight of 1 or more.")
    port_line = block.effective("port")
    first_before_port = next(
        (inner for inner in block.blocks if port_line is not None and inner.start < port_line.start), None
    )
    if first_before_port is not None and any(
        not server.has_own_port and server.port != virtual.port for server in virtual.servers
    ):
        message = "port stands behind a server, which was read with another port."
        findings.say(Severity.WARNING, "port-after-server", block, "port", message, "Put port before the first server.")
    seen: dict[tuple[object, int], RealServer] = {}
    for server, inner in zip(virtual.servers, block.blocks, strict=True):
        if server.has_own_port and server.port != virtual.port:
            _own_port(findings, virtual, server, inner)
        if not server.is_active:
            continue
        if server.address is None:
            if inner.effective("address") is None or is_zero(inner):
                message = "This real server is active and has no address."
                findings.say(Severity.ERROR, "no-address", inner, "address", message, "Set its address.")
            continue
        first = seen.setdefault((server.address, server.port), server)
        if first is not server:
            message = f'The real server "{shown(first.name)}" has the same address and port.'
            findings.say(Severity.WARNING, "same-server", inner, "address", message, "Remove one of the two.")


def _own_port(findings: Findings, virtual: VirtualServer, server: RealServer, inner: Block) -> None:
    if findings.cluster.forwarding is not Forwarding.NAT and not virtual.fwmark:
        message = f"Only NAT can change the port: packets arrive at port {virtual.port}, not {server.port}."
        findings.say(
            Severity.WARNING, "port-not-mapped", inner, "port", message, f"Remove it, or write {virtual.port}."
        )
    elif findings.cluster.forwarding is Forwarding.NAT and virtual.fwmark and virtual.persistent_s:
        # linux, ip_vs_sched_persist: only a connection to the service's own port gets the destination's, and a mark has
        # none.
        message = "A firewall mark with persistence keeps the client's port, so this port is only checked."
        findings.say(Severity.NOTE, "port-not-mapped", inner, "port", message, "Remove it, or the persistence.")


def is_zero(block: Block, keyword: str = "address") -> bool:
    """Say whether an address of a block is 0.0.0.0, in any spelling; one that cannot be read has a fault already."""
    statement = block.effective(keyword)
    if statement is None or statement.is_bad or statement.value is None:
        return False
    zero = ipv4_of(statement.value.partition(" ")[0])
    return zero is not None and int(zero) == 0


def _same_keys(findings: Findings) -> None:
    """Find virtual servers that want the same entry of the IPVS table."""
    seen: dict[object, VirtualServer] = {}
    for virtual, block in virtual_blocks(findings):
        if not virtual.is_active or virtual.key is None:
            continue
        first = seen.setdefault(virtual.key, virtual)
        if first is virtual:
            continue
        name = shown(first.name)
        if not virtual.fwmark:
            message = f'The virtual server "{name}" has the same address, port and protocol.'
            findings.say(Severity.ERROR, "same-service", block, "address", message, "Change one, or deactivate it.")
        elif _persistence(first) == _persistence(virtual):
            message = f'The virtual server "{name}" has the same firewall mark: both are one entry in the table.'
            advice = "Give each a mark of its own, unless that is meant."
            findings.say(Severity.NOTE, "same-mark", block, "fwmark", message, advice)


def _persistence(virtual: VirtualServer) -> tuple[object, ...]:
    return virtual.persistent_s, virtual.pmask


def _shared_marks(findings: Findings) -> None:
    """Find virtual servers that share a mark and differ in persistence, down ones too, and say it at each of them.

    Whoever saves one of them is told, whichever stands first in the file.
    """
    first: dict[int, tuple[VirtualServer, Block]] = {}
    is_told = set[int]()
    for virtual, block in virtual_blocks(findings):
        if not virtual.fwmark:
            continue
        other, other_block = first.setdefault(virtual.fwmark, (virtual, block))
        if _persistence(other) == _persistence(virtual):
            continue
        names = f'"{shown(other.name)}" and "{shown(virtual.name)}"'
        message = f"The virtual servers {names} share the firewall mark and differ in persistence."
        for at in (block,) if virtual.fwmark in is_told else (block, other_block):
            findings.say(Severity.WARNING, "mark-persistence", at, "fwmark", message, "Set the same on both.")
        is_told.add(virtual.fwmark)


def _same_triples(findings: Findings) -> None:
    """Find services that only their marks tell apart: at a reload the original looks at address, protocol and port."""
    seen: dict[object, VirtualServer] = {}
    for virtual, block in virtual_blocks(findings):
        if not virtual.is_active or virtual.address is None:
            continue
        first = seen.setdefault((virtual.protocol, virtual.address.host, virtual.port), virtual)
        if first is not virtual and first.key != virtual.key:
            message = (
                f'"{shown(first.name)}" has this address, protocol and port too; here the firewall marks tell them '
                "apart, the original Piranha mixes them up at a reload."
            )
            findings.say(Severity.NOTE, "only-mark-differs", block, "address", message, "Give one another port.")


def _same_addresses(findings: Findings) -> None:
    """Find services of one virtual IP address that want it on different devices or with different masks."""
    seen: dict[object, VirtualServer] = {}
    for virtual, block in virtual_blocks(findings):
        if not virtual.is_active or virtual.address is None:
            continue
        first = seen.setdefault(virtual.address.host, virtual)
        assert first.address is not None
        if first.address.device != virtual.address.device and virtual.address.device and first.address.device:
            message = f'"{shown(first.name)}" has this address on {shown(first.address.device)}, which is used.'
            findings.say(Severity.WARNING, "other-device", block, "address", message, "Write the same device.")
        if first.vip_nmask != virtual.vip_nmask:
            mask = first.vip_nmask or "none"
            message = f'"{shown(first.name)}" has this address with another netmask ({mask}), which is used.'
            findings.say(Severity.WARNING, "other-netmask", block, "vip_nmask", message, "Choose the same netmask.")


def _failover(findings: Findings, failover: FailoverService, block: Block) -> None:
    _address(findings, failover, block)
    severity = Severity.ERROR if findings.is_in_force(block) else Severity.WARNING
    for keyword in ("start_cmd", "stop_cmd"):
        if block.effective(keyword) is None:
            message = f"The failover service has no {keyword}."
            findings.say(severity, "no-command", block, keyword, message, "Set both start_cmd and stop_cmd.")
