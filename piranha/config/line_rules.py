"""Rules of single lines and of the shape of the file: spelling, keywords, values, braces, line ends."""

import difflib
import re
from functools import lru_cache

from piranha.config.blocks import Block, Statement
from piranha.config.escapes import translate
from piranha.config.faults import Severity
from piranha.config.field_types import LONGEST_NAME
from piranha.config.fields import FIELDS, Field, Scope, Status, ValueFault, field, scopes_of
from piranha.config.findings import Findings
from piranha.config.kept_fields import IGNORED_SERVICE_FIELDS
from piranha.config.model import FloatingAddress
from piranha.config.values import DEVICE, Read, shown

LONGEST_COMPARED = 254
"""Bytes of a reply that the original compares, and of a text that it sends safely."""

# Every file of the old GUI has these two; saying each time that nobody looks at them would help nobody.
_NOT_WORTH_SAYING = frozenset({"heartbeat", "debug_level"})
_REFUSED = "The original Piranha refuses the file for it."
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
        findings.place(Severity.WARNING, "empty-file", root, 0, 0, "", "", message, "The original Piranha refuses it.")
    if text.startswith(("\ufeff", "\xef\xbb\xbf")):
        say(
            Severity.WARNING,
            "byte-order-mark",
            0,
            "The file starts with a byte-order mark.",
            "It goes at the first save.",
        )
    if "\r" in text:
        ends = "some lines" if "\n" in text.replace("\r\n", "") else "lines"
        message = f"A carriage return ends {ends}; the original Piranha loses lines then."
        say(Severity.WARNING, "carriage-return", text.index("\r"), message, "It goes at the first save.")
    if "\0" in text:
        message = "There is a NUL byte in the file; the original Piranha crashes at it."
        say(Severity.ERROR, "nul-byte", text.index("\0"), message, "Remove it with an editor.")


def _block(findings: Findings, block: Block) -> None:
    for oddity in block.oddities:
        place = (oddity.line, oddity.column, "", oddity.text, oddity.message, oddity.advice)
        findings.place(oddity.severity, oddity.code, block, *place)
    if block.header is not None:
        _header(findings, block)
    for statement in block.statements:
        for oddity in statement.oddities:
            place = (oddity.line, oddity.column, statement.keyword, oddity.text, oddity.message, oddity.advice)
            findings.place(oddity.severity, oddity.code, block, *place)
        if not statement.keyword:
            continue
        row = field(block.scope, statement.keyword)
        if row is None:
            _stranger(findings, block, statement)
        else:
            _keyword(findings, block, statement, row)
    _names(findings, block)
    _ends(findings, block)


def _header(findings: Findings, block: Block) -> None:
    header = block.header
    assert header is not None
    for oddity in header.oddities:
        place = (oddity.line, oddity.column, "", oddity.text, oddity.message, oddity.advice)
        findings.place(oddity.severity, oddity.code, block, *place)
    path = findings.document.path_of(block)
    if block.scope is Scope.SERVER and len(path) == 1:
        message = "This server stands outside of every virtual server, where it means nothing."
        place = (header.line, header.column, "", block.name, message, "Is there a } too many above?")
        findings.place(Severity.ERROR, "server-outside", block, *place, matters=True)
    if block.scope is Scope.SERVER and len(path) == 2 and path[0].kind == Scope.FAILOVER:
        message = "A server has no effect in a failover service."
        findings.say(Severity.WARNING, "no-effect-here", block, "", message)
    if len(block.name) > LONGEST_NAME and not header.is_bad:
        message = f"The name has {len(block.name)} characters."
        findings.say(Severity.WARNING, "long-name", block, "", message, "Old GUIs cut the line; choose a shorter one.")


def _names(findings: Findings, block: Block) -> None:
    for inner in block.blocks:
        if inner.number > 1:
            message = f'Another {inner.scope} block here is named "{shown(inner.name)}" too.'
            findings.say(Severity.WARNING, "duplicate-name", inner, "", message, "Give each a name of its own.")


def _ends(findings: Findings, block: Block) -> None:
    """Find missing closing braces: at the end of the text they are harmless, elsewhere what follows is in doubt."""
    for place, inner in enumerate(block.blocks):
        if inner.close_start is not None:
            continue
        is_last = place == len(block.blocks) - 1
        header = inner.header
        assert header is not None
        where = (header.line, header.column, "", inner.name)
        message = f'The {inner.scope} block "{shown(inner.name)}" is never closed.'
        if is_last:
            findings.place(Severity.WARNING, "unclosed-block", inner, *where, message, "Write } at its end.")
        else:
            advice = "Write } where it ends; what follows was read as if it stood there."
            findings.place(Severity.ERROR, "missing-brace", inner, *where, message, advice, matters=True)


