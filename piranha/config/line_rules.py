"""Rules of single lines and of the shape of the file: spelling, keywords, values, braces, line ends."""

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache

from piranha.config import text_rules
from piranha.config.blocks import Block, Statement
from piranha.config.faults import Severity
from piranha.config.field_types import LONGEST_NAME
from piranha.config.fields import FIELDS, Field, FieldType, Scope, Status, ValueFault, field, scopes_of
from piranha.config.findings import Findings
from piranha.config.kept_fields import IGNORED_SERVICE_FIELDS
from piranha.config.model import FloatingAddress
from piranha.config.oddities import REFUSED, Oddity
from piranha.config.values import DEVICE, Read, blank_advice, interface_fault, shown

LARGEST_FILE = 7_900_000
"""Bytes of a file that the original was seen to read; it crashed at 9 million."""

# Every file of the old GUI has these two; saying each time that nobody looks at them would help nobody.
_NOT_WORTH_SAYING = frozenset({"heartbeat", "debug_level"})
_GOES = "Nothing need be done here: it goes at the first save."
_REMOVE = "Remove it, if it is not wanted any more."
_WITH_RANGE = frozenset({FieldType.INT, FieldType.PORT, FieldType.MASK})
_PLACES = {
    Scope.GLOBAL: "outside of all blocks",
    Scope.VIRTUAL: "in a virtual server",
    Scope.FAILOVER: "in a failover service",
    Scope.SERVER: "in a real server",
}


def find(findings: Findings) -> None:
    """Find the faults of the text and of each of its lines."""
    _text(findings)
    _block(findings, findings.document.root)
    for service in findings.document.root.blocks:
        _block(findings, service)
        for server in service.blocks:
            _block(findings, server)


def _text(findings: Findings) -> None:
    text, root = findings.document.text, findings.document.root

    def say(severity: Severity, code: str, place: int, message: str, advice: str) -> None:
        before = re.sub(r"\r\n?", "\n", text[:place])
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        findings.place(severity, code, root, line, column, "", "", message, advice, matters=True)

    if text == "":
        message = "The file is empty; everything has its default."
        advice = "Set something and save, or write serial_no = 1; the original Piranha refuses an empty file."
        findings.place(Severity.WARNING, "empty-file", root, 0, 0, "", "", message, advice)
    if len(text) > LARGEST_FILE:
        message = f"The file has {len(text)} characters; the original Piranha crashes at about 8 million."
        advice = "Use it only while no router runs the original."
        findings.place(Severity.WARNING, "large-file", root, 0, 0, "", "", message, advice)
    if text.startswith(("\ufeff", "\xef\xbb\xbf")):
        say(
            Severity.WARNING,
            "byte-order-mark",
            0,
            "The file starts with a byte-order mark; the original Piranha refuses it.",
            _GOES,
        )
    if "\r" in text:
        ends = "some lines" if "\n" in text.replace("\r\n", "") else "lines"
        message = f"A carriage return ends {ends}; the original Piranha loses lines then."
        say(Severity.WARNING, "carriage-return", text.index("\r"), message, _GOES)
    if "\0" in text:
        message = "There is a NUL byte in the file; the original Piranha crashes at it."
        say(Severity.ERROR, "nul-byte", text.index("\0"), message, "Remove it with an editor.")


def _block(findings: Findings, block: Block) -> None:
    _oddities(findings, block, "", block.oddities)
    if block.header is not None:
        _header(findings, block)
    for statement in block.statements:
        if statement.oddities:
            _oddities(findings, block, statement.keyword, statement.oddities)
        if not statement.keyword:
            continue
        row = field(block.scope, statement.keyword)
        if row is None:
            _stranger(findings, block, statement)
        else:
            _keyword(findings, block, statement, row)
    _names(findings, block)


def _oddities(findings: Findings, block: Block, keyword: str, oddities: Iterable[Oddity]) -> None:
    """Tell what is odd. Where the shape is in doubt nobody knows what is in force, so it matters everywhere."""
    for oddity in oddities:
        place = (oddity.line, oddity.column, keyword, oddity.text, oddity.message, oddity.advice)
        findings.place(oddity.severity, oddity.code, block, *place, matters=oddity.is_of_shape or None)


