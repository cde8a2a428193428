"""The canonical form of an lvs.cf (reference 4.3): the bytes that the old GUI wrote, and that every reader understands.

Rule 1: nothing changes its meaning. What cannot be understood is refused, never dropped; the text is read again and
        must say the same.
Rule 2: what has no place in the form (comments, keywords that the original daemons refuse) goes, and `lost` says so
        line by line: a person looks at it before anything is written.
Rule 3: only plain spellings: decimal numbers, dotted quads, the meant keyword, `port` before any server.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from piranha.config.bind import cluster_of
from piranha.config.blocks import Block, Statement
from piranha.config.document import Document
from piranha.config.escapes import with_known_escapes
from piranha.config.faults import Severity
from piranha.config.fields import ORDER, Field, FieldType, Scope, ValueFault
from piranha.config.fields import field as row_of
from piranha.config.model import Cluster, FailoverService, FloatingAddress, RealServer, VirtualServer
from piranha.config.path import parse_block
from piranha.config.splices import spelled
from piranha.config.values import shown
from piranha.config.words import BadQuoting, words_of
from piranha.errors import EditRefused

_COMMENT = re.compile(r"[ \t]*#")
_TOLD_MAX = 5
_INDENT = {Scope.GLOBAL: "", Scope.VIRTUAL: "     ", Scope.FAILOVER: "     ", Scope.SERVER: "         "}
_HEADER_INDENT = {Scope.VIRTUAL: "", Scope.FAILOVER: "", Scope.SERVER: "     "}
_ALWAYS = {
    "active", "address", "port", "protocol", "scheduler", "timeout", "reentry", "quiesce_server", "weight",
    "serial_no", "network", "service",
}  # fmt: skip
"""Written from a model even where the value is the default."""


@dataclass(frozen=True, slots=True)
class Canonical:
    """The text, and a sentence with its line number for everything that is in the old text and not in it."""

    text: str
    lost: tuple[str, ...]


@dataclass(slots=True)
class _Written:
    """A block as it will be written: keyword -> value as spelled."""

    scope: Scope
    name: str = ""
    values: dict[str, str] = field(default_factory=dict)
    blocks: list["_Written"] = field(default_factory=list)


def canonical_text(document: Document) -> Canonical:
    """Return the canonical form of a document. Raises EditRefused with what must be mended first, with its lines."""
    cluster = cluster_of(document)
    problems = [*_problems(document.root), *_port_problems(document, cluster)]
    if "\0" in document.text:
        problems.insert(0, "there is a NUL byte in the file")
    if problems:
        raise EditRefused("", "", _listed("The file has no canonical form yet", problems))
    lost: list[tuple[int, str]] = []
    top = _of_block(document, document.root, lost)
    _spell_inherited_ports(cluster, top)
    lost += _comments(document)
    text = _text(top)
    again = cluster_of(Document(text, document.encoding))
    if _meaning(again) != _meaning(cluster):
        raise EditRefused("", "", "The canonical form would read differently; mend the faults of the file first.")
    return Canonical(text, tuple(f"line {line}: {sentence}" for line, sentence in sorted(lost)))


def text_of_cluster(cluster: Cluster) -> str:
    """Return an lvs.cf in the canonical form that means this cluster: reading it gives an equal one.

    An address without a device is written without one, which strict reading refuses, as the original daemons did.
    Raises EditRefused where no lvs.cf can mean it: a name or a text that no spelling carries, a real server without
    its own port whose port is not its virtual server's, ids that do not follow from names.
    """
    top = _Written(Scope.GLOBAL)
    _put_all(top, _GLOBAL_VALUES, cluster)
    for failover in cluster.failover_services:
        block = _Written(Scope.FAILOVER, _spelled_name(failover.name))
        _put_all(block, _SERVICE_VALUES, failover)
        top.blocks.append(block)
    for virtual in cluster.virtual_servers:
        block = _Written(Scope.VIRTUAL, _spelled_name(virtual.name))
        _put_all(block, _SERVICE_VALUES, virtual)
        for server in virtual.servers:
            inner = _Written(Scope.SERVER, _spelled_name(server.name))
            _put_all(inner, _SERVER_VALUES, server)
            if not server.has_own_port:
                inner.values.pop("port", None)
            block.blocks.append(inner)
        top.blocks.append(block)
    text = _text(top)
    encoding = next((virtual.encoding for virtual in cluster.virtual_servers), "utf-8")
    if cluster_of(Document(text, encoding)) != cluster:
        raise EditRefused("", "", "No lvs.cf can say exactly this.")
    return text


# Model -> text.

_GLOBAL_VALUES = {
    "serial_no": "serial_no", "primary": "primary", "primary_private": "primary_private", "service": "service",
    "rsh_command": "rsh_command", "backup_active": "is_backup_active", "backup": "backup",
    "backup_private": "backup_private", "heartbeat_port": "heartbeat_port", "keepalive": "keepalive_s",
    "deadtime": "deadtime_s", "network": "forwarding", "nat_router": "nat_router", "nat_nmask": "nat_nmask",
    "active_cmd": "active_cmd", "inactive_cmd": "inactive_cmd", "monitor_links": "monitors_links",
    "syncdaemon": "runs_sync_daemon", "syncd_iface": "syncd_iface", "syncd_id": "syncd_id",
    "tcp_timeout": "tcp_timeout_s", "tcpfin_timeout": "tcpfin_timeout_s", "udp_timeout": "udp_timeout_s",
}  # fmt: skip
_SERVICE_VALUES = {
    "active": "is_active", "address": "address", "sorry_server": "sorry_server", "vip_nmask": "vip_nmask",
    "fwmark": "fwmark", "port": "port", "persistent": "persistent_s", "pmask": "pmask", "send": "send",
    "expect": "expect", "use_regex": "uses_regex", "send_program": "send_program", "load_monitor": "load_monitor",
    "scheduler": "scheduler", "protocol": "protocol", "timeout": "timeout_s", "reentry": "reentry_s",
    "quiesce_server": "quiesces", "client_monitor": "client_monitor", "start_cmd": "start_cmd",
    "stop_cmd": "stop_cmd",
}  # fmt: skip
_SERVER_VALUES = {"address": "address", "active": "is_active", "port": "port", "weight": "weight"}


def _put_all(
    block: _Written, attributes: Mapping[str, str], source: Cluster | VirtualServer | FailoverService | RealServer
) -> None:
    for keyword, attribute in attributes.items():
        row = row_of(block.scope, keyword)
        value = getattr(source, attribute, None)
        if row is None or value is None:
            continue
        text = _text_of_value(value)
        if keyword in _ALWAYS or text != row.default:
            block.values[keyword] = _safely_spelled(row, text)


def _text_of_value(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, FloatingAddress):
        return f"{value.host} {value.device}".rstrip(" ")
    return str(value)


# Document -> text.


def _problems(block: Block) -> Iterator[str]:
    """Yield what cannot be understood: a canonical form would lose it."""
    for oddity in block.oddities:
        if oddity.severity is Severity.ERROR:
            yield f"line {oddity.line}: {oddity.message}"
    if block.header is not None:
        for oddity in block.header.oddities:
            if oddity.severity is Severity.ERROR:
                yield f"line {oddity.line}: {oddity.message}"
    for statement in block.statements:
        if not statement.keyword or statement.is_bad:
            errors = [oddity.message for oddity in statement.oddities if oddity.severity is Severity.ERROR]
            yield f"line {statement.line}: {errors[0] if errors else 'this is not understood.'}"
    for keyword in block.values:
        yield from _value_problem(block, keyword)
    for place, inner in enumerate(block.blocks):
        line = inner.header.line if inner.header else 0
        if inner.scope is Scope.SERVER and block.scope is Scope.GLOBAL:
            yield f"line {line}: this server stands outside of every virtual server."
        if inner.close_start is None and place < len(block.blocks) - 1:
            yield f'line {line}: the {inner.scope} block "{shown(inner.name)}" is never closed.'
        yield from _problems(inner)


def _value_problem(block: Block, keyword: str) -> Iterator[str]:
    statement, row = block.effective(keyword), row_of(block.scope, keyword)
    if statement is None or row is None or statement.is_bad or statement.value is None or row.status.is_refused:
        return
    read = row.examine(statement.value)
    if isinstance(read, ValueFault):
        yield f"line {statement.line}: {read.message}"
        return
    if isinstance(read.value, FloatingAddress) and not read.value.device:
        yield f"line {statement.line}: {keyword} names no device."
    if isinstance(read.value, FloatingAddress) and any(blank in read.value.device for blank in " \t"):
        yield f'line {statement.line}: "{shown(read.value.device)}" is no device.'
    try:
        _safely_spelled(row, read.canonical)
    except EditRefused as problem:
        yield f"line {statement.line}: {keyword}: {problem.sentence}"


def _of_block(document: Document, block: Block, lost: list[tuple[int, str]]) -> _Written:
    result = _Written(block.scope, _spelled_name(block.name) if block.header is not None else "")
    for statement in block.statements:
        row = row_of(block.scope, statement.keyword)
        if row is None or row.status.is_refused:
            text = shown(document.plain[statement.start : statement.end].strip())
            lost.append((statement.line, f"{text} (the original Piranha refuses this keyword here)"))
        elif statement is not block.effective(statement.keyword):
            text = shown(document.plain[statement.start : statement.end].strip())
            lost.append((statement.line, f"{text} (a later line of the same keyword counts)"))
        else:
            value = _canonical_value(document, statement, row)
            if value is not None:
                result.values[statement.keyword] = value
            else:
                lost.append((statement.line, f"{statement.keyword} = {statement.value} (which means none)"))
            if row.type is FieldType.LIST:
                rest = document.plain[statement.value_start : statement.value_end].partition(" ]")[2].strip(" \t")
                lost += [(statement.line, f"{shown(rest)} (behind the list)")] if rest else []
    if block.scope is Scope.GLOBAL:
        result.values.setdefault("serial_no", "1")
        # Without the line it means NAT; the old GUI would show, and then write, something else.
        result.values.setdefault("network", "nat")
    inner = [_of_block(document, each, lost) for each in block.blocks]
    result.blocks = sorted(inner, key=lambda each: each.scope is Scope.VIRTUAL)
    return result


def _canonical_value(document: Document, statement: Statement, row: Field) -> str | None:
    """Return the value as it will be written; None where the canonical form leaves the line out."""
    if row.type is FieldType.LIST:
        words = words_of(document.plain[statement.value_start : statement.value_end])
        assert not isinstance(words, BadQuoting)
        texts = [word.text for word in words]
        entries = [_safe_word(text) for text in texts[1 : texts.index("]")]]
        return " ".join(["[", *entries, "]"])
    read = row.examine(statement.value or "")
    assert not isinstance(read, ValueFault)
    if row.type is FieldType.MASK and read.canonical == "0.0.0.0":
        return None
    text = with_known_escapes(read.canonical) if row.takes_escapes else read.canonical
    return _safely_spelled(row, text)


def _safely_spelled(row: Field, text: str) -> str:
    """Return a value as it is written. Raises EditRefused where no spelling carries it safely (reference 4.3)."""
    if '"' in text:
        fault = row.read_typed(text)
        if isinstance(fault, ValueFault):
            raise EditRefused("", row.keyword, f"{fault.message} {fault.advice}".strip())
    if any(character in text for character in "\n\r\0"):
        raise EditRefused("", row.keyword, "There is a line break or a NUL byte in the value.")
    return spelled(row, text)


def _safe_word(text: str) -> str:
    if text and not any(character in text for character in " \t\"'"):
        return text
    if '"' in text or not any(character in text for character in " \t"):
        raise EditRefused("", "dirs", f"An entry of the list cannot be written: {shown(text)}.")
    return f'"{text}"'


def _spelled_name(name: str) -> str:
    """Return a block's name as one word of its header. Raises EditRefused where it cannot be one."""
    if any(character in name for character in "\n\r\0"):
        raise EditRefused("", "", f'There is a line break or a NUL byte in the name "{shown(name)}".')
    for spelling in (name, f'"{name}"', f"'{name}'"):
        words = words_of(f"{spelling} {{", is_strict=True)
        if not isinstance(words, BadQuoting) and [word.text for word in words] == [name, "{"]:
            return spelling
    raise EditRefused("", "", f'The name "{shown(name)}" cannot be written as one word.')