@lru_cache(maxsize=512)
def _similar(scope: Scope, keyword: str) -> str:
    known = [row.keyword for row in FIELDS if scope in row.scopes and row.status is Status.CURRENT]
    close = difflib.get_close_matches(keyword[:40].lower(), known, n=1)
    return f"Is {close[0]} meant? " if close else ""


def _stranger(findings: Findings, block: Block, statement: Statement) -> None:
    """Tell of a keyword that is unknown, or known elsewhere only. It is kept."""
    keyword = shown(statement.written_keyword)
    places = scopes_of(statement.keyword)
    if places:
        there = " or ".join(_PLACES[scope] for scope in places)
        message = f"{keyword} has no effect here; it belongs {there}."
        code = "misplaced-keyword"
    else:
        message = f'The keyword "{keyword}" is unknown; the line is kept and has no effect.'
        code = "unknown-keyword"
    advice = ("" if places else _similar(block.scope, statement.keyword)) + _REFUSED
    place = (statement.line, statement.column, statement.keyword, statement.written_keyword, message, advice)
    findings.place(Severity.WARNING, code, block, *place)


def _keyword(findings: Findings, block: Block, statement: Statement, row: Field) -> None:
    if statement.written_keyword != statement.keyword:
        message = f'"{statement.written_keyword}" stands for {statement.keyword}.'
        place = (statement.line, statement.column, statement.keyword, statement.written_keyword, message, _REFUSED)
        findings.place(Severity.WARNING, "alias", block, *place)
    same = block.values[statement.keyword]
    if len(same) > 1 and statement is not same[0]:
        message = f"{statement.keyword} stands in line {same[0].line} already; the last one counts."
        place = (statement.line, statement.column, statement.keyword, statement.value or "", message, "Remove one.")
        findings.place(Severity.WARNING, "duplicate-keyword", block, *place)
    _status(findings, block, statement, row)
    if statement.is_bad or statement.value is None:
        return
    read = _examined(row, statement.value)
    if isinstance(read, ValueFault):
        advice = read.advice
        findings.say_of_line(Severity.ERROR, "bad-value", block, statement, read.message, advice)
        return
    if read.warning:
        code = "newer-than-original" if read.code == "BADARGUMENT" and read.canonical == statement.value else "spelling"
        findings.say_of_line(Severity.WARNING, code, block, statement, read.warning, read.advice)
    fault = row.range_fault(read.value)
    if fault is not None:
        findings.say_of_line(Severity.ERROR, "out-of-range", block, statement, fault.message, fault.advice)
    if row.takes_escapes or row.keyword == "send_program":
        _text_value(findings, block, statement, row)
    elif isinstance(read.value, FloatingAddress):
        _device(findings, block, statement, read.value.device)
    elif row.keyword == "syncd_iface":
        _interface(findings, block, statement, statement.value)


@lru_cache(maxsize=8192)
def _examined(row: Field, text: str) -> Read:
    return row.examine(text)


def _status(findings: Findings, block: Block, statement: Statement, row: Field) -> None:
    keyword = statement.keyword
    place = (statement.line, statement.column, keyword, statement.value or "")
    if row.status in (Status.GUI_ONLY, Status.DOCUMENTED_ONLY):
        findings.place(
            Severity.WARNING, "refused-keyword", block, *place, f"{keyword} is kept. {row.help}", "Remove it."
        )
    elif row in IGNORED_SERVICE_FIELDS:
        findings.place(Severity.WARNING, "no-effect-here", block, *place, f"{keyword} is kept. {row.help}", "")
    elif row.status is Status.IGNORED and keyword not in _NOT_WORTH_SAYING and block.scope is not Scope.FAILOVER:
        findings.place(Severity.NOTE, "not-used", block, *place, f"{keyword} is kept and has no effect here.", "")


def _text_value(findings: Findings, block: Block, statement: Statement, row: Field) -> None:
    text = statement.value or ""
    length = len(text.encode("utf-8", "replace"))
    if length > LONGEST_COMPARED:
        message = f"{row.label} has {length} bytes; the original Piranha keeps {LONGEST_COMPARED}."
        findings.say_of_line(Severity.WARNING, "long-text", block, statement, message, "Shorten it.")
    if not row.takes_escapes or "\\" not in text:
        return
    unknown = translate(text)[1]
    if unknown:
        listed = " ".join(shown(escape) for escape in dict.fromkeys(unknown))
        message = f"{listed} means nothing here and stays as it is; the original monitor hangs at it."
        advice = r"Known are \\ \n \r \t \' and \"; write \\ for a backslash."
        findings.say_of_line(Severity.WARNING, "unknown-escape", block, statement, message, advice)


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


def _device_place(statement: Statement, device: str) -> tuple[int, int, str, str]:
    """Return where the device stands, which is the last word of its line's value: line, column, keyword, text."""
    behind = statement.value_end - statement.start
    return statement.line, max(statement.value_column, behind - len(device) + 1), statement.keyword, device