def _header(findings: Findings, block: Block) -> None:
    header = block.header
    assert header is not None
    _oddities(findings, block, "", header.oddities)
    path = findings.document.path_of(block)
    if block.scope is Scope.SERVER and len(path) == 1:
        message = "This server stands outside of every virtual server, where it means nothing."
        place = (header.line, header.column, "", block.name, message, "Is there a } too many above?")
        findings.place(Severity.ERROR, "server-outside", block, *place, matters=True)
    if block.scope is Scope.SERVER and len(path) == 2 and path[0].kind == Scope.FAILOVER:
        message = "A server has no effect in a failover service."
        advice = "Remove it, or move it into a virtual server."
        findings.say(Severity.WARNING, "no-effect-here", block, "", message, advice)
    if len(block.name) > LONGEST_NAME and not header.is_bad:
        message = f"The name has {len(block.name)} characters."
        advice = f"Old GUIs cut the line; choose one of at most {LONGEST_NAME} characters."
        findings.say_of_name(Severity.WARNING, "long-name", block, message, advice)


def _names(findings: Findings, block: Block) -> None:
    for inner in block.blocks:
        if inner.number > 1:
            message = f'Another {inner.scope} block here is named "{shown(inner.name)}" too.'
            findings.say_of_name(Severity.WARNING, "duplicate-name", inner, message, "Give each a name of its own.")


@lru_cache(maxsize=512)
def _similar(scope: Scope, keyword: str) -> str:
    known = [row.keyword for row in FIELDS if scope in row.scopes and row.status is Status.CURRENT]
    close = difflib.get_close_matches(keyword[:40].lower(), known, n=1)
    return f"Is {close[0]} meant?" if close else ""


def _places_of(keyword: str) -> tuple[Scope, ...]:
    """Return the scopes where a keyword has an effect; if there is none, those where it may stand."""
    rows = {scope: field(scope, keyword) for scope in scopes_of(keyword)}
    used = tuple(scope for scope, row in rows.items() if row is not None and row.status is Status.CURRENT)
    return used or tuple(rows)


def _stranger(findings: Findings, block: Block, statement: Statement) -> None:
    """Tell of a keyword that is unknown, or known elsewhere only. It is kept."""
    keyword = shown(statement.written_keyword)
    places = _places_of(statement.keyword)
    if places:
        there = " or ".join(_PLACES[scope] for scope in places)
        message = f"{keyword} has no effect here; it belongs {there}."
        code = "misplaced-keyword"
    else:
        message = f'The keyword "{keyword}" is unknown; the line is kept and has no effect.'
        code = "unknown-keyword"
    moved = any((row := field(scope, statement.keyword)) and row.status is Status.CURRENT for scope in places)
    advice = f"{'Move it there, or remove it.' if moved else 'Remove it.'} {REFUSED}"
    if not places:
        meant = blank_advice(statement.written_keyword) or _similar(block.scope, statement.keyword)
        advice = f"{meant or 'Mend its spelling, or remove it.'} {REFUSED}"
    place = (statement.line, statement.column, statement.keyword, statement.written_keyword, message, advice)
    findings.place(Severity.WARNING, code, block, *place)