def _spell_inherited_ports(cluster: Cluster, top: _Written) -> None:
    """Give a server its port in words where it was read before its virtual server's `port` line, which moves up."""
    written = [block for block in top.blocks if block.scope is Scope.VIRTUAL]
    for virtual, result in zip(cluster.virtual_servers, written, strict=True):
        for server, inner in zip(virtual.servers, result.blocks, strict=True):
            if not server.has_own_port and server.port != virtual.port:
                inner.values["port"] = str(server.port)


def _port_problems(document: Document, cluster: Cluster) -> Iterator[str]:
    """Yield where a port in words would mean something else: under a mark, a server without one takes every port."""
    for virtual in cluster.virtual_servers:
        for server in virtual.servers:
            if virtual.fwmark and not server.has_own_port and server.port != virtual.port:
                line = document.where(parse_block(virtual.id), "port")[0]
                yield f"line {line}: port stands behind a server, which was read with another port"


def _comments(document: Document) -> Iterator[tuple[int, str]]:
    """Yield line and text of each comment, of those behind a value or a brace too."""
    for number, line in enumerate(document.plain.split("\n"), start=1):
        if _COMMENT.match(line):
            yield number, shown(line.strip(" \t"))
    starts = [0, *(found.end() for found in re.finditer("\n", document.plain))]
    yield from _trailing(document.plain, starts, document.root)