def _keyword(findings: Findings, block: Block, statement: Statement, row: Field) -> None:
    if statement.written_keyword != statement.keyword:
        message = f'"{statement.written_keyword}" stands for {statement.keyword}.'
        advice = f"Write {statement.keyword}. {REFUSED}"
        place = (statement.line, statement.column, statement.keyword, statement.written_keyword, message, advice)
        findings.place(Severity.WARNING, "alias", block, *place)
    same = block.values[statement.keyword]
    if len(same) > 1 and statement is not same[0]:
        message = f"{statement.keyword} stands in line {same[0].line} already; the last one counts."
        place = (statement.line, statement.column, statement.keyword, statement.written_keyword, message, "Remove one.")
        findings.place(Severity.WARNING, "duplicate-keyword", block, *place)
    _status(findings, block, statement, row)
    if statement.is_bad or statement.value is None:
        return
    read, fault = _examined(row, statement.value)
    if isinstance(read, ValueFault):
        findings.say_of_line(Severity.ERROR, "bad-value", block, statement, read.message, read.advice)
        return
    if fault is not None:
        code = "out-of-range" if row.type in _WITH_RANGE else "unusable-address"
        findings.say_of_line(Severity.ERROR, code, block, statement, fault.message, fault.advice)
    if read.warning and (fault is None or not read.is_newer):
        code = "newer-than-original" if read.is_newer else "spelling"
        advice = fault.advice if fault is not None else read.advice
        findings.say_of_line(Severity.WARNING, code, block, statement, read.warning, advice)
    if row.takes_escapes or row.keyword == "send_program":
        text_rules.find(findings, block, statement, row)
    elif isinstance(read.value, FloatingAddress):
        _device(findings, block, statement, read.value.device)
    elif row.names_interface and statement.value:
        _sync_interface(findings, block, statement, statement.value)


@lru_cache(maxsize=8192)
def _examined(row: Field, text: str) -> tuple[Read, ValueFault | None]:
    """Return a text as read, and what is wrong with the value read; files repeat the same few."""
    read = row.examine(text)
    return read, None if isinstance(read, ValueFault) else row.range_fault(read.value, text)


def _status(findings: Findings, block: Block, statement: Statement, row: Field) -> None:
    keyword = statement.keyword
    place = (statement.line, statement.column, keyword, statement.value or "")
    if row.status in (Status.GUI_ONLY, Status.DOCUMENTED_ONLY):
        message = f"{keyword} is kept. {row.help}"
        findings.place(Severity.WARNING, "refused-keyword", block, *place, message, "Remove it.")
    elif row in IGNORED_SERVICE_FIELDS:
        findings.place(Severity.WARNING, "no-effect-here", block, *place, f"{keyword} is kept. {row.help}", _REMOVE)
    elif row.status is Status.IGNORED and keyword not in _NOT_WORTH_SAYING and block.scope is not Scope.FAILOVER:
        findings.place(Severity.NOTE, "not-used", block, *place, f"{keyword} is kept and has no effect here.", _REMOVE)


def _device(findings: Findings, block: Block, statement: Statement, device: str) -> None:
    if not device:
        message = f"{statement.keyword} names no device to carry the address."
        advice = "Write for example 192.0.2.10 eth0:1; the original Piranha refuses the file otherwise."
        findings.say_of_line(Severity.ERROR, "missing-device", block, statement, message, advice)
        return
    if _interface(findings, block, statement, device) and ":" not in device:
        message = f"{shown(device)} is an interface, not an alias; the original takes the interface's own address away."
        advice = f"Write for example {device}:1."
        findings.place(Severity.WARNING, "no-alias", block, *_device_place(statement, device), message, advice)


def _interface(findings: Findings, block: Block, statement: Statement, device: str) -> bool:
    name = device.partition(":")[0]
    place = _device_place(statement, device)
    if len(name) > 15:
        message = f"{shown(name)} is too long for a device: {len(name)} characters."
        findings.place(Severity.ERROR, "bad-device", block, *place, message, "At most 15 are possible.")
    elif not DEVICE.fullmatch(device):
        message = f"{shown(device)} is not a device."
        findings.place(Severity.ERROR, "bad-device", block, *place, message, "Write for example eth0:1.")
    else:
        return True
    return False


def _sync_interface(findings: Findings, block: Block, statement: Statement, device: str) -> None:
    fault = interface_fault(device)
    if fault is not None:
        place = _device_place(statement, device)
        findings.place(Severity.ERROR, "bad-device", block, *place, fault.message, fault.advice)


def _device_place(statement: Statement, device: str) -> tuple[int, int, str, str]:
    """Return where the device stands, which is the last word of its line's value: line, column, keyword, text."""
    behind = statement.value_end - statement.start
    return statement.line, max(statement.value_column, behind - len(device) + 1), statement.keyword, device