def _trailing(text: str, starts: list[int], block: Block) -> Iterator[tuple[int, str]]:
    """Yield the comments behind a value or a brace; `starts` says where the lines begin."""
    if block.close_start is not None:
        rest = text[block.close_start : block.end].partition("}")[2].strip(" \t\n")
        if rest.startswith("#"):
            yield bisect_right(starts, block.close_start), shown(rest)
    oddities = [*block.oddities, *(block.header.oddities if block.header else ())]
    oddities += [oddity for statement in block.statements for oddity in statement.oddities]
    for oddity in oddities:
        if oddity.code in ("trailing-comment", "text-after-brace"):
            yield oddity.line, shown(oddity.text)
    for inner in block.blocks:
        yield from _trailing(text, starts, inner)


def _text(top: _Written) -> str:
    lines: list[str] = []
    _write(top, lines)
    return "".join(f"{line}\n" for line in lines)


def _write(block: _Written, lines: list[str]) -> None:
    indent = _INDENT[block.scope]
    for keyword in ORDER[block.scope]:
        if keyword in block.values:
            lines.append(f"{indent}{keyword} = {block.values[keyword]}")
    for inner in block.blocks:
        lines.append(f"{_HEADER_INDENT[inner.scope]}{inner.scope} {inner.name} {{")
        _write(inner, lines)
        lines.append(f"{_HEADER_INDENT[inner.scope]}}}")


def _meaning(cluster: Cluster) -> Cluster:
    """Return what must stay the same: all but the serial number, how a port came about, how an escape is spelled."""
    virtuals = tuple(
        replace(
            virtual,
            send=None if virtual.send is None else with_known_escapes(virtual.send),
            expect=None if virtual.expect is None else with_known_escapes(virtual.expect),
            servers=tuple(
                replace(server, has_own_port=server.has_own_port or server.port != virtual.port)
                for server in virtual.servers
            ),
        )
        for virtual in cluster.virtual_servers
    )
    failovers = tuple(
        replace(
            failover,
            send=None if failover.send is None else with_known_escapes(failover.send),
            expect=None if failover.expect is None else with_known_escapes(failover.expect),
        )
        for failover in cluster.failover_services
    )
    return replace(cluster, serial_no=0, virtual_servers=virtuals, failover_services=failovers)


def _listed(what: str, problems: list[str]) -> str:
    told = "; ".join(problem.rstrip(".") for problem in problems[:_TOLD_MAX])
    more = f"; and {len(problems) - _TOLD_MAX} more" if len(problems) > _TOLD_MAX else ""
    return f"{what}: {told}{more}. Mend these lines first."
